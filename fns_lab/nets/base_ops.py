"""Replace layers of a trained network by layers written in basic ops.

ONNX.js 0.1.3 has no InstanceNormalization and no Upsample, and no Pad outside webgl (onnxjs issue 18). Written as
means, sums, products, roots, Gather and Reshape the same layers run there. Weights keep their names: the rewritten
network has the `state_dict` of the original. Training still uses the regular layers because they are faster.

Each layer states its `FIDELITY` to the one it replaces: `exact` (the same numbers), `rounding` (the same mathematics,
summed in another order) or `approximate` (another function).
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from fns_lab.errors import InputError


class InstanceNorm2d(nn.Module):
    """Instance normalization of `(N, C, H, W)`, written as means, products and a square root.

    y = (x - mu) / sqrt(var + eps) * weight + bias, with mu and var over H and W of each channel. The variance is the
    mean of (x - mu)^2, not E[x^2] - mu^2, which loses digits where mu is large. Raises `InputError` for a layer that
    normalizes with running statistics.
    """

    FIDELITY = "rounding"

    def __init__(self, norm: nn.InstanceNorm2d) -> None:
        super().__init__()
        if norm.running_mean is not None:
            raise InputError(
                "InstanceNorm2d with running statistics has no rewrite; create it with track_running_stats=False"
            )
        self.eps, self.weight, self.bias = norm.eps, norm.weight, norm.bias

    def forward(self, x: Tensor) -> Tensor:
        """Normalize each channel of each image over height and width; the shape stays."""
        centred = x - x.mean((2, 3), keepdim=True)
        var = (centred * centred).mean((2, 3), keepdim=True)
        y = centred / torch.sqrt(var + self.eps)
        if self.weight is None:
            return y
        return y * self.weight.reshape(-1, 1, 1) + self.bias.reshape(-1, 1, 1)


class UpsampleNearest2x(nn.Module):
    """Nearest upsampling by 2, written as Reshape and Mul: `(N, C, H, W)` to `(N, C, 2H, 2W)`.

    y[i, j] = x[i // 2, j // 2]. Every row becomes a `(1, W, 1)` block that a product with ones broadcasts to
    `(2, W, 2)`, in memory two rows of 2W. Concatenating x with itself would give the same, but ONNX.js 0.1.3 accepts
    no tensor twice in one node (issue 53). Raises `InputError` for any other mode or scale.
    """

    FIDELITY = "exact"
    ones: Tensor

    def __init__(self, upsample: nn.Upsample) -> None:
        super().__init__()
        factors = upsample.scale_factor if isinstance(upsample.scale_factor, tuple) else (upsample.scale_factor,)
        if upsample.mode != "nearest" or set(factors) != {2.0}:
            raise InputError(f"{upsample} has no rewrite; only nearest upsampling by 2 has one")
        self.register_buffer("ones", torch.ones(1, 2, 1, 2), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Repeat every pixel in a block of 2 x 2."""
        n, c, h, w = x.shape
        rows = x.reshape(n * c * h, 1, w, 1) * self.ones
        return rows.reshape(n, c, 2 * h, 2 * w)


class ReflectionPad2d(nn.Module):
    """Reflection padding, written as two Gathers: `(N, C, H, W)` to `(N, C, top + H + bottom, left + W + right)`.

    y[i, j] = x[r(i), r(j)], where r mirrors at the border pixels, so the indices depend on the size only. Raises
    `InputError` for a pad that is not smaller than the dimension that it mirrors.
    """

    FIDELITY = "exact"

    def __init__(self, pad: nn.ReflectionPad2d) -> None:
        super().__init__()
        self.padding = pad.padding

    def forward(self, x: Tensor) -> Tensor:
        """Add mirrored rows above and below, then mirrored columns left and right."""
        left, right, top, bottom = self.padding
        x = x.index_select(2, _mirrored(x.shape[2], top, bottom, x.device))
        return x.index_select(3, _mirrored(x.shape[3], left, right, x.device))


class ZeroPad2d(nn.Module):
    """Zero padding in place of reflection padding, written as Concat: cheaper without Pad, but the borders differ."""

    FIDELITY = "approximate"
    zero: Tensor

    def __init__(self, pad: nn.ReflectionPad2d) -> None:
        super().__init__()
        self.padding = pad.padding
        self.register_buffer("zero", torch.zeros(1, 1, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Add zeros: `(N, C, H, W)` to `(N, C, top + H + bottom, left + W + right)`."""
        left, right, top, bottom = self.padding
        n, c, h, w = x.shape
        x = torch.cat((self.zero.expand(n, c, top, w), x, self.zero.expand(n, c, bottom, w)), 2)
        h = top + h + bottom
        return torch.cat((self.zero.expand(n, c, h, left), x, self.zero.expand(n, c, h, right)), 3)


PADDINGS: dict[str, type[ReflectionPad2d] | type[ZeroPad2d]] = {"reflect": ReflectionPad2d, "zeros": ZeroPad2d}
"""The layers that take the place of a reflection padding, by name."""


def to_base_ops(net: nn.Module, padding: str = "reflect") -> nn.Module:
    """Return a copy of `net`, in eval mode, with InstanceNorm2d, Upsample and ReflectionPad2d written in basic ops.

    `padding="reflect"` is exact; `padding="zeros"` is approximate, because it pads with zeros. Only submodules are
    replaced, not calls of `torch.nn.functional`. Raises `InputError` for a layer that has no rewrite.
    """
    if padding not in PADDINGS:
        raise InputError(f"padding {padding!r}: choose one of {', '.join(PADDINGS)}")
    holder = nn.ModuleDict({"net": copy.deepcopy(net)})  # so that a `net` that is itself such a layer is replaced too
    for name, module in list(holder.named_modules(remove_duplicate=False)):
        rewritten = _in_base_ops(module, PADDINGS[padding])
        if rewritten is not None:
            holder.set_submodule(name, rewritten)
    return holder["net"].eval()


def _in_base_ops(layer: nn.Module, pad: type[ReflectionPad2d] | type[ZeroPad2d]) -> nn.Module | None:
    """Return the layer written in basic ops, or None for one that stays."""
    if isinstance(layer, nn.InstanceNorm2d):
        return InstanceNorm2d(layer)
    if isinstance(layer, nn.Upsample):
        return UpsampleNearest2x(layer)
    return pad(layer) if isinstance(layer, nn.ReflectionPad2d) else None


def fidelity(net: nn.Module) -> str:
    """Return the lowest fidelity of any layer in `net`: `exact`, `rounding` or `approximate`."""
    levels = {getattr(module, "FIDELITY", "exact") for module in net.modules()}
    return next(level for level in ("approximate", "rounding", "exact") if level in levels)


def _mirrored(size: int, before: int, after: int, device: torch.device) -> Tensor:
    """Return the indices that read a dimension of `size` pixels with `before` and `after` mirrored ones around it."""
    if max(before, after) >= size:
        raise InputError(f"reflection padding of {max(before, after)} needs more than {size} pixels")
    i = torch.arange(-before, size + after, device=device)
    return (size - 1) - ((size - 1) - i.abs()).abs()
