"""A page of a report as PDF, printed by the browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fns_lab.files import atomic_write
from fns_lab.runtimes.chromium import shared_chromium

if TYPE_CHECKING:
    from playwright.async_api import PdfMargins

MARGIN: PdfMargins = {"top": "14mm", "bottom": "16mm", "left": "14mm", "right": "14mm"}
FOOTER = (
    '<div style="width: 100%; font: 8px sans-serif; text-align: center; color: #667078">'
    '<span class="pageNumber"></span> / <span class="totalPages"></span></div>'
)
PRINT_LIMIT_MS = 120_000


def write_pdf(page: Path, path: Path) -> None:
    """Print an HTML file on A4 with page numbers, an outline and live links. Raises `MissingError` without a browser.

    Scripts do not run, so that a table has all its rows.
    """
    with atomic_write(path) as temporary:
        shared_chromium().run(_print(page.resolve().as_uri(), temporary))


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
