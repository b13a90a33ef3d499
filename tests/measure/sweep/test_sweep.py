"""Sweeps of real engines whose faults are known: the sweep must find them again, and say when they show."""

import dataclasses
import tomllib
from collections.abc import Sequence

import pytest

from fns_lab import targets
from fns_lab.errors import InputError
from fns_lab.measure.sweep.quirks import condition_text, quirk_toml
from fns_lab.measure.sweep.reduce import Fault
from fns_lab.measure.sweep.run import SweptTarget
from fns_lab.measure.sweep.samples import axes_of, make_sample, value_text
from fns_lab.measure.sweep.sweep import FUTILE, Sweep, sweep
from fns_lab.targets import Quirk, Target, check

CPU = targets.load("ort/cpu")


def forgetful(name: str) -> Target:
    """Return a target that has forgotten its quirks."""
    return dataclasses.replace(targets.load(name), quirks=())


def swept(target: Target, op: str, cases: int) -> Sweep:
    """Return a sweep of one op."""
    return sweep([target], ops=[op], cases=cases, cached=False, progress=False)


def fault(op: str, **condition: object) -> Fault:
    """Return a fault of `op` with this condition."""
    row = {axis: values[0] for axis, values in axes_of(op).items()}
    row |= {axis: values[0] for axis, values in condition.items()}
    sample = make_sample(op, row, 0)
    return Fault(op, "native", "wrong", condition, sample, "y0: max_abs 9 is beyond 1", broken=3)


def test_a_known_fault_is_found_reduced_and_written_as_its_quirk() -> None:
    measured = swept(forgetful("tract/cpu"), "Softplus", 20)
    assert not measured and set(measured.broken.result) == {"wrong"}
    ((_, (found,)),) = measured.faults
    assert found.condition == {"values": ("far", "large")}  # infinite from 89 on
    assert found.sample.case.name == "Softplus values=far"
    (quirk,) = tomllib.loads(measured.quirks())["quirk"]
    assert quirk["ops"] == ["Softplus"] and quirk["source"] == "seen in 0.23.9 by a sweep"
    assert len(measured.to_json()["faults"]) == 1


def test_faults_are_reported_by_op_and_an_interruption_keeps_them() -> None:
    def report(target: Target, faults: Sequence[Fault]) -> None:
        reported.append((target.name, faults[0].op))
        raise KeyboardInterrupt

    reported: list[tuple[str, str]] = []
    target = forgetful("tract/cpu")
    measured = sweep([target], ops=["Softplus", "Relu"], cases=24, cached=False, progress=False, report=report)
    assert measured.interrupted and reported == [("tract/cpu", "Softplus")]
    assert "softplus" in measured.quirks() and set(measured.table.op) == {"Softplus"}
    assert str(measured).startswith("tract/cpu, native: ")
    assert not measured.shared_quirks()


def test_an_engine_without_faults_keeps_every_promise() -> None:
    measured = swept(targets.load("ort/cpu"), "Add", 6)
    assert measured and not measured.quirks()
    assert set(measured.table.variant) == {"native", "lowered"}
    assert str(measured).startswith("ort/cpu, native: 6 of 6 cases right, 0 refused")


def test_a_node_that_onnx_runtime_has_no_code_for_is_expected_from_the_reference() -> None:
    row = {axis: values[0] for axis, values in axes_of("OneHot").items()} | {"type": "float32"}
    sample = make_sample("OneHot", row, 0)
    assert sample and sample.by_reference and not make_sample("OneHot", row | {"type": "int64"}, 0).by_reference
    native, _ = SweptTarget(forgetful("ort/cpu"), cached=False).measure(sample)
    assert native.broken and native.result == "error" and "NOT_IMPLEMENTED" in native.message


def test_only_an_op_that_the_table_does_not_have_is_left_early() -> None:
    """An engine may take an op in a few of the ways in which it is drawn, here in none at all."""
    for ops, cases in (({"Relu": ("14+",)}, 12), ({}, FUTILE)):
        target = dataclasses.replace(targets.load("ort/cpu"), ops=ops, op_types={"Relu": ()})
        table = swept(target, "Relu", 12).table
        assert not table.supported.any() and len(table) == 2 * cases


def test_an_op_that_no_family_draws_is_an_input_error() -> None:
    with pytest.raises(InputError, match="Nothing is drawn by no family"):
        swept(targets.load("ort/cpu"), "Nothing", 1)


def test_a_condition_that_a_kind_expresses_becomes_a_quirk_of_that_kind() -> None:
    target = targets.load("opencv/cpu")
    for condition, kind, fields in (
        ({}, "broken-op", {}),
        ({"padding": ("SAME_LOWER",)}, "attribute", {"attributes": {"auto_pad": ["SAME_LOWER"]}}),
        ({"padding": ("SAME_UPPER", "SAME_LOWER")}, "auto-pad", {}),
        ({"dilations": ((2, 2), (1, 2), (3, 1))}, "dilated", {}),
        ({"attribute ceil_mode": (1,)}, "attribute", {"attributes": {"ceil_mode": [1]}}),
        ({"rank": (3, 5)}, "rank", {"ranks": [4]}),
    ):
        (quirk,) = tomllib.loads(quirk_toml([fault("MaxPool", **condition)], target))["quirk"]
        assert quirk["kind"] == kind and fields.items() <= quirk.items()
        assert quirk["backends"] == ["cpu"] and quirk["source"] == "seen in 5.0.0.93 by a sweep"


@pytest.mark.parametrize(
    ("op", "condition", "kinds"),
    [
        (
            "Conv",
            {"padding": ("SAME_UPPER", "SAME_LOWER"), "group": (2, "each", "each twice", 4)},
            {"auto-pad", "grouped"},
        ),
        ("MaxPool", {"attribute ceil_mode": (1,), "rank": (3, 5)}, {"attribute", "rank"}),
        ("Conv", {"rank": (3,), "channels": (6, 9, 129)}, {"rank"}),
        ("Conv", {"channels": (6, 9, 129), "filters": (4, 12)}, {"broken-op"}),
        ("Add", {"type": ("float16",), "opset": (14, 13)}, {"operand-types", "broken-since"}),
    ],
)
def test_a_printed_quirk_can_be_pasted_and_then_refuses_the_reduced_case(op, condition, kinds) -> None:
    smallest = {axis: values[0] for axis, values in axes_of(op).items()} | {
        axis: values[0] for axis, values in condition.items()
    }
    if smallest.get("group") == 2:
        smallest |= {"channels": 4, "filters": 4}
    sample = make_sample(op, smallest, 0)
    assert sample
    text = quirk_toml([Fault(op, "native", "wrong", condition, sample, "y0: max_abs 9 is beyond 1")], CPU)
    (table,) = tomllib.loads(text)["quirk"]
    quirk = Quirk(**{key: tuple(value) if isinstance(value, list) else value for key, value in table.items()})
    assert (quirk.kinds - {"all-of"}) == kinds
    clean = dataclasses.replace(CPU, quirks=())
    assert check(sample.case.model, clean)
    assert not check(sample.case.model, dataclasses.replace(clean, quirks=(quirk,)))
    if len(kinds) < len(condition):
        assert f"no kind of quirk says channels {value_text(6)}" in text


def test_a_condition_that_no_kind_expresses_stands_in_a_comment() -> None:
    odd = fault("Conv", channels=(6, 9, 129), filters=(4, 12))
    text = quirk_toml([odd], targets.load("ort-web/webgpu"))
    assert "# Too wide: no kind of quirk says channels 6 or 9 or 129" in text
    assert condition_text(odd) == "channels 6 or 9 or 129 (divisible by 3, but not 3 and 12), filters 4 or 12"
