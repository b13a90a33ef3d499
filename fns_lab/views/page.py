"""The HTML of a report: one page per notebook and an index. Each page is one file that loads no other."""

from __future__ import annotations

import base64
import html
import platform
import re
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from fns_lab.views.frame import HERE, framed

if TYPE_CHECKING:
    from nbformat import NotebookNode

IMAGE_TAG = "thumbnail"
"""The notebook's card shows the image of the cell with this tag; without such a cell, the last image."""

_MIME_TYPES = ("text/html", "image/svg+xml", "image/png", "image/jpeg", "text/markdown", "text/plain")
"""MIME types that a report shows of an output, best first: no script, no widget. Our widgets have `text/html` too."""

_MARKUP = re.compile(r"[*_`]|\[([^]]*)\]\([^)]*\)")
"""Markdown's emphasis, code and links; of a link, group 1 is the text."""

_INDEX_TITLE = "Fast neural style, converted and checked"
_VERSIONS = ("torch", "onnx", "onnxruntime", "numpy")


@dataclass(frozen=True)
class Card:
    """What the index shows of one notebook. Files are named relative to the report's folder.

    - `name`: the notebook's file name without suffix
    - `source`: the notebook's own path; a card is dropped from the index once that file is gone
    - `title`: the notebook's first heading
    - `question`: the paragraph after it, or ""
    - `html`: the notebook's page
    - `image`: the image on the card, or None
    - `time_s`: duration of the run, in seconds
    - `error`: None, or the error of the failed cell in one line
    """

    name: str
    source: str
    title: str
    question: str
    html: str
    image: str | None
    time_s: float
    error: str | None


def title_and_question(notebook: NotebookNode, name: str) -> tuple[str, str]:
    """Return the notebook's first heading and the paragraph after it as plain text; `name` and "" without a heading."""
    first = next((cell.source for cell in notebook.cells if cell.cell_type == "markdown"), "")
    blocks = [" ".join(block.split()) for block in first.split("\n\n") if block.strip()]
    if not blocks or not blocks[0].startswith("# "):
        return name, ""
    title, question = (_MARKUP.sub(r"\1", block) for block in (blocks[0].removeprefix("# "), "".join(blocks[1:2])))
    return title, question


def thumbnail(notebook: NotebookNode) -> tuple[bytes, str] | None:
    """Return the content and suffix of the image file for the notebook's card, or None if it shows no image."""
    latest = None
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            image = _image(output.get("data", {}))
            if image and IMAGE_TAG in cell.metadata.get("tags", ()):
                return image
            latest = image or latest
    return latest


def _image(data: dict[str, str]) -> tuple[bytes, str] | None:
    for kind, suffix in (("image/png", "png"), ("image/jpeg", "jpg")):
        if kind in data:
            return base64.b64decode(data[kind]), suffix
    inline = re.search(r"data:image/(png|jpeg|svg)[^;]*;base64,([\w+/=]+)", data.get("text/html", ""))
    return (base64.b64decode(inline[2]), inline[1]) if inline else None


def notebook_page(notebook: NotebookNode, card: Card) -> str:
    """Return the HTML page of a notebook that has run. A click on a column's head sorts its table."""
    error = f'<p class="error">Failed: {html.escape(card.error)}</p>' if card.error else ""
    links = f'<a href="index.html">All notebooks</a> · ran in {card.time_s:.0f} s · {_environment()}'
    header = f'<p class="meta">{links}</p>{error}'
    script = (HERE / "report.js").read_text(encoding="utf-8")
    return _page(card.title, f"{header}{_body(notebook)}\n<script>\n{script}</script>")


def index_page(cards: Iterable[Card]) -> str:
    """Return the HTML page that links to the page of every card."""
    items = "\n".join(map(_card, cards))
    return _page(
        _INDEX_TITLE,
        f"""
<h1>{_INDEX_TITLE}</h1>
<p>From PyTorch to ONNX to a runtime in the browser that supports fewer operators. Each page is a notebook with the
outputs of one run, from its first cell on.</p>
<div class="cards">
{items}
</div>
<p class="meta">{_environment()}</p>""",
        "index",
    )


def _card(card: Card) -> str:
    image = f'<img src="{html.escape(card.image)}" alt="">' if card.image else ""
    error = f'<span class="error">Failed: {html.escape(card.error)}</span>' if card.error else ""
    return (
        f'<a class="card" href="{html.escape(card.html)}"><span class="image">{image}</span>'
        f"<strong>{html.escape(card.title)}</strong><span>{html.escape(card.question)}</span>{error}"
        f'<span class="time">{html.escape(card.name)} · {card.time_s:.0f} s</span></a>'
    )


def _body(notebook: NotebookNode) -> str:
    """Return nbconvert's bare HTML of the cells, each output in the best of `_MIME_TYPES`."""
    from nbconvert import HTMLExporter
    from nbconvert.preprocessors import CoalesceStreamsPreprocessor
    from traitlets.config import Config

    notebook = deepcopy(notebook)
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            _drop_scripts(output)
    config = Config({"NbConvertBase": {"display_data_priority": list(_MIME_TYPES)}})
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


def _drop_scripts(output: NotebookNode) -> None:
    """Keep only the representations in `_MIME_TYPES`."""
    if "data" in output:
        output.data = {kind: text for kind, text in output.data.items() if kind in _MIME_TYPES} or {"text/plain": ""}


def _page(title: str, body: str, kind: str = "notebook") -> str:
    from pygments.formatters import HtmlFormatter

    colours = HtmlFormatter(style="default").get_style_defs(".highlight")
    return framed(title, body, attributes=f'class="{kind}"', styles=[colours])


def _environment() -> str:
    """Return the day, the machine and the versions that a page was written with."""
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in _VERSIONS)
    day = datetime.now().astimezone().strftime("%d %B %Y")
    return f"{day}, {platform.machine()}, Python {platform.python_version()}, {versions}"
