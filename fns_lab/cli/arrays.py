"""From a file on disk to what a model eats, and from what it gives back to a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fns_lab.cli.common import parent_exists, shape_text
from fns_lab.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from onnx import ModelProto

IMAGE_CHANNELS = 3


def load_feeds(path: Path, model: ModelProto) -> dict[str, np.ndarray]:
    """What `model` eats, from a file: an `.npz` (one array an input name), an `.npy`, or an image.

    An image becomes float32 `(1, 3, H, W)`, RGB, 0..255, scaled and cut to the model's height and width where these
    are fixed. Raises `InputError` when file and model do not fit together.
    """
    from fns_lab import models

    shapes = models.input_shapes(model)
    if path.suffix.lower() == ".npz":
        feeds = _load_arrays(path)
    else:
        if len(shapes) != 1:
            raise InputError(f"{path}: the model has {len(shapes)} inputs ({', '.join(shapes)}); give an .npz")
        ((name, shape),) = shapes.items()
        feeds = {name: _load_array(path) if path.suffix.lower() == ".npy" else _load_image(path, shape)}
    return _fitting(feeds, model, path)


def save_outputs(outputs: dict[str, np.ndarray], path: Path) -> None:
    """Write what a model gave: `.npz` takes all, `.npy` or an image the first. Whole or not at all."""
    import numpy as np

    from fns_lab import images
    from fns_lab.files import atomic_write

    suffix, first = path.suffix.lower(), next(iter(outputs.values()))
    if suffix not in (".npy", ".npz"):
        images.save(first, path)
        return
    with atomic_write(path) as temporary, temporary.open("wb") as stream:
        np.save(stream, first) if suffix == ".npy" else np.savez(stream, **outputs)


def check_output_suffix(path: Path) -> Path:
    """`path`, if `save_outputs` can write its kind. Raises `InputError` before the work, not after."""
    from fns_lab import images

    if path.suffix.lower() not in (".npy", ".npz", *images.SUFFIXES):
        raise InputError(f"{path}: unknown kind {path.suffix!r}; use .png, .jpg, .npy or .npz")
    return parent_exists(path)


def _load_image(path: Path, shape: tuple[int | str, ...]) -> np.ndarray:
    from fns_lab import images

    if len(shape) != 4 or shape[1] not in (IMAGE_CHANNELS, *(d for d in shape if isinstance(d, str))):
        raise InputError(f"{path}: the model's input is {shape_text(shape)}, which no image is; give .npy")
    h, w = shape[2:]
    if isinstance(h, int) and isinstance(w, int):
        return images.load(path, size=(h, w))
    return images.load(path)


def _load_array(path: Path) -> np.ndarray:
    import numpy as np

    try:
        array = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, ValueError, EOFError):
        raise InputError(f"{path}: not a NumPy array file of plain numbers") from None
    if not isinstance(array, np.ndarray):
        array.close()
        raise InputError(f"{path}: holds several arrays; name it .npz")
    return array


def _load_arrays(path: Path) -> dict[str, np.ndarray]:
    import zipfile

    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, ValueError, EOFError, AttributeError, TypeError, zipfile.BadZipFile):
        raise InputError(f"{path}: not an .npz of plain arrays") from None


def _fitting(feeds: dict[str, np.ndarray], model: ModelProto, path: Path) -> dict[str, np.ndarray]:
    """The feeds in the model's own element types, once names and shapes are known to fit."""
    import onnx

    from fns_lab import models

    shapes = models.input_shapes(model)
    if set(feeds) != set(shapes):
        raise InputError(f"{path}: holds {', '.join(sorted(feeds))}; the model's inputs are {', '.join(shapes)}")
    kinds = {value.name: value.type.tensor_type.elem_type for value in model.graph.input}
    for name, shape in shapes.items():
        if not _same_shape(feeds[name].shape, shape):
            raise InputError(
                f"{path}: {name!r} has the shape {shape_text(feeds[name].shape)}, the model takes {shape_text(shape)}"
            )
        feeds[name] = feeds[name].astype(onnx.helper.tensor_dtype_to_np_dtype(kinds[name]), copy=False)
    return feeds


def _same_shape(shape: tuple[int, ...], declared: tuple[int | str, ...]) -> bool:
    if declared == ("...",):
        return True
    return len(shape) == len(declared) and all(
        isinstance(d, str) or d == s for s, d in zip(shape, declared, strict=True)
    )
