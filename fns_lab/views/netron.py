"""Netron (netron.app) on a model: in a frame, served on this machine, or as an SVG image that needs nothing.

Netron's Python package carries its web page. Both views hand out that page with the model beside it, less what a
local viewer has no use for: the usage report, its consent prompt, and the notice that blocks an old version.
"""

from __future__ import annotations

import base64
import html
import itertools
import math
import mimetypes
import os
import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import onnx
from onnx import ModelProto

from fns_lab.errors import InputError, MissingError

if TYPE_CHECKING:
    from playwright.async_api import Route

    from fns_lab.runtimes.chromium import Chromium

ORIGIN = "https://fns-lab.localhost"
"""Where the page believes to be while its image is taken; exists nowhere, every request is answered from here."""

COLUMN_GAP_PX = 24
FRAME_HEIGHT_PX = 640
CLEAR_OF_NODE_PX = 8
IMAGE_SHAPE = 1.2
"""Width over height that `svg` aims at when it folds a tall graph into columns."""

LONGEST_LAYOUT_MS = 60_000

_PLAIN_BRACKETS = {ord("〈"): " (", ord("〉"): ")"}
"""Netron's angle brackets stand in few fonts."""


def svg(model: ModelProto, *, columns: int | None = None) -> str:
    """The graph as Netron draws it, as SVG text that loads nothing.

    A graph is tall: it is folded into `columns`, read from left to right (None: as many as make it about as wide as
    high; 1: not folded). Raises `MissingError` without a browser, `InputError` for a model that Netron cannot draw.
    """
    text, boxes = _draw(model)
    text = _share_styles(text.translate(_PLAIN_BRACKETS))
    width, height = _size(text)
    if columns is None:
        columns = max(1, round(math.sqrt(IMAGE_SHAPE * height / (width + COLUMN_GAP_PX))))
    return text if columns == 1 else _fold(text, boxes, columns)


def save_svg(model: ModelProto, path: str | os.PathLike, *, columns: int | None = None) -> Path:
    """Write `svg(model)` to a file, whole or not at all."""
    from fns_lab.files import atomic_write

    text = svg(model, columns=columns)
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return Path(path)


def part(model: ModelProto, inputs: Iterable[str], outputs: Iterable[str]) -> ModelProto:
    """The part of a model that computes `outputs` from `inputs`, both names of values: one layer, to look at.

    Raises `InputError` for a value that the model does not have, or whose type cannot be inferred.
    """
    from fns_lab.models import infer_shapes

    try:
        return onnx.utils.Extractor(infer_shapes(model)).extract_model(list(inputs), list(outputs))
    except (KeyError, ValueError) as error:
        raise InputError(f"no part from {list(inputs)} to {list(outputs)}: {error}") from None


def show(models: ModelProto | dict[str, ModelProto], *, height_px: int = 1000, live: bool = True) -> Graphs:
    """Graphs for a notebook, side by side, each under its label.

    Where the notebook is open in a browser on this machine, each is Netron itself; in a report, on a hub and with
    `live=False` it is the image of `svg`, at most `height_px` high.
    """
    if isinstance(models, ModelProto):
        models = {"": models}
    on_hub = "JUPYTERHUB_SERVICE_PREFIX" in os.environ
    urls = tuple(serve(model).url for model in models.values()) if live and not on_hub else ()
    return Graphs({label: svg(model) for label, model in models.items()}, urls, height_px)


@dataclass(frozen=True)
class Graphs:
    """What `show` gives a notebook to display: images, and frames when there are servers behind them."""

    images: dict[str, str]
    urls: tuple[str, ...]
    height_px: int

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        """The frames as a widget, which JupyterLab prefers; the images for all else, a report among it."""
        images = self._row(
            [
                f"<img src='{_data_url(text)}' alt='graph' style='max-width:100%;max-height:{self.height_px}px'>"
                for text in self.images.values()
            ]
        )
        bundle = {"text/plain": repr(self), "text/html": images}
        if not self.urls:
            return bundle
        from ipywidgets import HTML

        frames = self._row(
            [
                f"<iframe src='{url}' style='width:100%;height:{FRAME_HEIGHT_PX}px;border:1px solid #ddd'></iframe>"
                for url in self.urls
            ]
        )
        return HTML(frames)._repr_mimebundle_() | bundle

    def _row(self, items: list[str]) -> str:
        figures = (
            f"<figure style='flex:1 1 0;margin:0;min-width:0'><figcaption><b>{html.escape(label)}</b></figcaption>"
            f"{item}</figure>"
            for label, item in zip(self.images, items, strict=False)
        )
        return f"<div style='display:flex;gap:24px;align-items:flex-start'>{''.join(figures)}</div>"

    def __repr__(self) -> str:
        return f"Graphs({', '.join(self.images) or 'one'})"


@dataclass(frozen=True)
class Server:
    """Netron with one model, on this machine only, until `close` or the end of the process."""

    url: str
    _http: ThreadingHTTPServer

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


def serve(model: ModelProto, port: int = 0) -> Server:
    """Serve Netron with `model` on localhost; port 0 takes a free one. Raises `InputError` for a port in use."""
    content = model.SerializeToString()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = _answer(self.path, content)
            self.send_response(200 if found else 404)
            body, kind = found or (b"", "text/plain")
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args) -> None:
            pass

    try:
        http = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    except OSError as error:
        raise InputError(f"port {port}: {error.strerror}; give another, or 0 for a free one") from None
    http.daemon_threads = True
    threading.Thread(target=http.serve_forever, name="netron", daemon=True).start()
    return Server(f"http://localhost:{http.server_port}/", http)


def _folder() -> Path:
    try:
        import netron
    except ImportError:
        raise MissingError("netron is not installed: run `make setup`, then `fns-lab doctor`") from None
    return Path(netron.__file__).parent


def _answer(url: str, model: bytes) -> tuple[bytes, str] | None:
    """Body and content type of one request to Netron's page, or None where there is no such file."""
    path = unquote(urlsplit(url).path).lstrip("/") or "index.html"
    if path == "data/model.onnx":
        return model, "application/octet-stream"
    folder = _folder()
    file = (folder / path).resolve()
    if not file.is_relative_to(folder.resolve()) or not file.is_file() or file.suffix == ".py":
        return None
    body = file.read_bytes()
    if path == "index.html":
        body = _local_page(body.decode()).encode()
    kind = {".js": "text/javascript"}.get(file.suffix) or mimetypes.guess_type(file.name)[0]
    return body, kind or "application/octet-stream"


def _local_page(page: str) -> str:
    """Netron's page, told which model to open, that it is no packaged version (nothing to report) and has no age."""
    page = re.sub(r'<meta name="date"[^>]*>', "", page)
    model = '<meta name="version" content="0.0.0"><meta name="file" content="/data/model.onnx">'
    page = re.sub(r'<meta name="version"[^>]*>', model, page)
    # Its script policy would keep this line out, and its own `eval` guard the driver of the image.
    page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    ready = "const own = window.eval; Object.defineProperty(window, 'eval', {get: () => own, set() {}});"
    return page.replace("<head>", f"<head><script>document.cookie = 'consent=1;path=/'; {ready}</script>", 1)


_EXPORT = """async () => {
    const boxes = [...document.querySelectorAll('#nodes > g')].map((node) => {
        const {y, height} = node.getBBox();
        const top = y + node.transform.baseVal.consolidate().matrix.f;
        return [top, top + height];
    });
    let text = '';
    __view__.host.export = async (name, blob) => { text = await blob.text(); };
    await __view__.export('graph.svg');
    return [text, boxes];
}"""


def _draw(model: ModelProto) -> tuple[str, list[tuple[float, float]]]:
    """Netron's own SVG export, and top and bottom of every node in it, in pixels."""
    from fns_lab.runtimes.chromium import shared_chromium

    _folder()
    chromium = shared_chromium()
    text, boxes = chromium.run(_export(chromium, model.SerializeToString()))
    shift = float(re.search(r'id="origin" transform="translate\([^,]*, ([-\d.e]+)\)', text)[1])
    return text, [(top + shift, bottom + shift) for top, bottom in boxes]


async def _export(chromium: Chromium, model: bytes) -> tuple[str, list[list[float]]]:
    async def serve(route: Route) -> None:
        found = _answer(route.request.url, model) if route.request.url.startswith(ORIGIN) else None
        if found is None:
            await route.fulfill(status=404)
        else:
            await route.fulfill(body=found[0], content_type=found[1])

    context = await (await chromium.browser()).new_context(color_scheme="light")
    try:
        await context.route("**/*", serve)
        page = await context.new_page()
        await page.goto(f"{ORIGIN}/")
        await page.wait_for_selector("body.default, body.alert", timeout=LONGEST_LAYOUT_MS)
        if "alert" in (await page.get_attribute("body", "class")).split():
            raise InputError(f"Netron cannot draw this model: {await page.text_content('#message-text')}")
        return await page.evaluate(_EXPORT)
    finally:
        await context.close()


def _share_styles(text: str) -> str:
    """Netron writes each element's whole style into it; the few different ones become classes. Halves the file."""
    names: dict[str, str] = {}

    def swap(match: re.Match) -> str:
        tag, style = match[0], match[1]
        if not style:
            return tag.replace(' style=""', "")
        name = names.setdefault(html.unescape(style), f"s{len(names)}")
        tag = tag.replace(f' style="{style}"', "")
        if ' class="' in tag:
            return tag.replace(' class="', f' class="{name} ', 1)
        return re.sub(r"^<([\w-]+)", rf'<\1 class="{name}"', tag)

    text = re.sub(r'<[\w-]+(?: [^<>]*?)? style="([^"]*)"[^<>]*>', swap, text)
    sheet = "".join(f".{name}{{{style}}}" for style, name in names.items())
    return re.sub(
        r"(<svg[^>]*>)", lambda match: f"{match[1]}<style>{html.escape(sheet, quote=False)}</style>", text, count=1
    )


def _size(text: str) -> tuple[float, float]:
    tag = re.search(r"<svg[^>]*>", text)[0]
    return tuple(float(re.search(rf' {side}="([\d.]+)"', tag)[1]) for side in ("width", "height"))


def _fold(text: str, boxes: list[tuple[float, float]], columns: int) -> str:
    """The same drawing as columns side by side, cut where no node is."""
    width, height = _size(text)
    cuts = _cuts(boxes, height, columns)
    tall = max(end - start for start, end in itertools.pairwise(cuts))
    head, body, tail = re.fullmatch(r"(<svg[^>]*>)(.*)(</svg>)", text, re.DOTALL).groups()
    total = len(cuts[1:]) * (width + COLUMN_GAP_PX) - COLUMN_GAP_PX
    views = "".join(
        f'<svg x="{i * (width + COLUMN_GAP_PX)}" y="0" width="{width}" height="{end - start}" '
        f'viewBox="0 {start} {width} {end - start}"><use href="#graph"/></svg>'
        for i, (start, end) in enumerate(itertools.pairwise(cuts))
    )
    head = re.sub(r' width="[^"]*"', f' width="{total}"', head)
    head = re.sub(r' height="[^"]*"', f' height="{tall}"', head)
    return f'{head}<rect width="100%" height="100%" fill="#fff"/><defs><g id="graph">{body}</g></defs>{views}{tail}'


def _cuts(boxes: list[tuple[float, float]], height: float, columns: int) -> list[float]:
    """Where columns begin and end: every `height / columns`, moved up to above a node that would be cut."""
    cuts, step = [0.0], height / columns
    while cuts[-1] + step * 1.05 < height:
        cut = cuts[-1] + step
        above = [
            top for top, bottom in boxes if top - CLEAR_OF_NODE_PX < cut < bottom and top - CLEAR_OF_NODE_PX > cuts[-1]
        ]
        cuts.append(min(above) - CLEAR_OF_NODE_PX if above else cut)
    return [*cuts, height]


def _data_url(text: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(text.encode()).decode()
