"""Plot the cost of models against their quality, with the image that each computes as its marker."""

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
"""Height and width of an image in the plot, in pixels of 1/100 inch."""
MARGIN = 1.7
"""Factor by which the axes extend beyond the outermost points, so that no image is cut off."""


def trade_off(
    table: pd.DataFrame, images: Mapping[str, np.ndarray], *, costs: Sequence[str], quality: str, group: str
) -> NotebookFigure:
    """Draw one panel per column of `costs`, each with the cost across and the quality upwards, on log scales.

    `table` has one row per model, its label as the index, and these columns:

    - each of `costs`: above 0, smaller is better, in any unit; NaN for a model that failed: it has no point
    - `quality`: above 0, larger is better
    - `group`: models of the same group share a colour and are joined by a line

    `images` holds the image that each model computed, by label, `(1, 3, H, W)`, RGB, 0..255: its point in the first
    panel, cut to a square. The other panels have markers. Raises `InputError` for an empty table, a number that a log
    scale cannot show, or a row without an image.
    """
    _check(table, images, [*costs, quality])
    figure = NotebookFigure(figsize=(1.5 + 4.5 * len(costs), 5), layout="constrained")
    panels = figure.subplots(1, len(costs), sharey=True, squeeze=False)[0]
    for axes, cost in zip(panels, costs, strict=True):
        for i, (label, rows) in enumerate(table.groupby(group, sort=False)):
            colour, marker = LINE_COLOURS[i % len(LINE_COLOURS)], MARKERS[i % len(MARKERS)]
            axes.plot(rows[cost], rows[quality], color=colour, marker=marker, lw=1.5, label=f"{group} {label}")
            if axes is panels[0]:
                _draw_images(axes, rows, images, cost, quality, colour)
        _scale(axes, table[cost], table[quality])
        axes.set_xlabel(cost)
    panels[0].set_ylabel(quality)
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
    axes: Axes, rows: pd.DataFrame, images: Mapping[str, np.ndarray], cost: str, quality: str, colour: str
) -> None:
    for label, x, y in zip(rows.index, rows[cost], rows[quality], strict=True):
        image = image_from_array(images[label])
        size = min(image.size)
        square = image.crop((0, 0, size, size)).resize((2 * THUMBNAIL_PX, 2 * THUMBNAIL_PX))
        box = AnnotationBbox(
            OffsetImage(np.asarray(square), zoom=0.36),
            (x, y),
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
