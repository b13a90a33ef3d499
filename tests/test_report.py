"""A report: a notebook runs, its page opens offline with its images, and a failure is shown and ends no other run."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time

import nbformat
import pandas as pd
import psutil
import pypdf
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from fns_lab.errors import InputError
from fns_lab.runtimes.chromium import shared_chromium
from fns_lab.views.report import Style, page, run_notebooks
from fns_lab.views.report.tables import ms_text
from tests.web.pages import Visit

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

PREVIEW = """import numpy as np
from IPython.display import HTML
from fns_lab.views.widgets.choice import Choice
from fns_lab.views.widgets.pixels import pixels_of
from fns_lab.views.widgets.still import interactive
before, after = (pixels_of(np.full((1, 3, 20, 30), value, np.float32)) for value in (10, 200))
HTML(interactive(before, after, {}, Choice("cat", "b", None, "regular", "kernel", "ort/cpu"), "ran in 3 ms"))"""

WIDE = (
    "| notebook | needs | minutes | stage |\n|---|---|---|---|\n"
    + "| a wide first cell | many words | 40 | and more of them |\n" * 3
)

WIDE_IMAGE = """from IPython.display import HTML
image = "<img alt='' class='wide' width='1000' src='data:image/svg+xml,<svg xmlns=%22http://www.w3.org/2000/svg%22/>'>"
HTML(f"<div style='display:flex'><figure style='min-width:0'>{image}</figure><figure>{image}</figure></div>")"""

PROGRESS = "for i in range(3): print(f'\\rstep {i}', end='')"

SOURCES = ("src", "href", "data", "poster", "action")
"""Attributes from which a browser may load a file."""


def write(path, *cells):
    notebook = new_notebook(cells=list(cells))
    nbformat.write(notebook, path)
    return path


TIMES = """from onnx import parser
from fns_lab.measure.bench import bench, random_feeds
head = '<ir_version: 9, opset_import: ["": 18]>'
model = parser.parse_model(head + ' g (float[1,3,8,9] x) => (float[1,3,8,9] y) {y = Relu(x)}')
seed = 3
timings = bench({"relu": model}, ["ort/cpu"], random_feeds(model, seed=seed), runs=4)
timings.table[["model", "ms_median"]].style.format(precision=1)"""

LONG = """import pandas as pd
print("0.125 of 255 <at most>")
pd.DataFrame({"number": [i / 3 for i in range(70)], "text": ["a long text " * 9] * 70})"""


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    folder = tmp_path_factory.mktemp("notebooks")
    title = new_markdown_cell("# Tiny: is it *so*?\n\nA question, with [a link](02_bad.ipynb).")
    links = new_markdown_cell("[a file](data.txt#part), [a page](https://example.org/), [below](#Tiny)")
    good = write(
        folder / "01_good.ipynb",
        title,
        new_code_cell("steps = 2  # how many\nsize = (4, 5)", metadata={"tags": ["parameters"]}),
        new_code_cell("import pandas as pd\npd.DataFrame({'op': ['Conv'], 'count': [steps], 'size': [size]})"),
        new_code_cell(IMAGE),
        new_code_cell(WIDGET),
        new_code_cell(PROGRESS),
        new_code_cell("from IPython.display import HTML\nHTML('<script>document.title = \"taken\"</script>')"),
        links,
        new_code_cell(TIMES),
        new_code_cell(LONG),
        new_code_cell(PREVIEW),
        new_markdown_cell(WIDE),
        new_code_cell(WIDE_IMAGE),
    )
    bad = write(folder / "02_bad.ipynb", title, new_code_cell("print('so far')"), new_code_cell("int('no\\nnumber')"))
    said = []
    out = folder / "reports"
    values = {"steps": 7, "size": "(6, 8)"}
    style = Style("Report & more", "A. Student")
    return run_notebooks([bad, good], out, parameters=values, style=style, say=said.append), out, said


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
    assert error == r"cell 2: ValueError: invalid literal for int() with base 10: 'no\nnumber'"
    assert "so far" in html(reports, "02_bad.html")
    assert "Failed: cell 2" in html(reports, "02_bad.html")


def test_the_failed_cell_has_the_same_number_with_parameters(tmp_path):
    parameters = new_code_cell("steps = 2", metadata={"tags": ["parameters"]})
    path = write(tmp_path / "bad.ipynb", new_markdown_cell("# Bad"), parameters, new_code_cell("1 / 0"))
    for given in ({}, {"steps": 3}):
        card = run_notebooks([path], tmp_path / "out", parameters=given).cards[0]
        assert card.error == "cell 2: ZeroDivisionError: division by zero"


@pytest.mark.parametrize("name", ["01_good.html", "02_bad.html", "index.html"])
def test_loads_nothing_and_says_so_in_its_policy(reports, name):
    text = html(reports, name)
    (policy,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', text)
    assert policy.startswith("default-src &#39;none&#39;; script-src")
    assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]
    parts = r'<script type="text/plain" id="datatables">.*?</script>|<style>.*?</style>'
    page_itself = re.sub(parts, "", text, flags=re.DOTALL)
    assert "@import" not in text
    assert not [url for url in re.findall(r"url\(([^)]*)\)", page_itself) if not url.startswith(("data:", "#"))]
    for attribute, value in re.findall(rf'\b({"|".join(SOURCES)})="([^"]*)"', page_itself):
        local = value.split("#")[0]
        known = value.startswith(("data:", "#", "https://example.org/")) or (reports[1] / local).is_file()
        assert known or value == "../data.txt#part", (attribute, value[:80])


def test_shows_table_image_and_the_static_view_of_a_widget(reports):
    text = html(reports, "01_good.html")
    assert '<td class="number">7</td>' in text, "the parameter did not arrive"
    assert "data:image/png;base64," in text
    assert "stands for a slider" in text
    assert "step 2" in text
    assert "step 1" not in text
    assert 'href="02_bad.html"' in text


def test_the_page_names_the_machine_what_was_given_and_what_ran(reports):
    text = html(reports, "01_good.html")
    facts = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", text))
    wanted = {"processor", "cores", "memory", "GPU", "GPU of the browser", "system", "browser", "engines", "Python"}
    assert wanted | {"commit", "load", "seed", "parameters"} <= set(facts)
    assert all(facts.values())
    assert facts["parameters"] == "steps = 7, size = (6, 8)"
    assert facts["seed"] == "3"
    assert "1 model ran on x 1x3x8x9 in ort/cpu (ort" in text
    assert "4 counted runs of each" in text
    assert '<p class="report-title">Report &amp; more</p>' in text
    assert '<p class="author">A. Student</p>' in text


def test_tables_and_every_run_lie_beside_the_page(reports):
    folder = reports[1] / "01_good"
    assert {path.name for path in folder.iterdir()} == {
        "table_02.csv", "table_07.csv", "table_08.csv", "runs_timings.csv", "run.json",
    }  # fmt: skip
    long = pd.read_csv(folder / "table_08.csv", index_col=0)
    assert list(long.number) == [i / 3 for i in range(70)], "all rows, all digits"
    runs = pd.read_csv(folder / "runs_timings.csv")
    assert runs.counted.sum() == 4
    assert set(runs.run[~runs.counted]) == set(range(1, len(runs) - 3))
    page_table = re.search(r"Times of all runs.*?</table>", html(reports, "01_good.html"), re.S)[0]
    assert ms_text(runs.ms[runs.counted].median()) in page_table
    assert html(reports, "01_good.html").count(f"<td>{('a long text ' * 9).strip()}</td>") == 70, (
        "all rows, and all of a text"
    )
    assert 'href="01_good/table_08.csv"' in html(reports, "01_good.html")


@pytest.mark.browser
def test_the_page_sorts_and_searches_its_tables_and_runs_no_script_of_an_output(reports):
    async def used():
        browser = await shared_chromium().browser()
        context = await browser.new_context(offline=True)
        tab = await context.new_page()
        said = []
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        await tab.goto((reports[1] / "01_good.html").as_uri())
        await tab.wait_for_selector("body[data-tables]")
        table = tab.locator(".dt-container:has(th:has-text('number'))")
        before = await table.locator("tbody tr").count()
        for order in ("ascending", "descending"):  # a table is sorted a moment after the click
            await table.locator("th:has-text('number')").click()
            await table.locator(f"th[aria-sort={order}]:has-text('number')").wait_for()
        first = await table.locator("tbody tr").first.locator("td").first.inner_text()
        await table.locator("input[type=search]").fill("22.33")
        found = await table.locator("tbody tr").count()
        title = await tab.title()
        line = tab.locator(".fns-preview").get_by_label("before | after")
        await line.focus()
        await tab.keyboard.press("End")
        split = await tab.locator(".fns-preview .frame").evaluate("(e) => e.style.getPropertyValue('--split')")
        await context.close()
        return before, first, found, title, split, said

    before, first, found, title, split, said = shared_chromium().run(used())
    assert split == "100%", "the line of a preview moves"
    assert (before, first, found) == (25, "23.000000", 1)
    assert title == "Report & more: Tiny: is it so?"
    assert len(said) == 1 and "Content Security Policy" in said[0], "what another output brings does not run"


@pytest.mark.browser
@pytest.mark.parametrize("width", [1200, 390])
@pytest.mark.parametrize("name", ["01_good.html", "02_bad.html", "index.html"])
def test_nothing_is_wider_than_the_window(reports, name, width):
    async def measured():
        browser = await shared_chromium().browser()
        context = await browser.new_context(viewport={"width": width, "height": 900}, offline=True)
        tab = await context.new_page()
        visit = Visit(tab, "file:")
        await tab.goto((reports[1] / name).as_uri())
        if await tab.locator("#datatables").count():
            await tab.wait_for_selector("body[data-tables]")
        wide = await tab.evaluate("document.documentElement.scrollWidth")
        images = await tab.locator("img.wide").evaluate_all("images => images.map((image) => image.width)")
        await context.close()
        return wide, images, visit

    wide, images, visit = shared_chromium().run(measured())
    assert wide <= width
    assert all(width > 390 or shown > 700 for shown in images), (
        "a wide figure scrolls in its place, or its letters are tiny"
    )
    assert not [line for line in visit.complaints if "Content Security Policy" not in line], (
        "only the cell that has a script"
    )
    assert not visit.foreign


@pytest.mark.browser
def test_the_pdf_is_a4_with_all_rows_and_live_links_and_without_code(reports, tmp_path):
    notebook = nbformat.read(reports[1].parent / "01_good.ipynb", as_version=4)
    other = write(tmp_path / "02_bad.ipynb", new_markdown_cell("# Other"))
    preview = new_code_cell(PREVIEW)
    links = new_markdown_cell("[unprinted](no/other.ipynb), [worked out](solutions/short.ipynb)")
    short = write(tmp_path / "short.ipynb", notebook.cells[0], links, notebook.cells[7], notebook.cells[9], preview)
    run_notebooks([short, other], tmp_path, style=Style(code=False), pdf=True)
    pdf = pypdf.PdfReader(tmp_path / "short.pdf")
    text = "\n".join(page.extract_text() for page in pdf.pages)
    assert [round(float(side) / 72 * 25.4) for side in pdf.pages[0].mediabox[2:]] == [210, 297]
    assert [f"{i / 3:.6f}" for i in range(70) if f"{i / 3:.6f}" not in text] == []
    assert "import pandas" not in text
    assert "import pandas" not in (tmp_path / "short.html").read_text(encoding="utf-8")
    annotations = [note.get_object() for page in pdf.pages for note in page.get("/Annots", [])]
    addresses = {note["/A"]["/URI"] for note in annotations if "/URI" in note.get("/A", {})}
    assert {"https://example.org/", "02_bad.pdf", "data.txt#part", "solutions/short.ipynb"} <= addresses
    assert not [address for address in addresses if address.startswith("file:")], "the folder can be moved"
    assert pdf.outline
    assert "ran in 3 ms" in text, "a preview stands still on paper"
    right = max(float(note["/Rect"][2]) for note in annotations)
    assert right < float(pdf.pages[0].mediabox.right), "nothing is beyond the page"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_a_report_that_is_ended_leaves_whole_files_and_no_process(tmp_path, number, code):
    first = write(tmp_path / "a.ipynb", new_markdown_cell("# First"), new_code_cell("print(1)"))
    flag = tmp_path / "running"
    wait = f"import pathlib, time\npathlib.Path({str(flag)!r}).touch()\ntime.sleep(200)"
    second = write(tmp_path / "b.ipynb", new_markdown_cell("# Second"), new_code_cell("1"), new_code_cell(wait))
    out, temporary = tmp_path / "out", tmp_path / "temporary"
    temporary.mkdir()
    command = [sys.executable, "-m", "fns_lab", "report", str(first), str(second), "-o", str(out)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "TMPDIR": str(temporary)}
    environment["JUPYTER_RUNTIME_DIR"] = str(temporary / "jupyter")
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 200
    while not flag.exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.1)
    children = psutil.Process(process.pid).children(recursive=True)
    assert list(temporary.glob("*/kernel.json")), "what is to be deleted is there"
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == code, said
    assert "Traceback" not in said
    _, alive = psutil.wait_procs(children, timeout=20)
    assert not alive
    left = [path.name for path in temporary.iterdir()]  # Chromium, ended, can leave folders of its own
    assert not [name for name in left if not name.startswith(("org.chromium.", "playwright"))]
    assert {path.name for path in out.iterdir()} == {"a", "a.html", "index.html", "index.json"}
    assert [card["name"] for card in json.loads((out / "index.json").read_text(encoding="utf-8"))] == ["a"]


def test_index_has_a_card_with_image_question_and_time(reports):
    text = html(reports, "index.html")
    assert 'src="01_good.png"' in text
    assert (reports[1] / "01_good.png").read_bytes().startswith(b"\x89PNG")
    assert "Tiny: is it so?" in text
    assert "A question, with a link." in text
    assert re.search(r"01_good · \d+ s", text)
    assert "<li>0.125 of 255 &lt;at most&gt;</li>" in text
    assert "<h1>Report &amp; more</h1>" in text


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


def test_times_have_three_digits_or_all_before_the_point():
    assert [ms_text(ms) for ms in (0.01234, 12.34, 123.4, 1234.5)] == ["0.0123", "12.3", "123", "1234"]


def test_key_figures_are_those_of_tagged_cells():
    def prints(text, **metadata):
        cell = new_code_cell("", metadata=metadata)
        cell.outputs = [nbformat.v4.new_output("stream", text=text)]
        return cell

    cells = [prints("a 1\nb\nc 3\n", tags=[page.FIGURES_TAG]), prints("d 4\ne 5\n")]
    assert page.key_figures(new_notebook(cells=cells)) == ("a 1", "c 3")
    assert page.key_figures(new_notebook(cells=cells[1:])) == ("e 5",)
    assert page.key_figures(new_notebook()) == ()


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
