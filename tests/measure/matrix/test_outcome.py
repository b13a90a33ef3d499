import numpy as np
import pytest

from fns_lab.measure.matrix.outcome import TOLERANCE, check_outputs

NAN, INF = np.nan, np.inf


def result_of(expected, actual, dtype=np.float32):
    return check_outputs({"y": np.array(expected, dtype)}, {"y": np.array(actual, dtype)})


@pytest.mark.parametrize(
    ("expected", "actual", "result"),
    [
        ([1.0, 2.0], [1.0, 2.001], "pass"),
        ([1.0, 2.0], [1.0, 2.01], "wrong"),
        ([NAN, INF, -INF, 1.0], [NAN, INF, -INF, 1.0], "pass"),
        ([NAN, 1.0], [0.0, 1.0], "wrong"),
        ([0.0, 1.0], [NAN, 1.0], "wrong"),
        ([INF, 1.0], [-INF, 1.0], "wrong"),
        ([INF, 1.0], [3e38, 1.0], "wrong"),
        ([[1.0, 2.0]], [1.0, 2.0], "wrong"),
        (np.zeros((0, 3)), np.zeros((0, 3)), "pass"),
    ],
)
def test_floats(expected, actual, result):
    assert result_of(expected, actual).result == result


def test_integers_and_booleans_are_compared_exactly():
    assert result_of([1000, 2000], [1000, 2001], np.int64)[:3] == ("wrong", 1.0, "y: max_abs 1 is beyond 0")
    assert result_of([True, False], [True, True], bool).result == "wrong"
    assert result_of([True, False], [True, False], bool).result == "pass"


def test_the_limit_grows_with_the_range_and_the_error_is_reported():
    outcome = result_of([0.0, 1000.0], [0.5, 1000.0])
    assert (outcome.result, outcome.max_abs) == ("pass", 0.5)
    assert TOLERANCE.limit(1000.0) > 0.5


def test_one_wrong_output_of_two_is_wrong_and_the_largest_error_counts():
    expected = {"a": np.zeros(2, np.float32), "b": np.ones(2, np.float32)}
    outcome = check_outputs(expected, {"a": np.full(2, 0.5, np.float32), "b": np.full(2, 3.0, np.float32)})
    assert (outcome.result, outcome.max_abs) == ("wrong", 2.0)
    assert outcome.message.startswith("a: ")


def test_elementwise_each_element_is_compared_with_its_own_size():
    x = {"y": np.array([1e9, 1.0], np.float32)}
    off = {"y": np.array([1e9, 2.0], np.float32)}
    assert check_outputs(x, off).result == "pass"
    assert check_outputs(x, off, elementwise=True).result == "wrong"
    assert check_outputs(x, {"y": x["y"] * np.float32(1.0001)}, elementwise=True).result == "pass"
