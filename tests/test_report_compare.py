"""Two reports side by side: each figure with its counterpart, times marked where their spreads do not overlap."""

from __future__ import annotations

import json
import re

import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from fns_lab.errors import InputError
from fns_lab.files import atomic_folder
from fns_lab.views.report import compare, run_notebooks


def data(folder, times_ms, table, *, processor="A"):
    """Write what a report keeps of one notebook: times of models by name, and one table."""
    folder.mkdir(parents=True)
    rows = [
        ("ort/cpu", model, run, run > 1, ms)
        for model, runs in times_ms.items()
        for run, ms in enumerate([999, *runs], 1)
    ]
    columns = ["target", "model", "run", "counted", "ms"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "runs_timings.csv", index=False)
    table.to_csv(folder / "table_03.csv")
    facts = {"started": "now", "machine": {"processor": processor, "cores": "2"}, "methods": []}
    (folder / "run.json").write_text(json.dumps(facts))


TABLE = pd.DataFrame({"nodes": [64, 115], "error": [0.1, 0.0], "supported": [True, True]}, index=["model a", "model b"])


@pytest.fixture
def pair(tmp_path):
    other = TABLE.assign(error=[0.2, 0.0], supported=[True, False])
    data(tmp_path / "a" / "nb", {"x": [10, 11, 12], "y": [10, 11, 12]}, TABLE)
    data(tmp_path / "b" / "nb", {"x": [12, 13, 14], "y": [20, 21, 22]}, other, processor="B")
    (found,) = compare.pairs(tmp_path / "a", tmp_path / "b", ["nb"])
    return found


def test_a_time_is_marked_only_beyond_the_spread(pair):
    times = next(table for table in pair.tables if table.heading == "Times")
    assert [row[1] for row in times.rows] == ["x", "y"]
    assert times.rows[1][2:5] == ("11 [10.2, 11.8]", "21 [20.2, 21.8]", "1.91")
    assert times.rows[0][5] == "beyond the spread", "p90 of 10, 11, 12 is below p10 of 12, 13, 14"
    assert times.marked == {0, 1}
    assert (pair.times, pair.beyond) == (2, 2)


def test_times_that_overlap_are_not_marked(tmp_path):
    data(tmp_path / "a" / "nb", {"x": [10, 11, 30]}, TABLE)
    data(tmp_path / "b" / "nb", {"x": [12, 13, 14]}, TABLE)
    (found,) = compare.pairs(tmp_path / "a", tmp_path / "b", ["nb"])
    times = next(table for table in found.tables if table.heading == "Times")
    assert not times.marked
    assert times.rows[0][5] == "within the spread"
    assert compare.summary([found]) == "0 of 1 times differ beyond the spread; 0 of 8 other figures differ."


def test_other_figures_are_listed_where_they_differ(pair):
    figures = next(table for table in pair.tables if table.heading.startswith("Other figures"))
    assert figures.rows == [
        ("table_03.csv", "model a, True", "error", "0.1", "0.2", "+0.1 (+100.0%)"),
        ("table_03.csv", "model b, True", "supported", "True", "False", ""),
    ]
    assert (pair.figures, pair.different) == (8, 2)


def test_the_machines_stand_side_by_side(pair):
    machine = pair.tables[0]
    assert ("processor", "A", "B") in machine.rows
    assert machine.marked == {machine.rows.index(("processor", "A", "B"))}


def test_another_shape_and_a_missing_notebook_are_named(tmp_path):
    data(tmp_path / "a" / "nb", {}, TABLE)
    data(tmp_path / "b" / "nb", {}, TABLE.iloc[:1])
    data(tmp_path / "a" / "new", {}, TABLE)
    found, missing = compare.pairs(tmp_path / "a", tmp_path / "b", ["nb", "new"])
    assert found.tables[-1].rows == [
        ("table_03.csv", "all", "", "2 rows, 4 columns", "1 rows, 4 columns", "another table")
    ]
    assert missing.missing


def test_a_run_is_compared_with_an_earlier_one(tmp_path):
    code = "import pandas as pd\npd.DataFrame({'steps': [steps], 'same': [1]})"
    parameters = new_code_cell("steps = 2", metadata={"tags": ["parameters"]})
    path = tmp_path / "nb.ipynb"
    nbformat.write(new_notebook(cells=[new_markdown_cell("# N"), parameters, new_code_cell(code)]), path)
    run_notebooks([path], tmp_path / "first")
    report = run_notebooks([path], tmp_path / "second", parameters={"steps": 5}, compare_with=tmp_path / "first")
    assert "0 of 0 times differ beyond the spread; 1 of 3 other figures differ." in str(report)
    text = report.comparison.read_text(encoding="utf-8")
    assert re.search(r"<td>table_02.csv</td><td>1</td><td>steps</td><td>5</td><td>2</td>", text)
    assert 'href="compare.html"' in report.index.read_text(encoding="utf-8")


def test_a_folder_without_a_report_is_refused_before_anything_runs(tmp_path):
    path = tmp_path / "nb.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell("1")]), path)
    with pytest.raises(InputError, match="no report with figures"):
        run_notebooks([path], tmp_path / "out", compare_with=tmp_path / "none")
    assert not (tmp_path / "out").exists()


def test_a_folder_is_replaced_as_a_whole_or_not_at_all(tmp_path):
    path = tmp_path / "folder"
    with atomic_folder(path) as folder:
        (folder / "a").write_text("1")
    with pytest.raises(IsADirectoryError), atomic_folder(path) as folder:
        folder.write_text("2")
    assert [file.name for file in path.iterdir()] == ["a"]
    with atomic_folder(path) as folder:
        (folder / "c").write_text("3")
    assert [file.name for file in path.iterdir()] == ["c"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is a file"), atomic_folder(tmp_path / "file"):
        pass
