"""Public architectures with seeded weights, each from one image to one tensor."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from onnx import ModelProto

from fns_lab.export import INPUT, onnx_from_torch

if TYPE_CHECKING:
    from torch import nn

SIZE_PX = 64
CLASSES = 10
COLUMNS = 192
"""What the networks of sequences read at once: one row of the image, its 64 pixels of 3 channels."""
HIDDEN = 48
IMAGES = (
    "squeezenet1_1",
    "shufflenet_v2_x1_0",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "mobilenet_v3_large",
    "vit",
    "lraspp_mobilenet_v3_large",
    "regnet_y_400mf",
    "efficientnet_b0",
    "googlenet",
    "densenet121",
    "resnet18",
    "convnext_tiny",
    "fcn_resnet50",
    "vgg11",
    "swin_t",
)
"""torchvision's, from small to large. `vit` is its Vision Transformer with 3 layers of width 192."""
SEQUENCES = ("LSTM", "GRU", "MultiheadAttention", "TransformerEncoder")
"""torch's own layers; every fourth row of the image is a step."""


@dataclass(frozen=True)
class Architecture:
    """A network with seeded weights that is exported at opset 18, and the image that it is run on."""

    name: str

    @cached_property
    def model(self) -> ModelProto:
        """The network as exported. Statistics and weights of normalizations are drawn too: no layer is a copy."""
        import torch

        torch.manual_seed(0)
        net = _sequences()[self.name]() if self.name in SEQUENCES else _of_torchvision(self.name)
        with torch.no_grad():
            for module in net.modules():
                _draw_normalization(module)
        return onnx_from_torch(net, (SIZE_PX, SIZE_PX))

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """The shape of the image."""
        return {INPUT: (1, 3, SIZE_PX, SIZE_PX)}

    def feeds(self) -> dict[str, np.ndarray]:
        """Return an image of noise, drawn with the seed of the name."""
        draw = np.random.default_rng(zlib.crc32(self.name.encode()))
        return {name: draw.normal(0, 1, shape).astype(np.float32) for name, shape in self.shapes.items()}


def _draw_normalization(module: nn.Module) -> None:
    from torch import nn

    if isinstance(module, nn.BatchNorm2d | nn.LayerNorm):
        module.weight.uniform_(0.5, 1.5)
        module.bias.normal_(0, 0.1)
    if isinstance(module, nn.BatchNorm2d):
        module.running_mean.normal_(0, 0.1)
        module.running_var.uniform_(0.5, 1.5)


def _of_torchvision(name: str) -> nn.Module:
    import torch
    from torchvision import models
    from torchvision.models import segmentation

    if name == "vit":
        net = models.VisionTransformer(SIZE_PX, 16, num_layers=3, num_heads=3, hidden_dim=192, mlp_dim=768)
        torch.nn.init.normal_(net.heads.head.weight, 0, 0.05)  # it starts at 0
        return net
    if name == "googlenet":
        return models.googlenet(weights=None, aux_logits=False, init_weights=True)
    if hasattr(segmentation, name):
        net = getattr(segmentation, name)(weights=None, weights_backbone=None)
        return _wrapped(lambda x, net: net(x)["out"], net)
    return getattr(models, name)(weights=None)


def _sequences() -> dict[str, Callable[[], nn.Module]]:
    """Return how each of `SEQUENCES` is built, the first two in both directions."""
    from torch import nn

    return {
        "LSTM": lambda: _of_sequence(nn.LSTM(COLUMNS, HIDDEN, 2, bidirectional=True, batch_first=True), 2 * HIDDEN),
        "GRU": lambda: _of_sequence(nn.GRU(COLUMNS, HIDDEN, 2, bidirectional=True, batch_first=True), 2 * HIDDEN),
        "MultiheadAttention": lambda: _of_sequence(nn.MultiheadAttention(COLUMNS, 4, batch_first=True), COLUMNS),
        "TransformerEncoder": lambda: _of_sequence(_encoder(), COLUMNS),
    }


def _encoder() -> nn.Module:
    from torch import nn

    layer = nn.TransformerEncoderLayer(COLUMNS, 4, 256, batch_first=True, norm_first=True)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)


def _of_sequence(layer: nn.Module, width: int) -> nn.Module:
    """Return a network that reads the rows of its image with `layer` and classifies the mean of the steps."""
    from torch import nn

    def forward(image, layer, head):
        steps = image.transpose(1, 2).flatten(2)[:, ::4]
        given = (steps, steps, steps) if isinstance(layer, nn.MultiheadAttention) else (steps,)
        values = layer(*given)
        return head((values[0] if isinstance(values, tuple) else values).mean(1))

    return _wrapped(forward, layer, nn.Linear(width, CLASSES))


def _wrapped(function: Callable, *parts: nn.Module) -> nn.Module:
    """Return a network that computes `function(x, *parts)`."""
    from torch import nn

    class Wrapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = nn.ModuleList(parts)

        def forward(self, x):
            return function(x, *self.parts)

    return Wrapped()
