"""Parameters of notebooks, given as NAME=VALUE and checked against the notebooks' own parameters cells."""

from __future__ import annotations

import ast
import difflib
import os
from collections.abc import Iterable, Mapping
from typing import Any

from fns_lab.errors import InputError

Parameters = dict[str, Any]
"""Values of a notebook's parameters, by name."""


def parse(texts: Iterable[str]) -> dict[str, str]:
    """Return `{"steps": "7", "photo": "cat"}` for `["steps=7", "photo=cat"]`.

    Raises `InputError` for what is no NAME=VALUE, and for a name that is given twice.
    """
    parameters: dict[str, str] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not (sign and name.isidentifier()):
            raise InputError(f"-p {text}: give NAME=VALUE, such as steps=80")
        if name in parameters:
            raise InputError(f"-p {text}: {name} is given twice")
        parameters[name] = value
    return parameters


def _value(text: str) -> Any:
    """Return what Python reads in a text, such as `True`, `1e-3` or `["cat", "coffee"]`, else the text."""
    for read in (ast.literal_eval, float):
        try:
            return read(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
    return text


def assigned(paths: Iterable[str | os.PathLike[str]], parameters: Mapping[str, Any]) -> dict[str, Parameters]:
    """Return the parameters of each notebook, by its path: those of `parameters` that its parameters cell has.

    A value given as text is read as Python writes it, unless the default is text. Raises `InputError` for a name
    that no notebook has, with the nearest that one has, and for a value of another type than the default.
    """
    defaults = {os.fspath(path): defaults_of(path) for path in paths}
    known = sorted({name for by_name in defaults.values() for name in by_name})
    for name in parameters:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"do you mean {near[0]}?" if near else f"there are {', '.join(known)}" if known else "none has any"
            raise InputError(f"-p {name}: no such parameter in {', '.join(map(os.path.basename, defaults))}; {hint}")
    return {
        path: {name: _fitted(name, value, by_name[name]) for name, value in parameters.items() if name in by_name}
        for path, by_name in defaults.items()
    }


def defaults_of(path: str | os.PathLike[str]) -> Parameters:
    """Return the default of each parameter of a notebook; `...` where it is no plain value."""
    import nbformat
    from papermill.translators import PythonTranslator

    cells = nbformat.read(path, as_version=4).cells
    cell = next((cell for cell in cells if "parameters" in cell.metadata.get("tags", ())), None)
    return {entry.name: _default(entry.default) for entry in PythonTranslator.inspect(cell)} if cell else {}


def _default(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return ...


def _fitted(name: str, value: Any, default: Any) -> Any:
    if isinstance(default, str):
        return str(value)
    value = _value(value) if isinstance(value, str) else value
    if default is None or default is ... or value is None:
        return value
    if isinstance(default, float) and type(value) is int:
        return float(value)
    if isinstance(default, list | tuple) and isinstance(value, list | tuple):
        return type(default)(value)
    if type(value) is not type(default):
        kind = type(default).__name__
        raise InputError(f"-p {name}={value}: its default is {default!r}, so give a value of the type {kind}")
    return value


def register_tuples() -> None:
    """Let papermill write tuples, which it would turn into text."""
    from papermill.translators import PythonTranslator, papermill_translators

    class Translator(PythonTranslator):  # type: ignore[misc]
        @classmethod
        def translate(cls, val: Any) -> str:
            if isinstance(val, tuple):
                return f"({', '.join(map(cls.translate, val))}{',' * (len(val) == 1)})"
            text: str = super().translate(val)
            return text

    papermill_translators.register("python", Translator)
