"""Nodes that give out one of their inputs unchanged."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import has_input, input_constant

SUMMARIES = frozenset({"ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum"})
"""Reductions that change nothing over no axes; others give an absolute value, a square or a logarithm."""


def unchanged_input(node: ir.Node, opset: int) -> ir.Value | None:
    """Return the value that `node` gives out unchanged, None if it changes something or that is not known."""
    if node.domain != "" or not node.inputs or node.inputs[0] is None or not node.outputs:
        return None
    x, y = node.inputs[0], node.outputs[0]
    if node.op_type in ("Reshape", "Expand"):
        known = x.shape is not None and x.shape.is_static() and y.shape is not None and y.shape.is_static()
        return x if known and x.shape == y.shape else None
    if node.op_type == "Concat":
        return x if len(node.inputs) == 1 else None
    if node.op_type in ("Cast", "CastLike"):
        return x if x.dtype is not None and x.dtype == y.dtype else None
    if node.op_type == "Dropout":
        return x if _is_inference(node, opset) else None
    if node.op_type in SUMMARIES and opset >= 13:
        return x if _reduces_nothing(node) else None
    return _element_of_sequence(node, x) if node.op_type == "SequenceAt" else None


def _is_inference(node: ir.Node, opset: int) -> bool:
    if any(output.uses() or output.is_graph_output() for output in node.outputs[1:]):
        return False
    if opset < 7:
        return bool(node.attributes.get_int("is_test", 0))
    if not has_input(node, 2):
        return True
    training, ratio = input_constant(node, 2), input_constant(node, 1)
    return (training is not None and not training.any()) or (ratio is not None and not ratio.any())


def _reduces_nothing(node: ir.Node) -> bool:
    axes = input_constant(node, 1) if has_input(node, 1) else np.array([])
    return bool(node.attributes.get_int("noop_with_empty_axes", 0)) and axes is not None and not axes.size


def _element_of_sequence(node: ir.Node, sequence: ir.Value) -> ir.Value | None:
    """Return the value at a constant place of a sequence that was made of single values."""
    made, place = sequence.producer(), input_constant(node, 1)
    if made is None or made.op_type != "SequenceConstruct" or place is None:
        return None
    index = int(place.item())
    return made.inputs[index] if -len(made.inputs) <= index < len(made.inputs) else None
