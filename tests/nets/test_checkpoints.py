"""Checkpoints: every format of upstream's files opens as the same network; everything else is refused."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
import torch

from fns_lab.errors import InputError
from fns_lab.nets import checkpoints
from fns_lab.nets.transformer import TransformerNet

WIDTH = 4


class RunsCode:
    """Creates a folder when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


@pytest.fixture(scope="module")
def net() -> TransformerNet:
    torch.manual_seed(0)
    net = TransformerNet(WIDTH)
    for parameter in net.parameters():  # no affine weight stays at 1, no bias at 0
        torch.nn.init.normal_(parameter, std=0.3)
    return net


@pytest.fixture
def state(net) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in net.state_dict().items()}


def with_old_statistics(state: dict) -> dict:
    """As PyTorch 0.3 wrote it: running statistics beside each instance normalization."""
    old = dict(state)
    for name, value in state.items():
        if ".in" in f".{name}" and name.endswith("weight") and value.dim() == 1:
            stem = name.removesuffix("weight")
            old[f"{stem}running_mean"], old[f"{stem}running_var"] = torch.randn_like(value), torch.rand_like(value)
            old[f"{stem}num_batches_tracked"] = torch.tensor(7)
    assert len(old) == len(state) + 3 * 15
    return old


LAYOUTS = {
    "plain": lambda state: state,
    "old statistics": with_old_statistics,
    "DataParallel": lambda state: {f"module.{name}": value for name, value in state.items()},
    "state_dict": lambda state: {"epoch": 2, "state_dict": state},
    "model": lambda state: {"model": {f"module.{name}": value for name, value in with_old_statistics(state).items()}},
    "net": lambda state: {"step": 9, "net": state, "config": {"seed": 42}, "optimizer": {"state": {}}},
    "double": lambda state: {name: value.double() for name, value in state.items()},
}


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_upstream_format_opens_as_the_same_network(state, layout, zipped, tmp_path):
    path = tmp_path / "style.model"
    torch.save(LAYOUTS[layout](state), path, _use_new_zipfile_serialization=zipped)
    loaded = checkpoints.load(path)
    assert (loaded.width, loaded.training) == (WIDTH, False)
    assert list(loaded.state_dict()) == list(state)
    for name, value in loaded.state_dict().items():
        assert value.dtype == torch.float32
        assert torch.equal(value, state[name]), name


def test_saved_and_read_back_it_gives_the_same_image(net, tmp_path):
    path = checkpoints.save(torch.nn.DataParallel(net), tmp_path / "style.pth")
    x = torch.rand(2, 3, 9, 14, generator=torch.Generator().manual_seed(1)) * 255
    with torch.no_grad():
        assert torch.equal(checkpoints.load(path)(x), net(x))
    assert list(torch.load(path, weights_only=True)) == list(net.state_dict())
    assert [file.name for file in tmp_path.iterdir()] == ["style.pth"]


def test_the_width_is_read_from_the_file_and_the_random_state_is_left_alone(tmp_path):
    path = checkpoints.save(TransformerNet(6), tmp_path / "six.pth")
    before = torch.get_rng_state()
    assert checkpoints.load(path).width == 6
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_a_truncated_checkpoint_is_refused(state, zipped, tmp_path):
    path = tmp_path / "whole.pth"
    torch.save(state, path, _use_new_zipfile_serialization=zipped)
    data = path.read_bytes()
    for size in (0, 10, 300, len(data) // 3, len(data) - 1):
        path.write_bytes(data[:size])
        assert "not a whole torch checkpoint" in refusal(path)


def test_what_is_no_checkpoint_is_refused(tmp_path):
    text = tmp_path / "letter.pth"
    text.write_text("Dear reader,\nthese are no weights.\n")
    assert "no such file" in refusal(tmp_path / "nowhere.pth")
    assert "a folder" in refusal(tmp_path)
    assert "a text file" in refusal(text)
    for content, said in ((torch.rand(3), "a Tensor"), ([1, 2], "a list"), ({}, "an empty dict")):
        torch.save(content, text)
        assert f"holds {said}, not a state_dict" in refusal(text)
    torch.save({"weights": 3.5}, text)
    assert "'weights' is a float" in refusal(text)


WRITERS = {
    "zip": torch.save,
    "legacy": lambda content, path: torch.save(content, path, _use_new_zipfile_serialization=False),
    "pickle 0": lambda content, path: path.write_bytes(pickle.dumps(content, 0)),
    "pickle 2": lambda content, path: path.write_bytes(pickle.dumps(content, 2)),
    "pickle 5": lambda content, path: path.write_bytes(pickle.dumps(content, 5)),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_a_pickle_that_would_run_code_is_refused_and_runs_nothing(state, writer, tmp_path):
    path, mark = tmp_path / "evil.pth", tmp_path / "mark"
    WRITERS[writer]({"state_dict": {"a": 1}, "trap": RunsCode(mark)}, path)
    assert f"refused because it holds code ({os.mkdir.__module__}.mkdir)" in refusal(path)
    assert not mark.exists()


def test_a_pickled_module_is_refused_and_says_what_to_save(net, tmp_path):
    torch.save(net, tmp_path / "module.pth")
    message = refusal(tmp_path / "module.pth")
    assert "TransformerNet" in message
    assert message.endswith("save net.state_dict() instead")


def _without(state, name):
    del state[name]


def _replace(name, value):
    return lambda state: state.update({name: value})


def _poison(state):
    state["deconv2.conv2d.weight"][1, 2, 0, 1] = float("nan")


FAULTS = {
    "one key is missing": (lambda state: _without(state, "res3.in2.bias"), "no key 'res3.in2.bias'"),
    "one key without a name": (_replace("", torch.rand(16)), "unknown key ''"),
    "one key too many": (_replace("res6.in2.bias", torch.rand(16)), "unknown key 'res6.in2.bias'"),
    "one wrong shape": (
        _replace("res3.conv1.conv2d.weight", torch.rand(16, 16, 3, 5)),
        "'res3.conv1.conv2d.weight' has the shape (16, 16, 3, 5), not (16, 16, 3, 3)",
    ),
    "NaN": (_poison, "'deconv2.conv2d.weight' holds NaN or Inf"),
    "integers": (_replace("in1.bias", torch.arange(WIDTH)), "'in1.bias' is of torch.int64"),
    "another first layer": (
        _replace("conv1.conv2d.weight", torch.rand(WIDTH, 3, 7, 7)),
        "'conv1.conv2d.weight' has the shape (4, 3, 7, 7), not (width, 3, 9, 9)",
    ),
    "no width": (_replace("conv1.conv2d.weight", torch.rand(0, 3, 9, 9)), "not (width, 3, 9, 9)"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_wrong_weights_are_named(state, fault, tmp_path):
    change, said = FAULTS[fault]
    change(state)
    torch.save(state, tmp_path / "wrong.pth")
    assert said in refusal(tmp_path / "wrong.pth")


def test_another_networks_checkpoint_names_its_first_key(tmp_path):
    torch.save(torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3)).state_dict(), tmp_path / "other.pth")
    assert "another network: no 'conv1.conv2d.weight'; its first key is '0.weight'" in refusal(tmp_path / "other.pth")


def refusal(path: Path) -> str:
    """Return the line with which `load` refuses `path`."""
    with pytest.raises(InputError) as caught:
        checkpoints.load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message
