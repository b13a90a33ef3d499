"""Ops about shapes, sequences of numbers and triangles."""

from __future__ import annotations

import numpy as np

from fns_lab.measure.sweep.axes import IMAGES, LEFT_OUT, NONE_OR_ALL
from fns_lab.measure.sweep.draw import Draw, Family, Inputs

RANKS = (4, 3, 2, 1, 5, 6, 0)
RANGES = ((0, 5, 1), (2, 9, 3), (5, 0, -2), (1, 1, 1), (0, 0.9, 0.3))
EQUATIONS = (
    "ij,jk->ik",
    "bij,bjk->bik",
    "ij->ji",
    "ii->i",
    "ij,ij->",
    "bhid,bhjd->bhij",
    "i,j->ij",
    "ij->i",
    "...ij,jk",
    "ij->",
    "ii->",
    "i,i->",
    "ij,j->i",
    "bij,bik->bjk",
    "bhid->bihd",
    "...ij->...ji",
    "ij,jk,kd->id",
)


def _shape(draw: Draw) -> Inputs:
    return [draw.array(draw.image())]


def _range(draw: Draw) -> Inputs:
    start, limit, step = draw["range"]
    draw.require(draw.dtype.kind == "f" or float(limit).is_integer())
    return [np.array(value, draw.dtype) for value in (start, limit, step)]


def _trilu(draw: Draw) -> Inputs:
    draw.require(draw["rank"] >= 2)
    diagonal = draw["diagonal"]
    return [draw.array(draw.image()), *([] if diagonal is LEFT_OUT else [draw.ints(diagonal)])]


def _einsum(draw: Draw) -> Inputs:
    draw.set("equation", draw["equation"])
    sizes = {"b": draw["batch"], "h": 3, "i": draw["rows"], "j": 5, "k": 4, "d": 6}
    terms = draw["equation"].split("->")[0].split(",")
    return [draw.array([2 if c == "." else sizes[c] for c in term.replace("...", ".")]) for term in terms]


def _reverse_sequence(draw: Draw) -> Inputs:
    shape = draw.image()
    draw.require(len(shape) >= 2 and all(shape[:2]))
    time = draw.attributes.get("time_axis", 0)
    lengths = draw.rng.integers(1, shape[time] + 1, shape[1 - time])
    return [draw.array(shape), draw.ints(lengths)]


FAMILIES = (
    Family(
        ("Shape",),
        lambda op: {
            "rank": RANKS,
            **IMAGES,
            "attribute start": (LEFT_OUT, 0, 1, -1),
            "attribute end": (LEFT_OUT, 2, -1),
        },
        _shape,
        constants=NONE_OR_ALL,
    ),
    Family(("Size", "NonZero"), lambda op: {"rank": RANKS, **IMAGES}, _shape, constants=NONE_OR_ALL),
    Family(("Range",), lambda op: {"range": RANGES, "type": ("float32", "int32", "int64", "float64", "int16")}, _range),
    Family(
        ("Trilu",),
        lambda op: {
            "rank": RANKS,
            **IMAGES,
            "diagonal": (LEFT_OUT, 0, 1, -1, 9),
            "attribute upper": (LEFT_OUT, 0, 1),
        },
        _trilu,
    ),
    Family(("Einsum",), lambda op: {"equation": EQUATIONS, "batch": (1, 2, 3), "rows": (5, 1, 17)}, _einsum),
    Family(
        ("ReverseSequence",),
        lambda op: {
            "rank": RANKS,
            **IMAGES,
            "attribute time_axis": (LEFT_OUT, 0, 1),
            "attribute batch_axis": (LEFT_OUT, 0, 1),
        },
        _reverse_sequence,
    ),
)
