"""Networks of other kinds than the style network, small and with random weights: examples for `fns-lab export`.

`fns-lab export fns_lab.nets.examples:TwoInputs --input x=1x3x32x32 --input ids=1x16:int64 -o two.onnx`
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class TwoInputs(nn.Module):
    """An image `(N, 3, H, W)` and a text, `(N, T)` int64 below 100, to ten scores, `(N, 10)`, and a text vector."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.image = nn.Sequential(nn.Conv2d(3, width, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.words = nn.Embedding(100, width)
        self.scores = nn.Linear(2 * width, 10)

    def forward(self, x: Tensor, ids: Tensor) -> dict[str, Tensor]:
        """Return `scores` and `text`, the mean of the words' vectors `(N, width)`."""
        text = self.words(ids).mean(1)
        return {"scores": self.scores(torch.cat([self.image(x), text], 1)), "text": text}


class TransformerBlock(nn.Module):
    """One layer of an encoder, `(N, T, 32)` to the same, with a mask `(N, T)`: 1 for a word, 0 for padding."""

    def __init__(self, width: int = 32, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.attended = (nn.Linear(width, width) for _ in range(4))
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, hidden_states: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the layer's output and its attention, `(N, heads, T, T)`."""
        x = hidden_states
        q, k, v = (self._split(layer(x)) for layer in (self.query, self.key, self.value))
        unseen = (1 - attention_mask[:, None, None, :].to(x.dtype)) * -1e4
        attention = torch.softmax(q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5 + unseen, -1)
        x = self.norm1(x + self.attended((attention @ v).transpose(1, 2).flatten(2)))
        return self.norm2(x + self.narrow(F.gelu(self.wide(x)))), attention

    def _split(self, x: Tensor) -> Tensor:
        """Return `(N, heads, T, width / heads)` for `(N, T, width)`."""
        n, t, width = x.shape
        return x.reshape(n, t, self.heads, width // self.heads).transpose(1, 2)


class UNet(nn.Module):
    """A U-Net of three levels, `(N, 3, H, W)` to `(N, 1, H, W)`, for H and W that are multiples of 4."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.down = nn.ModuleList([_convolutions(3, width), _convolutions(width, 2 * width)])
        self.bottom = _convolutions(2 * width, 4 * width)
        self.enlarge = nn.ModuleList(nn.ConvTranspose2d(2 * n, n, 2, stride=2) for n in (2 * width, width))
        self.up = nn.ModuleList(_convolutions(2 * n, n) for n in (2 * width, width))
        self.pool = nn.MaxPool2d(2)
        self.last = nn.Conv2d(width, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return one number per pixel."""
        kept = []
        for level in self.down:
            kept.append(level(x))
            x = self.pool(kept[-1])
        x = self.bottom(x)
        for enlarge, level in zip(self.enlarge, self.up, strict=True):
            x = level(torch.cat([enlarge(x), kept.pop()], 1))
        y: Tensor = self.last(x)
        return y


def detector_head() -> nn.Module:
    """Return torchvision's head of RetinaNet, of 16 channels: a list of feature maps to scores and boxes of anchors."""
    from torchvision.models.detection.retinanet import RetinaNetHead

    head: nn.Module = RetinaNetHead(in_channels=16, num_anchors=3, num_classes=4)
    return head


class DetectorHead(nn.Module):
    """A detector of torchvision up to its head: a normalized image `(N, 3, H, W)` to numbers for each anchor.

    What torchvision does then, the boxes of the anchors and the choice among them, has sizes that depend on values; it
    is left to the program around the network. Of a detector of two stages this is the first, the region proposals.
    """

    def __init__(self, detector: nn.Module) -> None:
        super().__init__()
        self.backbone = detector.get_submodule("backbone")
        self.head = detector.get_submodule("head" if hasattr(detector, "head") else "rpn.head")

    def forward(self, x: Tensor) -> object:
        """Return what the head returns: of SSD and RetinaNet a dict of scores and boxes, of proposals two lists."""
        return self.head(list(self.backbone(x).values()))


def ssdlite() -> DetectorHead:
    """Return SSDLite with MobileNetV3, up to its head; made for 320 x 320 pixels, it takes other sizes too."""
    from torchvision.models.detection import ssdlite320_mobilenet_v3_large

    return DetectorHead(ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None))


def retinanet() -> DetectorHead:
    """Return RetinaNet with ResNet-50, up to its head."""
    from torchvision.models.detection import retinanet_resnet50_fpn_v2

    return DetectorHead(retinanet_resnet50_fpn_v2(weights=None, weights_backbone=None))


def faster_rcnn() -> DetectorHead:
    """Return the region proposals of Faster R-CNN with MobileNetV3."""
    from torchvision.models.detection import fasterrcnn_mobilenet_v3_large_320_fpn

    return DetectorHead(fasterrcnn_mobilenet_v3_large_320_fpn(weights=None, weights_backbone=None))


def keypoint_rcnn() -> DetectorHead:
    """Return the region proposals of Keypoint R-CNN with ResNet-50."""
    from torchvision.models.detection import keypointrcnn_resnet50_fpn

    return DetectorHead(keypointrcnn_resnet50_fpn(weights=None, weights_backbone=None))


def deeplab() -> nn.Module:
    """Return DeepLabV3 with MobileNetV3: an image `(N, 3, H, W)` to a score per class and pixel."""
    from torchvision.models.segmentation import deeplabv3_mobilenet_v3_large

    net: nn.Module = deeplabv3_mobilenet_v3_large(weights=None, weights_backbone=None)
    return net


def _convolutions(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
        nn.Conv2d(outputs, outputs, 3, padding=1),
        nn.ReLU(inplace=True),
    )
