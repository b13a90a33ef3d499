from __future__ import annotations

import json

import pytest

from benchmarks import (
    architectures,
    bad_files,
    comparing,
    isolation,
    lowering,
    lowering_cost,
    many_nodes,
    preview,
    random_cases,
    runs,
    sweep,
    training,
    tuning,
)
from fns_lab.measure.bench import ROWS_KEYS

TARGET = "ort/cpu"


def test_lowering_times_both_models_and_checks_their_images(checkpoint):
    result = lowering.run(checkpoint, (32, 48), [TARGET], runs=2)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert result["inputs"] == {"input": [1, 3, 32, 48]}
    base, lowered = result["rows"]
    assert (base["model"], lowered["model"]) == ("base ops", "lowered")
    assert base["nodes"] > lowered["nodes"]
    for row in result["rows"]:
        assert set(ROWS_KEYS) <= set(row)
        assert row["ms_median"] > 0
        assert row["max_abs"] < 0.05
        assert row["right"] is True
    assert len(lowering.table(result)) == 2


def test_the_cost_of_lowering_is_seconds_and_memory():
    result = lowering_cost.run([(20, 30.0)])
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    (row,) = result["rows"]
    assert row["right"] is True
    assert 19 < row["mb"] < 21
    assert 0 < row["seconds"] < 30
    assert row["grown_mb"] > 0
    assert len(lowering_cost.table(result)) == 1


def test_isolation_times_both_and_compares_their_outputs():
    result = isolation.run(["tract/cpu"], (1, 2, 32, 32), runs=3)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert [row["model"] for row in result["rows"]] == ["Relu", "Conv 3x3"]
    for row in result["rows"]:
        assert row["right"] is True
        assert row["here_ms"] > 0
        assert row["own_process_ms"] > 0
        assert row["within"] == (row["ratio"] <= isolation.BOUND)


def test_chains_of_nodes_are_compared_and_lowered():
    result = many_nodes.run([60], [6])
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert [(row["what"], row["nodes"], row["right"]) for row in result["rows"]] == [
        ("compare", 60, True),
        ("lower", 6, True),
    ]
    assert len(many_nodes.table(result)) == 2


def test_random_models_of_every_rule_are_within_their_limits():
    result = random_cases.run(1)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert all(row["right"] for row in result["rows"])
    assert all(row["cases"] >= 1 for row in result["rows"])
    assert len(random_cases.table(result)) == len(random_cases.GENERATORS)


def test_a_sweep_counts_the_cases_of_each_variant():
    result = sweep.run([TARGET], 4, seed=0, ops=["Add"])
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert [(row["variant"], row["passed"], row["right"]) for row in result["rows"]] == [
        ("native", 4, True),
        ("lowered", 4, True),
    ]
    assert len(sweep.table(result)) == 2


def test_networks_are_exported_lowered_and_run(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "KEPT", tmp_path / "runs.json")
    result = architectures.run(["GRU", "MultiheadAttention"], [TARGET])
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert [(row["model"], row["right"], row["stopped_by"]) for row in result["rows"]] == [
        ("GRU", True, ""),
        ("MultiheadAttention", True, ""),
    ]
    assert len(architectures.table(result)) == 2
    architectures.write(tmp_path / "page.md", result)
    text = (tmp_path / "page.md").read_text()
    assert "| `ort/cpu` | 2 | 0 | 0 | 0 |" in text
    assert "stops" not in text


def test_tuning_times_all_three_models_and_checks_their_images(checkpoint):
    result = tuning.run(checkpoint, (32, 48), [TARGET], runs=2)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert [row["model"] for row in result["rows"]] == ["base ops", "lowered", "tuned"]
    assert all(row["right"] is True for row in result["rows"])
    assert len(tuning.table(result)) == 3


@pytest.mark.slow
def test_training_takes_the_steps_of_every_contender():
    result = training.run(widths=(2,), image_size=32, batch_size=1, runs=1)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert [row["contender"] for row in result["rows"]] == ["upstream", "float32", "as shipped"]
    assert all(row["images_per_s"] > 0 for row in result["rows"])
    assert result["rows"][0]["ratio"] == 1
    assert len(training.table(result)) == 3


@pytest.mark.slow
def test_comparing_every_value_and_bisecting_are_timed_against_plain_runs(checkpoint):
    cases = [(TARGET, (32, 48), how, 1e3, 3.0) for how in ("every value", "bisecting")]
    result = comparing.run(cases, checkpoint)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    every, halved = result["rows"]
    assert every["right"] is halved["right"] is True
    assert every["values"] == 60 > halved["values"] > 1
    assert all(0 < row["plain_gib"] < 3 and row["ratio"] > 0 for row in result["rows"])
    assert len(comparing.table(result)) == 2


@pytest.mark.slow
def test_bad_files_are_read_by_each_program():
    result = bad_files.run(3, 1)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert [(row["program"], row["files"], row["cases"]) for row in result["rows"]] == [
        ("fns-lab", "models", 2),
        ("onnxruntime", "models", 2),
        ("netron", "models", 2),
        ("fns-lab", "checkpoints", 1),
        ("torch", "checkpoints", 1),
    ]
    assert all(row["right"] and not row["hang"] for row in result["rows"]), result
    assert len(bad_files.table(result)) == 5


@pytest.mark.slow
@pytest.mark.browser
def test_the_preview_is_timed_in_the_kernel_and_in_the_browser(checkpoint):
    result = preview.run(checkpoint, (32, 48), 1)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert [row["place"] for row in result["rows"]] == list(preview.PLACES)
    assert all(row["ms_median"] > -row["engine_ms"] for row in result["rows"])
    assert len(preview.table(result)) == 2
