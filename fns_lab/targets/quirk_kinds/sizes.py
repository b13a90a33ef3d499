"""Kinds of quirk for a node that an engine computes correctly or not depending on the size of an axis."""

from __future__ import annotations

import math

import onnx_ir as ir

from fns_lab.opset.nodes import input_constant, input_shape
from fns_lab.opset.schemas import ONE_AXIS_SINCE
from fns_lab.targets.target import Quirk


def flattened(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes before opset 13 that normalize over all axes from `axis` on, more than one, together.

    Fields: `opset`, from which on the engine takes such a node for one of opset 13, of one axis.

        [[quirk]]
        kind = "flattened"
        ops = ["Softmax"]
        opset = 11
    """
    x, axis = input_shape(node, 0), node.attributes.get_int("axis", 1)
    if not quirk.opset <= opset < 13:
        return False
    return x is None or any(size != 1 for size in list(x)[axis % max(len(x), 1) + 1 :])


def result_of_nothing(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes whose first input is known to have no elements, although the result has some.

    Fields: none.

        [[quirk]]
        kind = "result-of-nothing"
        ops = ["ReduceMax", "ReduceMin"]
    """
    x, y = input_shape(node, 0), node.outputs[0].shape
    return x is not None and 0 in x and not (y is not None and 0 in y)


def tall_matrices(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes whose first input is known to have more rows than columns, its last axis. Unknown sizes do not count.

    Fields: none.

        [[quirk]]
        kind = "tall-matrices"
        ops = ["Trilu"]
    """
    rows, columns = (input_shape(node, 0) or ())[-2:] if len(input_shape(node, 0) or ()) > 1 else (0, 0)
    return isinstance(rows, int) and isinstance(columns, int) and rows > columns


def uneven_parts(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match a Split by `num_outputs` whose last part is smaller than the others. Unknown sizes do not count.

    Fields: none.

        [[quirk]]
        kind = "uneven-parts"
        ops = ["Split"]
    """
    x, axis = input_shape(node, 0), node.attributes.get_int("axis", 0)
    parts = node.attributes.get_int("num_outputs", 1)
    return x is not None and isinstance(size := x[axis], int) and size % parts != 0


def single_element(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes whose first input has one element. Unknown sizes do not count.

    Fields: `inputs`, the number of another input that is looked at, from 0.

        [[quirk]]
        kind = "single-element"
        ops = ["Pow"]
        inputs = [1]
    """
    x = input_shape(node, *quirk.inputs or (0,))
    return x is not None and all(size == 1 for size in x)


def several_numbers(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes of which one of these inputs is known to have more than one element.

    Fields: `inputs`, the numbers of the inputs, from 0.

        [[quirk]]
        kind = "several-numbers"
        ops = ["ConvInteger"]
        inputs = [3]
    """
    shapes = (input_shape(node, index) for index in quirk.inputs)
    return any(shape is not None and any(isinstance(size, int) and size > 1 for size in shape) for shape in shapes)


def sliced_to_nothing(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that cut several axes, one of them from one element to none. Unknown sizes do not count.

    Fields: none.

        [[quirk]]
        kind = "sliced-to-nothing"
        ops = ["Slice"]
    """
    x, y = input_shape(node, 0), node.outputs[0].shape
    if x is None or y is None:
        return False
    cut = [(before, after) for before, after in zip(x, y, strict=True) if before != after]
    return len(cut) > 1 and (1, 0) in cut


def empty_part(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match a Split by `num_outputs` whose last part is empty, as of 4 elements in 3 parts. Unknown sizes do not count.

    Fields: none.

        [[quirk]]
        kind = "empty-part"
        ops = ["Split"]
    """
    return _left_for_last_part(node) == 0


def missing_part(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match a Split by `num_outputs` that has no elements left before its last part, as of 5 in 4.

    Unknown sizes do not count.

    Fields: none.

        [[quirk]]
        kind = "missing-part"
        ops = ["Split"]
    """
    left = _left_for_last_part(node)
    return left is not None and left < 0


def _left_for_last_part(node: ir.Node) -> int | None:
    """Return the elements that a Split leaves for its last part where the others are alike; None if not known."""
    x, axis = input_shape(node, 0), node.attributes.get_int("axis", 0)
    parts = node.attributes.get_int("num_outputs", 0)
    if x is None or not isinstance(size := x[axis], int) or not parts or size == 0:
        return None
    return size - (parts - 1) * math.ceil(size / parts)


def flattened_unevenly(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match a Softmax before opset 13 over more than the last axis that a GPU reads 2 or 4 elements at a time.

    It does so where all elements that are taken together are a multiple of that number, even if the last axis is none.
    Unknown sizes count as such.

    Fields: none.

        [[quirk]]
        kind = "flattened-unevenly"
        ops = ["Softmax"]
    """
    x, axis = input_shape(node, 0), node.attributes.get_int("axis", 1)
    if opset >= ONE_AXIS_SINCE or (x is not None and axis % max(len(x), 1) == len(x) - 1):
        return False
    together = () if x is None else x[axis:]
    if not all(isinstance(size, int) for size in together) or not together:
        return True
    at_a_time = next(n for n in (4, 2, 1) if math.prod(together) % n == 0)
    return together[-1] % at_a_time != 0


def single_column(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes whose result has one element along its last axis, unless its scale is known to have several numbers.

    Sizes of the result that are not known do not count.

    Fields: `inputs`, the number of the scale's input, from 0.

        [[quirk]]
        kind = "single-column"
        ops = ["QuantizeLinear"]
        inputs = [1]
    """
    y, scale = node.outputs[0].shape, input_shape(node, quirk.inputs[0])
    if y is None or (len(y) and y[-1] != 1):
        return False
    return scale is None or all(size == 1 for size in scale)


def stated_zero(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes with `allowzero` whose shape has a 0 or is computed.

    Fields: none.

        [[quirk]]
        kind = "stated-zero"
        ops = ["Reshape"]
    """
    shape = input_constant(node, 1)
    return bool(node.attributes.get_int("allowzero", 0)) and (shape is None or bool((shape == 0).any()))


def complex_signal(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes whose first input is known to hold complex numbers: its last axis has 2 elements.

    Fields: none.

        [[quirk]]
        kind = "complex-signal"
        ops = ["STFT"]
    """
    x = input_shape(node, 0)
    return x is not None and len(x) > 2 and x[-1] == 2
