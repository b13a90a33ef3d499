"""An op that ONNX itself defines as a function of simpler ones, written out.

    HardSwish(x)  =  x * HardSigmoid(x),   Gelu(x)  =  0.5 x (1 + Erf(x / sqrt(2))),   and so on, as in ONNX's schema

Any shape. From the opset on at which the schema gives a body. Fidelity: rounding. The bodies come from onnx's inliner;
what they compute of shapes folds away where the size is fixed. Only ops whose body the other rules can bring further
are listed: most bodies of activations need Where, those of
reductions start at opset 18, and those of normalisations subtract E[x]^2 from E[x^2].
"""

from __future__ import annotations

import onnx
import onnx_ir as ir
from onnx import inliner

from fns_lab.rewrite.rule import OpRule, Refusal, initializer


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
        node = y.producer()
        if any(value is not None and value.type is None for value in node.inputs):
            raise Refusal("the type of an input is unknown")
        if any(output.uses() or output.is_graph_output() for output in node.outputs[1:]):
            raise Refusal("more than its first output is used")
        try:
            body = self._body(node)
        except RuntimeError as error:  # the inliner's
            raise Refusal(f"ONNX's inliner cannot write it out: {error}") from None
        if [n.op_type for n in body] == [node.op_type]:
            raise Refusal(f"ONNX gives {node.op_type} no function body at opset {self.scope.opset}")

    def rewrite(self, op, x: ir.Value, y: ir.Value) -> ir.Value:
        node = y.producer()
        body = self._body(node)
        known = {f"i{index}": value for index, value in enumerate(node.inputs)}
        for inner in body:
            names = [f"{y.name}.{value.name.rsplit('__', 1)[0]}" for value in inner.outputs]
            if inner.op_type == "Constant":
                found = initializer(op, ir.convenience.get_const_tensor(inner.outputs[0]).numpy(), names[0])
            else:
                inputs = [None if value is None else known[value.name] for value in inner.inputs]
                found = op.op(inner.op_type, *inputs, **inner.attributes, _outputs=names)
            found = [found] if isinstance(found, ir.Value) else found
            known |= {value.name: made for value, made in zip(inner.outputs, found, strict=True)}
        return known["o0"]

    def _body(self, node: ir.Node) -> ir.Graph:
        """The body, its inputs named i0, i1 and so on, its outputs o0, o1 and so on."""
        proto = ir.to_proto(node)
        del proto.input[:], proto.output[:]
        proto.input.extend("" if value is None else f"i{i}" for i, value in enumerate(node.inputs))
        proto.output.extend(f"o{i}" for i in range(len(node.outputs)))
        inputs = [_described(value, f"i{i}") for i, value in enumerate(node.inputs) if value is not None]
        outputs = [onnx.helper.make_empty_tensor_value_info(name) for name in proto.output]
        graph = onnx.helper.make_graph([proto], "body", inputs, outputs)
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", self.scope.opset)])
        return ir.from_proto(inliner.inline_selected_functions(model, [("", node.op_type)], False, True)).graph


def _described(value: ir.Value, name: str) -> onnx.ValueInfoProto:
    info = ir.to_proto(value)
    info.name = name
    return info
