"""Conv of a large image as Convs of its upper and its lower half.

    y (N, C', H', W')  =  Concat(Conv(upper rows of x), Conv(lower rows of x))  along the rows

Both halves read the rows that are under kernels of both. Halves that are still too large are halved again.

- Supported: Conv of any opset, one group, one to three spatial dimensions, fixed shapes.
- Fidelity: rounding (how an engine sums up a product can depend on the number of its columns).
- Needed by: engines on WebGL, which unroll the image into a texture: with the 9 x 9 kernels of a style network one of
  1049 x 1050 pixels does not fit into 8192 x 8192.
"""

from __future__ import annotations

import onnx_ir as ir

from fns_lab.opset.nodes import fixed_shape, name_of, node_input, producer
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext
from fns_lab.rewrite.textures import TOO_LARGE, require_textures
from fns_lab.rewrite.windows import explicit_pads


class ConvHalves(OpRule):
    NAME = "conv-halves"
    FIDELITY = "rounding"
    WORKS_AROUND = TOO_LARGE
    EMITS = ("Concat", "Conv", "Slice")
    OPS = ("Conv",)
    TYPES = None

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        explicit_pads(producer(y))
        require_textures(self, x, y)
        if fixed_shape(y)[2] < 2:
            raise Refusal("a single row does not fit into a texture")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        conv = producer(y)
        rows, pads = fixed_shape(x)[2], explicit_pads(conv)
        axes = len(pads) // 2
        stride, dilation = (conv.attributes.get_ints(name, [1])[0] for name in ("strides", "dilations"))
        kernel = (fixed_shape(node_input(conv, 1))[2] - 1) * dilation + 1
        upper = fixed_shape(y)[2] // 2
        end, start = (upper - 1) * stride + kernel - pads[0], upper * stride - pads[0]
        kept = {name: value for name, value in conv.attributes.items() if name not in ("auto_pad", "pads")}
        halves = []
        for i, (first, last) in enumerate([(-pads[0], end), (start, rows + pads[axes])]):
            inside = self.slice(op, x, [max(first, 0)], [min(last, rows)], [2], f"{y.name}.rows{i}")
            own = [*pads]
            own[0], own[axes] = max(-first, 0), max(last - rows, 0)
            halves.append(op.Conv(inside, *conv.inputs[1:], **kept | {"pads": own}, _outputs=[f"{y.name}.half{i}"]))
        return op.Concat(*halves, axis=2, _outputs=[name_of(y)])
