"""The settings of a training run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from fns_lab.errors import InputError
from fns_lab.limits import WIDTH
from fns_lab.nets.vgg import WEIGHTS

PRECISIONS = ("auto", "no", "bf16")
"""Values of `mixed_precision`. `no` and `bf16` give the same bits in each run on a machine. `auto`: float32 or
bfloat16, in the layout of memory, that a second of measuring shows to be the fastest here."""


@dataclass(frozen=True)
class TrainConfig:
    """The settings of a training run, under the names of upstream's flags.

    - `dataset`: folder of photographs, nested or not
    - `style_image`: file of the style image
    - `epochs`: passes over the photographs
    - `max_steps`: total number of steps; replaces `epochs` unless None
    - `batch_size`: photographs per step, in each process
    - `image_size`: height and width of the square crops, in pixels
    - `style_size`: length that the shorter edge of the style image is scaled to, in pixels; None: not scaled
    - `content_weight`, `style_weight`: factors of the two losses, from 0 on
    - `lr`: learning rate of Adam, above 0
    - `seed`: seed of the initial weights and the crops
    - `num_channels`: width of the network, as `TransformerNet` takes it
    - `loss_weights`: weights of the loss network, as `LossNetwork` takes them
    - `init`: file of a trained network of the same width to start from; None: random weights
    - `mixed_precision`: one of `PRECISIONS`

    Raises `InputError` for a weight, learning rate or precision outside these ranges.
    """

    dataset: Path
    style_image: Path
    epochs: int = 2
    max_steps: int | None = None
    batch_size: int = 4
    image_size: int = 256
    style_size: int | None = None
    content_weight: float = 1e5
    style_weight: float = 1e10
    lr: float = 1e-3
    seed: int = 42
    num_channels: int = 32
    loss_weights: Path | str = WEIGHTS
    init: Path | None = None
    mixed_precision: str = "auto"

    def __post_init__(self) -> None:
        for flag, value in (("--content-weight", self.content_weight), ("--style-weight", self.style_weight)):
            if not 0 <= value < math.inf:
                raise InputError(f"{flag} {value}: must be a finite number, 0 or above")
        if not 0 <= self.seed < 2**63:
            raise InputError(f"--seed {self.seed}: must be 0 or above, and below 2^63")
        WIDTH.require(self.num_channels, f"--num-channels {self.num_channels}")
        if not 0 < self.lr < math.inf:
            raise InputError(f"--lr {self.lr}: must be a finite number above 0")
        if self.mixed_precision not in PRECISIONS:
            raise InputError(f"--mixed-precision {self.mixed_precision}: give one of {', '.join(PRECISIONS)}")
