"""The preview notebook in a real JupyterLab and Notebook 7, driven by a real browser: its preview stays alive."""

from __future__ import annotations

import contextlib
import re

import nbformat
import numpy as np
import psutil
import pytest
import torch

from benchmarks.jupyterlab import control, lab_server, run_all, status
from fns_lab import images, photos
from fns_lab.nets import checkpoints
from fns_lab.paths import NOTEBOOKS
from fns_lab.runtimes.chromium import shared_chromium

SIZES = "[(32, 48), (48, 32), None]"
TOLERANCE = 0.5
"""Of 255: what rounding to whole pixel values can make of two images that differ by rounding."""


@pytest.fixture(scope="module")
def folder(net, tmp_path_factory):
    """The preview notebook with one network and the engine that needs no second browser."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "networks").mkdir()
    checkpoints.save(net, folder / "networks" / "net_nc16.pth")
    notebook = nbformat.read(NOTEBOOKS / "06_preview.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    code[0].source += f'\nnetworks, sizes, engines = "networks", {SIZES}, ["ort/cpu"]'
    nbformat.write(notebook, folder / "preview.ipynb")
    return folder


@contextlib.contextmanager
def opened(folder, interface="lab"):
    """Yield a function that runs a coroutine of the notebook's page, once all cells have run."""
    chromium = shared_chromium()
    with lab_server(folder, interface) as (url, server):
        page = chromium.run(ran(chromium, url.format("preview.ipynb")))
        try:
            yield page, lambda work: chromium.run(work), server
        finally:
            chromium.run(page.context.close())


async def ran(chromium, url):
    """Return the notebook's page once its last cell has run."""
    return await run_all(await chromium.browser(), url, re.compile(r"\d runs so far"))


async def pixels(page, name):
    """Return an image of the preview as an array (1, 3, H, W)."""
    width, height, values = await page.evaluate(_PIXELS, name)
    return np.array(values, np.float32).reshape(1, height, width, 4)[..., :3].transpose(0, 3, 1, 2)


_PIXELS = """async (name) => {
    const {width, height} = document.querySelector(`.fns-preview canvas.${name}`);
    const context = document.querySelector(`.fns-preview canvas.${name}`).getContext('2d');
    return [width, height, [...context.getImageData(0, 0, width, height).data]];
}"""


def styled(net, x):
    """Return what PyTorch makes of an image, as a screen shows it."""
    with torch.no_grad():
        return np.clip(net(torch.from_numpy(x)).numpy(), 0, 255)


async def shows(page, x):
    """Wait until the preview shows this image before, and has nothing to do."""
    height, width = x.shape[2:]
    await page.wait_for_function(_SHOWS, arg=[width, height])
    assert np.array_equal(await pixels(page, "before"), x)


_SHOWS = """([width, height]) => {
    const [before, view] = ['canvas.before', '.view'].map((name) => document.querySelector(`.fns-preview ${name}`));
    return !view.classList.contains('busy') && before.width === width && before.height === height;
}"""


async def choose_by_hand(page, net):
    await control(page, "image").select_option("cat")
    await control(page, "size").select_option("48 x 32")
    x = photos.load("cat", (48, 32))
    await shows(page, x)
    assert np.abs(await pixels(page, "after") - styled(net, x)).max() <= TOLERANCE
    assert "64 nodes, ran in" in await status(page, "ran in")


async def move_the_line(page):
    await control(page, "before | after").focus()
    await page.keyboard.press("End")
    assert (
        await page.locator(".fns-preview")
        .first.locator(".frame")
        .evaluate("(e) => e.style.getPropertyValue('--split')")
        == "100%"
    )


async def upload(page, net):
    x = np.random.default_rng(0).integers(0, 255, (1, 3, 40, 60)).astype(np.float32)
    await control(page, "size").select_option("the image's own")
    chosen = page.locator(".fns-preview").first.locator("input[type=file]")
    await chosen.set_input_files({"name": "mine.png", "mimeType": "image/png", "buffer": images.png(x)})
    await shows(page, x)
    assert np.abs(await pixels(page, "after") - styled(net, x)).max() <= TOLERANCE
    await chosen.set_input_files({"name": "notes.txt", "mimeType": "text/plain", "buffer": b"some text"})
    assert "notes.txt: not an image" in await status(page, "not an image")
    assert not await page.locator(".fns-preview").first.locator("canvas.after").is_visible()
    await control(page, "image").select_option("mine.png")
    await shows(page, x)
    return x


async def run_in_the_browser(page, net, x):
    await control(page, "engine").select_option("ort-web/wasm, in this browser")
    text = await status(page, "in this browser: 64 nodes, ran in")
    assert np.abs(await pixels(page, "after") - styled(net, x)).max() <= TOLERANCE, text
    assert not [address for address in page.requests if not address.startswith(("http://127.0.0.1:", "blob:", "data:"))]


async def cancel(page, x):
    await control(page, "engine").select_option("onnxjs-0.1.8/wasm, in this browser")
    await page.get_by_role("button", name="Cancel").click()
    await status(page, "cancelled")
    assert not await page.locator(".fns-preview").first.locator("canvas.after").is_visible()
    await control(page, "engine").select_option("ort/cpu")
    await shows(page, x)


@pytest.mark.browser
def test_the_preview_is_alive_after_all_cells_ran(folder, net):
    """One session for all, since to start JupyterLab and to run the notebook takes half a minute."""
    with opened(folder) as (page, run, server):
        run(choose_by_hand(page, net))
        run(move_the_line(page))
        x = run(upload(page, net))
        run(run_in_the_browser(page, net, x))
        run(cancel(page, x))
        started = psutil.Process(server.pid).children(recursive=True)
    assert not psutil.wait_procs(started, timeout=20)[1], "a process is left"


@pytest.mark.slow
@pytest.mark.browser
def test_the_preview_works_in_notebook_7(folder, net):
    with opened(folder, "notebook") as (page, run, _):
        run(choose_by_hand(page, net))
        x = run(upload(page, net))
        run(run_in_the_browser(page, net, x))
