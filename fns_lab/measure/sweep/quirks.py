"""A reduced fault written as a `[[quirk]]` of a target's TOML."""

from __future__ import annotations

import json
from collections.abc import Collection, Hashable, Iterable, Sequence
from typing import Any

from fns_lab.measure.sweep.axes import LEFT_OUT, type_name
from fns_lab.measure.sweep.reduce import Fault
from fns_lab.measure.sweep.samples import axes_of, value_text
from fns_lab.opset.domain import onnx_opset
from fns_lab.opset.inference import infer_anew
from fns_lab.opset.reading import read_graph
from fns_lab.targets import Quirk, Target
from fns_lab.targets.quirk_kinds import touches

Fields = dict[str, object]
"""Fields of a quirk."""
UNKNOWN = "broken-op"
"""The kind that stands where no kind expresses the condition; the comment above it says what the condition is."""
COMBINED = "all-of"
"""The kind of a quirk whose condition is about several axes."""
WIDTH = 110
"""Characters of a line of TOML."""
NUMBERS = frozenset({"channels", "filters", "rows", "columns", "hidden"})
"""Axes whose values engines often treat alike if the same number divides them."""


def grouped(faults: Iterable[Fault]) -> list[list[Fault]]:
    """Return the faults in groups that one quirk can describe: other ops, the same condition and result."""
    groups: dict[object, list[Fault]] = {}
    for fault in faults:
        key = (fault.variant, fault.result, tuple(sorted((axis, values) for axis, values in fault.condition.items())))
        groups.setdefault(repr(key), []).append(fault)
    return list(groups.values())


def quirk_toml(faults: Sequence[Fault], target: Target, doubt: str = "") -> str:
    """Return the quirk of a group of faults, with comments that say what was seen and what no kind can express."""
    first = faults[0]
    kind, fields, unsaid = _kind(first)
    what = condition_text(first)
    lines = []
    for fault in faults:
        lines.append(f"# {fault.variant}, {fault.result}: {_counted(fault)}. Smallest: {_described(fault)}")
        if fault.cause:
            lines.append(f"# Only when lowered; the fault is {fault.cause}")
    if doubt:
        lines.append(f"# {doubt}")
    if unsaid:
        lines.append(f"# Too wide: no kind of quirk says {condition_text(first, unsaid)}")
    ops = ", ".join(json.dumps(fault.op) for fault in faults)
    lines += [
        "[[quirk]]",
        f"name = {json.dumps('-'.join([first.op.lower(), *sorted(_word(axis) for axis in first.condition)]))}",
        f'kind = "{kind}"',
        *(f"{name} = {_toml(value)}" for name, value in fields.items()),
        f"ops = [{ops}]",
        f'backends = ["{target.backend}"]',
        f"source = {json.dumps(_source(target))}",
        f"summary = {json.dumps(_summary(first, what))}",
    ]
    return "\n".join(lines)


def condition_text(fault: Fault, only: Collection[str] | None = None) -> str:
    """Return the condition as people write it, such as `channels 6 or 9 or 129 (divisible by 3)`.

    `only`: the axes of it that are told, all unless given.
    """
    axes = axes_of(fault.op)
    told = [axis for axis in fault.condition if only is None or axis in only]
    return ", ".join(_axis_text(axis, fault.condition[axis], axes[axis]) for axis in told)


def _axis_text(axis: str, values: Sequence[Hashable], every: Sequence[Hashable]) -> str:
    others = [value for value in every if value not in values]
    name = axis.removeprefix("attribute ")
    if len(others) <= 2 < len(values):
        return f"{name} other than {' and '.join(map(value_text, others))}"
    rule = _divisor(values, others) if axis in NUMBERS else ""
    return f"{name} {' or '.join(map(value_text, values))}{rule}"


def _divisor(values: Sequence[Hashable], others: Sequence[Hashable]) -> str:
    """Return what whole numbers have in common that no other value of their axis has, in brackets."""
    numbers = [value for value in values if isinstance(value, int)]
    if len(numbers) < max(2, len(values)):
        return ""
    rest = [value for value in others if isinstance(value, int)]
    for divisor in range(2, 17):
        if all(n % divisor == 0 for n in numbers) and len([n for n in rest if n % divisor == 0]) <= 2 < len(rest):
            but = [str(n) for n in rest if n % divisor == 0]
            return f" (divisible by {divisor}{', but not ' + ' and '.join(but) if but else ''})"
        if all(n % divisor for n in numbers) and not [n for n in rest if n % divisor]:
            return f" (not divisible by {divisor})"
    if min(numbers) > max(rest, default=0):
        return f" (from {min(numbers)} up)"
    return ""


def _brief(message: str) -> str:
    """Return the part of an engine's message that tells most."""
    return " ".join(message.split()).rpartition("Status Message: ")[2][:WIDTH]


def _word(axis: str) -> str:
    return axis.removeprefix("attribute ").replace("_", "-").replace(" ", "-").lower()


def _counted(fault: Fault) -> str:
    right = f", {fault.right} right nevertheless" if fault.right else ""
    return f"{fault.broken} drawn cases broken{right}"


def _described(fault: Fault) -> str:
    shapes = ", ".join(f"{name} {array.dtype}{list(array.shape)}" for name, array in fault.sample.case.feeds.items())
    return f"{fault.sample.case.name} (fed {shapes}): {_brief(fault.message)}"


def _source(target: Target) -> str:
    return f"seen in {target.version} by a sweep" if target.version else "seen by a sweep"


def _summary(fault: Fault, what: str) -> str:
    does = "gives wrong results" if fault.result == "wrong" else f"fails: {_brief(fault.message)}"
    return f"{fault.op}{' with ' + what if what else ''} {does}"


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)


def _kind(fault: Fault) -> tuple[str, Fields, tuple[str, ...]]:
    """Return the kind of quirk that says the condition, its fields, and the axes that it leaves out.

    It is `UNKNOWN` if no kind says any axis. Each kind was seen to match the smallest sample.
    """
    axes, parts, unsaid = axes_of(fault.op), [], []
    for axis, values in fault.condition.items():
        found = _kind_of_axis(axis, values, [value for value in axes[axis] if value not in values])
        if found and _matches_sample(fault, *found):
            parts.append(found)
        else:
            unsaid.append(axis)
    if len(parts) > 1:
        return COMBINED, {"of": [{"kind": kind, **fields} for kind, fields in parts]}, tuple(unsaid)
    kind, fields = parts[0] if parts else (UNKNOWN, {})
    return kind, fields, tuple(unsaid)


def _matches_sample(fault: Fault, kind: str, fields: Fields) -> bool:
    """Return whether a quirk of this kind is about the node of the smallest sample."""
    given: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
    quirk = Quirk("", kind, "", "", (), (fault.op,), **given)
    model = read_graph(fault.sample.case.model)
    infer_anew(model)
    return touches(model.graph.node(0), quirk, onnx_opset(model))


def _kind_of_axis(axis: str, values: Sequence[Hashable], others: Sequence[Hashable]) -> tuple[str, Fields] | None:
    if axis.startswith("attribute ") and LEFT_OUT not in values:
        return "attribute", {"attributes": {axis.removeprefix("attribute "): list(values)}}
    if axis == "opset" and min(map(_int, values)) > max(map(_int, others), default=0):
        return "broken-since", {"opset": min(map(_int, values))}
    if axis == "rank":
        return "rank", {"ranks": sorted(map(_int, others))}
    if axis == "type":
        return "operand-types", {"types": [type_name(str(value)) for value in others]}
    return _SIMPLE.get((axis, frozenset(values) & _TELLING.get(axis, frozenset())))


def _int(value: Hashable) -> int:
    return int(str(value))


_TELLING = {
    "padding": frozenset({"SAME_UPPER", "SAME_LOWER", "none", "both"}),
    "group": frozenset({LEFT_OUT, 1, 2, "each"}),
    "dilations": frozenset({LEFT_OUT, (1, 1), (2, 2)}),
    "batch": frozenset({0, 1, 2}),
    "constants": frozenset({"rest", "none"}),
    "outputs": frozenset({1, 2}),
}
"""By axis, the values whose presence decides what kind of quirk it is."""
_SIMPLE: dict[tuple[str, frozenset[Hashable]], tuple[str, Fields]] = {
    ("padding", frozenset({"SAME_UPPER", "SAME_LOWER"})): ("auto-pad", {}),
    ("padding", frozenset({"SAME_LOWER"})): ("attribute", {"attributes": {"auto_pad": ["SAME_LOWER"]}}),
    ("padding", frozenset({"SAME_UPPER"})): ("attribute", {"attributes": {"auto_pad": ["SAME_UPPER"]}}),
    ("group", frozenset({2, "each"})): ("grouped", {}),
    ("group", frozenset({2})): ("grouped-wide", {}),
    ("dilations", frozenset({(2, 2)})): ("dilated", {}),
    ("batch", frozenset({2, 0})): ("batch", {}),
    ("batch", frozenset({2})): ("batch", {}),
    ("batch", frozenset({0})): ("empty-value", {}),
    ("constants", frozenset({"none"})): ("computed-input", {}),
    ("outputs", frozenset({2})): ("extra-outputs", {}),
}
