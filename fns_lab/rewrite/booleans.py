"""Booleans as indices, for targets without an op that computes one or turns one into a number.

A comparison becomes an int64 index of 0 or 1, cast to a boolean: Cast(index, BOOL). The rules of the ops that read the
boolean take the index in its place, so that no Cast is left unless the boolean is an output of the model.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from onnxscript.rewriter import RULE_NAME_TAG

from fns_lab.opset.nodes import constant_array
from fns_lab.rewrite.rule import Refusal, RewriterContext, initializer
from fns_lab.rewrite.stacks import typed

WRITTEN_BY = frozenset({"compare-arg-max", "logic-index"})
"""Rules whose Cast to a boolean is that of an index."""


def boolean(op: RewriterContext, index: ir.Value) -> ir.Value:
    """Return the boolean of an index, for a rule of `WRITTEN_BY`."""
    return op.Cast(index, to=ir.DataType.BOOL.value)


def index_of(value: ir.Value | None) -> ir.Value | None:
    """Return the index whose boolean `value` is, None if it is no such boolean."""
    node = None if value is None else value.producer()
    if node is None or node.op_type != "Cast":
        return None
    rules = node.metadata_props.get(RULE_NAME_TAG, "").split(", ")  # the first one wrote the node
    if rules[0] not in WRITTEN_BY:
        return None
    return node.inputs[0]


def raise_unless_index(value: ir.Value) -> None:
    """Raise `Refusal` unless `value` is the boolean of an index or a constant."""
    if index_of(value) is None and ir.convenience.get_const_tensor(value) is None:
        raise Refusal(f"{value.name} is a computed boolean, which no op of the target turns into a number")


def raise_if_given_out(value: ir.Value) -> None:
    """Raise `Refusal` if the boolean `value` is an output of the model."""
    if value.is_graph_output():
        raise Refusal(f"{value.name} is an output of booleans, which no op of the target computes")


def as_index(op: RewriterContext, value: ir.Value, name: str) -> ir.Value:
    """Return the index of a boolean, for a constant an initializer."""
    index = index_of(value)
    return initializer(op, constant_array(value).astype(np.int64), name) if index is None else index


def chosen(op: RewriterContext, table: np.ndarray, index: ir.Value, name: str) -> ir.Value:
    """Return the entries of a table of one axis that an index chooses."""
    entries = op.Gather(initializer(op, table, f"{name}.table"), index, axis=0, _outputs=[name])
    return entries if index.shape is None else typed(entries, index.shape, ir.DataType.from_numpy(table.dtype))


def inverted(op: RewriterContext, index: ir.Value, name: str) -> ir.Value:
    """Return the index of the opposite."""
    return chosen(op, np.array([1, 0]), index, name)
