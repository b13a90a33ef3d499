"""Basic-op layers against torch's own, layer by layer and in a whole network."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from fns_lab.errors import InputError
from fns_lab.nets import base_ops
from fns_lab.nets.base_ops import fidelity, to_base_ops
from fns_lab.nets.transformer import TransformerNet

N, C, H, W = 2, 3, 11, 14
LAYER_TOLERANCE = 2e-5
"""Absolute, on values of about 1 to 10: float32 sums over 154 pixels in another order."""
IMAGE_TOLERANCE = 5e-3
"""Absolute, of 255: sixteen layers of such sums; a wrong pixel anywhere differs by more than 1."""


@pytest.fixture(scope="module")
def x() -> torch.Tensor:
    return torch.randn(N, C, H, W, generator=torch.Generator().manual_seed(3)) * 4 + 7


@pytest.fixture(scope="module")
def image() -> torch.Tensor:
    return torch.rand(N, 3, 21, 34, generator=torch.Generator().manual_seed(4)) * 255


def norm(**options) -> nn.InstanceNorm2d:
    torch.manual_seed(1)
    layer = nn.InstanceNorm2d(C, **options)
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    return layer


@pytest.mark.parametrize("options", [{"affine": True}, {"affine": False}, {"affine": True, "eps": 0.3}])
def test_instance_norm_is_torchs(x, options):
    layer = norm(**options)
    torch.testing.assert_close(to_base_ops(layer)(x), layer(x), atol=LAYER_TOLERANCE, rtol=0)


def test_instance_norm_keeps_its_digits_where_the_mean_is_large(x):
    large = x * 0.1 + 3000
    exact = norm(affine=True).double()(large.double()).float()
    assert (to_base_ops(norm(affine=True))(large) - exact).abs().max() < 2e-3  # E[x^2] - mu^2 is off by more than 1


def test_upsampling_repeats_every_pixel(x):
    layer = nn.Upsample(scale_factor=2, mode="nearest")
    assert torch.equal(to_base_ops(layer)(x), layer(x))


@pytest.mark.parametrize("padding", [4, (1, 0, 5, 2), (H - 1, 3, 0, H - 1)])
def test_reflection_is_torchs_on_each_edge(x, padding):
    layer = nn.ReflectionPad2d(padding)
    assert torch.equal(to_base_ops(layer)(x), layer(x))


def test_zero_padding_is_torchs(x):
    padding = (1, 0, 5, 2)
    assert torch.equal(to_base_ops(nn.ReflectionPad2d(padding), "zeros")(x), nn.ZeroPad2d(padding)(x))


def test_the_rewritten_network_is_the_regular_one(net, image):
    rewritten = to_base_ops(net)
    with torch.no_grad():
        expected = net(image)
        assert expected.std() > 10
        torch.testing.assert_close(rewritten(image), expected, atol=IMAGE_TOLERANCE, rtol=0)
    assert fidelity(rewritten) == "rounding"


def test_no_regular_layer_is_left_and_every_weight_stays(net):
    rewritten = to_base_ops(net)
    regular = (nn.InstanceNorm2d, nn.Upsample, nn.ReflectionPad2d)
    assert sum(isinstance(module, regular) for module in net.modules()) == 15 + 2 + 16
    assert not any(isinstance(module, regular) for module in rewritten.modules())
    assert list(rewritten.state_dict()) == list(net.state_dict())
    assert all(torch.equal(rewritten.state_dict()[name], value) for name, value in net.state_dict().items())


def test_the_original_network_is_not_changed(image):
    net = TransformerNet(4).train()
    with torch.no_grad():
        before = net(image)
        rewritten = to_base_ops(net)
        rewritten.in1.weight.zero_()
        assert torch.equal(net(image), before)
    assert (net.training, rewritten.training) == (True, False)


def test_zero_padding_is_approximate_and_differs(net, image):
    rewritten = to_base_ops(net, padding="zeros")
    assert fidelity(rewritten) == "approximate"
    with torch.no_grad():
        assert (rewritten(image) - net(image)).abs().max() > 1


def test_a_layer_shared_by_two_names_is_rewritten_under_both(x):
    shared = norm(affine=True)
    net = nn.Sequential(shared, nn.ReLU(), shared)
    rewritten = to_base_ops(net)
    assert not any(isinstance(module, nn.InstanceNorm2d) for module in rewritten.modules())
    torch.testing.assert_close(rewritten(x), net(x), atol=LAYER_TOLERANCE, rtol=0)


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (nn.InstanceNorm2d(C, track_running_stats=True), "running statistics"),
        (nn.Upsample(scale_factor=3, mode="nearest"), "only nearest upsampling by 2"),
        (nn.Upsample(scale_factor=2, mode="bilinear"), "only nearest upsampling by 2"),
        (nn.Upsample(size=(4, 4)), "only nearest upsampling by 2"),
    ],
)
def test_a_layer_without_a_rewrite_is_refused(layer, said):
    with pytest.raises(InputError, match=said):
        to_base_ops(nn.Sequential(nn.ReLU(), layer))


def test_an_unknown_padding_is_refused():
    with pytest.raises(InputError, match="choose one of reflect, zeros"):
        to_base_ops(nn.ReLU(), "edge")


def test_a_dimension_too_small_to_mirror_is_refused(x):
    with pytest.raises(InputError, match="needs more than 11 pixels"):
        base_ops.ReflectionPad2d(nn.ReflectionPad2d((0, 0, H, 0)))(x)
