from __future__ import annotations

import numpy as np
import pytest

from fns_lab.compare import VALUES_FLOAT32, Experiment, ModelRun, Values, collect, values
from fns_lab.compare.values import ChunkReader
from fns_lab.errors import RuntimeFault
from tests import small_network as small


def test_every_value_in_the_order_of_the_graph():
    collected = collect(small.regular(), small.feeds(), small.run)
    assert list(collected) == ["conv1", "norm", "relu", "output"]
    assert collected["conv1"].shape == (small.N, 4, small.H, small.W)
    assert np.array_equal(collected["relu"], np.maximum(collected["norm"], 0))
    assert np.array_equal(collected["output"], small.run(small.regular(), small.feeds())["output"])


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

    collected = collect(model, small.feeds(), counted)
    fixed = collect(small.regular(), small.feeds(), small.run)
    assert runs == [4, 1], "all values at once, and the unmodified model"
    assert all(np.array_equal(collected[name], fixed[name]) for name in fixed)
    assert model.graph.input[0].type.tensor_type.shape.dim[2].dim_param == "H"


def test_an_engine_that_drops_a_value_is_named():
    def forgetful(model, feeds):
        returned = small.run(model, feeds)
        returned.pop("relu", None)
        return returned

    with pytest.raises(RuntimeFault, match="'relu'"):
        collect(small.regular(), small.feeds(), forgetful)


@pytest.mark.parametrize("chunk_bytes", [1, 6000, 10**9])
def test_chunk_by_chunk_gives_the_same_values_for_the_price_of_one_run_more(monkeypatch, chunk_bytes):
    monkeypatch.setattr(values, "CHUNK_BYTES", chunk_bytes)
    computed = []

    def counted(model, feeds):
        computed.extend(node.output[0] for node in model.graph.node)
        return small.run(model, feeds)

    model = small.rewritten()
    whole = collect(model, small.feeds(), small.run)
    planned = Values(model, small.feeds(), counted, piecewise=True)
    assert not computed, "nothing runs before it is asked to"
    in_chunks = {name: array for chunk in planned.chunks() for name, array in chunk.items() if name != "output"}
    assert sorted(computed) == sorted(2 * [node.output[0] for node in model.graph.node]), "once in chunks, once whole"
    assert all(np.allclose(in_chunks[name], whole[name], rtol=1e-5, atol=1e-5) for name in in_chunks)


def test_values_that_do_not_fit_are_dropped_and_computed_again(monkeypatch):
    monkeypatch.setattr(values, "CHUNK_BYTES", 1)
    monkeypatch.setattr(values, "KEEP_BYTES", 1)
    planned = Values(small.rewritten(), small.feeds(), small.run, piecewise=True)
    late, early, again = (planned.compute([name])[name] for name in ("unit", "mu", "unit"))
    assert np.array_equal(late, again)
    assert early.shape == (small.N, 4, 1, 1)


def test_an_engine_whose_outputs_change_when_instrumented_is_found_out():
    def shy(model, feeds):
        outputs = small.run(model, feeds)
        instrumented = len(model.graph.output) > 1
        return outputs | {"output": outputs["output"] * np.float32(1.01 if instrumented else 1)}

    planned = Values(small.regular(), small.feeds(), shy)
    assert planned.changed_by_instrumentation == 0
    assert np.array_equal(planned.compute_outputs()["output"], small.run(small.regular(), small.feeds())["output"])
    planned.compute(["norm"])
    assert 0.001 < planned.changed_by_instrumentation < 0.02
    honest = Values(small.regular(), small.feeds(), small.run)
    honest.compute(["norm"])
    assert honest.changed_by_instrumentation < 1e-6


def test_a_plan_is_kept_whatever_is_looked_up():
    def forbidden(model, feeds):
        raise AssertionError("an engine ran")

    run = ModelRun(small.regular(), small.feeds(), forbidden)
    experiment = Experiment(run, run, VALUES_FLOAT32)
    for planned in (experiment.values_a, experiment.values_b, experiment.b_in_engine_a):
        assert planned.names == ("conv1", "norm", "relu", "output")
        assert "norm" in planned
        assert "nothing" not in planned
        assert planned.changed_by_instrumentation == 0
        with pytest.raises(KeyError):
            planned.compute(["nothing"])


def test_a_runs_before_b_and_each_chunk_once(monkeypatch):
    monkeypatch.setattr(values, "CHUNK_BYTES", 6000)
    monkeypatch.setattr(values, "KEEP_BYTES", 1)
    order = []

    def named(name):
        def run(model, feeds):
            order.append(name)
            return small.run(model, feeds)

        return run

    runs = [
        ModelRun(model, small.feeds(), named(name), piecewise=True)
        for name, model in (("a", small.regular()), ("b", small.rewritten()))
    ]
    assert Experiment(*runs, VALUES_FLOAT32).compare()
    assert order[0] == "a"
    assert order.index("b") > 0
    assert [order.count(name) for name in "ab"] == [3, 3], "the unmodified model, and two chunks"


def test_chunks_hold_only_what_was_asked_for():
    planned = Values(small.regular(), small.feeds(), small.run)
    (chunk,) = planned.chunks(["relu", "conv1"])
    assert list(chunk) == ["conv1", "relu"]


def test_a_reader_keeps_one_chunk():
    chunks = iter([{"p": np.zeros(1)}, {"q": np.ones(1), "r": np.full(1, 2.0)}])
    reader = ChunkReader(chunks)
    assert [reader.take(name)[0] for name in "pqr"] == [0, 1, 2]
    with pytest.raises(KeyError):
        reader.take("p")
