"""Pools that older opsets cannot write, for the rules that replace them by reductions and matrix products."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.random_models.draw import OLD, OLDEST, model_of_one, opset_from


def max_pool(draw):
    shape, attributes = _pool(draw)
    attributes["dilations"][0] = draw(st.integers(2, 3))
    return OLDEST, model_of_one("MaxPool", _larger(shape), opset=opset_from(draw, 10), **attributes)


def average_pool(draw):
    shape, attributes = _pool(draw)
    attributes["dilations"][0] = draw(st.integers(2, 3))
    attributes["count_include_pad"] = draw(st.integers(0, 1))
    return OLDEST, model_of_one("AveragePool", _larger(shape), opset=opset_from(draw, 19), **attributes)


def lp_pool(draw):
    shape, attributes = _pool(draw)
    if draw(st.booleans()):
        return OLD, model_of_one("GlobalLpPool", shape, opset=opset_from(draw, 7, 21), p=draw(st.integers(1, 5)))
    opset, attributes["p"] = opset_from(draw), draw(st.integers(1, 5))
    if opset < 18:
        del attributes["dilations"]
    return OLD, model_of_one("LpPool", shape, opset=opset, **attributes)


def _pool(draw):
    dimensions = draw(st.sampled_from([1, 2, 2, 3]))
    numbers = {name: [draw(st.integers(1, 3)) for _ in range(dimensions)] for name in ("strides", "dilations")}
    kernel = [draw(st.integers(2, 3)) for _ in range(dimensions)]
    extent = [(k - 1) * d + 1 for k, d in zip(kernel, numbers["dilations"], strict=True)]
    pads = [draw(st.integers(0, k - 1)) for k in kernel * 2]
    shape = (draw(st.integers(1, 2)), draw(st.integers(1, 3)), *(e + draw(st.integers(0, 4)) for e in extent))
    return shape, {"kernel_shape": kernel, "pads": pads, **numbers}


def _larger(shape):
    """Return a shape with room for a larger dilation of the first spatial axis."""
    return (*shape[:2], shape[2] + 4, *shape[3:])
