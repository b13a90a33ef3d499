"""The loss network: VGG-16 up to conv4_3 (Simonyan & Zisserman 2014, arXiv 1409.1556), original Caffe weights.

The shipped weights expect BGR, 0..255, minus the ImageNet mean. Upstream's loss weights (1e5, 1e10) belong to
torchvision's VGG-16, whose input and activations are smaller. Dividing the input and every bias by 255 divides
every activation by 255 (convolution, Relu and max pooling are homogeneous) and brings the losses to upstream's range.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fns_lab import paths
from fns_lab.errors import InputError

WEIGHTS = paths.DATA / "vgg16_conv1-4_fp16.safetensors"
BLOCKS = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21))
"""torchvision's `vgg16().features` indices of the convolutions, one tuple a block; a max pool stands between blocks."""
MEAN_BGR = (103.939, 116.779, 123.68)
ACTIVATION_SCALE = 1 / 255


class Features(NamedTuple):
    """Activations `(N, C, H/s, W/s)`: C = 64, 128, 256, 512 and s = 1, 2, 4, 8."""

    relu1_2: Tensor
    relu2_2: Tensor
    relu3_3: Tensor
    relu4_3: Tensor


class LossNetwork(nn.Module):
    """`(N, 3, H, W)`, RGB, 0..255, to its `Features`; frozen. Raises `InputError` if the weights' file is not there."""

    def __init__(self, weights: Path = WEIGHTS) -> None:
        super().__init__()
        from safetensors.torch import load_file

        if not Path(weights).is_file():
            raise InputError(f"{weights}: no such file; the weights of the loss network belong there")
        state = load_file(weights)
        self.register_buffer("mean", torch.tensor(MEAN_BGR).view(1, 3, 1, 1))
        self.blocks = nn.ModuleList(
            nn.ModuleList(_conv(state[f"features.{i}.weight"], state[f"features.{i}.bias"]) for i in block)
            for block in BLOCKS
        )
        self.requires_grad_(False)

    def forward(self, x: Tensor, last: int = len(BLOCKS)) -> Features | tuple[Tensor, ...]:
        """Activations after each of the first `last` blocks; a content target needs only two."""
        x = (x.flip(1) - self.mean) * ACTIVATION_SCALE
        found = []
        for index, block in enumerate(self.blocks[:last]):
            x = F.max_pool2d(x, 2) if index else x
            for conv in block:
                x = F.relu(conv(x), inplace=True)
            found.append(x)
        return Features(*found) if last == len(BLOCKS) else tuple(found)


def _conv(weight: Tensor, bias: Tensor) -> nn.Conv2d:
    conv = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1)
    conv.weight.data.copy_(weight.float())
    conv.bias.data.copy_(bias.float() * ACTIVATION_SCALE)
    return conv
