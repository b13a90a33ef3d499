"""The networks and models that answers are computed from, each made once per process."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from fns_lab.paths import SAVED_MODELS

if TYPE_CHECKING:
    from onnx import ModelProto

    from fns_lab.rewrite.lower import Lowering

SHIPPED = SAVED_MODELS / "mosaic_nc16.pth"
"""The checkpoint of the exercises."""


@functools.cache
def exported(size: tuple[int, int]) -> ModelProto:
    """Return the shipped network exported at `(H, W)` pixels. Do not change it: the next caller gets the same."""
    from fns_lab.export import onnx_from_torch
    from fns_lab.nets import checkpoints

    return onnx_from_torch(checkpoints.load(SHIPPED), size)


@functools.cache
def lowered(size: tuple[int, int], target: str, list_sites: bool = False) -> Lowering:
    """Return the shipped network, exported and lowered for a target."""
    from fns_lab import targets
    from fns_lab.rewrite.lower import lower

    return lower(exported(size), targets.load(target), list_sites=list_sites)
