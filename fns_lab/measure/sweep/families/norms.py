"""Normalizations."""

from __future__ import annotations

import numpy as np

from fns_lab.measure.sweep.axes import IMAGES, LEFT_OUT, NONE_OR_ALL
from fns_lab.measure.sweep.draw import Draw, Family, Inputs
from fns_lab.measure.sweep.pairwise import Axes

RANKS = (4, 3, 5, 2, 6)
UNCENTRED = ("far from zero", "flat")
LEVELS = ("near zero", *UNCENTRED)
"""Where the values lie: around 0, around 300 with the same spread, or all within a hundredth of 200."""


def _axes(op: str) -> Axes:
    outputs = {"outputs": (1, 3)} if op == "BatchNormalization" else {}
    groups: Axes = {"groups": (1, 2, 4, "each")} if op == "GroupNormalization" else {}
    return {"rank": RANKS, **IMAGES, "level": LEVELS, **groups, **outputs}


def _mean_variance_axes(op: str) -> Axes:
    return {**_axes(op), "rank": (4, 5, 6, 3), "reduced": (LEFT_OUT, (1,), (2, 3), (1, -1), (0, 1, 2, 3), (-1,))}


def _layer_axes(op: str) -> Axes:
    return {**_axes(op), "bias": (LEFT_OUT, "given"), "outputs": (1, 2, 3)}


def _leveled(draw: Draw) -> np.ndarray:
    shape = draw.image()
    return {
        "near zero": lambda: draw.array(shape),
        "far from zero": lambda: draw.array(shape, 298.0, 302.0),
        "flat": lambda: draw.array(shape, 199.99, 200.01),
    }[draw["level"]]()


def _per_channel(draw: Draw, count: int) -> list[np.ndarray]:
    return [draw.array((draw["channels"],), 0.5, 2.0) for _ in range(count)]


def _batch(draw: Draw) -> Inputs:
    draw.require(draw["outputs"] in (1, 3 if draw.attributes.get("training_mode") else 1))
    draw.outputs = draw["outputs"]
    return [_leveled(draw), *_per_channel(draw, 4)]


def _instance(draw: Draw) -> Inputs:
    draw.require(draw["rank"] > 2)
    return [_leveled(draw), *_per_channel(draw, 2)]


def _group(draw: Draw) -> Inputs:
    groups = draw["channels"] if draw["groups"] == "each" else draw["groups"]
    draw.require(draw["rank"] > 2 and draw["channels"] % groups == 0)
    draw.set("num_groups", groups)
    length = draw["channels"] if draw.opset >= 21 else groups
    return [_leveled(draw), draw.array((length,), 0.5, 2.0), draw.array((length,))]


def _layer(draw: Draw) -> Inputs:
    x = _leveled(draw)
    axis = draw.attributes.get("axis", -1)
    draw.require(-x.ndim <= axis < x.ndim)
    draw.outputs = draw.get("outputs", 1)
    shape = x.shape[axis % x.ndim :]
    inputs = [x, draw.array(shape, 0.5, 2.0)]
    return [*inputs, draw.array(shape)] if draw.get("bias") else inputs


def _mean_variance(draw: Draw) -> Inputs:
    x, reduced = _leveled(draw), draw["reduced"]
    axes = (0, 2, 3) if reduced is LEFT_OUT else reduced
    draw.require(all(-x.ndim <= axis < x.ndim for axis in axes))
    draw.require(len({axis % x.ndim for axis in axes}) == len(axes))
    if reduced is not LEFT_OUT:
        draw.set("axes", reduced)
    return [x]


def _plain(draw: Draw) -> Inputs:
    x = _leveled(draw)
    draw.require(draw.op != "LRN" or x.ndim > 2)
    draw.require(-x.ndim <= draw.attributes.get("axis", 0) < x.ndim)
    return [x]


FAMILIES = (
    Family(("BatchNormalization",), _axes, _batch),
    Family(("InstanceNormalization",), _axes, _instance),
    Family(("GroupNormalization",), _axes, _group),
    Family(("LayerNormalization",), _layer_axes, _layer),
    Family(("RMSNormalization",), _axes, _layer),
    Family(("LRN", "LpNormalization"), _axes, _plain, constants=NONE_OR_ALL),
    Family(("MeanVarianceNormalization",), _mean_variance_axes, _mean_variance, constants=NONE_OR_ALL),
)
