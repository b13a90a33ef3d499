"""Ops whose output depends on the shape or the type of an input alone, and CastLike."""

from __future__ import annotations

import numpy as np
from onnx import helper, numpy_helper

from fns_lab.measure.sweep.axes import IMAGES, LEFT_OUT, NONE_OR_ALL, NOT_FIRST_ALONE, TYPES
from fns_lab.measure.sweep.draw import Draw, Family, Inputs
from fns_lab.measure.sweep.pairwise import Axes

RANKS = (4, 3, 2, 1, 5, 6, 0)


def _filled_axes(op: str) -> Axes:
    return {
        "rank": RANKS,
        **IMAGES,
        "value": (LEFT_OUT, *TYPES),
        "number": (1, 0, -2.5),
        "given": ("computed", "constant"),
    }


def _filled(draw: Draw) -> Inputs:
    shape = draw.image()
    if draw["value"] is not LEFT_OUT:
        kind = np.dtype(draw["value"])
        draw.require(kind.kind == "f" or kind.kind == "i" or draw["number"] >= 0)
        draw.attributes["value"] = numpy_helper.from_array(np.array([draw["number"]]).astype(kind), "value")
    draw.fix(draw["given"], 0)
    draw.array(shape, dtype=bool)  # Void for a shape too large
    return [draw.ints(shape)]


def _eye_axes(op: str) -> Axes:
    return {
        "rows": (4, 1, 3, 17, 65), "columns": (4, 1, 5, 16), "attribute k": (LEFT_OUT, 0, 1, -1, 9),
        "dtype": (LEFT_OUT, *TYPES),
    }  # fmt: skip


def _eye(draw: Draw) -> Inputs:
    if draw["dtype"] is not LEFT_OUT:
        draw.set("dtype", helper.np_dtype_to_tensor_dtype(np.dtype(draw["dtype"])))
    return [draw.array((draw["rows"], draw["columns"]))]


def _like_axes(op: str) -> Axes:
    return {"rank": RANKS, **IMAGES, "to": TYPES, "values": ("plain", "zeros", "infinite", "nan")}


def _like(draw: Draw) -> Inputs:
    to = np.dtype(draw["to"])
    draw.require(to.kind in "fb" or draw["values"] in ("plain", "zeros"))
    return [draw.data(draw.image(), 0 if to.kind == "u" else -100, 100), np.ones((1,), to)]


FAMILIES = (
    Family(("ConstantOfShape",), _filled_axes, _filled, frozenset({"value"}), constants=NONE_OR_ALL, typed=False),
    Family(("EyeLike",), _eye_axes, _eye, frozenset({"dtype"}), constants=NONE_OR_ALL),
    Family(("CastLike",), _like_axes, _like, elementwise=True, constants=NOT_FIRST_ALONE),
)
