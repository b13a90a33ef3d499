"""Netron on a model: served on this machine, and drawn by its own page in a real browser."""

from __future__ import annotations

import functools
import http.server
import os
import re
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from urllib.parse import urlsplit
from xml.etree import ElementTree

import onnx
import pytest

from fns_lab import models
from fns_lab.errors import InputError
from fns_lab.views import netron, netron_server
from tests.small_network import regular, rewritten

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def server():
    server = netron_server.serve(regular())
    yield server
    server.close()


def get(server, path=""):
    with urllib.request.urlopen(server.url + path, timeout=10) as answer:
        return answer.read()


def test_serves_the_page_and_the_model(server):
    page = get(server).decode()
    assert "Netron" in page
    assert onnx.load_model_from_string(get(server, re.search(r'name="file" content="([^"]*)"', page)[1])) == regular()


def test_page_reports_nothing_and_never_grows_too_old(server):
    page = get(server).decode()
    assert 'name="version" content="0.0.0"' in page, "Netron sends a usage report for any other version"
    assert 'name="date"' not in page
    assert "consent=1" in page, "else it asks a server where the reader is"


@pytest.mark.parametrize(
    "path", ["%00", "x" * 5000, "nothing.js", "../netron/server.py", "server.py", "%2e%2e/%2e%2e/pip/__init__.py"]
)
def test_serves_nothing_else(server, path):
    with pytest.raises(urllib.error.HTTPError, match="404"):
        get(server, path)


def answer(server, path, host):
    with socket.create_connection(("127.0.0.1", urlsplit(server.url).port), timeout=10) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
        return b"".join(iter(lambda: connection.recv(4096), b"")).split(b"\r\n\r\n")[0].decode()


def test_only_who_knows_the_address_reads_the_model(server):
    """A page of another site can make its own name lead to this machine, and then read answers as its own."""
    address = urlsplit(server.url)
    own = f"localhost:{address.port}"
    path = f"{address.path}data/model.onnx"
    assert " 200 " in answer(server, path, own)
    assert " 200 " in answer(server, path, f"127.0.0.1:{address.port}")
    assert " 404 " in answer(server, path, f"evil.example:{address.port}")
    assert " 404 " in answer(server, "/data/model.onnx", own)
    assert " 404 " in answer(server, "/guessed/data/model.onnx", own)
    assert "Access-Control-Allow-Origin" not in answer(server, path, own)


def test_two_servers_show_two_models(server):
    other = netron_server.serve(rewritten())
    try:
        assert get(other, "data/model.onnx") != get(server, "data/model.onnx")
    finally:
        other.close()


def test_port_in_use_is_one_line():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(InputError, match=r"^port \d+: .*; give another"):
            netron_server.serve(regular(), taken.getsockname()[1])


def test_part_is_one_layer():
    assert models.count_ops(netron.part(regular(), ["conv1"], ["norm"])) == {"InstanceNormalization": 1}
    assert sum(models.count_ops(netron.part(rewritten(), ["conv1"], ["norm"])).values()) == 9


def test_part_names_a_value_that_is_not_there():
    with pytest.raises(InputError, match="nowhere"):
        netron.part(regular(), ["nowhere"], ["norm"])


@pytest.fixture(scope="module")
def tall():
    return netron.svg(rewritten(), columns=3)


@pytest.mark.browser
def test_svg_shows_every_op_and_loads_nothing(tall):
    root = ElementTree.fromstring(tall)
    shown = ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]
    for op, count in models.count_ops(rewritten()).items():
        assert shown.count(op) == count, op
    assert not re.search(r'(href|src)="(?!#)', tall)
    assert "@import" not in tall


@pytest.mark.browser
def test_svg_folds_without_cutting_a_node(tall):
    root = ElementTree.fromstring(tall)
    columns = [[float(n) for n in column.get("viewBox").split()] for column in root.findall(f"{SVG}svg")]
    assert len(columns) >= 3
    shift = float(re.search(r'id="origin" transform="translate\([^,]*, ([-\d.]+)', tall)[1])
    tops = [
        shift + float(re.search(r",([-\d.]+)\)", node.get("transform"))[1])
        for node in root.iter(f"{SVG}g")
        if "graph-node" in node.get("class", "")
    ]
    assert len(tops) == len(rewritten().graph.node)
    for top in tops:
        assert sum(y <= top and top + 18 <= y + height for _, y, _, height in columns) == 1, "a node's title was cut"
    labels = [text for text in root.iter(f"{SVG}text") if "edge-label" in text.get("class", "")]
    assert labels
    for label in labels:
        line = shift + float(re.search(r",([-\d.]+)\)", label.get("transform"))[1])
        assert sum(y + 4 <= line <= y + height - 2 for _, y, _, height in columns) == 1, "a shape on a line was cut"


@pytest.mark.browser
def test_show_gives_images_to_a_report_and_frames_to_a_notebook(monkeypatch):
    for name in netron.ELSEWHERE:
        monkeypatch.delenv(name, raising=False)
    both = {"before": netron.part(regular(), ["conv1"], ["norm"]), "after": regular()}
    live = netron.show(both)._repr_mimebundle_()
    assert live["text/html"].count("data:image/svg+xml;base64,") == 2
    assert "iframe" not in live["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in live
    monkeypatch.setenv("COLAB_RELEASE_TAG", "1")
    assert netron.show(both).urls == (), "a browser elsewhere cannot reach this machine's localhost"


@pytest.mark.browser
def test_save_svg(tmp_path):
    path = netron.save_svg(regular(), tmp_path / "small.svg")
    assert ElementTree.parse(path).getroot().tag == f"{SVG}svg"


@pytest.fixture
def notebook(server, tmp_path):
    """The address of a page of another site, on this machine, with Netron in a frame, as in a notebook."""
    frame = f"<iframe src='{server.url}' style='width:900px;height:600px'></iframe>"
    (tmp_path / "index.html").write_text(frame)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as pages:
        threading.Thread(target=pages.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{pages.server_port}/"
        pages.shutdown()


@pytest.mark.browser
@pytest.mark.parametrize("in_a_frame", [False, True])
def test_served_page_draws_the_model_and_asks_nobody_else(server, notebook, in_a_frame):
    """In a frame of another site a browser keeps the page from storing cookies."""
    from fns_lab.runtimes.chromium import shared_chromium

    chromium, asked = shared_chromium(), []

    async def visit():
        context = await (await chromium.browser()).new_context()
        try:
            context.on("request", lambda request: asked.append(request.url))
            page = await context.new_page()
            await page.goto(notebook if in_a_frame else server.url)
            shown = page.frame_locator("iframe") if in_a_frame else page
            await shown.locator("body.default #nodes").wait_for(timeout=90_000)
            return await shown.locator("#nodes > .graph-node").count(), await context.cookies()
        finally:
            await context.close()

    assert chromium.run(visit()) == (len(regular().graph.node), [])
    assert len(asked) > 5
    assert all(url.startswith((server.url, "data:", "blob:", notebook)) for url in asked), asked


@pytest.mark.browser
def test_svg_of_names_with_control_characters_is_xml():
    model = regular()
    model.graph.node[0].name = "\x1b[2Jname\x07"
    model.graph.name = "\x1b]0;title\x07"
    ElementTree.fromstring(netron.svg(model))


@pytest.mark.browser
def test_a_cell_that_runs_again_ends_its_servers(monkeypatch):
    for name in netron.ELSEWHERE:
        monkeypatch.delenv(name, raising=False)
    (first,) = netron.show(regular()).urls
    netron.show(regular())
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(first, timeout=5)


@pytest.mark.browser
def test_over_ssh_there_are_images_alone(monkeypatch):
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.1 5 192.0.2.2 22")
    assert netron.show(regular()).urls == ()


def test_where_no_browser_draws_there_is_a_line_in_its_place(tmp_path):
    models.save(regular(), tmp_path / "small.onnx")
    code = f"""
from fns_lab import models
from fns_lab.views import netron
shown = netron.show(models.load({str(tmp_path / "small.onnx")!r}), live=False)
print(shown, shown._repr_mimebundle_()["text/html"])
"""
    environment = os.environ | {"FNS_LAB_BROWSER": "/bin/<none>", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    said = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert "not drawn: FNS_LAB_BROWSER is '/bin/<none>'" in said
    assert "<p>not drawn: FNS_LAB_BROWSER is &#x27;/bin/&lt;none&gt;&#x27;" in said
