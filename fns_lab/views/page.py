"""The HTML of a report: one page for a notebook, one for the index. Plain, light, and whole in itself."""

from __future__ import annotations

import base64
import html
import platform
import re
from collections.abc import Iterable
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from fns_lab.views.frame import HERE, framed

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from fns_lab.views.report import Card

IMAGE_TAG = "thumbnail"
"""A cell with this tag gives the notebook's card its image; without one, the last image does."""

_KINDS = ("text/html", "image/svg+xml", "image/png", "image/jpeg", "text/markdown", "text/plain")
"""What a report shows of an output, best first: no script, no widget; a widget of ours carries `text/html` too."""

_MARKS = re.compile(r"[*_`]|\[([^]]*)\]\([^)]*\)")
"""Markdown's marks; of a link, the text stays."""

_VERSIONS = ("torch", "onnx", "onnxruntime", "numpy")


def opening(notebook: NotebookNode, name: str) -> tuple[str, str]:
    """Title (the first heading) and the paragraph after it."""
    first = next((cell.source for cell in notebook.cells if cell.cell_type == "markdown"), "")
    blocks = [" ".join(block.split()) for block in first.split("\n\n") if block.strip()]
    if not blocks or not blocks[0].startswith("# "):
        return name, ""
    title, question = (_MARKS.sub(r"\1", block) for block in (blocks[0].removeprefix("# "), "".join(blocks[1:2])))
    return title, question


def thumbnail(notebook: NotebookNode) -> tuple[bytes, str] | None:
    """The image for the card as bytes and suffix, or None."""
    found = None
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            image = _image(output.get("data", {}))
            if image and IMAGE_TAG in cell.metadata.get("tags", ()):
                return image
            found = image or found
    return found


def _image(data: dict[str, str]) -> tuple[bytes, str] | None:
    for kind, suffix in (("image/png", "png"), ("image/jpeg", "jpg")):
        if kind in data:
            return base64.b64decode(data[kind]), suffix
    inside = re.search(r"data:image/(png|jpeg|svg)[^;]*;base64,([\w+/=]+)", data.get("text/html", ""))
    return (base64.b64decode(inside[2]), inside[1]) if inside else None


def notebook_page(notebook: NotebookNode, card: Card) -> str:
    """A notebook that ran as one HTML page that loads nothing; its tables sort by a click on a head."""
    failed = f'<p class="error">Stopped: {html.escape(card.error)}</p>' if card.error else ""
    header = (
        f'<p class="top"><a href="index.html">All notebooks</a> · ran in {card.time_s:.0f} s · {_made()}</p>{failed}'
    )
    script = (HERE / "report.js").read_text(encoding="utf-8")
    return _page(card.title, f"{header}{_body(notebook)}\n<script>\n{script}</script>")


def index_page(cards: Iterable[Card]) -> str:
    """The page that leads to all others."""
    items = "\n".join(map(_card, cards))
    return _page(
        "Fast neural style, converted and proved",
        f"""
<h1>Fast neural style, converted and proved</h1>
<p>From PyTorch to ONNX to a runtime in the browser that supports fewer operators: each page is a notebook that ran
from its first cell to its last.</p>
<div class="cards">
{items}
</div>
<p class="top">{_made()}</p>""",
        "index",
    )


def _card(card: Card) -> str:
    image = f'<img src="{html.escape(card.image)}" alt="">' if card.image else ""
    failed = f'<span class="error">Stopped: {html.escape(card.error)}</span>' if card.error else ""
    return (
        f'<a class="card" href="{html.escape(card.html)}"><span class="image">{image}</span>'
        f"<strong>{html.escape(card.title)}</strong><span>{html.escape(card.question)}</span>{failed}"
        f'<span class="time">{html.escape(card.name)} · {card.time_s:.0f} s</span></a>'
    )


def _body(notebook: NotebookNode) -> str:
    """nbconvert's bare HTML of the cells, each output in the best kind that needs no script."""
    from nbconvert import HTMLExporter
    from nbconvert.preprocessors import CoalesceStreamsPreprocessor
    from traitlets.config import Config

    notebook = notebook.copy()
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            _make_static(output)
    config = Config({"NbConvertBase": {"display_data_priority": list(_KINDS)}})
    exporter = HTMLExporter(
        config=config,
        template_name="basic",
        preprocessors=[CoalesceStreamsPreprocessor(enabled=True)],
        embed_images=True,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    body, _ = exporter.from_notebook_node(notebook, {"metadata": {"path": str(Path.cwd())}})
    return re.sub(r'href="([\w-]+)\.ipynb"', r'href="\1.html"', body)


def _make_static(output: NotebookNode) -> None:
    if "data" in output:
        output.data = {kind: text for kind, text in output.data.items() if kind in _KINDS} or {"text/plain": ""}


def _page(title: str, body: str, kind: str = "notebook") -> str:
    from pygments.formatters import HtmlFormatter

    colours = HtmlFormatter(style="default").get_style_defs(".highlight")
    return framed(title, body, attributes=f'class="{kind}"', styles=[colours])


def _made() -> str:
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in _VERSIONS)
    day = datetime.now().astimezone().strftime("%d %B %Y")
    return f"{day}, {platform.machine()}, Python {platform.python_version()}, {versions}"
