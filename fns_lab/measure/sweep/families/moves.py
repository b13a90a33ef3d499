"""Ops that move elements without computing: Pad, Slice, Concat, Split, Transpose, Reshape and their like."""

from __future__ import annotations

import math
from collections.abc import Hashable

import numpy as np

from fns_lab.measure.sweep.axes import IMAGES, INPUTS, LEFT_OUT, NONE_OR_ALL
from fns_lab.measure.sweep.draw import Draw, Family, Inputs
from fns_lab.measure.sweep.pairwise import Axes

RANKS = (4, 3, 2, 1, 5, 6)
PADS = ("end of last", "begin of last", "image", "all", "channel", "batch", "negative", "mixed", "none")


def _pad_axes(op: str) -> Axes:
    return {
        "rank": RANKS, **IMAGES, "pads": PADS, "mode": (LEFT_OUT, "constant", "reflect", "edge", "wrap"),
        "fill": (LEFT_OUT, 0.0, 1.5, -math.inf), "axes": (LEFT_OUT, "given", "negative"),
    }  # fmt: skip


def _pad(draw: Draw) -> Inputs:
    shape, kind = draw.image(), draw["pads"]
    rank = len(shape)
    begin, end = _padding(kind, rank)
    if draw["mode"] is not LEFT_OUT:
        draw.set("mode", draw["mode"])
    inputs: list[np.ndarray | None] = [draw.array(shape)]
    fill, axes = draw["fill"], draw["axes"]
    if "pads" in draw.schema.attributes:
        draw.require(axes is LEFT_OUT)
        if fill is not LEFT_OUT:
            draw.set("value", fill)
        draw.set("pads", (*begin, *end))
        return inputs
    if axes is LEFT_OUT:
        return [*inputs, draw.ints([*begin, *end]), *([] if fill is LEFT_OUT else [_fill(draw)])]
    draw.require(len(draw.schema.inputs) > 3)
    chosen = [axis for axis in range(rank) if begin[axis] or end[axis]] or [rank - 1]
    pads = draw.ints([begin[axis] for axis in chosen] + [end[axis] for axis in chosen])
    value = None if fill is LEFT_OUT else _fill(draw)
    return [*inputs, pads, value, draw.ints([axis - rank * (axes == "negative") for axis in chosen])]


def _fill(draw: Draw) -> np.ndarray:
    draw.require(draw.dtype.kind == "f" or draw["fill"] >= 0)
    return np.array(draw["fill"]).astype(draw.dtype)


def _padding(kind: str, rank: int) -> tuple[list[int], list[int]]:
    none, last = [0] * rank, [0] * (rank - 1)
    image = [int(axis >= 2) for axis in range(rank)]
    return {
        "end of last": (none, [*last, 2]),
        "begin of last": ([*last, 2], none),
        "image": (image, [2 * size for size in image]),
        "all": ([1] * rank, [1] * rank),
        "channel": ([int(axis == 1) for axis in range(rank)], none),
        "batch": (none, [1, *[0] * (rank - 1)]),
        "negative": ([*last, -1], [*last, -1]),
        "mixed": ([*last, -1], [*last, 2]),
        "none": (none, none),
    }[kind]


SLICES = {
    "first": (0, 1, 1),
    "tail": (1, math.inf, 1),
    "all": (0, math.inf, 1),
    "head": (0, -1, 1),
    "from the end": (-3, -1, 1),
    "odd": (1, math.inf, 2),
    "reversed": (-1, -math.inf, -1),
    "back in twos": (-1, -math.inf, -2),
    "nothing": (2, 1, 1),
    "beyond": (-1000, 1000, 1),
}
"""Start, end and step."""


def _slice_axes(op: str) -> Axes:
    return {
        "rank": RANKS, **IMAGES, "slice": tuple(SLICES), "second": (LEFT_OUT, *SLICES),
        "axes": ("given", LEFT_OUT, "negative"),
        "steps": (LEFT_OUT, "given"), "indices": ("int64", "int32"),
    }  # fmt: skip


def _slice(draw: Draw) -> Inputs:
    shape, kinds = draw.image(), [draw["slice"]]
    if draw["second"] is not LEFT_OUT:
        kinds.append(draw["second"])
    draw.require(len(kinds) <= len(shape))
    first = 0 if draw["axes"] is LEFT_OUT else len(shape) - len(kinds)
    axes = [first + i - len(shape) * (draw["axes"] == "negative") for i in range(len(kinds))]
    kind = np.dtype(draw["indices"])
    starts, ends, steps = zip(*(SLICES[name] for name in kinds), strict=True)
    limit = np.iinfo(kind).max
    within = [int(min(max(end, -limit), limit)) for end in ends]
    x = draw.array(shape)
    if "starts" in draw.schema.attributes:
        draw.require(set(steps) == {1} and kind == np.int64)
        draw.set("starts", starts)
        draw.set("ends", tuple(within))
        if draw["axes"] is not LEFT_OUT:
            draw.set("axes", tuple(axes))
        return [x]
    draw.require(draw["steps"] is not LEFT_OUT or set(steps) == {1})
    given = [draw.ints(starts, kind), draw.ints(within, kind)]
    listed = None if draw["axes"] is LEFT_OUT else draw.ints(axes, kind)
    if draw["steps"] is not LEFT_OUT:
        return [x, *given, listed, draw.ints(steps, kind)]
    return [x, *given] if listed is None else [x, *given, listed]


def _along(draw: Draw, axis: int, rank: int) -> int:
    draw.require(-rank <= axis < rank)
    return axis % rank


def _concat(draw: Draw) -> Inputs:
    shape = list(draw.image())
    axis = _along(draw, draw.attributes.get("axis", 1), len(shape))
    inputs = []
    for index in range(draw["inputs"]):
        sizes = list(shape)
        if draw["lengths"] == "different":
            sizes[axis] += index
        inputs.append(draw.array(sizes))
    return inputs


def _split_axes(op: str) -> Axes:
    return {
        "rank": RANKS,
        **IMAGES,
        "parts": ((1, 1), (1, 2), (2, 1, 1), (1,), (0, 2), (3, 3), (1,) * 40),
        "sizes": ("given", LEFT_OUT, "number"),
    }


def _split(draw: Draw) -> Inputs:
    shape, parts = list(draw.image()), draw["parts"]
    axis = _along(draw, draw.attributes.get("axis", 0), len(shape))
    shape[axis] = sum(parts)
    draw.outputs = len(parts)
    inputs: list[np.ndarray | None] = [draw.array(shape)]
    if draw["sizes"] == "given":
        draw.parameter("split", parts, inputs)
    elif draw["sizes"] == "number":
        draw.set("num_outputs", len(parts))
    return inputs


PERMUTATIONS = ("reversed", "left out", "last first", "first last", "swap last", "same", "swap first")


def _transpose(draw: Draw) -> Inputs:
    shape = draw.image()
    order = [*range(len(shape))]
    kind = draw["permutation"]
    permuted = {
        "reversed": order[::-1],
        "last first": [*order[-1:], *order[:-1]],
        "first last": [*order[1:], *order[:1]],
        "swap last": [*order[:-2], *order[-2:][::-1]],
        "same": order,
        "swap first": [*order[:2][::-1], *order[2:]],
    }.get(kind)
    if permuted is not None:
        draw.set("perm", tuple(permuted))
    return [draw.array(shape)]


SHAPES = ("flat", "two halves", "copied and free", "new ones", "same", "lower", "reversed")


def _reshape(draw: Draw) -> Inputs:
    shape = draw.image()
    new = {
        "flat": [-1],
        "two halves": [math.prod(shape[: len(shape) // 2]), -1],
        "copied and free": [0, -1],
        "new ones": [1, *shape, 1],
        "same": list(shape),
        "lower": [*shape[:-2], math.prod(shape[-2:])],
        "reversed": list(shape[::-1]),
    }[draw["shape"]]
    return [draw.array(shape), draw.ints(new)]


def _squeeze(draw: Draw) -> Inputs:
    shape, axes = list(draw.image()), draw["axes"]
    inputs: list[np.ndarray | None] = []
    if axes is LEFT_OUT:
        draw.require(draw.op == "Squeeze")
        shape[-1] = 1
        return [draw.array(shape)]
    rank = len(shape) + (len(axes) if draw.op == "Unsqueeze" else 0)
    draw.require(all(-rank <= axis < rank for axis in axes) and len({axis % rank for axis in axes}) == len(axes))
    if draw.op == "Squeeze":
        for axis in axes:
            shape[axis] = 1
    inputs.append(draw.array(shape))
    draw.parameter("axes", axes, inputs)
    return inputs


def _tile(draw: Draw) -> Inputs:
    shape = draw.image()
    repeats = {
        "last": [*[1] * (len(shape) - 1), 2],
        "all": [2] * len(shape),
        "first": [3, *[1] * (len(shape) - 1)],
        "once": [1] * len(shape),
    }
    return [draw.array(shape), draw.ints(repeats[draw["repeats"]])]


def _expand(draw: Draw) -> Inputs:
    shape, kind = list(draw.image()), draw["to"]
    narrow = list(shape)
    if kind in ("last", "both"):
        narrow[-1] = 1
    if kind in ("first", "both"):
        narrow[0] = 1
    wanted = {"new": [2, *shape], "ones": [1] * len(shape), "shorter": shape[1:]}.get(kind, shape)
    return [draw.array(narrow), draw.ints(wanted)]


def _center_axes(op: str) -> Axes:
    return _images(change=("smaller", "larger", "mixed", "same"), axes=(LEFT_OUT, (-1,), (0,), (2, 3), (1, -1)))


def _center(draw: Draw) -> Inputs:
    shape, axes = draw.image(), draw["axes"]
    chosen = range(len(shape)) if axes is LEFT_OUT else axes
    draw.require(all(-len(shape) <= axis < len(shape) for axis in chosen))
    draw.require(len({axis % len(shape) for axis in chosen}) == len(chosen))
    if axes is not LEFT_OUT:
        draw.set("axes", axes)
    steps = {"smaller": (-1, -2), "larger": (1, 2), "mixed": (-1, 3), "same": (0, 0)}[draw["change"]]
    return [draw.array(shape), draw.ints([max(1, shape[axis] + steps[i % 2]) for i, axis in enumerate(chosen)])]


def _blocks(draw: Draw) -> Inputs:
    block, mode = draw["block"], draw.get("mode")
    draw.set("blocksize", block)
    if mode is not LEFT_OUT:
        draw.set("mode", mode)
    n, c, (h, w) = draw["batch"], draw["channels"], draw["size"]
    return [draw.array((n, c * block * block, h, w) if draw.op == "DepthToSpace" else (n, c, h * block, w * block))]


def _images(**more: tuple[Hashable, ...]) -> Axes:
    return {"rank": RANKS, **IMAGES, **more}


FAMILIES = (
    Family(("Pad",), _pad_axes, _pad, frozenset({"mode", "value"})),
    Family(("Slice",), _slice_axes, _slice),
    Family(("Concat",), lambda op: _images(inputs=INPUTS, lengths=("same", "different")), _concat),
    Family(("Split",), _split_axes, _split),
    Family(("Transpose",), lambda op: _images(permutation=PERMUTATIONS), _transpose, constants=NONE_OR_ALL),
    Family(("Reshape",), lambda op: _images(shape=SHAPES), _reshape),
    Family(("Flatten",), lambda op: _images(), lambda draw: [draw.array(draw.image())], constants=NONE_OR_ALL),
    Family(
        ("Squeeze", "Unsqueeze"),
        lambda op: _images(axes=((0,), LEFT_OUT, (-1,), (1,), (2,), (0, 2), (1, -1), (-2,), (2, 0))),
        _squeeze,
    ),
    Family(("Tile",), lambda op: _images(repeats=("last", "all", "first", "once")), _tile),
    Family(("Expand",), lambda op: _images(to=("last", "first", "both", "new", "ones", "shorter")), _expand),
    Family(("CenterCropPad",), _center_axes, _center),
    Family(
        ("DepthToSpace", "SpaceToDepth"),
        lambda op: (
            {**IMAGES, "block": (2, 1, 3)} | ({"mode": (LEFT_OUT, "DCR", "CRD")} if op == "DepthToSpace" else {})
        ),
        _blocks,
        constants=NONE_OR_ALL,
    ),
)
