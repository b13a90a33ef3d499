"""Parts of the pages that benchmarks write into docs/: what ran where, and what stops the others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from benchmarks.runs import NUDGE, NUDGES, RIGHT

NUMBERS = f"""\
The number is the largest error of an output, as a fraction of its range, against ONNX Runtime's result of the model
that was not lowered; up to {RIGHT:g} counts as right. A number in parentheses is by how much ONNX Runtime's own result
moves at most when the input changes by {NUDGE:g} of itself, in {NUDGES} draws: an error within that is right too.
**wrong** is a larger error, **failed** is an engine that broke off, and - is a model that `lower` refused. The reasons
are below the table.
"""


def results(models: Sequence[str], rows: Sequence[dict]) -> str:
    """Return how many are right in each target, a table per runtime, and why the others are not."""
    targets = list(dict.fromkeys(row["target"] for row in rows))
    by_place = {(row["model"], row["target"]): row for row in rows}
    parts = [_counts(targets, rows, len(models))]
    for runtime, names in _by_runtime(targets).items():
        cells = [[model, *(_cell(by_place[model, name]) for name in names)] for model in models]
        parts.append(f"## {runtime}\n\n" + table(["model", *(f"`{name}`" for name in names)], cells))
    if stopped := _reasons(rows):
        parts.append("## What stops the others\n\n" + table(["model", "targets", "reason"], stopped))
    return "\n".join(parts)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _counts(targets: Sequence[str], rows: Sequence[dict], total: int) -> str:
    cells = []
    for target in targets:
        here = [row for row in rows if row["target"] == target]
        right = sum(row["right"] for row in here)
        wrong = sum(_cell(row).startswith("**wrong") for row in here)
        failed = sum(_cell(row) == "**failed**" for row in here)
        cells.append([f"`{target}`", str(right), str(wrong), str(failed), str(total - right - wrong - failed)])
    return table(["target", f"right, of {total}", "wrong", "failed in the engine", "refused"], cells)


def _cell(row: dict) -> str:
    if row["right"]:
        return f"{row['error']:.0e} ({row['noise']:.0e})" if row["noise"] else f"{row['error']:.0e}"
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


def _by_runtime(targets: Sequence[str]) -> dict[str, list[str]]:
    groups = defaultdict(list)
    for target in targets:
        groups[target.partition("/")[0] if "/cpu" not in target or "onnxjs" in target else "On the CPU"].append(target)
    return dict(groups)


def _escaped(reason: str) -> str:
    return reason.replace("|", "\\|").replace("<", "&lt;")
