from __future__ import annotations

import pytest

from fns_lab.compare import VALUES_FLOAT32, Experiment, ModelRun, bisect, localize
from fns_lab.errors import InputError
from fns_lab.runtimes import run_in
from fns_lab.teaching.faulty_models import FAULTS, exercise_set
from tests import small_network as small

ORT = run_in("ort/cpu")


@pytest.mark.parametrize("seed", range(3))
def test_localize_and_bisect_find_the_fault_of_every_faulty_model(fns_model, photo, seed):
    feeds = {"input": photo}
    regular = ModelRun(fns_model, feeds, ORT)
    faults = set()
    for faulty_model in exercise_set(fns_model, seed=seed).values():
        experiment = Experiment(regular, ModelRun(faulty_model.model, feeds, ORT), VALUES_FLOAT32)
        for comparison in (localize(experiment, experiment.compare()), bisect(experiment)):
            answer = faulty_model.check_answer(comparison.findings[0].value)
            assert answer.startswith("right: "), comparison
        faults.add(answer.split(" has ")[1])
    assert faults == {text for _, text, _ in FAULTS}


def test_nothing_is_given_away(fns_model):
    (faulty_model, *_), again = exercise_set(fns_model, seed=1).values(), exercise_set(fns_model, seed=1)
    value = faulty_model._value
    assert value not in repr(faulty_model)
    assert faulty_model.check_answer("") == "not answered yet"
    assert value not in faulty_model.check_answer("output")
    assert faulty_model.check_answer(value).startswith("right")
    assert again["faulty model 1"] == faulty_model, "a seed gives the same exercise set"
    assert any(
        other._value != value for seed in range(5) for other in [exercise_set(fns_model, seed=seed)["faulty model 1"]]
    )


def test_a_model_without_a_place_for_a_fault_is_refused():
    with pytest.raises(InputError, match="has no Pad"):
        exercise_set(small.regular(), seed=0)
