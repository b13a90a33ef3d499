"""Kinds of quirk for nodes that an engine joins with those before them, though the result is another one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import (
    NodeError,
    computed_from,
    from_the_front,
    full_pads,
    has_input,
    input_constant,
    input_shape,
)
from fns_lab.opset.signs import never_negative
from fns_lab.targets.target import Quirk

GATES = frozenset({"Erf", "HardSigmoid", "Sigmoid", "Tanh"})
"""One of these makes several nodes that end in a Mul an activation, such as `Mul(x, Sigmoid(x))`."""
INSIDE = GATES | {"Add", "Div", "Mul", "Softplus"}
"""Ops inside an activation that several nodes make."""


def norm_after_activation(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that alone read an activation that alone reads a convolution.

    An activation is a node of `after`, or several that end in a Mul, such as `Mul(x, Sigmoid(x))`.

    Fields: `after`, the op types of activations.

        [[quirk]]
        kind = "norm-after-activation"
        ops = ["BatchNormalization"]
        after = ["Sigmoid", "Tanh"]
    """
    x = node.inputs[0]
    last = None if x is None or len(x.uses()) > 1 or x.is_graph_output() else x.producer()
    if last is None or last.op_type not in (*quirk.after, "Mul"):
        return False
    nodes, origins = {last}, list(last.inputs)
    while last.op_type == "Mul" and (inner := _inside(origins)):
        nodes |= inner
        origins = [value for value in origins if value is None or value.producer() not in inner]
        origins += [value for one in inner for value in one.inputs]
    computed = {value for value in origins if value is not None and not value.is_initializer()}
    if len(computed) != 1 or not {one.op_type for one in nodes} & {*quirk.after, *GATES}:
        return False
    (origin,) = computed
    producer = origin.producer()
    alone = not origin.is_graph_output() and {use.node for use in origin.uses()} <= nodes
    return producer is not None and producer.op_type == "Conv" and alone


def _inside(values: list[ir.Value | None]) -> set[ir.Node]:
    producers = {value.producer() for value in values if value is not None}
    return {node for node in producers if node is not None and node.op_type in INSIDE}


def activation_of_another(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match an activation that alone reads a convolution, if the program of another convolution has another activation.

    The engine makes both one program, and finds it again by the sizes of the convolution alone: all those of one number
    of outputs, of weights per output and of inputs get the activation of the first that ran.

    Fields: `before`, the activations that the engine takes into the program of the convolution before them.

        [[quirk]]
        kind = "activation-of-another"
        ops = ["Relu", "Sigmoid"]
        before = ["Relu", "Sigmoid"]
    """
    conv = _fused_into(node, quirk)
    if conv is None or node.graph is None:
        return False
    sizes = _program_sizes(conv)
    alike = (other for other in node.graph if other.op_type == "Conv" and _program_sizes(other) == sizes)
    return any(_activation(other, quirk) != _activation(conv, quirk) for other in alike)


def _fused_into(node: ir.Node, quirk: Quirk) -> ir.Node | None:
    x = node.inputs[0]
    conv = None if x is None or len(x.uses()) > 1 or x.is_graph_output() else x.producer()
    return conv if conv is not None and conv.op_type == "Conv" and node.op_type in quirk.before else None


def _activation(conv: ir.Node, quirk: Quirk) -> tuple[object, ...]:
    """Return what identifies the activation in a convolution's program; nothing where it has none."""
    readers = [use.node for use in conv.outputs[0].uses()]
    if len(readers) != 1 or _fused_into(readers[0], quirk) is None:
        return ()
    (reader,) = readers
    limits = [constant if (constant := input_constant(reader, i)) is None else constant.item() for i in (1, 2)]
    return (reader.op_type, *limits, *(reader.attributes.get_float(name, None) for name in ("min", "max")))


def _program_sizes(conv: ir.Node) -> tuple[object, ...]:
    weights, y = input_shape(conv, 1), conv.outputs[0].shape
    per_output = None if weights is None or not weights.is_static() else math.prod(weights.numpy()[1:])
    return y, per_output, len(conv.inputs)


def fused_bias(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match an Add of a constant to a product with constant weights, if the constant is taken for a bias and is none.

    It is taken for one if its last axis, or the number of columns, is its whole size, or if it enlarges the product. It
    is one if it has at most two dimensions and is a single element or a row of that many columns.

    Fields: none.

        [[quirk]]
        kind = "fused-bias"
        ops = ["Add"]
    """
    for index, value in enumerate(node.inputs):
        product = None if value is None else value.producer()
        if product is None or product.op_type != "MatMul":
            continue
        weights, added = input_constant(product, 1), input_constant(node, 1 - index)
        if weights is not None and added is not None and weights.ndim == 2:
            y, enlarged = product.outputs[0].shape, node.outputs[0].shape
            return _is_misread(added.shape, weights.shape[1]) or (None not in (y, enlarged) and y != enlarged)
    return False


def _is_misread(shape: tuple[int, ...], columns: int) -> bool:
    size = math.prod(shape)
    if size not in (columns, *shape[-1:]):
        return False
    return len(shape) > 2 or (size > 1 and shape[-1] != columns)


def beside_another(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes whose result a node of `before` reads beside a value that is not constant nor computed from it.

    Fields: `before`, the op types that the engine joins to the node.

        [[quirk]]
        kind = "beside-another"
        ops = ["GroupNormalization"]
        before = ["Add", "Mul"]
    """
    y = node.outputs[0]
    readers = {use.node for use in y.uses() if use.node.op_type in quirk.before}
    return any(not _is_computed_from(value, y) for reader in readers for value in reader.inputs)


def _is_computed_from(value: ir.Value | None, origin: ir.Value) -> bool:
    """Return whether a value is constant, or `origin` is among those that it is computed from."""
    computed = list(computed_from([value]))
    return not computed or any(each is origin for each in computed)


def cast_of_scaled(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match a Cast to another type of a product with the value of a Constant, which is a node. Initializers are none.

    Fields: none.

        [[quirk]]
        kind = "cast-of-scaled"
        ops = ["Cast"]
    """
    x = node.inputs[0]
    product = None if x is None else x.producer()
    if x is None or product is None or product.op_type != "Mul":
        return False
    factors = [None if value is None else value.producer() for value in product.inputs]
    is_scaled = any(factor is not None and factor.op_type == "Constant" for factor in factors)
    return is_scaled and node.attributes.get_int("to") != x.dtype


def log_softmax_by_parts(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match a Sub that takes from a value the logarithm of the sum of its exponentials.

    Fields: none.

        [[quirk]]
        kind = "log-softmax-by-parts"
        ops = ["Sub"]
    """
    x, value = node.inputs
    for op_type in ("Log", "ReduceSum", "Exp"):
        producer = None if value is None else value.producer()
        if producer is None or producer.op_type != op_type:
            return False
        value = producer.inputs[0]
    return value is x


def split_by_gathers(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match a Gather of one constant index, if such nodes take every element along an axis of one value.

    Fields: none.

        [[quirk]]
        kind = "split-by-gathers"
        ops = ["Gather"]
    """
    taken, x = _taken(node), node.inputs[0]
    if taken is None or x is None:
        return False
    axis, _, size = taken
    beside = [_taken(use.node) for use in x.uses() if use.node.op_type == "Gather" and use.idx == 0]
    return size > 1 and {index for at, index, _ in filter(None, beside) if at == axis} == set(range(size))


def _taken(gather: ir.Node) -> tuple[int, int, int] | None:
    """Return the axis, the only index and the size of the axis; None if there are several or one is not known."""
    shape, indices = input_shape(gather, 0), input_constant(gather, 1)
    if shape is None or indices is None or indices.size != 1:
        return None
    axis = from_the_front(gather.attributes.get_int("axis", 0), len(shape))
    size = shape[axis]
    return (axis, from_the_front(int(indices.item()), size), size) if isinstance(size, int) else None


def power_of_centred(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match a Pow of `x - ReduceMean(x)` that a ReduceMean reads, unless its exponent is the number 2.

    Fields: none.

        [[quirk]]
        kind = "power-of-centred"
        ops = ["Pow"]
    """
    x, exponent = node.inputs[0], input_constant(node, 1)
    centred = None if x is None else x.producer()
    if centred is None or centred.op_type != "Sub" or centred.inputs[1] is None:
        return False
    mean, readers = centred.inputs[1].producer(), {use.node.op_type for use in node.outputs[0].uses()}
    if mean is None or {mean.op_type} | readers != {"ReduceMean"} or mean.inputs[0] is not centred.inputs[0]:
        return False
    axes = 1 if x is None or x.shape is None else len(x.shape)
    return exponent is None or exponent.size != 1 or exponent.item() != 2 or exponent.ndim > axes


def joined_padding(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match a pool whose padding with zeros is a Pad of its own, if it is wrong for the engine to join the two.

    The engine makes the Pad's numbers pads of the pool, which the largest element overlooks: right if none is below 0.
    It fails if the pads on one side of an axis reach the size of the window. It joins nothing if another node reads the
    padded value, if the batch or the channels are padded, and if the pool has `auto_pad`, or `pads` of an average.

    Fields: none.

        [[quirk]]
        kind = "joined-padding"
        ops = ["AveragePool", "MaxPool"]
    """
    pad, own = fused_pad(node.inputs[0]), node.attributes.get_ints("pads", [])
    is_average = node.op_type != "MaxPool"
    if pad is None or node.attributes.get_string("auto_pad", "NOTSET") != "NOTSET" or (is_average and any(own)):
        return False
    pads = full_pads(pad)
    window = node.attributes.get_ints("kernel_shape", [])
    axes = len(pads) // 2
    if len(window) != axes - 2:
        return False
    begins, ends = pads[2:axes], pads[axes + 2 :]
    own = own or [0] * (2 * len(window))
    sums = zip(begins + ends, own, strict=True)
    if any(given + its_own >= size for (given, its_own), size in zip(sums, [*window, *window], strict=True)):
        return True
    x = pad.inputs[0]
    return not is_average and any(pads) and (x is None or not never_negative(x))


def fused_pad(x: ir.Value | None) -> ir.Node | None:
    """Return the Pad that an engine makes part of the node that alone reads `x`; None if there is none.

    It pads an image with a constant number of zeros, not its batch or channels. Copies in between are no hindrance.
    """
    pad = _only_producer(x)
    while pad is not None and pad.op_type == "Identity":
        pad = _only_producer(pad.inputs[0])
    if pad is None or pad.op_type != "Pad" or pad.attributes.get_string("mode", "constant") != "constant":
        return None
    number = input_constant(pad, 2) if has_input(pad, 2) else np.float32(pad.attributes.get_float("value", 0.0))
    try:
        pads = full_pads(pad)
    except NodeError:
        return None
    axes = len(pads) // 2
    of_image = axes > 2 and not any(pads[:2] + pads[axes : axes + 2]) and min(pads) >= 0
    return pad if of_image and number is not None and not number.any() else None


def _only_producer(x: ir.Value | None) -> ir.Node | None:
    """Return the node that computes `x`, if one node alone reads it."""
    return None if x is None or len(x.uses()) > 1 or x.is_graph_output() else x.producer()


def joined_reshapes(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes with a 0 in their shape, which keeps a size, that alone read the result of a node of the same op.

    The engine joins them, so that the 0 keeps a size of what the first one reads. Where that is known to be the same
    size, the node is right. So with several nodes before it, and with a Transpose between them that moves nothing.

    Fields: none.

        [[quirk]]
        kind = "joined-reshapes"
        ops = ["Reshape"]
    """
    sizes, x = input_constant(node, 1), node.inputs[0]
    if sizes is None or x is None:
        return False
    kept = [axis for axis, size in enumerate(sizes.reshape(-1)) if size == 0]
    wanted, before = _sizes_at(x, kept), _only_producer(x)
    while kept and before is not None and (before.op_type == node.op_type or _moves_nothing(before)):
        x = before.inputs[0]
        if None in wanted or _sizes_at(x, kept) != wanted:
            return True
        before = _only_producer(x)
    return False


def _moves_nothing(node: ir.Node) -> bool:
    order = node.attributes.get_ints("perm", ()) or ()
    return node.op_type == "Transpose" and bool(order) and list(order) == sorted(order)


def _sizes_at(x: ir.Value | None, axes: Sequence[int]) -> list[int | str | None]:
    """Return the sizes of these axes, or the names of free ones; None for one that is not known."""
    shape = () if x is None or x.shape is None else tuple(x.shape)
    sizes = [shape[axis] if axis < len(shape) else None for axis in axes]
    return [size.value if isinstance(size, ir.SymbolicDim) else size for size in sizes]
