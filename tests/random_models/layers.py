"""Layers of convolutional networks, for the rules of convolutions, normalisations and resizing.

Each function takes hypothesis's `draw` and returns the name of a target and a model. H and W differ in most draws and
are odd as often as even.
"""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st
from onnx import helper

from tests.random_models.draw import (
    F32,
    OLD,
    OLDEST,
    REFERENCE,
    SIDE,
    any_shape,
    image_shape,
    model_of,
    model_of_one,
    opset_from,
    random_weights,
)


def subpixel(draw):
    n, c, h, w = image_shape(draw, high=6)
    nodes = [
        helper.make_node("Resize", ["x", "", "scales"], ["up"], mode="nearest"),
        helper.make_node("Pad", ["up", "pads"], ["padded"], mode=draw(st.sampled_from(["reflect", "edge"]))),
        helper.make_node("Conv", ["padded", "w", "b"], ["y"]),
    ]
    out = draw(st.integers(1, 4))
    constants = {
        "scales": np.array([1, 1, 2, 2], F32),
        "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1]),
        "w": random_weights(draw, out, c, 3, 3),
        "b": random_weights(draw, out),
    }
    return OLD, model_of(nodes, (n, c, h, w), constants, opset=opset_from(draw, 13))


def subpixel_if_preferred(draw):
    return REFERENCE, subpixel(draw)[1]


def pad_if_preferred(draw):
    shape = image_shape(draw)
    pads = [0, 0, *(draw(st.integers(1, 2)) for _ in range(2)), 0, 0, *(draw(st.integers(0, 2)) for _ in range(2))]
    return REFERENCE, model_of_one(
        "Pad", shape, {"pads": np.array(pads)}, mode=draw(st.sampled_from(["reflect", "edge"]))
    )


def conv_to_few_channels(draw):
    c, k = draw(st.integers(8, 12)), draw(st.sampled_from([3, 5, 9]))
    shape = (draw(st.integers(1, 2)), c, draw(st.integers(k, k + 4)), draw(st.integers(k, k + 4)))
    return REFERENCE, model_of_one(
        "Conv", shape, {"w": random_weights(draw, 1, c, k, k), "b": random_weights(draw, 1)}, opset=opset_from(draw)
    )


def conv_of_many_rows(draw):
    c, c_out, k, width = (draw(st.integers(*limits)) for limits in ((1, 5), (1, 5), (2, 9), (1, 4)))
    pads = [draw(st.integers(0, 2)) for _ in range(4)]
    shape = (1, c, draw(st.integers(k + 3, k + 14)), draw(st.integers(width, width + 9)))
    weights = {"w": random_weights(draw, c_out, c, k, width)}
    if draw(st.booleans()):
        weights["b"] = random_weights(draw, c_out)
    return REFERENCE, model_of_one("Conv", shape, weights, opset=opset_from(draw), pads=pads)


def large_conv(draw):
    c, rows = draw(st.integers(3, 4)), 4 * draw(st.integers(9, 12))
    return REFERENCE, model_of_one(
        "Conv", (1, c, rows + 8, draw(st.integers(40, 48))), {"w": random_weights(draw, 2, c, 9, 9)}
    )


def add_of_equals(draw):
    nodes = [helper.make_node("Relu", ["x"], ["r"]), helper.make_node("Add", ["x", "r"], ["y"])]
    return REFERENCE, model_of(nodes, any_shape(draw), opset=opset_from(draw))


def instance_norm(draw, n=1):
    n, c, h, w = image_shape(draw, n=n)
    weights = {"g": random_weights(draw, c), "b": random_weights(draw, c)}
    opset = opset_from(draw)
    eps = draw(st.sampled_from([1e-5, 1e-3]))
    return OLDEST, model_of_one("InstanceNormalization", (n, c, h, w), weights, opset=opset, epsilon=eps)


def instance_norm_of_two_images(draw):
    target, model = instance_norm(draw)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 2
    for value in model.graph.output:
        value.type.tensor_type.shape.dim[0].dim_value = 2
    return target, model


def layer_norm(draw):
    shape = any_shape(draw, 2)
    axis = draw(st.integers(1, len(shape) - 1))
    weights = {"g": random_weights(draw, *shape[axis:])} | (
        {"b": random_weights(draw, *shape[axis:])} if draw(st.booleans()) else {}
    )
    if math.prod(shape[axis:]) == 1:
        shape = (*shape[:-1], 4)
        weights = {k: random_weights(draw, *shape[axis:]) for k in weights}
    axis = draw(st.sampled_from([axis, axis - len(shape)]))
    outputs = ["y", "mean", "deviation"][: draw(st.integers(1, 3))]
    node = helper.make_node("LayerNormalization", ["x", *weights], outputs, axis=axis)
    return OLDEST, model_of([node], shape, weights, outputs=outputs, opset=opset_from(draw, 17))


def group_norm(draw):
    n, inner = draw(st.integers(1, 3)), any_shape(draw, 1, 3)
    groups, c_group = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    opset = opset_from(draw, 18)
    size = groups if opset < 21 else groups * c_group
    weights = {"g": random_weights(draw, size), "b": random_weights(draw, size)}
    return OLD, model_of_one(
        "GroupNormalization", (n, groups * c_group, *inner, 5), weights, opset=opset, num_groups=groups
    )


def lrn(draw):
    size = draw(st.sampled_from([1, 3, 5]))  # ONNX Runtime takes odd sizes only
    attributes = {"size": size, "alpha": draw(st.floats(0.01, 1)), "beta": draw(st.floats(0.25, 1)), "bias": 1.5}
    return "onnxjs-0.1.8/webgl", model_of_one("LRN", image_shape(draw, c=7), opset=opset_from(draw), **attributes)


COORDINATES = ("half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners", "half_pixel_symmetric")
ROUNDINGS = ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil")


def _sizes(draw, shape) -> dict[str, np.ndarray]:
    new_h_w = [draw(st.integers(1, 2 * size + 2)) for size in shape[2:]]
    return {"sizes": np.array([*shape[:2], *new_h_w])}


def _resize(shape, sizes, **attributes):
    return model_of_one("Resize", shape, sizes, inputs=["x", "", "", "sizes"], opset=19, **attributes)


def resize_nearest(draw):
    shape = image_shape(draw)
    attributes = {"coordinate_transformation_mode": draw(st.sampled_from(COORDINATES))}
    attributes |= {"nearest_mode": draw(st.sampled_from(ROUNDINGS)), "mode": "nearest"}
    return OLDEST, model_of_one(
        "Resize", shape, _sizes(draw, shape), inputs=["x", "", "", "sizes"], opset=19, **attributes
    )


def resize_linear(draw):
    shape = image_shape(draw)
    mode = draw(st.sampled_from(["linear", "cubic"]))
    attributes = {"coordinate_transformation_mode": draw(st.sampled_from(COORDINATES)), "mode": mode}
    attributes["antialias"] = draw(st.integers(0, 1))
    if mode == "cubic":
        attributes |= {
            "exclude_outside": draw(st.integers(0, 1)),
            "cubic_coeff_a": draw(st.sampled_from([-0.5, -0.75])),
        }
    return OLDEST, model_of_one(
        "Resize", shape, _sizes(draw, shape), inputs=["x", "", "", "sizes"], opset=19, **attributes
    )


def conv_transpose(draw):
    n, _, h, w = image_shape(draw, high=6)
    group, c_in, c_out = draw(st.integers(1, 2)), draw(st.integers(1, 2)), draw(st.integers(1, 3))
    strides, dilations, kernel = ([draw(st.integers(1, 3)) for _ in "hw"] for _ in range(3))
    extent = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    pads = [draw(st.integers(0, (extent[i % 2] - 1) // 2)) for i in range(4)]
    output_padding = [draw(st.integers(0, s - 1)) for s in strides]
    opset = opset_from(draw)
    sizes = [(n - 1) * s + o + e for n, s, o, e in zip((h, w), strides, output_padding, extent, strict=True)]
    padding = (
        {"pads": pads} if opset < 11 else draw(st.sampled_from(_padding(sizes, pads, same=not any(output_padding))))
    )
    constants = {"w": random_weights(draw, group * c_in, c_out, *kernel)}
    if draw(st.booleans()):
        constants["b"] = random_weights(draw, group * c_out)
    return OLD, model_of_one(
        "ConvTranspose", (n, group * c_in, h, w), constants, opset=opset, group=group, strides=strides,
        dilations=dilations, kernel_shape=kernel, output_padding=output_padding, **padding,
    )  # fmt: skip


def _padding(sizes, pads, *, same: bool) -> list[dict]:
    """Return explicit pads, and attributes from which they follow, for an output of `sizes` without padding."""
    smaller = {"output_shape": [max(1, size - pad) for size, pad in zip(sizes, pads, strict=False)]}
    return [{"pads": pads}, {"auto_pad": "VALID"}, smaller, *([smaller | {"auto_pad": "SAME_UPPER"}] if same else [])]


def not_of_images(draw):
    op = draw(st.sampled_from(["Conv", "ConvTranspose", "InstanceNormalization", "BatchNormalization"]))
    if op in ("Conv", "ConvTranspose"):
        return OLD, _convolution_of_one_dimension(draw, op)
    n, c = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    if op == "BatchNormalization":
        weights = {name: np.abs(random_weights(draw, c)) for name in ("g", "b", "m", "v")}
        return OLD, model_of_one(op, (n, c), weights, opset=opset_from(draw))
    inner = draw(st.sampled_from([(draw(st.integers(5, 9)),), (3, *any_shape(draw, 1, 2), 4)]))
    weights = {"g": random_weights(draw, c), "b": random_weights(draw, c)}
    opset = opset_from(draw)
    return OLDEST, model_of_one(op, (n, c, *inner), weights, opset=opset)


def _convolution_of_one_dimension(draw, op):
    group, c_in, c_out, kernel = (draw(st.integers(1, 3)) for _ in range(4))
    attributes = {"group": group, "strides": [draw(st.integers(1, 3))], "dilations": [draw(st.integers(1, 3))]}
    extent = (kernel - 1) * attributes["dilations"][0] + 1
    attributes["pads"] = [draw(st.integers(0, (extent - 1) // 2)) for _ in range(2)]
    sizes = (c_out * group, c_in, kernel) if op == "Conv" else (c_in * group, c_out, kernel)
    weights = {"w": random_weights(draw, *sizes)}
    if draw(st.booleans()):
        weights["b"] = random_weights(draw, c_out * group)
    shape = (draw(st.integers(1, 3)), c_in * group, extent + draw(st.integers(0, 5)))
    return model_of_one(op, shape, weights, opset=opset_from(draw), **attributes)


def conv_of_a_large_image(draw):
    """A Conv whose unrolled image does not fit into one of the textures of `draw.with_small_textures`."""
    c, k, stride = draw(st.sampled_from([(3, 9, 1), (3, 9, 2), (16, 3, 1), (32, 3, 1)]))
    dilation = draw(st.integers(1, 2))
    pads = [draw(st.integers(0, k // 2)) for _ in range(4)]
    rows = math.isqrt(SIDE * SIDE // math.ceil(c * k * k / 4)) + 1
    height, width = (n * stride + (k - 1) * dilation for n in (rows, rows + draw(st.integers(1, 9))))
    attributes = {"strides": [stride] * 2, "dilations": [dilation] * 2, "pads": pads}
    weights = {"w": random_weights(draw, 2, c, k, k), "b": random_weights(draw, 2)}
    model = model_of_one("Conv", (1, c, height, width), weights, opset=opset_from(draw), **attributes)
    return "onnxjs-0.1.8/webgl", model
