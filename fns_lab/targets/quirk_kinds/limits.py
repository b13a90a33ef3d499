"""Kinds of quirk for an op that an engine supports in part: with fewer inputs, outputs, ranks, types or attributes."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import has_input, input_constant, input_shape, known_shapes
from fns_lab.opset.schemas import inputs_of_any_type, is_default, schema
from fns_lab.targets.target import Quirk

BEYOND_INT32 = frozenset({"BFLOAT16", "DOUBLE", "FLOAT", "INT64", "UINT32", "UINT64"})
"""ONNX's names of the element types that hold whole numbers which int32 cannot."""


def broken_since(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match every node of a model of some opset or later.

    Fields: `opset`, the first that the engine fails at.

        [[quirk]]
        kind = "broken-since"
        ops = ["Upsample"]
        opset = 9
    """
    return opset >= quirk.opset


def newer_attributes(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes with an attribute that an older opset does not have, unless it asks for what the op did before.

    Fields: `opset`, whose attributes the engine knows.

        [[quirk]]
        kind = "newer-attributes"
        ops = ["MaxPool"]
        opset = 7
    """
    op = schema(node.op_type, quirk.opset)
    known = set() if op is None else set(op.attributes)
    return any(name not in known and _has_effect(stated, node, opset) for name, stated in node.attributes.items())


def _has_effect(stated: ir.Attr, node: ir.Node, opset: int) -> bool:
    """Return whether the value differs from doing nothing: from the default, 0 (flags, starts) or ones (dilations)."""
    op = schema(node.op_type, opset)
    if op is not None and stated.name in op.attributes and is_default(op, stated):
        return False
    if stated.type == ir.AttributeType.INTS:
        return any(number != 1 for number in stated.as_ints())
    return bool(stated.value != 0)


def input_count(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes with another number of inputs than these; an input left out between others counts.

    Fields: `counts`, the numbers of inputs that the engine takes.

        [[quirk]]
        kind = "input-count"
        ops = ["Clip"]
        counts = [1, 3]
    """
    return len(node.inputs) not in quirk.counts


def omitted_input(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes with an input left out between others, as in `Clip(x, "", high)`.

    Fields: none.

        [[quirk]]
        kind = "omitted-input"
        ops = ["*"]
    """
    return None in node.inputs


def extra_outputs(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes with more than one output.

    Fields: none.

        [[quirk]]
        kind = "extra-outputs"
        ops = ["MaxPool", "Dropout"]
    """
    return len(node.outputs) > 1


def operand_ranks(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes with any input that is known to have another number of dimensions than these.

    Fields: `ranks`, the numbers of dimensions that the engine takes; `inputs`, the numbers of the inputs that are
    looked at, from 0, all if it is left out.

        [[quirk]]
        kind = "operand-ranks"
        ops = ["MatMul"]
        ranks = [2, 3, 4]
        inputs = [0, 1]
    """
    looked_at = quirk.looked_at(node.inputs)
    return not {len(shape) for shape in known_shapes(looked_at)} <= set(quirk.ranks)


def value_ranks(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes with any input or output that is known to have another number of dimensions than these.

    Fields: `ranks`, the numbers of dimensions that the engine takes.

        [[quirk]]
        kind = "value-ranks"
        ops = ["*"]
        ranks = [0, 1, 2, 3, 4, 5, 6]
    """
    return not {len(shape) for shape in known_shapes([*node.inputs, *node.outputs])} <= set(quirk.ranks)


def operand_types(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes with any input that is known to be of another element type than these.

    Fields: `types`, ONNX's names of the element types that the engine takes; `inputs`, the numbers of the inputs that
    are looked at, from 0; if it is left out, all but those to which ONNX gives one type, such as axes and sizes.

        [[quirk]]
        kind = "operand-types"
        ops = ["Pow"]
        types = ["FLOAT"]
        inputs = [1]
    """
    indices = quirk.inputs or inputs_of_any_type(node, opset)
    looked_at = [value for index, value in enumerate(node.inputs) if index in indices]
    types = {value.dtype.name for value in looked_at if value is not None and value.dtype is not None}
    return not types <= set(quirk.types)


def output_types(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes whose first output is known to be of another element type than these.

    Fields: `types`, ONNX's names of the element types that the engine gives.

        [[quirk]]
        kind = "output-types"
        ops = ["ConstantOfShape"]
        types = ["FLOAT", "INT64"]
    """
    y = node.outputs[0]
    return y.dtype is not None and y.dtype.name not in quirk.types


def wider_second(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes whose second input has more bits than the first, if both are floats or both whole numbers.

    Fields: none.

        [[quirk]]
        kind = "wider-second"
        ops = ["Pow"]
    """
    first, second = (value.dtype if value is not None else None for value in node.inputs[:2])
    if first is None or second is None or first.is_floating_point() != second.is_floating_point():
        return False
    return second.bitwidth > first.bitwidth


def cast_from_wider(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match a Cast to int64 from an element type that can hold numbers beyond int32.

    Fields: none.

        [[quirk]]
        kind = "cast-from-wider"
        ops = ["Cast"]
    """
    x = node.inputs[0]
    wider = x is not None and x.dtype is not None and x.dtype.name in BEYOND_INT32
    return wider and node.attributes.get_int("to", 0) == ir.DataType.INT64


def single_input(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes with one input alone, unless it is known to have one dimension.

    Fields: none.

        [[quirk]]
        kind = "single-input"
        ops = ["Concat"]
    """
    x = input_shape(node, 0)
    return len(node.inputs) == 1 and (x is None or len(x) != 1)


def scalar_output(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes whose first output is known to be a scalar, without dimensions.

    Fields: none.

        [[quirk]]
        kind = "scalar-output"
        ops = ["ReduceMax", "Transpose"]
    """
    shape = node.outputs[0].shape
    return shape is not None and not len(shape)


def beyond_int32(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that read a constant of int64 with a number that int32 cannot hold.

    Fields: none.

        [[quirk]]
        kind = "beyond-int32"
        ops = ["*"]
    """
    tensors = (ir.convenience.get_const_tensor(value) for value in node.inputs if value is not None)
    numbers = (tensor.numpy() for tensor in tensors if tensor is not None and tensor.dtype == ir.DataType.INT64)
    limits = np.iinfo(np.int32)
    return any(bool(((array < limits.min) | (array > limits.max)).any()) for array in numbers)


def empty_value(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that read or compute a value known to have no elements: one of its dimensions is 0.

    Fields: none.

        [[quirk]]
        kind = "empty-value"
        ops = ["*"]
    """
    return any(0 in shape for shape in known_shapes([*node.inputs, *node.outputs]))


def empty_broadcast(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes one of whose inputs is known to have no elements, and another another shape.

    Fields: none.

        [[quirk]]
        kind = "empty-broadcast"
        ops = ["Add"]
    """
    shapes = known_shapes(node.inputs)
    return any(0 in shape for shape in shapes) and len({tuple(map(str, shape)) for shape in shapes}) > 1


def steps(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes whose fifth input, the steps of a Slice, is not a constant of ones.

    Fields: none.

        [[quirk]]
        kind = "steps"
        ops = ["Slice"]
    """
    if not has_input(node, 4):
        return False
    numbers = input_constant(node, 4)
    return numbers is None or bool((numbers != 1).any())


def limits_before_the_first(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match a Slice that begins or ends at less than minus the size. Unknown limits and sizes do not count.

    Fields: none.

        [[quirk]]
        kind = "limits-before-the-first"
        ops = ["Slice"]
    """
    shape = input_shape(node, 0)
    starts, ends, axes = (_whole_numbers(node, i, name) for i, name in ((1, "starts"), (2, "ends"), (3, "axes")))
    if shape is None:
        return False
    sizes = [shape[axis] for axis in axes or range(len(starts or ends))]
    return any(
        isinstance(size, int) and number < -size
        for numbers in (starts, ends)
        for number, size in zip(numbers, sizes, strict=False)
    )


def ends_before_start(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match a Slice that ends before it starts, or after with a negative step, so that it keeps nothing.

    Limits beyond the size count as the size. Unknown limits and sizes do not count.

    Fields: none.

        [[quirk]]
        kind = "ends-before-start"
        ops = ["Slice"]
    """
    shape = input_shape(node, 0)
    starts, ends, axes = (_whole_numbers(node, i, name) for i, name in ((1, "starts"), (2, "ends"), (3, "axes")))
    steps = _whole_numbers(node, 4, "steps") or [1] * len(starts)
    if shape is None:
        return False
    for axis, start, end, step in zip(axes or range(len(starts)), starts, ends, steps, strict=False):
        if not isinstance(size := shape[axis], int):
            continue
        first, last = (min(max(limit + size if limit < 0 else limit, 0), size) for limit in (start, end))
        if (last - first) * step < 0:
            return True
    return False


def backwards_from_within(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match a Slice with a step below 0 that is not known to start at the last element of the axis.

    Steps that are computed count as such.

    Fields: none.

        [[quirk]]
        kind = "backwards-from-within"
        ops = ["Slice"]
    """
    if not has_input(node, 4):
        return False
    shape, steps, starts = input_shape(node, 0), input_constant(node, 4), input_constant(node, 1)
    if steps is None or starts is None:
        return steps is None or bool((steps < 0).any())
    axes = _whole_numbers(node, 3, "axes") or range(len(starts))
    return any(
        step < 0 and not _is_last(int(start), None if shape is None else shape[axis])
        for axis, start, step in zip(axes, starts, steps, strict=False)
    )


def _is_last(start: int, size: int | ir.SymbolicDim | None) -> bool:
    """Return whether a Slice that starts here is known to start at the last element."""
    return start == -1 or (isinstance(size, int) and start >= size - 1)


def _whole_numbers(node: ir.Node, index: int, name: str) -> list[int]:
    """Return the numbers of an attribute, or else of a constant input; empty if there are none."""
    constant = input_constant(node, index)
    stated = node.attributes.get_ints(name, [])
    return [int(number) for number in (stated if constant is None else constant.reshape(-1))]
