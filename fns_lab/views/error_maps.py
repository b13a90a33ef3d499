"""Heat maps of where in the image the error of a comparison is, alone or below its error along the depth."""

from __future__ import annotations

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator

from fns_lab.compare import Comparison
from fns_lab.errors import InputError
from fns_lab.views.plots import DEPTH_SIZE, NotebookFigure, draw_along_depth, error_along_depth, plain

DECADES = 4
"""Decades of error that the colours span, down from the largest; a smaller error looks like no error."""

NOT_A_NUMBER_COLOUR = "#56B4E9"
"""Colour of what is NaN or infinite."""
MOST_MAPS = 6
"""Maps in one figure, at most."""
COLUMNS = 3
"""Maps side by side, at most."""
WIDTH_IN = DEPTH_SIZE[0]
"""Width of the figure, in inches."""
MAP_IN = 3.1
"""Height of a map, in inches."""
HEAD_IN = 0.9
"""Height of what stands above the maps, in inches."""
BAR = (1.04, 0.0, 0.05, 1.0)
"""The colour bar beside a map, `(x, y, width, height)` in fractions of the map: as high as the image."""
MOST_ELONGATED = 6.0
"""A map at least this many times as wide as high, or as high as wide, is stretched so that it can be seen."""


def error_maps(comparison: Comparison, *, title: str = "") -> Figure:
    """Draw a heat map for each of `comparison.maps`: the first value that differs and the outputs, up to `MOST_MAPS`.

    A pixel is the largest |error| over its channels, in the unit of the value, on a log scale that ends `DECADES`
    below the largest. A ring marks the largest, a line across the colour bar the limit of the tolerance. NaN and Inf
    are blue. Raises `InputError` if no compared value has height and width.
    """
    if not comparison.maps:
        raise InputError("no compared value has height and width, so there is no image of its error")
    figure = NotebookFigure(figsize=(WIDTH_IN, _height_in(comparison)), layout="constrained")
    _draw_maps(figure, comparison)
    figure.suptitle(title)
    return figure


def error_figure(comparison: Comparison, *, title: str = "") -> Figure:
    """Draw `error_along_depth` and below it `error_maps`, if there are any, in one figure."""
    if not comparison.maps:
        return error_along_depth(comparison, title=title)
    heights = DEPTH_SIZE[1], _height_in(comparison)
    figure = NotebookFigure(figsize=(WIDTH_IN, sum(heights)), layout="constrained")
    above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=heights).flat
    draw_along_depth(above, {"": comparison}, title=title)
    _draw_maps(below, comparison)
    return figure


def _height_in(comparison: Comparison) -> float:
    return (MAP_IN + HEAD_IN) * -(-min(len(comparison.maps), MOST_MAPS) // COLUMNS)


def _draw_maps(figure: Figure | SubFigure, comparison: Comparison) -> None:
    rows = {row["value"]: row for row in comparison.table.to_dict("records")}
    names = sorted(comparison.maps, key=lambda name: name != comparison.first_divergence)[:MOST_MAPS]
    grid = figure.subplots(-(-len(names) // COLUMNS), min(len(names), COLUMNS), squeeze=False)
    for axes in grid.flat[len(names) :]:
        axes.remove()
    for axes, name in zip(grid.flat, names, strict=False):
        first = "first to differ: " if name == comparison.first_divergence else ""
        axes.set_title(plain(f"{first}{name} ({rows[name]['op'] or 'output'})"), fontsize="medium")
        _draw_map(axes, np.asarray(comparison.maps[name]), float(rows[name]["limit"]))


def _draw_map(axes: Axes, error: np.ndarray, limit: float) -> None:
    finite = np.isfinite(error)
    largest = error[finite].max(initial=0.0)
    top = largest or 1.0
    bottom = top / 10**DECADES
    colours = colormaps["inferno"].with_extremes(bad=NOT_A_NUMBER_COLOUR)
    shown = np.ma.masked_array(np.maximum(error, bottom), ~finite)
    elongated = not 1 / MOST_ELONGATED < error.shape[1] / error.shape[0] < MOST_ELONGATED
    image = axes.imshow(
        shown, cmap=colours, norm=LogNorm(bottom, top), interpolation="nearest", aspect="auto" if elongated else "equal"
    )
    axes.set_xlabel(_caption(error, finite, largest), fontsize="small")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=5, integer=True, min_n_ticks=1))
    axes.tick_params(labelsize="small")
    if largest:
        _mark_largest(axes, np.where(finite, error, -1))
        bar = axes.figure.colorbar(image, cax=axes.inset_axes(BAR), extend="min")
        bar.set_label("largest |error| over the channels\n(line: limit)", fontsize="small")
        if bottom < limit < top:
            bar.ax.axhline(limit, color="white", lw=2)


def _mark_largest(axes: Axes, error: np.ndarray) -> None:
    y, x = np.unravel_index(int(error.argmax()), error.shape)
    for colour, width in (("white", 3.5), ("black", 1.5)):
        axes.plot(x, y, ls="", marker="o", ms=11, mfc="none", mec=colour, mew=width, clip_on=False)


def _caption(error: np.ndarray, finite: np.ndarray, largest: float) -> str:
    """Return one line: the largest error and its position, or "no error", and the number of pixels NaN or Inf."""
    y, x = (int(i) for i in np.unravel_index(int(np.where(finite, error, -1).argmax()), error.shape))
    worst = f"largest {largest:.3g} at row {y}, column {x}" if largest else "no error"
    not_finite = error.size - np.count_nonzero(finite)
    return f"{worst}; {not_finite} of {error.size} pixels NaN or Inf" if not_finite else worst
