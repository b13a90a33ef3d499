"""What a smaller model costs and what it is worth, as a plot of the images themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from fns_lab.errors import InputError
from fns_lab.images import image_from_array
from fns_lab.views.plots import LINE_COLOURS, MARKERS, NotebookFigure

THUMBNAIL_PX = 56
"""ModelRun of an image in the plot, in pixels of 1/100 inch."""
MARGIN = 1.7
"""Factor by which the axes reach beyond the outermost points, so that no image is cut off."""


def trade_off(
    table: pd.DataFrame, images: Mapping[str, np.ndarray], *, costs: Sequence[str], worth: str, group: str
) -> NotebookFigure:
    """One panel a column of `costs`, the column `worth` upwards in all of them, both on log scales.

    `table` has one row a model, its label as the index. Where a model is too costly or failed (NaN) it has no point.
    Rows with the same `group` share a colour and are joined. In the first panel each point is the model's image,
    `(1, 3, H, W)`, 0..255, cut to a square; in the others a marker. Raises `InputError` for an empty table, a number
    that a log scale cannot show, or a row without an image.
    """
    _check(table, images, [*costs, worth])
    figure = NotebookFigure(figsize=(1.5 + 4.5 * len(costs), 5), layout="constrained")
    panels = figure.subplots(1, len(costs), sharey=True, squeeze=False)[0]
    for axes, cost in zip(panels, costs, strict=True):
        for i, (label, rows) in enumerate(table.groupby(group, sort=False)):
            colour, marker = LINE_COLOURS[i % len(LINE_COLOURS)], MARKERS[i % len(MARKERS)]
            axes.plot(rows[cost], rows[worth], color=colour, marker=marker, lw=1.5, label=f"{group} {label}")
            if axes is panels[0]:
                _draw_images(axes, rows, images, cost, worth, colour)
        _scale(axes, table[cost], table[worth])
        axes.set_xlabel(cost)
    panels[0].set_ylabel(worth)
    panels[-1].legend(loc="best", frameon=False)
    return figure


def _check(table: pd.DataFrame, images: Mapping[str, np.ndarray], columns: Sequence[str]) -> None:
    if table.empty:
        raise InputError("no models to show")
    for column in columns:
        if not table[column].max() > 0 or table[column].min() <= 0:
            raise InputError(f"{column}: a log scale shows numbers above 0 only")
    for label in table.index:
        if label not in images:
            raise InputError(f"no image of {label!r}")


def _draw_images(
    axes: Axes, rows: pd.DataFrame, images: Mapping[str, np.ndarray], cost: str, worth: str, colour: str
) -> None:
    for label, row in rows.iterrows():
        image = image_from_array(images[label])
        side = min(image.size)
        square = image.crop((0, 0, side, side)).resize((2 * THUMBNAIL_PX,) * 2)
        box = AnnotationBbox(
            OffsetImage(np.asarray(square), zoom=0.36),
            (row[cost], row[worth]),
            bboxprops={"edgecolor": colour, "lw": 2},
            pad=0.1,
        )
        axes.add_artist(box)


def _scale(axes: Axes, x: pd.Series, y: pd.Series) -> None:
    axes.set(xscale="log", yscale="log")
    axes.set_xlim(x.min() / MARGIN, x.max() * MARGIN)
    axes.set_ylim(y.min() / MARGIN, y.max() * MARGIN)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.set_minor_formatter(NullFormatter())
    axes.grid(color="#DDDDDD", lw=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
