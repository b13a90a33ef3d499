"""Files of NumPy arrays, `.npy` and `.npz`: numbers and text alone, sizes checked before anything is unpacked."""

from __future__ import annotations

import io
import math
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy

from fns_lab.errors import InputError, one_line
from fns_lab.files import open_regular, write_bytes
from fns_lab.limits import ARRAY_BYTES

_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def load_array(path: Path) -> np.ndarray:
    """Read an `.npy`. Raises `InputError` for a file that is none, or holds objects, which could run code."""
    with open(open_regular(path, ARRAY_BYTES), "rb") as stream:
        if zipfile.is_zipfile(stream):
            raise InputError(f"{path}: holds several arrays; name it .npz")
        stream.seek(0)
        try:
            return _read(stream, os.fstat(stream.fileno()).st_size)
        except Exception as error:  # NumPy raises many classes for a broken header
            raise InputError(f"{path}: not a NumPy array file of numbers ({one_line(error)})") from None


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read an `.npz`: the arrays by name. Raises `InputError` as `load_array` does."""
    with open(open_regular(path, ARRAY_BYTES), "rb") as stream:
        try:
            archive = zipfile.ZipFile(stream)
        except Exception as error:
            raise InputError(f"{path}: not an .npz of plain arrays ({one_line(error)})") from None
        entries = archive.infolist()
        ARRAY_BYTES.require(sum(entry.file_size for entry in entries), f"{path}, unpacked")
        try:
            return {
                entry.filename.removesuffix(".npy"): _read(io.BytesIO(archive.read(entry)), entry.file_size)
                for entry in entries
            }
        except Exception as error:  # each kind of compression raises its own classes
            raise InputError(f"{path}: not an .npz of plain arrays ({one_line(error)})") from None


def save_array(path: str | os.PathLike[str], array: np.ndarray) -> None:
    """Write an `.npy`, atomically."""
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    write_bytes(path, stream.getvalue())


def save_arrays(path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray]) -> None:
    """Write an `.npz`, atomically."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                npy.write_array(member, np.asanyarray(array), allow_pickle=False)
    write_bytes(path, stream.getvalue())


def _read(stream: BinaryIO, size: int) -> np.ndarray:
    """Return the array of a file of `size` bytes. Raises `ValueError` for a header that claims another size."""
    version = npy.read_magic(stream)
    if version not in _HEADERS:
        raise ValueError(f"its format is {version[0]}.{version[1]}")
    shape, _, dtype = _HEADERS[version](stream)
    if dtype.kind not in "biufcSU" or dtype.hasobject:
        raise ValueError(f"it holds elements of type {dtype}")
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != size - stream.tell():
        raise ValueError(f"its header says {dtype} {shape}, which the file's {size} bytes are not")
    stream.seek(0)
    array: np.ndarray = np.load(stream, allow_pickle=False)
    return array
