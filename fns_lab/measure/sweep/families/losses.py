"""Losses of a classification."""

from __future__ import annotations

import numpy as np

from fns_lab.measure.sweep.axes import LEFT_OUT
from fns_lab.measure.sweep.draw import Draw, Family, Inputs
from fns_lab.measure.sweep.pairwise import Axes

LOSSES = ("NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss")


def _axes(op: str) -> Axes:
    outputs: Axes = {"outputs": (1, 2)} if op == "SoftmaxCrossEntropyLoss" else {}
    return {
        "rank": (4, 2, 3, 5), "batch": (1, 2, 3), "channels": (5, 1, 3, 16, 65), "size": ((5, 7), (1, 1), (2, 3)),
        "labels": ("int64", "int32"), "weights": (LEFT_OUT, "given"), "ignored": (LEFT_OUT, 0, -1),
        "attribute reduction": (LEFT_OUT, "none", "sum", "mean"), "type": ("float32", "float64"), **outputs,
    }  # fmt: skip


def _loss(draw: Draw) -> Inputs:
    shape, classes, ignored = draw.image(), draw["channels"], draw["ignored"]
    draw.outputs = draw.get("outputs", 1)
    labels = draw.rng.integers(0, classes, (shape[0], *shape[2:]))
    if ignored is not LEFT_OUT:
        draw.set("ignore_index", ignored)
        labels.flat[::3] = ignored
        draw.require((labels != ignored).any())  # the mean of nothing is not defined
    weights = [draw.array((classes,), 0.2, 2.0)] if draw["weights"] else []
    return [draw.array(shape, -3.0, -0.1), np.asarray(labels, draw["labels"]), *weights]


FAMILIES = (Family(LOSSES, _axes, _loss),)
