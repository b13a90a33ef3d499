"""Ops of sound: Fourier transforms, windows and mel filters."""

from __future__ import annotations

import numpy as np

from fns_lab.measure.sweep.axes import LEFT_OUT, NONE_OR_ALL
from fns_lab.measure.sweep.draw import Draw, Family, Inputs
from fns_lab.measure.sweep.pairwise import Axes

LENGTHS = (8, 7, 1, 16, 13, 64)
ASKED = (LEFT_OUT, "same", "longer", "shorter")
"""How many samples are transformed, compared with those that there are."""
OUTPUT_TYPES = (LEFT_OUT, 1, 10, 11)
"""float32, float16 and double, as ONNX numbers them."""


def _dft_axes(op: str) -> Axes:
    return {
        "batch": (1, 2, 3), "length": LENGTHS, "other": (LEFT_OUT, 3, 1), "parts": (1, 2), "asked": ASKED,
        "axis": (LEFT_OUT, 1, -2, 2), "attribute inverse": (LEFT_OUT, 0, 1), "attribute onesided": (LEFT_OUT, 0, 1),
        "type": ("float32", "float64"),
    }  # fmt: skip


def _dft(draw: Draw) -> Inputs:
    other = [] if draw["other"] is LEFT_OUT else [draw["other"]]
    shape = (draw["batch"], draw["length"], *other, draw["parts"])
    axis = draw["axis"]
    within = axis if axis is not LEFT_OUT else 1 if "axis" in draw.schema.attributes else -2
    draw.require(within % len(shape) < len(shape) - 1 and not (within > 0 and within >= len(shape) - 1))
    size = shape[within]
    length = {"same": size, "longer": size + 3, "shorter": size // 2}.get(draw["asked"])
    draw.require(length != 0)
    inputs: list[np.ndarray | None] = [draw.array(shape), None if length is None else np.array(length, np.int64)]
    if axis is not LEFT_OUT and "axis" in draw.schema.attributes:
        draw.set("axis", axis)
    elif axis is not LEFT_OUT:
        inputs.append(np.array(axis, np.int64))
    return inputs


def _stft_axes(op: str) -> Axes:
    return {
        "batch": (1, 2, 3), "length": (64, 33, 16, 128), "step": (4, 1, 5, 16), "frame": (8, 16, 7),
        "window": ("given", LEFT_OUT), "frame_length": ("given", LEFT_OUT), "parts": (1, 2),
        "attribute onesided": (LEFT_OUT, 0, 1), "type": ("float32", "float64"),
    }  # fmt: skip


def _stft(draw: Draw) -> Inputs:
    draw.require(draw["window"] or draw["frame_length"])
    draw.require(draw["parts"] == 1 or draw.attributes.get("onesided") == 0)
    signal = draw.array((draw["batch"], draw["length"], draw["parts"]))
    window = draw.array((draw["frame"],), 0.1, 1.0) if draw["window"] else None
    length = np.array(draw["frame"], np.int64) if draw["frame_length"] else None
    return [signal, np.array(draw["step"], np.int64), window, length]


def _window_axes(op: str) -> Axes:
    return {
        "size": (8, 1, 2, 3, 17, 64), "size type": ("int64", "int32"), "attribute periodic": (LEFT_OUT, 0, 1),
        "attribute output_datatype": OUTPUT_TYPES, "given": ("constant", "computed"),
    }  # fmt: skip


def _window(draw: Draw) -> Inputs:
    draw.fix(draw["given"], 0)
    return [np.array(draw["size"], draw["size type"])]


def _mel_axes(op: str) -> Axes:
    return {
        "bins": (4, 1, 8, 40), "length": (16, 64, 257), "rate": (8192, 16000), "band": ((0, 4000), (20, 3000)),
        "size type": ("int64", "int32"), "attribute output_datatype": OUTPUT_TYPES, "given": ("constant", "computed"),
    }  # fmt: skip


def _mel(draw: Draw) -> Inputs:
    draw.fix(draw["given"], *range(5))
    sizes = [np.array(draw[axis], draw["size type"]) for axis in ("bins", "length", "rate")]
    return [*sizes, *(np.array(edge, np.float32) for edge in draw["band"])]


WINDOWS = ("BlackmanWindow", "HammingWindow", "HannWindow")
FAMILIES = (
    Family(("DFT",), _dft_axes, _dft, frozenset({"axis"})),
    Family(("STFT",), _stft_axes, _stft),
    Family(WINDOWS, _window_axes, _window, constants=NONE_OR_ALL, typed=False),
    Family(("MelWeightMatrix",), _mel_axes, _mel, constants=NONE_OR_ALL, typed=False),
)
