"""Export: the graph that comes out, its names, and its numbers in ONNX Runtime against torch."""

from __future__ import annotations

import copy

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from torch import nn

from fns_lab import models
from fns_lab.errors import InputError
from fns_lab.export import onnx_from_checkpoint, onnx_from_torch
from fns_lab.nets.base_ops import to_base_ops
from fns_lab.nets.transformer import TransformerNet

TOLERANCE = 5e-3
"""Absolute, of 255: two engines' float32 sums through sixteen layers. One wrong pixel anywhere costs far more."""
REGULAR_OPS = {"Pad": 16, "Conv": 16, "InstanceNormalization": 15, "Relu": 10, "Add": 5, "Resize": 2}


class Tiny(nn.Module):
    """Exported in a second: a weight of its own beside two submodules, one of them used twice."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.weight = nn.Parameter(torch.rand(3, 1, 1))
        self.blur = nn.Conv2d(3, 3, 3, padding=1)
        self.drop = nn.Dropout(0.9)

    def forward(self, x):
        y = self.blur(torch.relu(x * self.weight))
        return self.drop(self.blur(y) - y + self.weight)


@pytest.fixture(scope="module")
def base_ops(net):
    return to_base_ops(net)


@pytest.fixture(scope="module")
def base_ops_model(base_ops):
    return onnx_from_torch(base_ops, (37, 50))


@pytest.fixture(scope="module")
def dynamic_model(net):
    return onnx_from_torch(net, (16, 16), dynamic=True)


def test_the_regular_network_is_64_nodes_and_runs_as_in_torch(net, fns_model, photo):
    assert models.count_ops(fns_model) == REGULAR_OPS
    assert models.opset(fns_model) == 18
    assert models.input_shapes(fns_model) == {"input": photo.shape}
    assert [(o.name, models.shape_of(o)) for o in fns_model.graph.output] == [("output", photo.shape)]
    onnx.checker.check_model(fns_model, full_check=True)
    assert_same_image(net, fns_model, photo)


def test_values_are_named_after_the_modules_that_compute_them(fns_model, net):
    names = [node.output[0] for node in fns_model.graph.node]
    assert names[:5] == ["conv1.reflection_pad", "conv1.conv2d", "in1", "relu", "conv2.reflection_pad"]
    assert {"res1.conv1.conv2d", "res1.relu", "res1", "deconv1.upsample", "deconv3.reflection_pad"} < set(names)
    assert [node.name for node in fns_model.graph.node] == names
    initializers = {tensor.name for tensor in fns_model.graph.initializer}
    assert set(net.state_dict()) <= initializers
    assert all(name.startswith("constant_") for name in initializers - set(net.state_dict()))


def test_nothing_of_this_machine_is_in_the_file(fns_model, base_ops_model):
    for model in (fns_model, base_ops_model):
        assert b".py" not in model.SerializeToString()
        assert not any(node.metadata_props or node.doc_string for node in model.graph.node)


def test_basic_ops_are_all_that_a_rewritten_network_exports(base_ops, base_ops_model):
    allowed = {"Conv", "Relu", "Add", "Sub", "Mul", "Div", "Sqrt", "ReduceMean", "Gather", "Reshape"}
    assert set(models.count_ops(base_ops_model)) == allowed
    assert len(base_ops_model.graph.node) == 204
    onnx.checker.check_model(base_ops_model, full_check=True)
    assert_same_image(base_ops, base_ops_model, pixels(37, 50))


def test_a_dynamic_export_takes_every_size(net, dynamic_model):
    assert models.input_shapes(dynamic_model) == {"input": (1, 3, "height", "width")}
    assert models.count_ops(dynamic_model) == REGULAR_OPS
    for size in ((5, 5), (33, 46)):
        assert_same_image(net, dynamic_model, pixels(*size))


def test_a_checkpoint_is_exported_as_the_network_in_it_is(checkpoint, dynamic_model):
    assert onnx_from_checkpoint(checkpoint) == dynamic_model


def test_regular_and_rewritten_values_pair_up_by_name(dynamic_model, base_ops_model):
    regular = models.with_outputs(dynamic_model)
    names = [value.name for value in regular.graph.output]
    assert len(names) == 64
    x = pixels(37, 50)
    a, b = run(regular, x, names), run(models.with_outputs(base_ops_model), x, names)
    for name in names:
        np.testing.assert_allclose(b[name], a[name], atol=TOLERANCE, err_msg=name)


def test_equal_weights_make_no_extra_nodes():
    untrained = nn.Sequential(nn.InstanceNorm2d(3, affine=True), nn.ReLU(), nn.InstanceNorm2d(3, affine=True))
    assert models.count_ops(onnx_from_torch(untrained, (8, 12))) == {"InstanceNormalization": 2, "Relu": 1}


def test_any_network_exports_in_eval_mode_the_same_bytes_every_time_and_says_nothing(capfd):
    net = Tiny().train()
    before = copy.deepcopy(net.state_dict())
    first, second = (onnx_from_torch(net, (6, 9)) for _ in range(2))
    assert capfd.readouterr() == ("", "")
    assert first.SerializeToString() == second.SerializeToString()
    assert [node.output[0] for node in first.graph.node] == ["mul", "relu", "blur", "blur_1", "sub", "output"]
    assert {"weight", "blur.weight", "blur.bias"} == {tensor.name for tensor in first.graph.initializer}
    assert net.training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert_same_image(net.eval(), first, pixels(6, 9))


def test_a_higher_opset_is_written_as_asked():
    net = nn.Sequential(nn.ReflectionPad2d(2), nn.Conv2d(3, 3, 3)).eval()
    model = onnx_from_torch(net, (6, 9), opset=21)
    assert models.opset(model) == 21
    assert_same_image(net, model, pixels(6, 9))


@pytest.mark.parametrize("size", [(4, 64), (64, 4), (0, 8), (-8, 8)])
def test_a_size_the_network_cannot_take_names_the_smallest(size):
    with pytest.raises(InputError, match=f"size {size[0]}x{size[1]}: .* the smallest is 5x5"):
        onnx_from_torch(TransformerNet(2), size)


def test_what_cannot_be_exported_is_refused_in_one_line():
    net = TransformerNet(2)
    refusals = (
        ((8.5, 8), 18, r"whole pixels"),
        ((8, 8), 9, r"opset 9: .* lower\(\) then converts to a lower opset"),
        ((8, 8), 99, r"opset 99: the installed onnx knows opsets up to \d+"),
    )
    for size, opset, said in refusals:
        with pytest.raises(InputError, match=said):
            onnx_from_torch(net, size, opset=opset)
    with pytest.raises(InputError, match="Conv2d cannot be exported at 1x3x8x8: ") as caught:
        onnx_from_torch(nn.Conv2d(4, 2, 3), (8, 8))
    assert "\n" not in str(caught.value)


def pixels(h: int, w: int) -> np.ndarray:
    return np.random.default_rng(h * w).uniform(0, 255, (1, 3, h, w)).astype(np.float32)


def run(model: onnx.ModelProto, x: np.ndarray, names: list[str]) -> dict[str, np.ndarray]:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return dict(zip(names, session.run(names, {"input": x}), strict=True))


def assert_same_image(net: nn.Module, model: onnx.ModelProto, x: np.ndarray) -> None:
    with torch.no_grad():
        expected = net(torch.from_numpy(x)).numpy()
    actual = run(model, x, ["output"])["output"]
    assert expected.std() > 0.1
    np.testing.assert_allclose(actual, expected, atol=TOLERANCE, rtol=0)
