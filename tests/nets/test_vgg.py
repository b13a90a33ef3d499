"""The loss network against torchvision's VGG-16 layers with the same weights."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file
from torchvision.models import VGG16_Weights
from torchvision.models.vgg import make_layers
from torchvision.transforms.functional import normalize

from fns_lab.errors import InputError, MissingError
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
        features = network(x)._asdict()
        for index, layer in enumerate(layers):
            y = layer(y)
            for name in (name for name, place in RELUS.items() if place == index):
                assert y.max() > 100, "the original's activations are in the hundreds"
                torch.testing.assert_close(features.pop(name), y / 255, atol=1e-4, rtol=1e-4)
    assert not features


def test_two_blocks_suffice_for_the_content(network):
    x = pixels(1, 3, 16, 24)
    assert [tuple(f.shape) for f in network.activations(x, 2)] == [(1, 64, 16, 24), (1, 128, 8, 12)]
    assert torch.equal(network.activations(x, 2)[1], network(x).relu2_2)


def test_it_is_frozen(network):
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_missing_weights_are_named(tmp_path):
    with pytest.raises(InputError, match="no such file; the weights of the loss network"):
        LossNetwork(tmp_path / "vgg.safetensors")


@pytest.fixture
def torchvision_file(tmp_path):
    """A file like torchvision's, with seeded weights, and the layers that they belong to."""
    torch.manual_seed(0)
    layers = make_layers(FOUR_BLOCKS)
    path = tmp_path / "vgg16.pth"
    torch.save({f"features.{name}": value for name, value in layers.state_dict().items()}, path)
    return path, layers.eval()


def test_torchvision_s_weights_get_torchvision_s_input(torchvision_file):
    path, layers = torchvision_file
    x, expected = pixels(2, 3, 24, 40), VGG16_Weights.IMAGENET1K_V1.transforms()
    with torch.no_grad():
        y = normalize(x / 255, expected.mean, expected.std)
        features = LossNetwork(path)(x)._asdict()
        for index, layer in enumerate(layers):
            y = layer(y)
            for name in (name for name, place in RELUS.items() if place == index):
                assert y.std() > 0
                torch.testing.assert_close(features.pop(name), y, atol=1e-5, rtol=1e-4)
    assert not features


def test_a_file_that_is_not_torchvision_s_is_refused(tmp_path):
    torch.save(torch.nn.Linear(3, 4).state_dict(), tmp_path / "other.pth")
    (tmp_path / "text.pth").write_text("weights would be here")
    for name, said in (("other", "not the state_dict"), ("text", "not the state_dict"), ("gone", "no such file")):
        with pytest.raises(InputError, match=said):
            LossNetwork(tmp_path / f"{name}.pth")


def test_a_download_that_fails_says_where_the_weights_are(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # the port of discard, where nothing listens
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(MissingError, match="cannot be downloaded.*vgg16-397923af.pth.*--loss-weights"):
        LossNetwork("torchvision")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
