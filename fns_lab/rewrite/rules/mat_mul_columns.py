"""A product with a large matrix as products with some of its columns each.

    MatMul(a, [b, c])        =  Concat(MatMul(a, b), MatMul(a, c))
    Gemm(a, [b, c], [d, e])  =  Concat(Gemm(a, b, d), Gemm(a, c, e))

There are as many parts as it takes for each to fit.

- Supported: MatMul and Gemm of any opset, if their second input is a constant matrix.
- Fidelity: rounding (how an engine sums up a product can depend on the number of its columns).
- Needed by: engines on WebGL, where a matrix has to fit into a texture; VGG has one of 25088 x 4096 elements.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_array, fixed_shape, has_input, name_of, node_input, producer
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, initializer
from fns_lab.rewrite.textures import TOO_LARGE, parts_that_fit, require_textures


class MatMulColumns(OpRule):
    NAME = "mat-mul-columns"
    FIDELITY = "rounding"
    WORKS_AROUND = TOO_LARGE
    EMITS = ("Concat",)
    OPS = ("Gemm", "MatMul")
    TYPES = None

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        matrix = node_input(producer(y), 1)
        if constant_array(matrix).ndim != 2:
            raise Refusal(f"{matrix.name} is no matrix")
        require_textures(self, x, y)
        self._parts(y)

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        node = producer(y)
        matrix, transposed = constant_array(node_input(node, 1)), node.attributes.get_int("transB", 0)
        products = []
        for i, columns in enumerate(self._parts(y)):
            weights = np.ascontiguousarray(matrix[columns] if transposed else matrix[:, columns])
            inputs = [x, initializer(op, weights, f"{y.name}.weights{i}")]
            if has_input(node, 2):
                inputs.append(self._bias(op, y, columns, f"{y.name}.bias{i}"))
            products.append(op.op(node.op_type, *inputs, **node.attributes, _outputs=[f"{y.name}.part{i}"]))
        return op.Concat(*products, axis=len(fixed_shape(y)) - 1, _outputs=[name_of(y)])

    def _parts(self, y: ir.Value) -> list[slice]:
        """Return which columns of the result each product computes."""
        columns, weights = fixed_shape(y)[-1], constant_array(node_input(producer(y), 1)).size
        return parts_that_fit(self, columns, lambda some: weights // columns * some)

    def _bias(self, op: RewriterContext, y: ir.Value, columns: slice, name: str) -> ir.Value:
        """Return the bias of some columns: a part of it, or all where it is repeated along the columns."""
        bias = node_input(producer(y), 2)
        shape = fixed_shape(bias)
        if not shape or shape[-1] != fixed_shape(y)[-1]:
            return bias
        if ir.convenience.get_const_tensor(bias) is not None:
            return initializer(op, np.ascontiguousarray(constant_array(bias)[..., columns]), name)
        return self.slice(op, bias, [columns.start], [columns.stop], [len(shape) - 1], name)
