"""Ops that choose elements, so that the values decide how many come out."""

from __future__ import annotations

import numpy as np

from fns_lab.measure.sweep.axes import IMAGES, LEFT_OUT, NONE_OR_ALL
from fns_lab.measure.sweep.draw import Draw, Family, Inputs
from fns_lab.measure.sweep.pairwise import Axes

RANKS = (4, 3, 2, 1, 5)


def _unique_axes(op: str) -> Axes:
    return {
        "rank": RANKS, **IMAGES, "attribute sorted": (LEFT_OUT, 0, 1),
        "outputs": (1, 2, 3, 4),
    }  # fmt: skip


def _unique(draw: Draw) -> Inputs:
    shape = draw.image()
    draw.require(-len(shape) <= draw.attributes.get("axis", 0) < len(shape))
    draw.outputs = draw["outputs"]
    return [draw.array(shape, -2, 2, np.int64).astype(draw.dtype)]


def _compress_axes(op: str) -> Axes:
    return {
        "rank": RANKS, **IMAGES, "chosen": ("some", "none", "shorter"),
    }  # fmt: skip


def _compress(draw: Draw) -> Inputs:
    shape = draw.image()
    axis = draw.attributes.get("axis")
    draw.require(axis is None or -len(shape) <= axis < len(shape))
    count = int(np.prod(shape)) if axis is None else shape[axis]
    chosen = draw.array((count // 2 if draw["chosen"] == "shorter" else count,), dtype=bool)
    return [draw.array(shape), chosen & (draw["chosen"] != "none")]


def _boxes_axes(op: str) -> Axes:
    return {
        "batch": (1, 2, 3), "boxes": (6, 1, 17), "classes": (1, 3), "most": (3, LEFT_OUT, 1),
        "overlap": (0.5, LEFT_OUT), "score": (LEFT_OUT, 0.3), "attribute center_point_box": (LEFT_OUT, 0, 1),
    }  # fmt: skip


def _suppressed(draw: Draw) -> Inputs:
    batch, count = draw["batch"], draw["boxes"]
    corners = draw.array((batch, count, 2), 0.0, 3.0)
    boxes = np.concatenate([corners, corners + draw.array((batch, count, 2), 0.5, 2.0)], -1)
    scores = draw.array((batch, draw["classes"], count), 0.0, 1.0)
    most = None if draw["most"] is LEFT_OUT else draw.ints([draw["most"]])
    limits = [None if draw[axis] is LEFT_OUT else np.array([draw[axis]], np.float32) for axis in ("overlap", "score")]
    return [boxes, scores, most, *limits]


def _words_axes(op: str) -> Axes:
    return {
        "batch": (LEFT_OUT, 2), "length": (8, 3, 1), "mode": ("TF", "IDF", "TFIDF"), "longest": (1, 2),
        "skipped": (0, 1), "weights": (LEFT_OUT, "given"), "type": ("int64", "int32"),
    }  # fmt: skip


def _words(draw: Draw) -> Inputs:
    draw.attributes |= {
        "mode": draw["mode"], "min_gram_length": 1, "max_gram_length": draw["longest"],
        "max_skip_count": draw["skipped"], "ngram_counts": [0, 3], "ngram_indexes": [0, 1, 2, 3, 4],
        "pool_int64s": [2, 3, 5, 2, 3, 3, 5],
    }  # fmt: skip
    if draw["weights"]:
        draw.set("weights", (0.5, 1.5, 2.0, 0.25, 3.0))
    return [draw.array((draw["length"],) if draw["batch"] is LEFT_OUT else (draw["batch"], draw["length"]), 0, 6)]


FAMILIES = (
    Family(("Unique",), _unique_axes, _unique, constants=NONE_OR_ALL),
    Family(("Compress",), _compress_axes, _compress),
    Family(("NonMaxSuppression",), _boxes_axes, _suppressed),
    Family(("TfIdfVectorizer",), _words_axes, _words, frozenset({"mode"}), constants=NONE_OR_ALL),
)
