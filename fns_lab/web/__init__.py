"""The JavaScript of every page: ES modules without a bundler, typed with JSDoc, checked by `tsc`.

A page from a server loads the modules one by one. A page from a disk may not; it embeds them as one script (`joined`).
"""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
"""Folder of the modules, style sheets and pages."""

IMPORT = re.compile(r'^import \{([^;"]*)\} from "(\.[^"]+)";\n', re.MULTILINE)
"""An import of a module, as these modules write it."""
EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const|let|class) (\w+))", re.MULTILINE)
"""An export of a module, as these modules write it."""


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

    Each module becomes a function that returns what the module exports, so an export may not change after it is made.
    """
    bodies = "\n".join(map(_as_function, modules(entry)))
    return f'(() => {{\n"use strict";\nconst modules = {{}};\n{bodies}}})();\n'


def module(entry: str) -> str:
    """Return one ES module that holds `entry` and all that it imports, and exports what `entry` exports.

    It is what `joined` returns, but for a page that imports it.
    """
    bodies = "\n".join(map(_as_function, modules(entry)))
    names = ", ".join(EXPORT.findall(text(entry)))
    return f'const modules = {{}};\n{bodies}export const {{ {names} }} = modules["{entry}"];\n'


def _as_function(name: str) -> str:
    def constants(match: re.Match[str]) -> str:
        return f'const {{{match[1].replace(" as ", ": ")}}} = modules["{_resolved(name, match[2])}"];\n'

    body = IMPORT.sub(constants, text(name))
    exports = ", ".join(EXPORT.findall(body))
    return f'modules["{name}"] = (() => {{\n{EXPORT.sub("", body)}return {{ {exports} }};\n}})();\n'


def _resolved(name: str, imported: str) -> str:
    return ((HERE / name).parent / imported).resolve().relative_to(HERE).as_posix()


def _visit(path: Path, found: dict[str, None], above: tuple[Path, ...]) -> None:
    name = path.relative_to(HERE).as_posix()
    if name in found:
        return
    if path in above:
        raise ValueError(f"{name} imports itself, through {above[-1].name}")
    for _, imported in IMPORT.findall(path.read_text(encoding="utf-8")):
        _visit(HERE / _resolved(name, imported), found, (*above, path))
    found[name] = None
