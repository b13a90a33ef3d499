"""How far two values may lie apart: each bound with its unit, its range and its reason."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Tolerance:
    """A value passes when its largest absolute error is at most `floor + fraction * range of the reference`.

    `fraction` has no unit and grows with the value, from 1e-2 to 1e6 inside a network; `floor` is in the unit of the
    value and decides where the range is near zero (or alone, for images, whose range is known beforehand).
    """

    name: str
    fraction: float
    floor: float
    reason: str

    def __post_init__(self) -> None:
        if not (self.fraction >= 0 and self.floor >= 0):
            raise ValueError(f"{self.name}: fraction and floor must be numbers from 0 up")

    def limit(self, value_range: float) -> float:
        """The largest error allowed, in the unit of the value."""
        return self.floor + self.fraction * value_range

    def __str__(self) -> str:
        return self.name


EXACT = Tolerance(
    name="EXACT",
    fraction=0.0,
    floor=0.0,
    reason="data only moved (Gather for Pad, Slice, Concat, Transpose): every bit is kept",
)

VALUES_FLOAT32 = Tolerance(
    name="VALUES_FLOAT32",
    fraction=1e-4,
    floor=1e-6,
    reason="one engine, one network written in two ways: sums in another order differ by some 1e-6 of the range over"
    " sixty layers, and by 4e-5 on a nearly flat image, whose rounding a normalisation enlarges; a wrong constant or"
    " axis gives 1e-3 and more",
)

VALUES_ACROSS_ENGINES = Tolerance(
    name="VALUES_ACROSS_ENGINES",
    fraction=1e-3,
    floor=1e-5,
    reason="two engines, both float32: a GPU may divide, take roots and fuse multiply-adds with a few units in the last"
    " place of error where a CPU rounds correctly",
)

VALUES_FLOAT16 = Tolerance(
    name="VALUES_FLOAT16",
    fraction=1e-2,
    floor=1e-3,
    reason="values that either side keeps in half precision: 11 bits round to 5e-4 of a value, a few layers add up",
)


def tolerance_between(a: str, b: str) -> Tolerance:
    """For float32 values of target `a` against those of target `b`, by name, such as `ort/cpu` and `ort-web/webgl`.

    One bound serves all pairs of engines. The shipped mosaic network, lowered for each of twelve targets, is within
    2.5e-6 of the range of ONNX Runtime on a photograph and 4.1e-4 on a flat image (200 +- 1), except for the 3.9e-2
    of ort-web/webgpu, which is a fault (see its InstanceNormalization) and no rounding.
    """
    return VALUES_FLOAT32 if a == b else VALUES_ACROSS_ENGINES


def tolerance_of(fraction: float) -> Tolerance:
    """What a user asks for, of the range; the floor lies as far below it as in the named ones."""
    return Tolerance(f"{fraction:g} of the range", fraction, fraction / 100, reason="asked for")


def for_type(tolerance: Tolerance, *types: np.dtype) -> Tolerance:
    """`tolerance`, or `VALUES_FLOAT16` where that is wider and one of the element types is float16."""
    half = any(kind == np.float16 for kind in types)
    return VALUES_FLOAT16 if half and tolerance.fraction < VALUES_FLOAT16.fraction else tolerance


IMAGE_SAME_ENGINE = Tolerance(
    name="IMAGE_SAME_ENGINE",
    fraction=0.0,
    floor=0.05,
    reason="of 0..255: a tenth of the half step at which an 8-bit image could change",
)

IMAGE_ACROSS_ENGINES = Tolerance(
    name="IMAGE_ACROSS_ENGINES",
    fraction=0.0,
    floor=0.5,
    reason="of 0..255: half a step of an 8-bit image, so no pixel moves by more than one step and nobody can see it",
)
