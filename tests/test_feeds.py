"""Feeds and the inputs they are for: one table of what fits, and of what is refused with which message."""

from __future__ import annotations

import re

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from fns_lab import models, targets
from fns_lab.cli.arrays import load_feeds
from fns_lab.errors import InputError
from fns_lab.feeds import fit_feeds, require_int32
from fns_lab.measure.bench import bench
from fns_lab.rewrite.lower import lower
from fns_lab.runtimes import open_runner

FITS = {
    "fixed": ([(2, 3)], [(2, 3)]),
    "0 means 0": ([(0, 3)], [(0, 3)]),
    "-1 is free": ([(-1, 3)], [(5, 3)]),
    "any negative is free": ([(-2, 3)], [(5, 3)]),
    "a name is free": ([("height", 3)], [(5, 3)]),
    "nothing declared is free": ([(None, 3)], [(5, 3)]),
    "a free size may be 0": ([("height", 3)], [(0, 3)]),
    "unknown rank": ([None], [(5, 4, 3)]),
    "a scalar": ([()], [()]),
    "one name, one size": ([("n", 3), (2, "n")], [(5, 3), (2, 5)]),
    "free without a name, two sizes": ([(None, 3), (-1, 3)], [(5, 3), (4, 3)]),
    "unknown rank beside a name": ([("n",), None], [(5,), (4, 4)]),
}
"""Declared shapes and the shapes of the feeds, one per input."""

REFUSED = {
    "another size": ([(2, 3)], [(2, 4)], "input 'x0' takes shape (2, 3), not (2, 4)"),
    "0 lets no other size in": ([(0, 3)], [(5, 3)], "input 'x0' takes shape (0, 3), not (5, 3)"),
    "another size beside a free one": ([(-1, 3)], [(5, 4)], "input 'x0' takes shape (any, 3), not (5, 4)"),
    "another size beside a name": ([("height", 3)], [(5, 4)], "input 'x0' takes shape (height, 3), not (5, 4)"),
    "another rank": ([(3,)], [(1, 3)], "input 'x0' takes shape (3,), not (1, 3)"),
    "a scalar for a vector": ([(None,)], [()], "input 'x0' takes shape (any,), not ()"),
    "one name, two sizes": (
        [("n", 3), (2, "n")],
        [(5, 3), (2, 4)],
        "dimension 'n' must have one size: it is 5 in input 'x0', 4 in input 'x1'",
    ),
    "one name twice in one input": (
        [("n", "n")],
        [(5, 4)],
        "dimension 'n' must have one size: it is 5 in input 'x0', 4 in input 'x0'",
    ),
}
"""The same, and the message."""


def model_of(*shapes, element_type: int = TensorProto.FLOAT) -> onnx.ModelProto:
    """A model with inputs `x0`, `x1`, ... of these shapes (None: unknown rank)."""
    inputs = [helper.make_tensor_value_info(f"x{i}", element_type, shape) for i, shape in enumerate(shapes)]
    nodes = [helper.make_node("Neg", [value.name], [f"y{i}"]) for i, value in enumerate(inputs)]
    outputs = [helper.make_tensor_value_info(f"y{i}", element_type, None) for i in range(len(inputs))]
    graph = helper.make_graph(nodes, "negative", inputs, outputs)
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])


def feeds_of(*shapes) -> dict[str, np.ndarray]:
    return {f"x{i}": np.ones(shape, np.float32) for i, shape in enumerate(shapes)}


@pytest.mark.parametrize("case", FITS)
def test_what_fits_comes_back(case):
    declared, given = FITS[case]
    feeds = feeds_of(*given)
    fitted = fit_feeds(model_of(*declared), dict(reversed(feeds.items())))
    assert list(fitted) == list(feeds)
    assert all(fitted[name] is feeds[name] for name in feeds)


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused(case):
    declared, given, message = REFUSED[case]
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        fit_feeds(model_of(*declared), feeds_of(*given))


@pytest.mark.parametrize(
    ("feeds", "message"),
    [
        ({}, "input 'x0' (float32) is missing from the feeds"),
        ({"x": np.ones(3, np.float32)}, "the model has no input 'x'; its inputs are 'x0'"),
        (feeds_of((3,), (3,)), "the model has no input 'x1'; its inputs are 'x0'"),
        ({"x0": np.ones(3)}, "input 'x0' takes float32, not float64; convert it with .astype('float32')"),
    ],
)
def test_names_and_types_that_do_not_fit_are_refused(feeds, message):
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        fit_feeds(model_of((3,)), feeds)


def test_other_names_are_taken_by_position_if_asked():
    a, b = np.ones(2, np.float32), np.zeros(3, np.float32)
    model = model_of((2,), (3,))
    fitted = fit_feeds(model, {"a": a, "b": b}, by_position=True)
    assert list(fitted) == ["x0", "x1"]
    assert fitted["x0"] is a and fitted["x1"] is b
    by_name = fit_feeds(model, {"x1": b, "x0": a}, by_position=True)
    assert by_name["x0"] is a and by_name["x1"] is b
    with pytest.raises(InputError, match=r"the model has 2 inputs \('x0', 'x1'\), the feeds have 1: 'a'"):
        fit_feeds(model, {"a": a}, by_position=True)
    with pytest.raises(InputError, match="no input 'a'"):
        fit_feeds(model, {"a": a, "b": b})


def test_arrays_come_back_in_c_order():
    x = np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3))
    fitted = fit_feeds(model_of((2, 3)), {"x0": x})["x0"]
    assert fitted.flags.c_contiguous
    np.testing.assert_array_equal(fitted, x)


def test_an_initializer_that_is_an_input_too_need_not_be_fed():
    model = model_of((3,), (3,))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.ones(3, np.float32), "x1"))
    assert list(fit_feeds(model, feeds_of((3,)))) == ["x0"]


@pytest.mark.parametrize(
    ("declared", "kind"),
    [
        (helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, (3,))), "a sequence"),
        (helper.make_optional_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, (3,))), "an optional value"),
        (onnx.TypeProto(), "of an unknown type"),
    ],
)
def test_an_input_that_is_no_tensor_is_refused(declared, kind):
    model = model_of((3,))
    model.graph.input[0].type.CopyFrom(declared)
    with pytest.raises(InputError, match=f"'x0' is {kind}, not a tensor; inputs and outputs must be tensors"):
        fit_feeds(model, feeds_of((3,)))


def test_an_unknown_element_type_is_refused():
    model = model_of((3,), element_type=TensorProto.UNDEFINED)
    with pytest.raises(InputError, match=r"'x0' has no element type that NumPy knows \(ONNX number 0\)"):
        fit_feeds(model, feeds_of((3,)))


def test_a_size_of_minus_1_is_free_everywhere(tmp_path):
    model, x = model_of((-1, 3)), np.float32([[1, 2, 3], [4, 5, 6]])
    assert models.input_shapes(model) == {"x0": ("?", 3)}
    with open_runner(model, "ort/cpu") as runner:
        np.testing.assert_array_equal(runner.infer({"x0": x})["y0"], -x)
    assert bench({"negative": model}, ["ort/cpu"], {"a": x}, runs=1, warmup=1)
    np.save(tmp_path / "x.npy", x.astype(np.float64))
    np.testing.assert_array_equal(load_feeds(tmp_path / "x.npy", model)["x0"], x)
    lowered = lower(model, targets.load("ort/cpu"), shapes={"x0": (2, 3)})
    assert models.input_shapes(lowered.model) == {"x0": (2, 3)}
    assert models.input_shapes(lower(model, targets.load("ort/cpu")).model) == {"x0": ("?", 3)}


def test_the_file_and_the_model_are_named(tmp_path):
    model = model_of((2, 3))
    np.save(tmp_path / "x.npy", np.ones((3, 3), np.float32))
    message = r"input 'x0' takes shape \(2, 3\), not \(3, 3\)"
    with pytest.raises(InputError, match=rf"x\.npy: {message}"):
        load_feeds(tmp_path / "x.npy", model)
    with pytest.raises(InputError, match=f"^negative: {message}"):
        bench({"negative": model}, ["ort/cpu"], {"a": np.ones((3, 3), np.float32)}, runs=1)


@pytest.mark.parametrize("number", [np.int64(2**31), np.int64(-(2**31) - 1), np.uint64(2**31), np.uint64(2**64 - 1)])
def test_a_number_beyond_int32_is_refused_for_an_engine_that_has_no_other(number):
    fits = np.array([2**31 - 1, 0], number.dtype)
    require_int32({"i": fits, "none": fits[:0], "float": np.float64([2.0**40])})
    with pytest.raises(InputError, match="'i' has a value outside int32"):
        require_int32({"i": np.array([number])})


def test_text_for_numbers_is_refused(tmp_path):
    np.save(tmp_path / "x.npy", np.array(["one", "two", "three"]))
    with pytest.raises(InputError, match=r"x\.npy: could not convert"):
        load_feeds(tmp_path / "x.npy", model_of((3,)))
