"""The kind of quirk for steps along an axis that an engine takes in an earlier node."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import from_the_front, input_constant, input_shape, reduced_axes
from fns_lab.targets.target import Quirk

REGROUPS = frozenset({"DepthToSpace", "Flatten", "Reshape", "SpaceToDepth"})
"""Ops whose axes may be made of other axes."""


def steps_along_new_axis(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that step along an axis which a Reshape, or an op like it, makes of others.

    A Slice steps by its steps, a Conv by its strides along axes where it has one tap and no padding. The engine takes
    the steps before the nodes that keep the axis, as long as no other node reads what these compute.

    Fields: `after`, the op types before which the steps are not taken.

        [[quirk]]
        kind = "steps-along-new-axis"
        ops = ["Conv", "Slice"]
        after = ["Conv", "MatMul"]
    """
    x, shape = node.inputs[0], input_shape(node, 0)
    if x is None or shape is None:
        return False
    stepped = _axes_of_slice(node) if node.op_type == "Slice" else _axes_of_conv(node, len(shape) - 2)
    return any(_reaches_new_axis(node, x, from_the_front(axis, len(shape)), quirk) for axis in stepped)


def _axes_of_slice(node: ir.Node) -> list[int]:
    steps, axes = input_constant(node, 4), input_constant(node, 3)
    if steps is None:
        return []
    stated = range(len(steps)) if axes is None else axes.tolist()
    return [axis for axis, step in zip(stated, steps.tolist(), strict=True) if step != 1]


def _axes_of_conv(node: ir.Node, n: int) -> list[int]:
    kernel, ones = (input_shape(node, 1) or ())[2:], [1] * n
    strides, pads = node.attributes.get_ints("strides", ones), node.attributes.get_ints("pads", [0] * 2 * n)
    axes = zip(kernel, strides, pads[:n], pads[n:], strict=True)
    return [axis for axis, (taps, *rest) in enumerate(axes, 2) if taps == 1 and rest[0] > 1 and not any(rest[1:])]


def _reaches_new_axis(node: ir.Node, x: ir.Value, axis: int, quirk: Quirk) -> bool:
    """Return whether steps of a node along this axis of its input `x` are taken before the axis is made of others.

    Several nodes that read one value keep the steps behind them, unless all of them allow it.
    """
    passed, waiting = {node.outputs[0].producer()}, [(x, axis)]
    while ready := next((each for each in waiting if {use.node for use in each[0].uses()} <= passed), None):
        waiting.remove(ready)
        value, axis = ready
        producer = value.producer()
        if producer is None or value.shape is None or value.shape[axis] == 1 or producer.op_type in quirk.after:
            continue
        before = [(each, _axis_before(producer, each, axis)) for each in producer.inputs if each is not None]
        if producer.op_type in REGROUPS and before[0][0].shape is not None and before[0][1] is None:
            return True
        passed.add(producer)
        waiting += [(each, at) for each, at in dict(before).items() if at is not None]
    return False


def _kept_axis(before: Sequence[object], after: Sequence[object], axis: int) -> int | None:
    """Return the axis of the shape `before` that is this axis of `after`, with as many elements in front; or None."""
    for index, size in enumerate(before):
        if size == after[axis] and _product(before[:index]) == _product(after[:axis]):
            return index
    return None


def _product(sizes: Sequence[object]) -> tuple[int, Counter[object]]:
    known = [size for size in sizes if isinstance(size, int)]
    return int(np.prod(known)), Counter(size for size in sizes if not isinstance(size, int))


def _axis_before(node: ir.Node, value: ir.Value, axis: int) -> int | None:
    """Return the axis of an input of a node that becomes this axis of its output; None if there is none."""
    y, x = node.outputs[0].shape, value.shape
    if y is None or x is None:
        return None
    if node.op_type == "Transpose":
        return list(node.attributes.get_ints("perm", range(len(x))[::-1]))[axis]
    if node.op_type in REGROUPS | {"Squeeze", "Unsqueeze"}:
        return _kept_axis(tuple(x), tuple(y), axis) if value is node.inputs[0] else None
    if len(y) < len(x) and node.attributes.get_int("keepdims", 1) == 0:
        reduced = {from_the_front(each, len(x)) for each in reduced_axes(node)}
        return [each for each in range(len(x)) if each not in reduced][axis]
    at = axis + len(x) - len(y)
    return at if at >= 0 and (x[at] == y[axis] or node.op_type == "Slice") else None
