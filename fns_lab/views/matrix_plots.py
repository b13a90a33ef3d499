"""Plots of the measured op support: ops by targets, and pairs of ops."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from fns_lab.errors import InputError
from fns_lab.measure.matrix.pairs import ARROW
from fns_lab.measure.matrix.table import Matrix
from fns_lab.measure.matrix.variants import VARIANTS
from fns_lab.views.plots import NotebookFigure

STATES = {
    "not measured": "#FFFFFF",
    "unsupported": "#D8D8D8",
    "wrong, and its table says unsupported": "#8C6BB1",
    "some cases right": "#9BD3E8",
    "every case right": "#0072B2",
    "fails, but its table says supported": "#E69F00",
    "silently wrong": "#B2182B",
}
"""States of a square and their colours, which differ in lightness as well, from the least to the most severe."""

NOT_MEASURED = 0
"""Index in `STATES`: not measured."""
UNSUPPORTED = 1
"""Index in `STATES`: unsupported."""
KNOWN = 2
"""Index in `STATES`: wrong, and the table says so."""
SOME = 3
"""Index in `STATES`: some cases right."""
EVERY = 4
"""Index in `STATES`: every case right."""
FAILS = 5
"""Index in `STATES`: fails, but the table says supported."""
SILENT = 6
"""Index in `STATES`: silently wrong."""


def op_matrix(matrix: Matrix, *, panels: int = 3, title: str = "") -> Figure:
    """Draw one row per op and three columns per target (native, converted, lowered), coloured by `STATES`.

    A single wrong case colours the whole square. Ops are in alphabetical order, in `panels` panels side by side.
    Raises `InputError` for an empty matrix.
    """
    states = op_states(matrix)
    groups = np.array_split(np.arange(len(states)), panels)
    height = 1.9 + 0.135 * len(groups[0])
    width = 1.3 + 0.1 * states.shape[1]
    figure = NotebookFigure(figsize=(panels * width, height), layout="constrained")
    for axes, rows in zip(figure.subplots(1, panels, squeeze=False)[0], groups, strict=True):
        _draw_ops(axes, states.iloc[rows])
    _finish(figure, title)
    return figure


def pair_matrix(matrix: Matrix, target: str, *, variant: str = "native", title: str = "") -> Figure:
    """Draw the measured pairs of ops: one row per producer, one column per consumer, chains and forks in two panels.

    Raises `InputError` if no pair was measured for the target and variant.
    """
    table = matrix.table[(matrix.table.target == target) & (matrix.table.variant == variant)]
    if table.empty:
        raise InputError(f"no pair of {target} was measured")
    pair = table.op.str.split(ARROW, expand=True)
    table = table.assign(producer=pair[0], consumer=pair[1], kind=table["case"].str.split().str[0])
    ops = sorted({*pair[0], *pair[1]})
    panel_in = 1.2 + 0.13 * len(ops)
    figure = NotebookFigure(figsize=(2 * panel_in, panel_in + 0.7), layout="constrained")
    for axes, kind in zip(figure.subplots(1, 2), ("chain", "fork"), strict=True):
        pairs = table[table.kind == kind].set_index(["producer", "consumer"])
        states = pd.Series(_states(pairs), pairs.index).unstack().reindex(index=ops, columns=ops)
        _draw(axes, states.fillna(NOT_MEASURED).to_numpy())
        axes.set_xticks(range(len(ops)), ops, rotation=90, fontsize=6)
        axes.set_yticks(range(len(ops)), ops, fontsize=6)
        axes.set(xlabel="consumer", ylabel="producer", title=kind)
    _finish(figure, title)
    return figure


def op_states(matrix: Matrix) -> pd.DataFrame:
    """Return the index in `STATES` of each op (rows) for each target and variant (columns, two levels).

    Raises `InputError` for an empty matrix.
    """
    if matrix.table.empty:
        raise InputError("no case was measured; there is nothing to plot")
    table = matrix.table.assign(state=_states(matrix.table))
    groups = table.groupby(["op", "target", "variant"], sort=False).state
    worst, right = groups.max(), groups.agg(lambda state: (state == EVERY).mean())
    state = worst.where((worst != EVERY) | (right == 1), SOME).unstack(["target", "variant"]).sort_index()
    columns = [(target, variant) for target in dict.fromkeys(matrix.table.target) for variant in VARIANTS]
    return state.reindex(columns=pd.MultiIndex.from_tuples(columns)).fillna(NOT_MEASURED).astype(int)


def _states(table: pd.DataFrame) -> np.ndarray:
    """Return the state of each run. A case that passes although the table says unsupported counts as unsupported."""
    supported, result = table.supported.to_numpy(), table.result.to_numpy()
    wrong = result == "wrong"
    conditions = [supported & wrong, supported & (result == "error"), supported & (result == "pass"), wrong]
    return np.select(conditions, [SILENT, FAILS, EVERY, KNOWN], UNSUPPORTED)


def _draw_ops(axes: Axes, states: pd.DataFrame) -> None:
    targets = list(dict.fromkeys(states.columns.get_level_values(0)))
    _draw(axes, states.to_numpy())
    axes.set_yticks(range(len(states)), states.index, fontsize=7)
    axes.set_xticks([(i + 0.5) * len(VARIANTS) - 0.5 for i in range(len(targets))], targets, rotation=90, fontsize=7)
    for i in range(1, len(targets)):
        axes.axvline(i * len(VARIANTS) - 0.5, color="white", lw=2.5)


def _draw(axes: Axes, states: np.ndarray) -> None:
    colours = ListedColormap(list(STATES.values()))
    axes.imshow(states, cmap=colours, vmin=0, vmax=len(STATES) - 1, aspect="auto", interpolation="none")
    axes.set_xticks(np.arange(states.shape[1] + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(states.shape[0] + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", lw=0.5)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)


def _finish(figure: Figure, title: str) -> None:
    """Add the legend of the states and the title."""
    patches = [Patch(facecolor=STATES[label], edgecolor="#999999", label=label) for label in STATES]
    figure.legend(handles=patches, loc="outside lower center", ncols=len(STATES), frameon=False, fontsize="small")
    figure.suptitle(title)
