"""Measure which element types each op takes in a target: `python -m fns_lab.measure.op_types ort/cpu`.

Every op of `CASES` runs with every type that ONNX allows it: fed in that type, and if that is not right between two
Casts in a model of float32 inputs and outputs, unless the target's table has a quirk of such a Cast: OpenCV's to uint32
leaves floats as they are, and the op between them is then one of floats. A type counts as taken if every case of the op
is right in one of the two ways. ONNX Runtime is measured at each opset at which an op changed, other engines at the
newest and at the target's own. The lines of the target's TOML file are printed.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from onnx import ModelProto, reference

from fns_lab import targets
from fns_lab.errors import InputError, RuntimeFault
from fns_lab.measure.matrix.variants import loadable
from fns_lab.measure.op_type_cases import CASES, TYPES, OpCase, between_casts, spellings
from fns_lab.models import dtype_of
from fns_lab.runtimes import open_runner
from fns_lab.targets import Target

TIMEOUT_S = 20.0
"""Seconds that an engine may take for one model."""
TOLERANCE: Mapping[str, float] = {"float16": 0.02, "bfloat16": 0.1, "float32": 1e-3, "float64": 1e-3}
"""Largest error by element type, as a part of the largest expected value or of 1; of other types 0."""

Arrays = Mapping[str, np.ndarray]
"""Arrays by name."""
Run = tuple[ModelProto, Arrays, Arrays]
"""A model, its feeds and the expected outputs."""


class TypeResult(NamedTuple):
    """One run. `case` is its place in `CASES`; `way` is `fed` or `cast`; `result` is pass, wrong, or the message."""

    op: str
    case: int
    type: str
    opset: int
    way: str
    result: str


class _Variant(NamedTuple):
    """A case in one type at one opset, in both ways."""

    op: str
    case: int
    type: str
    opset: int
    ways: Mapping[str, Run]


def measure(target: Target, ops: Sequence[str] = ()) -> pd.DataFrame:
    """Run every case in the engine of `target`, or those of some ops, and return one row per run."""
    rows = [
        TypeResult(*variant[:4], way, result)
        for variant in _chosen(target, tuple(ops))
        for way, result in _results(variant, target)
    ]
    return pd.DataFrame(rows, columns=list(TypeResult._fields))


def _chosen(target: Target, ops: tuple[str, ...]) -> Iterator[_Variant]:
    """Yield the variants that the target's table has; one or two per case and type unless it is ONNX Runtime's."""
    for _, group in itertools.groupby(_variants(ops), key=lambda variant: variant[:3]):
        taken = [variant for variant in group if target.takes(variant.op, variant.opset)]
        ends = {v.opset for v in taken[-1:]} | {v.opset for v in [v for v in taken if v.opset <= target.opset][-1:]}
        yield from (variant for variant in taken if target.runtime == "ort" or variant.opset in ends)


@functools.cache
def _variants(ops: tuple[str, ...]) -> tuple[_Variant, ...]:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        chosen = [(place, case) for place, case in enumerate(CASES) if not ops or case.op in ops]
        return tuple(variant for place, case in chosen for variant in _variants_of(place, case))


def _variants_of(place: int, case: OpCase) -> Iterator[_Variant]:
    for type_name in TYPES:
        written = list(spellings(case, type_name))
        if not written:
            continue
        *_, newest, feeds = written[-1]
        expected = {"fed": _expected(newest, feeds), "cast": {}}
        if (casts := between_casts(newest)) is not None:
            expected["cast"] = _expected(casts, _floats(feeds))
        for opset, model, _ in written:
            ways: dict[str, Run] = {"fed": (model, feeds, expected["fed"])}
            if expected["cast"] and (casts := between_casts(model)) is not None:
                ways["cast"] = (casts, _floats(feeds), expected["cast"])
            yield _Variant(case.op, place, type_name, opset, {way: run for way, run in ways.items() if run[2]})


def _floats(feeds: Arrays) -> Arrays:
    return {name: array.astype(np.float32) for name, array in feeds.items()}


def _expected(model: ModelProto, feeds: Arrays) -> Arrays:
    """Return the outputs by onnx's reference, in the types that the model declares; none if it cannot compute them."""
    types = {value.name: dtype_of(value) for value in model.graph.output}
    try:
        values = reference.ReferenceEvaluator(model).run(None, dict(feeds))
    except Exception:  # the reference lacks some types of some ops
        return {}
    return {name: np.asarray(value).astype(types[name]) for name, value in zip(types, values, strict=True)}


def _results(variant: _Variant, target: Target) -> Iterator[tuple[str, str]]:
    for way, run in variant.ways.items():
        if way == "cast" and not _casts(run[0], target):
            continue
        result = _result(*run, target)
        yield way, result
        if result == "pass":
            return


def _casts(model: ModelProto, target: Target) -> bool:
    """Return whether the target's table supports every Cast of a model."""
    table = targets.check(model, target).table
    return bool(table.supported[table.op == "Cast"].all())


def _result(model: ModelProto, feeds: Arrays, expected: Arrays, target: Target) -> str:
    try:
        with open_runner(loadable(model, target), target, timeout_s=TIMEOUT_S) as runner:
            actual = runner.infer(dict(feeds))
    except (RuntimeFault, InputError) as error:
        return str(getattr(error, "message", error)).replace("\n", " ")[:200]
    except Exception as error:  # a type that the way to the engine cannot pass on
        return repr(error)[:200]
    return "pass" if all(_agrees(array, actual[name]) for name, array in expected.items()) else "wrong"


def _agrees(expected: np.ndarray, actual: np.ndarray) -> bool:
    """Return whether an output is right, in whatever type it comes: OpenCV returns float32 for float16."""
    if expected.shape != actual.shape:
        return False
    tolerance = TOLERANCE.get(expected.dtype.name, 0.0)
    if not tolerance:
        return bool((expected == actual).all())
    x, y = expected.astype(np.float64), actual.astype(np.float64)
    finite = np.isfinite(x)
    limit = tolerance * max(1.0, float(np.abs(x[finite]).max(initial=0.0)))
    same = (x == y) | (np.isnan(x) & np.isnan(y)) | (finite & (np.abs(x - y) <= limit))
    return bool(same.all())


def taken(results: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """Return by op the types that are right, with the opset from which they are, such as `DOUBLE 12+`.

    A case that is wrong in float32 says nothing about types; an op without any other case is left out.
    """
    right = pd.Series({key: _is_right(runs) for key, runs in results.groupby(["op", "case", "type", "opset"])})
    by_type = right.groupby(level=[0, 1, 2]).all()
    usable = [key for key in right.index if by_type.get((key[0], key[1], "FLOAT"), True)]
    by_opset = right.loc[usable].groupby(level=[0, 2, 3]).all()
    ops: dict[str, list[str]] = {}
    for op, type_name in dict.fromkeys((op, type_name) for op, type_name, _ in by_opset.index):
        ops.setdefault(op, []).append(_since(type_name, dict(by_opset[op, type_name])))
    return {op: tuple(sorted(filter(None, types), key=_place)) for op, types in sorted(ops.items())}


def _place(entry: str) -> int:
    return TYPES.index(entry.split()[0])


def _is_right(runs: pd.DataFrame) -> bool:
    """Return whether the op is right as it is fed, or between Casts where the type cannot be fed."""
    by_way = dict(zip(runs.way, runs.result, strict=True))
    return by_way.get("fed") == "pass" or (by_way.get("fed") != "wrong" and by_way.get("cast") == "pass")


def _since(type_name: str, by_opset: Mapping[int, bool]) -> str:
    """Return the type if it is right at every opset, the type and the first opset if from there on, else nothing."""
    last_wrong = max((opset for opset, is_right in by_opset.items() if not is_right), default=0)
    since = min((opset for opset in by_opset if opset > last_wrong), default=None)
    return type_name if not last_wrong else f"{type_name} {since}+" if since else ""


def measured_types(results: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """Return by op the types that ONNX allows it and that were measured."""
    return {str(op): tuple(t for t in TYPES if t in set(rows.type)) for op, rows in results.groupby("op")}


def toml(results: pd.DataFrame) -> str:
    """Return the lines of a target's file: the default `types`, a line per op that takes others, and `unfed_types`.

    The default are the types that nine ops in ten take, if few ops take float16, else all.
    """
    takes, allowed = taken(results), measured_types(results)
    counts = Counter(t for types in takes.values() for t in types)
    possible = Counter(t for op in takes for t in allowed[op])
    few = counts["FLOAT16"] < 0.5 * possible["FLOAT16"]
    usual = tuple(t for t in TYPES if possible[t] and (not few or counts[t] >= 0.9 * possible[t]))
    lines = [f"types = {_listed(usual)}"] if few else []
    if unfed := _unfed(results):
        lines.append(f"unfed_types = {_listed(unfed)}")
    different = {op: types for op, types in takes.items() if set(types) != set(usual) & set(allowed[op])}
    return "\n".join([*lines, "[op_types]", *(f"{op} = {_listed(types)}" for op, types in different.items())])


def _unfed(results: pd.DataFrame) -> tuple[str, ...]:
    """Return the types that are right between Casts, but cannot be fed to any op."""
    right = results[results.result == "pass"]
    by_way = {way: set(rows.type) for way, rows in right.groupby("way")}
    return tuple(t for t in TYPES if t in by_way.get("cast", set()) - by_way.get("fed", set()))


def _listed(types: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{t}"' for t in types) + "]"


def main() -> None:
    """Print the TOML lines of targets."""
    parser = argparse.ArgumentParser(prog="python -m fns_lab.measure.op_types", description=main.__doc__)
    parser.add_argument("target", nargs="+")
    parser.add_argument("--op", action="append", default=[], help="measure this op alone; may be repeated")
    parser.add_argument("--csv", type=Path, help="folder for a file with every run of each target")
    arguments = parser.parse_args()
    for target in map(targets.load, arguments.target):
        results = measure(target, arguments.op)
        if arguments.csv:
            results.to_csv(arguments.csv / f"{target.name.replace('/', '-')}.csv", index=False)
        print(f"# {target}\n{toml(results)}", flush=True)


if __name__ == "__main__":
    main()
