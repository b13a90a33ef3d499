"""Values that are finite wherever the inputs of the model are, as far as the ops before them say."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import input_constant
from fns_lab.rewrite.rule import Refusal

KEEP_FINITE = frozenset({
    "Abs", "Add", "Atan", "AveragePool", "Cast", "Ceil", "Clip", "Concat", "Conv", "ConvTranspose", "Cos",
    "DepthToSpace", "Erf", "Expand", "Flatten", "Floor", "Gather", "Gemm", "GlobalAveragePool", "GlobalMaxPool",
    "HardSigmoid", "Identity", "LeakyRelu", "MatMul", "Max", "MaxPool", "Min", "Mul", "Neg", "PRelu", "Pad",
    "ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum", "ReduceSumSquare", "Relu", "Reshape", "Resize", "Sigmoid",
    "Sign", "Sin", "Slice", "Softmax", "SpaceToDepth", "Split", "Squeeze", "Sub", "Sum", "Tanh", "Tile", "Transpose",
    "Unsqueeze", "Upsample", "Where",
})  # fmt: skip
"""Ops that make finite numbers of finite numbers, unless a sum or product is too large for float32."""


def raise_unless_finite(value: ir.Value) -> None:
    """Raise `Refusal` if a constant or an op that `value` is computed from may make it infinite or NaN."""
    pending, seen = [value], {value}
    while pending:
        current = pending.pop()
        if (tensor := ir.convenience.get_const_tensor(current)) is not None:
            if current.dtype == ir.DataType.FLOAT and not np.isfinite(tensor.numpy()).all():
                raise Refusal(f"{current.name} holds an infinity or NaN, which may stay in {value.name}")
            continue
        node = current.producer()
        if node is None or current.dtype == ir.DataType.BOOL:
            continue
        if not _keeps_finite(node):
            raise Refusal(f"a {node.op_type} before {value.name} may give an infinity or NaN")
        inputs = [each for each in node.inputs if each is not None and each not in seen]
        seen.update(inputs)
        pending += inputs


def _keeps_finite(node: ir.Node) -> bool:
    if node.op_type == "Div":
        divisor = input_constant(node, 1)
        return divisor is not None and bool((divisor != 0).all())
    return node.op_type in KEEP_FINITE
