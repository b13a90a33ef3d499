"""What the rules for values that do not fit into a GPU's texture share."""

from __future__ import annotations

import math

import onnx_ir as ir

from fns_lab.opset.nodes import fixed_shape
from fns_lab.rewrite.rule import Refusal, Rule
from fns_lab.targets.quirk_kinds.gpu import fits

TOO_LARGE = ("large-value", "no-texture")
"""Kinds of quirk that a rule gets round by computing parts of a result."""


def require_textures(rule: Rule, x: ir.Value, y: ir.Value) -> None:
    """Raise `Refusal` unless a node's input and its whole result fit: parts of it would not help."""
    for quirk in rule.target.quirks:
        for value in (x, y):
            if quirk.kind in TOO_LARGE and not fits(math.prod(fixed_shape(value)), quirk):
                raise Refusal(f"{value.name} itself does not fit into a texture")
