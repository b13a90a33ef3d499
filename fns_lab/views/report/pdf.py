"""A page of a report as PDF, printed by the browser."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from fns_lab.files import atomic_write
from fns_lab.runtimes.chromium import shared_chromium

if TYPE_CHECKING:
    from playwright.async_api import PdfMargins

MARGIN: PdfMargins = {"top": "14mm", "bottom": "16mm", "left": "14mm", "right": "14mm"}
"""Margins of a page."""
FOOTER = (
    '<div style="width: 100%; font: 8px sans-serif; text-align: center; color: #667078">'
    '<span class="pageNumber"></span> / <span class="totalPages"></span></div>'
)
"""Number of the page, and of how many."""
PRINT_LIMIT_MS = 120_000
"""Time that the browser may take to load a page."""


def write_pdf(page: Path, path: Path, printed: Collection[str] = ()) -> None:
    """Print an HTML file on A4 with page numbers, an outline and live links. Raises `MissingError` without a browser.

    Scripts do not run, so that a table has all its rows. `printed`: names of pages that have a PDF beside `path`, to
    which links to these pages lead.
    """
    with atomic_write(path) as temporary:
        shared_chromium().run(_print(page.resolve().as_uri(), temporary))
        _make_links_relative(temporary, page.resolve().parent, printed)


def _make_links_relative(pdf: Path, folder: Path, printed: Collection[str]) -> None:
    """Write links to files relative to `folder`, so that it can be moved; the browser writes whole addresses."""
    from pypdf import PdfReader, PdfWriter
    from pypdf.generic import NameObject, TextStringObject

    writer = PdfWriter(clone_from=PdfReader(pdf))
    for page in writer.pages:
        for note in page.get("/Annots", ()):
            action = note.get_object().get("/A", {})
            if str(action.get("/URI", "")).startswith("file:"):
                link = _relative(action["/URI"], folder, printed)
                action[NameObject("/URI")] = TextStringObject(link)
    writer.write(pdf)


def _relative(address: str, folder: Path, printed: Collection[str]) -> str:
    parts = urlsplit(address)
    file = Path(os.path.relpath(unquote(parts.path), folder))
    if file.suffix == ".html" and file.parent == Path() and file.stem in printed:
        file = file.with_suffix(".pdf")
    return quote(file.as_posix()) + (f"#{parts.fragment}" if parts.fragment else "")


async def _print(address: str, path: Path) -> None:
    browser = await shared_chromium().browser()
    context = await browser.new_context(java_script_enabled=False, offline=True)
    try:
        tab = await context.new_page()
        await tab.goto(address, timeout=PRINT_LIMIT_MS)
        await tab.pdf(
            path=path,
            format="A4",
            margin=MARGIN,
            print_background=True,
            display_header_footer=True,
            header_template="<span></span>",
            footer_template=FOOTER,
            outline=True,
            tagged=True,
        )
    finally:
        await context.close()
