"""The frame of every HTML page that this project writes: whole in itself, it loads nothing."""

from __future__ import annotations

import html
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).parent


def framed(title: str, body: str, *, attributes: str, styles: Iterable[str], scripts: str = "") -> str:
    """A page of `body`, HTML, in the style of the reports and of `styles`, CSS.

    `attributes` are those of the body's tag, `scripts` the tags that follow what is seen.
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
