"""Every notebook has the same structure, so that a reader who knows one knows all. `make report` runs them."""

from __future__ import annotations

import ast
import re
import subprocess
import sys

import nbformat
import pytest

from fns_lab.paths import NOTEBOOKS

PATHS = sorted(NOTEBOOKS.glob("*.ipynb"))
NUMBERED = re.compile(r"\d\d_[a-z_]+\.ipynb")
LEAST_CODE_CELLS, MOST_CODE_CELLS = 8, 20
MOST_LINES = 20
MOST_CODE_CELLS_IN_A_ROW = 2
EXERCISES = range(2, 5)


@pytest.fixture(params=PATHS, ids=lambda path: path.stem)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


def code(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def prose(notebook):
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def section(notebook, heading):
    match = re.search(rf"^## {heading}$(.*?)(?=^## |\Z)", prose(notebook), re.MULTILINE | re.DOTALL)
    assert match, f"no section {heading}"
    return match[1]


def test_there_are_notebooks_and_their_names_are_in_order():
    assert PATHS
    assert all(NUMBERED.fullmatch(path.name) for path in PATHS)
    numbers = [path.name[:2] for path in PATHS]
    assert len(set(numbers)) == len(numbers)


def test_valid_and_without_outputs(notebook):
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_nbstripout_has_nothing_to_strip():
    command = [sys.executable, "-m", "nbstripout", "--verify", *map(str, PATHS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_starts_with_a_question_what_is_learnt_and_what_is_needed(notebook):
    first = notebook.cells[0]
    assert first.cell_type == "markdown"
    assert re.match(r"# \d+\. .*\?$", first.source.splitlines()[0])
    assert "**You will learn**" in first.source
    assert "**You need**" in first.source


def test_one_parameters_cell_with_one_comment_per_parameter(notebook):
    tagged = [i for i, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", ())]
    assert tagged == [1]
    for statement in ast.parse(notebook.cells[1].source).body:
        assert isinstance(statement, ast.Assign)
        ast.literal_eval(statement.value)
    for line in notebook.cells[1].source.splitlines():
        assert re.search(r"  # \S", line), f"a parameter without a comment: {line}"


def test_cells_are_short_and_few(notebook):
    cells = code(notebook)
    assert LEAST_CODE_CELLS <= len(cells) <= MOST_CODE_CELLS
    assert max(len(cell.splitlines()) for cell in cells) <= MOST_LINES


def test_at_most_two_code_cells_in_a_row(notebook):
    in_a_row = 0
    for cell in notebook.cells:
        in_a_row = in_a_row + 1 if cell.cell_type == "code" else 0
        assert in_a_row <= MOST_CODE_CELLS_IN_A_ROW, cell.source


def test_no_cell_defines_a_function_or_class(notebook):
    for cell in code(notebook):
        for node in ast.walk(ast.parse(cell.replace("%", "#"))):
            assert not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)), cell


def test_has_an_assertion_and_a_prediction(notebook):
    assert any("assert " in cell for cell in code(notebook))
    assert "**Predict:**" in prose(notebook)


def test_ends_with_summary_exercises_and_the_next_notebook(notebook):
    assert section(notebook, "Summary").count("\n- ") >= 2
    exercises = section(notebook, "Exercises")
    assert len(re.findall(r"^\d\. ", exercises, re.MULTILINE)) in EXERCISES
    assert notebook.cells[-1].cell_type == "markdown"
    assert re.search(r"\]\(\d\d_[a-z_]+\.ipynb\)", notebook.cells[-1].source)


def test_notebooks_that_are_linked_to_exist(notebook):
    for link in re.findall(r"\]\(([^)#]+)\)", prose(notebook)):
        assert link.startswith(("https://", "http://")) or (NOTEBOOKS / link).exists(), link


def test_formulas_are_plain_text(notebook):
    assert "$" not in prose(notebook), "a report has no MathJax: write formulas as indented plain text"
