"""Differences that rounding explains, and faults that look like rounding."""

import dataclasses

import numpy as np
import pytest
from onnx import numpy_helper

from fns_lab import targets
from fns_lab.measure.sweep.rounding import explains, float64_outputs
from fns_lab.measure.sweep.run import SweptTarget
from fns_lab.measure.sweep.samples import axes_of, make_sample


def sample(op, **values):
    """Return the sample of the simplest row with these values; `_` in a name stands for a space."""
    row = {axis: choices[0] for axis, choices in axes_of(op).items()} | values
    return make_sample(op, row, 0)


def test_the_sum_of_far_values_in_another_order_is_explained():
    case = sample("ReduceSum", values="far").case
    (name,) = case.expected
    (x,) = case.feeds.values()
    total = np.float32(0)
    for value in x.ravel()[::-1]:
        total += value
    assert explains(case, {name: np.full(case.expected[name].shape, total)}, float64_outputs(case))


def test_a_wrong_result_is_not_explained():
    for op, values in (("ReduceSum", "plain"), ("Conv", "plain"), ("Exp", "far")):
        case = sample(op, **({"values": values} if "values" in axes_of(op) else {})).case
        (name,) = case.expected
        truth = float64_outputs(case)
        assert explains(case, case.expected, truth)
        off = np.where(np.isfinite(case.expected[name]), case.expected[name] * np.float32(1.01), case.expected[name])
        assert not explains(case, {name: off}, truth)


def test_rounding_explains_any_logarithm_of_a_sum_that_cancels():
    case = sample("ReduceLogSum", opset=13, size=(2, 3)).case
    for first, explained in ((1e30, True), (3.0, False)):
        x = np.float32([first, -first, first, -first, 4, 10]).reshape(1, 1, 2, 3)
        cancelling = dataclasses.replace(case, feeds={"x0": x})
        truth = float64_outputs(cancelling)
        np.testing.assert_allclose(truth["y0"], np.log(14))
        for result in (20.7, np.nan):
            assert explains(cancelling, {"y0": np.full_like(case.expected["y0"], result)}, truth) is explained


def test_rounding_explains_as_much_in_every_element_of_a_flat_image():
    """A shift of all elements by some units in the last place moves the mean of one that is rounded by as many."""
    case = sample("InstanceNormalization", rank=6, channels=17, level="flat").case
    image, scale = case.feeds["x0"], case.model.graph.initializer[0]
    spread = np.sqrt(image.var(axis=(2, 3, 4, 5), keepdims=True, dtype=np.float64) + 1e-5)
    unit = numpy_helper.to_array(scale).reshape(1, -1, 1, 1, 1, 1) * np.spacing(np.float32(200)) / spread
    truth = float64_outputs(case)
    for units, explained in ((-8, True), (8, True), (-40, False), (40, False)):
        assert explains(case, {"y0": (truth["y0"] + units * unit).astype(np.float32)}, truth) is explained


def outputs(op, compute, **values):
    """Return the case of a row, its outputs as `compute` makes them of the first input, and the outputs in float64."""
    case = sample(op, **values).case
    (name,) = case.expected
    actual = np.asarray(compute(case.feeds["x0"])).astype(case.expected[name].dtype)
    return case, {name: actual}, float64_outputs(case)


def test_the_sine_of_a_far_number_is_right_or_wrong():
    def reduced_in_float32(x):
        turns = np.round(x / np.float32(2 * np.pi))
        return np.sin(x - turns * np.float32(2 * np.pi))

    assert explains(*outputs("Sin", lambda x: np.sin(x.astype(np.float64)), values="far"))
    assert not explains(*outputs("Sin", reduced_in_float32, values="far"))


@pytest.mark.parametrize(("op", "defined"), [("LayerNormalization", True), ("InstanceNormalization", False)])
def test_float64_in_float32_is_explained_where_onnx_or_the_engine_says_so(op, defined):
    case = sample(op, type="float64", level="flat").case
    truth = float64_outputs(case)
    unit = np.spacing(np.float32(200)) / case.feeds["x0"].std()
    near, far = ({"y0": truth["y0"] + n * unit} for n in (2, 1000))
    assert explains(case, near, truth) is defined
    assert explains(case, near, truth, as_float32=True)
    assert not explains(case, far, truth, as_float32=True)


def test_an_error_where_an_op_jumps_is_not_explained():
    below = lambda x: np.where(x == 0, -1, np.floor(x))  # noqa: E731
    assert explains(*outputs("Floor", np.floor, values="zeros"))
    assert not explains(*outputs("Floor", below, values="zeros"))


def test_a_quantized_value_may_be_one_step_off_only_where_it_jumps():
    case = sample("QuantizeLinear").case
    (name,) = case.expected
    truth = float64_outputs(case)
    assert explains(case, case.expected, truth)
    assert not explains(case, {name: case.expected[name] + np.uint8(1)}, truth)


def test_another_shape_is_not_explained():
    case = sample("Relu").case
    (name,) = case.expected
    assert not explains(case, {name: case.expected[name][:, :, 1:]}, float64_outputs(case))


def test_nothing_is_promised_for_values_that_the_language_of_an_engine_leaves_open():
    gpu = dataclasses.replace(targets.load("ort/cpu"), undefined_values=("nan", "infinite", "denormal"))
    for values, promised in (("plain", True), ("nan", False), ("denormal", False)):
        native, _ = SweptTarget(gpu, cached=False).measure(sample("Relu", values=values))
        assert native.supported is promised
        assert promised or native.message == f"ort/cpu leaves open what an op does with {values} values"


def test_nothing_is_promised_for_values_that_one_op_leaves_open():
    cpu = dataclasses.replace(targets.load("ort/cpu"), undefined_values=("nan Relu",))
    for op, promised in (("Abs", True), ("Relu", False)):
        native, _ = SweptTarget(cpu, cached=False).measure(sample(op, values="nan"))
        assert native.supported is promised
        assert promised or native.message == "ort/cpu leaves open what Relu does with nan values"


def test_nothing_is_promised_for_sums_beyond_float32_where_integers_beyond_it_are_left_open():
    cpu = dataclasses.replace(targets.load("ort/cpu"), undefined_values=("beyond float32 MatMulInteger",))
    drawn = sample("MatMulInteger")
    far = dataclasses.replace(drawn.case, expected={name: y + 2**24 for name, y in drawn.case.expected.items()})
    assert SweptTarget(cpu, cached=False).measure(drawn)[0].supported
    native, _ = SweptTarget(cpu, cached=False).measure(dataclasses.replace(drawn, case=far))
    assert not native.supported
    assert native.message == "ort/cpu leaves open what MatMulInteger does where a result is an integer beyond float32"


def test_nothing_is_promised_for_uncentred_values_of_an_op_that_leaves_them_open():
    cpu = dataclasses.replace(targets.load("ort/cpu"), undefined_values=("uncentred InstanceNormalization",))
    for level, promised in (("near zero", True), ("far from zero", False), ("flat", False)):
        native, _ = SweptTarget(cpu, cached=False).measure(sample("InstanceNormalization", level=level))
        assert native.supported is promised
        assert promised or native.message.endswith("what InstanceNormalization does with uncentred values")


def test_nothing_is_promised_for_a_result_that_float32_cannot_hold():
    narrow = dataclasses.replace(targets.load("ort/cpu"), float64_as_float32=True)
    for values, promised in (("plain", True), ("far", False)):
        native, _ = SweptTarget(narrow, cached=False).measure(
            sample("ReduceSumSquare", type="float64", rank=4, size=(13, 11), values=values)
        )
        assert native.supported is promised
        assert promised or native.message == "ort/cpu cannot return a float64 beyond float32"


def test_nothing_is_promised_for_whole_numbers_that_cannot_be_fed():
    narrow = dataclasses.replace(targets.load("ort/cpu"), int64_as_int32=True)
    for second, promised in (("head", True), ("tail", False)):
        native, _ = SweptTarget(narrow, cached=False).measure(sample("Slice", second=second, constants="none"))
        assert native.supported is promised
        assert promised or native.message == "ort/cpu cannot be fed an integer beyond int32"


@pytest.mark.parametrize(("values", "promised"), [("far", True), ("infinite", False)])
def test_a_rule_of_fidelity_rounding_promises_nothing_for_infinite_inputs(values, promised):
    limited = dataclasses.replace(targets.load("ort/cpu"), ops={"*": ("7-25",), "Softplus": ("30+",)})
    _, lowered = SweptTarget(limited, cached=False).measure(sample("Softplus", values=values))
    assert lowered.supported is promised


def test_a_result_that_is_right_in_float64_passes():
    """Of one element ONNX Runtime makes 0 / 0, where ONNX's definition of the op adds 1e-9 to the divisor."""
    limited = dataclasses.replace(targets.load("ort/cpu"), ops={"*": ("7-25",), "MeanVarianceNormalization": ("30+",)})
    single = sample("MeanVarianceNormalization", opset=9, size=(1, 1))
    assert np.isnan(single.case.expected["y0"]).all()
    _, lowered = SweptTarget(limited, cached=False).measure(single)
    assert lowered.supported and lowered.result == "pass"
