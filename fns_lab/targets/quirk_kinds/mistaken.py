"""The kind of quirk for nodes that an engine takes for one op although they compute another function.

An engine looks for the nodes of an expression, and overlooks which values they read.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import NodeError, from_the_front, stated_axes
from fns_lab.targets.target import Quirk

COMMUTATIVE = frozenset({"Add", "Max", "Mul"})
"""Ops whose two inputs an engine looks for in both orders."""
READ_IN_PLACE = frozenset({"epsilon", "scale", "shift"})
"""Names of values that an engine reads at the place where they stand in an expression, as it does numbers."""
CLOSE = 1e-5
"""Numbers that are this near to each other are the same for an engine."""


@dataclass(frozen=True)
class Number:
    """A number in an expression.

    - `comparison`: how the engine compares a constant with it: `equal`, `at_most`, or `taken_for` if not at all
    """

    value: float
    comparison: str = "equal"


@dataclass(frozen=True)
class Call:
    """An op in an expression, with what the engine wants its attributes to be."""

    op_type: str
    arguments: tuple[Expression, ...]
    attributes: tuple[tuple[str, float], ...] = ()


Expression: TypeAlias = Call | Number | str
"""An expression; a string is the name of any value."""


@dataclass
class Match:
    """What the parts of an expression stand for.

    - `values`: each part with its value, the whole one first
    - `moved`: what an engine that joins the nodes reads at the place of another input
    """

    values: list[tuple[Expression, ir.Value | None]]
    moved: list[Expression] = field(default_factory=list)


@functools.cache
def parsed(text: str) -> Expression:
    """Return the expression that a text such as `Mul(x, Sigmoid(x))` stands for."""
    return _expression(ast.parse(text, mode="eval").body)


def _expression(tree: ast.expr) -> Expression:
    match tree:
        case ast.Constant(value=int() | float() as value):
            return Number(float(value))
        case ast.Name(id=name):
            return name
        case ast.Call(func=ast.Name(id="at_most" | "taken_for" as comparison), args=[ast.Constant(value=value)]):
            return Number(float(value), comparison)  # type: ignore[arg-type]
        case ast.Call(func=ast.Name(id=op_type), args=arguments, keywords=keywords):
            attributes = tuple((word.arg or "", float(ast.literal_eval(word.value))) for word in keywords)
            return Call(op_type, tuple(map(_expression, arguments)), attributes)
    raise ValueError(f"no expression: {ast.unparse(tree)}")


def mistaken(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match the last of several nodes that an engine joins to one op, if they compute something else or it fails.

    The engine joins the nodes of an expression, with the inputs of Add, Max and Mul in both orders. They compute its op
    only if each name, and each call that stands there twice, is one value; if no node's result but the last is a graph
    output; if a number is a constant, and adds no axes; and if all reductions keep the same single axis. `scale` and
    `shift` must have the shape of the reduced axes, and these may be several, the last ones. `fails` is always wrong.
    The engine joins nothing if a number is another one; not if it is larger, for `at_most(2)`. For `taken_for(2)` it
    joins whatever is there. Nor does it join anything if `same` is not one value.

    Fields: `expressions`.

        [[quirk]]
        kind = "mistaken"
        ops = ["Log", "Mul"]
        expressions = ["Mul(x, HardSigmoid(x, alpha=0.5))", "Log(Add(taken_for(1), Exp(x)))"]
    """
    matches = (_matched(node.outputs[0], parsed(text)) for text in quirk.expressions)
    return any(match is not None and _is_joined(match) and not _is_right(match) for match in matches)


def other_axes(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match the last of the nodes of an expression, if its reductions are not all over the same axes, which they keep.

    The engine joins the nodes to one op, if each name stands for one value.

    Fields: `expressions`.

        [[quirk]]
        kind = "other-axes"
        ops = ["Div"]
        expressions = ["Div(Exp(x), ReduceSum(Exp(x), axes))"]
    """
    for text in quirk.expressions:
        match = _matched(node.outputs[0], parsed(text))
        if match is not None and _is_joined(match):
            axes = set(_reduced(match))
            if None in axes or len(axes) > 1:
                return True
    return False


def joined_inputs(node: ir.Node, quirk: Quirk) -> tuple[int, ...]:
    """Return the indices of the inputs of a node through which it is joined with the nodes before it."""
    wanted = {
        argument.op_type
        for whole in map(parsed, quirk.expressions)
        if isinstance(whole, Call) and whole.op_type == node.op_type
        for argument in whole.arguments
        if isinstance(argument, Call)
    }
    producers = [None if value is None else value.producer() for value in node.inputs]
    return tuple(i for i, each in enumerate(producers) if each is not None and each.op_type in wanted)


def _matched(value: ir.Value | None, part: Expression) -> Match | None:
    if not isinstance(part, Call):
        return Match([(part, value)])
    node = None if value is None else value.producer()
    if node is None or node.op_type != part.op_type or len(node.inputs) != len(part.arguments):
        return None
    stated = (node.attributes.get_float(name, float("nan")) for name, _ in part.attributes)
    if not all(abs(value - wanted) <= CLOSE for value, (_, wanted) in zip(stated, part.attributes, strict=True)):
        return None
    orders = [part.arguments]
    if part.op_type in COMMUTATIVE and len(part.arguments) == 2:
        orders.append(part.arguments[::-1])
    for order in orders:
        found = [_matched(x, argument) for x, argument in zip(node.inputs, order, strict=True)]
        matches = [match for match in found if match is not None]
        if len(matches) == len(order):
            moved = [each for each in order if _is_read_in_place(each)] if order != part.arguments else []
            parts = [pair for match in matches for pair in match.values]
            return Match([(part, value), *parts], moved + [each for match in matches for each in match.moved])
    return None


def _is_read_in_place(part: Expression) -> bool:
    return part in READ_IN_PLACE or (isinstance(part, Number) and part.comparison != "taken_for")


def _is_joined(match: Match) -> bool:
    """Return whether the engine joins the nodes: it may compare numbers and values, and look at axes."""
    if len({value for part, value in match.values if part == "same"}) > 1:
        return False
    for part, array in _constants(match):
        if not isinstance(part, Number) or part.comparison == "taken_for" or part in match.moved:
            continue
        if array is None or not array.size:
            continue
        above = float(array.reshape(-1)[0]) - part.value
        if above > CLOSE or (part.comparison == "equal" and above < -CLOSE):
            return False
    if not any(part == "scale" for part, _ in match.values):
        return True
    axes = next(iter(_reduced(match)), None)
    return axes is not None and bool(axes) and axes[-1] == -1 and list(axes) == list(range(-len(axes), 0))


def _is_right(match: Match) -> bool:
    """Return whether the nodes compute what the engine takes them for, and it does not fail on them."""
    bound: dict[Expression, ir.Value | None] = {}
    for part, value in match.values:
        if part == "fails" or (not isinstance(part, Number) and bound.setdefault(part, value) is not value):
            return False
    inner = [value for part, value in match.values[1:] if isinstance(part, Call)]
    if any(value is not None and value.is_graph_output() for value in inner):
        return False
    return not match.moved and _reads_plain_numbers(match, bound) and _keeps_axes(match, bound)


def _reads_plain_numbers(match: Match, bound: dict[Expression, ir.Value | None]) -> bool:
    x = bound.get("x")
    most = 1 if x is None or x.shape is None else len(x.shape)
    for part, array in _constants(match):
        if array is None or array.size != 1 or array.ndim > most:
            return False
        if isinstance(part, Number) and abs(array.item() - part.value) > CLOSE:
            return False
    return True


def _keeps_axes(match: Match, bound: dict[Expression, ir.Value | None]) -> bool:
    """Return whether all reductions are over the same axes, and what they normalize is scaled along these."""
    reduced = list(_reduced(match))
    if None in reduced or len(set(reduced)) > 1:
        return False
    axes = reduced[0] if reduced else None
    if "scale" not in bound:
        return axes is None or len(axes) == 1
    x = bound["x"]
    if axes is None or x is None or x.shape is None:
        return False
    whole = tuple(x.shape)[len(x.shape) - len(axes) :]
    shapes = [None if value is None or value.shape is None else tuple(value.shape) for value in _along(bound)]
    return all(shape == whole for shape in shapes)


def _along(bound: dict[Expression, ir.Value | None]) -> Iterator[ir.Value | None]:
    return (bound[name] for name in ("scale", "shift") if name in bound)


def _constants(match: Match) -> Iterator[tuple[Expression, np.ndarray | None]]:
    """Yield each number of the expression, and `epsilon`, with the constant in its place; None if it is computed."""
    for part, value in match.values:
        if isinstance(part, Number) or part == "epsilon":
            tensor = None if value is None else ir.convenience.get_const_tensor(value)
            yield part, None if tensor is None else tensor.numpy()


def _reduced(match: Match) -> Iterator[tuple[int, ...] | None]:
    """Yield the axes of each reduction, counted from the end; None if it drops them or they are not known."""
    for part, value in match.values:
        node = None if value is None else value.producer()
        if isinstance(part, Call) and part.op_type.startswith("Reduce") and node is not None:
            yield _axes(node) if node.attributes.get_int("keepdims", 1) else None


def _axes(node: ir.Node) -> tuple[int, ...] | None:
    x = node.inputs[0]
    try:
        axes: Sequence[int] = stated_axes(node)
        if x is not None and x.shape is not None:
            axes = [from_the_front(axis, len(x.shape)) - len(x.shape) for axis in axes]
    except NodeError:
        return None
    return tuple(axes) or None
