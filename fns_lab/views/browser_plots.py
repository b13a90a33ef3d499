"""Plots of what the web site's benchmark page measured on several machines and in several browsers."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import StrMethodFormatter

from fns_lab.errors import InputError
from fns_lab.views.plots import LINE_COLOURS, MARKERS, NotebookFigure

ROW_INCHES = 0.3
"""Height of a row of a plot, in inches."""


def times_with_spread(table: pd.DataFrame, *, title: str = "") -> NotebookFigure:
    """Draw the median of each row of `BrowserResults.table`, on a log scale, with a line from p10 to p90.

    One panel per network and size; in it a line per engine and file, and a colour and marker per machine. A hollow
    marker is a wrong image. Raises `InputError` for an empty table.
    """
    if table.empty:
        raise InputError("no file was timed; there is nothing to plot")
    panels = list(table.groupby(["network", "size"], sort=False))
    counts = [len(_lines(rows)) for _, rows in panels]
    figure = NotebookFigure(figsize=(9, 1.2 + ROW_INCHES * (sum(counts) + 2 * len(panels))), layout="constrained")
    all_axes = figure.subplots(len(panels), 1, sharex=True, height_ratios=counts, squeeze=False)[:, 0]
    machines = list(table.machine.unique())
    for axes, ((network, size), rows) in zip(all_axes, panels, strict=True):
        axes.set_title(f"{network}, {size}", loc="left", fontsize="medium")
        _draw_panel(axes, rows, machines)
    all_axes[-1].set_xlabel("ms per run, log scale; the line reaches from p10 to p90")
    handles = {
        label: handle for axes in all_axes for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=2, frameon=False)
    figure.suptitle(title)
    return figure


def _lines(rows: pd.DataFrame) -> list[tuple[str, str]]:
    """Return the engines and files of a panel, each once, an engine's files one below the other."""
    pairs = rows[["target", "file"]].drop_duplicates()
    return sorted(map(tuple, pairs.to_numpy()), key=lambda pair: list(pairs.target).index(pair[0]))


def _draw_panel(axes: Axes, rows: pd.DataFrame, machines: list[str]) -> None:
    lines = _lines(rows)
    step = 0.6 / max(1, len(machines) - 1)
    for i, machine in enumerate(machines):
        of_machine = rows[rows.machine == machine]
        colour, marker = LINE_COLOURS[i % len(LINE_COLOURS)], MARKERS[i % len(MARKERS)]
        for _, row in of_machine.iterrows():
            y = lines.index((row.target, row.file)) + (i * step - 0.3 if len(machines) > 1 else 0)
            axes.plot([row.ms_p10, row.ms_p90], [y, y], color=colour, lw=2, alpha=0.6)
            face = colour if row.right else "none"
            axes.plot(row.ms_median, y, marker=marker, ls="", ms=6, color=colour, mfc=face, label=machine)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.set_yticks(range(len(lines)), [f"{target}, {file}" for target, file in lines], fontsize="small")
    axes.set_ylim(len(lines) - 0.5, -0.5)
    axes.grid(axis="x", color="#DDDDDD", lw=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
