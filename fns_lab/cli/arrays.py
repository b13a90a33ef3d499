"""Read the feeds of a model from files or draw them, and write its outputs to a file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fns_lab.cli.common import checked_output, note
from fns_lab.errors import InputError, one_line

if TYPE_CHECKING:
    import numpy as np
    from onnx import ModelProto

    from fns_lab.preprocessing import Preprocessing

SEED = 0
"""Seed of inputs that are drawn."""

Inputs = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        metavar="X",
        help="An image, .npy, .npz (one array per input), or 1x16:int64 to draw one; NAME=X for one of several inputs.",
    ),
]


def image_settings(
    changes: Mapping[str, object], model: ModelProto, name: str | None = None
) -> dict[str, Preprocessing]:
    """Return the settings of a model's image inputs, changed for one: `name`, or the only one of 4 axes."""
    from fns_lab import models
    from fns_lab.preprocessing import Preprocessing, of_model

    settings = of_model(model)
    if not changes:
        return settings
    shapes = models.input_shapes(model)
    names = [name] if name else [name for name, shape in shapes.items() if len(shape) == 4]
    if len(names) != 1:
        raise InputError(f"--mean, --scale and so on are for one image input; the model's inputs are {shapes}")
    return settings | {names[0]: settings.get(names[0], Preprocessing()).changed(changes)}


def load_feeds(
    inputs: Path | Sequence[str], model: ModelProto, changes: Mapping[str, object] | None = None
) -> dict[str, np.ndarray]:
    """Return the feeds of `model`: from an `.npz` (one array per input name), an `.npy`, an image, or drawn.

    Of several inputs each is `NAME=FILE` or `NAME=1x16:int64`, which is drawn. Arrays are cast to the model's element
    types. An image becomes what the model's metadata says, with the settings in `changes` instead of its own; by
    default float32 `(1, 3, H, W)`, RGB, 0..255, scaled and cut to the model's height and width where these are fixed.
    What was done to it is printed. Raises `InputError`, naming the file, if it does not fit.
    """
    from fns_lab import models
    from fns_lab.arrays import load_arrays

    texts = [str(inputs)] if isinstance(inputs, Path) else list(inputs)
    if len(texts) == 1 and texts[0].lower().endswith(".npz"):
        return _fitted(load_arrays(Path(texts[0])), model, texts[0])
    shapes, settings = models.input_shapes(model), image_settings(changes or {}, model)
    named = dict(_named(text, list(shapes)) for text in texts)
    return _fitted({name: _one(text, name, shapes, settings) for name, text in named.items()}, model, ", ".join(texts))


def drawn_input(text: str) -> np.ndarray | None:
    """Return a random array for `1x3x8x8` or `1x16:int64`, None for another text; numbers as in `feeds.drawn`."""
    import numpy as np

    from fns_lab.feeds import drawn

    match = re.fullmatch(r"(scalar|\d+(?:x\d+)*)(?::(\w+))?", text)
    if not match:
        return None
    shape = () if match[1] == "scalar" else tuple(map(int, match[1].split("x")))
    if 0 in shape:
        raise InputError(f"--input {text}: holds no number; give sizes of at least 1, or an .npy file")
    try:
        dtype = np.dtype(match[2] or "float32")
    except TypeError:
        raise InputError(f"--input {text}: no element type {match[2]!r}; give one such as float32 or int64") from None
    return drawn(np.random.default_rng(SEED), dtype, shape)


def split_name(text: str) -> tuple[str | None, str]:
    """Return name and value of `NAME=VALUE`, None and the text if there is no name in it."""
    name, sign, value = text.partition("=")
    return (name, value) if sign and not Path(text).exists() else (None, text)


def save_outputs(outputs: dict[str, np.ndarray], path: Path) -> None:
    """Write the outputs of a model: all into an `.npz`, the first into an image or an `.npy`. The write is atomic.

    A device or pipe without one of these suffixes gets the `.npy`.
    """
    from fns_lab import arrays, images

    suffix, first = path.suffix.lower(), next(iter(outputs.values()))
    if suffix == ".npz":
        arrays.save_arrays(path, outputs)
    elif suffix in images.SUFFIXES:
        images.save(first, path)
    else:
        arrays.save_array(path, first)


def check_output_suffix(path: Path) -> Path:
    """Return `path`. Raises `InputError`, before the work begins, if `save_outputs` cannot write it."""
    from fns_lab import images

    return checked_output(path, (".npy", ".npz", *images.SUFFIXES), "use .png, .jpg, .npy or .npz")


def _named(text: str, names: Sequence[str]) -> tuple[str, str]:
    name, value = split_name(text)
    if name is not None:
        return name, value
    if len(names) != 1:
        given = ", ".join(names) or "none"
        raise InputError(f"{text}: the model has {len(names)} inputs ({given}); give an .npz, or NAME={text} for each")
    return names[0], value


def _one(
    text: str, name: str, shapes: Mapping[str, tuple[int | str, ...]], settings: Mapping[str, Preprocessing]
) -> np.ndarray:
    """Return the array of one input: drawn, of an `.npy` file, or an image's."""
    from fns_lab.arrays import load_array
    from fns_lab.preprocessing import Preprocessing

    path = Path(text)
    if path.suffix.lower() == ".npy":
        return load_array(path)
    if not path.exists() and (array := drawn_input(text)) is not None:
        return array
    if name not in shapes:
        raise InputError(f"{text}: the model has no input {name!r}; its inputs are {', '.join(shapes) or 'none'}")
    array, done = settings.get(name, Preprocessing()).load(path, shapes[name])
    if " " in done:
        note(f"{path}: {done}")
    return array


def _fitted(feeds: dict[str, np.ndarray], model: ModelProto, source: str) -> dict[str, np.ndarray]:
    from fns_lab import models
    from fns_lab.feeds import fit_feeds

    inputs = models.fed_inputs(model)
    try:
        cast = {
            name: array.astype(models.dtype_of(inputs[name]), copy=False) if name in inputs else array
            for name, array in feeds.items()
        }
        return fit_feeds(model, cast)
    except ValueError as error:  # InputError, and NumPy's own for text that is no number
        raise InputError(f"{source}: {one_line(error, longest=None)}") from None
