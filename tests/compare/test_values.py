from __future__ import annotations

import numpy as np
import pytest

from fns_lab.compare import collect, values
from tests import small_network as small


def test_every_value_in_the_order_of_the_graph():
    found = collect(small.regular(), small.feeds(), small.run)
    assert list(found) == ["conv1", "norm", "relu", "output"]
    assert found["conv1"].shape == (small.N, 4, small.H, small.W)
    assert np.array_equal(found["relu"], np.maximum(found["norm"], 0))
    assert np.array_equal(found["output"], small.run(small.regular(), small.feeds())["output"])


def test_chunks_are_bounded_and_give_the_same_values(monkeypatch):
    whole = collect(small.rewritten(), small.feeds(), small.run)
    sizes = []

    def counted(model, feeds):
        returned = small.run(model, feeds)
        sizes.append(sum(array.nbytes for name, array in returned.items() if name != "output"))
        return returned

    monkeypatch.setattr(values, "CHUNK_BYTES", 6000)
    parts = collect(small.rewritten(), small.feeds(), counted)
    assert len(sizes) > 2
    assert max(sizes) <= 6000
    assert list(parts) == list(whole)
    assert all(np.array_equal(parts[name], whole[name]) for name in whole)


def test_free_sides_are_taken_from_the_feeds():
    model = small.regular(n="N", h="H", w="W")
    runs = []

    def counted(model, feeds):
        runs.append(len(model.graph.output))
        return small.run(model, feeds)

    found = collect(model, small.feeds(), counted)
    fixed = collect(small.regular(), small.feeds(), small.run)
    assert runs == [4]
    assert all(np.array_equal(found[name], fixed[name]) for name in fixed)
    assert model.graph.input[0].type.tensor_type.shape.dim[2].dim_param == "H"


def test_an_engine_that_drops_a_value_is_named():
    def forgetful(model, feeds):
        returned = small.run(model, feeds)
        returned.pop("relu", None)
        return returned

    with pytest.raises(RuntimeError, match="'relu'"):
        collect(small.regular(), small.feeds(), forgetful)
