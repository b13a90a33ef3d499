"""Ops that read or write elements by index."""

from __future__ import annotations

import numpy as np

from fns_lab.measure.sweep.axes import IMAGES, LEFT_OUT
from fns_lab.measure.sweep.draw import Draw, Family, Inputs
from fns_lab.measure.sweep.pairwise import Axes

RANKS = (4, 3, 2, 1, 5)
INDICES = ("some", "negative", "scalar", "matrix", "one", "repeated")
REDUCTION = (LEFT_OUT, "none", "add", "mul", "max", "min")


def _axes(op: str) -> Axes:
    reduction: Axes = {"attribute reduction": REDUCTION} if op.startswith("Scatter") and op != "Scatter" else {}
    return {
        "rank": RANKS, **IMAGES, "indices": INDICES, "index type": ("int64", "int32"), **reduction,
    }  # fmt: skip


def _indices(draw: Draw, shape: tuple[int, ...], size: int) -> np.ndarray:
    """Return indices of this shape into a dimension of `size`, as the axis `indices` says."""
    draw.require(size)
    low = -size if draw["indices"] == "negative" else 0
    indices = draw.rng.integers(low, size, shape)
    if draw["indices"] == "repeated":
        indices = np.zeros_like(indices)
    return np.asarray(indices, draw["index type"])


def _axis(draw: Draw, rank: int) -> int:
    axis = draw.attributes.get("axis", 0)
    draw.require(-rank <= axis < rank)
    return int(axis) % rank


def _gather(draw: Draw) -> Inputs:
    shape = draw.image()
    size = shape[_axis(draw, len(shape))]
    wanted = {"scalar": (), "matrix": (2, 3), "one": (1,)}.get(draw["indices"], (3,))
    return [draw.array(shape), _indices(draw, wanted, size)]


def _gather_elements(draw: Draw) -> Inputs:
    shape = draw.image()
    draw.require(draw["indices"] not in ("scalar", "matrix"))
    size = shape[_axis(draw, len(shape))]
    wanted = tuple(1 for _ in shape) if draw["indices"] == "one" else shape
    return [draw.array(shape), _indices(draw, wanted, size)]


def _scatter_elements(draw: Draw) -> Inputs:
    shape = draw.image()
    axis = _axis(draw, len(shape))
    draw.require(draw["indices"] in ("some", "negative", "one") and shape[axis])
    count = 1 if draw["indices"] == "one" else max(1, shape[axis] // 2)
    order = draw.rng.permutation(shape[axis])[:count]  # no index twice: what then remains is not defined
    order = order - shape[axis] if draw["indices"] == "negative" else order
    wanted = tuple(count if i == axis else size for i, size in enumerate(shape))
    placed = order.reshape([count if i == axis else 1 for i in range(len(shape))])
    indices = np.broadcast_to(placed, wanted).astype(draw["index type"])
    return [draw.array(shape), indices.copy(), draw.array(wanted)]


def _nd(draw: Draw) -> Inputs:
    shape = draw.image()
    draw.require(draw["index type"] == "int64" and all(shape))
    alike = draw.attributes.get("batch_dims", 0)
    draw.require(len(shape) > alike)
    batch, rest = shape[:alike], shape[alike:]
    depth = 1 if draw["indices"] in ("one", "scalar") else min(2, len(rest))
    count = 1 if draw["indices"] == "one" or draw.op == "ScatterND" else 3
    low = [-size if draw["indices"] == "negative" else 0 for size in rest[:depth]]
    indices = draw.rng.integers(low, rest[:depth], (*batch, count, depth))
    data = draw.array(shape)
    return [data, indices, *([draw.array((count, *shape[depth:]))] if draw.op == "ScatterND" else [])]


def _one_hot(draw: Draw) -> Inputs:
    depth = draw["depth"]
    draw.require(-draw["rank"] - 1 <= draw.attributes.get("axis", -1) <= draw["rank"])
    negative = draw["indices"] == "negative"
    draw.require(not negative or draw.dtype.kind != "u")
    indices = draw.rng.integers(-depth if negative else 0, depth, draw.image())
    values = np.array([1, 2]).astype(draw["values type"])
    return [indices.astype(draw.dtype), np.array(depth, draw["depth type"]), values]


def _top_k(draw: Draw) -> Inputs:
    shape = draw.image()
    axis = draw.attributes.get("axis", -1)
    draw.require(-len(shape) <= axis < len(shape) and draw["k"] <= shape[axis])
    draw.outputs = 2
    count = int(np.prod(shape))
    draw.require(count <= {"f": 2**11, "i": 2**7, "u": 2**8}[draw.dtype.kind] or draw.dtype.itemsize > 2)
    x = draw.rng.permutation(count).reshape(shape).astype(draw.dtype)  # no value twice
    if "k" in draw.schema.attributes:
        draw.set("k", draw["k"])
        return [x]
    return [x, draw.ints([draw["k"]])]


def _cache_axes(op: str) -> Axes:
    return {
        "batch": (1, 2, 3), "heads": (2, 1, 3), "steps": (6, 1, 17), "depth": (4, 1, 8), "written": (1, 2),
        "positions": ("given", LEFT_OUT), "mode": (LEFT_OUT, "linear", "circular"), "along": (LEFT_OUT, -2, 2),
    }  # fmt: skip


def _cache(draw: Draw) -> Inputs:
    batch, heads, steps, depth, written = (draw[name] for name in ("batch", "heads", "steps", "depth", "written"))
    draw.require(written <= steps)
    if draw["mode"] is not LEFT_OUT:
        draw.set("mode", draw["mode"])
    if draw["along"] is not LEFT_OUT:
        draw.set("axis", draw["along"])
    last = steps if draw["mode"] == "circular" else steps - written + 1
    positions = None if draw["positions"] is LEFT_OUT else draw.rng.integers(0, last, batch)
    return [draw.array((batch, heads, steps, depth)), draw.array((batch, heads, written, depth)), positions]


FAMILIES = (
    Family(("Gather",), _axes, _gather),
    Family(("GatherElements",), _axes, _gather_elements),
    Family(("Scatter", "ScatterElements"), _axes, _scatter_elements),
    Family(("GatherND", "ScatterND"), _axes, _nd),
    Family(
        ("OneHot",),
        lambda op: {
            "rank": RANKS,
            **IMAGES,
            "type": ("int64", "int32", "float32", "uint8"),
            "depth": (5, 1, 17),
            "depth type": ("int64", "int32", "float32"),
            "values type": ("float32", "int64", "int32", "bool"),
            "indices": ("some", "negative"),
        },
        _one_hot,
    ),
    Family(
        ("TopK",),
        lambda op: {
            "rank": RANKS,
            **IMAGES,
            "k": (1, 2, 3),
            "attribute largest": (LEFT_OUT, 0, 1),
            "attribute sorted": (LEFT_OUT, 1),
        },
        _top_k,
    ),
    Family(("TensorScatter",), _cache_axes, _cache, frozenset({"mode", "axis"})),
)
