"""What runners do so that every engine takes a model that is valid, and gives out all that the model declares."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

from fns_lab.errors import RuntimeFault
from fns_lab.runtimes import open_runner
from tests.runtimes.graphs import PIP_TARGETS, graph, image, node, relu

X = image(2, 3, 4, 5, mean=0.0)
SAMPLE_TARGETS = [
    *PIP_TARGETS,
    *(
        pytest.param(name, marks=pytest.mark.browser)
        for name in ("onnxjs-0.1.3/cpu", "onnxjs-0.1.8/wasm", "ort-web/webgl", "ort-web/wasm")
    ),
]


@pytest.mark.parametrize("name", SAMPLE_TARGETS)
@pytest.mark.parametrize("free", [-1, None, "height"])
def test_a_free_size_takes_arrays_of_any_size(free, name):
    model = relu(X)
    for value in (*model.graph.input, *model.graph.output):
        value.CopyFrom(helper.make_tensor_value_info(value.name, 1, (2, 3, free, free and 5)))
    with open_runner(model, name) as runner:
        for x in (X, X[:, :, 1:], X):
            np.testing.assert_array_equal(runner.infer({"x": x})["y"], np.maximum(x, 0))


@pytest.mark.parametrize("name", PIP_TARGETS)
@pytest.mark.parametrize("op", ["Dropout", "Identity"])
def test_an_input_given_out_unchanged_is_the_input(op, name):
    both = graph(
        [node(op, "x", "a"), node("Relu", "u", "b")], {"u": X, "x": X}, outputs={"a": X.shape, "b": X.shape}, opset=12
    )
    with open_runner(both, name) as runner:
        for x in (X, 2 * X):
            actual = runner.infer({"u": X, "x": x})
            np.testing.assert_array_equal(actual["a"], x)
            np.testing.assert_array_equal(actual["b"], np.maximum(X, 0))


@pytest.mark.parametrize("declared", [(0, 3), ("n", 3), ("n", "m")])
def test_an_empty_output_of_opencv_is_empty_where_its_shape_is_declared(declared):
    limits = {name: np.array([number]) for name, number in zip("sea", (1, 1, 0), strict=True)}
    x = X[0, 0, :2, :3]
    model = graph([node("Slice", "x s e a", "y")], {"x": x}, limits, outputs={"y": declared}, opset=13, ir_version=8)
    runner = open_runner(model, "opencv/cpu")
    if declared[1] == 3:
        assert runner.infer({"x": x})["y"].shape == (0, 3)
    else:
        with pytest.raises(RuntimeFault, match="returned nothing for the output 'y'"):
            runner.infer({"x": x})
    with open_runner(relu(X), "opencv/cpu") as other:
        other.infer({"x": X})


@pytest.mark.parametrize("name", ["tract/cpu", pytest.param("onnxjs-0.1.8/cpu", marks=pytest.mark.browser)])
def test_a_refused_model_is_told_what_check_says(name):
    model = graph([node("Relu", "x", "r"), node("Det", "r", "y")], {"x": X}, outputs={"y": (2, 3)}, opset=11)
    with pytest.raises(RuntimeFault, match=rf"\(not supported: Det: .*Det; run `fns-lab lower --target {name}`\)$"):
        open_runner(model, name).infer({"x": X})


def test_a_supported_model_that_fails_is_told_nothing():
    model = graph([node("Relu", "x", "r"), node("Cast", "r", "y", to=99)], {"x": X}, outputs={"y": X.shape}, opset=13)
    with pytest.raises(RuntimeFault) as fault:
        open_runner(model, "ort/cpu")
    assert "fns-lab lower" not in str(fault.value)
