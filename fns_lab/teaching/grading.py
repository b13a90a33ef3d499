"""Grade a class: run each notebook in a confined process, grade the answers here, and write a table and a page."""

from __future__ import annotations

import html
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from fns_lab import paths
from fns_lab.errors import InputError, one_line
from fns_lab.files import write_text
from fns_lab.tables import json_rows
from fns_lab.teaching.checking import MIME_TYPE, feedback_on
from fns_lab.teaching.exercise import RIGHT
from fns_lab.teaching.exercises import EXERCISES
from fns_lab.teaching.submission import checks_of

COLUMNS = ("who", "student", "notebook", "exercise", "result", "hints", "note")
"""Columns of the table of grades."""
STUDENTS = "students.csv"
"""File beside the notebooks with the class, in the columns `who` and `student`. Without it each notebook says its own
student number."""
MISSING = "missing"
"""Result of an exercise that a notebook does not answer: it has no check of it, or stopped before it."""
READABLE = ("fns_lab", "data", "saved_models", "node_modules", "docs")
"""Folders of the project that a notebook may read."""
LARGEST_SIZE_PX = 512
"""Height and width up to which an answer that depends on the notebook's `size` is graded."""
LARGEST_RESULT_BYTES = 1_000_000
"""Largest file of answers that is read."""


@dataclass(frozen=True)
class Grades:
    """The graded class. `table` has a row per exercise of each notebook; `holds` says what every run was confined in.

    - `who`: the folder of the notebook, or its file name
    - `student`: the number for which the answer was graded
    - `result`: `right`, or `near`, `mistake`, `wrong`, `kind`, `open` (not answered), `missing`
    - `hints`: hints that the handed-in notebook says it used
    - `note`: what went wrong while it ran
    """

    table: pd.DataFrame
    holds: tuple[str, ...]

    def __str__(self) -> str:
        right, people = (self.table.result == RIGHT).sum(), self.table.who.nunique()
        return f"{people} students, {right} of {len(self.table)} answers right; confined: {', '.join(self.holds)}"

    def to_json(self) -> dict[str, Any]:
        """Return the object that `grades.json` holds."""
        return {"confined": list(self.holds), "rows": json_rows(self.table, COLUMNS)}

    def write(self, out: Path) -> Path:
        """Write `grades.csv`, `grades.json` and `index.html` into a folder, and return the page's path."""
        from fns_lab.views.frame import framed

        out.mkdir(parents=True, exist_ok=True)
        points = self.table.pivot_table(
            index="who", columns="exercise", values="result", aggfunc="first", fill_value="", sort=False
        )
        texts = {
            "grades.csv": self.table.to_csv(index=False),
            "grades.json": json.dumps(self.to_json(), indent=1),
            "index.html": framed(
                "Grades",
                f"<h1>Grades</h1><p>{html.escape(str(self))}</p>{points.to_html()}"
                f"<h2>Every answer</h2>{self.table.to_html(index=False)}",
                attributes='class="notebook"',
                styles=(),
            ),
        }
        for name, text in texts.items():
            write_text(out / name, text)
        return out / "index.html"


def grade(
    folder: Path, *, time_s: int = 600, memory_bytes: int = 4 << 30, say: Callable[[str], None] | None = None
) -> Grades:
    """Run and grade every notebook of `folder` and of the folders in it.

    Each runs for at most `time_s` seconds with at most `memory_bytes` of memory. What a notebook answered before it was
    stopped counts. Raises `InputError` for a folder without notebooks and for a list of students that cannot be read.
    """
    notebooks = sorted(path for path in folder.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)
    if not notebooks:
        raise InputError(f"{folder}: no notebooks in this folder; give the folder with the class's notebooks")
    numbers = _numbers(folder / STUDENTS)
    rows: list[tuple[Any, ...]] = []
    holds: set[str] | None = None
    for path in notebooks:
        who = path.parent.name if path.parent != folder else path.stem
        (say or (lambda line: None))(f"{who}: {path.name}")
        result, cells, hints = _run(path, time_s, memory_bytes)
        if "holds" in result:
            holds = set(result["holds"]) & (holds if holds is not None else set(result["holds"]))
        rows += [(who, *row) for row in _graded(path.name, result, cells, hints, numbers.get(who))]
    return Grades(pd.DataFrame(rows, columns=list(COLUMNS)), tuple(sorted(holds or ())))


def _numbers(path: Path) -> dict[str, int]:
    if not path.exists():
        return {}
    try:
        table = pd.read_csv(path, dtype={"who": str, "student": int})
        return dict(zip(table["who"], table["student"], strict=True))
    except (KeyError, ValueError, OSError) as error:
        raise InputError(f"{path}: no list of students ({one_line(error)}); give the columns who,student") from None


def _run(path: Path, time_s: int, memory_bytes: int) -> tuple[dict[str, Any], list[str], dict[str, int]]:
    """Return the result of a notebook's run, its code cells, and the hints that it says were used, by exercise."""
    import nbformat

    try:
        notebook = nbformat.read(path, as_version=4)
        cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
        hints = _hints(notebook)
    except Exception as error:  # nbformat raises its own, JSON's and jsonschema's
        return {"errors": [f"not a notebook: {one_line(error, 120)}"]}, [], {}
    with tempfile.TemporaryDirectory(prefix="fns-lab-grade-") as name:
        return _confined(Path(name), cells, time_s, memory_bytes), cells, hints


def _confined(folder: Path, cells: list[str], time_s: int, memory_bytes: int) -> dict[str, Any]:
    """Run cells in a process that sees only the project and `folder`, and return what it wrote."""
    work = folder / "work" / "notebooks"
    work.mkdir(parents=True)
    for name in ("data", "saved_models"):
        (folder / "work" / name).symlink_to(paths.ROOT / name)
    python = {sys.prefix, sys.base_prefix, *(path for path in sys.path if path)} - {str(paths.ROOT)}
    python = {os.path.realpath(path) for path in python}
    readable = [*python, *(str((paths.ROOT / name).resolve()) for name in READABLE)]
    order = {"cells": cells, "readable": readable, "memory_bytes": memory_bytes, "time_s": time_s}
    (folder / "order.json").write_text(json.dumps(order), encoding="utf-8")
    home = {"HOME": str(folder), "TMPDIR": str(folder), "IPYTHONDIR": str(folder), "MPLCONFIGDIR": str(folder)}
    process = subprocess.Popen(
        [sys.executable, "-m", "fns_lab.teaching.submission", str(folder)],
        cwd=work,
        env={"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(paths.ROOT), "MPLBACKEND": "Agg"} | home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    note = None
    try:
        code = process.wait(time_s)
        note = None if code == 0 else f"the process ended early, with exit status {code}"
    except subprocess.TimeoutExpired:
        note = f"stopped after {time_s} s"
    finally:
        os.killpg(process.pid, signal.SIGKILL) if process.poll() is None else None
        process.wait()
    result = _result(folder / "result.json")
    return result | {"errors": result["errors"] + [note] * bool(note)}


def _result(path: Path) -> dict[str, Any]:
    """Return what the process wrote, in the expected form whatever that is."""
    try:
        if path.stat().st_size > LARGEST_RESULT_BYTES:
            raise ValueError
        result = json.loads(path.read_text(encoding="utf-8"))
        answers = [answer for answer in result["answers"] if isinstance(answer, dict)]
        return {"answers": answers, "errors": list(map(str, result["errors"])), "holds": list(result["holds"])}
    except (OSError, ValueError, KeyError, TypeError):
        return {"answers": [], "errors": [], "holds": []}


def _hints(notebook: Mapping[str, Any]) -> dict[str, int]:
    """Return the number of hints of each exercise, from the outputs that the notebook was saved with."""
    counts: dict[str, int] = {}
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            data = output.get("data", {}).get(MIME_TYPE)
            if isinstance(data, Mapping) and isinstance(data.get("hints"), int):
                counts[str(data.get("exercise"))] = max(data["hints"], counts.get(str(data.get("exercise")), 0))
    return counts


def _graded(
    name: str, result: Mapping[str, Any], cells: list[str], hints: Mapping[str, int], number: int | None
) -> Iterator[tuple[Any, ...]]:
    """Yield a row without `who` per exercise that the notebook should answer."""
    note = "; ".join(result["errors"])[:500]
    given = {str(answer.get("exercise")): answer for answer in result.get("answers", ())}
    asked = {str(getattr(call.args[0], "value", "")) for cell in cells for call in checks_of(cell)} | set(given)
    groups = {exercise.split(".")[0] for exercise in asked & set(EXERCISES)}
    expected = [exercise for exercise in EXERCISES if exercise.split(".")[0] in groups]
    for exercise in expected or [""]:
        answer = given.get(exercise)
        student = number if number is not None else _whole(answer)
        outcome, why = _grade(exercise, answer, student) if answer else (MISSING, "")
        yield student, name, exercise, outcome, hints.get(exercise, 0), "; ".join(filter(None, (note, why)))


def _whole(answer: Mapping[str, Any] | None) -> int:
    student = (answer or {}).get("student")
    return student if isinstance(student, int) and not isinstance(student, bool) else 0


def _grade(exercise: str, answer: Mapping[str, Any], student: int) -> tuple[str, str]:
    """Return the result of an answer, and why it could not be graded or ""."""
    parameters = answer.get("parameters")
    if not isinstance(parameters, dict) or not all(map(_is_sound, parameters.values())):
        return MISSING, f"{exercise}: its parameters are outside what is graded"
    try:
        return feedback_on(exercise, answer.get("answer"), student, **parameters).result, ""
    except Exception as error:  # an answer for parameters that the network or a target does not take
        return MISSING, f"{exercise}: {one_line(error, 120)}"


def _is_sound(value: object) -> bool:
    """Return whether a parameter is a number, or sizes that are not too large to compute with."""
    if isinstance(value, list):
        return len(value) == 2 and all(isinstance(n, int) and 5 <= n <= LARGEST_SIZE_PX for n in value)
    return isinstance(value, int | float) and math.isfinite(value)
