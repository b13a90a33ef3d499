"""The frame of every HTML page that this project writes. It is one file that loads no other."""

from __future__ import annotations

import html
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).parent
"""Folder of the style sheets and scripts that are copied into the pages."""


def framed(title: str, body: str, *, attributes: str, styles: Iterable[str], scripts: str = "") -> str:
    """Return an HTML page with a title, a body and the reports' style sheet.

    `body` is the HTML of the visible part, `attributes` those of the `body` tag, `styles` more style sheets (CSS),
    `scripts` the `script` tags that follow the visible part.
    """
    style = "\n".join([(HERE / "report.css").read_text(encoding="utf-8"), *styles])
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{html.escape(title)}</title>
<style>
{style}
</style>
</head>
<body {attributes}>
<main>
{body}
</main>
{scripts}
</body>
</html>
"""
