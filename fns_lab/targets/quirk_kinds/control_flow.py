"""Kinds of quirk for If, Loop and Scan."""

from __future__ import annotations

import onnx_ir as ir

from fns_lab.opset.nodes import known_shapes
from fns_lab.targets.target import Quirk


def branches_of_other_shapes(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match an If whose branches give results that are known to differ in a size or in their number of dimensions.

    Fields: none.

        [[quirk]]
        kind = "branches-of-other-shapes"
        ops = ["If"]
    """
    branches = [node.attributes[name].as_graph().outputs for name in ("then_branch", "else_branch")]
    shapes = [known_shapes(pair) for pair in zip(*branches, strict=True)]
    return any(len(pair) == 2 and _differ(*pair) for pair in shapes)


def _differ(shape: ir.Shape, other: ir.Shape) -> bool:
    """Return whether two shapes have different sizes whatever their open sizes are."""
    sizes = zip(shape, other, strict=False)
    return len(shape) != len(other) or any(isinstance(m, int) and isinstance(n, int) and m != n for m, n in sizes)
