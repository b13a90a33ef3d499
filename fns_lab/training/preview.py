"""What the network makes of a few photographs on the way."""

from __future__ import annotations

import numpy as np
import torch

from fns_lab import images
from fns_lab.nets.transformer import stylize
from fns_lab.training.data import Photographs

COUNT = 3


class Preview:
    """The first photographs of the folder, the same in every strip: above as they are, below stylized."""

    def __init__(self, data: Photographs) -> None:
        size = (data.crop_px, data.crop_px)
        self.images = [images.load(path, size=size) for path in data.paths[:COUNT]]

    def strip(self, net: torch.nn.Module) -> np.ndarray:
        """`(1, 3, 2 x side, N x side)`, RGB, 0..255. The network stays as it is."""
        device = next(net.parameters()).device
        stylized = [stylize(net, torch.from_numpy(x).to(device)).cpu().numpy() for x in self.images]
        side = self.images[0].shape[-1]
        below = [y[..., :side, :side] for y in stylized]
        return np.concatenate([np.concatenate(row, axis=3) for row in (self.images, below)], axis=2)
