"""MaxUnpool with constant indices as one Gather.

    y = Gather(Concat(x as (n,), 0), source)  as the shape of y

`source` is, for each element of y, the index of the element of x that belongs there, or n, that of the 0.

- Supported: MaxUnpool 9 to 22, constant indices, `x` of fixed shape; an output_shape only if it is the one that follows
  from the kernel, since ONNX Runtime and onnx's reference read the indices of others differently.
- Fidelity: exact.
- Needed by: targets below opset 9, where the op does not exist.
"""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_array, constant_input, fixed_shape, producer
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, dtype_of, initializer


class MaxUnpoolGather(OpRule):
    NAME = "max-unpool-gather"
    FIDELITY = "exact"
    EMITS = ("Concat", "Gather", "Reshape")
    OPS = ("MaxUnpool",)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        node, shape = producer(y), _shape(producer(y))
        indices, stated = constant_array(node.inputs[1]), constant_input(node, 2)
        if stated is not None and tuple(stated) != shape:
            raise Refusal(f"output_shape is {stated.tolist()}, and {list(shape)} follows from the kernel")
        if indices.min(initial=0) < 0 or indices.max(initial=0) >= math.prod(shape):
            raise Refusal(f"an index is outside of the output {list(shape)}")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        shape, indices = _shape(producer(y)), constant_array(producer(y).inputs[1]).reshape(-1)
        source = np.full(math.prod(shape), indices.size, np.int64)
        source[indices] = np.arange(indices.size)
        flat = self.reshape(op, x, (indices.size,), f"{y.name}.flat")
        zero = initializer(op, np.zeros(1, dtype_of(x)), f"{y.name}.zero")
        extended = op.Concat(flat, zero, axis=0, _outputs=[f"{y.name}.with_zero"])
        picked = op.Gather(extended, initializer(op, source, f"{y.name}.source"), axis=0, _outputs=[f"{y.name}.picked"])
        return self.reshape(op, picked, shape, str(y.name))


def _shape(node: ir.Node) -> tuple[int, ...]:
    """Return the shape of the output that follows from the kernel."""
    n, c, *sizes = fixed_shape(node.inputs[0])
    kernel, dimensions = node.attributes["kernel_shape"].as_ints(), len(sizes)
    strides = node.attributes.get_ints("strides", [1] * dimensions)
    pads = node.attributes.get_ints("pads", [0] * 2 * dimensions)
    inner = [(sizes[i] - 1) * strides[i] - pads[i] - pads[i + dimensions] + kernel[i] for i in range(dimensions)]
    return (n, c, *inner)
