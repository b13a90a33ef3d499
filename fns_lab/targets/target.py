"""`Target`: one backend of one runtime version, read from `<runtime>-<version>.toml` in this folder."""

from __future__ import annotations

import difflib
import functools
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fns_lab.errors import InputError

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Quirk:
    """A fault of a runtime, with the place where it is known and the nodes it touches.

    `kind` says which nodes (see `fns_lab.targets.check.QUIRK_KINDS`); `ops`, `after` (op types) and the rest narrow it.
    """

    name: str
    kind: str
    summary: str
    source: str
    backends: tuple[str, ...]
    ops: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    opset: int | None = None
    ranks: tuple[int, ...] = ()
    counts: tuple[int, ...] = ()
    types: tuple[str, ...] = ()
    samples: int | None = None
    attributes: Mapping[str, Sequence] = field(default_factory=dict)


@dataclass(frozen=True)
class Target:
    """One backend of one runtime version and what it takes.

    `ops` maps op types to the opset selectors the runtime writes (`7+`, `2-10`, `*` for unchecked); the op type `*`
    stands for every op of ONNX. `opset` and
    `ir_version` are the highest that `lower` writes; `ir_versions` is a selector of those the runtime loads.
    `package` is what pip calls the runtime, if pip brings it; without a `version` any will do.
    `reads_as_opset`: nodes of any opset are run as if of this one. `prefer` names rewrites worth making where the
    runtime could do without, since they were measured to be faster.
    """

    name: str
    runtime: str
    package: str | None
    version: str | None
    backend: str
    opset: int
    ir_version: int
    ir_versions: str
    ops: Mapping[str, tuple[str, ...]]
    reads_as_opset: int | None = None
    initializers_are_inputs: bool = False
    quirks: tuple[Quirk, ...] = ()
    prefer: tuple[str, ...] = ()
    settings: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name

    def takes(self, op_type: str, opset: int) -> bool:
        """Whether the runtime's table has `op_type` at `opset`, quirks aside."""
        opset = self.reads_as_opset or opset
        return any(matches(selector, opset) for selector in self.selectors(op_type))

    def selectors(self, op_type: str) -> tuple[str, ...]:
        """The opsets at which the runtime's table has `op_type`; empty if it never has."""
        return self.ops.get(op_type) or self.ops.get("*", ())


def matches(selector: str, version: int) -> bool:
    """Whether a selector as the runtimes write them (`*`, `7+`, `2-10`, `9`) admits a version."""
    if selector == "*":
        return True
    if selector.endswith("+"):
        return version >= int(selector[:-1])
    low, _, high = selector.partition("-")
    return int(low) <= version <= int(high or low)


@functools.cache
def _all() -> Mapping[str, Target]:
    found: dict[str, Target] = {}
    for path in sorted(FOLDER.glob("*.toml")):
        for target in _read(path):
            if target.name in found:
                raise ValueError(f"{path.name}: {target.name} is described twice")
            found[target.name] = target
    return found


def names() -> tuple[str, ...]:
    """Every target, runtimes in alphabetical order."""
    return tuple(_all())


def load(name: str) -> Target:
    """The target of this name. Raises `InputError` naming the nearest if there is none."""
    if name in _all():
        return _all()[name]
    near = difflib.get_close_matches(str(name), names(), n=1, cutoff=0)[0]
    raise InputError(f"unknown target {name!r}; did you mean {near!r}? There are: {', '.join(names())}")


def _read(path: Path) -> list[Target]:
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    backends = data["backend"]
    quirks = tuple(
        Quirk(**{k: tuple(v) if isinstance(v, list) else v for k, v in quirk.items()})
        for quirk in data.get("quirk", ())
    )
    return [
        Target(
            name=f"{data['name']}/{backend}",
            runtime=data["runtime"],
            package=data.get("package"),
            version=data.get("version"),
            backend=backend,
            opset=table.get("opset", data["opset"]),
            ir_version=data["ir_version"],
            ir_versions=data["ir_versions"],
            ops=_ops(data, backend),
            reads_as_opset=data.get("reads_as_opset"),
            initializers_are_inputs=data.get("initializers_are_inputs", False),
            quirks=tuple(q for q in quirks if backend in q.backends),
            prefer=tuple(table.get("prefer", ())),
            settings=data.get("settings", {}) | table.get("settings", {}),
        )
        for backend, table in backends.items()
    ]


def _ops(data: Mapping, backend: str) -> dict[str, tuple[str, ...]]:
    """Return selectors by op type: the backend's own, over those it falls back to, over those of all backends."""
    table = data["backend"][backend]
    inherited = _ops(data, table["falls_back_to"]) if "falls_back_to" in table else data.get("ops", {})
    return {op_type: tuple(selectors) for op_type, selectors in (inherited | table["ops"]).items()}
