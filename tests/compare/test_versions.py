"""The search among versions: what it runs, and what it says."""

from __future__ import annotations

import pytest

from fns_lab.compare.versions import VersionSearch, search

VERSIONS = [f"1.{minor}.0" for minor in range(16)]


@pytest.mark.parametrize("first", range(1, 16))
def test_the_first_version_that_differs_is_found_in_few_runs(first):
    tried = search(VERSIONS, lambda version: "wrong" if VERSIONS.index(version) >= first else "")
    result = VersionSearch("ort/cpu", VERSIONS, tried)
    assert not result
    assert (result.agrees, result.differs) == (VERSIONS[first - 1], VERSIONS[first])
    assert len(tried) <= 6


def test_a_newest_version_that_agrees_ends_the_search():
    result = VersionSearch("ort/cpu", VERSIONS, search(VERSIONS, lambda version: ""))
    assert result
    assert str(result) == "ort/cpu: 1.15.0 agrees with 1.0.0; 2 of 16 versions run"
    assert result.to_json() == {
        "target": "ort/cpu",
        "equal": True,
        "versions": VERSIONS,
        "agrees": "1.15.0",
        "differs": None,
        "tried": {"1.0.0": "", "1.15.0": ""},
        "failing_op": None,
        "comparison": None,
    }


def test_of_several_changes_one_is_found():
    wrong = {3, 4, 9, 15}
    tried = search(VERSIONS, lambda version: "wrong" if VERSIONS.index(version) in wrong else "")
    result = VersionSearch("ort/cpu", VERSIONS, tried)
    assert result.differs is not None
    assert VERSIONS.index(result.differs) in wrong
    assert VERSIONS.index(result.agrees) not in wrong
