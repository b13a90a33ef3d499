"""An attribute that a node leaves to its default, stated.

    Split(x)  =  Split(x, axis=0)

- Supported: ConstantOfShape, Resize, Split and Upsample of any opset, attributes that have a default in ONNX.
- Fidelity: exact.
- Needed by: OpenCV and tract, whose own default is another or none: Split along axis 1, a constant of float64.
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from fns_lab.opset.nodes import producer
from fns_lab.opset.schemas import default_of, schema
from fns_lab.rewrite.rule import Refusal, RewriterContext
from fns_lab.rewrite.several_outputs import SeveralOutputsRule


class DefaultStated(SeveralOutputsRule):
    NAME = "default-stated"
    FIDELITY = "exact"
    WORKS_AROUND = ("unstated",)
    EMITS = ()
    OPS = ("ConstantOfShape", "Resize", "Split", "Upsample")
    TYPES = None

    def guard(self, x: ir.Value, y0: ir.Value, **others: ir.Value) -> None:
        self.stated(producer(y0))

    def rewrite(
        self, op: RewriterContext, x: ir.Value, y0: ir.Value, **others: ir.Value
    ) -> ir.Value | Sequence[ir.Value]:
        node = producer(y0)
        attributes = dict(node.attributes) | self.stated(node)
        return op.op(node.op_type, *node.inputs, **attributes, _outputs=len(node.outputs))

    def stated(self, node: ir.Node) -> dict[str, ir.Attr]:
        """Return the defaults that the node leaves out and the target needs. Raises Refusal where ONNX has none."""
        needing = (q for q in self.target.quirks if q.kind in self.WORKS_AROUND and node.op_type in q.ops)
        definition = schema(node.op_type, self.opset)
        found = {}
        for name in {name for quirk in needing for name in quirk.attributes} - set(node.attributes):
            default = definition and default_of(definition, name)
            if not default:
                raise Refusal(f"{node.op_type} has no default of {name}")
            found[name] = default
        return found
