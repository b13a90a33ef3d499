"""Atomic writing of files and folders (each is written beside its place, then renamed to it), and checksums."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fns_lab.errors import InputError


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path`; rename it to `path` on success, delete it on any failure.

    Raises `InputError` if the folder does not exist or cannot be written to.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give a file name")
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    except OSError as error:
        raise InputError(f"{path}: cannot write there ({error.strerror}); create the folder first") from None
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; on success it takes the place of `path`, with all that was there.

    On any failure `path` stays unmodified. Raises `InputError` if `path` is a file or cannot be written.
    """
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise InputError(f"{path}: is a file; a folder is to be written there")
    try:
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
    except OSError as error:
        raise InputError(f"{path}: cannot write there ({error.strerror}); create the folder first") from None
    old = temporary.with_suffix(".old")
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        if path.exists():
            path.replace(old)
        temporary.replace(path)
    finally:
        if old.exists() and not path.exists():
            old.replace(path)
        for folder in (temporary, old):
            shutil.rmtree(folder, ignore_errors=True)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def is_text(data: bytes) -> bool:
    """Return whether the first kilobyte of `data` is plain text: not empty, no control character but white space."""
    return bool(data) and all(byte >= 32 or byte in b"\t\n\r\f" for byte in data[:1024])


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
