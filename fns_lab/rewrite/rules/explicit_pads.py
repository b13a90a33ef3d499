"""The attribute auto_pad as explicit pads.

    total = max((ceil(size / stride) - 1) stride + (kernel - 1) dilation + 1 - size, 0)

SAME_UPPER puts the larger half of `total` at the end, SAME_LOWER at the beginning; VALID means no padding.

- Supported: Conv, MaxPool and AveragePool of any opset, a fixed size.
- Fidelity: exact.
- Needed by: ONNX.js, which computes other sizes for SAME_UPPER with strides.
"""

from __future__ import annotations

import math

import onnx_ir as ir

from fns_lab.opset.nodes import fixed_size, node_input, producer, rank
from fns_lab.rewrite.rule import OpRule, RewriterContext


class ExplicitPads(OpRule):
    NAME = "explicit-pads"
    FIDELITY = "exact"
    WORKS_AROUND = ("auto-pad",)
    EMITS = ()
    OPS = ("Conv", "MaxPool", "AveragePool")
    TYPES = None

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        _pads(producer(y))

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        node = producer(y)
        kept = {name: attribute for name, attribute in node.attributes.items() if name not in ("auto_pad", "pads")}
        return op.op(node.op_type, *node.inputs, **kept, pads=_pads(node))


def _pads(node: ir.Node) -> list[int]:
    x, attributes = node_input(node, 0), node.attributes
    if node.op_type == "Conv":
        kernel = [fixed_size(node_input(node, 1), axis) for axis in range(2, rank(node))]
    else:
        kernel = list(attributes["kernel_shape"].as_ints())
    ones, auto_pad = [1] * len(kernel), attributes.get_string("auto_pad", "NOTSET")
    if auto_pad == "NOTSET":
        return list(attributes.get_ints("pads", [0] * 2 * len(kernel)))
    if auto_pad == "VALID":
        return [0] * 2 * len(kernel)
    begin, end = [], []
    for i, (k, s, d) in enumerate(
        zip(kernel, attributes.get_ints("strides", ones), attributes.get_ints("dilations", ones), strict=True)
    ):
        size = fixed_size(x, 2 + i)
        total = max((math.ceil(size / s) - 1) * s + (k - 1) * d + 1 - size, 0)
        smaller, larger = total // 2, total - total // 2
        begin.append(smaller if auto_pad == "SAME_UPPER" else larger)
        end.append(larger if auto_pad == "SAME_UPPER" else smaller)
    return [*begin, *end]
