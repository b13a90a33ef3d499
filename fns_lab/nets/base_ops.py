"""Layers written in basic ops, swapped into a trained network.

ONNX.js 0.1.3 has no InstanceNormalization and no Upsample, and no Pad outside webgl (onnxjs issue 18). Written as
means, sums, products, roots, Gather and Reshape the same layers run there. Weights stay where they are: the rewritten
network has the `state_dict` of the one that it was made from. Training still uses the regular layers: they are faster.

Each layer states its `FIDELITY` to the one it stands for: `exact` (the same numbers), `rounding` (the same mathematics,
summed in another order) or `approximate` (another function).
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from fns_lab.errors import InputError


class InstanceNorm2d(nn.Module):
    """y = (x - mu) / sqrt(var + eps) * weight + bias, with mu and var over H and W: `(N, C, H, W)` to the same.

    The variance is the mean of (x - mu)^2, not E[x^2] - mu^2, which loses digits where mu is large. Raises `InputError`
    for a layer that normalises with running statistics.
    """

    FIDELITY = "rounding"

    def __init__(self, norm: nn.InstanceNorm2d) -> None:
        super().__init__()
        if norm.running_mean is not None:
            raise InputError(
                "InstanceNorm2d with running statistics has no rewrite; make it with track_running_stats=False"
            )
        self.eps, self.weight, self.bias = norm.eps, norm.weight, norm.bias

    def forward(self, x: Tensor) -> Tensor:
        centred = x - x.mean((2, 3), keepdim=True)
        var = (centred * centred).mean((2, 3), keepdim=True)
        y = centred / torch.sqrt(var + self.eps)
        if self.weight is None:
            return y
        return y * self.weight.reshape(-1, 1, 1) + self.bias.reshape(-1, 1, 1)


class UpsampleNearest2x(nn.Module):
    """y[i, j] = x[i // 2, j // 2]: `(N, C, H, W)` to `(N, C, 2H, 2W)`.

    Every row becomes a `(1, W, 1)` block that a product with ones broadcasts to `(2, W, 2)`, in memory two rows of 2W.
    Concatenating x with itself does it too, but ONNX.js 0.1.3 takes no tensor twice in one node (issue 53).
    """

    FIDELITY = "exact"

    def __init__(self, upsample: nn.Upsample) -> None:
        super().__init__()
        factors = upsample.scale_factor if isinstance(upsample.scale_factor, tuple) else (upsample.scale_factor,)
        if upsample.mode != "nearest" or set(factors) != {2.0}:
            raise InputError(f"{upsample} has no rewrite; only nearest upsampling by 2 has one")
        self.register_buffer("ones", torch.ones(1, 2, 1, 2), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        rows = x.reshape(n * c * h, 1, w, 1) * self.ones
        return rows.reshape(n, c, 2 * h, 2 * w)


class ReflectionPad2d(nn.Module):
    """y[i, j] = x[r(i), r(j)], where r mirrors at the border pixels: two Gathers whose indices depend on the size only.

    `(N, C, H, W)` to `(N, C, top + H + bottom, left + W + right)`; a pad must be smaller than the side it mirrors.
    """

    FIDELITY = "exact"

    def __init__(self, pad: nn.ReflectionPad2d) -> None:
        super().__init__()
        self.padding = pad.padding

    def forward(self, x: Tensor) -> Tensor:
        left, right, top, bottom = self.padding
        x = x.index_select(2, _mirrored(x.shape[2], top, bottom, x.device))
        return x.index_select(3, _mirrored(x.shape[3], left, right, x.device))


class ZeroPad2d(nn.Module):
    """Zeros in place of the reflection, by concatenation: cheaper where there is no Pad, but the borders differ."""

    FIDELITY = "approximate"

    def __init__(self, pad: nn.ReflectionPad2d) -> None:
        super().__init__()
        self.padding = pad.padding
        self.register_buffer("zero", torch.zeros(1, 1, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        left, right, top, bottom = self.padding
        n, c, h, w = x.shape
        x = torch.cat((self.zero.expand(n, c, top, w), x, self.zero.expand(n, c, bottom, w)), 2)
        h = top + h + bottom
        return torch.cat((self.zero.expand(n, c, h, left), x, self.zero.expand(n, c, h, right)), 3)


PADDINGS = {"reflect": ReflectionPad2d, "zeros": ZeroPad2d}


def to_base_ops(net: nn.Module, padding: str = "reflect") -> nn.Module:
    """A copy of `net`, in eval mode, with every InstanceNorm2d, Upsample and ReflectionPad2d written in basic ops.

    `padding="reflect"` is exact. `padding="zeros"` is approximate: it pads with zeros in place of reflections. Only
    submodules are seen, not calls of `torch.nn.functional`. Raises `InputError` for a layer that has no rewrite.
    """
    if padding not in PADDINGS:
        raise InputError(f"padding {padding!r}: choose one of {', '.join(PADDINGS)}")
    layers = (
        (nn.InstanceNorm2d, InstanceNorm2d),
        (nn.Upsample, UpsampleNearest2x),
        (nn.ReflectionPad2d, PADDINGS[padding]),
    )
    holder = nn.Module()
    holder.net = copy.deepcopy(net)
    for name, module in list(holder.named_modules(remove_duplicate=False)):
        for regular, rewritten in layers:
            if isinstance(module, regular):
                holder.set_submodule(name, rewritten(module))
    return holder.net.eval()


def fidelity(net: nn.Module) -> str:
    """The least fidelity of any layer in `net`: `exact`, `rounding` or `approximate`."""
    found = {getattr(module, "FIDELITY", "exact") for module in net.modules()}
    return next(level for level in ("approximate", "rounding", "exact") if level in found)


def _mirrored(side: int, before: int, after: int, device: torch.device) -> Tensor:
    """Indices that read a side of `side` pixels with `before` and `after` reflected ones around it."""
    if max(before, after) >= side:
        raise InputError(
            f"reflection padding of {max(before, after)} needs a side of more pixels than the {side} there are"
        )
    i = torch.arange(-before, side + after, device=device)
    return (side - 1) - ((side - 1) - i.abs()).abs()
