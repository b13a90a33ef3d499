"""Small ONNX models for the rewrite tests, and functions that run and compare them."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from tests import seeds

EXACT = 0.0
"""Copies and permutations: the same bits."""
ROUNDING = 2e-6
"""Of the largest value: sums of a few hundred float32 terms taken in another order."""


def values(*shape: int) -> np.ndarray:
    """Draw float32 values of mean 1, about -3..5, from the generator of the running test."""
    return seeds.generator().normal(1.0, 1.3, shape).astype(np.float32)


def model(nodes, x_shape, constants=None, *, opset: int = 18, ir_version: int = 8) -> onnx.ModelProto:
    """Return a model of one float input `x` and one float output; `constants` are its initializers by name."""
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x_shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in (constants or {}).items()],
    )
    imports = [helper.make_opsetid(domain, opset if not domain else 1) for domain in {"", *(n.domain for n in nodes)}]
    proto = helper.make_model(graph, opset_imports=imports, ir_version=ir_version)
    return onnx.shape_inference.infer_shapes(proto)


def node(op_type: str, *names: str, **attributes) -> onnx.NodeProto:
    """Return a node; `node("Add", "a", "b", "sum")` names its inputs, then its one output."""
    return helper.make_node(op_type, list(names[:-1]), [names[-1]], name=f"node_{names[-1]}", **attributes)


def upsample_conv(*, scale=2, pads=1, mode="reflect", kernel=3, bias=True, c_out=5, shape=(2, 3, 5, 7), **conv):
    """Return a model of a Resize by `scale`, a Pad and a Conv; `conv` are the attributes of the Conv."""
    constants = {
        "scales": np.array([1, 1, scale, scale], np.float32),
        "pads": np.array([0, 0, pads, pads] * 2),
        "w": values(c_out, 3 // conv.get("group", 1), kernel, kernel),
    }
    nodes = [
        node("Resize", "x", "", "scales", "up", mode="nearest", coordinate_transformation_mode="asymmetric",
             nearest_mode="floor"),
        node("Pad", "up", "pads", "padded", mode=mode),
    ]  # fmt: skip
    if bias:
        constants["b"] = values(c_out)
    nodes.append(node("Conv", "padded", "w", *(["b"] if bias else []), "y", **conv))
    return model(nodes, shape, constants)


def run(proto: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    """Return the first output in ONNX Runtime, without its optimizer."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def assert_same(before: onnx.ModelProto, after: onnx.ModelProto, x: np.ndarray, relative: float) -> None:
    """Assert that both agree on `x`, within `relative` of the largest value, and that `after` passes onnx's checker."""
    onnx.checker.check_model(after, full_check=True)
    a, b = run(before, x), run(after, x)
    assert a.shape == b.shape
    assert np.isfinite(a).all()
    assert np.abs(a).max() > 0
    np.testing.assert_allclose(b, a, rtol=0, atol=relative * np.abs(a).max())


def ops(proto: onnx.ModelProto) -> list[str]:
    """Return the op types in the order of the graph."""
    return [n.op_type for n in proto.graph.node]


def preferring(name: str, *rules: str):
    """Return the target of this name with these rules as the ones it prefers."""
    import dataclasses

    from fns_lab import targets

    return dataclasses.replace(targets.load(name), prefer=rules)


def assert_refused(before: onnx.ModelProto, target, rule: str, reason: str, *, alone: bool = False) -> None:
    """Assert that `rule`, with the others or `alone`, does not rewrite `before` and gives `reason`."""
    from fns_lab.rewrite.lower import lower
    from fns_lab.rewrite.rules import RULES

    lowered = lower(before, target, rules=[each for each in RULES if not alone or rule == each.NAME])
    refused = lowered.declined if lowered else lowered.refused
    rows = refused[refused.rule == rule]
    assert reason in " ".join(rows.reason)
    assert rule not in set(lowered.applied.rule)
