"""`Target`: one backend of one runtime version, read from `<runtime>-<version>.toml` in this folder.

The folders `types` and `quirks` hold files of the same name with the parts of a description that are long: the element
types that each op takes, and the faults. One file may hold all as well.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from fns_lab.errors import InputError, nearest, one_line
from fns_lab.files import read_bytes
from fns_lab.limits import TEXT_BYTES

FOLDER = Path(__file__).parent
"""Folder of the targets' files."""
Described = TypeVar("Described", "Quirk", "WorkedAround", "Target")
"""What a file describes."""
Input = TypeVar("Input")
"""An input of a node."""

EVERY_OP = "*"
"""Stands for every op of ONNX, in an op table and in the `ops` of a quirk."""

EVERY_TYPE = "*"
"""Stands for every element type."""

VALUE_MEANINGS: Mapping[str, str] = {
    "beyond float32": "integers from 16,777,217 on, sums too, of which float32 does not hold each",
    "beyond int32": "integers that int32 cannot hold",
    "far": "beyond 1,000",
    "large": "from 80 on",
    "halves": "halfway between two steps of a quantization",
    "low": "below -100,000",
    "uncentred": "normalized together, with a mean of over 100 times their standard deviation",
}
"""What words of `Target.undefined_values` mean, except those that float32 has."""


@dataclass(frozen=True)
class Quirk:
    """A fault of a runtime: nodes that it lists as supported and computes wrongly, or fails on.

    - `name`: short, and the same in every file that describes this fault
    - `kind`: which nodes of `ops` are touched, one of `fns_lab.targets.quirk_kinds.QUIRK_KINDS`
    - `summary`: what goes wrong, in one line
    - `source`: where the fault is known from: an issue, a file of the runtime, or that it was seen
    - `backends`: the backends of the file that have the fault
    - `ops`: the op types that it touches, `*` for all
    - `opsets`: the opsets of a model at which it shows, as a selector
    - `after`, `attributes`, `before`, `counts`, `expressions`, `inputs`, `of`, `opset`, `ranks`, `samples`, `types`:
      read by some kinds, see there
    """

    name: str
    kind: str
    summary: str
    source: str
    backends: tuple[str, ...]
    ops: tuple[str, ...]
    opsets: str = "*"
    after: tuple[str, ...] = ()
    attributes: Mapping[str, Sequence[object]] = field(default_factory=dict)
    before: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    expressions: tuple[str, ...] = ()
    inputs: tuple[int, ...] = ()
    of: tuple[Mapping[str, Any], ...] = ()
    opset: int = 0
    ranks: tuple[int, ...] = ()
    samples: int = 0
    types: tuple[str, ...] = ()

    @functools.cached_property
    def kinds(self) -> frozenset[str]:
        """The kind, and those that it combines."""
        return frozenset({self.kind, *(part["kind"] for part in self.of)})

    def looked_at(self, inputs: Sequence[Input]) -> list[Input]:
        """Return those of a node's inputs whose numbers are in `inputs`, all of them if that is left out."""
        return [value for index, value in enumerate(inputs) if index in self.inputs or not self.inputs]


@dataclass(frozen=True)
class WorkedAround:
    """A fault of a runtime that its runner already avoids, so that no node is refused or rewritten for it.

    - `name`: short, and the same in every file that describes this fault
    - `summary`: what goes wrong when the runtime is used without the runner
    - `source`: where the fault is known from
    - `backends`: the backends of the file that have the fault
    """

    name: str
    summary: str
    source: str
    backends: tuple[str, ...]


@dataclass(frozen=True)
class Target:
    """One backend of one runtime version: what it supports, what it gets wrong, and how it is run.

    - `name`: the file's name and the backend, such as `onnxjs-0.1.8/webgl`
    - `runtime`: the engine, a key of `fns_lab.runtimes.RUNNERS`
    - `package`: the engine's name in pip, if pip installs it
    - `version`: the version that the file describes; none if any installed one will do
    - `backend`: the part of the engine that computes
    - `opset`: the highest opset that `lower` writes for it
    - `ir_version`: the IR version that `lower` writes for it
    - `ir_versions`: the IR versions that the runtime loads, as a selector
    - `ops`: by op type, the opsets that the runtime supports it at, as selectors: `7+`, `2-10`, `9`, or `*` for all;
      the op type `*` stands for every op of ONNX
    - `falls_back`: op types of `ops` that a GPU backend leaves to the CPU; a selector behind a name says at which
      opsets, such as `Cos 22-25`
    - `domains`: by domain other than ONNX's own, the op types that the runtime has of it
    - `runs_functions`: whether the runtime runs a model's own functions
    - `types`: ONNX's names of the element types that ops take, such as `FLOAT`; `*` for all; a selector behind a name
      says from which opset on, such as `DOUBLE 12+`
    - `op_types`: the same by op type, for the ops that take others; ops of integers or booleans alone take all of
      theirs unless they stand here
    - `unfed_types`: types that ops take, but that cannot be given to the engine as inputs or returned as outputs
    - `undefined_values`: values for which the engine or its language leaves the results of ops open: `nan`, `infinite`,
      `denormal`, or one of `VALUE_MEANINGS`; nothing is promised for a model in which they occur; an op type behind a
      value says that this op alone leaves it open, such as `nan Sign`
    - `reads_as_opset`: the opset as of which every model is read, if the runtime does not look at the model's own
    - `initializers_are_inputs`: whether each initializer must be a graph input as well
    - `refuses`: faults of a file as a whole for which the runtime does not load it, keys of
      `fns_lab.targets.file_faults.FILE_FAULTS`
    - `removes_at_load`: op types whose nodes the runtime removes when it loads a model; it then loses graph outputs
      that a node reads too
    - `fuses_after_conv`: op types that the runtime fuses into the Conv before them, with the same effect
    - `int64_as_int32`: whether int64 and uint64 inputs reach the engine as int32, so that the runner refuses numbers
      beyond it
    - `float64_as_float32`: whether float64 outputs come back as float32, so that a number beyond it becomes infinite
    - `warmup_runs`: how many runs `bench` throws away until the time of a run no longer falls
    - `ops_are_independent`: whether an op gives the same result whatever nodes are around it, so that the values of a
      model may be computed part by part
    - `own_process`: whether the engine runs in a process of its own, since a model that it cannot run may end or hang
      the process
    - `quirks`: the faults that `check` and `lower` know
    - `worked_around`: the faults that the runner avoids
    - `prefer`: rules that `lower` applies although the runtime can do without, since they were measured to be faster
    - `settings`: options that the runner gives to the engine
    - `table_of`: the target whose table this is, where this version has no table of its own: nothing of it was measured
    """

    name: str
    runtime: str
    backend: str
    opset: int
    ir_version: int
    ir_versions: str
    ops: Mapping[str, tuple[str, ...]]
    falls_back: tuple[str, ...] = ()
    domains: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    runs_functions: bool = False
    types: tuple[str, ...] = (EVERY_TYPE,)
    op_types: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unfed_types: tuple[str, ...] = ()
    undefined_values: tuple[str, ...] = ()
    package: str | None = None
    version: str | None = None
    reads_as_opset: int | None = None
    initializers_are_inputs: bool = False
    refuses: tuple[str, ...] = ()
    removes_at_load: tuple[str, ...] = ()
    fuses_after_conv: tuple[str, ...] = ()
    int64_as_int32: bool = False
    float64_as_float32: bool = False
    warmup_runs: int = 3
    ops_are_independent: bool = False
    own_process: bool = False
    quirks: tuple[Quirk, ...] = ()
    worked_around: tuple[WorkedAround, ...] = ()
    prefer: tuple[str, ...] = ()
    settings: Mapping[str, object] = field(default_factory=dict)
    table_of: str | None = None

    def __str__(self) -> str:
        return self.name

    @property
    def label(self) -> str:
        """The name, and for a version without a table of its own that it was not measured."""
        return f"{self.name} (not measured: the table of {self.table_of})" if self.table_of else self.name

    def takes(self, op_type: str, opset: int) -> bool:
        """Return whether the runtime's table has `op_type` at `opset`; quirks do not count."""
        opset = self.reads_as_opset or opset
        return any(matches(selector, opset) for selector in self.selectors(op_type))

    def quirks_of(self, op_type: str) -> tuple[Quirk, ...]:
        """Return the quirks that are about nodes of an op type, in the order of the file."""
        return self._quirks_by_op.get(op_type, self._quirks_by_op[EVERY_OP])

    @functools.cached_property
    def _quirks_by_op(self) -> dict[str, tuple[Quirk, ...]]:
        listed = {EVERY_OP, *(op for quirk in self.quirks for op in quirk.ops)}
        return {op: tuple(q for q in self.quirks if op in q.ops or EVERY_OP in q.ops) for op in listed}

    def undefined_for(self, op_types: Collection[str]) -> dict[str, list[str]]:
        """Return the values for which results are left open by each of these ops; under `*` those left open by all."""
        left_open: dict[str, list[str]] = {}
        for entry in self.undefined_values:
            *words, last = entry.split()
            value, op_type = (" ".join(words), last) if words and last[0].isupper() else (entry, EVERY_OP)
            if op_type in (EVERY_OP, *op_types):
                left_open.setdefault(op_type, []).append(value)
        return left_open

    def leaves_to_cpu(self, op_type: str, opset: int) -> bool:
        """Return whether a GPU backend has no code for `op_type` at `opset`, so that the CPU computes it."""
        entries = (entry.split() for entry in self.falls_back)
        return any(name == op_type and all(matches(at, opset) for at in selectors) for name, *selectors in entries)

    def selectors(self, op_type: str) -> tuple[str, ...]:
        """Return the opsets at which the runtime's table has `op_type`, as selectors; empty if it never has."""
        return self.ops.get(op_type) or self.ops.get(EVERY_OP, ())


def matches(selector: str, version: int) -> bool:
    """Return whether a selector as the runtimes write them (`*`, `7+`, `2-10`, `9`) includes a version."""
    if selector == "*":
        return True
    if selector.endswith("+"):
        return version >= int(selector[:-1])
    low, _, high = selector.partition("-")
    return int(low) <= version <= int(high or low)


@functools.cache
def _all() -> Mapping[str, Target]:
    by_name: dict[str, Target] = {}
    for path in sorted(FOLDER.glob("*.toml")):
        for target in read(path):
            if target.name in by_name:
                raise InputError(f"{path.name}: {target.name} is described twice")
            by_name[target.name] = target
    return by_name


def names() -> tuple[str, ...]:
    """Return the name of every target, runtimes in alphabetical order."""
    return tuple(_all())


def load(name: str) -> Target:
    """Return the target of this name. Raises `InputError`, which names the nearest, if there is none.

    `RUNTIME@VERSION/BACKEND`, such as `ort-web@1.22.0/webgpu`, is that version of a runtime: the target that describes
    it, or the one that describes the nearest version under this name, with `table_of` set.
    """
    if name in _all():
        return _all()[name]
    if (match := re.fullmatch(r"([\w-]+)@(\d[\w.]*)/(\w+)", name)) and (target := _of_version(*match.groups())):
        return target
    near = nearest(str(name), names())
    raise InputError(f"unknown target {name!r}; did you mean {near!r}? There are: {', '.join(names())}")


def _of_version(runtime: str, version: str, backend: str) -> Target | None:
    """Return the target of a version of a runtime, or that of the nearest version; None for an unknown runtime."""
    known = [target for target in _all().values() if (target.runtime, target.backend) == (runtime, backend)]
    if not known:
        return None
    nearest = min(known, key=lambda target: _distance(target.version, version))
    if nearest.version == version:
        return nearest
    name = f"{runtime}@{version}/{backend}"
    return replace(nearest, name=name, version=version, own_process=bool(nearest.package), table_of=nearest.name)


def _distance(version: str | None, wanted: str) -> int:
    return abs(_as_number(version or wanted) - _as_number(wanted))


def _as_number(version: str) -> int:
    """Return a number of which a step in major or minor version makes more than any number of smaller steps."""
    major, minor, patch = [*map(int, re.findall(r"\d+", version)), 0, 0][:3]
    return (major * 1000 + minor) * 1000 + patch


STRUCTURE = ("name", "ops", "op_types", "domains", "settings", "falls_back_to", "backend", "quirk", "worked_around")
"""Keys of a file that are no field of `Target`, or are put together from several tables; the others are fields."""


def read(path: Path) -> list[Target]:
    """Return the targets of a file. Raises `InputError` for a file that does not describe targets."""
    try:
        return _read(path)
    except InputError:
        raise
    except Exception as error:  # a table where a list should be lets any step stumble
        what = f"{type(error).__name__}: {one_line(error)}"
        raise InputError(f"{path.name}: does not describe a target as the others do ({what})") from None


def _read(path: Path) -> list[Target]:
    """Return the targets of a file. Raises `InputError` for a key, a kind of quirk or a syntax that is not known."""
    data = functools.reduce(_merged, (_tables(folder / path.name) for folder in _folders(path)))
    quirks = [_quirk(path, table) for table in data.get("quirk", ())]
    worked_around = [_new(WorkedAround, path, table) for table in data.get("worked_around", ())]
    return [
        _new(
            Target,
            path,
            {key: value for key, value in (data | table).items() if key not in STRUCTURE}
            | {
                "name": f"{data['name']}/{backend}",
                "backend": backend,
                "ops": _ops(data, backend),
                "domains": _frozen(data.get("domains", {}) | table.get("domains", {})),
                "op_types": _frozen(data.get("op_types", {}) | table.get("op_types", {})),
                "quirks": tuple(quirk for quirk in quirks if backend in quirk.backends),
                "worked_around": tuple(fault for fault in worked_around if backend in fault.backends),
                "settings": data.get("settings", {}) | table.get("settings", {}),
            },
        )
        for backend, table in data["backend"].items()
    ]


def _folders(path: Path) -> tuple[Path, ...]:
    """Return the folders that may hold a part of a description: the file itself, its element types, its quirks."""
    return path.parent, path.parent / "types", path.parent / "quirks"


def _tables(path: Path) -> dict[str, Any]:
    """Return what a TOML file holds, nothing if there is no such file. Raises `InputError` for a mistake in it."""
    try:
        return tomllib.loads(read_bytes(path, TEXT_BYTES).decode("utf-8")) if path.exists() else {}
    except ValueError as error:
        raise InputError(f"{path.name}: {error}") from None


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tables of both; where both have a table of one name, those are merged too."""
    both = {key: _merged(one[key], other[key]) for key in one.keys() & other.keys()}
    return {**one, **other, **both}


def _quirk(path: Path, table: Mapping[str, Any]) -> Quirk:
    from fns_lab.targets.quirk_kinds import QUIRK_KINDS  # which imports this module

    quirk = _new(Quirk, path, table)
    for kind in quirk.kinds - QUIRK_KINDS.keys():
        raise InputError(f"{path.name}: quirk {quirk.name!r}: {_unknown('kind', kind, QUIRK_KINDS)}")
    return quirk


def _new(described: type[Described], path: Path, table: Mapping[str, Any]) -> Described:
    """Return an instance of a dataclass made of a table of a file. Raises `InputError` for unknown or missing keys."""
    known = {field.name: field for field in fields(described)}
    where = f"{path.name}: {table.get('name', described.__name__)!r}"
    for key in table:
        if key not in known:
            raise InputError(f"{where}: {_unknown('key', key, known)}")
    for name, member in known.items():
        if name not in table and member.default is MISSING and member.default_factory is MISSING:
            raise InputError(f"{where}: the key {name!r} is missing")
    return described(**_frozen(table))


def _unknown(what: str, word: str, known: Iterable[str]) -> str:
    return f"unknown {what} {word!r}; did you mean {nearest(word, known)!r}?"


def _frozen(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}


def _ops(data: Mapping[str, Any], backend: str) -> dict[str, tuple[str, ...]]:
    """Return selectors by op type: the backend's own, over those it falls back to, over those of all backends."""
    table = data["backend"][backend]
    inherited = _ops(data, table["falls_back_to"]) if "falls_back_to" in table else data.get("ops", {})
    return _frozen(inherited | table["ops"])
