"""Activations, reductions and ops that only move values, for the rules that replace them by simpler ops."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from onnx import helper

from tests.random_models.draw import (
    F32,
    OLD,
    OLDEST,
    any_shape,
    counted,
    image_shape,
    model_of,
    model_of_one,
    opset_from,
    random_weights,
)


def log_softmax(draw):
    shape, opset = any_shape(draw), opset_from(draw)
    first = -len(shape) if opset >= 11 else 0
    return OLDEST, model_of_one("LogSoftmax", shape, opset=opset, axis=draw(st.integers(first, len(shape) - 1)))


def softmax(draw):
    shape, opset = any_shape(draw, 2), opset_from(draw, 13)
    axis = counted(draw, draw(st.integers(0, len(shape) - 2)), len(shape), opset)
    return OLDEST, model_of_one("Softmax", shape, opset=opset, axis=axis)


def function(draw):
    op, first = draw(st.sampled_from([("HardSwish", 14), ("Gelu", 20), ("Mish", 18)]))
    attributes = {"approximate": draw(st.sampled_from(["none", "tanh"]))} if op == "Gelu" else {}
    return OLD, model_of_one(op, any_shape(draw), opset=opset_from(draw, first), **attributes)


def reduction(draw):
    shape, opset = any_shape(draw), opset_from(draw)
    op = draw(st.sampled_from(["ReduceL1", "ReduceL2", "ReduceLogSumExp"]))
    axes = sorted(draw(st.sets(st.integers(0, len(shape) - 1), min_size=1)))
    axes = [counted(draw, axis, len(shape), opset) for axis in axes]
    keepdims = draw(st.integers(0, 1))
    if opset < 18:
        return OLD, model_of_one(op, shape, opset=opset, axes=axes, keepdims=keepdims)
    return OLD, model_of_one(op, shape, {"axes": np.array(axes)}, opset=opset, keepdims=keepdims)


def elementwise(draw):
    op = draw(st.sampled_from(["Celu", "HardSigmoid", "Softplus", "Selu", "Elu", "Softsign"]))
    return OLDEST, model_of_one(op, any_shape(draw), opset=opset_from(draw, 12 if op == "Celu" else 7))


def hyperbolic(draw):
    op, inner = draw(
        st.sampled_from([("Sinh", "Neg"), ("Cosh", "Neg"), ("Asinh", "Neg"), ("Atanh", "Tanh"), ("Acosh", "Exp")])
    )
    first = ["Abs", inner] if op == "Acosh" else [inner]
    names = ["x", *(f"v{i}" for i in range(len(first))), "y"]
    nodes = [helper.make_node(t, [a], [b]) for t, a, b in zip([*first, op], names, names[1:], strict=False)]
    return draw(st.sampled_from([OLD, OLDEST])), model_of(nodes, any_shape(draw), opset=opset_from(draw, 9))


def steps(draw):
    shape, target = any_shape(draw), draw(st.sampled_from([OLD, OLDEST]))
    op, opset = draw(st.sampled_from([("Sign", 9), ("Round", 11), ("ThresholdedRelu", 10), ("Shrink", 9)]))
    number = draw(st.floats(0, 2, width=32))
    attributes = {"ThresholdedRelu": {"alpha": number - 1}, "Shrink": {"lambd": number, "bias": number / 2}}
    return target, model_of_one(op, shape, opset=opset_from(draw, opset), **attributes.get(op, {}))


def concat_with_nothing(draw):
    shape = any_shape(draw)
    axis = draw(st.integers(0, len(shape) - 1))
    nothing = np.zeros([*shape[:axis], 0, *shape[axis + 1 :]], F32)
    constants = {"nothing": nothing, "other": random_weights(draw, *shape)}
    inputs = draw(st.permutations(["x", "nothing", "other"]))
    opset = opset_from(draw)
    return OLD, model_of_one("Concat", shape, constants, opset=opset, inputs=inputs, axis=axis)


def dft(draw):
    shape = (*any_shape(draw, 2, 3), draw(st.integers(1, 2)))
    axis, target = draw(st.integers(0, len(shape) - 2)), draw(st.sampled_from([OLD, OLDEST]))
    attributes = {"inverse": draw(st.integers(0, 1)), "onesided": 0}
    if shape[-1] == 1 and not attributes["inverse"]:
        attributes["onesided"] = draw(st.integers(0, 1))
    if draw(st.booleans()):
        return target, model_of_one("DFT", shape, opset=opset_from(draw, 17, 19), axis=axis, **attributes)
    constants = {"length": np.array(draw(st.integers(1, 7))), "axis": np.array(axis)}
    return target, model_of_one("DFT", shape, constants, opset=opset_from(draw, 20), **attributes)


def erf(draw):
    return OLD, model_of_one("Erf", any_shape(draw), opset=opset_from(draw, 9))


def min_max(draw):
    shape, op = any_shape(draw), draw(st.sampled_from(["Max", "Min"]))
    tensors = [random_weights(draw, *shape) for _ in range(draw(st.integers(1, 2)))]
    others = draw(st.sampled_from([[np.array(0.3, F32)], tensors]))
    return OLD, model_of_one(op, shape, {f"c{i}": other for i, other in enumerate(others)}, opset=opset_from(draw, 8))


def clip(draw):
    shape = any_shape(draw)
    low, high = draw(st.floats(-3, 1, width=32)), draw(st.floats(1.5, 4, width=32))
    limits = draw(st.sampled_from([{"min": low, "max": high}, {"min": low}, {"max": high}, {"min": 0.0, "max": 6.0}]))
    if draw(st.booleans()):
        return OLDEST, model_of_one("Clip", shape, opset=opset_from(draw, 7, 10), **limits)
    names = ["x", *(name if name in limits else "" for name in ("min", "max"))]
    constants = {k: np.array(v, F32) for k, v in limits.items()}
    return OLDEST, model_of_one("Clip", shape, constants, opset=opset_from(draw, 11), inputs=names)


def clip_far(draw):
    low, high = draw(st.floats(-(2.0**40), -9, width=32)), draw(st.floats(0, 2.0**100, width=32))
    if draw(st.booleans()):
        return OLDEST, model_of_one("Clip", any_shape(draw), opset=opset_from(draw, 7, 10), min=low, max=high)
    limits = {"min": np.array(low, F32), "max": np.array(high, F32)}
    return OLDEST, model_of_one("Clip", any_shape(draw), limits, opset=opset_from(draw, 11))


def power(draw):
    p = draw(st.sampled_from([-2.0, -1.0, -0.5, 0.5, 1.7, 2.0, 3.0, 4.0]))
    nodes = [
        helper.make_node("Abs", ["x"], ["a"]),
        helper.make_node("Add", ["a", "one"], ["b"]),
        helper.make_node("Exp", ["b"], ["e"]),
        helper.make_node("Pow", ["e", "p"], ["y"], name="node"),
    ]
    return OLD, model_of(
        nodes, any_shape(draw), {"one": np.ones(1, F32), "p": np.array(p, F32)}, opset=opset_from(draw)
    )


def sum_of_values(draw):
    shape = any_shape(draw, 2)
    return OLD, model_of_one(
        "Sum",
        shape,
        {"a": random_weights(draw, *shape), "b": random_weights(draw, 2, *([1] * len(shape)))},
        opset=opset_from(draw, 8),
    )


def where(draw):
    shape = any_shape(draw)
    mask = random_weights(draw, *shape[draw(st.integers(0, len(shape) - 1)) :]) > 0.5
    other = draw(st.sampled_from([np.array(0.0, F32), np.array(-2.0, F32), random_weights(draw, *shape)]))
    order = draw(st.sampled_from([["c", "x", "o"], ["c", "o", "x"]]))
    return OLD, model_of_one("Where", shape, {"c": mask, "o": other}, opset=opset_from(draw, 9), inputs=order)


def split(draw):
    shape, opset = any_shape(draw), opset_from(draw)
    axis = draw(st.integers(0, len(shape) - 1))
    sizes = draw(st.lists(st.integers(1, 3), min_size=2, max_size=4))
    shape = (*shape[:axis], sum(sizes), *shape[axis + 1 :])
    outputs, axis = [f"y{i}" for i in range(len(sizes))], counted(draw, axis, len(shape), opset)
    if opset < 13:
        return OLD, model_of(
            [helper.make_node("Split", ["x"], outputs, axis=axis, split=sizes)], shape, opset=opset, outputs=outputs
        )
    node = helper.make_node("Split", ["x", "sizes"], outputs, axis=axis)
    return OLD, model_of([node], shape, {"sizes": np.array(sizes)}, opset=opset, outputs=outputs)


def slice_with_steps(draw):
    shape = any_shape(draw)
    axes = sorted(draw(st.sets(st.integers(0, len(shape) - 1), min_size=1)))
    steps = [draw(st.sampled_from([-2, -1, 2, 3])) for _ in axes]
    ends = [2**62 if step > 0 else -(2**62) for step in steps]
    starts = [draw(st.integers(0, shape[a] - 1)) if s > 0 else -1 for a, s in zip(axes, steps, strict=True)]
    numbers = {"starts": starts, "ends": ends, "axes": axes, "steps": steps}
    constants = {k: np.array(v, np.int64) for k, v in numbers.items()}
    return OLD, model_of_one("Slice", shape, constants, opset=opset_from(draw, 10))


def gather_nd(draw):
    shape = any_shape(draw)
    k = draw(st.integers(1, len(shape)))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    sizes = any_shape(draw, int(k == len(shape)), 2)  # an output without axes would need a Reshape to no axes
    indices = np.stack([rng.integers(-size, size, sizes) for size in shape[:k]], axis=-1)
    return OLD, model_of_one("GatherND", shape, {"i": indices.astype(np.int64)}, opset=opset_from(draw, 12))


def expand(draw):
    old = tuple(draw(st.lists(st.sampled_from([1, 1, 3, 2]), min_size=1, max_size=4)))
    new = [size if size > 1 else draw(st.integers(1, 4)) for size in old]
    front = draw(st.lists(st.integers(1, 3), max_size=2)) or [2] * (list(old) == new)
    return OLD, model_of_one("Expand", old, {"s": np.array([*front, *new])}, opset=opset_from(draw, 8))


def depth_to_space(draw):
    n, c, h, w = image_shape(draw, high=5)
    b = draw(st.integers(1, 3))
    if draw(st.booleans()):
        return OLD, model_of_one("SpaceToDepth", (n, c, h * b, w * b), opset=opset_from(draw), blocksize=b)
    mode = draw(st.sampled_from(["DCR", "CRD"]))
    return OLD, model_of_one("DepthToSpace", (n, c * b * b, h, w), opset=opset_from(draw, 11), blocksize=b, mode=mode)


def flatten(draw):
    shape, opset = any_shape(draw), opset_from(draw)
    axis = draw(st.integers(-len(shape) if opset >= 11 else 0, len(shape)))
    return OLDEST, model_of_one("Flatten", shape, opset=opset, axis=axis)


def pad(draw, modes=("reflect", "edge")):
    shape = image_shape(draw, low=4)  # so that a cut leaves enough to reflect
    pads = [draw(st.integers(-1, 2)) if i % 4 >= 2 else draw(st.integers(0, 1)) for i in range(8)]
    mode = draw(st.sampled_from(modes))
    if mode == "reflect":
        pads = [p if i % 4 >= 2 else 0 for i, p in enumerate(pads)]
    if not any(pads):
        pads[3] = 1
    value = {"value": np.array(draw(st.floats(-2, 2, width=32)), F32)} if mode == "constant" else {}
    if draw(st.booleans()):
        number = {"value": float(value["value"])} if value else {}
        return OLDEST, model_of_one("Pad", shape, opset=opset_from(draw, 7, 10), mode=mode, pads=pads, **number)
    return OLDEST, model_of_one("Pad", shape, {"pads": np.array(pads), **value}, opset=opset_from(draw, 11), mode=mode)


def pad_constant(draw):
    return pad(draw, ("constant",))
