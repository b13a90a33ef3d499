"""What a training run depends on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from fns_lab.errors import InputError
from fns_lab.nets.vgg import WEIGHTS

PRECISIONS = ("auto", "no", "bf16")
"""Of `mixed_precision`. `auto` is bf16 where the device multiplies matrices of bfloat16 in hardware, else `no`."""


@dataclass(frozen=True)
class TrainConfig:
    """The names are upstream's flags. `max_steps`, where given, takes the place of `epochs`."""

    dataset: Path
    style_image: Path
    epochs: int = 2
    max_steps: int | None = None
    batch_size: int = 4
    """Photographs a step, in each process."""
    image_size: int = 256
    style_size: int | None = None
    """Shorter side of the style image in pixels; None keeps its own."""
    content_weight: float = 1e5
    style_weight: float = 1e10
    lr: float = 1e-3
    seed: int = 42
    num_channels: int = 32
    loss_weights: Path | str = WEIGHTS
    """Of the loss network, as `LossNetwork` takes them."""
    init: Path | None = None
    """A trained network of the same width to begin with, in place of random weights."""
    mixed_precision: str = "auto"

    def __post_init__(self) -> None:
        """Raises `InputError` for a value that no run could use."""
        for flag, value in (("--content-weight", self.content_weight), ("--style-weight", self.style_weight)):
            if not 0 <= value < math.inf:
                raise InputError(f"{flag} {value}: must be a number from 0 on")
        if not 0 < self.lr < math.inf:
            raise InputError(f"--lr {self.lr}: must be a number above 0")
        if self.mixed_precision not in PRECISIONS:
            raise InputError(f"--mixed-precision {self.mixed_precision}: give one of {', '.join(PRECISIONS)}")
