from __future__ import annotations

import numpy as np
import pytest

from fns_lab.compare import Values, collect, values
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
    assert runs == [4, 1], "all values at once, and the model as it is"
    assert all(np.array_equal(found[name], fixed[name]) for name in fixed)
    assert model.graph.input[0].type.tensor_type.shape.dim[2].dim_param == "H"


def test_an_engine_that_drops_a_value_is_named():
    def forgetful(model, feeds):
        returned = small.run(model, feeds)
        returned.pop("relu", None)
        return returned

    with pytest.raises(RuntimeError, match="'relu'"):
        collect(small.regular(), small.feeds(), forgetful)


@pytest.mark.parametrize("chunk_bytes", [1, 6000, 10**9])
def test_piece_by_piece_gives_the_same_values_for_the_price_of_one_run_more(monkeypatch, chunk_bytes):
    monkeypatch.setattr(values, "CHUNK_BYTES", chunk_bytes)
    computed = []

    def counted(model, feeds):
        computed.extend(node.output[0] for node in model.graph.node)
        return small.run(model, feeds)

    model = small.rewritten()
    whole = collect(model, small.feeds(), small.run)
    found = Values(model, small.feeds(), counted, piecewise=True)
    pieces = {name: found[name] for name in found if name != "output"}
    assert sorted(computed) == sorted(2 * [node.output[0] for node in model.graph.node]), "once in pieces, once whole"
    assert all(np.allclose(pieces[name], whole[name], rtol=1e-5, atol=1e-5) for name in pieces)


def test_values_that_do_not_fit_are_dropped_and_computed_again(monkeypatch):
    monkeypatch.setattr(values, "CHUNK_BYTES", 1)
    monkeypatch.setattr(values, "KEEP_BYTES", 1)
    found = Values(small.rewritten(), small.feeds(), small.run, piecewise=True)
    late, early, again = found["unit"].copy(), found["mu"].copy(), found["unit"]
    assert np.array_equal(late, again)
    assert early.shape == (small.N, 4, 1, 1)


def test_an_engine_that_answers_otherwise_when_watched_is_found_out():
    def shy(model, feeds):
        found = small.run(model, feeds)
        instrumented = len(model.graph.output) > 1
        return found | {"output": found["output"] * np.float32(1.01 if instrumented else 1)}

    found = Values(small.regular(), small.feeds(), shy)
    assert found.changed_by_instrumentation == 0
    assert np.array_equal(found["output"], small.run(small.regular(), small.feeds())["output"])
    found["norm"]
    assert 0.001 < found.changed_by_instrumentation < 0.02
    honest = Values(small.regular(), small.feeds(), small.run)
    honest["norm"]
    assert honest.changed_by_instrumentation < 1e-6
