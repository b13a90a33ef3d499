"""Kinds of quirk for If, Loop and Scan."""

from __future__ import annotations

import onnx_ir as ir

from fns_lab.opset.inference import bodies
from fns_lab.opset.nodes import input_constant, known_shapes
from fns_lab.targets.target import Quirk


def branches_of_other_shapes(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match an If whose branches give results that are known to differ in a size or in their number of dimensions.

    Fields: none.

        [[quirk]]
        kind = "branches-of-other-shapes"
        ops = ["If"]
    """
    return any(_differ(then, other) for then, other in _results(node))


def branches_of_other_ranks(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match an If whose branches give results that are known to differ in their number of dimensions.

    Fields: none.

        [[quirk]]
        kind = "branches-of-other-ranks"
        ops = ["If"]
    """
    return any(len(then) != len(other) for then, other in _results(node))


def _results(node: ir.Node) -> list[list[ir.Shape]]:
    """Return the shapes that each output of an If has in the two branches, for those of which both are known."""
    branches = [node.attributes[name].as_graph().outputs for name in ("then_branch", "else_branch")]
    return [shapes for pair in zip(*branches, strict=True) if len(shapes := known_shapes(pair)) == 2]


def _differ(shape: ir.Shape, other: ir.Shape) -> bool:
    """Return whether two shapes have different sizes whatever their open sizes are."""
    sizes = zip(shape, other, strict=False)
    return len(shape) != len(other) or any(isinstance(m, int) and isinstance(n, int) and m != n for m, n in sizes)


def no_step(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match a Loop that does nothing: the number of its steps is the constant 0, or its first condition one and false.

    Fields: none.

        [[quirk]]
        kind = "no-step"
        ops = ["Loop"]
    """
    constants = (input_constant(node, index) for index in (0, 1))
    return any(constant is not None and not constant.any() for constant in constants)


def outer_values(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes with a body that reads values which are neither its own nor its inputs. Constants do not count.

    Fields: none.

        [[quirk]]
        kind = "outer-values"
        ops = ["Scan"]
    """
    graphs = [graph for attribute in node.attributes.values() for graph in bodies(attribute)]
    read = {value for graph in graphs for inner in graph for value in inner.inputs if value is not None}
    own = {value for graph in graphs for value in (*graph.inputs, *(y for inner in graph for y in inner.outputs))}
    return any(ir.convenience.get_const_tensor(value) is None for value in read - own)
