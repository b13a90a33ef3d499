"""Rows that cover every pair of values."""

import itertools

from fns_lab.measure.sweep.pairwise import ATTEMPTS, Pairwise, Row

AXES = {"a": (0, 1, 2), "b": ("x", "y"), "c": (None, 1, 2, 3), "d": (True, False)}


def drawn(seed: int) -> list[Row]:
    rows, pairwise = [], Pairwise(AXES, seed)
    while not pairwise.done:
        rows.append(pairwise.draw())
        pairwise.keep(rows[-1])
    return rows


def test_every_pair_of_values_is_in_far_fewer_rows_than_the_product() -> None:
    rows = drawn(0)
    for first, second in itertools.combinations(AXES, 2):
        pairs = {(row[first], row[second]) for row in rows}
        assert pairs == set(itertools.product(AXES[first], AXES[second]))
    assert len(rows) < 20 < 3 * 2 * 4 * 2


def test_a_seed_draws_the_same_rows_and_another_seed_others() -> None:
    assert drawn(1) == drawn(1) != drawn(2)


def test_a_pair_that_is_always_void_is_given_up() -> None:
    pairwise, rows = Pairwise(AXES, 0), 0
    while not pairwise.done:
        row = pairwise.draw()
        (pairwise.drop if row["a"] == 0 and row["b"] == "x" else pairwise.keep)(row)
        rows += 1
    assert rows < 20 + 10 * ATTEMPTS


def test_rows_go_on_after_all_pairs_are_covered() -> None:
    pairwise = Pairwise({"a": (0, 1), "b": (0, 1)}, 0)
    for _ in range(10):
        pairwise.keep(pairwise.draw())
    assert pairwise.done and set(pairwise.draw()) == {"a", "b"}


def test_every_second_row_has_usual_values() -> None:
    pairwise = Pairwise(AXES, 0, {"a": (1, 2), "c": (None,)})
    rows = []
    for _ in range(40):
        rows.append(pairwise.draw())
        pairwise.keep(rows[-1])
    assert all(row["a"] in (1, 2) and row["c"] is None for row in rows[1::2])
    assert any(row["a"] == 0 for row in rows[::2]) and pairwise.done
