"""The command fetch: download what the repository does not hold."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from fns_lab.cli.common import note
from fns_lab.errors import InputError


class What(StrEnum):
    """What can be fetched, in the order in which it is fetched."""

    PHOTOS = "photos"
    STYLES = "styles"
    MODELS = "models"


def fetch(
    what: Annotated[
        list[What] | None, typer.Argument(metavar="WHAT", help="photos, styles or models; by default all.")
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

    Downloads are checked, and continue where they were interrupted. They are other people's works: data/README.md names
    the authors and what is known of the licences.

    \b
    Examples:
      fns-lab fetch photos
      fns-lab fetch styles models
      fns-lab fetch models --from https://mirror.example/fast_neural_style -o my_models
    """
    from fns_lab import fetch as upstream
    from fns_lab import photos
    from fns_lab.paths import DATA

    wanted = set(what or What)
    if output and len(wanted) > 1:
        raise InputError(
            f"--output {output}: the folder is for one WHAT; fetch {' and '.join(sorted(wanted))} one by one"
        )
    if mirror:
        _check_mirror(mirror, wanted)
        mirror = mirror.rstrip("/")
    try:
        if What.PHOTOS in wanted:
            print(photos.folder(output or DATA / "photos"))
        if What.STYLES in wanted:
            print(*upstream.styles(output or upstream.STYLES_FOLDER, mirror), sep="\n", flush=True)
        if What.MODELS in wanted:
            print(*upstream.models(output or upstream.MODELS_FOLDER, mirror), sep="\n")
    except KeyboardInterrupt as stop:
        note(f"fns-lab: {str(stop) or 'stopped'}")
        raise


def _check_mirror(mirror: str, wanted: set[What]) -> None:
    if not re.match(r"https?://[^/]", mirror):
        raise InputError(f"--from {mirror}: give an address that begins with http:// or https://")
    if wanted == {What.PHOTOS}:
        raise InputError(f"--from {mirror}: photos come from an installed package; leave --from out")
