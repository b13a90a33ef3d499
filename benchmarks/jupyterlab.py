"""A JupyterLab, or a Notebook 7, on a folder of notebooks, driven with a browser."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import time
import urllib.request

import playwright.async_api

from fns_lab.paths import ROOT

START_S = 120
STOP_S = 20
INTERFACES = {"lab": ("jupyterlab", "lab/tree"), "notebook": ("notebook", "notebooks")}
"""The module that starts each interface, and where it shows a notebook."""
RUN_MS = 180_000
BEGIN_MS = 20_000
KERNEL_IS_IDLE = """async () => {
    const kernels = await (await fetch("/api/kernels")).json();
    return kernels.some(({ execution_state }) => execution_state === "idle");
}"""


@contextlib.contextmanager
def lab_server(folder, interface="lab", *, base_url="/", environment=None):
    """Yield the address of an interface on `folder`, with `{}` for a notebook's name, and its process; then end it.

    `base_url` is the path of all its pages, as a JupyterHub gives it; `environment` is added to its variables.
    """
    module, shown_at = INTERFACES[interface]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token, log = secrets.token_hex(16), folder / "lab.log"
    options = [f"--port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}", "--no-browser"]
    options += ["--ip=127.0.0.1", "--ServerApp.root_dir=" + str(folder), "--LabApp.news_url=", "--allow-root"]
    options += [f"--ServerApp.base_url={base_url}"]
    options += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    home = {"JUPYTER_CONFIG_DIR": str(folder / "config"), "PYTHONPATH": str(ROOT)} | (environment or {})
    with log.open("w") as stream:
        server = subprocess.Popen(
            [sys.executable, "-m", module, *options],
            env=os.environ | home,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_for(f"http://127.0.0.1:{port}{base_url}api/status?token={token}", server, log)
        yield f"http://127.0.0.1:{port}{base_url}{shown_at}/{{}}?token={token}", server
    finally:
        server.terminate()
        try:
            server.wait(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            server.kill()


def _wait_for(url, server, log):
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        assert server.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return json.load(answer)
        except OSError:
            time.sleep(0.3)
    raise AssertionError(f"JupyterLab did not answer within {START_S} s:\n{log.read_text()}")


async def run_all(browser, url, last):
    """Open a notebook, run all cells, and return its page once the last cell shows what `last` matches."""
    context = await browser.new_context(viewport={"width": 1400, "height": 1200})
    page = await context.new_page()
    page.set_default_timeout(RUN_MS)
    page.requests = []
    page.on("request", lambda request: page.requests.append(request.url))
    await page.goto(url)
    await page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()
    # A cell run before the kernel has answered is lost. JupyterLab says when it has; of Notebook 7 the server is asked.
    if "/lab/" in url:
        await page.get_by_text("| Idle").wait_for()
    else:
        await page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').wait_for()
        await page.wait_for_function(KERNEL_IS_IDLE)
    await _start_all(page)
    await page.locator(".jp-OutputArea-output", has_text=last).wait_for()
    return page


async def _start_all(page):
    """Choose "Run All Cells" until a cell waits or has run: a slow interface may still lose a choice."""
    begun = page.locator(".jp-Notebook .jp-InputPrompt", has_text=re.compile(r"\[(\*|\d+)\]")).first
    for _ in range(RUN_MS // BEGIN_MS):
        await page.get_by_role("menuitem", name="Run", exact=True).click()
        await page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        with contextlib.suppress(playwright.async_api.TimeoutError):
            await begun.wait_for(timeout=BEGIN_MS)
            return
    raise AssertionError("no cell began to run")


def control(page, label):
    """Return a control of the preview by its label."""
    return page.locator(".fns-preview").first.get_by_label(label, exact=True)


async def status(page, words):
    """Wait for words in the preview's status line and return all of it."""
    line = page.locator(".fns-preview").first.locator(".status .text", has_text=words)
    await line.wait_for()
    return await line.text_content()
