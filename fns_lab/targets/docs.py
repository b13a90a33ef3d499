"""Write docs/targets.md from the TOML files and the docstrings: `python -m fns_lab.targets.docs`."""

from __future__ import annotations

import argparse
import inspect
import textwrap
from collections.abc import Iterable, Sequence
from typing import TypeVar

from fns_lab import targets
from fns_lab.files import write_text
from fns_lab.paths import ROOT
from fns_lab.targets import Quirk, Target, WorkedAround
from fns_lab.targets.quirk_kinds import QUIRK_KINDS
from fns_lab.targets.target import EVERY_OP, VALUE_MEANINGS

T = TypeVar("T")
"""Any type."""
PATH = ROOT / "docs" / "targets.md"
"""The document that is written."""

INTRODUCTION = """\
# Targets

<!-- Written by `python -m fns_lab.targets.docs` from fns_lab/targets/: change the TOML files and docstrings there. -->

A target is one backend of one runtime version, such as `onnxjs-0.1.8/webgl`. `fns_lab/targets/` has one TOML file per
runtime version. It says which ops the runtime supports and at which opsets, which files it loads, and which faults it
has. `check` compares a model with a target, `lower` rewrites a model until the target supports every node."""
"""First paragraphs of the document."""

OVERVIEW = """\
`opset` is the highest that `lower` writes. Where values are named under "undefined for", the engine or the language in
which it computes leaves open what an op does with them; `check` promises nothing for a model in which they occur. An op
type behind a value says that this op alone leaves it open. Words of the project among these values:"""
"""Text above the table of targets."""

LAYOUT = """\
A file has the fields that all its backends share at the top, one table per backend with what differs there, and one
table per fault:

```toml
name = "onnxjs-0.1.8"
runtime = "onnxjs"
version = "0.1.8"
opset = 7

[backend.cpu.ops]
Gemm = ["7-10", "11+"]

[backend.wasm] # a field given here overrides that of the file
falls_back_to = "cpu" # which computes the ops that wasm does not have

[backend.wasm.ops]
Conv = ["1+"]

[[quirk]]
name = "batched-lrn"
kind = "batch"
ops = ["LRN"]
backends = ["cpu", "wasm"]
source = "seen in the npm package; lib/backends/cpu/ops/lrn.js"
summary = "LRN of more than one image gives wrong numbers"
```

`name` is that of the file; `/` and the backend are added to it. `[ops]` has the ops that every backend supports."""
"""Text on the fields of a target's file."""


EXPLANATION = """\
A name links to the kind of the quirk, which says which nodes of these ops are touched. A fault without a link touches
none: the runner avoids it, by the way it loads the model or starts the engine."""
"""Text above the quirks."""


def page() -> str:
    """Return the text of docs/targets.md."""
    every = [targets.load(name) for name in targets.names()]
    sections = [
        INTRODUCTION,
        "## All targets",
        _table(("target", "engine", "opset", "loads IR", "ops", "undefined for", "quirks"), map(_overview, every)),
        OVERVIEW,
        "\n".join(f"- `{value}`: {meaning}" for value, meaning in VALUE_MEANINGS.items()),
        "## The fields of a target",
        LAYOUT,
        *map(_fields, (Target, Quirk, WorkedAround)),
        "## The faults of each runtime",
        EXPLANATION,
        *_faults(every),
        "## The kinds of quirk",
        f"Each names the fields that it reads beside `ops`. Its example leaves out {', '.join(map(_code, COMMON))}.",
        *(_kind(name) for name in QUIRK_KINDS),
    ]
    return "\n\n".join(sections) + "\n"


COMMON = ("name", "summary", "source", "backends")
"""Fields of a quirk that the examples of the kinds leave out."""


def example(kind: str) -> str:
    """Return the TOML in the docstring of a kind of quirk."""
    return textwrap.dedent(_docstring(kind)[1])


def _docstring(kind: str) -> tuple[str, str]:
    """Return the prose of a kind's docstring and, after it, the indented example."""
    prose, heading, rest = inspect.cleandoc(QUIRK_KINDS[kind].__doc__ or "").partition("    [[quirk]]")
    return prose.strip(), heading + rest


def _kind(kind: str) -> str:
    return f"### {kind}\n\n{_docstring(kind)[0]}\n\n```toml\n{example(kind)}\n```"


def _fields(documented: type) -> str:
    return f"### `{documented.__name__}`\n\n{inspect.getdoc(documented)}"


def _overview(target: Target) -> tuple[str, ...]:
    engine = f"{target.runtime} {target.version or '(any version)'}"
    selectors = target.ops.get(EVERY_OP)
    ops = f"all at opset {', '.join(selectors)}" if selectors else str(len(target.ops))
    if target.falls_back:
        ops += f", {len({entry.split()[0] for entry in target.falls_back})} of them left to the CPU at some opset"
    return (
        f"`{target}`",
        engine,
        str(target.opset),
        target.ir_versions,
        ops,
        ", ".join(target.undefined_values),
        str(len(target.quirks)),
    )


def _faults(every: Sequence[Target]) -> list[str]:
    """Return a heading and a table for each file that describes a fault."""
    sections = []
    for name in dict.fromkeys(_file(target) for target in every):
        backends = [target for target in every if _file(target) == name]
        quirks = _distinct(quirk for target in backends for quirk in target.quirks)
        worked_around = _distinct(fault for target in backends for fault in target.worked_around)
        rows = [*map(_quirk_row, quirks), *map(_worked_around_row, worked_around)]
        if rows:
            sections += [f"### {name}", _table(("name", "backends", "ops", "what goes wrong", "source"), rows)]
    return sections


def _file(target: Target) -> str:
    return target.name.removesuffix(f"/{target.backend}")


def _distinct(faults: Iterable[T]) -> list[T]:
    distinct: list[T] = []
    for fault in faults:
        if fault not in distinct:
            distinct.append(fault)
    return distinct


def _quirk_row(quirk: Quirk) -> tuple[str, ...]:
    ops = "all" if EVERY_OP in quirk.ops else ", ".join(quirk.ops)
    name = f"[{quirk.name}](#{quirk.kind})"
    return name, ", ".join(quirk.backends), ops, quirk.summary, quirk.source


def _worked_around_row(fault: WorkedAround) -> tuple[str, ...]:
    return fault.name, ", ".join(fault.backends), "none", fault.summary, fault.source


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(_cell(text) for text in line)} |" for line in lines)


def _code(name: str) -> str:
    return f"`{name}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> None:
    """Write docs/targets.md."""
    write_text(PATH, page())
    print(PATH)


if __name__ == "__main__":
    argparse.ArgumentParser(prog="python -m fns_lab.targets.docs", description=main.__doc__).parse_args()
    main()
