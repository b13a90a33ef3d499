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
        (node,) = [b for a, b in zip(fns_model.graph.node, faulty_model.graph.node, strict=True) if a != b]
        experiment = Experiment(regular, ModelRun(faulty_model, feeds, ORT), VALUES_FLOAT32)
        for comparison in (localize(experiment, experiment.compare()), bisect(experiment)):
            assert comparison.findings[0].value == node.output[0], comparison
        faults.add(node.op_type)
    assert faults == {op for op, _, _ in FAULTS}


def test_a_seed_gives_the_same_exercise_set_and_another_seed_another(fns_model):
    first, again, other = (exercise_set(fns_model, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert fns_model not in first.values()


def test_a_model_without_a_place_for_a_fault_is_refused():
    with pytest.raises(InputError, match="has no Pad"):
        exercise_set(small.regular(), seed=0)
