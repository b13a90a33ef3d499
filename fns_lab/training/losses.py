"""Perceptual losses of Johnson et al. (2016): content at relu2_2, style by Gram matrices at four depths."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fns_lab.nets.vgg import Features, LossNetwork

CONTENT_BLOCKS = 2
"""Content is compared at relu2_2, so that only two blocks of the loss network run on the photographs."""


class Losses(NamedTuple):
    """Weighted losses of one batch, scalar tensors.

    - `content`: mean squared difference of the features at relu2_2, times the content weight
    - `style`: mean squared differences of the Gram matrices, summed over four depths, times the style weight
    """

    content: Tensor
    style: Tensor

    @property
    def total(self) -> Tensor:
        """The sum of both losses, which training minimizes."""
        return self.content + self.style


def gram_matrix(features: Tensor) -> Tensor:
    """Return the Gram matrices `(N, C, C)`, float32, of features `(N, C, H, W)`.

    G = F F^T / (C H W), with F the features reshaped to `(N, C, H*W)`.
    """
    n, c, h, w = features.shape
    flat = features.reshape(n, c, h * w).float()
    with torch.autocast(flat.device.type, enabled=False):  # in bfloat16 a sum over all pixels keeps two digits
        return flat @ flat.transpose(1, 2) / (c * h * w)


class PerceptualLoss(nn.Module):
    """Content loss against the photographs and style loss against one style image, `(1, 3, H, W)`, RGB, 0..255."""

    def __init__(self, loss_network: LossNetwork, style: Tensor, content_weight: float, style_weight: float) -> None:
        super().__init__()
        self.loss_network = loss_network
        self.content_weight = content_weight
        self.style_weight = style_weight
        with torch.no_grad():
            grams = [gram_matrix(f) for f in loss_network(style)]
        for index, gram in enumerate(grams):
            self.register_buffer(f"style_gram{index}", gram)

    def forward(self, y: Tensor, x: Tensor) -> Losses:
        """Return the losses of the stylized images `y` of the photographs `x`, both `(N, 3, H, W)`, RGB, 0..255."""
        features: Features = self.loss_network(y)
        with torch.no_grad():
            content = self.loss_network.activations(x, CONTENT_BLOCKS)[-1]
        grams = [getattr(self, f"style_gram{i}") for i in range(len(features))]
        style_losses = (
            F.mse_loss(gram_matrix(f), gram.expand(len(f), -1, -1)) for f, gram in zip(features, grams, strict=True)
        )
        return Losses(
            content=self.content_weight * F.mse_loss(features.relu2_2, content),
            style=self.style_weight * sum(style_losses, start=torch.zeros((), device=y.device)),
        )
