"""Read and write images: files, PIL images and `(1, 3, H, W)` float arrays. Nothing else here but training uses PIL."""

from __future__ import annotations

import io
import math
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from fns_lab.errors import InputError, one_line
from fns_lab.files import can_be_written, open_regular, write_bytes
from fns_lab.limits import IMAGE_BYTES, IMAGE_PIXELS

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
"""Suffixes of the files that count as images in a folder, and of those that `save` writes."""

RESIZES = ("crop", "fit", "pad")
"""Ways to bring an image to a size, the default first; see `resized`."""

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM")
"""Pillow's names of the formats that are decoded, whatever the suffix says. Others it may leave to another program, as
EPS to Ghostscript."""

T = TypeVar("T")
"""Any type."""

Source = str | os.PathLike[str] | bytes
"""A path of an image file, or the content of one."""


def open_rgb(source: Source, name: str = "the image") -> Image.Image:
    """Decode an image file to 8-bit RGB: upright (EXIF), transparency on white, 16-bit and float grey scaled to 8 bits.

    An animation gives its first frame. `name` is what messages call an image given by its content. Raises `InputError`
    for a file that is missing, cut short, no image of `FORMATS`, or above the limits `IMAGE_BYTES` and `IMAGE_PIXELS`.
    """
    path = name if isinstance(source, bytes) else source
    with io.BytesIO(source) if isinstance(source, bytes) else open(open_regular(source, IMAGE_BYTES), "rb") as stream:
        image = _decoded(stream, path)
    if image.mode.startswith("I") or image.mode == "F":
        image = _grey_to_8_bit(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def load(
    source: Source,
    *,
    scale: float | None = None,
    size: tuple[int, int] | None = None,
    most_pixels: int | None = None,
    name: str = "the image",
) -> np.ndarray:
    """Read an image as float32 `(1, 3, H, W)`, RGB, values 0..255.

    `scale` divides height and width (upstream's `--content-scale`); `size` is `(H, W)`: the image is scaled to
    cover it and cut at the centre; one of more than `most_pixels` is scaled down to them. `name` is for `open_rgb`.
    Raises `InputError` as `open_rgb` does, and for a scale or size that is not above 0.
    """
    if size is not None and min(size) < 1:
        raise InputError(f"size {size[0]}x{size[1]}: height and width must be at least 1 pixel")
    image = _scaled(source, scale, name)
    if most_pixels is not None and image.width * image.height > most_pixels:
        image = _divided(image, math.sqrt(image.width * image.height / most_pixels))
    return array_from_image(image if size is None else resized(image, size))


def load_pixels(source: Source, *, scale: float | None = None) -> np.ndarray:
    """Read an image as `(H, W, 3)`, RGB, uint8, a quarter of what `load` takes in memory; raise as it does."""
    return np.asarray(_scaled(source, scale, "the image"))


def size_px(path: str | os.PathLike[str], *, scale: float | None = None) -> tuple[int, int]:
    """Return the height and width that `load` would give, from the head of the file; raise as it does."""
    with open(open_regular(path, IMAGE_BYTES), "rb") as stream:
        width, height = _read(stream, path, _upright_size)
    return (height, width) if scale is None else _divided_size(width, height, scale)[::-1]


def _scaled(source: Source, scale: float | None, name: str) -> Image.Image:
    image = open_rgb(source, name)
    return image if scale is None else _divided(image, scale)


def _upright_size(file: Image.Image) -> tuple[int, int]:
    """Return width and height of an image after `exif_transpose`."""
    is_turned = file.getexif().get(ExifTags.Base.Orientation, 1) >= 5
    return file.size[::-1] if is_turned else file.size


def resized(image: Image.Image, size: tuple[int, int], how: str = "crop") -> Image.Image:
    """Return an image of `size`, `(H, W)` in pixels.

    `how` is one of `RESIZES`: `crop` scales it to cover that size and cuts at the centre, `fit` scales height and width
    each to what is needed, `pad` scales it to lie inside and fills the rest with black.
    """
    width_and_height = (size[1], size[0])
    if how == "fit":
        return image.resize(width_and_height, Image.Resampling.LANCZOS)
    resize = {"crop": ImageOps.fit, "pad": ImageOps.pad}[how]
    return resize(image, width_and_height, Image.Resampling.LANCZOS)


def array_from_image(image: Image.Image) -> np.ndarray:
    """Return an RGB image as float32 `(1, 3, H, W)`, values 0..255."""
    return np.ascontiguousarray(np.asarray(image, dtype=np.float32).transpose(2, 0, 1)[None])


def image_from_array(x: np.ndarray) -> Image.Image:
    """Return `(1, 3, H, W)` or `(3, H, W)`, values 0..255 (clipped, rounded), as an RGB image.

    Raises `InputError` for another shape, and for NaN or Inf.
    """
    x = np.asarray(x)
    if x.shape[:-2] not in ((3,), (1, 3)):
        raise InputError(f"an array of shape {x.shape} is no image; give (1, 3, H, W) or (3, H, W)")
    x = x.reshape(x.shape[-3:])
    return Image.fromarray((x if x.dtype == np.uint8 else _rounded(x)).transpose(1, 2, 0))


def _rounded(x: np.ndarray) -> np.ndarray:
    if not np.isfinite(x).all():
        raise InputError("the image holds NaN or Inf; `fns-lab compare` finds where they begin")
    rounded: np.ndarray = np.rint(np.clip(x, 0, 255)).astype(np.uint8)
    return rounded


def save(x: np.ndarray, path: str | os.PathLike[str]) -> Path:
    """Write `(1, 3, H, W)`, values 0..255, as an image; the suffix says the format, on a pipe PNG. The write is atomic.

    Raises `InputError` as `image_from_array` does, and for a suffix not in `SUFFIXES` or a folder that is not there.
    """
    path = Path(path)
    suffix = path.suffix.lower() or (".png" if can_be_written(path) else "")
    if suffix not in SUFFIXES:
        raise InputError(f"{path}: cannot write an image as {suffix or 'a file without suffix'!r}; use .png or .jpg")
    image = image_from_array(x)
    options = {"quality": 95} if suffix in (".jpg", ".jpeg") else {}
    stream = io.BytesIO()
    try:
        image.save(stream, format=Image.registered_extensions()[suffix], **options)
    except (OSError, ValueError) as error:  # such as a JPEG or WEBP of more pixels than the format can count
        raise InputError(f"{path}: cannot be written as {suffix} ({one_line(error)}); use .png") from None
    write_bytes(path, stream.getvalue())
    return path


def png(x: np.ndarray) -> bytes:
    """Return `(1, 3, H, W)`, values 0..255, as the bytes of a PNG file; raise as `image_from_array` does."""
    stream = io.BytesIO()
    image_from_array(x).save(stream, format="PNG")
    return stream.getvalue()


def _decoded(stream: BinaryIO, path: object) -> Image.Image:
    """Return an image, upright. Raises `InputError`, for too many pixels before they are decoded."""

    def upright(file: Image.Image) -> Image.Image:
        file.load()
        return ImageOps.exif_transpose(file)

    return _read(stream, path, upright)


def _read(stream: BinaryIO, path: object, take: Callable[[Image.Image], T]) -> T:
    """Return what `take` gives for an image that is opened but not decoded yet. Raises `InputError` as `open_rgb`."""
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(stream, formats=FORMATS) as file:
            IMAGE_PIXELS.require(file.width * file.height, path)
            return take(file)
    except InputError:
        raise
    except UnidentifiedImageError:
        raise InputError(f"{path}: not an image; give a JPEG or PNG file") from None
    except Image.DecompressionBombError as error:
        raise InputError(f"{path}: {one_line(error)}") from None
    except Exception as error:  # the decoders of a broken file raise many classes
        raise InputError(f"{path}: a broken image ({one_line(error)}); save it again as JPEG or PNG") from None


def _divided_size(width: int, height: int, scale: float) -> tuple[int, int]:
    if not 0 < scale < math.inf:
        raise InputError(f"scale {scale}: must be a number above 0; 2 halves height and width")
    return max(1, round(width / scale)), max(1, round(height / scale))


def _divided(image: Image.Image, scale: float) -> Image.Image:
    return image.resize(_divided_size(image.width, image.height, scale), Image.Resampling.LANCZOS)


def _grey_to_8_bit(image: Image.Image) -> Image.Image:
    """Scale 16-bit grey by its full range, other grey by the smallest of 0..1, 0..255, 0..65535 that holds it."""
    grey = np.nan_to_num(np.asarray(image, dtype=np.float64))
    usual = (65535.0,) if image.mode.startswith("I;16") else (1.0, 255.0) if image.mode == "F" else (255.0, 65535.0)
    top = next((limit for limit in usual if grey.max(initial=0) <= limit), usual[-1])
    return Image.fromarray(np.rint(np.clip(grey / top, 0, 1) * 255).astype(np.uint8))
