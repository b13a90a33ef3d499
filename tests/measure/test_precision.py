"""The network in float16 and int8: a valid model of the predicted size, near the float32 image in real engines."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from fns_lab import models, photos
from fns_lab.compare import IMAGE_ACROSS_ENGINES, measure_image, ssim
from fns_lab.errors import InputError
from fns_lab.measure.precision import LARGEST_FLOAT16, fp16_from_float32, int8_from_float32
from fns_lab.runtimes import open_runner
from tests import small_network as small
from tests.conftest import SIZE

LEAST_PSNR_DB = 35.0
"""Of an int8 image against float32, 0..255: a mean square error of 4.5 steps; the shipped network has 43 dB."""
LEAST_SSIM = 0.95
GRAPH_BYTES = 80_000
"""What nodes, names and scales may take in a file beside the weights."""


@pytest.fixture(scope="module")
def calibration():
    return [{"input": photos.load(name, SIZE)} for name in ("cat", "coffee", "rocket")]


@pytest.fixture(scope="module")
def fp16(fns_model):
    return fp16_from_float32(fns_model)


@pytest.fixture(scope="module")
def int8(fns_model, calibration):
    return int8_from_float32(fns_model, calibration)


@pytest.fixture(scope="module")
def image(fns_model, photo):
    return run(fns_model, photo)


def run(model, x, target="ort/cpu"):
    with open_runner(model, target) as runner:
        return runner.infer({"input": x})["output"]


def weight_types(model):
    """Element type of the weight of each convolution, looked up through a DequantizeLinear, in the graph's order."""
    weights = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    weights |= {
        node.output[0]: weights.get(node.input[0]) for node in model.graph.node if node.op_type == "DequantizeLinear"
    }
    return [weights[node.input[1]] for node in model.graph.node if node.op_type == "Conv"]


def numbers(model, *, inner):
    """How many numbers the inner convolutions' weights hold, or all others."""
    names = [node.input[1] for node in model.graph.node if node.op_type == "Conv"][1:-1]
    tensors = [tensor for tensor in model.graph.initializer if tensor.data_type == TensorProto.FLOAT]
    return sum(int(np.prod(tensor.dims)) for tensor in tensors if (tensor.name in names) == inner)


def test_float16_is_half_the_bytes_and_the_same_image(fns_model, fp16, photo, image):
    onnx.checker.check_model(fp16, full_check=True)
    predicted = 2 * (numbers(fns_model, inner=True) + numbers(fns_model, inner=False))
    assert predicted < fp16.ByteSize() < predicted + GRAPH_BYTES
    error = measure_image(image, run(fp16, photo))
    assert 0 < error.max_abs < IMAGE_ACROSS_ENGINES.floor


def test_int8_is_one_byte_per_weight_and_nearly_the_same_image(fns_model, int8, photo, image):
    onnx.checker.check_model(int8, full_check=True)
    predicted = numbers(fns_model, inner=True) + 4 * numbers(fns_model, inner=False)
    assert predicted < int8.ByteSize() < predicted + GRAPH_BYTES
    quantised = run(int8, photo)
    assert LEAST_PSNR_DB < measure_image(image, quantised).psnr_db < 100
    assert LEAST_SSIM < ssim(image, quantised) < 1


def test_weights_are_float16_and_inputs_and_outputs_float32(fns_model, fp16):
    assert set(weight_types(fp16)) == {TensorProto.FLOAT16}
    assert models.count_ops(fp16) == models.count_ops(fns_model) | {"Cast": 2}
    inputs_and_outputs = (*fp16.graph.input, *fp16.graph.output)
    assert [(v.name, v.type.tensor_type.elem_type) for v in inputs_and_outputs] == [("input", 1), ("output", 1)]


def test_int8_keeps_the_first_and_the_last_convolution_in_float32(net, fns_model, int8):
    first, *inner, last = weight_types(int8)
    assert (first, last) == (TensorProto.FLOAT, TensorProto.FLOAT)
    assert set(inner) == {TensorProto.INT8}
    added = {"QuantizeLinear": 28, "DequantizeLinear": 56}
    assert models.count_ops(int8) == models.count_ops(fns_model) | added
    scales = [t for t in int8.graph.initializer if t.name == "res1.conv1.conv2d.weight_scale"]
    assert [len(numpy_helper.to_array(t)) for t in scales] == [4 * net.width], "one for each output channel"


def test_values_keep_their_names(fns_model, fp16, int8):
    before = {node.output[0] for node in fns_model.graph.node if node.op_type == "InstanceNormalization"}
    for model in (fp16, int8):
        assert before <= {value for node in model.graph.node for value in node.output}


def test_the_input_model_is_not_changed_and_the_result_is_deterministic(fns_model, fp16, int8, calibration, capfd):
    before = fns_model.SerializeToString()
    assert fp16_from_float32(fns_model).SerializeToString() == fp16.SerializeToString()
    assert int8_from_float32(fns_model, iter(calibration)).SerializeToString() == int8.SerializeToString()
    assert fns_model.SerializeToString() == before
    assert capfd.readouterr() == ("", "")


@pytest.mark.browser
def test_onnx_runtime_web_runs_both(fp16, int8, photo, image):
    assert measure_image(image, run(fp16, photo, "ort-web/wasm")).max_abs < IMAGE_ACROSS_ENGINES.floor
    assert measure_image(image, run(int8, photo, "ort-web/wasm")).psnr_db > LEAST_PSNR_DB


def with_weight(value):
    model = small.regular()
    weight = np.full((4, 3, 3, 3), value, np.float32)
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(weight, model.graph.initializer[0].name))
    return model


def unnamed(model):
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for node in copy.graph.node:
        node.name = ""
    return copy


def test_float16_refuses_what_it_cannot_hold(fp16, int8):
    rows = [
        (with_weight(2 * LARGEST_FLOAT16), r"weight 'w1' holds 131008; float16 ends at 65504"),
        (with_weight(np.nan), r"weight 'w1' holds nan"),
        (fp16, "not all float32"),
        (int8, "not all float32"),
    ]
    for model, message in rows:
        with pytest.raises(InputError, match=message):
            fp16_from_float32(model)


def test_int8_refuses_what_it_cannot_calibrate_or_quantise(fns_model, fp16, calibration):
    rows = [
        (fns_model, [], "no input to calibrate with; give a few photographs"),
        (fns_model, [{"input": calibration[0]["input"][..., 1:]}], r"takes shape \(1, 3, 64, 96\)"),
        (fns_model, [{"image": calibration[0]["input"]}], "no input 'image'"),
        (fp16, calibration, "0 convolutions with float32 weights"),
        (small.regular(), [small.feeds()], "2 convolutions with float32 weights: nothing to quantise"),
        (unnamed(fns_model), calibration, "a convolution without a name"),
    ]
    for model, feeds, message in rows:
        with pytest.raises(InputError, match=message):
            int8_from_float32(model, feeds)
