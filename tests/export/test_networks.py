"""Networks of any kind: several inputs and outputs, free axes by name, modules that are called twice, programs."""

from __future__ import annotations

import collections
import dataclasses
import json
import zipfile

import numpy as np
import onnxruntime as ort
import pytest
import torch
from torch import nn
from torchvision.models.detection import FasterRCNN, RetinaNet
from torchvision.models.detection.anchor_utils import AnchorGenerator

from fns_lab import models
from fns_lab.errors import InputError
from fns_lab.export import export, onnx_from_torch, pt2, sources
from fns_lab.nets import checkpoints, examples
from fns_lab.process import quiet
from fns_lab.runtimes.torch_runner import TorchRunner

TOLERANCE = 1e-5
"""Absolute, for outputs near 1: float32 sums of a few hundred terms in two engines."""


class Nested(nn.Module):
    """A list and an optional number in, a dict with a tuple out; `act` is called twice, `lstm` gives three tensors."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.act, self.linear, self.lstm = nn.Softplus(), nn.Linear(4, 4), nn.LSTM(4, 5, batch_first=True)

    def forward(self, x, parts, ids=None, factor=2):
        y = self.act(self.act(self.linear(x)) * factor)
        z, (h, c) = self.lstm(y + parts[0] - parts[1])
        return {"scores": z + ids.to(z.dtype)[..., None], "state": (h, c), "same": x, "none": None, "number": 3}


def arguments():
    x, a, b = (torch.rand(2, 3, 4, generator=torch.Generator().manual_seed(i)) for i in range(3))
    return (x, [a, b]), {"ids": torch.arange(6).reshape(2, 3)}


class Features(nn.Sequential):
    """What a detector of torchvision takes as its backbone; here one convolution."""

    def __init__(self) -> None:
        super().__init__(nn.Conv2d(3, 8, 3, stride=8))
        self.out_channels = 8

    def forward(self, x):
        return {"0": super().forward(x)}


def retina_net():
    anchors = AnchorGenerator(((8,),), ((1.0,),))
    return RetinaNet(Features(), 3, min_size=32, max_size=48, anchor_generator=anchors)


def faster_rcnn():
    anchors = AnchorGenerator(((8,),), ((1.0,),))
    return FasterRCNN(Features(), 3, min_size=32, max_size=48, rpn_anchor_generator=anchors)


@pytest.fixture(scope="module")
def nested():
    net = Nested().eval()
    args, kwargs = arguments()
    axes = {1: "length"}
    free = {"x": axes, "parts_0": axes, "parts_1": axes, "ids": axes}
    return net, export(net, args, kwargs, dynamic=free)


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    args, kwargs = arguments()
    with quiet():  # torch warns of the weights that LSTM keeps twice
        saved = torch.export.export(Nested().eval(), args, kwargs)
    path = tmp_path_factory.mktemp("program") / "nested.pt2"
    torch.export.save(saved, path)
    return path


def test_inputs_and_outputs_keep_the_names_and_free_sizes_of_the_network(nested):
    _, exported = nested
    shapes = models.input_shapes(exported.model)
    assert shapes == {
        "x": (2, "length", 4), "parts_0": (2, "length", 4), "parts_1": (2, "length", 4), "ids": (2, "length")
    }  # fmt: skip
    assert [output.name for output in exported.model.graph.output] == ["scores", "state_0", "state_1", "same"]


def test_an_export_at_another_length_computes_what_torch_does_in_every_module(nested):
    net, exported = nested
    rng = np.random.default_rng(5)
    feeds = {name: rng.normal(size=(2, 7, 4)).astype(np.float32) for name in ("x", "parts_0", "parts_1")}
    feeds["ids"] = rng.integers(0, 9, (2, 7))
    with TorchRunner(net, call=exported.call) as runner:
        calls, values = runner.modules(feeds)[0], runner.values(feeds, exported.modules)
    assert list(calls) == ["linear", "act", "act@1", "lstm"]
    assert {"linear", "act", "act_1", "lstm.0"} < set(values)
    model = models.with_outputs(exported.model, [name for name in values if name not in outputs_of(exported.model)])
    actual = run(model, feeds)
    assert values.keys() <= actual.keys()
    for name, expected in values.items():
        assert expected.std() > 0.01
        np.testing.assert_allclose(actual[name], expected, atol=TOLERANCE, err_msg=name)


class Cells(nn.Module):
    """A module that gives two tensors of one shape, each time; it counts its calls and changes its input."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.cell = nn.LSTMCell(6, 5)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls += 1
        x.mul_(2)
        h = c = torch.zeros(2, 5)
        for step in x:
            h, c = self.cell(step, (h, c))
        return h + self.calls, c


def test_tensors_of_one_shape_are_told_apart_in_every_call():
    net = Cells().eval()
    feeds = {"x": np.random.default_rng(1).normal(size=(3, 2, 6)).astype(np.float32)}
    before = feeds["x"].copy()
    exported = export(net, (torch.zeros(3, 2, 6),))
    assert exported.changed == "calls"
    assert list(exported.modules) == ["cell", "cell@1", "cell@2"]
    with TorchRunner(net, call=exported.call) as runner:
        values = [runner.values(feeds, exported.modules) for _ in range(2)][1]
    assert set(values) == {f"cell.{i}{n}" for i in (0, 1) for n in ("", "_1")} | {"cell.0_2", "output_0", "output_1"}
    model = models.with_outputs(exported.model, [name for name in values if name not in outputs_of(exported.model)])
    actual = run(model, {"x": before})
    for name, expected in values.items():
        assert expected.std() > 0.01
        np.testing.assert_allclose(actual[name], expected, atol=TOLERANCE, err_msg=name)
    assert (feeds["x"] == before).all()
    assert net.calls == 0


class Counter(nn.Module):
    """Counts its calls, or remembers its last input, and gives neither out."""

    def __init__(self, *, remembers: bool) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(1, 3))
        self.remembers = remembers

    def forward(self, x):
        if not self.remembers:
            self.calls += 1
            return x * 2
        self.calls.copy_(x)
        return x * self.calls


@pytest.mark.parametrize("remembers", [True, False])
def test_a_buffer_that_no_result_depends_on_is_no_matter(remembers):
    assert export(Counter(remembers=remembers).eval(), (torch.ones(1, 3),)).changed is None


@dataclasses.dataclass
class Answer:
    """What a network may return, and what is in no dict or tuple."""

    last: torch.Tensor
    states: tuple
    scores: collections.UserDict
    none: None = None


class Answering(nn.Module):
    """A network whose result holds one tensor twice, in a dataclass, a tuple and a mapping of another class."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x):
        y = self.linear(x)
        return Answer(y, (x, y), collections.UserDict(a=y.tanh()))


def test_the_tensors_of_a_dataclass_are_outputs_and_one_may_be_there_twice():
    net = Answering().eval()
    exported = export(net, (torch.zeros(2, 4),))
    names = [output.name for output in exported.model.graph.output]
    assert names == ["last", "states_0", "states_1", "scores_a"]
    feeds = {"x": np.random.default_rng(1).normal(size=(2, 4)).astype(np.float32)}
    with TorchRunner(net, call=exported.call) as runner:
        expected = runner.infer(feeds)
    actual = run(exported.model, feeds)
    for name in names:
        np.testing.assert_allclose(actual[name], expected[name], atol=TOLERANCE, err_msg=name)


class Collecting(nn.Module):
    """Takes a dict, any number of tensors and any names."""

    def forward(self, batch, *others, **named):
        return batch["a"] - batch["b"] + others[0] * 2 + named["last"]


def test_arrays_become_the_arguments_that_forward_takes():
    source = sources.Source(Collecting())
    names = ("batch_a", "batch_b", "others_0", "last")
    arrays = {name: np.full((2,), 10.0**i, np.float32) for i, name in enumerate(names)}
    args, kwargs = source.arguments(arrays)
    exported = export(source.net, args, kwargs)
    assert tuple(models.input_shapes(exported.model)) == names
    again, named = source.arguments({name: arrays[name] for name in exported.call.input_names})
    assert source.net(*again, **named).tolist() == [1 - 10 + 200 + 1000] * 2
    with pytest.raises(InputError, match="TwoInputs takes no input 'idx'; it takes x, ids"):
        sources.Source(examples.TwoInputs()).arguments({"x": arrays["last"], "idx": arrays["last"]})


class TakingDict(nn.Module):
    """Takes a dict as its last argument."""

    def forward(self, x, batch):
        return x + batch["a"]


def test_a_dict_may_be_the_last_argument():
    source = sources.Source(TakingDict())
    args, kwargs = source.arguments({name: np.ones((2,), np.float32) for name in ("x", "batch_a")})
    assert args[1].keys() == {"a"}
    assert tuple(models.input_shapes(export(source.net, args, kwargs).model)) == ("x", "batch_a")


class Complex(nn.Module):
    """Gives complex numbers."""

    def forward(self, x):
        return {"y": torch.complex(x, x)}


class Deciding(nn.Module):
    """Does what depends on a number in its input."""

    def forward(self, x):
        while x.sum() < 10:
            x = x + 1
        return x


@pytest.mark.parametrize(
    ("net", "x", "said"),
    [
        (Complex(), torch.zeros(2), "the network's result y holds complex numbers, which no runtime takes: return"),
        (nn.Identity(), torch.zeros(2, dtype=torch.complex64), "input 'input' holds complex numbers, which no runtime"),
        (Deciding(), torch.zeros(2), r"depends on the numbers in a tensor: line \d+ of test_networks.py, `while x.sum"),
    ],
)
def test_what_onnx_cannot_hold_is_one_line(net, x, said, capsys):
    with pytest.raises(InputError, match=said):
        export(net, (x,))
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("make", [retina_net, faster_rcnn])
def test_a_whole_detector_is_refused_and_its_head_is_not(make):
    net = make().eval()
    with pytest.raises(InputError, match=r"at 3x32x32: how many boxes .* fns_lab\.nets\.examples:DetectorHead"):
        export(net, ([torch.rand(3, 32, 32)],))
    head, x = examples.DetectorHead(net).eval(), torch.rand(1, 3, 32, 48)
    exported = export(head, (x,))
    feeds = {"x": x.numpy()}
    with TorchRunner(head, call=exported.call) as runner:
        expected = runner.infer(feeds)
    assert len(expected) == 2
    for name, array in run(exported.model, feeds).items():
        np.testing.assert_allclose(array, expected[name], atol=TOLERANCE)


def test_a_program_is_exported_and_run_as_the_network_in_it_is(program):
    source = sources.load(str(program))
    args, kwargs = source.args, source.kwargs
    exported = export(source.net, args, kwargs, input_names=source.input_names)
    (x, parts), ids = arguments()[0], arguments()[1]["ids"]
    feeds = dict(zip(exported.call.input_names, (x.numpy(), *(p.numpy() for p in parts), ids.numpy()), strict=True))
    with TorchRunner(source.net, call=exported.call) as runner:
        values = runner.values(feeds, exported.modules)
    assert {"linear", "act", "act_1"} < set(values)
    expected = Nested().eval()(*arguments()[0], **arguments()[1])
    np.testing.assert_allclose(values["scores"], expected["scores"].detach(), atol=TOLERANCE)
    np.testing.assert_allclose(run(exported.model, feeds)["scores"], values["scores"], atol=TOLERANCE)


@pytest.mark.parametrize(
    ("member", "old", "new", "said"),
    [
        ("models/model.json", "torch.ops.aten.linear.default", "torch.hub.load", "calls 'torch.hub.load'"),
        ("models/model.json", "torch.ops.aten.linear.default", "os.system", "calls 'os.system'"),
        ("data/weights/model_weights_config.json", '"use_pickle": false', '"use_pickle": true', "pickled"),
        ("data/weights/model_weights_config.json", '"weight_0"', '"custom_obj_0"', "holds the object 'custom_obj_0'"),
        ("models/model.json", "builtins.dict", "collections.defaultdict", "in a collections.defaultdict"),
    ],
)
def test_a_program_that_could_run_code_is_refused(program, tmp_path, member, old, new, said):
    path = edited(program, tmp_path / "bad.pt2", member, old, new)
    with pytest.raises(InputError, match=f"refused because it could run code: .*{said}"):
        pt2.load(path)


@pytest.mark.parametrize(
    "formula",
    [
        "__import__('os').system('true')",
        "s0.__class__",
        "getattr(s0, 'a')",
        "exec",
        "Symbol('exec(1)')",
        "(lambda: s0)()",
        "[s0 for s0 in (1,)]",
        "Integer(f'{s0}')",
        "(" * 1000,
    ],
)
def test_a_size_that_is_more_than_a_formula_is_refused(formula):
    assert pt2._entry_fault(("expr_str", formula))
    assert not pt2._entry_fault(("expr_str", "Max(1, 2*s27 - FloorDiv(s0, 4))"))


def test_a_program_s_free_axes_stay_free(tmp_path):
    axes = {0: torch.export.Dim("n"), 2: torch.export.Dim("height", min=3), 3: 2 * torch.export.Dim("half", min=2)}
    path = tmp_path / "free.pt2"
    with quiet():
        net = nn.Conv2d(3, 4, 3, stride=2, padding=1).eval()
        program = torch.export.export(net, (torch.zeros(2, 3, 8, 12),), dynamic_shapes=(axes,))
        torch.export.save(program, path)
    source = sources.load(str(path))
    exported = export(source.net, source.args, dynamic=source.dynamic, input_names=source.input_names)
    n, channels, free_height, width = models.input_shapes(exported.model)["input"]
    assert channels == 3
    assert {type(size) for size in (n, free_height, width)} == {str}
    x = np.random.default_rng(3).normal(size=(1, 3, 5, 16)).astype(np.float32)
    expected = net(torch.from_numpy(x)).detach()
    np.testing.assert_allclose(run(exported.model, {"input": x})["output"], expected, atol=TOLERANCE)


def test_a_factory_s_network_takes_the_weights_of_a_wrapped_checkpoint(tmp_path):
    net = examples.TwoInputs()
    path = tmp_path / "net.pth"
    state = {f"module.{name}": value + 1 for name, value in net.state_dict().items()}
    torch.save(
        {"epoch": 3, "model_state_dict": net.state_dict(), "ema_state_dict": {**state, "n_averaged": torch.tensor(2)}},
        path,
    )
    loaded = sources.load("fns_lab.nets.examples:TwoInputs", path).net
    assert torch.equal(loaded.scores.bias, net.scores.bias + 1)
    with pytest.raises(InputError, match=r"not the weights of this UNet: no key 'down\.0\.0\.weight'"):
        sources.load("fns_lab.nets.examples:UNet", path)
    lightning = tmp_path / "lightning.ckpt"
    parts = {f"model.net.{name}": value for name, value in net.state_dict().items()} | {"loss.weight": torch.ones(3)}
    torch.save({"state_dict": parts}, lightning)
    checkpoints.load_into(loaded, lightning)
    assert torch.equal(loaded.scores.bias, net.scores.bias)
    torch.save(parts | {f"copy.{name}": value for name, value in net.state_dict().items()}, lightning)
    with pytest.raises(InputError, match=r"several such networks: model\.net\., copy\.; save one alone"):
        checkpoints.load_into(loaded, lightning)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no_such_module:net", "ModuleNotFoundError"),
        ("fns_lab.nets.examples:Missing", "AttributeError"),
        ("builtins:dict", "makes an object of the class dict, not a torch.nn.Module"),
        ("sys:maxsize", "makes an object of the class int, not a torch.nn.Module"),
        ("sys:exit", "SystemExit"),
        ("torch.nn:Linear", r"needs arguments \(in_features, out_features\) but is called without"),
    ],
)
def test_a_factory_that_makes_no_network_is_named(text, said):
    with pytest.raises(InputError, match=f"{text}: .*{said}"):
        sources.load(text)


def test_a_module_s_file_is_not_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_net.py").touch()
    with pytest.raises(InputError, match="give the module's name, my_net, not its file's"):
        sources.load("my_net.py:make")


def test_a_factory_makes_the_same_network_each_time(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "drawing.py").write_text("import torch\ndrawn = torch.rand(9)\nmake = lambda: torch.nn.Linear(3, 3)\n")
    first, second = (sources.load("drawing:make").net for _ in range(2))
    assert torch.equal(first.weight, second.weight)


def test_what_a_network_does_not_take_is_said():
    x = torch.zeros(1, 3, 8, 8)
    with pytest.raises(InputError, match="no input 'y' to leave free; the inputs are x"):
        onnx_from_torch(examples.UNet(), (x,), dynamic={"y": {0: "n"}})
    with pytest.raises(InputError, match="input 'x' has no axis 4"):
        onnx_from_torch(examples.UNet(), (x,), dynamic={"x": {4: "n"}})
    with pytest.raises(InputError, match="TwoInputs does not take these inputs: missing a required argument: 'ids'"):
        onnx_from_torch(examples.TwoInputs(), (x,))


def edited(program, path, member, old, new):
    """Copy a program with a text in one of its members replaced."""
    with zipfile.ZipFile(program) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name.endswith(member):
                text = json.dumps(json.loads(data))
                assert old in text
                data = text.replace(old, new).encode()
            target.writestr(name, data)
    return path


def outputs_of(model):
    return {output.name for output in model.graph.output}


def run(model, feeds):
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds), strict=True))
