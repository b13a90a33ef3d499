"""The shapes that pairs of ops are measured at."""

from __future__ import annotations

import onnx

from fns_lab.measure.matrix import pairs
from fns_lab.measure.matrix.pairs import DRAWN, drawn_pair_cases, drawn_shape, measure_pairs, pair_cases, pairs_of
from fns_lab.measure.matrix.parts import PARTS


def test_every_op_meets_every_drawn_shape_as_producer_and_as_consumer():
    assert {len(shape) for shape in DRAWN} == {3, 4, 5} and {shape[1] for shape in DRAWN} == {1, 3, 4, 5, 16, 17}
    for part in PARTS:
        assert {drawn_shape((part, other)) for other in PARTS} == set(DRAWN)
        assert {drawn_shape((other, part)) for other in PARTS} == set(DRAWN)


def test_a_pair_is_drawn_at_its_shape_and_named_by_it():
    (pair,) = pairs_of(["Conv"], ["MaxPool"])
    shape = drawn_shape(pair)
    fork = next(case for case in drawn_pair_cases([pair]) if case.name.startswith("fork"))
    assert fork.name == f"fork Conv > MaxPool at {'x'.join(map(str, shape))}"
    assert fork.feeds["x"].shape == shape and shape not in {case.feeds["x"].shape for case in pair_cases([pair])}
    assert len(fork.model.graph.node[1].attribute[0].ints) == len(shape) - 2
    onnx.checker.check_model(fork.model, full_check=True)


def test_pairs_of_a_target_are_measured_at_both(monkeypatch):
    monkeypatch.setattr(pairs, "PARTS", [part for part in PARTS if part.op in ("Relu", "Conv", "LRN")])
    table = measure_pairs(["ort/cpu"], cached=False, drawn=True).table
    at = table.case.str.contains(" at ")
    assert at.any() and not at.all()
    assert {name.count("x") for name in table.case[at].str.rpartition(" at ")[2]} <= {2, 3, 4}
