"""Booleans as float32 numbers 0 and 1, for targets that compute no index and turn no boolean into a number.

    step(d) = 1 - Relu(1 - Ceil(Relu(d)))       0 up to 0, 1 above

    a > b = step(a - b)       a >= b = 1 - step(b - a)      a == b = 1 - step(|a - b|)
    IsInf(x) = step(|x| - largest)                          a number as a boolean = step(|x|)
    p and q = p q             p or q = 1 - (1 - p) (1 - q)       not p = 1 - p        p xor q = |p - q|

A difference of two numbers is 0 only if they are equal. Nodes that only move booleans move the numbers.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import node_inputs
from fns_lab.rewrite.rule import Refusal, RewriterContext, initializer, scalar
from fns_lab.rewrite.stacks import typed

STEP_OPS = ("Abs", "Ceil", "Mul", "Relu", "Sub")
"""Op types that `step_of` writes, beside those that move elements."""
COMPARISONS = frozenset({"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"})
"""Ops that compare two numbers."""
LOGIC = frozenset({"And", "Not", "Or", "Xor"})
"""Ops on true and false."""
MOVES = frozenset({"Concat", "Expand", "Flatten", "Gather", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze"})
"""Ops that move elements and compute nothing."""
LARGEST = float(np.finfo(np.float32).max)
"""Largest finite number in float32."""


def raise_unless_step(value: ir.Value) -> None:
    """Raise `Refusal` unless `step_of` can write the boolean `value` as a number."""
    if ir.convenience.get_const_tensor(value) is not None:
        return
    node = value.producer()
    if node is None:
        raise Refusal(f"{value.name} is an input of booleans, which no op of the target turns into numbers")
    for boolean in _booleans(node):
        raise_unless_step(boolean)
    if _reads_numbers(node):
        for number in node_inputs(node):
            if number.dtype != ir.DataType.FLOAT:
                raise Refusal(f"{number.name} is {number.dtype}, float32 is needed")
            _raise_if_special(node, number)
    elif not _booleans(node):
        raise Refusal(f"{value.name} comes from a {node.op_type}, which is not written as a number")


def step_of(op: RewriterContext, value: ir.Value, name: str) -> ir.Value:
    """Return 1.0 where the boolean `value` is true and 0.0 elsewhere; see `raise_unless_step`."""
    if (tensor := ir.convenience.get_const_tensor(value)) is not None:
        return initializer(op, tensor.numpy().astype(np.float32), name)
    node = value.producer()
    assert node is not None
    if node.op_type in MOVES:
        count = len(node.inputs) if node.op_type == "Concat" else 1
        moved = [step_of(op, each, f"{name}{i}") for i, each in enumerate(node_inputs(node)[:count])]
        result = op.op(node.op_type, *moved, *node.inputs[count:], **node.attributes, _outputs=[name])
    elif _reads_numbers(node):
        result = _compared(op, node, _one(op, value, name), name)
    else:
        steps = [step_of(op, each, f"{name}{i}") for i, each in enumerate(node_inputs(node))]
        result = _combined(op, node.op_type, steps, _one(op, value, name), name)
    result.dtype = ir.DataType.FLOAT
    return result if value.shape is None else typed(result, value.shape, ir.DataType.FLOAT)


def opposite(op: RewriterContext, step: ir.Value, name: str) -> ir.Value:
    """Return 1 - step."""
    return op.Sub(_one(op, step, name), step, _outputs=[name])


def _one(op: RewriterContext, like: ir.Value, name: str) -> ir.Value:
    return initializer(op, np.ones(() if like.shape == () else 1, np.float32), f"{name}.one")


def _booleans(node: ir.Node) -> list[ir.Value]:
    """Return the boolean inputs that `step_of` writes as numbers for a node."""
    if node.op_type in MOVES:
        return node_inputs(node)[: len(node.inputs) if node.op_type == "Concat" else 1]
    is_logic = node.op_type in LOGIC or node.op_type == "Equal"
    return [value for value in node_inputs(node) if value.dtype == ir.DataType.BOOL] if is_logic else []


def _reads_numbers(node: ir.Node) -> bool:
    return not _booleans(node) and (node.op_type in COMPARISONS or node.op_type in ("Cast", "IsInf"))


def _raise_if_special(node: ir.Node, number: ir.Value) -> None:
    """Raise `Refusal` for what a difference does not compare: NaN, an infinity, one sign of infinity."""
    if not all(node.attributes.get_int(f"detect_{sign}", 1) for sign in ("positive", "negative")):
        raise Refusal("only one sign of infinity is looked for")
    tensor = ir.convenience.get_const_tensor(number)
    if tensor is None or np.isfinite(tensor.numpy()).all():
        return
    if node.op_type != "Equal" or tensor.size != 1 or np.isnan(tensor.numpy()).any():
        raise Refusal(f"{number.name} holds an infinity or NaN")


def _compared(op: RewriterContext, node: ir.Node, one: ir.Value, name: str) -> ir.Value:
    inputs = node_inputs(node)
    if node.op_type == "Cast":  # to a boolean
        return _step(op, op.Abs(inputs[0], _outputs=[f"{name}.abs"]), one, name)
    if node.op_type == "IsInf":
        size, largest = op.Abs(inputs[0], _outputs=[f"{name}.abs"]), scalar(op, inputs[0], LARGEST, f"{name}.largest")
        return _step(op, _difference(op, size, largest, name), one, name)
    if node.op_type == "Equal":
        return _equal(op, inputs[0], inputs[1], one, name)
    a, b = inputs if node.op_type in ("Greater", "LessOrEqual") else inputs[::-1]
    step = _step(op, _difference(op, a, b, name), one, f"{name}.step")
    return op.Sub(one, step, _outputs=[name]) if node.op_type.endswith("OrEqual") else step


def _equal(op: RewriterContext, a: ir.Value, b: ir.Value, one: ir.Value, name: str) -> ir.Value:
    for x, other in ((a, b), (b, a)):
        tensor = ir.convenience.get_const_tensor(other)
        if tensor is not None and tensor.size == 1 and np.isinf(sign := tensor.numpy()).all():
            edge = initializer(op, (np.sign(sign) * LARGEST).astype(np.float32), f"{name}.largest")
            beyond = _difference(op, *((x, edge) if sign.item() > 0 else (edge, x)), name)
            return _step(op, beyond, one, name)
    distance = op.Abs(_difference(op, a, b, name), _outputs=[f"{name}.distance"])
    return op.Sub(one, _step(op, distance, one, f"{name}.differs"), _outputs=[name])


def _difference(op: RewriterContext, a: ir.Value, b: ir.Value, name: str) -> ir.Value:
    return op.Sub(a, b, _outputs=[f"{name}.difference"])


def _step(op: RewriterContext, d: ir.Value, one: ir.Value, name: str) -> ir.Value:
    """Return 1 where `d` is above 0 and 0 elsewhere."""
    whole = op.Ceil(op.Relu(d, _outputs=[f"{name}.positive"]), _outputs=[f"{name}.whole"])
    rest = op.Relu(op.Sub(one, whole, _outputs=[f"{name}.below"]), _outputs=[f"{name}.rest"])
    return op.Sub(one, rest, _outputs=[name])


def _combined(op: RewriterContext, op_type: str, steps: list[ir.Value], one: ir.Value, name: str) -> ir.Value:
    if op_type == "Not":
        return op.Sub(one, steps[0], _outputs=[name])
    if op_type == "And":
        return op.Mul(*steps, _outputs=[name])
    if op_type == "Or":
        opposites = [op.Sub(one, step, _outputs=[f"{name}.not"]) for step in steps]
        return op.Sub(one, op.Mul(*opposites, _outputs=[f"{name}.neither"]), _outputs=[name])
    differs = op.Abs(op.Sub(*steps, _outputs=[f"{name}.difference"]), _outputs=[f"{name}.differs"])
    return op.Sub(one, differs, _outputs=[name]) if op_type == "Equal" else differs
