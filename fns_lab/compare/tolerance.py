"""The largest error allowed between two values: each bound with its unit, its range and its reason."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Tolerance:
    """A bound on errors: a value passes if its largest absolute error is at most `floor + fraction * range`.

    The range is that of the reference, from 1e-2 to 1e6 inside a network.
    """

    name: str
    fraction: float
    """Share of the reference's range, without a unit."""
    floor: float
    """In the unit of the value. Decides where the range is near zero, and alone for images, whose range is known."""
    reason: str

    def __post_init__(self) -> None:
        if not (self.fraction >= 0 and self.floor >= 0):
            raise ValueError(f"{self.name}: fraction and floor must be numbers from 0 up")

    def limit(self, value_range: float) -> float:
        """Return the largest error allowed for a value of this range, in the unit of the value."""
        return self.floor + self.fraction * value_range

    def __str__(self) -> str:
        return self.name


EXACT = Tolerance(
    name="EXACT",
    fraction=0.0,
    floor=0.0,
    reason="ops that only move data (Gather for Pad, Slice, Concat, Transpose) keep every bit",
)
"""The same bits."""

VALUES_FLOAT32 = Tolerance(
    name="VALUES_FLOAT32",
    fraction=1e-4,
    floor=1e-6,
    reason="one engine, one network written in two ways: sums in another order differ by about 1e-6 of the range over"
    " sixty layers, and by 4e-5 on a nearly flat image, where a normalisation enlarges rounding; a wrong constant or"
    " axis gives 1e-3 and more",
)
"""Values of two models in one engine, in float32."""

VALUES_ACROSS_ENGINES = Tolerance(
    name="VALUES_ACROSS_ENGINES",
    fraction=1e-3,
    floor=1e-5,
    reason="two engines, both float32: divisions, roots and fused multiply-adds of a GPU may be off by a few units in"
    " the last place where a CPU rounds correctly",
)
"""Values of two engines, in float32."""

VALUES_FLOAT16 = Tolerance(
    name="VALUES_FLOAT16",
    fraction=1e-2,
    floor=1e-3,
    reason="either value is in half precision: 11 bits round to 5e-4 of a value, and a few layers add up",
)
"""Values of which one is computed in float16."""


def tolerance_between(a: str, b: str) -> Tolerance:
    """Return the tolerance for float32 values of targets `a` and `b`, by name, such as `ort/cpu` and `ort-web/webgl`.

    One bound serves all pairs of engines. The shipped mosaic network, lowered for each of twelve targets, differs from
    ONNX Runtime by at most 2.5e-6 of the range on a photograph and 4.1e-4 on a flat image (200 +- 1), except for 3.9e-2
    in ort-web/webgpu, which is a fault of its InstanceNormalization and not rounding.
    """
    return VALUES_FLOAT32 if a == b else VALUES_ACROSS_ENGINES


def tolerance_of(fraction: float) -> Tolerance:
    """Return a tolerance of this fraction of the range; its floor is a hundredth of it, as in the named ones."""
    return Tolerance(f"{fraction:g} of the range", fraction, fraction / 100, reason="asked for")


def for_type(tolerance: Tolerance, *types: np.dtype) -> Tolerance:
    """Return `tolerance`, or `VALUES_FLOAT16` if that is wider and one of the element types is float16."""
    half = any(kind == np.float16 for kind in types)
    return VALUES_FLOAT16 if half and tolerance.fraction < VALUES_FLOAT16.fraction else tolerance


IMAGE_SAME_ENGINE = Tolerance(
    name="IMAGE_SAME_ENGINE",
    fraction=0.0,
    floor=0.05,
    reason="of 0..255: a tenth of the half step at which an 8-bit image could change",
)
"""Images of two models in one engine, in steps of 0..255."""

IMAGE_ACROSS_ENGINES = Tolerance(
    name="IMAGE_ACROSS_ENGINES",
    fraction=0.0,
    floor=0.5,
    reason="of 0..255: half a step of an 8-bit image, so no pixel moves by more than one step and nobody can see it",
)
"""Images of two engines, in steps of 0..255."""
