"""The preview notebook in a real JupyterLab, driven by a real browser: it runs, and a choice changes the image."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request

import nbformat
import pytest

from fns_lab.nets import checkpoints
from fns_lab.paths import NOTEBOOKS, ROOT

START_S = 60
RUN_MS = 120_000
CELLS = 3
"""Code cells of the notebook that are kept, with the prose between them: parameters, export and the preview."""


@pytest.fixture(scope="module")
def notebooks(net, tmp_path_factory):
    """The preview notebook up to its widget, with one network and the engine that needs no second browser."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "networks").mkdir()
    checkpoints.save(net, folder / "networks" / "net.pth")
    notebook = nbformat.read(NOTEBOOKS / "06_preview.ipynb", as_version=4)
    code = [i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    del notebook.cells[code[CELLS - 1] + 1 :]
    smaller = 'networks, sizes, engines = "networks", [(32, 48), (48, 32)], ["ort/cpu"]'
    notebook.cells[code[0]].source += f"\n{smaller}"
    nbformat.write(notebook, folder / "preview.ipynb")
    return folder


@pytest.fixture(scope="module")
def lab(notebooks):
    """The address, with its token, of a JupyterLab on `notebooks`, which ends with the tests."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token, log = secrets.token_hex(16), notebooks / "lab.log"
    options = [f"--port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}", "--no-browser"]
    options += ["--ip=127.0.0.1", "--ServerApp.root_dir=" + str(notebooks), "--LabApp.news_url=", "--allow-root"]
    options += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    home = {"JUPYTER_CONFIG_DIR": str(notebooks / "config"), "PYTHONPATH": str(ROOT)}
    with log.open("w") as stream:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options],
            env=os.environ | home,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/api/status?token={token}", server, log)
        yield f"http://127.0.0.1:{port}/lab/tree/preview.ipynb?token={token}"
    finally:
        server.terminate()
        server.wait(timeout=20)


def wait_for(url, server, log):
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        assert server.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return json.load(answer)
        except OSError:
            time.sleep(0.3)
    raise AssertionError(f"JupyterLab did not answer within {START_S} s:\n{log.read_text()}")


async def run_and_choose(chromium, url):
    """Run all cells, then choose another image. Return what both images show before and after, and the status line."""
    context = await (await chromium.browser()).new_context(viewport={"width": 1400, "height": 1200})
    try:
        page = await context.new_page()
        page.set_default_timeout(RUN_MS)
        await page.goto(url)
        await page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()
        await page.get_by_text("| Idle").wait_for()  # a cell run before the kernel has answered is lost
        await page.get_by_role("menuitem", name="Run", exact=True).click()
        await page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        status = page.locator(".jp-OutputArea .widget-label", has_text="ran in")
        await status.wait_for()
        images = page.locator(".jp-OutputArea .widget-image")
        before = [await image.get_attribute("src") for image in await images.all()]
        shown = await page.evaluate(_PIXELS)
        await page.locator(".jp-OutputArea select").first.select_option("cat")
        await page.wait_for_function(
            "(src) => document.querySelectorAll('.jp-OutputArea .widget-image')[1].src !== src", arg=before[1]
        )
        after = await page.evaluate(_PIXELS)
        return shown, after, await status.text_content()
    finally:
        await context.close()


_PIXELS = """async () => {
    const pixels = async (image) => {
        await image.decode();
        const [width, height] = [image.naturalWidth, image.naturalHeight];
        const context = Object.assign(document.createElement('canvas'), {width, height}).getContext('2d');
        context.drawImage(image, 0, 0);
        return [width, height, [...context.getImageData(0, 0, width, height).data]];
    };
    return Promise.all([...document.querySelectorAll('.jp-OutputArea .widget-image')].map(pixels));
}"""


@pytest.mark.browser
def test_preview_answers_a_choice_in_jupyterlab(lab):
    from fns_lab.runtimes.chromium import shared_chromium

    chromium = shared_chromium()
    before, after, status = chromium.run(run_and_choose(chromium, lab))
    assert [image[:2] for image in before] == [[48, 32], [48, 32]]
    for old, new in zip(before, after, strict=True):
        assert old[2] != new[2], "the image did not change"
    assert status.startswith("ort/cpu: 64 nodes, ran in ")
