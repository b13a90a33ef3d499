"""The feed-forward style network of Johnson et al. (2016, arXiv 1603.08155), as in pytorch/examples.

Every image tensor is `(N, 3, H, W)`, RGB, values 0..255, in and out (the output is not clipped).
The attribute names are those of upstream, so that its `state_dict` files load unmodified.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fns_lab.errors import InputError

DOWNSAMPLING = 4
"""The network halves height and width twice; those of the output are rounded up to a multiple of this."""
SMALLEST_SIZE_PX = 5
"""Least height and width: the first reflection padding, 4, needs 5 pixels, and the inner ones get enough at 2."""


class TransformerNet(nn.Module):
    """The style network: images `(N, 3, H, W)` to stylized images `(N, 3, H', W')`, RGB, values 0..255.

    H' and W' are H and W rounded up to a multiple of 4. `width` is the number of channels after the first convolution
    (upstream: 32, its fork's `--num-channels`). H and W must be at least `SMALLEST_SIZE_PX`; torch raises
    `RuntimeError` below it.
    """

    smallest_size_px = SMALLEST_SIZE_PX

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.width = width
        self.conv1 = ConvLayer(3, width, kernel_size=9, stride=1)
        self.in1 = nn.InstanceNorm2d(width, affine=True)
        self.conv2 = ConvLayer(width, 2 * width, kernel_size=3, stride=2)
        self.in2 = nn.InstanceNorm2d(2 * width, affine=True)
        self.conv3 = ConvLayer(2 * width, 4 * width, kernel_size=3, stride=2)
        self.in3 = nn.InstanceNorm2d(4 * width, affine=True)
        self.res1 = ResidualBlock(4 * width)
        self.res2 = ResidualBlock(4 * width)
        self.res3 = ResidualBlock(4 * width)
        self.res4 = ResidualBlock(4 * width)
        self.res5 = ResidualBlock(4 * width)
        self.deconv1 = UpsampleConvLayer(4 * width, 2 * width, kernel_size=3, stride=1, upsample=2)
        self.in4 = nn.InstanceNorm2d(2 * width, affine=True)
        self.deconv2 = UpsampleConvLayer(2 * width, width, kernel_size=3, stride=1, upsample=2)
        self.in5 = nn.InstanceNorm2d(width, affine=True)
        self.deconv3 = ConvLayer(width, 3, kernel_size=9, stride=1)

    def forward(self, x: Tensor) -> Tensor:
        """Stylize `(N, 3, H, W)`, RGB, 0..255; the output is not clipped."""
        y: Tensor = F.relu(self.in1(self.conv1(x)))
        y = F.relu(self.in2(self.conv2(y)))
        y = F.relu(self.in3(self.conv3(y)))
        y = self.res5(self.res4(self.res3(self.res2(self.res1(y)))))
        y = F.relu(self.in4(self.deconv1(y)))
        y = F.relu(self.in5(self.deconv2(y)))
        y = self.deconv3(y)
        return y


class ConvLayer(nn.Module):
    """Reflection padding by half a kernel, then a convolution: `(N, C, H, W)` to `(N, C', ceil(H/s), ceil(W/s))`."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int) -> None:
        super().__init__()
        self.reflection_pad = nn.ReflectionPad2d(kernel_size // 2)
        self.conv2d = nn.Conv2d(in_channels, out_channels, kernel_size, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Pad, then convolve with stride s."""
        y: Tensor = self.conv2d(self.reflection_pad(x))
        return y


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut; `(N, C, H, W)` keeps its shape (He et al. 2015, without the final Relu)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = ConvLayer(channels, channels, kernel_size=3, stride=1)
        self.in1 = nn.InstanceNorm2d(channels, affine=True)
        self.conv2 = ConvLayer(channels, channels, kernel_size=3, stride=1)
        self.in2 = nn.InstanceNorm2d(channels, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        """Add the two convolutions' output to `x`."""
        y: Tensor = F.relu(self.in1(self.conv1(x)))
        y = self.in2(self.conv2(y)) + x
        return y


class UpsampleConvLayer(nn.Module):
    """Nearest upsampling, reflection padding, then a convolution: `(N, C, H, W)` to `(N, C', uH, uW)` at stride 1.

    Unlike a transposed convolution it leaves no checkerboard pattern (Odena et al. 2016, distill.00003).
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int, upsample: int) -> None:
        super().__init__()
        self.upsample = nn.Upsample(scale_factor=upsample, mode="nearest")
        self.reflection_pad = nn.ReflectionPad2d(kernel_size // 2)
        self.conv2d = nn.Conv2d(in_channels, out_channels, kernel_size, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Upsample by u, pad, then convolve."""
        y: Tensor = self.conv2d(self.reflection_pad(self.upsample(x)))
        return y


def pad_to_multiple(x: Tensor, multiple: int = DOWNSAMPLING) -> Tensor:
    """Pad `(N, C, H, W)` at the bottom and right with copies of its edge, until H and W are multiples of `multiple`.

    A network's output is then at least H x W and can be cut to it.
    """
    h, w = x.shape[-2:]
    return F.pad(x, (0, -w % multiple, 0, -h % multiple), mode="replicate") if h % multiple or w % multiple else x


def memory_bytes(width: int, height: int, width_px: int) -> int:
    """Return about how much memory an image of these pixels takes in a network of this width, on the CPU, from above.

    Measured: 21 to 28 bytes per channel and pixel, at widths 8 and 32 and 1 to 9 megapixels.
    """
    return height * width_px * (30 * width + 48)


@torch.no_grad()
def stylize(net: nn.Module, x: Tensor) -> Tensor:
    """Return the images `(N, 3, H, W)`, RGB, 0..255, stylized by `net`: the same shape, clipped to 0..255.

    Raises `InputError` if height or width is below `SMALLEST_SIZE_PX`.
    """
    h, w = x.shape[-2:]
    if min(h, w) < SMALLEST_SIZE_PX:
        least = f"{SMALLEST_SIZE_PX}x{SMALLEST_SIZE_PX}"
        raise InputError(f"an image of {h}x{w} px is too small for the network; give at least {least}")
    y: Tensor = net(pad_to_multiple(x))
    return y[..., :h, :w].clamp(0, 255)
