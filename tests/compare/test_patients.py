from __future__ import annotations

import pytest

from fns_lab.compare import VALUES_FLOAT32, Side, Trial, bisect, blame
from fns_lab.compare.patients import FAULTS, patients
from fns_lab.errors import InputError
from fns_lab.runtimes import run_in
from tests import small_network as small

ORT = run_in("ort/cpu")


@pytest.mark.parametrize("seed", range(3))
def test_blame_and_bisect_find_what_every_patient_has(fns_model, photo, seed):
    feeds = {"input": photo}
    healthy = Side(fns_model, feeds, ORT)
    found = set()
    for patient in patients(fns_model, seed=seed).values():
        trial = Trial(healthy, Side(patient.model, feeds, ORT), VALUES_FLOAT32)
        for comparison in (blame(trial, trial.compare()), bisect(trial)):
            answer = patient.diagnosed(comparison.findings[0].value)
            assert answer.startswith("right: "), comparison
        found.add(answer.split(" has ")[1])
    assert found == {text for _, text, _ in FAULTS}


def test_nothing_is_given_away(fns_model):
    (patient, *_), again = patients(fns_model, seed=1).values(), patients(fns_model, seed=1)
    value = patient._value
    assert value not in repr(patient)
    assert patient.diagnosed("") == "not answered yet"
    assert value not in patient.diagnosed("output")
    assert patient.diagnosed(value).startswith("right")
    assert again["patient 1"] == patient, "a seed gives the same patients"
    assert any(other._value != value for seed in range(5) for other in [patients(fns_model, seed=seed)["patient 1"]])


def test_a_model_without_a_place_for_a_fault_is_refused():
    with pytest.raises(InputError, match="has no Pad"):
        patients(small.regular(), seed=0)
