"""Parameters and multiply-adds: the known numbers of the style network, and torch's own count of every op."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper
from torch.utils.flop_counter import FlopCounterMode

from fns_lab import models
from fns_lab.errors import InputError
from fns_lab.export import onnx_from_torch
from fns_lab.measure import cost
from fns_lab.nets.transformer import TransformerNet

KNOWN = {32: (1_679_235, 10.08), 8: (108_771, 0.82)}
"""Parameters, and 10^9 MACs at 256 x 256 pixels, by width."""

OPS = {
    "Conv": ("x[2,6,9,14], w[8,3,3,5]", "y = Conv <group=2, strides=[2,1], pads=[1,0,1,0]> (x, w)"),
    "ConvTranspose": ("x[2,6,9,14], w[6,4,3,5]", "y = ConvTranspose <group=2, strides=[2,1]> (x, w)"),
    "Gemm": ("x[7,5], w[7,4]", "y = Gemm <transA=1> (x, w)"),
    "MatMul": ("x[2,3,5,7], w[7,4]", "y = MatMul (x, w)"),
}
TORCH = {
    "Conv": lambda x, w: torch.nn.functional.conv2d(x, w, stride=(2, 1), padding=(1, 0), groups=2),
    "ConvTranspose": lambda x, w: torch.nn.functional.conv_transpose2d(x, w, stride=(2, 1), groups=2),
    "Gemm": lambda x, w: x.T @ w,
    "MatMul": lambda x, w: x @ w,
}


def model(inputs: str, *nodes: str, weights: dict[str, np.ndarray] | None = None) -> onnx.ModelProto:
    """Return a model from ONNX's text format; `inputs` as `x[2,3], w[3,4]`, the output is `y` of any shape."""
    typed = ", ".join(f"float[{shape}] {name}" for name, shape in (i.strip("]").split("[") for i in inputs.split(", ")))
    text = f'<ir_version: 8, opset_import: ["" : 18]> g ({typed}) => (float[] y) {{ {" ".join(nodes)} }}'
    parsed = onnx.parser.parse_model(text)
    parsed.graph.output[0].type.tensor_type.ClearField("shape")
    parsed.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in (weights or {}).items())
    return parsed


def randomised(width: int) -> TransformerNet:
    """Untrained, each parameter unlike any other: the exporter writes equal ones once."""
    torch.manual_seed(width)
    net = TransformerNet(width)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter)
    return net


@pytest.mark.parametrize("width", KNOWN)
def test_the_style_network_has_the_known_numbers(width):
    parameters, gmacs = KNOWN[width]
    exported = onnx_from_torch(randomised(width), (256, 256))
    row = cost.totals({"net": exported}).loc["net"]
    assert row["parameters"] == parameters
    assert row["macs"] / 1e9 == pytest.approx(gmacs, abs=0.005)
    assert row["bytes"] == len(exported.SerializeToString()) == pytest.approx(4 * parameters, rel=0.3)


def test_torch_counts_the_same(net, fns_model, photo):
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(torch.from_numpy(photo))
    table = cost.per_op(fns_model)
    assert 2 * table["macs"].sum() == counter.get_total_flops()
    assert table["parameters"].sum() == sum(p.numel() for p in net.parameters())
    assert table["nodes"].to_dict() == models.count_ops(fns_model)
    assert table.index[0] == "Conv"


@pytest.mark.parametrize("op", OPS)
def test_each_op_as_torch_counts_it(op):
    inputs, node = OPS[op]
    shapes = [tuple(map(int, i.strip("]").split("[")[1].split(","))) for i in inputs.split(", ")]
    with FlopCounterMode(display=False) as counter:
        TORCH[op](*map(torch.zeros, shapes))
    assert 2 * cost.per_op(model(inputs, node)).loc[op, "macs"] == counter.get_total_flops() > 0


def test_a_shared_weight_counts_once_and_settings_never():
    weights = {
        "w": np.ones((3, 3), np.float32),
        "scales": np.float32([1, 2]),
        "low": np.float32(-1),
        "index": np.int64([0, 1]),
    }
    nodes = (
        "a = MatMul(x, w)", "b = MatMul(a, w)", "c = Resize(b, , scales)", "d = Clip(c, low)", "y = Gather(d, index)"
    )  # fmt: skip
    table = cost.per_op(model("x[2,3]", *nodes, weights=weights))
    assert table["parameters"].to_dict() == {"MatMul": 9, "Resize": 0, "Clip": 0, "Gather": 0}
    assert table.loc["MatMul", "macs"] == 2 * 2 * 3 * 3


def test_another_domain_has_ops_of_its_own():
    foreign = model("x[2,3], w[3,4]", "y = MatMul(x, w)")
    foreign.graph.node[0].domain = "elsewhere"
    foreign.opset_import.append(helper.make_opsetid("elsewhere", 1))
    assert cost.per_op(foreign)["macs"].to_dict() == {"elsewhere::MatMul": 0}


def test_a_free_size_is_refused_and_the_message_names_the_value():
    with pytest.raises(InputError, match="MatMul '.*': the shape of 'x' is not fixed; export at a fixed size"):
        cost.per_op(model("x[N,3], w[3,4]", "y = MatMul(x, w)"))


def test_memory_is_that_of_the_values_which_are_alive_at_once():
    text = """<ir_version: 7, opset_import: ["": 13]> g (float[1, 4] x) => (float[1, 4] y) {
        a = Relu(x)
        b = Concat<axis = 0>(a, a, a)
        c = ReduceSum<keepdims = 0>(b)
        y = Add(a, c)
    }"""
    assert cost.memory_bytes(onnx.parser.parse_model(text)) == 4 * (4 + 12 + 1), "of a, b and c"
