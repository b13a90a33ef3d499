"""Five hundred bad files, in this process; `python -m benchmarks robustness` tries thousands in one of its own."""

from __future__ import annotations

import pytest

from benchmarks import kept
from benchmarks.robustness import GOOD, KINDS, kind_of, run, run_case

CASES = 500


@pytest.mark.parametrize("kind", KINDS)
def test_a_bad_file_is_taken_or_refused_in_one_line(kind):
    seeds = [seed for seed in range(CASES) if kind_of(seed) == kind]
    assert seeds
    ends = {seed: run_case(seed) for seed in seeds}
    assert {seed: text for seed, (end, text) in ends.items() if end not in GOOD} == {}


@pytest.mark.parametrize("seed", [2460, 2595, 4289, 4706, 6044, 6516, 8449, 66415])
def test_files_that_once_ended_in_a_fault_are_taken_or_refused(seed):
    """A key without a name, an op's name no text or empty, a Slice of 2^39 sizes; no shape, an old op, no outputs."""
    assert run_case(seed)[0] in GOOD


def test_a_run_is_kept_and_goes_on(tmp_path):
    path = tmp_path / "kept.jsonl"
    first = run(3, 100, path)
    assert sum(row["cases"] for row in first["rows"]) == 3
    before = path.read_text()
    assert run(3, 100, path) == first
    assert path.read_text() == before


def test_a_run_tries_its_faults_and_what_was_cut_off_again(tmp_path):
    path = tmp_path / "kept.jsonl"
    kept.add(path, {"100": ("refused", "not again"), "101": ("fault", "again")})
    path.write_text(path.read_text() + '\n{"102": ["refu')
    result = run(3, 100, path)
    assert [row["faults"] for row in result["rows"]] == [{}] * len(KINDS)
    assert kept.read(path)["100"] == ["refused", "not again"]
    assert {kept.read(path)[seed][0] for seed in ("101", "102")} <= set(GOOD)
