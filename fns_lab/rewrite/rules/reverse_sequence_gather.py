"""ReverseSequence with constant lengths as one Gather.

    ReverseSequence(x, lengths)  =  Gather(x as (T B, ...), source)  as  (T, B, ...)

`source` is the index of each step of each sequence, the first of them in reverse order.

- Supported: ReverseSequence 10 and later, any element type, `x` of fixed shape, constant lengths; both orders of the
  axes.
- Fidelity: exact.
- Needed by: targets below opset 10, where the op does not exist.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_array, fixed_shape, producer
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, initializer


class ReverseSequenceGather(OpRule):
    NAME = "reverse-sequence-gather"
    FIDELITY = "exact"
    EMITS = ("Gather", "Reshape")
    OPS = ("ReverseSequence",)
    TYPES = None

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        steps = fixed_shape(x)[producer(y).attributes.get_int("time_axis", 0)]
        lengths = constant_array(producer(y).inputs[1])
        if lengths.min(initial=0) < 0 or lengths.max(initial=0) > steps:
            raise Refusal(f"a length is outside of 0 to {steps}")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        node, shape = producer(y), fixed_shape(x)
        time_first = node.attributes.get_int("time_axis", 0) == 0
        steps = shape[0] if time_first else shape[1]
        place, lengths = np.arange(steps)[:, None], constant_array(node.inputs[1])[None, :]
        step = np.where(place < lengths, lengths - 1 - place, place)
        sequence = np.broadcast_to(np.arange(lengths.size), step.shape)
        source = step * lengths.size + sequence if time_first else (sequence * steps + step).T
        flat = self.reshape(op, x, (shape[0] * shape[1], *shape[2:]), f"{y.name}.flat")
        indices = initializer(op, source.reshape(-1).astype(np.int64), f"{y.name}.source")
        return self.reshape(op, op.Gather(flat, indices, axis=0, _outputs=[f"{y.name}.reversed"]), shape, str(y.name))
