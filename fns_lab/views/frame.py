"""The frame of every HTML page that this project writes. It is one file, and its policy lets it load no other."""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"
"""Folder of the templates, style sheets and scripts of the pages."""

POLICY = (
    "default-src 'none'; script-src {scripts} blob: 'wasm-unsafe-eval'; worker-src blob:; style-src 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src data: blob:; font-src data:; base-uri 'none'; form-action 'none'"
)
"""The content security policy: only the page's own scripts run, by their hash, and none that an output brings."""

SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
"""A script in its tag."""


def framed(
    title: str,
    body: str = "",
    *,
    attributes: str,
    styles: Iterable[str],
    scripts: str = "",
    allowed: Iterable[str] = (),
    author: str = "",
    policy: str = POLICY,
    template: str = "frame.html.j2",
    **values: object,
) -> str:
    """Return an HTML page with a title, a body and the reports' style sheet.

    `body` is the HTML of the visible part, `attributes` those of the `body` tag, `styles` more style sheets (CSS),
    `scripts` the `script` tags that follow the visible part. These alone may run, and in `body` the scripts whose text
    is one of `allowed`. `policy` is the page's content security policy, with `{scripts}` for their hashes. `values` are
    those of `template`.
    """
    values |= {
        "title": title,
        "body": body,
        "attributes": attributes,
        "styles": [read("report.css"), *styles],
        "scripts": scripts,
        "author": author,
        "policy": policy.format(scripts=" ".join(map(_hash, [*SCRIPT.findall(scripts), *allowed]))),
    }
    return _environment().get_template(template).render(values)


def read(name: str) -> str:
    """Return the text of a file in `TEMPLATES`."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    """Return the hash of a script as a content security policy writes it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


@functools.cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(["html.j2", "j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
