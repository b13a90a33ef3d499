"""Stylize a few photographs during training."""

from __future__ import annotations

import numpy as np
import torch

from fns_lab import images
from fns_lab.nets.transformer import stylize
from fns_lab.training.data import Photographs

COUNT = 3
"""Photographs in a preview, at most."""


class Preview:
    """The first photographs of the folder, the same in every strip: unmodified above, stylized below."""

    def __init__(self, data: Photographs) -> None:
        size = (data.crop_px, data.crop_px)
        self.photographs = [images.load(path, size=size) for path in data.paths[:COUNT]]

    def strip(self, net: torch.nn.Module) -> np.ndarray:
        """Return the strip of N photographs, `(1, 3, 2 crop_px, N crop_px)`, RGB, 0..255. `net` is not changed."""
        device = next(net.parameters()).device
        stylized = [stylize(net, torch.from_numpy(x).to(device)).cpu().numpy() for x in self.photographs]
        return np.concatenate([np.concatenate(row, axis=3) for row in (self.photographs, stylized)], axis=2)
