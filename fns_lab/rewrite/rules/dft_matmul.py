"""DFT and STFT as a MatMul by the constant matrix of the transform.

    DFT(x)   =  Reshape(MatMul(Reshape(x, (rest, n parts)), matrix))          between Transposes that move the axis
    STFT(x)  =  Reshape(MatMul(Reshape(frames * window), matrix))             frames = Gather(x, first sample + 0..n-1)

The matrix takes real and imaginary parts, which follow each other, to those of the result.

- Supported: DFT 17 and 20 and STFT 17, float32 of fixed shape, constant lengths and axis; forward and inverse, real and
  complex, onesided. The window may be computed.
- Fidelity: rounding.
- Needed by: ONNX.js, which has neither.
"""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_input, fixed_shape, from_the_front, has_input, name_of, producer
from fns_lab.rewrite.fourier import Transform
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, initializer

AXIS_INPUT_SINCE = 20
"""Opset from which the axis of DFT is an input."""
LARGEST_MATRIX = 2**22
"""Most elements of a matrix that is written."""


class DftMatMul(OpRule):
    NAME = "dft-matmul"
    FIDELITY = "rounding"
    EMITS = ("Gather", "MatMul", "Mul", "Reshape", "Transpose")
    OPS = ("DFT", "STFT")

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        node = producer(y)
        shape = fixed_shape(x)
        if 0 in shape or shape[-1] not in (1, 2):
            raise Refusal(f"the last axis of {x.name} is {shape[-1]}, 1 or 2 is needed")
        size = math.prod(self._transform(node, shape).matrix_shape)
        if size > LARGEST_MATRIX:
            raise Refusal(f"the matrix of the transform has {size} elements, more than {LARGEST_MATRIX}")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        node, shape, name = producer(y), fixed_shape(x), name_of(y)
        transform = self._transform(node, shape)
        matrix = transform.matrix()
        if self.root == "STFT":
            return self._transformed(op, *self._frames(op, node, x, shape, name), matrix, 2, name)
        axis, last = self._axis(node, len(shape)), len(shape) - 2
        parts = 1 if transform.is_real_inverse else 2
        perm = [*(i for i in range(len(shape)) if i not in (axis, len(shape) - 1)), axis, len(shape) - 1]
        if axis == last:
            return self._transformed(op, x, shape, matrix, parts, name)
        turned = op.Transpose(x, perm=perm, _outputs=[f"{name}.turned"])
        result = self._transformed(op, turned, [shape[i] for i in perm], matrix, parts, f"{name}.transformed")
        return op.Transpose(result, perm=np.argsort(perm).tolist(), _outputs=[name])

    def _transformed(
        self, op: RewriterContext, x: ir.Value, shape: list[int] | tuple[int, ...], matrix: np.ndarray, parts: int,
        name: str,
    ) -> ir.Value:  # fmt: skip
        """Return the transform of `x`, of this shape, along the axis before its last one."""
        rest = list(shape[:-2])
        flat = self.reshape(op, x, (math.prod(rest), matrix.shape[0]), f"{name}.flat")
        product = op.MatMul(flat, initializer(op, matrix, f"{name}.matrix"), _outputs=[f"{name}.product"])
        return self.reshape(op, product, (*rest, matrix.shape[1] // parts, parts), name)

    def _frames(
        self, op: RewriterContext, node: ir.Node, x: ir.Value, shape: tuple[int, ...], name: str
    ) -> tuple[ir.Value, list[int]]:
        """Return the frames of a signal, times the window, and their shape `(batch, frames, length, parts)`."""
        batch, signal, parts = shape
        length, step = _frame_length(node, signal), _number(node, 1)
        starts = np.arange(0, signal - length + 1, step)
        samples = initializer(op, starts[:, None] + np.arange(length), f"{name}.samples")
        frames = op.Gather(x, samples, axis=1, _outputs=[f"{name}.frames"])
        window = node.inputs[2] if len(node.inputs) > 2 else None
        if window is not None:
            column = self.reshape(op, window, (length, 1), f"{name}.window")
            frames = op.Mul(frames, column, _outputs=[f"{name}.windowed"])
        return frames, [batch, starts.size, length, parts]

    def _axis(self, node: ir.Node, rank: int) -> int:
        if self.opset < AXIS_INPUT_SINCE:
            return from_the_front(node.attributes.get_int("axis", 1), rank)
        axis = constant_input(node, 2)
        return from_the_front(-2 if axis is None else int(axis.item()), rank)

    def _transform(self, node: ir.Node, shape: tuple[int, ...]) -> Transform:
        """Return the transform of the node. Raises `NodeError` if a length is computed or does not fit."""
        attributes, parts = node.attributes, shape[-1]
        onesided = bool(attributes.get_int("onesided", int(node.op_type == "STFT")))
        if node.op_type == "STFT":
            given, inverse, length = _frame_length(node, shape[1]), False, None
        else:
            given, inverse = shape[self._axis(node, len(shape))], bool(attributes.get_int("inverse", 0))
            length = constant_input(node, 1)
        real_inverse = inverse and onesided
        if real_inverse and parts != 2:
            raise Refusal("a onesided inverse transform of real numbers is not defined")
        if onesided and not real_inverse and parts == 2:
            raise Refusal("a onesided transform of complex numbers is not defined")
        whole = 2 * (given - 1) if real_inverse else given
        return Transform(whole if length is None else int(length.item()), given, parts, inverse, onesided)


def _number(node: ir.Node, index: int) -> int:
    array = constant_input(node, index)
    if array is None:
        raise Refusal(f"{node.op_type} has no input {index}")
    return int(array.item())


def _frame_length(node: ir.Node, signal: int) -> int:
    window = node.inputs[2] if len(node.inputs) > 2 else None
    if has_input(node, 3):
        length = _number(node, 3)
    else:
        length = signal if window is None else fixed_shape(window)[0]
    if _number(node, 1) < 1 or not 1 <= length <= signal:
        raise Refusal(f"frames of {length} samples, {_number(node, 1)} apart, in a signal of {signal}")
    return length
