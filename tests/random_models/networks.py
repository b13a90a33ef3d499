"""Small networks of several layers, whatever rules they need."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from onnx import helper

from fns_lab import targets
from tests.random_models.draw import image_shape, model_of, random_weights


def _layer(draw, name: str, x: str, shape: list[int]) -> tuple[list, dict, list[int]]:
    """Draw a layer on `x`: its nodes, the last of which computes `name`, its weights by name, and the new shape."""
    n, c, h, w = shape
    kind = draw(st.sampled_from(["Conv", "Norm", "Activation", "Pool", "Resize", "Pad", "Shuffle", "Attend", "Up"]))
    if kind == "Conv":
        group = draw(st.sampled_from([1, 2])) if c % 2 == 0 else 1
        weights = {f"{name}.w": random_weights(draw, 4, c // group, 3, 3) / 3}
        stride = draw(st.integers(1, 2))
        node = helper.make_node(
            "Conv", [x, *weights], [name], pads=[1, 1, 1, 1], group=group, strides=[stride, 1], name=name
        )
        return [node], weights, [n, 4, -(-h // stride), w]
    if kind == "Norm":
        op = draw(st.sampled_from(["InstanceNormalization", "LayerNormalization"]))
        size = c if op == "InstanceNormalization" else w
        weights = {f"{name}.g": random_weights(draw, size), f"{name}.b": random_weights(draw, size)}
        return [helper.make_node(op, [x, *weights], [name], epsilon=0.1, name=name)], weights, shape
    if kind == "Activation":
        op = draw(st.sampled_from(["HardSwish", "Softplus", "Elu", "Erf", "Sigmoid", "Relu", "Mish"]))
        return [helper.make_node(op, [x], [name], name=name)], {}, shape
    if kind == "Pool":
        op = draw(st.sampled_from(["MaxPool", "AveragePool"]))
        attributes = {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}
        return [helper.make_node(op, [x], [name], name=name, **attributes)], {}, [n, c, -(-h // 2), -(-w // 2)]
    if kind == "Resize":
        sizes = {f"{name}.sizes": np.array([n, c, h + 2, 2 * w])}
        mode = draw(st.sampled_from(["nearest", "linear"]))
        return (
            [helper.make_node("Resize", [x, "", "", *sizes], [name], mode=mode, name=name)],
            sizes,
            [n, c, h + 2, 2 * w],
        )
    if kind == "Pad":
        pads = {f"{name}.pads": np.array([0, 0, 1, 0, 0, 0, 0, 2])}
        mode = draw(st.sampled_from(["edge", "constant"]))
        return [helper.make_node("Pad", [x, *pads], [name], mode=mode, name=name)], pads, [n, c, h + 1, w + 2]
    if kind == "Shuffle":
        sizes = {f"{name}.sizes": np.array([1, w - 1])} if w > 1 else {}
        if not sizes:
            return [helper.make_node("Neg", [x], [name], name=name)], {}, shape
        split = helper.make_node("Split", [x, *sizes], [f"{name}.a", f"{name}.b"], axis=3, name=f"{name}.split")
        return [split, helper.make_node("Concat", [f"{name}.b", f"{name}.a"], [name], axis=-1, name=name)], sizes, shape
    if kind == "Attend":
        softmax = helper.make_node("Softmax", [x], [f"{name}.s"], axis=draw(st.integers(-3, -1)), name=f"{name}.s")
        return [softmax, helper.make_node("Add", [x, f"{name}.s"], [name], name=name)], {}, shape
    weights = {f"{name}.w": random_weights(draw, c, 2, 2, 2)}
    node = helper.make_node("ConvTranspose", [x, *weights], [name], strides=[2, 2], name=name)
    return [node], weights, [n, 2, 2 * h, 2 * w]


def network(draw):
    shape, nodes, constants, x = list(image_shape(draw, n=1, low=2, high=5)), [], {}, "x"
    first = tuple(shape)
    for i in range(count := draw(st.integers(2, 6))):
        name = "y" if i == count - 1 else f"v{i}"
        layer, weights, shape = _layer(draw, name, x, shape)
        nodes, constants, x = nodes + layer, constants | weights, name
    target = draw(st.sampled_from([t for t in targets.names() if t.startswith("onnxjs")]))
    return target, model_of(nodes, first, constants)
