"""The plots of notebooks and reports. Each returns a new figure and does not touch the global state of pyplot."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from fns_lab.compare import Comparison
from fns_lab.errors import InputError, visible
from fns_lab.images import image_from_array
from fns_lab.measure.bench import Timings, time_text

LINE_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9")
"""Colours of lines and bars: Okabe and Ito's palette, distinct for every kind of colour vision. Markers differ too."""

FILL_COLOURS = ("#77AADD", "#EE8866", "#EEDD88", "#44BB99", "#FFAABB", "#AAAA00", "#99DDFF", "#BBCC33")
"""Colours of op types: Paul Tol's light palette for areas, distinct from the lines."""

OTHER_COLOUR = "#DDDDDD"
"""Colour of all other op types."""
MARKERS = "os^Dv<>"
"""Markers of the lines of a plot, in order."""
DEPTH_SIZE = (11, 5)
"""Width and height of the plot along the depth, inches."""
NAMED_VALUES = 24
"""Up to this many values are named below the axis; more names would overlap."""


class NotebookFigure(Figure):
    """A figure that a notebook shows as a PNG when it is the last line of a cell, with any backend."""

    def _repr_png_(self) -> bytes:
        stream = io.BytesIO()
        self.savefig(stream, format="png", dpi=100)
        return stream.getvalue()


def plain(text: object) -> str:
    """Return text that matplotlib draws letter by letter, whatever a file holds: without it, `$` begins a formula."""
    return visible(str(text)).replace("$", r"\$")


def error_along_depth(comparisons: Comparison | Mapping[str, Comparison], *, title: str = "") -> Figure:
    """Draw the largest error of each value, as a fraction of its range, from the network's input to its output.

    One line per comparison (by label), log scale. Equal values are at "0", values without an error (NaN, Inf, another
    shape, missing) at "none". Dashed: the limit of the tolerance. A ring marks the first value that differs. Shaded:
    written by a rewrite rule. The strip below shows the op types. Raises `InputError` if no value was compared.
    """
    figure = NotebookFigure(figsize=DEPTH_SIZE, layout="constrained")
    draw_along_depth(figure, {"": comparisons} if isinstance(comparisons, Comparison) else comparisons, title=title)
    return figure


def draw_along_depth(figure: Figure | SubFigure, comparisons: Mapping[str, Comparison], *, title: str) -> None:
    """Draw `error_along_depth` in an existing figure or subfigure."""
    tables = {label: comparison.table.set_index("value") for label, comparison in comparisons.items()}
    ops = _ops_along_depth(list(tables.values()))
    if not ops:
        raise InputError("no value was compared; there is nothing to plot")
    axes, strip = figure.subplots(2, 1, sharex=True, height_ratios=(14, 1))
    position = {value: i for i, value in enumerate(ops)}
    scale = _LogScale([_relative(table, key) for table in tables.values() for key in ("max_abs", "limit")])
    _shade_rules(axes, list(tables.values()), position)
    _draw_limits(axes, list(comparisons.values()), position)
    for i, (label, comparison) in enumerate(comparisons.items()):
        _draw_errors(axes, label, comparison, position, scale, i)
    scale.apply(axes)
    _draw_op_strip(strip, ops)
    axes.set(ylabel="max |error| / range of the value", title=title)
    axes.tick_params(axis="x", bottom=False, labelbottom=False)
    axes.legend(*_legend(axes), loc="upper left", fontsize="small", framealpha=0.9)


def op_counts(counts: Mapping[str, Mapping[str, int]], *, title: str = "") -> Figure:
    """Draw the number of nodes of each op type, one bar per model, most frequent op first.

    `counts`: number of nodes by model and op type, `{"regular": {"Conv": 16, ...}, "lowered": {...}}`. Raises
    `InputError` if there are no nodes.
    """
    table = pd.DataFrame({label: dict(ops) for label, ops in counts.items()}).fillna(0).astype(int)
    if table.empty:
        raise InputError("no nodes to count; give at least one model with nodes")
    table = table.loc[table.max(axis=1).sort_values(ascending=False, kind="stable").index]
    figure = NotebookFigure(figsize=(8, 1.2 + 0.115 * len(table) * (1 + table.shape[1])), layout="constrained")
    axes = figure.subplots()
    labels = [f"{label} ({table[label].sum()} nodes)" for label in table]
    bars = _grouped_bars(axes, list(table.index), labels, table.to_numpy().T)
    for group in bars:
        numbers = [f"{bar.get_width():.0f}" if bar.get_width() else "" for bar in group]
        axes.bar_label(group, numbers, padding=3, fontsize="small")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="nodes", title=title)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def image_strip(images: Mapping[str, np.ndarray], *, title: str = "") -> Figure:
    """Draw images side by side under their labels; each `(1, 3, H, W)` or `(3, H, W)`, RGB, 0..255 (clipped).

    An image with NaN or Inf is drawn as an empty frame that says so. Raises `InputError` if there are no images.
    """
    if not images:
        raise InputError("no images to show")
    ratios = [np.shape(x)[-1] / np.shape(x)[-2] for x in images.values()]
    height = min(3.2, 14 / sum(ratios))
    figure = NotebookFigure(figsize=(height * sum(ratios), height + 0.4 + 0.4 * bool(title)), layout="constrained")
    for axes, (label, x) in zip(
        figure.subplots(1, len(images), width_ratios=ratios, squeeze=False)[0], images.items(), strict=True
    ):
        axes.set_title(plain(label), fontsize="medium")
        axes.set(xticks=[], yticks=[])
        if np.isfinite(x).all():
            axes.imshow(image_from_array(x))
        else:
            axes.set_aspect(np.shape(x)[-2] / np.shape(x)[-1])
            axes.text(0.5, 0.5, "NaN or Inf", ha="center", va="center", transform=axes.transAxes)
    figure.suptitle(title)
    return figure


def timing_bars(timings: Timings, *, title: str = "") -> Figure:
    """Draw the median time of a run, in ms, one group of bars per target and one bar per model.

    Whiskers reach from the 10th to the 90th percentile. Beside each bar: the time, and how many times as fast as the
    first model in that target. Raises `InputError` if no model was timed.
    """
    table = timings.table
    if table.empty or table["ms_median"].isna().all():
        raise InputError("no model was timed; there is nothing to plot")
    targets, models = list(table["target"].unique()), list(table["model"].unique())
    cell = table.set_index(["model", "target"])
    median, low, high = (
        np.array([[cell.at[(model, target), key] for target in targets] for model in models])
        for key in ("ms_median", "ms_p10", "ms_p90")
    )
    figure = NotebookFigure(figsize=(9, 1.3 + 0.26 * len(targets) * (1 + len(models))), layout="constrained")
    axes = figure.subplots()
    bars = _grouped_bars(axes, targets, models, median)
    for group, model, ms, p10, p90 in zip(bars, models, median, low, high, strict=True):
        middle = [bar.get_y() + bar.get_height() / 2 for bar in group]
        axes.errorbar(ms, middle, xerr=[ms - p10, p90 - ms], fmt="none", ecolor="#444444", capsize=2, lw=1)
        for y, end, target in zip(middle, p90, targets, strict=True):
            axes.annotate(
                _timing_label(cell.loc[(model, target)]),
                (0 if np.isnan(end) else end, y),
                xytext=(5, 0),
                textcoords="offset points",
                va="center",
                fontsize="small",
            )
    axes.set_xlim(0, 1.35 * np.nanmax(high))
    axes.set(xlabel=f"ms per run ({timings.device})", title=title)
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return figure


class _LogScale:
    """A log axis with a tick for zero below and a tick "none", for errors that are not finite, above."""

    def __init__(self, errors: Sequence[pd.Series]) -> None:
        values = np.concatenate([error.to_numpy(dtype=float) for error in errors])
        positive = values[np.isfinite(values) & (values > 0)]
        low, high = (positive.min(), positive.max()) if positive.size else (1e-7, 1e-6)
        self.low, self.high = int(np.floor(np.log10(low))), int(np.ceil(np.log10(high)))
        self.has_zero, self.has_none = bool((values == 0).any()), not bool(np.isfinite(values).all())
        self.zero, self.none = 10.0 ** (self.low - 1), 10.0 ** (self.high + 1)

    def __call__(self, error: pd.Series) -> np.ndarray:
        values = error.to_numpy(dtype=float)
        return np.where(np.isfinite(values), np.maximum(values, self.zero), self.none)

    def apply(self, axes: Axes) -> None:
        step = max(1, (self.high - self.low) // 8)
        decades = range(self.low, self.high + 1, step)
        ticks = {10.0**k: f"$10^{{{k}}}$" for k in decades}
        if self.has_zero:
            ticks[self.zero] = "0"
        if self.has_none:
            ticks[self.none] = "none"
        axes.set_yscale("log")
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_locator(FixedLocator(list(ticks)))
        axes.set_yticks(list(ticks), list(ticks.values()))
        axes.set_ylim(self.zero / 2 if self.has_zero else 10.0**self.low / 2, 2 * self.none)
        axes.grid(axis="y", color="#DDDDDD", lw=0.6)
        axes.set_axisbelow(True)


def _ops_along_depth(tables: Sequence[pd.DataFrame]) -> dict[str, str]:
    """Return the op type of each value, in the order of the first table; values of later tables only come last."""
    ops: dict[str, str] = {}
    for table in tables:
        for value, op in zip(table.index, table["op"], strict=True):
            ops.setdefault(value, op)
    return ops


def _relative(table: pd.DataFrame, key: str) -> pd.Series:
    """Return a column as a fraction of the value's range; 0 stays 0, and an error in an all-zero value is infinite."""
    return (table[key] / table["range"]).mask(table[key] == 0, 0.0)


def _shade_rules(axes: Axes, tables: Sequence[pd.DataFrame], position: Mapping[str, int]) -> None:
    by_rules = {position[value] for table in tables for value in table.index[table["rule"] != ""]}
    for i in sorted(by_rules):
        axes.axvspan(i - 0.5, i + 0.5, color="#EEEEEE", lw=0, zorder=0)


def _draw_limits(axes: Axes, comparisons: Sequence[Comparison], position: Mapping[str, int]) -> None:
    drawn = set()
    for comparison in comparisons:
        table = comparison.table[(comparison.table["range"] > 0) & (comparison.table["limit"] > 0)]
        if comparison.tolerance in drawn or table.empty:
            continue
        drawn.add(comparison.tolerance)
        x, label = table["value"].map(position), f"allowed: {comparison.tolerance}"
        axes.plot(x, _relative(table, "limit"), ls=(0, (4, 3)), lw=1, color="#777777", label=label, zorder=1)


def _draw_errors(
    axes: Axes, label: str, comparison: Comparison, position: Mapping[str, int], scale: _LogScale, i: int
) -> None:
    table = comparison.table.set_index("value")
    x = np.array([position[value] for value in table.index])
    y = scale(_relative(table, "max_abs"))
    order = np.argsort(x)
    colour, marker = LINE_COLOURS[i % len(LINE_COLOURS)], MARKERS[i % len(MARKERS)]
    size = 5 if len(position) <= 80 else 3
    axes.plot(x[order], y[order], color=colour, marker=marker, ms=size, lw=1, alpha=0.9, label=plain(label or "error"))
    first = comparison.first_divergence
    if first is not None:
        at = table.index.get_loc(first)
        where = f"{label + ': ' if label else ''}first at {first} ({table['op'].iloc[at]})"
        axes.plot(x[at], y[at], ls="", marker="o", ms=13, mfc="none", mec=colour, mew=1.8, label=plain(where), zorder=5)


def _draw_op_strip(axes: Axes, ops: Mapping[str, str]) -> None:
    """Draw one cell per value, coloured by op type: the most frequent types have a colour each, the others are grey."""
    types = [op for op, _ in Counter(ops.values()).most_common(len(FILL_COLOURS))]
    colours = dict(zip(types, FILL_COLOURS, strict=False))
    for i, op in enumerate(ops.values()):
        axes.axvspan(i - 0.5, i + 0.5, color=colours.get(op, OTHER_COLOUR), lw=0)
    handles = [Patch(color=colour, label=plain(op or "(input)")) for op, colour in colours.items()]
    if len(set(ops.values())) > len(types):
        handles.append(Patch(color=OTHER_COLOUR, label="other"))
    axes.set(yticks=[], xlim=(-0.5, len(ops) - 0.5))
    if len(ops) <= NAMED_VALUES:
        axes.set_xticks(
            range(len(ops)), list(map(plain, ops)), rotation=40, ha="right", rotation_mode="anchor", fontsize="small"
        )
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=12))
        axes.set_xlabel("value, numbered from the network's input to its output")
    axes.figure.legend(
        handles=handles, loc="outside lower center", ncols=min(9, len(handles)), fontsize="small", frameon=False
    )


def _legend(axes: Axes) -> tuple[list[Artist], list[str]]:
    """Return the handles and labels of the legend, with smaller rings and an entry for the shading."""
    handles, labels = axes.get_legend_handles_labels()
    if any(patch.get_zorder() == 0 for patch in axes.patches):
        handles.append(Patch(color="#E4E4E4"))
        labels.append("written by a rewrite rule")
    for i, handle in enumerate(handles):
        if isinstance(handle, Line2D) and handle.get_markersize() > 10:
            handles[i] = Line2D([], [], ls="", marker="o", ms=8, mfc="none", mec=handle.get_markeredgecolor(), mew=1.6)
    return handles, labels


def _grouped_bars(axes: Axes, groups: Sequence[str], labels: Sequence[str], lengths: np.ndarray) -> list[BarContainer]:
    """Draw horizontal bars, the first group on top; `lengths` is `(labels, groups)`. Return the bars of each label."""
    thickness = 0.8 / len(labels)
    bars = []
    for i, (label, row) in enumerate(zip(labels, lengths, strict=True)):
        y = np.arange(len(groups)) + (i - (len(labels) - 1) / 2) * thickness
        colour = LINE_COLOURS[i % len(LINE_COLOURS)]
        bars.append(axes.barh(y, row, height=0.9 * thickness, color=colour, alpha=0.85, label=plain(label)))
    axes.set_yticks(range(len(groups)), list(map(plain, groups)))
    axes.set_ylim(len(groups) - 0.5, -0.5)
    axes.spines[["top", "right"]].set_visible(False)
    return bars


def _timing_label(row: pd.Series) -> str:
    speed = "" if np.isnan(row["ratio"]) or row["ratio"] == 1 else f"  ({1 / row['ratio']:.2g} times as fast)"
    return time_text(row) + speed
