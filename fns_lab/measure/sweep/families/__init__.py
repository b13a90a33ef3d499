"""The families of ops that a sweep draws, and the family of each op."""

from __future__ import annotations

from collections.abc import Mapping

from fns_lab.measure.sweep.draw import Family
from fns_lab.measure.sweep.families import (
    elementwise,
    indexing,
    matrices,
    moves,
    norms,
    quantized,
    recurrent,
    reductions,
    resampling,
    shapes,
    windows,
)

MODULES = (windows, matrices, norms, resampling, elementwise, reductions, moves, indexing, shapes, recurrent, quantized)
FAMILIES: Mapping[str, Family] = {op: family for module in MODULES for family in module.FAMILIES for op in family.ops}
"""By op type, in the order in which they are swept."""
