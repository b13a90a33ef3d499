"""Photographs to train on. A batch is a function of (seed, step) alone: a resumed run sees what any run would."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from fns_lab import images
from fns_lab.errors import InputError

MAX_ENLARGEMENT = 1.3
"""Photographs are scaled so that the crop covers between 1 and 1/1.3 of the shorter side."""


class Photographs:
    """Every picture under a folder, nested or not, in sorted order."""

    def __init__(self, folder: Path, crop_px: int, batch_size: int, seed: int) -> None:
        self.paths = sorted(p for p in Path(folder).rglob("*") if p.suffix.lower() in images.SUFFIXES)
        if not self.paths:
            raise InputError(f"{folder}: no pictures in it; give a folder of JPEG or PNG files")
        self.crop_px, self.batch_size, self.seed = crop_px, batch_size, seed

    @property
    def steps_per_epoch(self) -> int:
        return max(1, len(self.paths) // self.batch_size)

    def batch(self, step: int) -> np.ndarray:
        """The batch of this step, float32 `(N, 3, crop, crop)`, RGB, 0..255: random crops, half of them mirrored."""
        epoch, position = divmod(step, self.steps_per_epoch)
        order = np.random.default_rng((self.seed, epoch)).permutation(len(self.paths))
        chosen = [order[(position * self.batch_size + i) % len(order)] for i in range(self.batch_size)]
        rng = np.random.default_rng((self.seed, epoch, position))
        return np.concatenate([self._crop(images.open_rgb(self.paths[i]), rng) for i in chosen])

    def _crop(self, image: Image.Image, rng: np.random.Generator) -> np.ndarray:
        scale = self.crop_px * rng.uniform(1, MAX_ENLARGEMENT) / min(image.size)
        w, h = (max(self.crop_px, round(side * scale)) for side in image.size)
        image = image.resize((w, h), Image.LANCZOS)
        left, top = rng.integers(0, w - self.crop_px + 1), rng.integers(0, h - self.crop_px + 1)
        x = images.array_from_image(image.crop((left, top, left + self.crop_px, top + self.crop_px)))
        return np.ascontiguousarray(x[..., ::-1]) if rng.random() < 0.5 else x
