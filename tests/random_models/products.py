"""Matrix products in forms that some engines lack."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from onnx import helper

from tests.random_models.draw import (
    F32,
    OLD,
    OLDEST,
    SIDE,
    any_shape,
    model_of,
    model_of_one,
    opset_from,
    random_weights,
)


def product_with_a_vector(draw):
    """A vector on the left, on the right, or on both sides, computed and constant."""
    kind, opset = draw(st.sampled_from(["row", "column", "both", "computed"])), opset_from(draw)
    target, n = draw(st.sampled_from([OLD, OLDEST])), draw(st.integers(1, 5))
    shape = any_shape(draw, 2)
    if kind == "computed":
        nodes = [helper.make_node("Abs", ["x"], ["a"]), helper.make_node("MatMul", ["a", "x"], ["y"])]
        return target, model_of(nodes, (n,), opset=opset)
    if kind == "column":
        return target, model_of_one("MatMul", shape, {"v": random_weights(draw, shape[-1])}, opset=opset)
    sizes = (n,) if kind == "both" else (*shape[:-2], n, shape[-1])
    return target, model_of_one("MatMul", (n,), {"b": random_weights(draw, *sizes)}, opset=opset)


def gemm_with_a_number(draw):
    m, k, n = (draw(st.integers(1, 5)) for _ in range(3))
    trans_a, trans_b = draw(st.integers(0, 1)), draw(st.integers(0, 1))
    constants = {"b": random_weights(draw, *((n, k) if trans_b else (k, n))), "c": np.array(-1.5, F32)}
    attributes = {"transA": trans_a, "transB": trans_b, "alpha": 0.5, "beta": draw(st.sampled_from([0.0, 1.0, 2.0]))}
    shape = (k, m) if trans_a else (m, k)
    return OLD, model_of_one("Gemm", shape, constants, opset=opset_from(draw), **attributes)


def large_matrix(draw):
    """A product for a target `draw.with_small_textures`."""
    op, transposed = draw(st.sampled_from([("MatMul", 0), ("Gemm", 0), ("Gemm", 1)]))
    constants = {"w": random_weights(draw, *((SIDE + 2, SIDE) if transposed else (SIDE, SIDE + 2)))}
    attributes = {"transB": transposed} if op == "Gemm" else {}
    if op == "Gemm":
        constants["c"] = random_weights(draw, draw(st.sampled_from([1, SIDE + 2])))
    shape = (draw(st.integers(1, 3)), SIDE)
    return "onnxjs-0.1.8/webgl", model_of_one(op, shape, constants, opset=opset_from(draw), **attributes)
