"""Kinds of quirk for faults that take several conditions or several inputs at once."""

from __future__ import annotations

import dataclasses

import onnx_ir as ir

from fns_lab.targets.target import Quirk


def all_of(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that every one of several kinds matches.

    Fields: `of`, a list of tables, each with a `kind` and the fields that this kind reads.

        [[quirk]]
        kind = "all-of"
        ops = ["Conv"]
        of = [{ kind = "auto-pad" }, { kind = "dilated" }]
    """
    from fns_lab.targets.quirk_kinds import QUIRK_KINDS  # which imports this module

    parts = [dataclasses.replace(quirk, **part) for part in quirk.of]
    return all(QUIRK_KINDS[part.kind](node, part, opset) for part in parts)


def types_together(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes whose inputs are known to be of element types that an engine does not take together.

    Fields: `types`, each entry the types of the inputs that the engine takes together, with spaces between them;
    `inputs`, the numbers of the inputs that are looked at, from 0, all if it is left out.

        [[quirk]]
        kind = "types-together"
        ops = ["OneHot"]
        types = ["INT64 INT64 FLOAT", "INT32 INT32 FLOAT"]
        inputs = [0, 1, 2]
    """
    looked_at = quirk.looked_at(node.inputs)
    types = [value.dtype.name for value in looked_at if value is not None and value.dtype is not None]
    return len(types) == len(looked_at) and " ".join(types) not in quirk.types
