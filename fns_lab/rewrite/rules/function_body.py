"""An op that ONNX defines as a function of simpler ops, written as these.

    HardSwish(x)  =  x * HardSigmoid(x),   Gelu(x)  =  0.5 x (1 + Erf(x / sqrt(2))),   and so on, as in ONNX's schema

onnx's inliner gives the bodies; what they compute from shapes is folded if the size is fixed.

- Supported: the ops below, from the opset at which their schema has a body; any shape.
- Fidelity: rounding.
- Needed by: targets without one of these ops.
- Why not other ops with a body: other rules can't lower theirs. Most bodies of activations need Where, those of
  reductions start at opset 18, and those of normalizations subtract E[x]^2 from E[x^2].
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx
import onnx_ir as ir
from onnx import inliner

from fns_lab.opset.nodes import constant_array, name_of, producer, require_first_output_only
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, initializer


class FunctionBody(OpRule):
    NAME = "function-body"
    FIDELITY = "rounding"
    EMITS = ()
    OPS = (
        "Attention",
        "Celu",
        "Gelu",
        "HardSwish",
        "Mish",
        "RMSNormalization",
        "RotaryEmbedding",
        "Swish",
    )

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        node = producer(y)
        for value in node.inputs:
            if value is not None and value.type is None:
                raise Refusal(f"the type of {value.name} is unknown")
        require_first_output_only(node)
        try:
            body = self._body(node)
        except RuntimeError as error:  # the inliner's
            raise Refusal(f"ONNX's inliner fails on {node.op_type}: {error}") from None
        if [n.op_type for n in body] == [node.op_type]:
            raise Refusal(f"ONNX has no function body of {node.op_type} at opset {self.opset}")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        node = producer(y)
        values = {f"i{index}": value for index, value in enumerate(node.inputs) if value is not None}
        for inner in self._body(node):
            names = [f"{y.name}.{name_of(value).rsplit('__', 1)[0]}" for value in inner.outputs]
            if inner.op_type == "Constant":
                outputs: Sequence[ir.Value] = [initializer(op, constant_array(inner.outputs[0]), names[0])]
            else:
                inputs = [None if value is None else values[name_of(value)] for value in inner.inputs]
                output = op.call_op(inner.op_type, inputs, dict(inner.attributes), outputs=names)
                outputs = [output] if isinstance(output, ir.Value) else output
            values |= {name_of(old): new for old, new in zip(inner.outputs, outputs, strict=True)}
        return values["o0"]

    def _body(self, node: ir.Node) -> ir.Graph:
        """Return the body. Its inputs are named i0, i1 and so on, its outputs o0, o1 and so on."""
        proto = ir.to_proto(node)
        del proto.input[:], proto.output[:]
        proto.input.extend("" if value is None else f"i{i}" for i, value in enumerate(node.inputs))
        proto.output.extend(f"o{i}" for i in range(len(node.outputs)))
        inputs = [_value_info(value, f"i{i}") for i, value in enumerate(node.inputs) if value is not None]
        outputs = [onnx.helper.make_empty_tensor_value_info(name) for name in proto.output]
        graph = onnx.helper.make_graph([proto], "body", inputs, outputs)
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", self.opset)])
        return ir.from_proto(inliner.inline_selected_functions(model, [("", node.op_type)], False, True)).graph


def _value_info(value: ir.Value, name: str) -> onnx.ValueInfoProto:
    info = ir.to_proto(value)
    info.name = name
    return info
