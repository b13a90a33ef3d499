"""Whether files are whole, told by reading them."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd

from fns_lab import arrays, images, models

READERS: dict[str, Callable[[Path], object]] = {
    ".onnx": models.load,
    ".npz": arrays.load_arrays,
    ".png": images.load,
    ".svg": ElementTree.parse,
    ".csv": pd.read_csv,
    ".json": lambda path: json.loads(path.read_text(encoding="utf-8")),
    ".pth": zipfile.ZipFile,
    ".ckpt": zipfile.ZipFile,
    ".html": lambda path: path.read_text(encoding="utf-8").rstrip().endswith("</html>") or _cut(path),
}
"""By suffix, what reads a whole file and raises for a part of one."""


def parts(folder: Path) -> list[Path]:
    """Return what was being written in a folder and was not deleted."""
    return [path for path in folder.rglob("*") if path.name.startswith(".") and path.suffix in (".part", ".old")]


def broken(folder: Path) -> list[str]:
    """Return a line for each file that is not whole, except parts, which the next run deletes."""
    lines = []
    for path in (path for path in folder.rglob("*") if path.is_file()):
        if any(part.startswith(".") for part in path.relative_to(folder).parts) or ".part" in path.name:
            continue
        try:
            READERS.get(path.suffix, lambda path: path.stat().st_size or _cut(path))(path)
        except Exception as error:  # each reader has exceptions of its own
            lines.append(f"{path.relative_to(folder)} is not whole: {error}")
    return lines


def _cut(path: Path) -> None:
    raise ValueError(f"{path.name} is cut off")
