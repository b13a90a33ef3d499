"""Kinds of quirk for a node that an engine computes correctly or not depending on the nodes around it."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import input_constant, input_shape, inputs_computed_by, known_shapes, repeated_inputs
from fns_lab.targets.target import Quirk

ROUNDS_FROM = 2**20
"""A float32 sum with a constant of this size or more counts as one that is meant to round."""


def same_input_twice(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that read two results of one node, or one twice, such as `Mul(r, r)`; graph inputs do not count.

    Fields: none.

        [[quirk]]
        kind = "same-input-twice"
        ops = ["Add", "Mul"]
    """
    return bool(repeated_inputs(node))


def squared(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that read one value twice, if it is known to be of one of these element types.

    Fields: `types`, ONNX's names of element types.

        [[quirk]]
        kind = "squared"
        ops = ["Mul"]
        types = ["INT64"]
    """
    x, *others = node.inputs
    return x is not None and x.dtype is not None and x.dtype.name in quirk.types and x in others


def leads_to(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes whose result is of int64 and read by one of some other ops, directly or after others of int64.

    Fields: `before`, the op types that read it.

        [[quirk]]
        kind = "leads-to"
        ops = ["Cast"]
        before = ["CumSum", "TopK"]
    """
    waiting, seen = [node], set[ir.Node]()
    while waiting:
        outputs = [value for value in waiting.pop().outputs if value.dtype == ir.DataType.INT64]
        readers = {use.node for value in outputs for use in value.uses()} - seen
        if any(reader.op_type in quirk.before for reader in readers):
            return True
        seen |= readers
        waiting += readers
    return False


def size_of_shape(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match a Size of the result of a Shape, copied or not, all of whose sizes are known.

    Fields: none.

        [[quirk]]
        kind = "size-of-shape"
        ops = ["Size"]
    """
    value = node.inputs[0]
    shape = None if value is None else value.producer()
    while shape is not None and shape.op_type == "Identity" and shape.inputs[0] is not None:
        shape = shape.inputs[0].producer()
    if shape is None or shape.op_type != "Shape":
        return False
    sizes = input_shape(shape, 0)
    return sizes is not None and sizes.is_static()


def shared_input(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes whose first input is read in another place too.

    Fields: none.

        [[quirk]]
        kind = "shared-input"
        ops = ["Reshape", "Flatten"]
    """
    x = node.inputs[0]
    return x is not None and len(x.uses()) > 1


def given_out_twice(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes whose output is a graph output, if their first input is one too or is read in another place too.

    A constant input does not count.

    Fields: none.

        [[quirk]]
        kind = "given-out-twice"
        ops = ["Identity", "Dropout"]
    """
    x = node.inputs[0]
    if x is None or x.is_initializer() or not node.outputs[0].is_graph_output():
        return False
    return x.is_graph_output() or len(x.uses()) > 1


def read_after(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes whose first input is computed by one of some other ops.

    Fields: `after`, the op types that compute the input.

        [[quirk]]
        kind = "read-after"
        ops = ["Relu", "Softmax"]
        after = ["Reshape", "Flatten"]
    """
    return 0 in inputs_computed_by(node, quirk.after)


def reshaped_sizes(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes whose second input, not the first, is computed by a node of the same op, and read by this node alone.

    The engine joins the two only where the sizes of the result are known; other results do not count.

    Fields: none.

        [[quirk]]
        kind = "reshaped-sizes"
        ops = ["Reshape"]
    """
    if inputs_computed_by(node, (node.op_type,)) != (1,):
        return False
    sizes, y = node.inputs[1], node.outputs[0]
    if sizes is None or len(sizes.uses()) > 1 or sizes.is_graph_output():
        return False
    return y.shape is not None and y.shape.is_static()


def packed_weights(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match convolutions whose weights a node computes, or a node reads that is no such convolution.

    The weights of a convolution lie in a texture of their own form, in which no node writes and no other node reads.

    Fields: none.

        [[quirk]]
        kind = "packed-weights"
        ops = ["Conv"]
    """
    weights = node.inputs[1]
    if weights is None:
        return False
    reads_alike = ((use.node.op_type, use.idx) == (node.op_type, 1) for use in weights.uses())
    computed = weights.producer() is not None and ir.convenience.get_const_tensor(weights) is None
    return computed or not all(reads_alike)


def packed_dense_weights(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match convolutions in one group whose weights a node computes, or a node reads that is no convolution.

    Fields: none.

        [[quirk]]
        kind = "packed-dense-weights"
        ops = ["Conv"]
    """
    return node.attributes.get_int("group", 1) == 1 and packed_weights(node, quirk, opset)


def read_after_alike(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes with any input that is computed by one of some other ops, unless the inputs are known to broadcast.

    Fields: `after`, the op types that compute the input.

        [[quirk]]
        kind = "read-after-alike"
        ops = ["Add", "Mul"]
        after = ["Reshape", "Flatten"]
    """
    return bool(inputs_computed_by(node, quirk.after)) and not _broadcasts(node)


def scalar_read_after(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes with a scalar computed by one of some other ops, unless all their inputs are known to be scalars.

    Fields: `after`, the op types that compute the scalar.

        [[quirk]]
        kind = "scalar-read-after"
        ops = ["Add", "Mul"]
        after = ["Squeeze"]
    """
    scalars = [
        shape is not None and not len(shape) for shape in (input_shape(node, i) for i in range(len(node.inputs)))
    ]
    return not all(scalars) and any(scalars[index] for index in inputs_computed_by(node, quirk.after))


def _broadcasts(node: ir.Node) -> bool:
    """Return whether known shapes differ, or one input is a single element, which has no wrong place to be read at."""
    shapes = known_shapes(node.inputs)
    single = any(all(size == 1 for size in shape) for shape in shapes)
    return single or len({tuple(map(str, shape)) for shape in shapes}) > 1


def unshifted(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that read anything but `x - ReduceMax(x)`.

    Fields: none.

        [[quirk]]
        kind = "unshifted"
        ops = ["Softmax"]
    """
    return not _reads_shifted(node, "ReduceMax")


def _reads_shifted(node: ir.Node, by: str) -> bool:
    """Return whether the first input is a value minus what this reduction makes of it."""
    shift = _producer(node, 0)
    if shift is None or shift.op_type != "Sub":
        return False
    reduction = _producer(shift, 1)
    return reduction is not None and reduction.op_type == by and reduction.inputs[0] is shift.inputs[0]


def rounds_by_sums(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match a Sub that takes away the constant which the Add before it added, so large that float32 rounds the sum.

    Fields: none.

        [[quirk]]
        kind = "rounds-by-sums"
        ops = ["Sub"]
    """
    added, shift = _producer(node, 0), input_constant(node, 1)
    if shift is None or added is None or added.op_type != "Add" or not (np.abs(shift) >= ROUNDS_FROM).all():
        return False
    return any((other := input_constant(added, i)) is not None and np.array_equal(other, shift) for i in (0, 1))


def uncentred(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that read anything but `x - ReduceMean(x)`.

    Fields: none.

        [[quirk]]
        kind = "uncentred"
        ops = ["InstanceNormalization"]
    """
    return not _reads_shifted(node, "ReduceMean")


def unlimited(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that read anything but the result of a Clip.

    Fields: none.

        [[quirk]]
        kind = "unlimited"
        ops = ["Tanh"]
    """
    limit = _producer(node, 0)
    return limit is None or limit.op_type != "Clip"


def untruncated(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match casts of floats to whole numbers that a node reads, and casts of numbers to booleans.

    Left out are whole numbers already: what Ceil or Floor computes, and differences of these; for booleans Ceil of a
    Clip, which computes 0 and 1.

    Fields: none.

        [[quirk]]
        kind = "untruncated"
        ops = ["Cast"]
    """
    x, to = node.inputs[0], ir.DataType(node.attributes.get_int("to", 0))
    if x is None or x.dtype is None:
        return False
    if to == ir.DataType.BOOL:
        return x.dtype != to and not (_computed_by(node, "Ceil") and _computed_by(_producer(node, 0), "Clip"))
    read = any(output.uses() for output in node.outputs)
    return read and x.dtype.is_floating_point() and to.is_integer() and not _is_whole(node)


def _is_whole(node: ir.Node) -> bool:
    """Return whether the first input is computed as a whole number."""
    difference = _producer(node, 0) if _computed_by(node, "Sub") else None
    return _computed_by(node, "Ceil", "Floor") or (difference is not None and _is_whole(difference))


def _computed_by(node: ir.Node | None, *op_types: str) -> bool:
    before = None if node is None else _producer(node, 0)
    return before is not None and before.op_type in op_types


def between_quantizers(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes between a DequantizeLinear and a QuantizeLinear, beside others of one computed input.

    A Relu on the way ends the search, since it is not fused.

    Fields: none.

        [[quirk]]
        kind = "between-quantizers"
        ops = ["Softmax"]
    """
    return _comes_from(node, "DequantizeLinear") and _goes_to(node, "QuantizeLinear")


def dequantized(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that read what a DequantizeLinear gives, or a Relu of it, unless a QuantizeLinear reads their result.

    Fields: none.

        [[quirk]]
        kind = "dequantized"
        ops = ["MaxPool"]
    """
    before = _producer(node, 0)
    while before is not None and before.op_type == "Relu":
        before = _producer(before, 0)
    return before is not None and before.op_type == "DequantizeLinear" and not _goes_to(node, "QuantizeLinear")


def dequantized_weights(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match a DequantizeLinear of constant weights of 8 bits or fewer, if only a product by these reads its result.

    The product is a plain one, of a value that is not dequantized itself. The weights are a matrix with one scale, one
    per column, or one per block of rows.

    Fields: `before`, the op types of products.

        [[quirk]]
        kind = "dequantized-weights"
        ops = ["DequantizeLinear"]
        before = ["Gemm", "MatMul"]
    """
    weights, uses = input_constant(node, 0), list(node.outputs[0].uses())
    if weights is None or weights.ndim != 2 or weights.dtype.itemsize > 1 or len(uses) != 1:
        return False
    product, index = uses[0]
    if product.op_type not in quirk.before or index != 1 or _computed_by(product, "DequantizeLinear"):
        return False
    scaled = any(product.attributes.get_float(name, 1.0) != 1 for name in ("alpha", "beta"))
    if scaled or any(product.attributes.get_int(name, 0) for name in ("transA", "transB")):
        return False
    scales, of_rows = input_shape(node, 1), node.attributes.get_int("axis", 1) in (0, -2)
    if scales is None or all(size == 1 for size in scales):
        return True
    return of_rows == (len(scales) == 2)


def _comes_from(node: ir.Node, op_type: str) -> bool:
    before = _producer(node, 0)
    while before is not None and before.op_type != op_type:
        before = _producer(before, 0) if _computes_on_one_value(before) else None
    return before is not None


def _goes_to(node: ir.Node, op_type: str) -> bool:
    after = [use.node for use in node.outputs[0].uses() if use.idx == 0]
    return any(n.op_type == op_type or (_computes_on_one_value(n) and _goes_to(n, op_type)) for n in after)


def _computes_on_one_value(node: ir.Node) -> bool:
    computed = [x for x in node.inputs if x is not None and ir.convenience.get_const_tensor(x) is None]
    return node.op_type != "Relu" and len(computed) == 1 == len(node.outputs)


def _producer(node: ir.Node, index: int) -> ir.Node | None:
    value = node.inputs[index]
    return None if value is None else value.producer()
