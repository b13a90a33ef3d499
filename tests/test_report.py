"""A report: a notebook runs, its page opens offline with its images, and a failure is shown and ends no other run."""

from __future__ import annotations

import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from fns_lab.errors import InputError
from fns_lab.runtimes.chromium import shared_chromium
from fns_lab.views import page
from fns_lab.views.report import run_notebooks

IMAGE = """from matplotlib.figure import Figure
from IPython.display import Image, display
import io
figure, stream = Figure(figsize=(1, 1)), io.BytesIO()
figure.subplots().plot([1, steps])
figure.savefig(stream, format="png")
display(Image(stream.getvalue()))"""

WIDGET = """from ipywidgets import IntSlider
class Slider(IntSlider):
    def _repr_mimebundle_(self, **kwargs):
        return super()._repr_mimebundle_(**kwargs) | {"text/html": "<b>stands for a slider</b>"}
Slider()"""

PROGRESS = "for i in range(3): print(f'\\rstep {i}', end='')"

SOURCES = ("src", "href", "data", "poster", "action")
"""Attributes from which a browser may load a file."""


def write(path, *cells):
    notebook = new_notebook(cells=list(cells))
    nbformat.write(notebook, path)
    return path


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    folder = tmp_path_factory.mktemp("notebooks")
    title = new_markdown_cell("# Tiny: is it *so*?\n\nA question, with [a link](02_bad.ipynb).")
    good = write(
        folder / "01_good.ipynb",
        title,
        new_code_cell("steps = 2  # how many", metadata={"tags": ["parameters"]}),
        new_code_cell("import pandas as pd\npd.DataFrame({'op': ['Conv'], 'count': [steps]})"),
        new_code_cell(IMAGE),
        new_code_cell(WIDGET),
        new_code_cell(PROGRESS),
    )
    bad = write(folder / "02_bad.ipynb", title, new_code_cell("print('so far')"), new_code_cell("int('no\\nnumber')"))
    said = []
    out = folder / "reports"
    return run_notebooks([bad, good], out, parameters={"steps": 7}, say=said.append), out, said


def html(reports, name):
    return (reports[1] / name).read_text(encoding="utf-8")


def test_one_failure_fails_the_report_and_the_rest_is_written(reports):
    report, out, said = reports
    assert not report
    assert [card.error is None for card in report.cards] == [False, True]
    assert "1 failed (02_bad)" in str(report)
    assert {path.name for path in out.glob("*.html")} == {"01_good.html", "02_bad.html", "index.html"}
    assert len(said) == 4


def test_the_error_is_one_line_that_names_the_cell(reports):
    error = reports[0].cards[0].error
    assert error == r"cell 3: ValueError: invalid literal for int() with base 10: 'no\nnumber'"
    assert "so far" in html(reports, "02_bad.html")
    assert "Failed: cell 3" in html(reports, "02_bad.html")


@pytest.mark.parametrize("name", ["01_good.html", "index.html"])
def test_loads_nothing(reports, name):
    text = html(reports, name)
    assert re.findall("<script[^>]*>", text) == ["<script>"] * (name != "index.html"), "its own, which has no source"
    assert "@import" not in text
    assert "url(" not in text
    for attribute, value in re.findall(rf'\b({"|".join(SOURCES)})="([^"]*)"', text):
        assert value.startswith(("data:", "#")) or (reports[1] / value).is_file(), (attribute, value[:80])


def test_shows_table_image_and_the_static_view_of_a_widget(reports):
    text = html(reports, "01_good.html")
    assert "<td>7</td>" in text, "the parameter did not arrive"
    assert "data:image/png;base64," in text
    assert "stands for a slider" in text
    assert "step 2" in text
    assert "step 1" not in text
    assert 'href="02_bad.html"' in text


@pytest.mark.browser
def test_a_click_on_a_head_sorts_the_table(tmp_path):
    table = "pd.DataFrame({'op': ['b', 'a', 'c'], 'error': [10.5, 9.25, float('nan')], 'psnr': [3, float('inf'), -1]})"
    path = write(tmp_path / "01_table.ipynb", new_markdown_cell("# T"), new_code_cell(f"import pandas as pd\n{table}"))
    run_notebooks([path], tmp_path)

    async def clicked():
        browser = await shared_chromium().browser()
        tab = await browser.new_page()
        await tab.goto((tmp_path / "01_table.html").as_uri())
        columns = []
        for head in ("error", "error", "psnr", "op"):
            await tab.click(f"th:text-is('{head}')")
            columns.append(
                await tab.eval_on_selector_all("tbody tr", "rows => rows.map((row) => row.cells[1].innerText)")
            )
        await tab.close()
        return columns

    by_error, by_error_down, by_psnr, by_op = shared_chromium().run(clicked())
    assert by_error == ["a", "b", "c"], "9.25 comes before 10.5, and NaN is last"
    assert by_error_down == ["b", "a", "c"]
    assert by_psnr == ["c", "b", "a"]
    assert by_op == ["a", "b", "c"]


def test_index_has_a_card_with_image_question_and_time(reports):
    text = html(reports, "index.html")
    assert 'src="01_good.png"' in text
    assert (reports[1] / "01_good.png").read_bytes().startswith(b"\x89PNG")
    assert "Tiny: is it so?" in text
    assert "A question, with a link." in text
    assert re.search(r"01_good · \d+ s", text)


def test_index_keeps_other_runs_until_their_notebook_is_gone(reports, tmp_path):
    title = new_markdown_cell("# Short")
    first, second = (write(tmp_path / name, title) for name in ("a.ipynb", "b.ipynb"))
    out = tmp_path / "out"
    run_notebooks([first], out)
    index = run_notebooks([second], out).index
    assert 'href="a.html"' in index.read_text(encoding="utf-8")
    first.unlink()
    run_notebooks([second], out)
    assert 'href="a.html"' not in index.read_text(encoding="utf-8")
    assert 'href="b.html"' in index.read_text(encoding="utf-8")


def test_tagged_image_goes_before_the_last():
    def shows(data, **metadata):
        cell = new_code_cell("", metadata=metadata)
        cell.outputs = [nbformat.v4.new_output("display_data", {"image/png": data})]
        return cell

    cells = [shows("AAAA", tags=[page.IMAGE_TAG]), shows("BBBB")]
    assert page.thumbnail(new_notebook(cells=cells)) == (b"\0\0\0", "png")
    assert page.thumbnail(new_notebook(cells=cells[1:])) == (b"\x04\x10A", "png")
    assert page.thumbnail(new_notebook()) is None


@pytest.mark.parametrize("content", [None, "not json", "{}"])
def test_bad_paths_are_reported_before_anything_runs(tmp_path, content):
    path = tmp_path / "x.ipynb"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=r"x\.ipynb: (no such notebook|not a notebook)") as caught:
        run_notebooks([path], tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_the_same_name_twice_is_refused(tmp_path):
    paths = [write(tmp_path / "a.ipynb"), write(tmp_path / "a.ipynb")]
    with pytest.raises(InputError, match="given twice"):
        run_notebooks(paths, tmp_path / "out")
