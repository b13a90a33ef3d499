"""Comparisons as ArgMax over the two stacked values: the first of the largest is b only where b is larger.

    b > a       =  ArgMax(stack(a, b))                     as an index of 0 or 1, see `fns_lab.rewrite.booleans`
    b >= c      =  b > (the number below c)                c constant
    b >= a      =  not (a > b)
    a == b      =  not (a > b or b > a)
    IsInf(x)    =  x > largest or -largest > x
    IsNaN(x)    =  not (x > -Inf or Inf > x)

- Supported: these ops from opset 7 on; float32, int32 and int64 of one shape, or of fixed shapes that broadcast. A
  boolean that is an output of the model is refused.
- Fidelity: rounding: all finite and infinite numbers are compared exactly, but a NaN counts as equal to a computed
  value.
- Needed by: ONNX.js on cpu and wasm, which have no comparison.
- Why not the sign of a - b: it is NaN for equal infinities.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import node_inputs, producer
from fns_lab.rewrite.booleans import boolean, inverted, raise_if_given_out
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, initializer
from fns_lab.rewrite.stacks import STACKING_OPS, arg_max_stack, common_shape, number_like, reduce_stack

LARGEST = float(np.finfo(np.float32).max)
COMPARED = (ir.DataType.FLOAT, ir.DataType.INT32, ir.DataType.INT64)


class CompareArgMax(OpRule):
    NAME = "compare-arg-max"
    FIDELITY = "rounding"
    EMITS = (*STACKING_OPS, "ArgMax", "Gather", "ReduceMax", "ReduceMin")
    OPS = ("Equal", "Greater", "GreaterOrEqual", "IsInf", "IsNaN", "Less", "LessOrEqual")
    TYPES = None

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        node = producer(y)
        inputs = node_inputs(node)
        raise_if_given_out(y)
        if x.dtype not in COMPARED:
            raise Refusal(f"{x.name} is {x.dtype}; float32, int32 or int64 is needed")
        if any(np.isnan(c).any() for c in map(_constant, inputs) if c is not None):
            raise Refusal("a constant is NaN")
        if not all(node.attributes.get_int(f"detect_{sign}", 1) for sign in ("positive", "negative")):
            raise Refusal("only one sign of infinity is looked for")
        common_shape([*inputs, x])

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        inputs, name = node_inputs(producer(y)), f"{y.name}.index"
        if self.root in ("IsInf", "IsNaN"):
            return boolean(op, self._special(op, x, name))
        a, b = inputs if self.root.startswith(("Greater", "Equal")) else inputs[::-1]
        if self.root == "Equal":
            return boolean(op, self._equal(op, a, b, name))
        compare = self._at_least if self.root.endswith("OrEqual") else self._greater
        return boolean(op, compare(op, a, b, name))

    def _greater(self, op: RewriterContext, a: ir.Value, b: ir.Value, name: str) -> ir.Value:
        """Return the index of a > b."""
        return arg_max_stack(self, op, [b, a], name)

    def _at_least(self, op: RewriterContext, a: ir.Value, b: ir.Value, name: str) -> ir.Value:
        if (c := _finite(b)) is not None:
            return self._greater(op, a, initializer(op, _next(c, down=True), f"{name}.below"), name)
        if (c := _finite(a)) is not None:
            return self._greater(op, initializer(op, _next(c, down=False), f"{name}.above"), b, name)
        return inverted(op, self._greater(op, b, a, f"{name}.less"), name)

    def _equal(self, op: RewriterContext, a: ir.Value, b: ir.Value, name: str) -> ir.Value:
        if _constant(a) is not None:
            a, b = b, a
        if (c := _finite(b)) is not None:
            above = self._greater(op, a, initializer(op, _next(c, down=True), f"{name}.below"), f"{name}.not_less")
            below = self._greater(op, initializer(op, _next(c, down=False), f"{name}.above"), a, f"{name}.not_more")
            return reduce_stack(self, op, "ReduceMin", [above, below], name)
        more, less = self._greater(op, a, b, f"{name}.more"), self._greater(op, b, a, f"{name}.less")
        return inverted(op, reduce_stack(self, op, "ReduceMax", [more, less], f"{name}.differs"), name)

    def _special(self, op: RewriterContext, x: ir.Value, name: str) -> ir.Value:
        edge = LARGEST if self.root == "IsInf" else -np.inf
        more = self._greater(op, x, number_like(op, x, edge, f"{name}.low"), f"{name}.more")
        less = self._greater(op, number_like(op, x, -edge, f"{name}.high"), x, f"{name}.less")
        if self.root == "IsInf":
            return reduce_stack(self, op, "ReduceMax", [more, less], name)
        return inverted(op, reduce_stack(self, op, "ReduceMax", [more, less], f"{name}.number"), name)


def _constant(value: ir.Value) -> np.ndarray | None:
    tensor = ir.convenience.get_const_tensor(value)
    return None if tensor is None else tensor.numpy()


def _finite(value: ir.Value) -> np.ndarray | None:
    """Return a constant array whose numbers have a next one on either side, None if the value is no such constant."""
    array = _constant(value)
    if array is None:
        return None
    limits = np.finfo(array.dtype) if array.dtype.kind == "f" else np.iinfo(array.dtype)
    return array if ((array > limits.min) & (array < limits.max)).all() else None


def _next(array: np.ndarray, *, down: bool) -> np.ndarray:
    """Return the next number below each one, or above it."""
    towards = -1 if down else 1
    if array.dtype.kind == "f":
        return np.asarray(np.nextafter(array, np.array(towards * np.inf, array.dtype)))
    return np.asarray(array + towards, array.dtype)
