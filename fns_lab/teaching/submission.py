"""Run one handed-in notebook, cell by cell, in this process, and write down what its checks were given.

`fns-lab course grade` starts this module as a program of its own, confined; whatever the notebook does ends with it.
The answers are data (numbers, names, lists): they are graded elsewhere, so that nothing in here decides on them.
"""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHECK = "check"
"""Name of the function whose calls hold the answers."""


def checks_of(source: str) -> list[ast.Call]:
    """Return the calls of `check` in a cell; none for a cell that is no Python."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return []
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == CHECK and len(call.args) >= 2]


def run(cells: list[str], cache: Path) -> Iterator[dict[str, Any]]:
    """Run cells and yield after each the `answers` so far, one per check, and `errors`, a line per cell that failed."""
    from IPython.core.interactiveshell import InteractiveShell

    from fns_lab import paths

    paths.CACHE = cache
    shell = InteractiveShell.instance()
    if shell.history_manager:
        shell.history_manager.enabled = False
    answers: list[dict[str, Any]] = []
    errors: list[str] = []
    for number, source in enumerate(cells, 1):
        done = shell.run_cell(source)
        if error := done.error_before_exec or done.error_in_exec:
            errors.append(f"cell {number}: {type(error).__name__}: {error}"[:300])
        answers += [_given(call, shell.user_ns) for call in checks_of(source)]
        yield {"answers": answers, "errors": errors}


def _given(call: ast.Call, names: dict[str, Any]) -> dict[str, Any]:
    """Return the exercise, the answer, the student and the parameters that a check was called with."""
    name, answer, *student = (_value(argument, names) for argument in call.args)
    parameters = {str(keyword.arg): _value(keyword.value, names) for keyword in call.keywords}
    number = student[0] if student else parameters.pop("student", 0)
    return {"exercise": name, "answer": answer, "student": number, "parameters": parameters}


def _value(node: ast.expr, names: dict[str, Any]) -> Any:
    """Return the value of an argument as plain data; None where it cannot be computed or is nothing plain."""
    try:
        value = eval(compile(ast.Expression(node), "<answer>", "eval"), names)
        value = value.tolist() if hasattr(value, "tolist") else value
        return json.loads(json.dumps(value, allow_nan=False))
    except Exception:  # whatever the notebook's names do
        return None


def main() -> None:
    """Read the cells and the limits from a JSON file, confine this process, run, and write the result beside it."""
    folder = Path(sys.argv[1])
    order = json.loads((folder / "order.json").read_text(encoding="utf-8"))
    from fns_lab.teaching.isolation import confine

    work = folder / "work"
    holds = confine(map(Path, order["readable"]), [folder], memory_bytes=order["memory_bytes"], time_s=order["time_s"])
    for result in run(order["cells"], work / ".cache"):
        (folder / "new.json").write_text(json.dumps(result | {"holds": holds}), encoding="utf-8")
        (folder / "new.json").replace(folder / "result.json")


if __name__ == "__main__":
    main()
