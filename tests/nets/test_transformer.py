"""The style network: sizes in and out, upstream's names, and images that keep their size."""

from __future__ import annotations

import pytest
import torch

from fns_lab.errors import InputError
from fns_lab.nets.transformer import SMALLEST_SIZE_PX, TransformerNet, stylize


def pixels(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(5)) * 255


@pytest.fixture(scope="module")
def tiny() -> TransformerNet:
    torch.manual_seed(0)
    return TransformerNet(2).eval()


@pytest.mark.parametrize("size", [(5, 5), (5, 31), (6, 9), (17, 8), (64, 43)])
def test_height_and_width_are_rounded_up_to_a_multiple_of_four(tiny, size):
    with torch.no_grad():
        y = tiny(pixels(2, 3, *size))
    assert y.shape == (2, 3, *(-(-length // 4) * 4 for length in size))


def test_nothing_smaller_than_the_stated_size_passes(tiny):
    assert tiny.smallest_size_px == SMALLEST_SIZE_PX
    for size in ((SMALLEST_SIZE_PX - 1, 32), (32, SMALLEST_SIZE_PX - 1)):
        with pytest.raises(RuntimeError, match="Padding size"):
            tiny(pixels(1, 3, *size))
        with pytest.raises(InputError, match=f"{size[0]}x{size[1]} px is too small .* at least {SMALLEST_SIZE_PX}"):
            stylize(tiny, pixels(1, 3, *size))


def test_a_stylized_image_keeps_its_size_and_is_clipped_to_0_255(net):
    x = pixels(2, 3, 29, 38)
    y = stylize(net, x)
    assert not y.requires_grad, "an image is no part of a training; NumPy can read it"
    assert y.shape == x.shape
    assert 0 <= y.min() < y.max() <= 255
    with torch.no_grad():
        raw = net(torch.nn.functional.pad(x, (0, 2, 0, 3), mode="replicate"))
    assert torch.equal(y, raw[..., :29, :38].clamp(0, 255))


def test_the_names_and_shapes_are_upstreams():
    state = TransformerNet(32).state_dict()
    assert len(state) == 62
    convs = {name.removesuffix(".conv2d.weight"): tuple(v.shape) for name, v in state.items() if v.dim() == 4}
    residual = {f"res{i}.conv{j}": (128, 128, 3, 3) for i in range(1, 6) for j in (1, 2)}
    assert convs == {
        "conv1": (32, 3, 9, 9),
        "conv2": (64, 32, 3, 3),
        "conv3": (128, 64, 3, 3),
        **residual,
        "deconv1": (64, 128, 3, 3),
        "deconv2": (32, 64, 3, 3),
        "deconv3": (3, 32, 9, 9),
    }
    norms = {name.removesuffix(".weight") for name in state if name.endswith("weight")} - {f"{c}.conv2d" for c in convs}
    assert norms == {*(f"in{i}" for i in range(1, 6)), *(f"res{i}.in{j}" for i in range(1, 6) for j in (1, 2))}
