import numpy as np
import pytest
from onnx import helper
from onnx.reference import ReferenceEvaluator

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import assert_refused, model, node, ops, run, values

TARGET = targets.load("onnxjs-0.1.8/cpu")
SHAPE = (2, 3, 7, 5)


def scattered(places, size=2, *, shape=SHAPE, axis=-2, **attributes):
    update = list(shape)
    update[axis] = size
    constants = {"update": values(*update)} | ({} if places is None else {"places": np.array(places)})
    return model([node("TensorScatter", "x", *constants, "y", axis=axis, **attributes)], shape, constants, opset=24)


@pytest.mark.parametrize(
    "before",
    [
        scattered([0, 5]),
        scattered(None),
        scattered([6, 5], mode="circular"),
        scattered([1, 2], axis=1, size=1),
        scattered([3, 0], shape=(2, 9, 5)),
    ],
)
def test_each_update_goes_to_its_place(before):
    lowered = lower(before, TARGET)
    assert lowered, lowered.refused.to_string()
    assert "TensorScatter" not in ops(lowered.model)
    x = values(*[d.dim_value for d in before.graph.input[0].type.tensor_type.shape.dim])
    np.testing.assert_array_equal(run(lowered.model, x), ReferenceEvaluator(before).run(None, {"x": x})[0])


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        (scattered([6, 0]), "reaches beyond the 7 places"),
        (scattered([0, 0, 0], shape=(3, 5, 2), axis=0, size=1), "the axis is that of the batch"),
    ],
)
def test_refusals(before, reason):
    assert_refused(before, TARGET, "tensor-scatter-gather", reason)


def test_computed_places_are_refused():
    before = scattered([0, 1])
    del before.graph.initializer[1:]
    before.graph.input.append(helper.make_tensor_value_info("places", 7, [2]))
    assert_refused(before, TARGET, "tensor-scatter-gather", "computed")
