"""Repairs of engine faults that live in how a value is shared, not in an op: put a copy between.

    v  =  v + 0        written Add(v, 0), since every engine drops an Identity when it loads the model

Any shape, any opset. Fidelity: exact. Called for where a target's TOML has a quirk of that kind, never otherwise.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import inputs_computed_by, repeated_input
from fns_lab.rewrite.rule import Refusal, Rule, initializer
from fns_lab.targets import Target


class CopyAroundQuirk(Rule):
    """Rewrite the node that a quirk touches so that it reads copies."""

    FIDELITY = "exact"
    EMITS = ("Add",)

    def copied_inputs(self, node: ir.Node) -> tuple[int, ...]:
        """The indices of the inputs to copy."""
        return (0,)

    @classmethod
    def roots(cls, target: Target) -> tuple[str, ...]:
        return tuple(dict.fromkeys(op for quirk in target.quirks if quirk.kind in cls.WORKS_AROUND for op in quirk.ops))

    def pattern(self, op):
        return getattr(op, self.root)(_allow_other_inputs=True, _outputs=["y"])

    def guard(self, y: ir.Value, **bindings: ir.Value | None) -> None:
        node = y.producer()
        for index in self.copied_inputs(node):
            value = node.inputs[index]
            if value.dtype != ir.DataType.FLOAT:
                raise Refusal(f"{value.name} is {value.dtype}, a copy is made of float32 only")

    def rewrite(self, op, y: ir.Value, **bindings: ir.Value | None) -> ir.Value:
        node = y.producer()
        inputs, copied = list(node.inputs), self.copied_inputs(node)
        zero = initializer(op, np.zeros(1, np.float32), f"{y.name}.zero")
        for index in copied:
            name = f"{y.name}.copy" if len(copied) == 1 else f"{y.name}.copy{index}"
            inputs[index] = op.Add(inputs[index], zero, _outputs=[name])
        return op.op(node.op_type, *inputs, **node.attributes)


class CopyBeforeSharedReshape(CopyAroundQuirk):
    """Reshape(x) with x used elsewhere too  =  Reshape(x + 0): ONNX.js 0.1.7 and 0.1.8 webgl spoil such a value."""

    NAME = "copy-before-shared-reshape"
    WORKS_AROUND = ("shared-input",)


class CopyBetween(CopyAroundQuirk):
    """Relu(Reshape(x))  =  Relu(Reshape(x) + 0): ONNX Runtime Web's webgl reads the layout of before the Reshape."""

    NAME = "copy-between"
    WORKS_AROUND = ("read-after",)


class CopyBetweenAlike(CopyAroundQuirk):
    """Add(Reshape(x), y) of one shape  =  Add(Reshape(x) + 0, y): the same fault where nothing is broadcast.

    Adding the one zero is itself right: a broadcast finds its values by coordinates, not by their place in the texture.
    """

    NAME = "copy-between-alike"
    WORKS_AROUND = ("read-after-alike",)

    def copied_inputs(self, node: ir.Node) -> tuple[int, ...]:
        quirk = next(q for q in self.scope.target.quirks if q.kind in self.WORKS_AROUND and node.op_type in q.ops)
        return inputs_computed_by(node, quirk.after)


class CopySecondOperand(CopyAroundQuirk):
    """Mul(x, x)  =  Mul(x, x + 0): ONNX.js 0.1.3 fails on a node that takes one result twice."""

    NAME = "copy-second-operand"
    WORKS_AROUND = ("same-input-twice",)

    def copied_inputs(self, node: ir.Node) -> tuple[int, ...]:
        return (repeated_input(node),)
