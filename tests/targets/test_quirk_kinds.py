"""Every kind of quirk is used, documented by an example that is valid, and matches the nodes that it says."""

import tomllib

import pytest

from fns_lab import targets
from fns_lab.targets import Quirk, docs
from fns_lab.targets.quirk_kinds import QUIRK_KINDS, SOLVED_WITHOUT_RULES
from fns_lab.targets.target import FOLDER

SHIPPED = [
    quirk
    for path in sorted(FOLDER.glob("*.toml"))
    for quirk in tomllib.loads(path.read_text(encoding="utf-8")).get("quirk", ())
]


def test_the_kinds_of_the_registry_are_those_of_the_files():
    assert {quirk["kind"] for quirk in SHIPPED} == set(QUIRK_KINDS)
    assert set(QUIRK_KINDS) > SOLVED_WITHOUT_RULES


def test_no_two_kinds_share_a_function():
    assert len(set(QUIRK_KINDS.values())) == len(QUIRK_KINDS)


@pytest.mark.parametrize("kind", QUIRK_KINDS)
def test_the_example_of_a_kind_is_a_quirk_of_it_with_the_fields_that_the_files_give(kind):
    (table,) = tomllib.loads(docs.example(kind))["quirk"]
    assert Quirk(**dict.fromkeys(docs.COMMON, "any"), **table).kind == kind
    for quirk in SHIPPED:
        if quirk["kind"] == kind:
            assert set(quirk) - set(docs.COMMON) == set(table), quirk["name"]


@pytest.mark.parametrize("kind", QUIRK_KINDS)
def test_a_kind_names_the_fields_that_it_reads(kind):
    (table,) = tomllib.loads(docs.example(kind))["quirk"]
    prose = QUIRK_KINDS[kind].__doc__.partition("[[quirk]]")[0]
    read = [name for name in table if name not in ("kind", "ops")]
    assert f"Fields: `{read[0]}`" in prose if read else "Fields: none." in prose


def test_the_page_is_the_one_that_is_generated():
    assert docs.PATH.read_text(encoding="utf-8") == docs.page(), "run: python -m fns_lab.targets.docs"


def test_the_page_has_every_target_fault_and_kind():
    text = docs.page()
    for name in targets.names():
        assert f"`{name}`" in text
        assert all(quirk.summary in text for quirk in targets.load(name).quirks)
    assert all(f"\n### {kind}\n" in text for kind in QUIRK_KINDS)
