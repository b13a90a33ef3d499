"""The one door for files that go out and come in: atomic writing, regular files only, limits of size, checksums.

A regular file or a folder is written beside its place, then renamed to it. A device or a pipe, such as /dev/stdout, is
written through. A link is followed. What is being written is locked, so that what a killed run left is known by having
no lock; it is deleted the next time a file is written to the folder.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from fns_lab.errors import InputError
from fns_lab.limits import Limit

MARK = ".fns-lab-"
"""In the names of files and folders that are being written: `.NAME.fns-lab-XXXXXXXX.part`."""
PART = ".part"
"""Suffix of what is being written."""
OLD = ".old"
"""Suffix of a folder whose place another is about to take."""
LONGEST_NAME_BYTES = 200
"""Bytes of a file's name that the name of its temporary file begins with; file systems allow 255 in all."""
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Errors of the system that say that a file has no room."""
CHILDREN_END_S = 3
"""Seconds after which the processes of a killed one have ended: a notebook's kernel looks once per second."""
FREE_BYTES = 2**16
"""A disk with less than this is full: libraries hide the system's error behind others of their own."""


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path`; rename it to `path` on success, delete it on any failure.

    A device or pipe gets what was written to the temporary path, which is then in the system's temporary folder.
    Raises `InputError` if the folder does not exist, cannot be written to or is full, and for what is no file.
    """
    path = Path(path)
    stream = can_be_written(path)
    place = Path(tempfile.gettempdir(), path.name) if stream else Path(os.path.realpath(path))
    temporary, handle = _locked_temporary(place, path, tempfile.mkstemp)
    try:
        try:
            yield temporary
            if stream:
                _write_through(temporary, path)
            else:
                _finish(temporary, place)
        except Exception as error:
            if _is_full(error, place.parent):
                raise InputError(f"{path}: no room to write it: the disk or the quota is full") from None
            if isinstance(error, OSError) and error.filename == str(temporary):
                raise InputError(f"{path}: cannot be written ({error.strerror})") from None
            raise
    finally:
        temporary.unlink(missing_ok=True)
        os.close(handle)


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file atomically; raise as `atomic_write` does."""
    with atomic_write(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a file of UTF-8 text atomically; raise as `atomic_write` does."""
    write_bytes(path, text.encode("utf-8", errors="backslashreplace"))


def can_be_written(path: str | os.PathLike[str]) -> bool:
    """Return whether `path` is a device or pipe, which is written through, and not a file or a name for a new one.

    Raises `InputError` for a folder, a block device or a socket, and where the folder does not exist or a file of it
    cannot be made.
    """
    path = Path(path)
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        mode = stat.S_IFREG
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be written ({getattr(error, 'strerror', error)})") from None
    if stat.S_ISDIR(mode):
        raise InputError(f"{path}: is a folder; give a file name")
    if stat.S_ISCHR(mode) or stat.S_ISFIFO(mode):
        return True
    if not stat.S_ISREG(mode):
        raise InputError(f"{path}: is neither a file nor a pipe; give a file name")
    folder = Path(os.path.realpath(path)).parent
    if not folder.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}; create the folder first")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"{path}: files cannot be made in {folder}; give another folder")
    return False


def open_regular(path: str | os.PathLike[str], largest: Limit | None = None) -> int:
    """Return a descriptor to read a regular file. Raises `InputError` for anything else, and for one above the limit.

    A pipe or a device, which may never end, is refused without waiting for it.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({getattr(error, 'strerror', error)})") from None
    try:
        state = os.fstat(handle)
        if stat.S_ISDIR(state.st_mode):
            raise InputError(f"{path}: a folder, not a file")
        if not stat.S_ISREG(state.st_mode):
            raise InputError(f"{path}: a pipe or a device; give a regular file")
        if largest is not None:
            largest.require(state.st_size, path)
    except BaseException:
        os.close(handle)
        raise
    return handle


def require_regular(path: str | os.PathLike[str], largest: Limit | None = None) -> None:
    """Raise as `open_regular` does."""
    os.close(open_regular(path, largest))


def read_bytes(path: str | os.PathLike[str], largest: Limit) -> bytes:
    """Return the content of a regular file. Raises `InputError` as `open_regular` does."""
    with open(open_regular(path, largest), "rb") as stream:
        try:
            return stream.read()
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from None


def sweep(folder: Path) -> None:
    """Delete what killed runs were writing to a folder; leave what other processes are writing now.

    A folder that a killed run had moved aside, and put nothing in its place, is put back.
    """
    with contextlib.suppress(OSError):
        for name in sorted(os.listdir(folder), reverse=True):  # a folder's new content before its old one
            if name.startswith(".") and MARK in name and name.endswith((PART, OLD)):
                _delete_unlocked(folder / name)


@contextlib.contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; on success it takes the place of `path`, with all that was there.

    On any failure `path` stays unmodified. Raises `InputError` if `path` is a file or cannot be written.
    """
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise InputError(f"{path}: is a file; a folder is to be written there")
    temporary, handle = _locked_temporary(path, path, _make_folder)
    old = temporary.with_suffix(OLD)
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
        os.close(handle)


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield a new folder in the system's temporary one, and delete it at the end, or when this process is killed.

    A shell reads from a pipe of this process. Where the process is killed the pipe ends, and the shell deletes the
    folder after `CHILDREN_END_S`.
    """
    with tempfile.TemporaryDirectory(prefix="fns-lab-") as folder:
        command = f'read -r _; sleep {CHILDREN_END_S}; rm -rf -- "$1"'
        shell = subprocess.Popen(
            ["sh", "-c", command, "sh", folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is not for it
        )
        with shell:
            try:
                yield Path(folder)
            finally:
                shell.kill()


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def is_text(data: bytes) -> bool:
    """Return whether the first kilobyte of `data` is plain text: not empty, no control character but white space."""
    return bool(data) and all(byte >= 32 or byte in b"\t\n\r\f" for byte in data[:1024])


def _locked_temporary(place: Path, path: Path, make: Callable[[str, str, Path], tuple[int, str]]) -> tuple[Path, int]:
    """Make an empty file or folder beside `place`, and return it with the descriptor that holds its lock."""
    sweep(place.parent)
    start = place.name.encode(errors="surrogateescape")[:LONGEST_NAME_BYTES].decode(errors="ignore")
    while True:
        try:
            handle, name = make(PART, f".{start}{MARK}", place.parent)
        except OSError as error:
            if error.errno in NO_ROOM:
                raise InputError(f"{path}: no room to write it: the disk or the quota is full") from None
            raise InputError(f"{path}: cannot be written ({error.strerror})") from None
        if _is_locked(handle) and os.path.exists(name):  # else another process took it for a leftover
            return Path(name), handle
        os.close(handle)


def _make_folder(suffix: str, prefix: str, place: Path) -> tuple[int, str]:
    """Make an empty folder as `tempfile.mkstemp` makes a file."""
    name = tempfile.mkdtemp(suffix, prefix, place)
    return os.open(name, os.O_RDONLY), name


def _is_locked(handle: int) -> bool:
    """Lock an open file and return whether that worked; True where the file system has no locks."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _delete_unlocked(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not path.is_dir():
            path.unlink()
            return
        place = path.with_name(path.name[1:].rpartition(MARK)[0])
        if path.suffix == PART or place.exists():
            shutil.rmtree(path)
        elif not path.with_suffix(PART).exists():
            path.rename(place)
    except OSError:  # another process writes it, or the file system has no locks
        pass
    finally:
        os.close(handle)


def _finish(temporary: Path, place: Path) -> None:
    with temporary.open("rb+") as stream:
        os.fsync(stream.fileno())
    temporary.chmod(0o666 & ~_umask())
    temporary.replace(place)


def _write_through(temporary: Path, path: Path) -> None:
    """Copy a file into a device or a pipe. Raises `InputError` for a pipe that nobody reads."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_NONBLOCK)  # without it a pipe without a reader would wait for one
    except OSError as error:
        what = "nobody reads this pipe" if error.errno == errno.ENXIO else error.strerror
        raise InputError(f"{path}: cannot be written ({what})") from None
    os.set_blocking(handle, True)
    with temporary.open("rb") as source, open(handle, "wb") as target:
        shutil.copyfileobj(source, target)


def _is_full(error: BaseException | None, folder: Path) -> bool:
    """Return whether an error, or one before it, says that there is no room, or hides it while the disk is full."""
    while error is not None:
        if isinstance(error, OSError) and (
            error.errno in NO_ROOM or (error.errno is None and shutil.disk_usage(folder).free < FREE_BYTES)
        ):
            return True
        error = error.__context__
    return False


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
