"""The JavaScript of every page: ES modules without a bundler, typed with JSDoc, checked by `tsc`.

A page from a server loads the modules one by one. A page from a disk may not; it embeds them as one script (`joined`).
"""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
"""Folder of the modules, style sheets and pages."""

IMPORT = re.compile(r'^import [^;"]*from "(\.[^"]+)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const|let|class) )", re.MULTILINE)


def text(name: str) -> str:
    """Return the content of one file of this folder, such as `site/site.css`."""
    return (HERE / name).read_text(encoding="utf-8")


def modules(entry: str) -> list[str]:
    """Return the modules that `entry` needs, itself last, each after those that it imports."""
    found: dict[str, None] = {}
    _visit((HERE / entry).resolve(), found, ())
    return list(found)


def joined(entry: str) -> str:
    """Return one classic script that holds `entry` and all that it imports.

    The modules share one scope, so their top-level names must differ, and none may be imported under another name.
    """
    parts = (EXPORT.sub("", IMPORT.sub("", text(name))) for name in modules(entry))
    return "(() => {\n" + '"use strict";\n' + "\n".join(parts) + "})();\n"


def _visit(path: Path, found: dict[str, None], above: tuple[Path, ...]) -> None:
    name = path.relative_to(HERE).as_posix()
    if name in found:
        return
    if path in above:
        raise ValueError(f"{name} imports itself, through {above[-1].name}")
    for imported in IMPORT.findall(path.read_text(encoding="utf-8")):
        _visit((path.parent / imported).resolve(), found, (*above, path))
    found[name] = None
