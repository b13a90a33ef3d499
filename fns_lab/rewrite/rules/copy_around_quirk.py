"""A copy of a value in front of a node that an engine runs wrong because of what else reads or computes this value.

    v  =  v + (-0)        written Add(v, -0), since every engine removes an Identity when it loads the model

Not +0, since -0 + 0 is +0.

- Supported: any node with one of the kinds of quirk below, of any opset; copied values are float32 of any shape.
- Fidelity: exact.
- Needed by: the targets whose TOML lists such a quirk.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import inputs_computed_by, node_input, producer, rank, repeated_inputs
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, initializer, scalar
from fns_lab.targets import Target
from fns_lab.targets.quirk_kinds import touches
from fns_lab.targets.quirk_kinds.mistaken import joined_inputs


class CopyAroundQuirk(OpRule):
    """Rewrite a node that has a quirk so that it reads copies of its inputs."""

    FIDELITY = "exact"
    EMITS: ClassVar[tuple[str, ...]] = ("Add",)

    @classmethod
    def roots(cls, target: Target) -> tuple[str, ...]:
        return tuple(dict.fromkeys(op for quirk in target.quirks if quirk.kind in cls.WORKS_AROUND for op in quirk.ops))

    def copied_inputs(self, node: ir.Node) -> tuple[int, ...]:
        """Return the indices of the inputs to copy."""
        return (0,)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        node = producer(y)
        for index in self.copied_inputs(node):
            value = node_input(node, index)
            if value.dtype != ir.DataType.FLOAT:
                raise Refusal(f"{value.name} is {value.dtype}, a copy needs float32")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        node = producer(y)
        inputs, copied = list(node.inputs), self.copied_inputs(node)
        for index in copied:
            name, value = f"{y.name}.copy" if len(copied) == 1 else f"{y.name}.copy{index}", node_input(node, index)
            inputs[index] = self.copy(op, value, y, name)
        return op.op(node.op_type, *inputs, **node.attributes)

    def copy(self, op: RewriterContext, value: ir.Value, y: ir.Value, name: str) -> ir.Value:
        """Return a copy of this name of an input of the node that computes `y`."""
        return op.Add(value, scalar(op, value, -0.0, f"{y.name}.zero"), _outputs=[name])


class CopyOutput(CopyAroundQuirk):
    """Identity(x) or Dropout(x), given out beside x  =  x + (-0), or Reshape(x) to its own shape if x is not float32.

    Needed by ONNX.js and by ONNX Runtime Web on webgl, which remove the node when they load the model.
    """

    NAME = "copy-output"
    WORKS_AROUND = ("given-out-twice",)
    TYPES = None

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        if x.dtype != ir.DataType.FLOAT and not rank(producer(y)):
            raise Refusal(f"{x.name} is one {x.dtype}, and these engines make a row of what they reshape")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        if x.dtype != ir.DataType.FLOAT:
            return op.Reshape(x, initializer(op, np.zeros(rank(producer(y)), np.int64), f"{y.name}.shape"))
        return op.Add(x, scalar(op, x, -0.0, f"{y.name}.zero"))


class CopyBeforeSharedReshape(CopyAroundQuirk):
    """Reshape(x) where other nodes read x too  =  Reshape(x + 0).

    Needed by ONNX.js 0.1.7 and 0.1.8 on webgl, which corrupt x.
    """

    NAME = "copy-before-shared-reshape"
    WORKS_AROUND = ("shared-input",)


class CopyBetween(CopyAroundQuirk):
    """Relu(Reshape(x))  =  Relu(Reshape(x) + 0).

    Needed by ONNX Runtime Web on webgl, which reads the result of a Reshape in the layout from before it.
    """

    NAME = "copy-between"
    WORKS_AROUND = ("read-after",)


class CopyBetweenAlike(CopyAroundQuirk):
    """Add(Reshape(x), y) of equal shapes  =  Add(Reshape(x) + 0, y), and so if x is squeezed to a scalar.

    Needed by the same engine as `copy-between`, for scalars also by ONNX.js 0.1.8. The Add of 0 is right there.
    Of equal shapes it broadcasts: then the engine finds elements by their coordinates and not by their place in the
    texture. Of a scalar it does not broadcast, since 0 is a scalar too.
    """

    NAME = "copy-between-alike"
    WORKS_AROUND = ("read-after-alike", "scalar-read-after")

    def copied_inputs(self, node: ir.Node) -> tuple[int, ...]:
        quirks = [q for q in self.target.quirks if q.kind in self.WORKS_AROUND and touches(node, q, self.opset)]
        return inputs_computed_by(node, {op_type for quirk in quirks for op_type in quirk.after})


class CopySecondOperand(CopyAroundQuirk):
    """Mul(x, x)  =  Mul(x, x + 0).

    Needed by ONNX.js 0.1.3, which fails on a node that reads two results of one node, or one twice.
    """

    NAME = "copy-second-operand"
    WORKS_AROUND = ("same-input-twice",)

    def copied_inputs(self, node: ir.Node) -> tuple[int, ...]:
        return repeated_inputs(node)


class CopyBeforeFusion(CopyAroundQuirk):
    """BatchNormalization(Sigmoid(Conv(x)))  =  BatchNormalization(Sigmoid(Conv(x)) + 0).

    So with Add(MatMul(x, w), c), Relu(Conv(x)), Mul(x, HardSigmoid(z)), MatMul(Softmax(x), v) and
    Reshape(Reshape(x)).

    Needed by OpenCV, which joins the nodes to one that computes something else, and by ONNX Runtime Web on webgl, which
    joins a convolution with its activation and takes the result for all convolutions of these sizes. An Add, which may
    end a normalization as the copy's own Add would, reads v 1 instead of v + (-0).
    """

    NAME = "copy-before-fusion"
    EMITS = ("Add", "Mul")
    WORKS_AROUND = (
        "norm-after-activation", "fused-bias", "activation-of-another", "mistaken", "joined-attention",
        "joined-reshapes",
    )  # fmt: skip

    def copied_inputs(self, node: ir.Node) -> tuple[int, ...]:
        quirks = [q for q in self.target.quirks if q.kind == "mistaken" and touches(node, q, self.opset)]
        if quirks:
            return tuple({index for quirk in quirks for index in joined_inputs(node, quirk)})
        return inputs_computed_by(node, ("MatMul",)) if node.op_type == "Add" else (0,)

    def copy(self, op: RewriterContext, value: ir.Value, y: ir.Value, name: str) -> ir.Value:
        if producer(y).op_type != "Add":
            return super().copy(op, value, y, name)
        return op.Mul(value, scalar(op, value, 1.0, f"{y.name}.one"), _outputs=[name])
