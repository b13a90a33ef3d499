import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import ROUNDING, assert_refused, assert_same, model, node, values

TARGET = targets.load("onnxjs-0.1.3/cpu")


SHAPE = (2, 3, 5, 4)


def grid_sample(mode="linear", *, shape=SHAPE, grid=None, opset=22, **attributes):
    grid = np.random.default_rng(3).uniform(-1.4, 1.4, (2, 3, 7, 2)) if grid is None else grid
    nodes = [node("GridSample", "x", "grid", "y", mode=mode, **attributes)]
    return model(nodes, shape, {"grid": np.asarray(grid, np.float32)}, opset=opset)


@pytest.mark.parametrize("align_corners", [0, 1])
@pytest.mark.parametrize("padding_mode", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_every_mode_and_padding(mode, padding_mode, align_corners):
    before = grid_sample(mode, padding_mode=padding_mode, align_corners=align_corners)
    lowered = lower(before, TARGET)
    assert lowered
    assert_same(before, lowered.model, values(*SHAPE), ROUNDING)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_modes_of_before_opset_20(mode):
    before = grid_sample(mode, opset=16)
    assert_same(before, lower(before, TARGET).model, values(*SHAPE), ROUNDING)


@pytest.mark.parametrize("padding_mode", ["zeros", "border", "reflection"])
def test_halfway_between_two_pixels_the_even_one_is_taken(padding_mode):
    grid = np.array([-1, -0.75, -0.5, 0, 0.25, 0.5, 1])
    grid = np.stack([grid, grid[::-1]], axis=-1)[None, None].repeat(2, axis=0)
    before = grid_sample("nearest", grid=grid, shape=(2, 3, 4, 4), padding_mode=padding_mode)
    assert_same(before, lower(before, TARGET).model, values(2, 3, 4, 4), ROUNDING)


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("padding_mode", ["zeros", "border"])
def test_points_far_outside(mode, padding_mode):
    grid = np.random.default_rng(3).uniform(-1, 1, (2, 3, 7, 2))
    grid[:, 1] *= 1e6
    before = grid_sample(mode, grid=grid, padding_mode=padding_mode)
    assert_same(before, lower(before, TARGET).model, values(*SHAPE), ROUNDING)


@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_volumes(mode):
    grid = np.random.default_rng(3).uniform(-1.4, 1.4, (1, 2, 3, 4, 3))
    before = grid_sample(mode, grid=grid, shape=(1, 2, 3, 5, 4))
    assert_same(before, lower(before, TARGET).model, values(1, 2, 3, 5, 4), ROUNDING)


def test_a_computed_grid():
    nodes = [node("Tanh", "x", "grid"), node("GridSample", "image", "grid", "y")]
    before = model(nodes, (2, 3, 7, 2), {"image": values(2, 4, 5, 6)}, opset=20)
    lowered = lower(before, TARGET)
    assert lowered
    assert_same(before, lowered.model, values(2, 3, 7, 2), ROUNDING)


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        (grid_sample(shape=(2, 1, 1, 5), padding_mode="reflection", align_corners=1), "one pixel is reflected"),
        (grid_sample(shape=(2, 1, 700, 700)), "more than 16777216"),
        (grid_sample(shape=(2, 1, "h", 5)), "--shape"),
    ],
)
def test_refusals(before, reason):
    assert_refused(before, TARGET, "grid-sample-matmul", reason)
