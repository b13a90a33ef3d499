"""Ops that copy elements by indices, for the rules that write them as one Gather."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from onnx import helper

from tests.random_models.draw import OLD, OLDEST, any_shape, model_of, model_of_one, opset_from, random_weights


def _rng(draw):
    return np.random.default_rng(draw(st.integers(0, 999)))


def gather_elements(draw):
    shape = any_shape(draw)
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    sizes = [draw(st.integers(1, size)) for size in shape]
    sizes[axis] = draw(st.integers(1, 6))
    indices = _rng(draw).integers(-shape[axis], shape[axis], sizes)
    target, opset = draw(st.sampled_from([OLD, OLDEST])), opset_from(draw, 11)
    return target, model_of_one("GatherElements", shape, {"i": indices}, opset=opset, axis=axis)


def scatter(draw):
    op, opset = draw(
        st.sampled_from([
            ("Scatter", 9), ("ScatterElements", 11), ("ScatterElements", 18), ("ScatterND", 11), ("ScatterND", 18)
        ])
    )  # fmt: skip
    shape, rng = any_shape(draw), _rng(draw)
    reductions = ["add", "mul", "max", "min"] if opset >= 18 else []
    attributes = {"reduction": draw(st.sampled_from(reductions))} if reductions and draw(st.booleans()) else {}
    if op == "ScatterND":
        k = draw(st.integers(1, len(shape)))
        places = rng.permutation(int(np.prod(shape[:k])))[: draw(st.integers(1, 3))]  # each once
        indices = np.stack(np.unravel_index(places, shape[:k]), axis=-1)
        sizes = (*indices.shape[:-1], *shape[k:])
    else:
        attributes["axis"] = axis = draw(st.integers(0, len(shape) - 1))
        sizes = [draw(st.integers(1, size)) for size in shape]
        indices = np.argsort(rng.random([*sizes[:axis], shape[axis], *sizes[axis + 1 :]]), axis=axis)
        indices = np.take(indices, range(sizes[axis]), axis=axis)
    constants = {"i": indices.astype(np.int64), "u": random_weights(draw, *sizes)}
    return draw(st.sampled_from([OLD, OLDEST])), model_of_one(op, shape, constants, opset=opset, **attributes)


def arg_max(draw):
    op, opset = draw(st.sampled_from([("ArgMin", 7), ("ArgMin", 12), ("ArgMax", 12), ("ArgMax", 13)]))
    shape = any_shape(draw, 2)
    last = {"select_last_index": 1} if op == "ArgMax" or (opset >= 12 and draw(st.booleans())) else {}
    nodes = [
        helper.make_node("Floor", ["x"], ["f"]),  # so that elements are equal
        helper.make_node(op, ["f"], ["i"], axis=draw(st.integers(0, len(shape) - 1)), keepdims=0, **last),
        helper.make_node("Gather", ["table", "i"], ["y"]),
    ]
    return draw(st.sampled_from([OLD, OLDEST])), model_of(nodes, shape, {"table": random_weights(draw, 5)}, opset=opset)


def hardmax(draw):
    shape, opset = any_shape(draw), opset_from(draw)
    axis = draw(st.integers(-len(shape) if opset >= 11 else 0, len(shape) - 1))
    return draw(st.sampled_from([OLD, OLDEST])), model_of_one("Hardmax", shape, opset=opset, axis=axis)


def one_hot(draw):
    shape, opset = any_shape(draw, 2, 4), opset_from(draw, 11)
    nodes = [
        helper.make_node("ArgMax", ["x"], ["i"], axis=draw(st.integers(0, len(shape) - 1)), keepdims=0),
        helper.make_node(
            "OneHot", ["i", "depth", "values"], ["y"], axis=draw(st.integers(-len(shape), len(shape) - 1))
        ),
    ]
    constants = {"depth": np.array(draw(st.integers(1, 5))), "values": random_weights(draw, 2)}
    return draw(st.sampled_from([OLD, OLDEST])), model_of(nodes, shape, constants, opset=opset)


def top_k(draw):
    shape, opset = any_shape(draw), opset_from(draw, 9)
    axis = draw(st.integers(-1 if opset < 11 else -len(shape), len(shape) - 1))
    k, constants, attributes = draw(st.integers(1, shape[axis])), {}, {"axis": axis if opset > 9 else axis % len(shape)}
    if opset < 10:
        attributes["k"] = k
    else:
        constants["k"] = np.array([k])
    if opset > 10:
        attributes["largest"] = draw(st.integers(0, 1))
    nodes = [helper.make_node("TopK", ["x", *constants], ["y", "places"], name="node", **attributes)]
    return draw(st.sampled_from([OLD, OLDEST])), model_of(nodes, shape, constants, opset=opset)


def tensor_scatter(draw):
    shape = any_shape(draw, low=3, high=4)
    axis, mode = draw(st.integers(1, len(shape) - 1)), draw(st.sampled_from(["linear", "circular"]))
    size = draw(st.integers(1, shape[axis]))
    update = random_weights(draw, *shape[:axis], size, *shape[axis + 1 :])
    most = shape[axis] - (size if mode == "linear" else 1)
    constants = {"update": update, "places": _rng(draw).integers(0, most + 1, shape[0])}
    model = model_of_one(
        "TensorScatter", shape, constants, opset=opset_from(draw, 24), axis=axis - len(shape), mode=mode
    )
    return draw(st.sampled_from([OLD, OLDEST])), model


def gather_by_number(draw):
    shape, size = any_shape(draw, high=4), draw(st.integers(6, 9))
    opset = draw(st.sampled_from([11, 13, 18]))
    table = random_weights(draw, size, draw(st.integers(1, 4)))
    nodes = [
        helper.make_node("Tanh", ["x"], ["t"]),
        helper.make_node("Mul", ["t", "scale"], ["f"]),  # within -5.9 .. 5.9
        helper.make_node("Cast", ["f"], ["i"], to=draw(st.sampled_from([6, 7]))),
        helper.make_node("Gather", ["table", "i"], ["y"], name="node"),
    ]
    model = model_of(nodes, shape, {"table": table, "scale": np.float32([5.9])}, opset=opset)
    return draw(st.sampled_from([OLD, OLDEST])), model


def reshape_of_indices(draw):
    shape, opset = any_shape(draw, low=2, high=4), draw(st.sampled_from([9, 13, 18]))
    sizes = list(shape[:-1])
    sizes.insert(draw(st.integers(0, len(sizes))), 1)
    nodes = [
        helper.make_node("ArgMax", ["x"], ["i"], axis=len(shape) - 1, keepdims=0),
        helper.make_node("Reshape", ["i", "shape"], ["j"], name="node"),
        helper.make_node("Gather", ["table", "j"], ["y"]),
    ]
    constants = {"shape": np.array(sizes), "table": random_weights(draw, shape[-1])}
    return OLD, model_of(nodes, shape, constants, opset=opset)
