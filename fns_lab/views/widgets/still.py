"""A preview without its widget: the images and choices that it shows, as HTML that loads nothing."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping

from fns_lab.views.widgets.choice import Choice


def still(figures: Mapping[str, bytes], choice: Choice, status: str) -> str:
    """Return PNG files side by side, each above its label, and below them what was chosen and the status line."""
    size = "{} x {}".format(*choice.size) if choice.size else "the image's own size"
    caption = " · ".join([choice.image, choice.network, size, choice.model, choice.engine])
    shown = {label: base64.b64encode(png).decode() for label, png in figures.items() if png}
    width = 96 // max(2, len(shown))
    blocks = "".join(
        f"<figure style='display:inline-block;margin:0 4px 0 0;width:{width}%'>"
        f"<img src='data:image/png;base64,{content}' alt='{html.escape(label)}' style='width:100%'>"
        f"<figcaption>{html.escape(label)}</figcaption></figure>"
        for label, content in shown.items()
    )
    return f"<div>{blocks}<p>{html.escape(caption)}<br>{html.escape(status)}</p></div>"
