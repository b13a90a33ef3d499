"""The kind of quirk for nodes that an engine joins to one layer of attention, though it computes another function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import onnx_ir as ir

from fns_lab.opset.nodes import from_the_front, input_constant
from fns_lab.targets.target import Quirk

SPLIT: Mapping[int, Mapping[str, tuple[tuple[int, ...], ...]]] = {
    3: {"q": ((0, 2, 1, 3),), "k": ((0, 2, 3, 1),), "v": ((0, 2, 1, 3),)},
    1: {"q": ((2, 0, 3, 1, 4),), "k": ((0, 1, 3, 2), (2, 0, 3, 1, 4)), "v": ((2, 0, 3, 1, 4),)},
}
"""The `perm` of the Transposes, the last first, that give queries, keys and values their axes, by how many products."""


@dataclass(frozen=True)
class Projection:
    """Queries, keys or values as `Transpose(Reshape(MatMul(x, weights) + bias))`.

    - `product`: the MatMul or Gemm
    - `scaled`: whether they are multiplied by a constant afterwards
    - `biased`: whether a constant is added
    - `after`: the nodes after the product, the last first
    """

    product: ir.Node
    scaled: bool
    biased: bool
    after: tuple[ir.Node, ...]

    @property
    def inner(self) -> tuple[ir.Value, ...]:
        """The values on the way."""
        return tuple(node.outputs[0] for node in (*self.after, self.product))

    def of_type(self, op_type: str) -> list[ir.Node]:
        """Return the nodes after the product that are of an op type, the last first."""
        return [node for node in self.after if node.op_type == op_type]


def joined_attention(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match the MatMul of an attention's weights and values, where an engine joins the whole attention and is wrong.

    It joins `Reshape(Transpose(MatMul(Softmax(scores), v)))`, where `scores` are `MatMul(q, k)`, with a mask added or
    not, and q, k and v are projections of one value by constant weights: by three products, if the scores are divided
    by a number or q and k multiplied by one, or by a single product, if q alone is multiplied. It is right only if all
    projections have a bias, the Softmax is along the last axis, the mask is the second input of its Add and computed
    before the projections, and none of the values in between is a graph output. The layer reads and writes values of
    batch, length and channels, takes the heads for the third of the sizes of a Reshape, and these must be stated.

    Fields: none.

        [[quirk]]
        kind = "joined-attention"
        ops = ["MatMul"]
    """
    softmax, heads = _before(node.inputs[0], "Softmax"), _put_together(node.outputs[0])
    if softmax is None or heads is None:
        return False
    inner = [node.outputs[0], *(value for value in heads.inputs[:1] if value), *softmax.outputs]
    scores, added, scores_first, divided = softmax.inputs[0], None, True, False
    if (mask := _before(scores, "Add")) is not None:
        scores_first = not mask.inputs[0] or _leads_to_product(mask.inputs[0])
        inner.append(mask.outputs[0])
        scores, added = mask.inputs[:: 1 if scores_first else -1]
    if (division := _before(scores, "Div")) is not None and _is_number(division, 1):
        divided = True
        inner.append(division.outputs[0])
        scores = division.inputs[0]
    product = _before(scores, "MatMul")
    if product is None:
        return False
    q, k, v = (_projection(value) for value in (*product.inputs, node.inputs[1]))
    if q is None or k is None or v is None or len({part.product.inputs[0] for part in (q, k, v)}) > 1:
        return False
    products = {part.product for part in (q, k, v)}
    joined = (divided or (q.scaled and k.scaled)) if len(products) == 3 else (q.scaled and not k.scaled and not divided)
    inner += [product.outputs[0], *q.inner, *k.inner, *v.inner]
    is_right = (
        (q.biased and k.biased and v.biased and scores_first and _is_along_last_axis(softmax, opset))
        and _is_computed_before(added, products)
        and _is_split_into_heads({"q": q, "k": k, "v": v}, len(products))
        and _is_joined_from_heads(heads, q.product.inputs[0])
    )
    return joined and not (is_right and not any(value.is_graph_output() for value in inner))


def _is_computed_before(value: ir.Value | None, nodes: set[ir.Node]) -> bool:
    """Return whether a value is there before any of these nodes runs, in the order of the file."""
    producer = None if value is None else value.producer()
    if producer is None or producer.graph is None:
        return True
    return next(node for node in producer.graph if node is producer or node in nodes) is producer


def _is_split_into_heads(parts: Mapping[str, Projection], products: int) -> bool:
    """Return whether a Reshape with a stated number of heads, then Transposes, make the axes that the layer does."""
    for name, part in parts.items():
        reshapes = part.of_type("Reshape")
        if len(reshapes) != 1 or not _keeps_rows(part.product.inputs[0], reshapes[0].outputs[0]):
            return False
        sizes = input_constant(reshapes[0], 1)
        if products == 3 and sizes is not None and (sizes.size < 3 or sizes[2] <= 0):
            return False
        if tuple(_perm(node) for node in part.of_type("Transpose")) != SPLIT[products][name]:
            return False
    return True


def _is_joined_from_heads(reshape: ir.Node, x: ir.Value | None) -> bool:
    transpose = reshape.inputs[0].producer() if reshape.inputs[0] else None
    y = reshape.outputs[0]
    is_flat = y.shape is not None and len(y.shape) == 3
    return is_flat and transpose is not None and _perm(transpose) == (0, 2, 1, 3) and _keeps_rows(x, y)


def _keeps_rows(x: ir.Value | None, y: ir.Value) -> bool:
    """Return whether `x` has three axes, the first two of which are known to be those of `y`."""
    if x is None or x.shape is None or y.shape is None or len(x.shape) != 3:
        return False
    rows = tuple(x.shape)[:2]
    return rows == tuple(y.shape)[:2] and all(isinstance(size, int) or size.value for size in rows)


def _perm(transpose: ir.Node) -> tuple[int, ...]:
    return tuple(transpose.attributes.get_ints("perm", ()))


def _before(value: ir.Value | None, *op_types: str) -> ir.Node | None:
    """Return the node of these op types that computes a value; None if another one does."""
    node = None if value is None else value.producer()
    return node if node is not None and node.op_type in op_types else None


def _put_together(value: ir.Value) -> ir.Node | None:
    """Return the Reshape that alone reads the Transpose that alone reads a value; else None."""
    transpose = _only_reader(value, "Transpose")
    return None if transpose is None else _only_reader(transpose.outputs[0], "Reshape")


def _only_reader(value: ir.Value, op_type: str) -> ir.Node | None:
    readers = [use.node for use in value.uses()]
    return readers[0] if len(readers) == 1 and readers[0].op_type == op_type else None


def _leads_to_product(value: ir.Value | None) -> bool:
    division = _before(value, "Div")
    return _before(value if division is None else division.inputs[0], "MatMul") is not None


def _is_number(node: ir.Node, index: int) -> bool:
    number = input_constant(node, index)
    return number is not None and number.size == 1


def _projection(value: ir.Value | None) -> Projection | None:
    """Return what computes queries, keys or values; None if it is no projection."""
    after, scaled, biased = list[ir.Node](), False, False
    while (node := _before(value, "Add", "Gather", "Mul", "Reshape", "Transpose")) is not None:
        after.append(node)
        if node.op_type == "Mul":
            scaled = True
        if node.op_type in ("Add", "Mul"):
            constant = next((index for index in range(2) if input_constant(node, index) is not None), None)
            if constant is None:
                return None
            biased = biased or node.op_type == "Add"
            value = node.inputs[1 - constant]
        else:
            value = node.inputs[0]
    product = _before(value, "Gemm", "MatMul")
    weights = None if product is None else input_constant(product, 1)
    if product is None or weights is None or weights.ndim != 2:
        return None
    return Projection(product, scaled, biased or len(product.inputs) == 3, tuple(after))


def _is_along_last_axis(softmax: ir.Node, opset: int) -> bool:
    axis = softmax.attributes.get_int("axis", -1 if opset >= 13 else 1)
    shape = softmax.outputs[0].shape
    return axis == -1 or (shape is not None and from_the_front(axis, len(shape)) == len(shape) - 1)
