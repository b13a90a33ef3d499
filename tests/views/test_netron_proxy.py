"""Netron in a notebook whose reader reaches nothing but the notebook's server: a real JupyterLab, a real browser."""

from __future__ import annotations

import json
import urllib.request

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from benchmarks.jupyterlab import lab_server, run_all
from fns_lab import models
from fns_lab.runtimes.chromium import shared_chromium
from fns_lab.views import netron, netron_server
from tests.small_network import regular

BASE = "/user/someone/"
ELSEWHERE = {"JUPYTERHUB_SERVICE_PREFIX": BASE, "SSH_CONNECTION": "192.0.2.1 5 192.0.2.2 22"}
"""What says that the reader's browser is on another machine: a hub, and SSH."""

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture
def folder(tmp_path):
    models.save(regular(), tmp_path / "small.onnx")
    cells = ["from fns_lab import models\nfrom fns_lab.views import netron\nnetron.show(models.load('small.onnx'))"]
    cells += ["print('the last', 'cell')"]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(new_notebook(cells=list(map(new_code_cell, cells)), metadata=kernel), tmp_path / "graph.ipynb")
    return tmp_path


async def opened(url):
    page = await run_all(await shared_chromium().browser(), url, "the last cell")
    try:
        frame = page.frame_locator(".jp-OutputArea-output iframe")
        await frame.locator("body.default #nodes").wait_for(timeout=90_000)
        nodes = await frame.locator("#nodes > .graph-node").count()
        return nodes, await page.locator(".jp-OutputArea-output iframe").get_attribute("src"), page.requests
    finally:
        await page.context.close()


@pytest.mark.slow
def test_the_frame_goes_through_the_notebooks_server(folder, monkeypatch):
    for name in netron.ELSEWHERE:
        monkeypatch.delenv(name, raising=False)
    with lab_server(folder, base_url=BASE, environment=ELSEWHERE) as (url, _):
        nodes, address, requests = shared_chromium().run(opened(url.format("graph.ipynb")))
        server = url.split("/user/")[0]
        with urllib.request.urlopen(server + address, timeout=10) as answer:
            assert answer.url.startswith(f"{server}{BASE}login"), "without a login nobody gets through"
    assert nodes == len(regular().graph.node)
    assert address.startswith(f"{BASE}proxy/")
    assert any(request.startswith(server + address) for request in requests)
    assert all(request.startswith((server, "blob:", "data:")) for request in requests), requests


def test_a_server_that_passes_nothing_on_is_not_used(folder, tmp_path, monkeypatch):
    """Its word for the login is another than the file says, as where it asks for a password."""
    for name in netron.ELSEWHERE:
        monkeypatch.delenv(name, raising=False)
    with lab_server(folder) as (url, _):
        monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
        monkeypatch.setenv("JPY_PARENT_PID", "7")
        running = {"url": url.partition("lab")[0], "base_url": "/", "token": ""}
        (tmp_path / "jpserver-7.json").write_text(json.dumps(running))
        server = netron_server.serve(regular(), in_notebook=True)
        server.close()
    assert not server.is_proxied
    assert server.url.startswith("http://localhost:")
