"""Every notebook has the same structure, so that a reader who knows one knows all."""

from __future__ import annotations

import ast
import itertools
import re
import subprocess
import sys

import nbformat
import pytest

from fns_lab.paths import NOTEBOOKS, ROOT
from fns_lab.teaching.exercises import EXERCISES

PATHS = sorted(NOTEBOOKS.glob("*.ipynb"))
SOLUTIONS = sorted((NOTEBOOKS / "solutions").glob("*.ipynb"))
START = "00_start"
"""The first notebook: a map, with fewer cells and no exercises."""
WITHOUT_FIGURE = {START, "08_op_matrix"}
"""Notebooks that open without a figure, or with one of what an engine in a browser computed."""
NUMBERED = re.compile(r"\d\d_[a-z_]+\.ipynb")
LEAST_CODE_CELLS, MOST_CODE_CELLS = 8, 20
MOST_LINES = 20
MOST_CODE_CELLS_IN_A_ROW = 2
EXERCISE_COUNTS = range(2, 5)


@pytest.fixture(params=PATHS, ids=lambda path: path.stem)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


@pytest.fixture(params=[path for path in PATHS if path.stem != START], ids=lambda path: path.stem)
def lesson(request):
    """A notebook with exercises."""
    return nbformat.read(request.param, as_version=4)


def number(notebook):
    return re.match(r"# (\d+)", notebook.cells[0].source)[1].zfill(2)


def code(notebook):
    """The code cells, without those that answer and check exercises."""
    return [c.source for c in notebook.cells if c.cell_type == "code" and not tags(c) & {"answer", "check"}]


def tags(cell):
    return set(cell.metadata.get("tags", ()))


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


def test_its_card_in_the_index_shows_key_figures_and_an_image(notebook):
    assert any({"key-figures"} & tags(cell) and "print(" in cell.source for cell in notebook.cells)
    assert sum("thumbnail" in tags(cell) for cell in notebook.cells) == 1


def test_valid_and_without_outputs(notebook):
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_nbstripout_has_nothing_to_strip():
    command = [sys.executable, "-m", "nbstripout", "--verify", *map(str, [*PATHS, *SOLUTIONS])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_starts_with_a_question_what_is_learnt_and_what_is_needed(notebook):
    first = notebook.cells[0]
    assert first.cell_type == "markdown"
    assert re.match(r"# \d+\. .*\?$", first.source.splitlines()[0])
    assert "**You will learn**" in first.source
    assert "**You need**" in first.source


def test_one_parameters_cell_with_one_comment_per_parameter(notebook):
    tagged = [i for i, cell in enumerate(notebook.cells) if "parameters" in tags(cell)]
    assert tagged == [1]
    for statement in ast.parse(notebook.cells[1].source).body:
        assert isinstance(statement, ast.Assign)
        ast.literal_eval(statement.value)
    for line in notebook.cells[1].source.splitlines():
        assert re.search(r"  # \S", line), f"a parameter without a comment: {line}"


def test_cells_are_short_and_few(notebook):
    cells = code(notebook)
    assert (3 if number(notebook) == "00" else LEAST_CODE_CELLS) <= len(cells) <= MOST_CODE_CELLS
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


def test_ends_with_summary_and_the_next_notebook(notebook):
    assert section(notebook, "Summary").count("\n- ") >= 2
    assert notebook.cells[-1].cell_type == "markdown"
    assert re.search(r"\]\(\d\d_[a-z_]+\.ipynb\)", notebook.cells[-1].source)


def test_opens_with_a_figure_that_explains(lesson):
    text, figure = lesson.cells[2:4]
    assert text.source.startswith("## The idea in one figure\n")
    assert re.match(r"(figures|plots)\.\w+\(", figure.source.splitlines()[-1])


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "path", [path for path in PATHS if path.stem not in WITHOUT_FIGURE], ids=lambda path: path.stem
)
def test_the_opening_figure_can_be_drawn(path, monkeypatch):
    """Here in this process, which has the libraries loaded."""
    monkeypatch.chdir(NOTEBOOKS)
    cells, names = nbformat.read(path, as_version=4).cells, {}
    *lines, figure = cells[3].source.splitlines()
    for source in (cells[1].source, "\n".join(lines)):
        exec(compile(source, path.name, "exec"), names)
    drawn = eval(figure, names)
    assert drawn._repr_png_().startswith(b"\x89PNG")
    assert not overlapping_titles(drawn)


def overlapping_titles(figure):
    """Return the pairs of titles of which one covers part of the other, and the titles that leave the figure."""
    boxes = {axes.get_title(): axes.title.get_window_extent() for axes in figure.axes if axes.get_title()}
    beyond = [title for title, box in boxes.items() if box.x0 < 0 or box.x1 > figure.bbox.x1]
    return beyond + [pair for pair in itertools.combinations(boxes, 2) if boxes[pair[0]].overlaps(boxes[pair[1]])]


def test_each_exercise_has_a_text_an_answer_to_fill_in_and_a_check(lesson):
    own = [name for name in EXERCISES if name.startswith(number(lesson))]
    assert len(own) in EXERCISE_COUNTS
    section(lesson, "Exercises")
    texts = re.findall(r"^### Exercise ([\d.]+): \w.*\n\n\S", prose(lesson), re.MULTILINE)
    stubs = [cell.source for cell in lesson.cells if "answer" in tags(cell)]
    checks = [cell.source for cell in lesson.cells if "check" in tags(cell)]
    assert texts == own
    assert [re.search(r'task\("([\d.]+)", student\)', stub)[1] for stub in stubs] == own
    assert all(re.search(r"^answer_\d = None  # \w", stub, re.MULTILINE) for stub in stubs)
    assert [re.match(r'check\("([\d.]+)", answer_\d, student', check)[1] for check in checks] == own


def test_every_exercise_has_its_notebook_and_every_notebook_with_exercises_its_solution():
    numbers = {path.name[:2] for path in PATHS if path.stem != START}
    with_exercises = {name[:2] for name in EXERCISES if name[:2] in numbers}
    assert with_exercises == numbers
    assert {path.name for path in SOLUTIONS} == {path.name for path in PATHS if path.stem != START}


def test_the_map_lists_every_notebook_with_its_minutes():
    start = nbformat.read(NOTEBOOKS / f"{START}.ipynb", as_version=4)
    rows = re.findall(r"^\| \[.+\]\((\w+)\.ipynb\) \|.*\| (\d+) \|", prose(start), re.MULTILINE)
    assert [name for name, _ in rows] == [path.stem for path in PATHS if path.stem != START]
    assert all(20 <= int(minutes) <= 40 for _, minutes in rows)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("student", [7])
@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_solutions_run_and_are_right(path, student, monkeypatch, tmp_path):
    """Each cell asserts that its answer is right; here in this process, which has the libraries loaded."""
    monkeypatch.setattr("fns_lab.paths.CACHE", tmp_path)
    names: dict[str, object] = {}
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            source = re.sub(r"^student = 0", f"student = {student}", cell.source)
            exec(compile(source, path.name, "exec"), names)
    checks = code(nbformat.read(path, as_version=4))[2:]
    assert [re.search(r'assert check\("([\d.]+)"', check)[1] for check in checks] == [
        name for name in EXERCISES if name.startswith(path.name[:2])
    ]


def test_notebooks_that_are_linked_to_exist(notebook):
    for link in re.findall(r"\]\(([^)#]+)\)", prose(notebook)):
        assert link.startswith(("https://", "http://")) or (NOTEBOOKS / link).exists(), link


def test_formulas_are_plain_text(notebook):
    assert "$" not in prose(notebook), "a report has no MathJax: write formulas as indented plain text"


def test_make_lab_opens_the_notebooks_in_the_project_so_that_their_links_work():
    recipe = re.search(r"^lab:.*\n\t(.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)[1]
    assert "--ServerApp.root_dir=$(CURDIR)" in recipe, "links lead to docs/, data/ and saved_models/"
    opened = re.search(r"--LabApp.default_url=/lab/tree/(\S+)", recipe)[1]
    assert (ROOT / opened).is_file()
