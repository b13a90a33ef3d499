"""`auto_pad` as the pads that it comes to.

    total = max((ceil(size / stride) - 1) stride + (kernel - 1) dilation + 1 - size, 0)

of which SAME_UPPER puts the larger half at the end, SAME_LOWER at the beginning; VALID pads nothing. Conv, MaxPool and
AveragePool of any opset with a fixed size. Fidelity: exact. ONNX.js computes other sizes for SAME_UPPER with strides.
"""

from __future__ import annotations

import math

import onnx_ir as ir

from fns_lab.opset.nodes import fixed_size
from fns_lab.rewrite.rule import OpRule


class ExplicitPads(OpRule):
    NAME = "explicit-pads"
    FIDELITY = "exact"
    WORKS_AROUND = ("auto-pad",)
    EMITS = ()
    OPS = ("Conv", "MaxPool", "AveragePool")

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        _pads(y.producer())

    def rewrite(self, op, x: ir.Value, y: ir.Value) -> ir.Value:
        node = y.producer()
        kept = {name: attribute for name, attribute in node.attributes.items() if name not in ("auto_pad", "pads")}
        return op.op(node.op_type, *node.inputs, **kept, pads=_pads(node))


def _pads(node: ir.Node) -> list[int]:
    attributes, how = node.attributes, node.attributes.get_string("auto_pad", "NOTSET")
    if node.op_type == "Conv":
        kernel = [fixed_size(node.inputs[1], axis) for axis in range(2, len(node.inputs[1].shape))]
    else:
        kernel = attributes["kernel_shape"].as_ints()
    ones = [1] * len(kernel)
    if how == "VALID":
        return [0] * 2 * len(kernel)
    begin, end = [], []
    for i, (k, s, d) in enumerate(
        zip(kernel, attributes.get_ints("strides", ones), attributes.get_ints("dilations", ones), strict=True)
    ):
        size = fixed_size(node.inputs[0], 2 + i)
        total = max((math.ceil(size / s) - 1) * s + (k - 1) * d + 1 - size, 0)
        smaller, larger = total // 2, total - total // 2
        begin.append(smaller if how == "SAME_UPPER" else larger)
        end.append(larger if how == "SAME_UPPER" else smaller)
    return [*begin, *end]
