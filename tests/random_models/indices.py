"""Ops that copy elements by indices, for the rules that write them as one Gather."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from tests.random_models.draw import OLD, OLDEST, any_shape, model_of_one


def _rng(draw):
    return np.random.default_rng(draw(st.integers(0, 999)))


def gather_elements(draw):
    shape = any_shape(draw)
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    sizes = [draw(st.integers(1, size)) for size in shape]
    sizes[axis] = draw(st.integers(1, 6))
    indices = _rng(draw).integers(-shape[axis], shape[axis], sizes)
    target, opset = draw(st.sampled_from([OLD, OLDEST])), draw(st.sampled_from([11, 13, 18]))
    return target, model_of_one("GatherElements", shape, {"i": indices}, opset=opset, axis=axis)
