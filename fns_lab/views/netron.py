"""Show a model's graph with Netron (netron.app): in a frame, served on this machine, or as an SVG image."""

from __future__ import annotations

import base64
import html
import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import onnx
from onnx import ModelProto

from fns_lab.errors import InputError, MissingError, visible
from fns_lab.views.netron_server import Server, check_installed, serve, served_file
from fns_lab.views.netron_svg import COLUMN_GAP_PX, fold, group, share_styles, size

if TYPE_CHECKING:
    from playwright.async_api import Route

    from fns_lab.runtimes.chromium import Chromium

ORIGIN = "https://fns-lab.localhost"
"""Origin of the page while `svg` draws it. It exists nowhere: every request is answered by this module."""

FRAME_HEIGHT_PX = 640
"""Height of a frame, in pixels."""
ASPECT_RATIO = 1.2
"""Width over height of a folded graph, approximately."""

ELSEWHERE = ("JUPYTERHUB_SERVICE_PREFIX", "SSH_CONNECTION", "COLAB_RELEASE_TAG")
"""Environment variables that say that the reader's browser is on another machine, which cannot reach a port of this."""

LAYOUT_TIMEOUT_MS = 60_000
"""Time that Netron may take to lay a graph out."""

_PLAIN_BRACKETS = {ord("〈"): " (", ord("〉"): ")"}
"""Netron's angle brackets, which few fonts have."""


def svg(model: ModelProto, *, columns: int | None = None) -> str:
    """Return the graph as Netron draws it, as SVG text that loads no other file.

    A tall graph is folded into `columns`, read from left to right (None: as many as give about `ASPECT_RATIO`; 1: not
    folded). Raises `MissingError` without a browser, `InputError` for a model that Netron cannot draw.
    """
    text, boxes = _draw(model)
    text = share_styles(text.translate(_PLAIN_BRACKETS))
    width, height = size(text)
    if columns is None:
        columns = max(1, round(math.sqrt(ASPECT_RATIO * height / (width + COLUMN_GAP_PX))))
    return text if columns == 1 else fold(text, boxes, columns)


def save_svg(model: ModelProto, path: str | os.PathLike[str], *, columns: int | None = None) -> Path:
    """Write `svg(model)` to a file, atomically, and return its path."""
    from fns_lab.files import write_text

    write_text(path, svg(model, columns=columns))
    return Path(path)


def part(model: ModelProto, inputs: Iterable[str], outputs: Iterable[str]) -> ModelProto:
    """Return the part of a model that computes the values `outputs` from the values `inputs`, such as one layer.

    Raises `InputError` for a value that the model does not have, or whose type cannot be inferred.
    """
    from fns_lab.models import infer_shapes

    try:
        return onnx.utils.Extractor(infer_shapes(model)).extract_model(list(inputs), list(outputs))
    except (KeyError, ValueError) as error:
        raise InputError(f"no part from {list(inputs)} to {list(outputs)}: {error}") from None


def show(models: ModelProto | dict[str, ModelProto], *, height_px: int = 1000, live: bool = True) -> Graphs:
    """Return graphs that a notebook displays side by side, each under its label.

    In a notebook each is Netron itself: through the notebook's own server where that has jupyter-server-proxy, else at
    a port of this machine. In a report, with `live=False`, and where the reader is on another machine and there is no
    proxy, it is the image of `svg`, at most `height_px` high, or a line of text where no browser can draw it. Graphs
    that were shown under the same labels before, as when a cell runs again, end their servers.
    """
    if isinstance(models, ModelProto):
        models = {"": models}
    for server in _shown.pop(labels := tuple(models), ()):
        server.close()
    if live:
        _shown[labels] = _reachable([serve(model, in_notebook=True) for model in models.values()])
    urls = tuple(server.url for server in _shown.get(labels, ()))
    try:
        return Graphs({label: svg(model) for label, model in models.items()}, urls, height_px)
    except MissingError as error:
        return Graphs(dict.fromkeys(models, ""), urls, height_px, f"not drawn: {error}")


_shown: dict[tuple[str, ...], list[Server]] = {}
"""The servers of the graphs that are shown, by their labels."""


def _reachable(servers: list[Server]) -> list[Server]:
    """Return the servers if the reader's browser reaches them; else end them and return none."""
    if all(server.is_proxied for server in servers) or not any(name in os.environ for name in ELSEWHERE):
        return servers
    for server in servers:
        server.close()
    return []


@dataclass(frozen=True)
class Graphs:
    """The graphs that `show` displays in a notebook.

    - `images`: SVG text by label; "" if it could not be drawn
    - `urls`: address of a running Netron per image; empty for images alone
    - `height_px`: greatest height of an image
    - `note`: why there are no images, or ""
    """

    images: dict[str, str]
    urls: tuple[str, ...]
    height_px: int
    note: str = ""

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, object]:
        """Return the frames as a widget, which JupyterLab prefers, and the images as HTML, for a report."""
        images = self._row(
            [
                f"<img src='{_data_url(text)}' alt='graph' style='max-width:100%;max-height:{self.height_px}px'>"
                if text
                else f"<p>{html.escape(self.note)}</p>"
                for text in self.images.values()
            ]
        )
        bundle: dict[str, object] = {"text/plain": repr(self), "text/html": images}
        if not self.urls:
            return bundle
        from ipywidgets import HTML

        frames = self._row(
            [
                f"<iframe src='{url}' style='width:100%;height:{FRAME_HEIGHT_PX}px;border:1px solid #ddd'></iframe>"
                for url in self.urls
            ]
        )
        widget: dict[str, object] = HTML(frames)._repr_mimebundle_()
        return widget | bundle

    def _row(self, items: list[str]) -> str:
        figures = (
            f"<figure style='flex:1 1 0;margin:0;min-width:0'><figcaption><b>{html.escape(label)}</b></figcaption>"
            f"{item}</figure>"
            for label, item in zip(self.images, items, strict=False)
        )
        return f"<div style='display:flex;gap:24px;align-items:flex-start'>{''.join(figures)}</div>"

    def __repr__(self) -> str:
        return f"Graphs({', '.join(self.images) or 'one'}){f', {self.note}' * bool(self.note)}"


_EXPORT = """async () => {
    const boxes = [...document.querySelectorAll('#nodes > g, #edge-labels > *')].map((drawn) => {
        const {y, height} = drawn.getBBox();
        const top = y + (drawn.transform.baseVal.consolidate()?.matrix.f ?? 0);
        return [top, top + height];
    });
    let text = '';
    __view__.host.export = async (name, blob) => { text = await blob.text(); };
    await __view__.export('graph.svg');
    return [text, boxes];
}"""


def _draw(model: ModelProto) -> tuple[str, list[tuple[float, float]]]:
    """Return Netron's own SVG export, and the top and bottom of every node and label in it, in pixels."""
    from fns_lab.runtimes.chromium import shared_chromium

    check_installed()
    chromium = shared_chromium()
    text, boxes = chromium.run(_export(chromium, model.SerializeToString()))
    text = visible(text)  # XML has no control characters, not even written as numbers
    shift = float(group(r'id="origin" transform="translate\([^,]*, ([-\d.e]+)\)', text))
    return text, [(top + shift, bottom + shift) for top, bottom in boxes]


async def _export(chromium: Chromium, model: bytes) -> tuple[str, list[tuple[float, float]]]:
    async def serve(route: Route) -> None:
        file = served_file(route.request.url, model) if route.request.url.startswith(ORIGIN) else None
        if file is None:
            await route.fulfill(status=404)
        else:
            await route.fulfill(body=file[0], content_type=file[1])

    context = await (await chromium.browser()).new_context(color_scheme="light", bypass_csp=True)
    try:
        await context.route("**/*", serve)
        page = await context.new_page()
        await page.goto(f"{ORIGIN}/")
        await page.wait_for_selector("body.default, body.alert", timeout=LAYOUT_TIMEOUT_MS)
        if "alert" in (await page.get_attribute("body", "class") or "").split():
            raise InputError(f"Netron cannot draw this model: {await page.text_content('#message-text')}")
        text, boxes = await page.evaluate(_EXPORT)
        return text, [(top, bottom) for top, bottom in boxes]
    finally:
        await context.close()


def _data_url(text: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(text.encode()).decode()
