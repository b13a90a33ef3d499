"""The style network over horizontal strips: an image of any size in little memory, with the same result.

A strip of `conv(pad(upsample(x)))` needs the rows of `x` that its kernel reaches, with reflection at both ends.
Instance normalization needs mean and variance of the whole feature map, so it takes two passes: each convolution is
written to a temporary file while its sums are taken in float64, and is normalized when the next one reads it. Only the
image and a few strips are in memory. The sums are taken in another order than torch takes them, so that results differ
in the last digits of float32.
"""

from __future__ import annotations

import math
import tempfile
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fns_lab.errors import InputError
from fns_lab.nets.transformer import DOWNSAMPLING, ConvLayer, ResidualBlock, TransformerNet, UpsampleConvLayer

STRIP_BYTES = 2**25
"""Size of a strip as a convolution takes it, padded and upsampled; one row at least."""
STRIPS = 12
"""Strips that are in memory at once, measured from above."""
PIXEL_BYTES = 20
"""Memory per pixel of the image: decoded, as an array, stylized and encoded, each of 3 or 4 bytes, not all at once."""

LAYERS = 16
"""Convolutions of the network."""

Layer = ConvLayer | UpsampleConvLayer
"""A convolution with the padding, and perhaps the upsampling, before it."""


def memory_bytes(height: int, width_px: int) -> int:
    """Return about how much memory an image of these pixels takes, from above."""
    return PIXEL_BYTES * height * width_px + STRIPS * STRIP_BYTES


def disk_bytes(width: int, height: int, width_px: int) -> int:
    """Return the size of the temporary files in a network of this width: two feature maps, the largest and its half."""
    return 6 * width * (height + 3) * (width_px + 3)


@torch.no_grad()
def stylize(net: TransformerNet, pixels: np.ndarray, folder: Path, done: Callable[[], object]) -> Iterator[Tensor]:
    """Yield the rows of an image `(H, W, 3)`, uint8, stylized, from the top: `(1, 3, h, W)`, 0..255 as `stylize` gives.

    Temporary files lie in `folder`; they have no name, so that nothing is left of them however the process ends.
    `done` is called after each of the `LAYERS`. Raises `InputError` if the folder's disk is full.
    """
    height, width = pixels.shape[:2]
    x: _Rows = _Image(pixels)
    x = _convolved(net.conv1, x, folder).normalized(net.in1, relu=True)
    done()
    for conv, norm in ((net.conv2, net.in2), (net.conv3, net.in3)):
        x = _convolved(conv, x, folder).normalized(norm, relu=True)
        done()
    for block in (net.res1, net.res2, net.res3, net.res4, net.res5):
        x = _residual(block, x, folder, done)
    for upsample, norm in ((net.deconv1, net.in4), (net.deconv2, net.in5)):
        x = _convolved(upsample, x, folder).normalized(norm, relu=True)
        done()
    for first, y in _strips(net.deconv3, x):
        if first < height:
            yield y[:, :, : height - first, :width].clamp(0, 255)
    done()


class _Rows:
    """A feature map whose rows are read some at a time; `height` and `width` are in pixels."""

    channels: int
    height: int
    width: int

    def rows(self, first: int, last: int) -> Tensor:
        """Return `(1, C, last - first, W)`, float32."""
        raise NotImplementedError


class _Image(_Rows):
    """Pixels `(H, W, 3)`, uint8, with copies of the edge up to a multiple of 4, as `pad_to_multiple` makes."""

    def __init__(self, pixels: np.ndarray) -> None:
        self._pixels = pixels
        self.channels = 3
        self.height, self.width = (-(-length // DOWNSAMPLING) * DOWNSAMPLING for length in pixels.shape[:2])

    def rows(self, first: int, last: int) -> Tensor:
        inside = np.minimum(np.arange(first, last), len(self._pixels) - 1)
        x = torch.from_numpy(self._pixels[inside]).permute(2, 0, 1)[None].float()
        return F.pad(x, (0, self.width - x.shape[3], 0, 0), mode="replicate")


class _FeatureMap(_Rows):
    """A feature map in a temporary file, row after row, `(H, C, W)`, float32; read as `relu(scale * x + shift)`."""

    def __init__(self, folder: Path, channels: int, height: int, width: int) -> None:
        self.channels, self.height, self.width = channels, height, width
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115
        weakref.finalize(self, self._file.close)  # which deletes it
        self._sums = torch.zeros(2, channels, dtype=torch.float64)
        self._scale, self._shift, self._relu = torch.ones(channels), torch.zeros(channels), False

    def write(self, first: int, x: Tensor) -> None:
        """Write rows `(1, C, h, W)` from row `first` on."""
        data = x[0].transpose(0, 1).contiguous().numpy()
        self._file.seek(first * self.channels * self.width * data.itemsize)
        view = memoryview(data.tobytes())
        while view:
            try:
                view = view[self._file.write(view) :]
            except OSError as error:
                raise InputError(f"the temporary files have no room ({error.strerror})") from None

    def add_to_sums(self, x: Tensor) -> None:
        """Take the sums of rows and of their squares."""
        exact = x.double()
        self._sums += torch.stack((exact.sum((0, 2, 3)), exact.square().sum((0, 2, 3))))

    def rows(self, first: int, last: int) -> Tensor:
        self._file.seek(first * self.channels * self.width * 4)
        data = np.fromfile(self._file, np.float32, (last - first) * self.channels * self.width)
        x = torch.from_numpy(data).view(last - first, self.channels, self.width).transpose(0, 1)[None]
        x = x * self._scale[:, None, None] + self._shift[:, None, None]
        return x.relu_() if self._relu else x

    def normalized(self, norm: nn.InstanceNorm2d, *, relu: bool) -> _FeatureMap:
        """Return this map, normalized over all its rows when it is read."""
        mean, squares = self._sums / (self.height * self.width)
        scale = norm.weight * torch.rsqrt((squares - mean.square()).clamp(min=0) + norm.eps)
        self._scale, self._shift, self._relu = scale.float(), (norm.bias - mean * scale).float(), relu
        return self

    def add(self, x: _Rows) -> None:
        """Write `self + x` in place of what is read here."""
        step = _rows_per_strip(self.channels * self.width)
        for first in range(0, self.height, step):
            last = min(first + step, self.height)
            self.write(first, self.rows(first, last) + x.rows(first, last))
        self._scale, self._shift = torch.ones(self.channels), torch.zeros(self.channels)


def _residual(block: ResidualBlock, x: _Rows, folder: Path, done: Callable[[], object]) -> _FeatureMap:
    y = _convolved(block.conv1, x, folder).normalized(block.in1, relu=True)
    done()
    y = _convolved(block.conv2, y, folder).normalized(block.in2, relu=False)
    y.add(x)
    done()
    return y


def _convolved(layer: Layer, x: _Rows, folder: Path) -> _FeatureMap:
    height, width = _size(layer, x)
    y = _FeatureMap(folder, layer.conv2d.out_channels, height, width)
    for first, rows in _strips(layer, x):
        y.write(first, rows)
        y.add_to_sums(rows)
    return y


def _strips(layer: Layer, x: _Rows) -> Iterator[tuple[int, Tensor]]:
    """Yield a layer's output in strips `(1, C, h, W)`, each with the number of its first row."""
    conv, factor = layer.conv2d, _factor(layer)
    (kernel, _), (stride, _) = conv.kernel_size, conv.stride
    margin, height = kernel // 2, _size(layer, x)[0]
    step = max(1, _rows_per_strip(x.channels * x.width * factor) // stride)
    for first in range(0, height, step):
        last = min(first + step, height)
        reached = torch.arange(first * stride - margin, (last - 1) * stride - margin + kernel)
        needed = _reflected(reached, x.height * factor) // factor
        lowest = int(needed.min())
        rows = x.rows(lowest, int(needed.max()) + 1)[:, :, needed - lowest].repeat_interleave(factor, dim=3)
        yield first, conv(F.pad(rows, (margin, margin, 0, 0), mode="reflect"))


def _size(layer: Layer, x: _Rows) -> tuple[int, int]:
    factor, stride = _factor(layer), layer.conv2d.stride[0]
    return math.ceil(x.height * factor / stride), math.ceil(x.width * factor / stride)


def _factor(layer: Layer) -> int:
    return round(cast(float, layer.upsample.scale_factor)) if isinstance(layer, UpsampleConvLayer) else 1


def _rows_per_strip(row: int) -> int:
    """Return how many rows of `row` float32 numbers a strip has."""
    return max(1, STRIP_BYTES // (4 * row))


def _reflected(index: Tensor, length: int) -> Tensor:
    """Return the rows of which reflection padding makes those before 0 and after the last."""
    return (length - 1) - ((length - 1) - index.abs()).abs()
