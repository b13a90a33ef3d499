"""Shapes, weights and models that the generators of random models share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from fns_lab.targets import Target

F32 = np.float32
OLDEST, OLD = "onnxjs-0.1.3/cpu", "onnxjs-0.1.8/cpu"
REFERENCE = "ort/cpu"
"""Runs every model unmodified: a rule applies there only because `PREFERRED` names it."""


NEWEST = 26
"""The newest opset that ONNX Runtime reads."""


def opset_from(draw, first: int = 7, last: int = NEWEST) -> int:
    """Draw an opset from `first` to `last`; those before 7 are no subject of the rules."""
    return draw(st.integers(first, last))


def counted(draw, axis: int, dimensions: int, opset: int) -> int:
    """Return an axis counted from the front, or, where an op may do so from opset 11 on, from the end."""
    return axis - dimensions if opset >= 11 and draw(st.booleans()) else axis


def values(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.normal(0.5, 1.5, shape).astype(F32)


def input_shape(model: onnx.ModelProto) -> tuple[int, ...]:
    return tuple(d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim)


def model_of(nodes, shape, constants=None, *, opset=18, outputs=("y",)) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "random",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    return onnx.shape_inference.infer_shapes(model)


def model_of_one(op, shape, constants=None, *, opset=18, inputs=None, **attributes) -> onnx.ModelProto:
    names = ["x", *(constants or {})] if inputs is None else inputs
    return model_of([helper.make_node(op, names, ["y"], name="node", **attributes)], shape, constants, opset=opset)


def image_shape(draw, *, n=3, c=4, low=3, high=9) -> tuple[int, int, int, int]:
    return tuple(draw(st.integers(a, b)) for a, b in ((1, n), (1, c), (low, high), (low, high)))


def any_shape(draw, low=1, high=5) -> tuple[int, ...]:
    return tuple(draw(st.lists(st.integers(1, 5), min_size=low, max_size=high)))


def random_weights(draw, *shape) -> np.ndarray:
    return values(np.random.default_rng(draw(st.integers(0, 999))), shape)


SIDE = 2048
"""Of the textures of a small GPU, so that matrices that do not fit need not be large."""


def with_small_textures(target: Target) -> Target:
    """Return a target on WebGL with textures of `SIDE` by `SIDE` elements."""
    quirks = (replace(quirk, counts=(SIDE,)) if quirk.kind == "no-texture" else quirk for quirk in target.quirks)
    return replace(target, quirks=tuple(quirks))
