"""Random small models for every rule: what `lower` makes of them must equal them in ONNX Runtime.

`cases()` is a hypothesis strategy. A case names the rule that it is made for, a target that calls for the rule, and a
model whose op, opset, shape and attributes are drawn. `judge` lowers it and returns the error; the test suite draws a
few hundred cases, `make bench` a few thousand.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import onnx
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from fns_lab import targets
from fns_lab.rewrite.lower import lower

ROUNDING = 5e-6
"""Of the largest value: float32 sums of up to a few hundred terms, taken in another order."""
F32 = np.float32


class Case(NamedTuple):
    """A model and the rule that must lower it for the target."""

    rule: str
    target: str
    model: onnx.ModelProto
    seed: int


class Verdict(NamedTuple):
    """Largest error relative to the largest value, and the limit that the rules' fidelity sets."""

    error: float
    limit: float


def judge(case: Case) -> Verdict:
    """Lower the case and run both models. Raises AssertionError where the rule was not used or no model came of it."""
    target = targets.load(case.target)
    if case.rule in PREFERRED:
        target = replace(target, prefer=(case.rule,))
    lowered = lower(case.model, target)
    assert lowered, f"{case.rule}: {lowered}\n{lowered.refused.to_string()}"
    assert case.rule in {*lowered.applied.rule, NETWORK}, f"{case.rule} was not used:\n{lowered.applied.to_string()}"
    assert "approximate" not in set(lowered.applied.fidelity)
    onnx.checker.check_model(lowered.model, full_check=True)
    x = _values(np.random.default_rng(case.seed), _shape_of(case.model))
    expected, found = _run(case.model, x), _run(lowered.model, x)
    exact = set(lowered.applied.fidelity) == {"exact"}
    return Verdict(max(map(_error, expected, found)), 0.0 if exact else ROUNDING)


def _error(expected: np.ndarray, found: np.ndarray) -> float:
    assert expected.shape == found.shape and expected.dtype == found.dtype
    assert np.isfinite(expected).all() and np.isfinite(found).all()
    if not expected.size:
        return 0.0
    return float(np.abs(expected - found).max() / max(np.abs(expected).max(), np.finfo(F32).tiny))


def _run(model: onnx.ModelProto, x: np.ndarray) -> list[np.ndarray]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})


def _values(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.normal(0.5, 1.5, shape).astype(F32)


def _shape_of(model: onnx.ModelProto) -> tuple[int, ...]:
    return tuple(d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim)


def _model(nodes, shape, constants=None, *, opset=18, outputs=("y",)) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "random",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    return onnx.shape_inference.infer_shapes(made)


def _one(op, shape, constants=None, *, opset=18, inputs=None, **attributes) -> onnx.ModelProto:
    names = ["x", *(constants or {})] if inputs is None else inputs
    return _model([helper.make_node(op, names, ["y"], name="node", **attributes)], shape, constants, opset=opset)


# What is drawn. H and W differ in most draws, sides are odd as often as even.

OLDEST, OLD = "onnxjs-0.1.3/cpu", "onnxjs-0.1.8/cpu"
YARDSTICK = "ort/cpu"
"""Runs every model as it is: a rule is used there because it is preferred."""


def _shape(draw, *, n=3, c=4, low=3, high=9) -> tuple[int, int, int, int]:
    return tuple(draw(st.integers(a, b)) for a, b in ((1, n), (1, c), (low, high), (low, high)))


def _any_rank(draw, low=1, high=5) -> tuple[int, ...]:
    return tuple(draw(st.lists(st.integers(1, 5), min_size=low, max_size=high)))


def _weights(draw, *shape) -> np.ndarray:
    return _values(np.random.default_rng(draw(st.integers(0, 999))), shape)


def _subpixel(draw):
    n, c, h, w = _shape(draw, high=6)
    nodes = [
        helper.make_node("Resize", ["x", "", "scales"], ["up"], mode="nearest"),
        helper.make_node("Pad", ["up", "pads"], ["padded"], mode=draw(st.sampled_from(["reflect", "edge"]))),
        helper.make_node("Conv", ["padded", "w", "b"], ["y"]),
    ]
    out = draw(st.integers(1, 4))
    constants = {
        "scales": np.array([1, 1, 2, 2], F32),
        "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1]),
        "w": _weights(draw, out, c, 3, 3),
        "b": _weights(draw, out),
    }
    return OLD, _model(nodes, (n, c, h, w), constants)


def _faster_upsampling(draw):
    return YARDSTICK, _subpixel(draw)[1]


def _plain_pad(draw):
    shape = _shape(draw)
    pads = [0, 0, *(draw(st.integers(1, 2)) for _ in range(2)), 0, 0, *(draw(st.integers(0, 2)) for _ in range(2))]
    return YARDSTICK, _one("Pad", shape, {"pads": np.array(pads)}, mode=draw(st.sampled_from(["reflect", "edge"])))


def _conv_of_few(draw):
    c, k = draw(st.integers(8, 12)), draw(st.sampled_from([3, 5, 9]))
    shape = (draw(st.integers(1, 2)), c, draw(st.integers(k, k + 4)), draw(st.integers(k, k + 4)))
    return YARDSTICK, _one("Conv", shape, {"w": _weights(draw, 1, c, k, k), "b": _weights(draw, 1)})


def _large_conv(draw):
    c, rows = draw(st.integers(3, 4)), 4 * draw(st.integers(9, 12))
    return YARDSTICK, _one("Conv", (1, c, rows + 8, draw(st.integers(40, 48))), {"w": _weights(draw, 2, c, 9, 9)})


def _add_of_equals(draw):
    nodes = [helper.make_node("Relu", ["x"], ["r"]), helper.make_node("Add", ["x", "r"], ["y"])]
    return YARDSTICK, _model(nodes, _any_rank(draw))


def _instance_norm(draw, n=1):
    n, c, h, w = _shape(draw, n=n)
    weights = {"g": _weights(draw, c), "b": _weights(draw, c)}
    opset = draw(st.sampled_from([7, 13, 18, 22]))
    eps = draw(st.sampled_from([1e-5, 1e-3]))
    return OLDEST, _one("InstanceNormalization", (n, c, h, w), weights, opset=opset, epsilon=eps)


def _instance_norm_of_many(draw):
    target, model = _instance_norm(draw)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 2
    for value in model.graph.output:
        value.type.tensor_type.shape.dim[0].dim_value = 2
    return target, model


def _layer_norm(draw):
    shape = _any_rank(draw, 2)
    axis = draw(st.integers(1, len(shape) - 1))
    weights = {"g": _weights(draw, *shape[axis:])} | (
        {"b": _weights(draw, *shape[axis:])} if draw(st.booleans()) else {}
    )
    if math.prod(shape[axis:]) == 1:
        shape = (*shape[:-1], 4)
        weights = {k: _weights(draw, *shape[axis:]) for k in weights}
    axis = draw(st.sampled_from([axis, axis - len(shape)]))
    return OLDEST, _one("LayerNormalization", shape, weights, axis=axis)


def _group_norm(draw):
    n, _, h, w = _shape(draw)
    groups, each = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    opset = draw(st.sampled_from([18, 21]))
    size = groups if opset == 18 else groups * each
    weights = {"g": _weights(draw, size), "b": _weights(draw, size)}
    return OLD, _one("GroupNormalization", (n, groups * each, h, w), weights, opset=opset, num_groups=groups)


def _lrn(draw):
    size = draw(st.sampled_from([1, 3, 5]))  # ONNX Runtime takes odd sizes only
    attributes = {"size": size, "alpha": draw(st.floats(0.01, 1)), "beta": draw(st.floats(0.25, 1)), "bias": 1.5}
    return "onnxjs-0.1.8/webgl", _one("LRN", _shape(draw, c=7), opset=draw(st.sampled_from([7, 13])), **attributes)


COORDINATES = ("half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners")
ROUNDINGS = ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil")


def _sizes(draw, shape) -> dict[str, np.ndarray]:
    sides = [draw(st.integers(1, 2 * side + 2)) for side in shape[2:]]
    return {"sizes": np.array([*shape[:2], *sides])}


def _resize_nearest(draw):
    shape = _shape(draw)
    ways = {"coordinate_transformation_mode": draw(st.sampled_from(COORDINATES))}
    ways |= {"nearest_mode": draw(st.sampled_from(ROUNDINGS)), "mode": "nearest"}
    return OLDEST, _one("Resize", shape, _sizes(draw, shape), inputs=["x", "", "", "sizes"], **ways)


def _resize_linear(draw):
    shape = _shape(draw)
    mode = draw(st.sampled_from(["linear", "cubic"]))
    ways = {"coordinate_transformation_mode": draw(st.sampled_from(COORDINATES)), "mode": mode}
    return OLDEST, _one("Resize", shape, _sizes(draw, shape), inputs=["x", "", "", "sizes"], **ways)


def _conv_transpose(draw):
    n, _, h, w = _shape(draw, high=6)
    group, c_in, c_out = draw(st.integers(1, 2)), draw(st.integers(1, 2)), draw(st.integers(1, 3))
    strides, dilations, kernel = ([draw(st.integers(1, 3)) for _ in "hw"] for _ in range(3))
    extent = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    pads = [draw(st.integers(0, (extent[i % 2] - 1) // 2)) for i in range(4)]
    extra = [draw(st.integers(0, s - 1)) for s in strides]
    constants = {"w": _weights(draw, group * c_in, c_out, *kernel)}
    if draw(st.booleans()):
        constants["b"] = _weights(draw, group * c_out)
    return OLD, _one(
        "ConvTranspose", (n, group * c_in, h, w), constants, opset=draw(st.sampled_from([7, 11, 18])), group=group,
        strides=strides, dilations=dilations, kernel_shape=kernel, pads=pads, output_padding=extra,
    )  # fmt: skip


def _log_softmax(draw):
    shape, opset = _any_rank(draw), draw(st.sampled_from([7, 11, 13, 18]))
    first = -len(shape) if opset >= 11 else 0
    return OLDEST, _one("LogSoftmax", shape, opset=opset, axis=draw(st.integers(first, len(shape) - 1)))


def _softmax(draw):
    shape = _any_rank(draw, 2)
    return OLDEST, _one(
        "Softmax", shape, opset=draw(st.sampled_from([13, 18])), axis=draw(st.integers(0, len(shape) - 2))
    )


def _function(draw):
    op, opset = draw(st.sampled_from([("HardSwish", 14), ("Gelu", 20), ("Mish", 18), ("Celu", 12)]))
    attributes = {"approximate": draw(st.sampled_from(["none", "tanh"]))} if op == "Gelu" else {}
    return OLD, _one(op, _any_rank(draw), opset=opset, **attributes)


def _reduction(draw):
    shape, opset = _any_rank(draw), draw(st.sampled_from([7, 13, 18]))
    op = draw(st.sampled_from(["ReduceL1", "ReduceL2", "ReduceLogSumExp"]))
    axes = sorted(draw(st.sets(st.integers(0, len(shape) - 1), min_size=1)))
    keepdims = draw(st.integers(0, 1))
    if opset < 18:
        return OLD, _one(op, shape, opset=opset, axes=axes, keepdims=keepdims)
    return OLD, _one(op, shape, {"axes": np.array(axes)}, keepdims=keepdims)


def _elementwise(draw):
    op = draw(st.sampled_from(["HardSigmoid", "Softplus", "Selu", "Elu", "Softsign"]))
    return OLDEST, _one(op, _any_rank(draw), opset=draw(st.sampled_from([7, 13, 18])))


def _erf(draw):
    return OLD, _one("Erf", _any_rank(draw), opset=draw(st.sampled_from([9, 13, 18])))


def _min_max(draw):
    shape, op = _any_rank(draw), draw(st.sampled_from(["Max", "Min"]))
    many = [_weights(draw, *shape) for _ in range(draw(st.integers(1, 2)))]
    others = draw(st.sampled_from([[np.array(0.3, F32)], many]))
    return OLD, _one(
        op, shape, {f"c{i}": other for i, other in enumerate(others)}, opset=draw(st.sampled_from([8, 13]))
    )


def _clip(draw):
    shape = _any_rank(draw)
    low, high = draw(st.floats(-3, 1, width=32)), draw(st.floats(1.5, 4, width=32))
    limits = draw(st.sampled_from([{"min": low, "max": high}, {"min": low}, {"max": high}, {"min": 0.0, "max": 6.0}]))
    if draw(st.booleans()):
        return OLDEST, _one("Clip", shape, opset=7, **limits)
    names = ["x", *(name if name in limits else "" for name in ("min", "max"))]
    return OLDEST, _one("Clip", shape, {k: np.array(v, F32) for k, v in limits.items()}, inputs=names)


def _power(draw):
    p = draw(st.sampled_from([-2.0, -1.0, -0.5, 0.5, 1.7, 2.0, 3.0, 4.0]))
    nodes = [
        helper.make_node("Abs", ["x"], ["a"]),
        helper.make_node("Add", ["a", "one"], ["b"]),
        helper.make_node("Exp", ["b"], ["e"]),
        helper.make_node("Pow", ["e", "p"], ["y"], name="node"),
    ]
    return OLD, _model(nodes, _any_rank(draw), {"one": np.ones(1, F32), "p": np.array(p, F32)}, opset=13)


def _sum(draw):
    shape = _any_rank(draw, 2)
    return OLD, _one("Sum", shape, {"a": _weights(draw, *shape), "b": _weights(draw, 2, *([1] * len(shape)))}, opset=8)


def _where(draw):
    shape = _any_rank(draw)
    mask = _weights(draw, *shape[draw(st.integers(0, len(shape) - 1)) :]) > 0.5
    other = draw(st.sampled_from([np.array(0.0, F32), np.array(-2.0, F32), _weights(draw, *shape)]))
    order = draw(st.sampled_from([["c", "x", "o"], ["c", "o", "x"]]))
    return OLD, _one("Where", shape, {"c": mask, "o": other}, opset=draw(st.sampled_from([9, 18])), inputs=order)


def _split(draw):
    shape, opset = _any_rank(draw), draw(st.sampled_from([7, 13, 18]))
    axis = draw(st.integers(0, len(shape) - 1))
    sizes = draw(st.lists(st.integers(1, 3), min_size=2, max_size=4))
    shape = (*shape[:axis], sum(sizes), *shape[axis + 1 :])
    outputs = [f"y{i}" for i in range(len(sizes))]
    if opset < 13:
        return OLD, _model(
            [helper.make_node("Split", ["x"], outputs, axis=axis, split=sizes)], shape, opset=opset, outputs=outputs
        )
    node = helper.make_node("Split", ["x", "sizes"], outputs, axis=axis)
    return OLD, _model([node], shape, {"sizes": np.array(sizes)}, opset=opset, outputs=outputs)


def _slice(draw):
    shape = _any_rank(draw)
    axes = sorted(draw(st.sets(st.integers(0, len(shape) - 1), min_size=1)))
    steps = [draw(st.sampled_from([-2, -1, 2, 3])) for _ in axes]
    ends = [2**62 if step > 0 else -(2**62) for step in steps]
    starts = [draw(st.integers(0, shape[a] - 1)) if s > 0 else -1 for a, s in zip(axes, steps, strict=True)]
    numbers = {"starts": starts, "ends": ends, "axes": axes, "steps": steps}
    constants = {k: np.array(v, np.int64) for k, v in numbers.items()}
    return OLD, _one("Slice", shape, constants, opset=draw(st.sampled_from([10, 13, 18])))


def _gather_nd(draw):
    shape = _any_rank(draw)
    k = draw(st.integers(1, len(shape)))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    sides = _any_rank(draw, int(k == len(shape)), 2)  # a single number would need a Reshape to no axes
    indices = np.stack([rng.integers(-size, size, sides) for size in shape[:k]], axis=-1)
    return OLD, _one("GatherND", shape, {"i": indices.astype(np.int64)}, opset=draw(st.sampled_from([12, 13])))


def _expand(draw):
    old = tuple(draw(st.lists(st.sampled_from([1, 1, 3, 2]), min_size=1, max_size=4)))
    new = [side if side > 1 else draw(st.integers(1, 4)) for side in old]
    front = draw(st.lists(st.integers(1, 3), max_size=2)) or [2] * (list(old) == new)
    return OLD, _one("Expand", old, {"s": np.array([*front, *new])}, opset=draw(st.sampled_from([8, 13])))


def _depth_to_space(draw):
    n, c, h, w = _shape(draw, high=5)
    b = draw(st.integers(1, 3))
    if draw(st.booleans()):
        return OLD, _one("SpaceToDepth", (n, c, h * b, w * b), opset=draw(st.sampled_from([7, 13])), blocksize=b)
    mode = draw(st.sampled_from(["DCR", "CRD"]))
    return OLD, _one("DepthToSpace", (n, c * b * b, h, w), opset=11, blocksize=b, mode=mode)


def _flatten(draw):
    shape = _any_rank(draw)
    return OLDEST, _one("Flatten", shape, opset=draw(st.sampled_from([9, 13])), axis=draw(st.integers(0, len(shape))))


def _pad(draw, modes=("reflect", "edge")):
    shape = _shape(draw)
    pads = [draw(st.integers(-1, 2)) if i % 4 >= 2 else draw(st.integers(0, 1)) for i in range(8)]
    mode = draw(st.sampled_from(modes))
    if mode == "reflect":
        pads = [p if i % 4 >= 2 else 0 for i, p in enumerate(pads)]
    if not any(pads):
        pads[3] = 1
    value = {"value": np.array(draw(st.floats(-2, 2, width=32)), F32)} if mode == "constant" else {}
    if draw(st.booleans()):
        number = {"value": float(value["value"])} if value else {}
        return OLDEST, _one("Pad", shape, opset=7, mode=mode, pads=pads, **number)
    return OLDEST, _one("Pad", shape, {"pads": np.array(pads), **value}, mode=mode)


def _pad_constant(draw):
    return _pad(draw, ("constant",))


def _shared_reshape(draw):
    n, c, h, w = shape = _shape(draw)
    nodes = [
        helper.make_node("Relu", ["x"], ["r"]),
        helper.make_node("Reshape", ["r", "flat"], ["f"]),
        helper.make_node("Reshape", ["f", "back"], ["b"]),
        helper.make_node("Sub", ["r", "b"], ["d"]),
        helper.make_node("Add", ["d", "x"], ["y"]),
    ]
    return "onnxjs-0.1.8/webgl", _model(nodes, shape, {"flat": np.array([n, c * h * w]), "back": np.array(shape)})


def _read_after(draw):
    n, c, h, w = shape = _shape(draw)
    op = draw(st.sampled_from(["Relu", "Sigmoid", "Tanh", "Abs", "Neg", "Exp"]))
    nodes = [
        helper.make_node("Reshape", ["x", "flat"], ["f"]),
        helper.make_node(op, ["f"], ["y"]),
    ]
    return "ort-web/webgl", _model(nodes, shape, {"flat": np.array([n, c * h * w])})


def _alike_after(draw):
    n, c, h, w = shape = _shape(draw)
    nodes = [
        helper.make_node("Reshape", ["x", "flat"], ["f"]),
        helper.make_node(draw(st.sampled_from(["Add", "Mul", "Sub"])), ["f", "other"], ["y"]),
    ]
    constants = {"flat": np.array([n, c * h * w]), "other": _weights(draw, n, c * h * w)}
    return "ort-web/webgl", _model(nodes, shape, constants)


def _same_twice(draw):
    op = draw(st.sampled_from(["Add", "Mul", "Sub"]))
    nodes = [helper.make_node("Relu", ["x"], ["r"]), helper.make_node(op, ["r", "r"], ["d"])]
    return OLDEST, _model([*nodes, helper.make_node("Add", ["d", "x"], ["y"])], _any_rank(draw))


def _auto_pad(draw):
    shape = _shape(draw, n=1)
    how = draw(st.sampled_from(["SAME_UPPER", "SAME_LOWER"]))
    kernel = [draw(st.integers(1, 3)), draw(st.integers(1, 3))]
    ways = {"strides": [draw(st.integers(1, k)) for k in kernel], "auto_pad": how}
    if draw(st.booleans()):
        return OLD, _one("MaxPool", shape, opset=draw(st.sampled_from([7, 12])), kernel_shape=kernel, **ways)
    return OLD, _one("Conv", shape, {"w": _weights(draw, 2, shape[1], *kernel)}, **ways)


def _conv_dense(draw):
    n, _, h, w = _shape(draw, low=7, high=9)
    groups, each, out = draw(st.integers(2, 3)), draw(st.integers(2, 3)), draw(st.integers(1, 2))
    constants = {"w": _weights(draw, groups * out, each, 3, 2), "b": _weights(draw, groups * out)}
    ways = {"group": groups, "dilations": [draw(st.integers(1, 3)) for _ in "hw"], "pads": [1, 0, 2, 1]}
    return "onnxjs-0.1.4/webgl", _one("Conv", (n, groups * each, h, w), constants, **ways)


def _conv_of_many(draw):
    n, c, h, w = _shape(draw)
    constants = {"w": _weights(draw, 3, c, 2, 3), "b": _weights(draw, 3)}
    opset = draw(st.sampled_from([7, 18]))
    return OLD, _one("Conv", (n + 1, c, h, w), constants, opset=opset, strides=[2, 1])


def _softmax_low(draw):
    shape, opset = _any_rank(draw), draw(st.sampled_from([7, 13]))
    return OLD, _one("Softmax", shape, opset=opset, axis=draw(st.integers(0, len(shape) - 1)))


def _gather(draw):
    shape = _any_rank(draw, 2)
    axis = draw(st.integers(0, len(shape) - 1))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    indices = rng.integers(-shape[axis], shape[axis], draw(st.sampled_from([(), (1,), (3,), (2, 2)])))
    target = "onnxjs-0.1.8/webgl" if not indices.ndim else OLDEST
    indices = indices if indices.ndim == 0 else np.minimum(indices, -1)
    return target, _one("Gather", shape, {"i": indices}, opset=draw(st.sampled_from([11, 18])), axis=axis)


def _layer(draw, name: str, x: str, shape: list[int]) -> tuple[list, dict, list[int]]:
    """A layer of a small convolutional network: its nodes, the last of which writes `name`, weights and new shape."""
    n, c, h, w = shape
    kind = draw(st.sampled_from(["Conv", "Norm", "Activation", "Pool", "Resize", "Pad", "Shuffle", "Attend", "Up"]))
    if kind == "Conv":
        group = draw(st.sampled_from([1, 2])) if c % 2 == 0 else 1
        weights = {f"{name}.w": _weights(draw, 4, c // group, 3, 3) / 3}
        stride = draw(st.integers(1, 2))
        node = helper.make_node(
            "Conv", [x, *weights], [name], pads=[1, 1, 1, 1], group=group, strides=[stride, 1], name=name
        )
        return [node], weights, [n, 4, -(-h // stride), w]
    if kind == "Norm":
        op = draw(st.sampled_from(["InstanceNormalization", "LayerNormalization"]))
        size = c if op == "InstanceNormalization" else w
        weights = {f"{name}.g": _weights(draw, size), f"{name}.b": _weights(draw, size)}
        return [helper.make_node(op, [x, *weights], [name], epsilon=0.1, name=name)], weights, shape
    if kind == "Activation":
        op = draw(st.sampled_from(["HardSwish", "Softplus", "Elu", "Erf", "Sigmoid", "Relu", "Mish"]))
        return [helper.make_node(op, [x], [name], name=name)], {}, shape
    if kind == "Pool":
        op = draw(st.sampled_from(["MaxPool", "AveragePool"]))
        ways = {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}
        return [helper.make_node(op, [x], [name], name=name, **ways)], {}, [n, c, -(-h // 2), -(-w // 2)]
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
    weights = {f"{name}.w": _weights(draw, c, 2, 2, 2)}
    node = helper.make_node("ConvTranspose", [x, *weights], [name], strides=[2, 2], name=name)
    return [node], weights, [n, 2, 2 * h, 2 * w]


def _network(draw):
    shape, nodes, constants, x = list(_shape(draw, n=1, low=2, high=5)), [], {}, "x"
    first = tuple(shape)
    for i in range(count := draw(st.integers(2, 6))):
        name = "y" if i == count - 1 else f"v{i}"
        made, weights, shape = _layer(draw, name, x, shape)
        nodes, constants, x = nodes + made, constants | weights, name
    target = draw(st.sampled_from([t for t in targets.names() if t.startswith("onnxjs")]))
    return target, _model(nodes, first, constants)


NETWORK = "(network)"
"""Stands among the rules for several layers one after the other, whatever rules they call for."""
CASES = {
    "subpixel-upsample-conv": _subpixel,
    "subpixel-concat": _faster_upsampling,
    "upsample-conv-transpose": _faster_upsampling,
    "group-norm-instance-norm": _group_norm,
    "instance-norm-batch-norm": _instance_norm,
    "instance-norm-reduce": _instance_norm_of_many,
    "resize-pad-gather": _faster_upsampling,
    "resize-gather": _resize_nearest,
    "resize-matmul": _resize_linear,
    "layer-norm-reduce": _layer_norm,
    "lrn-conv": _lrn,
    "conv-transpose-subpixel": _conv_transpose,
    "log-softmax-reduce": _log_softmax,
    "softmax-transpose": _softmax,
    "function-body": _function,
    "reduce-elementwise": _reduction,
    "elementwise": _elementwise,
    "erf-tanh": _erf,
    "min-max-relu": _min_max,
    "clip-relu": _clip,
    "power": _power,
    "sum-add": _sum,
    "where-mask": _where,
    "split-slice": _split,
    "slice-gather": _slice,
    "gather-nd-gather": _gather_nd,
    "expand-tile": _expand,
    "depth-to-space-transpose": _depth_to_space,
    "flatten-reshape": _flatten,
    "pad-gather": _pad,
    "pad-concat": _plain_pad,
    "pad-constant": _pad_constant,
    "conv-split-kernel": _conv_of_few,
    "conv-bands": _large_conv,
    "add-sum": _add_of_equals,
    "explicit-pads": _auto_pad,
    "conv-dense": _conv_dense,
    "conv-by-image": _conv_of_many,
    "softmax-shift": _softmax_low,
    "gather-plain": _gather,
    "copy-before-shared-reshape": _shared_reshape,
    "copy-between": _read_after,
    "copy-between-alike": _alike_after,
    "copy-second-operand": _same_twice,
    NETWORK: _network,
}
"""By rule, in the order of `RULES`: draws a target's name and a model."""
PREFERRED = (
    "subpixel-concat", "upsample-conv-transpose", "resize-pad-gather", "pad-concat", "conv-split-kernel", "conv-bands",
    "add-sum",
)  # fmt: skip
"""Rules that a target uses because it prefers them, not because it must."""


@st.composite
def cases(draw, rule: str | None = None) -> Case:
    """A case for `rule`, or for any."""
    name = rule or draw(st.sampled_from(list(CASES)))
    target, model = CASES[name](draw)
    return Case(name, target, model, draw(st.integers(0, 999)))
