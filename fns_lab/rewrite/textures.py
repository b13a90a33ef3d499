"""What the rules for values that do not fit into a GPU's texture share."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import fixed_shape
from fns_lab.rewrite.rule import Refusal, Rule
from fns_lab.targets.quirk_kinds.gpu import fits

TOO_LARGE = ("large-value", "no-texture")
"""Kinds of quirk that a rule gets round by computing parts of a result."""


def require_textures(rule: Rule, x: ir.Value, y: ir.Value) -> None:
    """Raise `Refusal` unless a node's input and its whole result fit: parts of it would not help."""
    for value in (x, y):
        if not _fits(rule, math.prod(fixed_shape(value))):
            raise Refusal(f"{value.name} itself does not fit into a texture")


def parts_that_fit(rule: Rule, size: int, elements: Callable[[int], int]) -> list[slice]:
    """Return the fewest parts of an axis of this size, about equal, for each of which what is computed fits.

    `elements` returns the number of elements that are computed for a part of so many. Raises `Refusal` if the whole
    fits, since parts would not help then, or not even a part of one.
    """
    if _fits(rule, elements(size)):
        raise Refusal("another input than the large one does not fit into a texture")
    for count in range(2, size + 1):
        edges = np.linspace(0, size, count + 1).astype(int)
        parts = [slice(int(start), int(stop)) for start, stop in itertools.pairwise(edges)]
        if all(_fits(rule, elements(part.stop - part.start)) for part in parts):
            return parts
    raise Refusal("not even a part of one element fits into a texture")


def _fits(rule: Rule, count: int) -> bool:
    return all(fits(count, quirk) for quirk in rule.target.quirks if quirk.kind in TOO_LARGE)
