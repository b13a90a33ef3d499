"""The kinds of quirk for sizes computed from free ones, of which an engine loses track."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import zip_longest

import onnx_ir as ir

from fns_lab.opset.nodes import computed_from, input_constant, input_shape
from fns_lab.targets.target import Quirk

MOVES = frozenset({"Cast", "Identity", "Reshape", "Squeeze", "Unsqueeze"})
"""Ops that keep all elements of a list of sizes, in their order."""
LIMITS = {"Gather": (1,), "Slice": (2, 3)}
"""How many inputs after the first an op that takes some of the sizes has: an index, or start, end and axis."""
ARITHMETIC = frozenset({"Add", "Concat", "Div", "Max", "Min", "Mod", "Mul", "Sub"})
"""Ops that compute sizes from all of their inputs, where others only move elements of the first."""


def lost_sizes(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes one of whose inputs of these numbers is computed from a free size by other ops than these.

    A Cast to another type than int64 is another op. Sizes that are fixed, of a Shape of which others are free, do not
    count.

    Fields: `inputs`, the numbers of the inputs, from 0; `after`, the ops through which the engine knows the sizes.

        [[quirk]]
        kind = "lost-sizes"
        ops = ["Reshape"]
        inputs = [1]
        after = ["Cast", "Concat", "Gather", "Mul", "Shape", "Slice"]
    """
    waiting = [node.inputs[index] for index in quirk.inputs if index < len(node.inputs)]
    seen = set[ir.Value]()
    while waiting:
        value = waiting.pop()
        producer = None if value is None else value.producer()
        if value is None or producer is None or value in seen or not _is_free(value):
            continue
        seen.add(value)
        if producer.op_type not in quirk.after or producer.attributes.get_int("to", 7) != ir.DataType.INT64:
            return True
        if producer.op_type not in ("Shape", "Size"):
            waiting += producer.inputs
    return False


def free_size_given_out(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that give out a size that is free, computed by these ops alone, which keep it as a formula.

    A Cast to another type than int64 computes its number.

    Fields: `after`, the ops.

        [[quirk]]
        kind = "free-size-given-out"
        ops = ["*"]
        after = ["Add", "Gather", "Shape"]
    """
    return any(value.is_graph_output() and _is_formula(value, quirk.after) for value in node.outputs)


def free_size_compared(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that compare a size that is free, kept as a formula by these ops, with anything not below 0.

    No size is below 0, so that a comparison with such constants alone is right.

    Fields: `after`, the ops.

        [[quirk]]
        kind = "free-size-compared"
        ops = ["Equal"]
        after = ["Add", "Gather", "Shape"]
    """
    constants = [constant for index in range(len(node.inputs)) if (constant := input_constant(node, index)) is not None]
    is_below_0 = any((constant < 0).all() for constant in constants)
    return not is_below_0 and any(_is_formula(value, quirk.after) for value in node.inputs)


def repeated_constants(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that compute from constants alone, one of which an Expand or Tile repeats as often as a free size.

    Fields: none.

        [[quirk]]
        kind = "repeated-constants"
        ops = ["MatMul"]
    """
    producers = [value.producer() for value in computed_from(node.inputs, _repeated_inputs)]
    return None not in producers and any(each is not None and _repeats_freely(each) for each in producers)


def _repeats_freely(node: ir.Node) -> bool:
    return node.op_type in ("Expand", "Tile") and input_constant(node, 1) is None


def _repeated_inputs(node: ir.Node) -> Sequence[ir.Value | None]:
    return node.inputs[:1] if _repeats_freely(node) else node.inputs


def free_channels(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes whose first input has a free size, which an input of the model declares, as its channels.

    Fields: none.

        [[quirk]]
        kind = "free-channels"
        ops = ["Conv"]
    """
    channels = tuple(input_shape(node, 0) or ())[1:2]
    return not _declared_sizes(node).isdisjoint(channels)


def free_broadcast(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that broadcast a free size, which an input of the model declares, with another one than 1.

    Sizes that no input declares do not count.

    Fields: none.

        [[quirk]]
        kind = "free-broadcast"
        ops = ["Add"]
    """
    shapes = [reversed(tuple(value.shape)) for value in node.inputs if value is not None and value.shape is not None]
    declared = _declared_sizes(node)
    for sizes in zip_longest(*shapes, fillvalue=1):
        others = {size for size in sizes if size in declared or (isinstance(size, int) and size != 1)}
        if len(others) > 1 and not others.isdisjoint(declared):
            return True
    return False


def _declared_sizes(node: ir.Node) -> set[int | ir.SymbolicDim]:
    """Return the free sizes that the inputs of a node's graph declare."""
    inputs = node.graph.inputs if node.graph is not None else ()
    return {size for value in inputs for size in value.shape or () if not isinstance(size, int) and size.value}


def _is_formula(value: ir.Value | None, after: Collection[str]) -> bool:
    """Return whether an int64 value holds a free size and these ops alone compute it."""
    producer = None if value is None else value.producer()
    if value is None or producer is None or producer.op_type not in after or not _is_free(value):
        return False
    if producer.op_type in ("Shape", "Size"):
        return True
    operands = producer.inputs if producer.op_type in ARITHMETIC else producer.inputs[:1]
    return value.dtype in (ir.DataType.INT64, None) and any(_is_formula(each, after) for each in operands)


def _is_free(value: ir.Value | None) -> bool:
    """Return whether a value is known to be computed from a size that is free."""
    waiting, seen = [value], set[ir.Value]()
    while waiting:
        value = waiting.pop()
        if value is None or value in seen:
            continue
        seen.add(value)
        sizes, producer = _sizes(value), value.producer()
        if sizes is not None and not all(isinstance(size, int) for size in sizes):
            return True
        if sizes is None and producer is not None and producer.op_type not in ("Shape", "Size"):
            waiting += producer.inputs
    return False


def _sizes(value: ir.Value | None) -> list[int | ir.SymbolicDim] | None:
    """Return the sizes that a value holds, None where that is not known."""
    node = None if value is None else value.producer()
    if node is None:
        return []
    x = _sizes(node.inputs[0]) if node.inputs and node.op_type in (*MOVES, "Gather", "Slice") else None
    if node.op_type == "Shape" and (shape := input_shape(node, 0)) is not None:
        return list(shape)[node.attributes.get_int("start", 0) : node.attributes.get_int("end", len(shape))]
    if node.op_type in MOVES:
        return x
    if x is None:
        return None
    limits = [input_constant(node, index) for index in range(1, len(node.inputs))]
    if any(each is None or each.size != 1 for each in limits) or len(limits) not in LIMITS[node.op_type]:
        return None
    numbers = [int(each.reshape(-1)[0]) for each in limits if each is not None]
    if node.op_type == "Slice":
        return x[slice(*numbers[:2])]
    return [x[numbers[0]]] if -len(x) <= numbers[0] < len(x) else None
