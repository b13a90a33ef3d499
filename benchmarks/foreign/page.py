"""The text of docs/models.md: the models, where they run, and what stops the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.foreign.models import ForeignModel
from benchmarks.page import NUMBERS, results, table

HEAD = f"""\
# Other people's models

<!-- Written by `python -m benchmarks foreign`. -->

ONNX files from packages of pip and npm, each lowered with fixed input shapes for the targets below and run there in
the real engine on drawn input.

{NUMBERS}"""


def text(models: Sequence[ForeignModel], rows: Sequence[dict]) -> str:
    """Return the page."""
    files = table(["model", "task", "made by", "package", "licence", "file"], _files(models))
    return "\n".join([HEAD, results([model.name for model in models], rows), "## The files\n\n" + files])


def _files(models: Sequence[ForeignModel]) -> list[list[str]]:
    return [
        [m.name, m.task, m.exporter, f"{m.registry}: {m.package} {m.version}", m.licence, _listed(m.files.items())]
        for m in models
    ]


def _listed(files: Iterable[tuple[str, str]]) -> str:
    return "<br>".join(f"`{name}`, SHA-256 `{digest}`" for name, digest in files)
