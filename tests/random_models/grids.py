"""Grids of positions, and images that are sampled at them."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from tests.random_models.draw import F32, OLD, OLDEST, model_of_one, opset_from


def affine_grid(draw):
    dimensions = draw(st.integers(2, 3))
    sizes = [draw(st.integers(1, 3)), draw(st.integers(1, 3)), *(draw(st.integers(2, 5)) for _ in range(dimensions))]
    shape = (sizes[0], dimensions, dimensions + 1)
    aligned = draw(st.integers(0, 1))
    return OLD, model_of_one(
        "AffineGrid", shape, {"size": np.array(sizes)}, opset=opset_from(draw, 20), align_corners=aligned
    )


def grid_sample(draw):
    opset = opset_from(draw, 16)
    dimensions = 2 if opset < 20 else draw(st.integers(2, 3))
    modes = ["nearest", "linear", *["cubic"] * (dimensions == 2)] if opset >= 20 else ["nearest", "bilinear", "bicubic"]
    attributes = {
        "mode": draw(st.sampled_from(modes)),
        "padding_mode": draw(st.sampled_from(["zeros", "border", "reflection"])),
        "align_corners": draw(st.integers(0, 1)),
    }
    shape = (draw(st.integers(1, 2)), draw(st.integers(1, 3)), *(draw(st.integers(2, 6)) for _ in range(dimensions)))
    points = (shape[0], *(draw(st.integers(2, 5)) for _ in range(dimensions)), dimensions)
    grid = np.random.default_rng(draw(st.integers(0, 999))).uniform(-1.3, 1.3, points).astype(F32)
    return OLDEST, model_of_one("GridSample", shape, {"grid": grid}, opset=opset, **attributes)
