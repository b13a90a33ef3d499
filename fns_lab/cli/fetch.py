"""The command fetch: download what the repository does not hold."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from fns_lab.errors import InputError

ENGINE, ENGINES = "engine", "engines"
"""As the first WHAT: that engines of other versions follow; that the pinned ones for a browser are meant."""


class What(StrEnum):
    """What can be fetched, in the order in which it is fetched."""

    PHOTOS = "photos"
    STYLES = "styles"
    MODELS = "models"


def fetch(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="WHAT", help="photos, styles, models (default: these), engines, or engine PACKAGE@VERSION..."
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FOLDER", help="Folder for one WHAT.", show_default=False)
    ] = None,
    mirror: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="URL",
            help="Address of a folder with upstream's candy.jpg and so on, and saved_models.zip.",
        ),
    ] = None,
) -> None:
    """Download images and networks that the repository does not hold.

    The paths of the files are printed.

    \b
    photos  photographs to train on, copied from an installed package,
            not downloaded; into data/photos
    styles  the four style images of pytorch/examples fast_neural_style;
            into data/style-images/upstream
    models  its four pretrained networks; into saved_models/upstream
    engines ONNX.js and ONNX Runtime Web from npm, and a browser if none
            starts; without a clone into FNS_LAB_HOME
    engine  PACKAGE@VERSION: another version of an engine, beside the one
            that is installed; into .cache/engines

    Downloads are checked, and continue where they were interrupted. They are other people's works: data/README.md names
    the authors and what is known of the licences.

    \b
    Examples:
      fns-lab fetch photos
      fns-lab fetch styles models
      fns-lab fetch engines
      fns-lab fetch models --from https://mirror.example/fast_neural_style -o my_models
      fns-lab fetch engine onnxruntime-web@1.22.0 onnxruntime@1.23.2
    """
    if what == [ENGINES]:
        _install(output, mirror)
        return
    if what and what[0] == ENGINE:
        _fetch_engines(what[1:], output, mirror)
        return
    _fetch_files(_wanted(what or list(What)), output, mirror)


def _wanted(names: list[str]) -> set[What]:
    for name in names:
        if name not in list(What):
            every = ", ".join(repr(str(what)) for what in [*What, ENGINES, ENGINE])
            raise InputError(f"WHAT: {name!r} is not one of {every}")
    return {What(name) for name in names}


def _install(output: Path | None, mirror: str | None) -> None:
    from fns_lab.runtimes import install

    if output or mirror:
        raise InputError("fetch engines: --output and --from are not for engines; FNS_LAB_HOME names their folder")
    print(install.engines(), flush=True)
    print(f"browser: {install.browser()}")


def _fetch_engines(specs: list[str], output: Path | None, mirror: str | None) -> None:
    from fns_lab.fetch import engines

    if not specs:
        raise InputError("fetch engine: give PACKAGE@VERSION, such as onnxruntime-web@1.22.0")
    if output or mirror:
        raise InputError("fetch engine: --output and --from are not for engines; pip and npm have their own settings")
    for spec in specs:
        engines.parse(spec)
    for spec in specs:
        print(engines.fetch(spec), flush=True)


def _fetch_files(wanted: set[What], output: Path | None, mirror: str | None) -> None:
    from fns_lab import photos
    from fns_lab.fetch import upstream
    from fns_lab.paths import FETCHED_DATA

    if output and len(wanted) > 1:
        raise InputError(
            f"--output {output}: the folder is for one WHAT; fetch {' and '.join(sorted(wanted))} one by one"
        )
    if mirror:
        _check_mirror(mirror, wanted)
        mirror = mirror.rstrip("/")
    if What.PHOTOS in wanted:
        print(photos.folder(output or FETCHED_DATA / "photos"))
    if What.STYLES in wanted:
        print(*upstream.styles(output or upstream.STYLES_FOLDER, mirror), sep="\n", flush=True)
    if What.MODELS in wanted:
        print(*upstream.models(output or upstream.MODELS_FOLDER, mirror), sep="\n")


def _check_mirror(mirror: str, wanted: set[What]) -> None:
    if not re.match(r"https?://[^/]", mirror):
        raise InputError(f"--from {mirror}: give an address that begins with http:// or https://")
    if wanted == {What.PHOTOS}:
        raise InputError(f"--from {mirror}: photos come from an installed package; leave --from out")
