"""Normalizations that ONNX.js lacks, for the rules that write them as reductions."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from onnx import helper

from tests.random_models.draw import (
    OLD,
    OLDEST,
    any_shape,
    image_shape,
    model_of,
    model_of_one,
    opset_from,
    random_weights,
)


def batch_norm_training(draw):
    shape = (draw(st.integers(1, 3)), draw(st.integers(1, 4)), 5, *any_shape(draw, 0, 2))
    weights = {name: np.abs(random_weights(draw, shape[1])) for name in ("g", "b", "m", "v")}
    outputs = ["y", "running_mean", "running_var"]
    attributes = {"training_mode": 1, "momentum": draw(st.sampled_from([0.9, 0.5]))}
    node = helper.make_node("BatchNormalization", ["x", *weights], outputs, **attributes)
    return OLDEST, model_of([node], shape, weights, opset=opset_from(draw, 14), outputs=outputs)


def mean_variance(draw):
    axes = draw(st.sampled_from([{}, {"axes": [0, 1, 2, 3]}, {"axes": [1, 2]}, {"axes": [0, 2, 3]}]))
    shape = (2, *image_shape(draw)[1:])
    return OLD, model_of_one("MeanVarianceNormalization", shape, opset=opset_from(draw, 9), **axes)


def lp_normalization(draw):
    shape = any_shape(draw)
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    return OLDEST, model_of_one("LpNormalization", shape, opset=opset_from(draw), axis=axis, p=draw(st.integers(1, 2)))
