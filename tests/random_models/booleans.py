"""Comparisons and the ops that read their booleans, for the rules that write booleans as indices."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from onnx import TensorProto, helper

from tests.random_models.draw import OLD, OLDEST, any_shape, model_of, opset_from, random_weights

WEBGL = "onnxjs-0.1.8/webgl"
COMPARISONS = [("Greater", 9), ("Less", 9), ("Equal", 11), ("GreaterOrEqual", 12), ("LessOrEqual", 12)]


def _comparison(draw, shape, name):
    """Return nodes that compare x with a constant, or with a value computed of it, a constant, and the oldest opset."""
    op, since = draw(st.sampled_from(COMPARISONS))
    if draw(st.booleans()):
        other = random_weights(draw, *shape[draw(st.integers(0, len(shape))) :])
        return [helper.make_node(op, ["x", f"c{name}"], [name])], {f"c{name}": other}, since
    other = draw(st.sampled_from(["Relu", "Abs", "Floor"]))
    nodes = [helper.make_node(other, ["x"], [f"o{name}"]), helper.make_node(op, ["x", f"o{name}"], [name])]
    return nodes, {}, since


def comparison(draw):
    shape = any_shape(draw)
    nodes, constants, since = _comparison(draw, shape, "a")
    nodes.append(helper.make_node("Cast", ["a"], ["y"], to=TensorProto.FLOAT))
    return draw(st.sampled_from([OLD, OLDEST])), model_of(nodes, shape, constants, opset=draw(_opsets(since)))


def cast_like(draw):
    shape = any_shape(draw)
    nodes, constants, _ = _comparison(draw, shape, "a")
    nodes.append(helper.make_node("CastLike", ["a", "x"], ["y"]))
    return draw(st.sampled_from([OLD, OLDEST, WEBGL])), model_of(nodes, shape, constants, opset=draw(_opsets(15)))


def cast_of_large_numbers(draw):
    shape = any_shape(draw)
    large = random_weights(draw, *shape) * np.float32(2**40)
    nodes = [
        helper.make_node("Mul", ["x", "large"], ["a"]),
        helper.make_node("Cast", ["a"], ["b"], to=TensorProto.INT64),
        helper.make_node("Cast", ["b"], ["y"], to=TensorProto.FLOAT),
    ]
    return "tract/cpu", model_of(nodes, shape, {"large": large}, opset=draw(_opsets(15)))


def logic(draw):
    shape = any_shape(draw)
    first, second = (_comparison(draw, shape, name) for name in "ab")
    nodes, constants = [*first[0], *second[0]], first[1] | second[1]
    if draw(st.booleans()):
        constants["b"], nodes = random_weights(draw, *shape[1:]) > 0, nodes[: len(first[0])]
    nodes += [
        helper.make_node(draw(st.sampled_from(["And", "Or", "Xor", "Equal"])), ["a", "b"], ["c"]),
        helper.make_node("Not", ["c"], ["d"]),
        helper.make_node("Cast", ["d"], ["y"], to=TensorProto.FLOAT),
    ]
    return OLD, model_of(nodes, shape, constants, opset=draw(_opsets(max(first[2], second[2]))))


def where(draw):
    shape = any_shape(draw)
    nodes, constants, since = _comparison(draw, shape, "a")
    other = draw(st.sampled_from([np.float32(0), np.float32(-2), random_weights(draw, *shape), None]))
    if other is None:
        nodes.append(helper.make_node("Neg", ["x"], ["other"]))
    else:
        constants["other"] = other
    order = draw(st.sampled_from([["x", "other"], ["other", "x"], ["other", "other"]]))
    nodes.append(helper.make_node("Where", ["a", *order], ["y"]))
    return draw(st.sampled_from([OLD, OLDEST])), model_of(nodes, shape, constants, opset=draw(_opsets(since)))


def cast_in_float(draw):
    _, model = draw(st.sampled_from([comparison, logic]))(draw)
    return WEBGL, model


def where_in_float(draw):
    return WEBGL, where(draw)[1]


def or_equal(draw):
    shape, opset = any_shape(draw), opset_from(draw, 12)
    other = random_weights(draw, *shape[draw(st.integers(0, len(shape))) :])
    op = draw(st.sampled_from(["GreaterOrEqual", "LessOrEqual"]))
    model = model_of([helper.make_node(op, ["x", "c"], ["y"])], shape, {"c": other}, opset=opset)
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.BOOL
    return WEBGL, model


def _opsets(since):
    return st.sampled_from([since, max(since, 13), 18])
