"""Read the feeds of a model from a file, and write its outputs to one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fns_lab.cli.common import checked_output, shape_text
from fns_lab.errors import InputError, one_line

if TYPE_CHECKING:
    import numpy as np
    from onnx import ModelProto

IMAGE_CHANNELS = 3


def load_feeds(path: Path, model: ModelProto) -> dict[str, np.ndarray]:
    """Return the feeds of `model` from a file: an `.npz` (one array per input name), an `.npy`, or an image.

    Arrays are cast to the model's element types. An image becomes float32 `(1, 3, H, W)`, RGB, 0..255, scaled and cut
    to the model's height and width where these are fixed. Raises `InputError`, naming the file, if it does not fit.
    """
    from fns_lab import arrays, models

    shapes = models.input_shapes(model)
    feeds: dict[str, np.ndarray]
    if path.suffix.lower() == ".npz":
        feeds = arrays.load_arrays(path)
    else:
        if len(shapes) != 1:
            names = ", ".join(shapes) or "none"
            raise InputError(f"{path}: the model has {len(shapes)} inputs ({names}); give an .npz")
        ((name, shape),) = shapes.items()
        feeds = {name: arrays.load_array(path) if path.suffix.lower() == ".npy" else _load_image(path, shape)}
    return _fitted(feeds, model, path)


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


def _load_image(path: Path, shape: tuple[int | str, ...]) -> np.ndarray:
    from fns_lab import images

    if len(shape) != 4 or shape[1] not in (IMAGE_CHANNELS, *(d for d in shape if isinstance(d, str))):
        raise InputError(f"{path}: the model takes {shape_text(shape)}, not one image 1x3xHxW; give an .npy")
    h, w = shape[2:]
    if isinstance(h, int) and isinstance(w, int):
        return images.load(path, size=(h, w))
    return images.load(path)


def _fitted(feeds: dict[str, np.ndarray], model: ModelProto, path: Path) -> dict[str, np.ndarray]:
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
        raise InputError(f"{path}: {one_line(error, longest=None)}") from None
