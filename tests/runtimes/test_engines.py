"""Every engine agrees with ONNX's reference evaluator; what it cannot run is a RuntimeFault with its own message."""

from __future__ import annotations

import asyncio
import dataclasses

import numpy as np
import pytest
from onnx import TensorProto

from fns_lab import targets
from fns_lab.errors import InputError, MissingError, RuntimeFault
from fns_lab.runtimes import open_runner
from fns_lab.runtimes.chromium import shared_chromium
from fns_lab.runtimes.engine_page import SMALL_BYTES
from fns_lab.runtimes.reference import ReferenceRunner
from tests.runtimes.graphs import BROWSER_TARGETS, FLOAT32_ERROR, PIP_TARGETS, graph, image, node, relu, worst_error

IN_A_BROWSER = [pytest.param(name, marks=pytest.mark.browser) for name in BROWSER_TARGETS]
X = image(1, 3, 10, 14, mean=0.0)


def residual_block() -> tuple:
    """Conv, Relu, Conv, Add over two inputs, and the value in the middle as a second output."""
    rng = np.random.default_rng(1)
    weights = {
        "w1": rng.normal(size=(4, 3, 3, 3)).astype(np.float32),
        "b1": rng.normal(size=4).astype(np.float32),
        "w2": rng.normal(size=(3, 4, 1, 1)).astype(np.float32),
    }
    nodes = [
        node("Conv", "x w1 b1", "c", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("Relu", "c", "r"),
        node("Conv", "r w2", "d", kernel_shape=[1, 1]),
        node("Add", "d shift", "y"),
    ]
    feeds = {"x": X, "shift": rng.normal(size=(1, 3, 1, 1)).astype(np.float32)}
    return graph(nodes, feeds, weights, outputs={"y": (1, 3, 10, 14), "r": (1, 4, 10, 14)}), feeds


@pytest.mark.parametrize("target", [*IN_A_BROWSER, *PIP_TARGETS])
def test_engine_agrees_with_the_reference(target):
    model, feeds = residual_block()
    expected = ReferenceRunner(model).infer(feeds)
    with open_runner(model, target) as runner:
        actual = runner.infer(feeds)
        assert runner.target.name == target
        assert runner.ms > 0 and runner.create_ms > 0
    assert list(actual) == ["y", "r"]
    for name in expected:
        assert actual[name].dtype == np.float32
        assert worst_error(actual[name], expected[name]) < FLOAT32_ERROR, name


@pytest.mark.parametrize(
    "target",
    [
        *PIP_TARGETS,
        *(
            pytest.param(name, marks=pytest.mark.browser)
            for name in ("onnxjs-0.1.3/webgl", "onnxjs-0.1.8/wasm", "ort-web/wasm", "ort-web/webgl")
        ),
    ],
)
def test_int64_feeds_reach_every_kind_of_engine(target):
    feeds = {"x": X, "i": np.array([9, 0, 2, 2])}
    model = graph([node("Gather", "x i", "y", axis=2)], feeds, outputs={"y": (1, 3, 4, 14)})
    with open_runner(model, target) as runner:
        np.testing.assert_array_equal(runner.infer(feeds)["y"], X[:, :, [9, 0, 2, 2]])


@pytest.mark.parametrize(
    "target",
    [*PIP_TARGETS, *(pytest.param(name, marks=pytest.mark.browser) for name in ("onnxjs-0.1.8/cpu", "ort-web/wasm"))],
)
def test_outputs_have_the_type_the_model_declares(target):
    feeds = {"a": np.arange(6).reshape(2, 3), "b": np.array([[7], [-9]])}
    model = graph([node("Add", "a b", "y")], feeds, outputs={"y": (2, 3)}, output_type=TensorProto.INT64)
    with open_runner(model, target) as runner:
        y = runner.infer(feeds)["y"]
    assert y.dtype == np.int64
    np.testing.assert_array_equal(y, feeds["a"] + feeds["b"])


@pytest.mark.browser
def test_bool_tensors_go_in_and_out():
    feeds = {"a": np.array([True, True, False]), "b": np.array([True, False, False])}
    model = graph([node("Xor", "a b", "y")], feeds, outputs={"y": (3,)}, output_type=TensorProto.BOOL)
    for target in ("onnxjs-0.1.8/wasm", "ort-web/wasm"):
        with open_runner(model, target) as runner:
            y = runner.infer(feeds)["y"]
        assert y.dtype == bool and y.tolist() == [False, True, False]


@pytest.mark.browser
@pytest.mark.parametrize("target", ["onnxjs-0.1.8/wasm", "ort-web/wasm"])
def test_large_tensors_arrive_unchanged(target):
    """Blocks too large for base64 are passed as files; small and large ones may alternate in one page."""
    small, large = image(1, 3, 5, 7, mean=0), image(1, 3, 257, 191, mean=0)
    assert small.nbytes < SMALL_BYTES < large.nbytes
    with open_runner(relu(small), target) as one, open_runner(relu(large), target) as other:
        for runner, x in ((one, small), (other, large), (one, small), (other, -large)):
            np.testing.assert_array_equal(runner.infer({"x": x})["y"], np.maximum(x, 0))


@pytest.mark.browser
def test_many_large_tensors_in_a_row_all_arrive():
    """A browser lets one frame start ten downloads a second; these 30 take about one."""
    x = image(1, 3, 257, 191, mean=0)
    with open_runner(relu(x), "onnxjs-0.1.8/wasm", timeout_s=10) as runner:
        for shift in range(30):
            np.testing.assert_array_equal(runner.infer({"x": x + shift})["y"], np.maximum(x + shift, 0))


@pytest.mark.browser
def test_sessions_of_a_target_share_a_page_and_end_alone():
    other = X[:, :, ::-1, :8].copy()
    with open_runner(relu(X), "onnxjs-0.1.8/webgl") as first:
        with open_runner(relu(other), "onnxjs-0.1.8/webgl") as second:
            assert first.page is second.page
            np.testing.assert_array_equal(first.infer({"x": X})["y"], np.maximum(X, 0))
            np.testing.assert_array_equal(second.infer({"x": other})["y"], np.maximum(other, 0))
        np.testing.assert_array_equal(first.infer({"x": X})["y"], np.maximum(X, 0))


@pytest.mark.browser
def test_runs_inside_an_event_loop():
    async def cell():
        with open_runner(relu(X), "onnxjs-0.1.8/cpu") as runner:
            return runner.infer({"x": X})["y"]

    np.testing.assert_array_equal(asyncio.run(cell()), np.maximum(X, 0))


@pytest.mark.parametrize(
    ("target", "words"),
    [
        pytest.param("onnxjs-0.1.3/cpu", "unrecognized operator 'Swirl'", marks=pytest.mark.browser),
        pytest.param("onnxjs-0.1.8/webgl", "cannot resolve operator 'Swirl'", marks=pytest.mark.browser),
        pytest.param("ort-web/wasm", "No Op registered for Swirl", marks=pytest.mark.browser),
        pytest.param("ort-web/webgpu", "No Op registered for Swirl", marks=pytest.mark.browser),
        ("ort/cpu", "Swirl"),
        ("opencv/cpu", 'of type "Swirl"'),
        ("openvino/cpu", "No conversion rule found for operations: Swirl"),
        ("tract/cpu", "Unimplemented(Swirl)"),
    ],
)
def test_a_refused_model_names_engine_model_and_reason(target, words):
    model = relu(X)
    model.graph.node[0].op_type = "Swirl"
    with pytest.raises(RuntimeFault) as fault:
        open_runner(model, target)
    assert str(fault.value).startswith(target)
    assert "model 'small' (1 node)" in str(fault.value)
    assert words in str(fault.value)
    assert "\n" not in str(fault.value)


@pytest.mark.browser
def test_a_page_reaches_nothing_but_its_own_files():
    with open_runner(relu(X), "onnxjs-0.1.8/cpu") as runner:
        fetched = "async () => [(await fetch('/secret')).status, await fetch('https://example.org').catch(String)]"
        status, refused = shared_chromium().run(runner.page.page.evaluate(fetched))
    assert status == 404
    assert "Failed to fetch" in refused


@pytest.mark.parametrize("target", [*PIP_TARGETS, pytest.param("onnxjs-0.1.8/cpu", marks=pytest.mark.browser)])
def test_feeds_that_do_not_fit_are_named(target):
    with open_runner(relu(X), target) as runner:
        with pytest.raises(InputError, match="input 'x' .* is missing"):
            runner.infer({})
        with pytest.raises(InputError, match="no input 'z'; its inputs are 'x'"):
            runner.infer({"x": X, "z": X})
        with pytest.raises(InputError, match="takes float32, not float64"):
            runner.infer({"x": X.astype(np.float64)})
        with pytest.raises(InputError, match=r"takes shape \(1, 3, 10, 14\), not \(1, 2, 10, 14\)"):
            runner.infer({"x": X[:, :2]})
        np.testing.assert_array_equal(runner.infer({"x": X})["y"], np.maximum(X, 0))


@pytest.mark.browser
@pytest.mark.parametrize("name", ["onnxjs-0.1.8/cpu", "opencv/cpu", "openvino/cpu"])
def test_an_int64_value_that_does_not_fit_is_refused(name):
    feeds = {"x": X, "i": np.array([2**40])}
    model = graph([node("Gather", "x i", "y", axis=2)], feeds, outputs={"y": (1, 3, 1, 14)})
    with (
        open_runner(model, name) as runner,
        pytest.raises(InputError, match="'i' has a value outside int32"),
    ):
        runner.infer(feeds)


def test_an_engine_that_is_not_installed_is_missing():
    absent = dataclasses.replace(targets.load("onnxjs-0.1.8/cpu"), version="0.1.2")
    with pytest.raises(
        MissingError, match="onnxjs-0.1.2 at 0.1.2, which is not installed: run `fns-lab fetch engines`"
    ):
        open_runner(relu(X), absent)


@pytest.mark.parametrize("target", [name for name in PIP_TARGETS if targets.load(name).version])
def test_another_version_of_a_package_is_missing(target):
    absent = dataclasses.replace(targets.load(target), version="0.0.1")
    with pytest.raises(
        MissingError, match=r"installed, 0\.0\.1 wanted; run `make setup`, or `pip install .*==0\.0\.1`"
    ):
        open_runner(relu(X), absent)


def test_an_unknown_target_is_bad_input():
    with pytest.raises(InputError):
        open_runner(relu(X), "onnxjs-0.1.3/webgk")
