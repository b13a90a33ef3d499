"""The families of ops that a sweep draws, and the family of each op."""

from __future__ import annotations

from collections.abc import Mapping

from fns_lab.measure.sweep.draw import Family
from fns_lab.measure.sweep.families import (
    attention,
    control_flow,
    creation,
    elementwise,
    indexing,
    losses,
    matrices,
    moves,
    norms,
    quantized,
    recurrent,
    reductions,
    resampling,
    sampling,
    selection,
    shapes,
    signals,
    windows,
)

MODULES = (
    windows, matrices, norms, resampling, elementwise, reductions, moves, indexing, shapes, recurrent, quantized,
    attention, sampling, signals, selection, creation, losses, control_flow,
)  # fmt: skip
FAMILIES: Mapping[str, Family] = {op: family for module in MODULES for family in module.FAMILIES for op in family.ops}
"""By op type, in the order in which they are swept."""

NOT_TENSORS = "its values are sequences, optional values or strings, which no runner takes"
RANDOM = "its result is one random draw of many, so that no result is the right one"
NOT_DRAWN: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "ConcatFromSequence", "SequenceAt", "SequenceConstruct", "SequenceEmpty", "SequenceErase", "SequenceInsert",
            "SequenceLength", "SequenceMap", "SplitToSequence", "Optional", "OptionalGetElement", "OptionalHasElement",
            "RegexFullMatch", "StringConcat", "StringNormalizer", "StringSplit",
        ),
        NOT_TENSORS,
    ),
    **dict.fromkeys(
        ("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"), RANDOM
    ),
    "Constant": "it has no input, so that every engine and every rule only copies it",
    "ImageDecoder": "it reads a compressed file, which cannot be drawn",
}  # fmt: skip
"""Ops that no family draws, with the reason."""
