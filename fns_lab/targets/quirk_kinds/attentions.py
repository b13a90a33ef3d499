"""The kind of quirk for nodes that an engine joins to one layer of attention, though it computes another function."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from fns_lab.opset.nodes import from_the_front, input_constant
from fns_lab.targets.target import Quirk


@dataclass(frozen=True)
class Projection:
    """Queries, keys or values as `Transpose(Reshape(MatMul(x, weights) + bias))`.

    - `product`: the MatMul
    - `scaled`: whether they are multiplied by a constant afterwards
    - `biased`: whether a constant is added
    - `inner`: the values on the way
    """

    product: ir.Node
    scaled: bool
    biased: bool
    inner: tuple[ir.Value, ...]


def joined_attention(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match the MatMul of an attention's weights and values, where an engine joins the whole attention and is wrong.

    It joins `Reshape(Transpose(MatMul(Softmax(scores), v)))`, where `scores` are `MatMul(q, k)`, with a mask added or
    not, and q, k and v are projections of one value by constant weights: by three products, if the scores are divided
    by a number or q and k multiplied by one, or by a single product, if q alone is multiplied. It is right only if all
    projections have a bias, the Softmax is along the last axis, the mask is the second input of its Add, and none of
    the values in between is a graph output.

    Fields: none.

        [[quirk]]
        kind = "joined-attention"
        ops = ["MatMul"]
    """
    softmax, heads = _before(node.inputs[0], "Softmax"), _put_together(node.outputs[0])
    if softmax is None or heads is None:
        return False
    inner = [node.outputs[0], heads, *softmax.outputs]
    scores, scores_first, divided = softmax.inputs[0], True, False
    if (mask := _before(scores, "Add")) is not None:
        scores_first = not mask.inputs[0] or _leads_to_product(mask.inputs[0])
        inner.append(mask.outputs[0])
        scores = mask.inputs[0 if scores_first else 1]
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
    count = len({part.product for part in (q, k, v)})
    joined = (divided or (q.scaled and k.scaled)) if count == 3 else (q.scaled and not k.scaled and not divided)
    inner += [product.outputs[0], *q.inner, *k.inner, *v.inner]
    is_right = q.biased and k.biased and v.biased and scores_first and _is_along_last_axis(softmax, opset)
    return joined and not (is_right and not any(value.is_graph_output() for value in inner))


def _before(value: ir.Value | None, *op_types: str) -> ir.Node | None:
    """Return the node of these op types that computes a value; None if another one does."""
    node = None if value is None else value.producer()
    return node if node is not None and node.op_type in op_types else None


def _put_together(value: ir.Value) -> ir.Value | None:
    """Return the result of the Transpose that alone reads a value, if a Reshape alone reads it; else None."""
    transpose = _only_reader(value, "Transpose")
    if transpose is None or _only_reader(transpose.outputs[0], "Reshape") is None:
        return None
    return transpose.outputs[0]


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
    inner, scaled, biased = list[ir.Value](), False, False
    while (node := _before(value, "Add", "Gather", "Mul", "Reshape", "Transpose")) is not None:
        inner.append(node.outputs[0])
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
    product = _before(value, "MatMul")
    weights = None if product is None else input_constant(product, 1)
    if product is None or weights is None or weights.ndim != 2:
        return None
    return Projection(product, scaled, biased, (*inner, product.outputs[0]))


def _is_along_last_axis(softmax: ir.Node, opset: int) -> bool:
    axis = softmax.attributes.get_int("axis", -1 if opset >= 13 else 1)
    shape = softmax.outputs[0].shape
    return axis == -1 or (shape is not None and from_the_front(axis, len(shape)) == len(shape) - 1)
