"""Pictures in and out: files, PIL and `(1, 3, H, W)` float arrays. Nothing else in the package touches PIL."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from fns_lab.errors import InputError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")


def open_rgb(path: str | os.PathLike) -> Image.Image:
    """Decode any picture PIL knows to 8-bit RGB, upright (EXIF), transparency on white, 16-bit grey scaled to 8.

    Raises `InputError` for a file that is missing or is no picture.
    """
    try:
        with Image.open(path) as image:
            image.load()
            image = ImageOps.exif_transpose(image)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{path}: a folder, not a picture") from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{path}: not a picture that can be decoded ({_first_line(error)}); give a JPEG or PNG") from None
    if image.mode.startswith("I") or image.mode == "F":
        image = _grey_to_8_bit(image)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")


def load(path: str | os.PathLike, *, scale: float | None = None, size: tuple[int, int] | None = None) -> np.ndarray:
    """Read a picture as float32 `(1, 3, H, W)`, RGB, values 0..255.

    `scale` divides height and width (upstream's `--content-scale`); `size` is `(H, W)`: the picture is scaled to
    cover it and cut at the centre. Raises `InputError` for a missing file, no picture, or a scale that is not positive.
    """
    image = open_rgb(path)
    if scale is not None:
        if not scale > 0:
            raise InputError(f"scale {scale}: must be above 0; 2 halves height and width")
        image = image.resize((max(1, round(image.width / scale)), max(1, round(image.height / scale))), Image.LANCZOS)
    if size is not None:
        image = ImageOps.fit(image, (size[1], size[0]), Image.LANCZOS)
    return array_from_image(image)


def array_from_image(image: Image.Image) -> np.ndarray:
    """An RGB picture as float32 `(1, 3, H, W)`, values 0..255."""
    return np.ascontiguousarray(np.asarray(image, dtype=np.float32).transpose(2, 0, 1)[None])


def image_from_array(x: np.ndarray) -> Image.Image:
    """`(1, 3, H, W)` or `(3, H, W)`, values 0..255 (clipped, rounded), as an RGB picture."""
    x = np.asarray(x)
    if x.ndim == 4 and x.shape[0] == 1:
        x = x[0]
    if x.ndim != 3 or x.shape[0] != 3:
        raise InputError(f"an array of shape {x.shape} is no picture; give (1, 3, H, W) or (3, H, W)")
    if not np.isfinite(x).all():
        raise InputError("the picture holds NaN or Inf; compare the model's values to find where they begin")
    return Image.fromarray(np.rint(np.clip(x, 0, 255)).astype(np.uint8).transpose(1, 2, 0), "RGB")


def save(x: np.ndarray, path: str | os.PathLike) -> Path:
    """Write `(1, 3, H, W)`, values 0..255, as a picture; the suffix says the format. Whole or not at all."""
    from fns_lab.files import whole_file

    path = Path(path)
    if path.suffix.lower() not in Image.registered_extensions():
        raise InputError(f"{path}: unknown picture suffix {path.suffix!r}; use .png or .jpg")
    image = image_from_array(x)
    options = {"quality": 95} if path.suffix.lower() in (".jpg", ".jpeg") else {}
    with whole_file(path) as temporary:
        image.save(temporary, format=Image.registered_extensions()[path.suffix.lower()], **options)
    return path


def _grey_to_8_bit(image: Image.Image) -> Image.Image:
    grey = np.asarray(image, dtype=np.float64)
    top = 65535.0 if grey.max(initial=0) > 255 else 255.0
    return Image.fromarray(np.rint(np.clip(grey / top * 255, 0, 255)).astype(np.uint8), "L")


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].split(": <_io")[0]
