"""Conv of a large image as Convs of some of its rows each.

    y (N, C', H', W')  =  Concat(Conv(upper rows of x), Conv(lower rows of x))  along the rows

Both read the rows that are under kernels of both. There are as many parts as it takes for each to fit.

- Supported: Conv of any opset, one group, one to three spatial dimensions, fixed shapes.
- Fidelity: rounding (how an engine sums up a product can depend on the number of its columns).
- Needed by: engines on WebGL, which unroll the image into a texture: with the 9 x 9 kernels of a style network one of
  1049 x 1050 pixels does not fit into 8192 x 8192.
"""

from __future__ import annotations

import onnx_ir as ir

from fns_lab.opset.nodes import fixed_shape, name_of, node_input, producer
from fns_lab.rewrite.rule import OpRule, RewriterContext
from fns_lab.rewrite.textures import TOO_LARGE, parts_that_fit, require_textures
from fns_lab.rewrite.windows import explicit_pads
from fns_lab.targets.quirk_kinds.gpu import unrolled_count


class ConvRows(OpRule):
    NAME = "conv-rows"
    FIDELITY = "rounding"
    WORKS_AROUND = TOO_LARGE
    EMITS = ("Concat", "Conv", "Slice")
    OPS = ("Conv",)
    TYPES = None

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        explicit_pads(producer(y))
        require_textures(self, x, y)
        self._parts(y)

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        conv = producer(y)
        height, pads = fixed_shape(x)[2], explicit_pads(conv)
        axes = len(pads) // 2
        stride, dilation = (conv.attributes.get_ints(name, [1])[0] for name in ("strides", "dilations"))
        kernel = (fixed_shape(node_input(conv, 1))[2] - 1) * dilation + 1
        kept = {name: value for name, value in conv.attributes.items() if name not in ("auto_pad", "pads")}
        parts = []
        for i, rows in enumerate(self._parts(y)):
            first, last = rows.start * stride - pads[0], (rows.stop - 1) * stride - pads[0] + kernel
            read = self.slice(op, x, [max(first, 0)], [min(last, height)], [2], f"{y.name}.rows{i}")
            own = [*pads]
            own[0], own[axes] = max(-first, 0), max(last - height, 0)
            parts.append(op.Conv(read, *conv.inputs[1:], **kept | {"pads": own}, _outputs=[f"{y.name}.part{i}"]))
        return op.Concat(*parts, axis=2, _outputs=[name_of(y)])

    def _parts(self, y: ir.Value) -> list[slice]:
        """Return which rows of the result each Conv computes."""
        height, unrolled = fixed_shape(y)[2], unrolled_count(producer(y)) or 0
        return parts_that_fit(self, height, lambda rows: unrolled // height * rows)
