import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from fns_lab.runtimes import open_runner
from tests.rewrite.graphs import ROUNDING, assert_refused, assert_same, model, node, ops, run, values

TARGET = targets.load("onnxjs-0.1.8/cpu")


def product(first, second):
    return model([node("MatMul", "x", "b", "y")], first, {"b": values(*second)})


FORMS = [((4,), (4, 5)), ((4,), (2, 3, 4, 5)), ((2, 3, 4), (4,)), ((4,), (4,))]


@pytest.mark.parametrize("target", ["onnxjs-0.1.8/cpu", "onnxjs-0.1.8/wasm", "onnxjs-0.1.3/cpu"])
@pytest.mark.parametrize(("first", "second"), FORMS)
def test_each_form_in_the_engine(first, second, target):
    before, x = product(first, second), values(*first)
    lowered = lower(before, targets.load(target))
    assert lowered
    with open_runner(lowered.model, target) as runner:
        np.testing.assert_allclose(runner.infer({"x": x})["y"], run(before, x), rtol=1e-5)


@pytest.mark.parametrize(("first", "second"), FORMS)
def test_the_vector_becomes_a_matrix(first, second):
    before = product(first, second)
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == (["Mul", "ReduceSum"] if first == second else ["Reshape", "MatMul", "Reshape"][
        len(second) == 1 :])  # fmt: skip
    assert_same(before, lowered.model, values(*first), ROUNDING)


def test_a_product_of_unknown_size_is_refused():
    assert_refused(product(("n",), (4, 5)), TARGET, "mat-mul-vector", "--shape")
