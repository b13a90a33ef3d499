"""Products of matrices, MatMul and Gemm, and determinants."""

from __future__ import annotations

from fns_lab.measure.sweep.axes import CHANNELS, LEFT_OUT
from fns_lab.measure.sweep.draw import Draw, Family, Inputs

ROWS = (4, 1, 3, 5, 17, 64, 129)
OPERANDS = ("matrices", "batch first", "batch both", "batch second", "batch broadcast", "vector first", "vector second")
"""Which operand of a MatMul has dimensions before the matrix, or one dimension alone."""
ADDED = (LEFT_OUT, "row", "column", "whole", "scalar", "one")
"""Shape of a Gemm's third input."""


def _matmul(draw: Draw) -> Inputs:
    m, k, n, batch = draw["rows"], draw["channels"], draw["columns"], draw["batch"]
    first, second = {
        "matrices": ((m, k), (k, n)),
        "batch first": ((batch, m, k), (k, n)),
        "batch second": ((m, k), (batch, k, n)),
        "batch both": ((batch, 3, m, k), (batch, 3, k, n)),
        "batch broadcast": ((batch, 1, m, k), (3, k, n)),
        "vector first": ((k,), (k, n)),
        "vector second": ((m, k), (k,)),
    }[draw["operands"]]
    return [draw.array(first), draw.array(second)]


def _gemm(draw: Draw) -> Inputs:
    m, k, n = draw["rows"], draw["channels"], draw["columns"]
    first = (k, m) if draw.attributes.get("transA") else (m, k)
    second = (n, k) if draw.attributes.get("transB") else (k, n)
    added = {"row": (n,), "column": (m, 1), "whole": (m, n), "scalar": (), "one": (1,)}.get(draw["added"])
    inputs = [draw.array(first), draw.array(second)]
    return inputs if added is None else [*inputs, draw.array(added)]


def _square(draw: Draw) -> Inputs:
    return [draw.array((*draw["stack"], draw["rows"], draw["rows"]))]


FAMILIES = (
    Family(
        ("MatMul",),
        lambda op: {
            "rows": ROWS,
            "channels": CHANNELS,
            "columns": ROWS,
            "batch": (1, 2, 3),
            "operands": OPERANDS,
        },
        _matmul,
        weight=2.0,
    ),
    Family(
        ("Gemm",), lambda op: {"rows": ROWS, "channels": CHANNELS, "columns": ROWS, "added": ADDED}, _gemm, weight=2.0
    ),
    Family(("Det",), lambda op: {"rows": (3, 1, 2, 5, 8), "stack": ((), (2,), (1, 3), (2, 1, 3))}, _square),
)
