"""What the rules for convolutions and matrix products of integers share: operands minus their zero points, and bounds.

The inputs of ConvInteger and MatMulInteger are x, w and their zero points; those of QLinearConv and QLinearMatMul are a
value, its scale and its zero point for x, for w and for the result, then a bias.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_array, fixed_size, node_input
from fns_lab.rewrite.quantization import EXACT_INTEGERS, centred, integers, largest
from fns_lab.rewrite.rule import Refusal, RewriterContext


class Operand:
    """One of the two factors of a product of integers, `index` 0 or 1, and its zero point."""

    def __init__(self, node: ir.Node, index: int) -> None:
        linear = node.op_type.startswith("QLinear")
        self.index, self.is_conv = index, "Conv" in node.op_type
        self.value = node_input(node, 3 * index if linear else index)
        at = 3 * index + 2 if linear else index + 2
        self.zero = node.inputs[at] if len(node.inputs) > at else None

    @property
    def tensor(self) -> ir.TensorProtocol | None:
        """The constant, None if the operand is computed."""
        return ir.convenience.get_const_tensor(self.value)

    @property
    def zero_point(self) -> np.ndarray | None:
        """The constant zero point so that it broadcasts with the operand, None if it is computed."""
        if self.zero is not None and ir.convenience.get_const_tensor(self.zero) is None:
            return None
        return self.by_operand(integers(self.zero))

    def by_operand(self, array: np.ndarray) -> np.ndarray:
        """Return a scale or zero point so that it broadcasts with the operand: one per kernel, row or column."""
        if array.size == 1 and array.ndim < 2:
            return array.reshape(())
        if self.is_conv and self.index:
            return array.reshape(-1, *[1] * (len(self.value.shape or ()) - 1))
        return array.reshape(-1, 1) if array.ndim == 1 and not self.index else array

    def require_supported(self) -> None:
        """Raise `Refusal` for a computed zero point that is not one number."""
        if self.zero_point is None and (self.zero is None or self.zero.shape not in ([], [1])):
            raise Refusal("a zero point is computed and not known to be one number")

    def centred(self, op: RewriterContext, name: str) -> ir.Value:
        """Return the operand minus its zero point, in float32."""
        if (zero_point := self.zero_point) is not None:
            return centred(op, self.value, zero_point, name)
        zero = centred(op, node_value(self.zero), np.array(0), f"{name}.zero_point")
        return op.Sub(centred(op, self.value, np.array(0), f"{name}.float"), zero, _outputs=[name])

    def weights(self) -> np.ndarray | None:
        """Return the absolute values of an operand minus its zero point, None if either is computed."""
        if self.tensor is None or self.zero_point is None:
            return None
        weights: np.ndarray = np.abs(self.tensor.numpy().astype(np.int64) - self.zero_point)
        return weights


def node_value(value: ir.Value | None) -> ir.Value:
    """Return the value. Raises `Refusal` if there is none."""
    if value is None:
        raise Refusal("an input is left out")
    return value


def require_exact_sums(node: ir.Node, bias: ir.Value | None = None) -> None:
    """Raise `Refusal` if a sum of a product of integers may be beyond the integers that float32 holds."""
    x, w = Operand(node, 0), Operand(node, 1)
    x.require_supported()
    w.require_supported()
    constant, other = (w, x) if w.weights() is not None else (x, w)
    most = largest(other.value.dtype, other.zero_point)
    if (weights := constant.weights()) is None:
        terms = fixed_size(x.value, -1) if not x.is_conv else constant_array(w.value)[0].size
        most *= terms * largest(constant.value.dtype, constant.zero_point)
    elif weights.size:
        most *= int(weights.sum(axis=_summed_axes(weights, constant)).max())
    if bias is not None:
        most += int(np.abs(constant_array(bias).astype(np.int64)).max(initial=0))
    if most > EXACT_INTEGERS:
        raise Refusal(f"sums of the {node.op_type} may reach {most:.3g}; float32 holds all integers up to 2^24 only")


def _summed_axes(weights: np.ndarray, operand: Operand) -> tuple[int, ...]:
    """Return the axes of a constant operand over which a product sums."""
    if operand.is_conv:
        return tuple(range(1, weights.ndim))
    return (-1,) if operand.index == 0 or weights.ndim == 1 else (-2,)
