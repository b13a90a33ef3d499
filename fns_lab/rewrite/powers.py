"""Powers of absolute values with a constant exponent, and their roots, in basic ops."""

from __future__ import annotations

import onnx_ir as ir

from fns_lab.opset.nodes import NodeError
from fns_lab.rewrite.rule import RewriterContext, scalar

WRITES = ("Abs", "Mul", "Sqrt", "Exp", "Log")
"""Op types of the nodes that `absolute_power` and `root` write."""


def norm_order(node: ir.Node) -> float:
    """Return `p` of an Lp op, which is a float at opset 1 and an integer since. Raises `NodeError` if it is below 1."""
    attribute = node.attributes.get("p")
    order = 2.0 if attribute is None else float(attribute.value)
    if order < 1:
        raise NodeError(f"the {node.op_type} has p {order:g}, 1 or more is needed")
    return order


def absolute_power(op: RewriterContext, x: ir.Value, p: float, name: str) -> ir.Value:
    """Write |x|^p: as products for 1 to 4, else with the logarithm, whose -Inf for 0 gives 0."""
    if p == 2:
        return op.Mul(x, x, _outputs=[name])
    if p == 4:
        square = op.Mul(x, x, _outputs=[f"{name}.square"])
        return op.Mul(square, square, _outputs=[name])
    absolute = op.Abs(x, _outputs=[name if p == 1 else f"{name}.abs"])
    if p == 1:
        return absolute
    if p == 3:
        square = op.Mul(x, x, _outputs=[f"{name}.square"])
        return op.Mul(square, absolute, _outputs=[name])
    return _power(op, absolute, x, p, name)


def root(op: RewriterContext, total: ir.Value, x: ir.Value, p: float, name: str) -> ir.Value:
    """Write total^(1/p) for a sum of at least 0 that has the type and the rank of `x`."""
    if p == 1:
        return total
    if p == 2:
        return op.Sqrt(total, _outputs=[name])
    return _power(op, total, x, 1 / p, name)


def _power(op: RewriterContext, base: ir.Value, x: ir.Value, exponent: float, name: str) -> ir.Value:
    log = op.Log(base, _outputs=[f"{name}.log"])
    scaled = op.Mul(log, scalar(op, x, exponent, f"{name}.exponent"), _outputs=[f"{name}.scaled"])
    return op.Exp(scaled, _outputs=[name])
