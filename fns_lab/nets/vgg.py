"""The loss network: VGG-16 up to conv4_3 (Simonyan & Zisserman 2014, arXiv 1409.1556), original Caffe weights.

The shipped weights expect BGR, 0..255, minus the ImageNet mean. Upstream's loss weights (1e5, 1e10) were chosen for
torchvision's VGG-16, whose input and activations are smaller. Dividing the input and every bias by 255 divides every
activation by 255 (convolution, Relu and max pooling are homogeneous), which puts the losses in upstream's range.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fns_lab import paths
from fns_lab.errors import InputError, MissingError
from fns_lab.files import require_regular
from fns_lab.limits import CHECKPOINT_BYTES
from fns_lab.nets.checkpoints import read_tensors

WEIGHTS = paths.DATA / "vgg16_conv1-4_fp16.safetensors"
"""The loss network's weights, in float16."""
BLOCKS = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21))
"""torchvision's `vgg16().features` indices of the convolutions, one tuple per block; a max pool joins two blocks."""
CHANNELS = (64, 64, 128, 128, 256, 256, 256, 512, 512, 512)
"""Output channels of its convolutions, in order."""
MEAN_BGR = (103.939, 116.779, 123.68)
"""Means that the original VGG-16 subtracts, of 0..255, in the order blue, green, red."""
ACTIVATION_SCALE = 1 / 255
"""Factor by which the activations of the original VGG-16 are scaled, so that they are as large as torchvision's."""

TORCHVISION = "torchvision"
"""Stands for torchvision's weights in place of a file."""
TORCHVISION_MEAN = tuple(255 * mean for mean in (0.485, 0.456, 0.406))
"""Means that torchvision's VGG-16 subtracts, of 0..255, in the order red, green, blue."""
TORCHVISION_SCALE = tuple(1 / (255 * std) for std in (0.229, 0.224, 0.225))
"""torchvision's weights expect RGB, 0..1, minus this mean (here of 0..255), divided by this standard deviation."""


class Features(NamedTuple):
    """Activations of the loss network, float32 `(N, C, H/s, W/s)`, values from 0 on.

    - `relu1_2`: C = 64, s = 1
    - `relu2_2`: C = 128, s = 2; the content is compared here
    - `relu3_3`: C = 256, s = 4
    - `relu4_3`: C = 512, s = 8
    """

    relu1_2: Tensor
    relu2_2: Tensor
    relu3_3: Tensor
    relu4_3: Tensor


class LossNetwork(nn.Module):
    """VGG-16 with frozen weights: images `(N, 3, H, W)`, RGB, 0..255, to their `Features`.

    `weights`: the path of the shipped `.safetensors`; or `"torchvision"`, upstream's weights, which torch downloads
    (528 MB) unless its cache has them; or the path of that same file, `vgg16-397923af.pth`. Raises `InputError` for a
    file that does not exist or holds something else, `MissingError` if the download fails.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, weights: Path | str = WEIGHTS) -> None:
        super().__init__()
        shipped = str(weights).endswith(".safetensors")
        state = _shipped_state(Path(weights)) if shipped else _torchvision_state(weights)
        mean, scale = (MEAN_BGR, ACTIVATION_SCALE) if shipped else (TORCHVISION_MEAN, TORCHVISION_SCALE)
        self.bgr = shipped
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor(scale).view(1, -1, 1, 1))
        self.blocks = nn.ModuleList(
            nn.ModuleList(
                _conv(state[f"features.{i}.weight"], state[f"features.{i}.bias"], ACTIVATION_SCALE if shipped else 1)
                for i in block
            )
            for block in BLOCKS
        )
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> Features:
        """Return the activations after each of the four blocks."""
        return Features(*self.activations(x, len(BLOCKS)))

    def activations(self, x: Tensor, blocks: int) -> list[Tensor]:
        """Return the activations after each of the first `blocks` blocks; a content target needs only two."""
        x = ((x.flip(1) if self.bgr else x) - self.mean) * self.scale
        outputs = []
        for index, block in enumerate(self.blocks[:blocks]):
            x = F.max_pool2d(x, 2) if index else x
            for conv in block.children():
                x = F.relu(conv(x), inplace=True)
            outputs.append(x)
        return outputs


def _shipped_state(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise InputError(f"{path}: no such file; the weights of the loss network belong there")
    return _require_shapes(read_tensors(path), path)


def _torchvision_state(source: Path | str) -> dict[str, Tensor]:
    """Return the weights of torchvision's VGG-16, downloaded by torch or read from its file."""
    if source == TORCHVISION:
        return _downloaded_state()
    if not Path(source).is_file():
        raise InputError(f"{source}: no such file; give torchvision's vgg16-397923af.pth, or the word {TORCHVISION}")
    require_regular(source, CHECKPOINT_BYTES)
    try:
        state: dict[str, Tensor] = torch.load(source, map_location="cpu", weights_only=True)
    except Exception:  # torch raises a dozen kinds for a file that is no checkpoint
        state = {}
    return _require_shapes(state, source)


def _require_shapes(state: dict[str, Tensor], source: Path | str) -> dict[str, Tensor]:
    """Return the weights. Raises `InputError` if they are not VGG-16's."""
    try:
        shapes = [
            (tuple(state[f"features.{i}.weight"].shape), tuple(state[f"features.{i}.bias"].shape))
            for block in BLOCKS
            for i in block
        ]
    except (AttributeError, KeyError, TypeError, IndexError):
        shapes = []
    if shapes != [((c_out, c_in, 3, 3), (c_out,)) for c_in, c_out in pairwise((3, *CHANNELS))]:
        raise InputError(f"{source}: not the state_dict of torchvision's VGG-16")
    return state


def _downloaded_state() -> dict[str, Tensor]:
    from torchvision.models import VGG16_Weights

    weights = VGG16_Weights.IMAGENET1K_V1
    try:
        state: dict[str, Tensor] = weights.get_state_dict(progress=True, check_hash=True)
    except (OSError, RuntimeError) as error:  # no network, no such page, a full disk; a wrong checksum
        raise MissingError(
            f"torchvision's VGG-16 cannot be downloaded ({error}); get {weights.url} by other means and give its path "
            "to --loss-weights, or leave that out: the shipped weights need no download"
        ) from None
    return state


def _conv(weight: Tensor, bias: Tensor, bias_scale: float) -> nn.Conv2d:
    conv = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1)
    conv.load_state_dict({"weight": weight.float(), "bias": bias.float() * bias_scale})
    return conv
