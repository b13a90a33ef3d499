"""A preview without its kernel, as HTML that loads nothing: a still picture, or one with the line and the zoom."""

from __future__ import annotations

import base64
import gzip
import html
import json
from collections.abc import Mapping

from fns_lab import web
from fns_lab.views.widgets.choice import Choice
from fns_lab.views.widgets.pixels import Pixels, png_of


def still(figures: Mapping[str, Pixels], choice: Choice, status: str) -> str:
    """Return images side by side, each above its label, and below them what was chosen and the status line."""
    shown = {label: base64.b64encode(png_of(image)).decode() for label, image in figures.items() if image}
    width = 96 // max(2, len(shown))
    blocks = "".join(
        f"<figure style='display:inline-block;margin:0 4px 0 0;width:{width}%'>"
        f"<img src='data:image/png;base64,{content}' alt='{html.escape(label)}' style='width:100%'>"
        f"<figcaption>{html.escape(label)}</figcaption></figure>"
        for label, content in shown.items()
    )
    return f"<div>{blocks}<p>{html.escape(caption(choice))}<br>{html.escape(status)}</p></div>"


def interactive(before: Pixels, after: Pixels, error: Pixels, choice: Choice, status: str) -> str:
    """Return both images, one over the other, with the controls of how they are shown, and the module inside.

    Where no script runs, as in a PDF, they stand side by side.
    """
    images = {"before": _packed(before), "after": _packed(after), "error": _packed(error)}
    state = {**images, "caption": caption(choice), "status": status}
    printed = still({"before": before, "after": after}, choice, status)
    return (
        f"<style>{web.text('preview/preview.css')}</style>"
        f"<div class='fns-preview' data-state='{html.escape(json.dumps(state))}'><noscript>{printed}</noscript></div>"
        f"<script type='module'>{script()}</script>"
    )


def script() -> str:
    """Return the script of every interactive preview, the same for all, so that a page can allow it by its hash."""
    show = "for (const place of document.querySelectorAll('.fns-preview[data-state]')) showKept(place);"
    return web.module("preview/page.js").replace("</script", "<\\/script") + show


def caption(choice: Choice) -> str:
    """Return what was chosen, in one line."""
    size = "{} x {}".format(*choice.size) if choice.size else "the image's own size"
    return " · ".join([choice.image, choice.network, size, choice.model, choice.engine])


def _packed(pixels: Pixels) -> Pixels | None:
    """Return pixels as JSON holds them, their bytes gzipped and as base64."""
    if not pixels:
        return None
    return {**pixels, "data": base64.b64encode(gzip.compress(pixels["data"], mtime=0)).decode("ascii")}
