"""A test sees the same random numbers whether it runs alone or in the suite, and in any order."""

from __future__ import annotations

import ast
import re

import numpy as np
import pytest
import torch

from fns_lab.paths import ROOT
from tests.seeds import generator, seed_of

FILES = sorted((ROOT / "tests").rglob("*.py"))
DRAWN_ON_IMPORT = generator().normal(size=3)


@pytest.fixture(scope="module", params=["first", "second"])
def drawn_by_fixture(request):
    return request.param_index, generator().normal(size=3)


def first_numbers(name):
    return np.random.default_rng(seed_of(name)).normal(size=3)


def module_level_names(path, function):
    """Names in `path` that are assigned the result of `function(...)` outside of any function or class."""
    for statement in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call):
            called = statement.value.func
            if getattr(called, "attr", getattr(called, "id", None)) == function:
                yield f"{path.name}: {ast.unparse(statement.targets[0])}"


def test_a_file_draws_from_its_own_seed():
    assert np.array_equal(DRAWN_ON_IMPORT, first_numbers("tests/test_seeds.py"))


@pytest.mark.parametrize("time", ["first", "second"])
def test_a_test_draws_from_its_own_seed(request, time):
    assert f"[{time}]" in request.node.nodeid
    assert np.array_equal(generator().normal(size=3), first_numbers(request.node.nodeid))


def test_a_shared_fixture_draws_from_its_own_seed_and_leaves_that_of_the_test(request, drawn_by_fixture):
    index, drawn = drawn_by_fixture
    assert np.array_equal(drawn, first_numbers(f"tests/test_seeds.py::drawn_by_fixture[{index}]"))
    assert np.array_equal(generator().normal(size=3), first_numbers(request.node.nodeid))


@pytest.mark.parametrize("time", ["first", "second"])
def test_torch_draws_from_the_seed_of_the_test(request, time):
    expected = torch.rand(3, generator=torch.Generator().manual_seed(seed_of(request.node.nodeid)))
    assert torch.equal(torch.rand(3), expected)


def test_no_file_keeps_a_generator_that_its_tests_would_share():
    kept = [name for path in FILES if path.name != "seeds.py" for name in module_level_names(path, "default_rng")]
    assert not kept


def test_no_test_file_imports_another_and_with_it_what_that_one_draws():
    importing = re.compile(r"^\s*(?:from|import) tests\.(?:\w+\.)*test_\w+", re.MULTILINE)
    assert not [path.name for path in FILES if importing.search(path.read_text(encoding="utf-8"))]
