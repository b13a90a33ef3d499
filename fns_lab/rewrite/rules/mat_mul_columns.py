"""A product with a large matrix as products with its left and its right half.

    MatMul(a, [b, c])     =  Concat(MatMul(a, b), MatMul(a, c))
    Gemm(a, [b, c], [d, e])  =  Concat(Gemm(a, b, d), Gemm(a, c, e))

Halves that are still too large are halved again.

- Supported: MatMul and Gemm of any opset, if their second input is a large constant matrix.
- Fidelity: rounding (how an engine sums up a product can depend on the number of its columns).
- Needed by: engines on WebGL, where a matrix has to fit into a texture; VGG has one of 25088 x 4096 elements.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_array, fixed_shape, has_input, name_of, node_input, producer
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, initializer
from fns_lab.rewrite.textures import TOO_LARGE, require_textures


class MatMulColumns(OpRule):
    NAME = "mat-mul-columns"
    FIDELITY = "rounding"
    WORKS_AROUND = TOO_LARGE
    EMITS = ("Concat",)
    OPS = ("Gemm", "MatMul")
    TYPES = None

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        matrix = node_input(producer(y), 1)
        if constant_array(matrix).ndim != 2 or fixed_shape(y)[-1] < 2:
            raise Refusal(f"{matrix.name} is no matrix of several columns")
        require_textures(self, x, y)

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        node = producer(y)
        columns = fixed_shape(y)[-1]
        transposed = node.attributes.get_int("transB", 0)
        matrix = constant_array(node_input(node, 1))
        halves = []
        for i, half in enumerate(np.array_split(np.arange(columns), 2)):
            part = slice(half[0], half[-1] + 1)
            weights = matrix[part] if transposed else matrix[:, part]
            inputs = [x, initializer(op, np.ascontiguousarray(weights), f"{y.name}.weights{i}")]
            if has_input(node, 2):
                inputs.append(self._bias(op, node_input(node, 2), part, columns, f"{y.name}.bias{i}"))
            halves.append(op.op(node.op_type, *inputs, **node.attributes, _outputs=[f"{y.name}.half{i}"]))
        return op.Concat(*halves, axis=len(fixed_shape(y)) - 1, _outputs=[name_of(y)])

    def _bias(self, op: RewriterContext, bias: ir.Value, part: slice, columns: int, name: str) -> ir.Value:
        """Return the bias of some columns: a part of it, or all where it is repeated along the columns."""
        shape = fixed_shape(bias)
        if not shape or shape[-1] != columns:
            return bias
        if ir.convenience.get_const_tensor(bias) is not None:
            return initializer(op, np.ascontiguousarray(constant_array(bias)[..., part]), name)
        return self.slice(op, bias, [part.start], [part.stop], [len(shape) - 1], name)
