"""LSTM, GRU and RNN of a fixed length, their steps written one after the other.

    gates = X W^T + b for all steps at once;      h_t = cell(gates_t + h_(t-1) R^T),   t = 1 .. T or T .. 1

X `(T, N, I)`, gates `(T N, G H)`, h `(N, H)`; Y `(T, D, N, H)` holds all h, Y_h `(D, N, H)` the last one, Y_c the last
cell. A sequence of `sequence_lens` that is over keeps its state, (1 - m) h_(t-1) + m h_t, and gives zeros, m h_t.

- Supported: all three ops of opset 7 on, all attributes, `X` of fixed shape, constant weights, biases, peepholes and
  sequence lengths of at least 1, constant or computed initial states; at most `MOST_STEPS` steps of all directions.
- Fidelity: rounding.
- Needed by: all versions of ONNX.js, which have none of them, and no Loop or Scan.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_input, fixed_shape, producer
from fns_lab.rewrite.recurrent import STATES, Cell, Direction, activation_names, directions, sizes
from fns_lab.rewrite.rule import Refusal, RewriterContext, initializer
from fns_lab.rewrite.several_outputs import SeveralOutputsRule

MOST_STEPS = 512
"""Most steps of all directions together; each is 5 to 25 nodes."""


class RecurrentUnrolled(SeveralOutputsRule):
    NAME = "recurrent-unrolled"
    FIDELITY = "rounding"
    EMITS = ("MatMul", "Add", "Sub", "Mul", "Reshape", "Concat", "Slice", "Transpose")
    OPS = tuple(STATES)

    def guard(self, x: ir.Value, y0: ir.Value, **others: ir.Value) -> None:
        node = producer(y0)
        steps, batch, inputs = sizes(node)
        if 0 in (steps, batch, inputs):
            raise Refusal(f"{x.name} has no elements")
        count = steps * len(directions(node))
        if count > MOST_STEPS:
            raise Refusal(f"{count} steps would be written one by one, at most {MOST_STEPS} are")
        activation_names(node)
        _lengths(node, steps, batch)

    def rewrite(self, op: RewriterContext, x: ir.Value, y0: ir.Value, **others: ir.Value) -> list[ir.Value]:
        node = producer(y0)
        steps, batch, inputs = sizes(node)
        layout = node.attributes.get_int("layout", 0)
        if layout:
            x = op.Transpose(x, perm=[1, 0, 2], _outputs=[f"{y0.name}.by_step"])
        rows = self.reshape(op, x, (steps * batch, inputs), f"{y0.name}.rows")
        results = [
            self._direction(op, node, rows, direction, which) for which, direction in enumerate(directions(node))
        ]
        hidden = fixed_shape(node.inputs[2])[2]
        all_steps = [self.reshape(op, y, (steps, 1, batch, hidden), f"{y0.name}.steps{d}")
                     for d, (y, _) in enumerate(results)]  # fmt: skip
        outputs = [self._joined(op, all_steps, 1, [2, 0, 1, 3] if layout else None, f"{y0.name}.all")]
        for index in range(STATES[self.root]):
            last = [self.reshape(op, state[index], (1, batch, hidden), f"{y0.name}.last{index}_{d}")
                    for d, (_, state) in enumerate(results)]  # fmt: skip
            outputs.append(self._joined(op, last, 0, [1, 0, 2] if layout else None, f"{y0.name}.state{index}"))
        return outputs[: self.outputs]

    def _joined(
        self, op: RewriterContext, parts: Sequence[ir.Value], axis: int, perm: list[int] | None, name: str
    ) -> ir.Value:
        joined = parts[0] if len(parts) == 1 else op.Concat(*parts, axis=axis, _outputs=[name])
        return joined if perm is None else op.Transpose(joined, perm=perm, _outputs=[f"{name}_by_sequence"])

    def _direction(
        self, op: RewriterContext, node: ir.Node, rows: ir.Value, direction: Direction, which: int
    ) -> tuple[ir.Value, list[ir.Value]]:
        """Write all steps of one direction and return all h, `(T N, H)`, and the last state."""
        steps, batch, _ = sizes(node)
        cell, name = Cell(self, op, node, direction, which), f"{node.outputs[0].name}.direction{which}"
        weights = initializer(op, direction.w, f"{name}.w")
        gates = op.MatMul(rows, weights, _outputs=[f"{name}.products"])
        if direction.bias.any():
            gates = op.Add(gates, initializer(op, direction.bias, f"{name}.b"), _outputs=[f"{name}.inputs"])
        state = [self._initial(op, node, 5 + i, which, f"{name}.initial{i}") for i in range(STATES[self.root])]
        lengths, results = _lengths(node, steps, batch), dict[int, ir.Value]()
        for t in reversed(range(steps)) if direction.reverse else range(steps):
            part = self.slice(op, gates, [t * batch], [(t + 1) * batch], [0], f"{name}.step{t}.inputs")
            part.name = f"{name}.step{t}.inputs"
            new = cell.step(part, state, f"{name}.step{t}")
            results[t] = new[0]
            if (lengths <= t).any():
                going = initializer(op, (lengths > t).astype(np.float32)[:, None], f"{name}.step{t}.going")
                over = initializer(op, (lengths <= t).astype(np.float32)[:, None], f"{name}.step{t}.over")
                results[t] = op.Mul(new[0], going, _outputs=[f"{name}.step{t}.y"])
                new = [op.Add(op.Mul(a, going), op.Mul(b, over)) for a, b in zip(new, state, strict=True)]
            state = new
        in_order = [results[t] for t in range(steps)]
        return (in_order[0] if steps == 1 else op.Concat(*in_order, axis=0, _outputs=[f"{name}.y"])), state

    def _initial(self, op: RewriterContext, node: ir.Node, index: int, which: int, name: str) -> ir.Value:
        """Return an initial state of a direction, `(N, H)`: zeros, or a part of an input."""
        _, batch, _ = sizes(node)
        hidden = fixed_shape(node.inputs[2])[2]
        value = node.inputs[index] if len(node.inputs) > index else None
        if value is None:
            return initializer(op, np.zeros((batch, hidden), np.float32), name)
        axis = 1 if node.attributes.get_int("layout", 0) else 0
        part = self.slice(op, value, [which], [which + 1], [axis], f"{name}.part")
        part.name = f"{name}.part"
        return self.reshape(op, part, (batch, hidden), name)


def _lengths(node: ir.Node, steps: int, batch: int) -> np.ndarray:
    """Return the length of each sequence, `(N,)`. Raises `NodeError` if they are computed or one is out of range."""
    given = constant_input(node, 4)
    lengths = np.full(batch, steps) if given is None else given.reshape(-1)
    if lengths.min() < 1 or lengths.max() > steps:
        raise Refusal(f"sequence lengths are {lengths.min()} to {lengths.max()}, 1 to {steps} are needed")
    return lengths
