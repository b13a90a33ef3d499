"""A preview without its widget: the images and choices that it shows, as HTML that loads nothing."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping

from fns_lab.views.widgets.choice import Choice
from fns_lab.views.widgets.pixels import Pixels, png_of


def still(figures: Mapping[str, Pixels], choice: Choice, status: str) -> str:
    """Return images side by side, each above its label, and below them what was chosen and the status line."""
    size = "{} x {}".format(*choice.size) if choice.size else "the image's own size"
    caption = " · ".join([choice.image, choice.network, size, choice.model, choice.engine])
    shown = {label: base64.b64encode(png_of(image)).decode() for label, image in figures.items() if image}
    width = 96 // max(2, len(shown))
    blocks = "".join(
        f"<figure style='display:inline-block;margin:0 4px 0 0;width:{width}%'>"
        f"<img src='data:image/png;base64,{content}' alt='{html.escape(label)}' style='width:100%'>"
        f"<figcaption>{html.escape(label)}</figcaption></figure>"
        for label, content in shown.items()
    )
    return f"<div>{blocks}<p>{html.escape(caption)}<br>{html.escape(status)}</p></div>"
