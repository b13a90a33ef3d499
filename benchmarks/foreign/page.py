"""The text of docs/models.md: the models, where they run, and what stops the others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from benchmarks.foreign.models import ForeignModel
from benchmarks.foreign.runs import RIGHT

HEAD = f"""\
# Other people's models

<!-- Written by `python -m benchmarks foreign`. -->

ONNX files from packages of pip and npm, each lowered with fixed input shapes for every target and run there in
the real engine on drawn input. The number is the largest error of an output, as a fraction of its range, against ONNX
Runtime's result of the file as it is; up to {RIGHT:g} counts as right. **wrong** is a larger error, **failed** is an
engine that broke off, and - is a model that `lower` refused. The reasons are below the table.
"""


def text(models: Sequence[ForeignModel], rows: Sequence[dict]) -> str:
    """Return the page."""
    targets = list(dict.fromkeys(row["target"] for row in rows))
    by_place = {(row["model"], row["target"]): row for row in rows}
    parts = [HEAD, _counts(targets, rows, len(models))]
    for runtime, names in _by_runtime(targets).items():
        cells = [[m.name, *(_cell(by_place[m.name, name]) for name in names)] for m in models]
        parts.append(f"## {runtime}\n\n" + _table(["model", *(f"`{name}`" for name in names)], cells))
    parts.append("## What stops the others\n\n" + _table(["model", "targets", "reason"], _reasons(rows)))
    parts.append(
        "## The files\n\n" + _table(["model", "task", "made by", "package", "licence", "file"], _files(models))
    )
    return "\n".join(parts)


def _counts(targets: Sequence[str], rows: Sequence[dict], total: int) -> str:
    cells = []
    for target in targets:
        here = [row for row in rows if row["target"] == target]
        right = sum(row["right"] for row in here)
        wrong = sum(_cell(row).startswith("**wrong") for row in here)
        failed = sum(_cell(row) == "**failed**" for row in here)
        cells.append([f"`{target}`", str(right), str(wrong), str(failed), str(total - right - wrong - failed)])
    return _table(["target", f"right, of {total}", "wrong", "failed in the engine", "refused"], cells)


def _cell(row: dict) -> str:
    if row["right"]:
        return f"{row['error']:.0e}"
    if row["error"] is not None:
        return f"**wrong** {row['error']:.0e}"
    if row["stopped_by"].startswith("wrong"):
        return "**wrong**"
    return "**failed**" if row["stopped_by"].startswith("the engine") else "-"


def _reasons(rows: Sequence[dict]) -> list[list[str]]:
    targets = defaultdict(list)
    for row in rows:
        if row["stopped_by"]:
            targets[row["model"], row["stopped_by"]].append(f"`{row['target']}`")
    return [[model, ", ".join(names), _escaped(reason)] for (model, reason), names in targets.items()]


def _files(models: Sequence[ForeignModel]) -> list[list[str]]:
    return [
        [m.name, m.task, m.exporter, f"{m.registry}: {m.package} {m.version}", m.licence, _listed(m.files.items())]
        for m in models
    ]


def _listed(files: Iterable[tuple[str, str]]) -> str:
    return "<br>".join(f"`{name}`, SHA-256 `{digest}`" for name, digest in files)


def _by_runtime(targets: Sequence[str]) -> dict[str, list[str]]:
    groups = defaultdict(list)
    for target in targets:
        groups[target.partition("/")[0] if "/cpu" not in target or "onnxjs" in target else "On the CPU"].append(target)
    return dict(groups)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _escaped(reason: str) -> str:
    return reason.replace("|", "\\|").replace("<", "&lt;")
