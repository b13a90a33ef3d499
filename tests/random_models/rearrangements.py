"""Ops that only move values to constant places, for the rules that write them as Gather, Slice, Pad or MatMul."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from tests.random_models.draw import OLD, OLDEST, any_shape, model_of_one, opset_from


def center_crop_pad(draw):
    shape = any_shape(draw)
    axes = draw(st.permutations(range(len(shape))))[: draw(st.integers(1, len(shape)))]
    sizes = np.array([draw(st.integers(1, 8)) for _ in axes])
    counted = [axis - draw(st.sampled_from([0, len(shape)])) for axis in axes]
    return OLDEST, model_of_one("CenterCropPad", shape, {"s": sizes}, axes=counted)


def reverse_sequence(draw):
    steps, sequences = draw(st.integers(1, 6)), draw(st.integers(1, 4))
    lengths = np.array([draw(st.integers(1, steps)) for _ in range(sequences)])
    time_axis = draw(st.integers(0, 1))
    shape = (steps, sequences) if time_axis == 0 else (sequences, steps)
    return OLD, model_of_one(
        "ReverseSequence", (*shape, *any_shape(draw, 0, 2)), {"l": lengths}, opset=opset_from(draw, 10),
        time_axis=time_axis, batch_axis=1 - time_axis,
    )  # fmt: skip


def max_unpool(draw):
    dimensions = draw(st.integers(1, 3))
    kernel, strides = ([draw(st.integers(1, 3)) for _ in range(dimensions)] for _ in range(2))
    sizes = [draw(st.integers(1, 3)) for _ in range(dimensions)]
    shape = (draw(st.integers(1, 2)), draw(st.integers(1, 2)), *sizes)
    large = [(n - 1) * s + k for n, s, k in zip(sizes, strides, kernel, strict=True)]
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    indices = rng.integers(0, np.prod(shape[:2]) * np.prod(large), shape)
    opset = opset_from(draw, 9)
    return OLD, model_of_one("MaxUnpool", shape, {"i": indices}, opset=opset, kernel_shape=kernel, strides=strides)


def col2im(draw):
    dimensions = 2  # ONNX Runtime is wrong about others
    kernel, strides, dilations = ([draw(st.integers(1, 3)) for _ in range(dimensions)] for _ in range(3))
    pads = [draw(st.integers(0, 2)) for _ in range(2 * dimensions)]
    extent = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    image = [e + draw(st.integers(0, 3)) for e in extent]
    blocks = 1
    for i, size in enumerate(image):
        blocks *= (size + pads[i] + pads[i + dimensions] - extent[i]) // strides[i] + 1
    shape = (draw(st.integers(1, 2)), draw(st.integers(1, 2)) * int(np.prod(kernel)), blocks)
    sizes = {"image": np.array(image), "block": np.array(kernel)}
    return OLD, model_of_one("Col2Im", shape, sizes, strides=strides, dilations=dilations, pads=pads)
