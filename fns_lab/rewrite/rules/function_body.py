"""An op that ONNX defines as a function of simpler ops, written as these.

    HardSwish(x)  =  x * HardSigmoid(x),   Gelu(x)  =  0.5 x (1 + Erf(x / sqrt(2))),   and so on, as in ONNX's schema

onnx's inliner gives the bodies; what they compute from shapes is folded if the size is fixed.

- Supported: the ops below, from the opset at which their schema has a body; any shape; all outputs; the losses with
  constant labels.
- Fidelity: rounding.
- Needed by: targets without one of these ops.
- Why not other ops with a body: those of activations need comparisons and start at opset 18, as those of reductions do,
  and those of normalizations subtract E[x]^2 from E[x^2].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx
import onnx_ir as ir
from onnx import inliner

from fns_lab.opset.inference import bodies
from fns_lab.opset.nodes import constant_array, name_of, node_input, producer
from fns_lab.opset.schemas import unstated_defaults
from fns_lab.rewrite.rule import LoweringRun, Refusal, RewriterContext, Rule, initializer
from fns_lab.rewrite.several_outputs import SeveralOutputsRule

MOST_OUTPUTS = {"Attention": 4, "CausalConvWithState": 2, "LinearAttention": 2, "SoftmaxCrossEntropyLoss": 2}
"""Number of outputs of the ops that have several."""


class FunctionBody(SeveralOutputsRule):
    NAME = "function-body"
    FIDELITY = "rounding"
    EMITS = ()
    OPS = (
        "Attention",
        "CausalConvWithState",
        "Gelu",
        "HardSwish",
        "LinearAttention",
        "Mish",
        "RMSNormalization",
        "RotaryEmbedding",
        "SoftmaxCrossEntropyLoss",  # written with the next one
        "NegativeLogLikelihoodLoss",
        "SwiGLU",
        "Swish",
    )

    @classmethod
    def instances(cls, run: LoweringRun) -> Sequence[Rule]:
        """Return one instance per op and number of outputs, for the nodes that the rule itself writes too."""
        return [cls(run, op, count) for op in cls.OPS for count in range(1, MOST_OUTPUTS.get(op, 1) + 1)]

    def guard(self, x: ir.Value, y0: ir.Value, **others: ir.Value) -> None:
        node = producer(y0)
        for value in node.inputs:
            if value is not None and value.type is None:
                raise Refusal(f"the type of {value.name} is unknown")
        try:
            body = self._body(node)
        except RuntimeError as error:  # the inliner's
            raise Refusal(f"ONNX's inliner fails on {node.op_type}: {error}") from None
        if [n.op_type for n in body] == [node.op_type]:
            raise Refusal(f"ONNX has no function body of {node.op_type} at opset {self.opset}")

    def rewrite(self, op: RewriterContext, x: ir.Value, y0: ir.Value, **others: ir.Value) -> Sequence[ir.Value]:
        node, name, body = producer(y0), y0.name, self._body(producer(y0))
        values = {formal: node_input(node, int(name_of(formal)[1:])) for formal in body.inputs}
        for inner in body:
            names = [f"{name}.{name_of(value).rsplit('__', 1)[0]}" for value in inner.outputs]
            if inner.op_type == "Constant":
                outputs: Sequence[ir.Value] = [initializer(op, constant_array(inner.outputs[0]), names[0])]
            else:
                _read_outer_values(inner, values)
                inputs = [values.get(value) if value is not None else None for value in inner.inputs]
                output = op.call_op(inner.op_type, inputs, dict(inner.attributes), outputs=names)
                outputs = [output] if isinstance(output, ir.Value) else output
                for old, new in zip(inner.outputs, outputs, strict=True):
                    new.type, new.shape = old.type, old.shape
            values |= dict(zip(inner.outputs, outputs, strict=True))
        by_name = {name_of(old): new for old, new in values.items()}
        return [by_name.get(f"o{i}") or op.Identity(x) for i in range(self.outputs)]

    def _body(self, node: ir.Node) -> ir.Graph:
        """Return the body. Its inputs are named i0, i1 and so on, its outputs o0, o1 and so on."""
        proto = ir.to_proto(node)
        del proto.input[:], proto.output[:]
        proto.input.extend("" if value is None else f"i{i}" for i, value in enumerate(node.inputs))
        proto.attribute.extend(unstated_defaults(node.op_type, set(node.attributes), self.opset))
        proto.output.extend(f"o{i}" if output.name else "" for i, output in enumerate(node.outputs))
        inputs = [_value_info(value, f"i{i}") for i, value in enumerate(node.inputs) if value is not None]
        outputs = [onnx.helper.make_empty_tensor_value_info(name) for name in proto.output if name]
        graph = onnx.helper.make_graph([proto], "body", inputs, outputs)
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", self.opset)])
        if "" in proto.input:
            _give_function(model, node)
            inlined = inliner.inline_local_functions(model)
        else:
            inlined = inliner.inline_selected_functions(model, [("", node.op_type)], False, True)
        return ir.from_proto(onnx.shape_inference.infer_shapes(inlined)).graph


def _read_outer_values(node: ir.Node, values: Mapping[ir.Value, ir.Value]) -> None:
    """In place: let the bodies of a node, such as a Scan, read the new values in place of the old ones."""
    for body in (body for attribute in node.attributes.values() for body in bodies(attribute)):
        for inner in body.all_nodes():
            for index, value in enumerate(inner.inputs):
                if value is not None and value in values:
                    inner.replace_input_with(index, values[value])


def _give_function(model: onnx.ModelProto, node: ir.Node) -> None:
    """Make the node that of a function in the model: onnx finds no schema's body for one that leaves an input out."""
    proto, opset = model.graph.node[0], model.opset_import[0].version
    types = {value.name: value.type for value in model.graph.input}
    given = [types.get(name, onnx.TypeProto()).SerializeToString() for name in proto.input]
    described = onnx.defs.get_schema(node.op_type, opset, "")
    body = described.get_context_dependent_function_with_opset_version(  # type: ignore[attr-defined]
        described.since_version, proto.SerializeToString(), given
    )
    proto.domain = "body"
    function = model.functions.add()
    function.ParseFromString(body)
    function.domain, function.opset_import[0].version = proto.domain, opset
    model.opset_import.append(onnx.helper.make_opsetid(proto.domain, 1))


def _value_info(value: ir.Value, name: str) -> onnx.ValueInfoProto:
    info = ir.to_proto(value)
    info.name = name
    return info
