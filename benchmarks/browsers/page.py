"""The text of docs/browsers.md."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.page import table

HEAD = """\
# The site in other browsers

<!-- Written by `python -m benchmarks browsers`. -->

The web site of one small network, and a [fault page](compare.md), in three browsers as Debian packages them, through
the page's own controls. `style` compares the pixels on the screen with PyTorch's: rounding to bytes makes at most 1 of
255. `benchmark` reads the JSON that its button saves, and compares the error of each row. The fault page holds a value
that ONNX.js 0.1.8 spoils on WebGL, and shall say so wherever it is opened.

Chromium is driven by Playwright; Firefox by WebDriver BiDi, which it speaks itself (Playwright's own Firefox and WebKit
are patched builds, so they would not show what a reader has); WebKit by WebDriver, in the small browser that WebKitGTK
brings along. Firefox and WebKit run on a screen without a display, where Mesa computes WebGL on the CPU.
`apt-get install firefox-esr webkit2gtk-driver xvfb` installs both; the tests name what is missing and skip it.
"""
TAIL = """\
## What is not tried

- **Safari, and every browser of a phone.** There is no machine for them here. WebKitGTK shares Safari's engine for
  pages and for JavaScript, and nothing of its graphics.
- **WebGPU in Firefox and WebKit.** Debian's builds find no adapter here.
- **Files of the reader, the webcam, the clipboard, a page without a network** in Firefox and WebKit. The suite tries
  them in Chromium.
- **WebKit's console**: its driver gives no access to it.
- WebKitGTK has WebGL in a page and not in a worker, where the site runs its engines: there the two WebGL engines say
  so and do not run.
- WebKitGTK calls itself Safari on four cores, whatever the machine has, so its results have that name.
"""


def text(rows: Sequence[dict]) -> str:
    """Return the page."""
    parts = [HEAD]
    for browser in dict.fromkeys(row["browser"] for row in rows):
        own = [row for row in rows if row["browser"] == browser]
        wrong = sum(not row["right"] for row in own)
        count = f"{len(own)} tried, {wrong or 'no'} fault{'s' * (wrong != 1)}"
        cells = [[row["tried"], row["engine"] and f"`{row['engine']}`", _result(row)] for row in own]
        parts.append(f"## {browser}\n\n{count}.\n\n" + table(["tried", "engine", "result"], cells))
    return "\n".join([*parts, TAIL])


def _result(row: dict) -> str:
    text = row["result"].replace("|", "\\|")
    return text if row["right"] else f"**{text}**"
