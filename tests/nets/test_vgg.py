"""The loss network against torchvision's VGG-16 layers with the same weights."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file
from torchvision.models.vgg import make_layers

from fns_lab.errors import InputError
from fns_lab.nets.vgg import WEIGHTS, LossNetwork

FOUR_BLOCKS = [64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512]
RELUS = {"relu1_2": 3, "relu2_2": 8, "relu3_3": 15, "relu4_3": 22}
"""Their places in torchvision's `vgg16().features`."""


def pixels(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0)) * 255


@pytest.fixture(scope="module")
def network() -> LossNetwork:
    return LossNetwork()


def test_every_activation_is_the_original_networks_divided_by_255(network):
    x = pixels(2, 3, 24, 40)
    layers = make_layers(FOUR_BLOCKS).eval()
    state = load_file(WEIGHTS)
    layers.load_state_dict({name.removeprefix("features."): value.float() for name, value in state.items()})
    y = x[:, [2, 1, 0]] - torch.tensor([103.939, 116.779, 123.68]).view(3, 1, 1)
    with torch.no_grad():
        found = network(x)._asdict()
        for index, layer in enumerate(layers):
            y = layer(y)
            for name in (name for name, place in RELUS.items() if place == index):
                assert y.max() > 100, "the original's activations are in the hundreds"
                torch.testing.assert_close(found.pop(name), y / 255, atol=1e-4, rtol=1e-4)
    assert not found


def test_two_blocks_suffice_for_the_content(network):
    x = pixels(1, 3, 16, 24)
    assert [tuple(f.shape) for f in network(x, last=2)] == [(1, 64, 16, 24), (1, 128, 8, 12)]
    assert torch.equal(network(x, last=2)[1], network(x).relu2_2)


def test_it_is_frozen(network):
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_missing_weights_are_named(tmp_path):
    with pytest.raises(InputError, match="no such file; the weights of the loss network"):
        LossNetwork(tmp_path / "vgg.safetensors")
