from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from fns_lab.errors import InputError
from fns_lab.measure.bench import ROWS_KEYS, bench, random_feeds
from tests import small_network as small

TARGET = "ort/cpu"
RUNS = 5


@pytest.fixture(scope="module")
def timings():
    models = {"rewritten": small.rewritten("y"), "regular": small.regular()}
    return bench(models, [TARGET], small.feeds(), runs=RUNS, warmup=2)


def test_every_run_is_kept_and_the_median_is_theirs(timings):
    for _, row in timings.table.iterrows():
        runs = timings.every_run[(timings.every_run.model == row.model) & (timings.every_run.target == row.target)]
        assert len(runs) == row.runs + row.warmup
        assert runs.ms[runs.counted].median() == row.ms_median
        assert list(runs.run) == list(range(1, len(runs) + 1))
        assert runs.ms.iloc[0] == row.ms_first


def test_methods_name_engine_runs_and_shapes(timings):
    text = timings.methods()
    assert all(engine in text for engine in timings.table.engine)
    assert f"{timings.table.runs.iloc[0]} counted runs" in text
    assert all("x".join(map(str, shape)) in text for shape in timings.shapes.values())


def test_one_row_per_model_and_target(timings):
    assert timings
    assert list(timings.table["model"]) == ["rewritten", "regular"]
    for _, row in timings.table.iterrows():
        assert 0 < row["ms_p10"] <= row["ms_median"] <= row["ms_p90"]
        assert row["ms_create"] > 0
        assert row["ms_first"] > 0
        assert (row["runs"], row["warmup"], row["target"]) == (RUNS, 2, TARGET)
        assert row["engine"].startswith("ort 1.")
    first, second = timings.table["ms_median"]
    assert list(timings.table["ratio"]) == pytest.approx([1, second / first])


def test_the_outputs_are_those_of_the_models(timings):
    expected = small.run(small.regular(), small.feeds())["output"]
    assert np.array_equal(timings.outputs["regular", TARGET]["output"], expected)
    assert np.allclose(timings.outputs["rewritten", TARGET]["y"], expected, atol=1e-4)


def test_json_is_strict_and_has_the_agreed_keys(timings):
    loaded = json.loads(json.dumps(timings.to_json(), allow_nan=False))
    assert all(set(ROWS_KEYS) <= set(row) for row in loaded["rows"])
    assert loaded["inputs"] == {"input": [small.N, small.C, small.H, small.W]}
    assert "cores" in loaded["device"]


def test_one_line_says_how_much_faster(timings):
    text = str(timings)
    assert text.startswith("ort/cpu: rewritten ")
    assert "times as fast" in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("ms_p10", "said"), [(1.5, "2.00 times as fast, within the spread)"), (1.7, "2.00 times as fast)")]
)
def test_a_ratio_within_the_spread_is_said_to_be_one(timings, ms_p10, said):
    """The first model takes 2 ms, never less than `ms_p10`; the second 1 ms, never more than 1.6."""
    first, second = {"ms_median": 2.0, "ms_p10": ms_p10, "ms_p90": 3.0, "ratio": 1.0}, {"ms_median": 1.0, "ratio": 0.5}
    rows = [
        timings.table.iloc[i].to_dict() | row for i, row in enumerate((first, second | {"ms_p10": 0.5, "ms_p90": 1.6}))
    ]
    assert said in str(replace(timings, table=pd.DataFrame(rows)))


def test_a_model_that_an_engine_refuses_has_a_fault_and_the_others_have_times():
    broken = small.regular()
    broken.graph.node[1].op_type = "NoSuchOp"
    timings = bench({"broken": broken, "regular": small.regular()}, [TARGET], small.feeds(), runs=2, warmup=1)
    assert not timings
    rows = timings.table.set_index("model")
    assert "NoSuchOp" in rows.loc["broken", "fault"]
    assert np.isnan(rows.loc["broken", "ms_median"])
    assert rows.loc["broken", "runs"] == 0
    assert rows.loc["regular", "ms_median"] > 0
    assert "broken failed" in str(timings)
    assert json.loads(json.dumps(timings.to_json(), allow_nan=False))["rows"][0]["ms_median"] is None


def test_inputs_of_other_names_are_fed_by_position():
    timings = bench({"regular": small.regular()}, [TARGET], {"x": small.feeds()["input"]}, runs=1, warmup=1)
    assert timings


@pytest.mark.parametrize(
    ("feeds", "message"),
    [
        (
            {"input": np.zeros((2, 3, 8, 10), np.float32)},
            r"regular: input 'input' takes shape \(2, 3, 7, 10\), not \(2, 3, 8, 10\)",
        ),
        ({"input": np.zeros((2, 3, 7, 10), np.float32), "more": np.zeros(1)}, "regular: the model has 1 input"),
    ],
)
def test_feeds_that_do_not_fit(feeds, message):
    with pytest.raises(InputError, match=message):
        bench({"regular": small.regular()}, [TARGET], feeds, runs=1, warmup=1)


@pytest.mark.parametrize(
    "wrong", [{"models": {}}, {"targets": []}, {"runs": 0}, {"warmup": 0}, {"targets": ["onnxjs-0.1.8/wsam"]}]
)
def test_nothing_to_time(wrong):
    asked = {"models": {"regular": small.regular()}, "targets": [TARGET], "runs": 1, "warmup": 1} | wrong
    with pytest.raises(InputError):
        bench(asked.pop("models"), asked.pop("targets"), small.feeds(), **asked)


def test_random_feeds_are_seeded_and_like_a_photograph():
    model = small.regular(n="N", h="H", w=12)
    x = random_feeds(model, seed=7, size_px=20)["input"]
    assert (x.shape, x.dtype) == ((1, 3, 20, 12), np.float32)
    assert (x.min(), x.max()) == (0, 255)
    assert np.array_equal(x, random_feeds(model, seed=7, size_px=20)["input"])
    assert not np.array_equal(x, random_feeds(model, seed=8, size_px=20)["input"])
    assert np.abs(np.diff(x, axis=3)).mean() < x.std()
