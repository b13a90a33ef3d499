from __future__ import annotations

import json

from benchmarks import lowering, tuning
from fns_lab.bench import ROWS_KEYS

TARGET = "ort/cpu"


def test_lowering_times_both_models_and_judges_their_pictures(checkpoint):
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


def test_tuning_times_all_three_models_and_judges_their_pictures(checkpoint):
    result = tuning.run(checkpoint, (32, 48), [TARGET], runs=2)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert [row["model"] for row in result["rows"]] == ["base ops", "lowered", "tuned"]
    assert all(row["right"] is True for row in result["rows"])
    assert len(tuning.table(result)) == 3
