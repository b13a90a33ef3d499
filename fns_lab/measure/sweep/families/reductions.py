"""Ops that combine the elements along some axes: reductions, ArgMax, softmax and their like."""

from __future__ import annotations

import numpy as np

from fns_lab.measure.sweep.axes import IMAGES, NONE_OR_ALL
from fns_lab.measure.sweep.draw import Draw, Family, Inputs
from fns_lab.measure.sweep.pairwise import Axes

RANKS = (4, 3, 2, 1, 5, 6)
REDUCED = (None, (-1,), (1,), (0,), (2, 3), (-2, -1), (1, 2), (0, 2), (3, 1), (0, 1, 2, 3), (1, 2, 3), (0, 2, 3), ())
REDUCTIONS = (
    "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd",
    "ReduceSum", "ReduceSumSquare",
)  # fmt: skip
RANGES = {"ReduceLogSum": (0.1, 2.0), "ReduceProd": (0.9, 1.1)}


def _axes(op: str) -> Axes:
    return {
        "rank": RANKS, **IMAGES, "reduced": REDUCED, "values": ("plain", "far", "infinite", "nan"),
    }  # fmt: skip


def _reduction(draw: Draw) -> Inputs:
    shape, reduced = draw.image(), draw["reduced"]
    x = draw.data(shape, *RANGES.get(draw.op, (-2.0, 2.0)))
    inputs: list[np.ndarray | None] = [np.abs(x) if draw.op == "ReduceLogSum" else x]
    if reduced is not None:
        draw.require(all(-len(shape) <= axis < len(shape) for axis in reduced))
        draw.parameter("axes", reduced, inputs)
    return inputs


def _along(draw: Draw) -> Inputs:
    shape = draw.image()
    draw.require(-len(shape) <= draw.attributes.get("axis", 0) < len(shape))
    return [draw.data(shape)]


def _cumulative(draw: Draw) -> Inputs:
    shape = draw.image()
    draw.require(-len(shape) <= draw["along"] < len(shape))
    return [draw.data(shape), draw.ints(draw["along"])]


FAMILIES = (
    Family(REDUCTIONS, _axes, _reduction),
    Family(
        ("ArgMax", "ArgMin", "Hardmax", "LogSoftmax", "Softmax"),
        lambda op: {"rank": RANKS, **IMAGES, "values": ("plain", "far", "large", "infinite")},
        _along,
        constants=NONE_OR_ALL,
    ),
    Family(("CumSum",), lambda op: {"rank": RANKS, **IMAGES, "along": (0, 1, -1, 2, -2)}, _cumulative),
)
