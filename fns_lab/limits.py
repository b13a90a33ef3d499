"""The limits on what the package takes from files and waits for.

Each has a name, a default, a flag and an environment variable.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fns_lab.errors import InputError

GIB = 2**30
"""Bytes of a gibibyte."""
MIB = 2**20
"""Bytes of a mebibyte."""
PREFIX = "FNS_LAB_"
"""Start of the name of each limit's environment variable."""


@dataclass(frozen=True)
class Limit:
    """A largest number of something.

    - `variable`: the environment variable that sets another number
    - `default`: the number without it
    - `unit`: what is counted
    """

    variable: str
    default: int
    unit: str = "bytes"

    @property
    def name(self) -> str:
        """Its name on the command line, such as `image-pixels`."""
        return self.variable.removeprefix(PREFIX).lower().replace("_", "-")

    @property
    def how_to_raise(self) -> str:
        """How a user allows more: the end of a message."""
        return f"`fns-lab --limit {self.name}=N ...` or {self.variable}=N allows more"

    @property
    def value(self) -> int:
        """The number in force. Raises `InputError` if the environment variable is no number above 0."""
        text = os.environ.get(self.variable)
        if text is None:
            return self.default
        try:
            number = int(float(text))
        except (ValueError, OverflowError):
            number = 0
        if number < 1:
            raise InputError(f"{self.variable}={text}: give a number above 0, such as {self.default}")
        return number

    def require(self, number: int, what: object) -> None:
        """Raise `InputError` if `number` is above the limit."""
        if number > self.value:
            raise InputError(
                f"{what}: {number:,} {self.unit} are more than the limit of {self.value:,}; {self.how_to_raise}"
            )


MODEL_BYTES = Limit("FNS_LAB_MODEL_BYTES", 16 * GIB)
"""Largest ONNX file with its external weights."""
CHECKPOINT_BYTES = Limit("FNS_LAB_CHECKPOINT_BYTES", 4 * GIB)
"""Largest checkpoint. It is read into memory as a whole."""
IMAGE_BYTES = Limit("FNS_LAB_IMAGE_BYTES", GIB)
"""Largest image file."""
IMAGE_PIXELS = Limit("FNS_LAB_IMAGE_PIXELS", 2**28, "pixels")
"""Largest image, height times width, known from its header before it is decoded: 268 megapixels are 0.8 GB as RGB."""
ARRAY_BYTES = Limit("FNS_LAB_ARRAY_BYTES", 8 * GIB)
"""Largest .npy file, and largest sum of the arrays of an .npz once they are unpacked."""
TEXT_BYTES = Limit("FNS_LAB_TEXT_BYTES", 256 * MIB)
"""Largest notebook, TOML or JSON file."""
DOWNLOAD_BYTES = Limit("FNS_LAB_DOWNLOAD_BYTES", 2 * GIB)
"""Most bytes of one download; more than any engine or archive that `fetch` brings."""
NODES = Limit("FNS_LAB_NODES", 1_000_000, "nodes")
"""Most nodes of a model, with those that calls of its functions stand for."""
WIDTH = Limit("FNS_LAB_WIDTH", 1024, "channels")
"""Largest width of a style network: its weights take 14 GB."""
ANSWER_SECONDS = Limit("FNS_LAB_ANSWER_SECONDS", 300, "seconds")
"""Longest wait for an engine in a browser page or a process of its own, to load a model and to run it."""
MEMORY_BYTES = Limit("FNS_LAB_MEMORY_BYTES", 0)
"""Most memory that a command may take by estimate; by default what the machine, or the container, has left."""

ALL = (
    MODEL_BYTES,
    CHECKPOINT_BYTES,
    IMAGE_BYTES,
    IMAGE_PIXELS,
    ARRAY_BYTES,
    TEXT_BYTES,
    DOWNLOAD_BYTES,
    NODES,
    WIDTH,
    ANSWER_SECONDS,
    MEMORY_BYTES,
)
"""Every limit, in the order of `docs/security.md`."""


@contextlib.contextmanager
def changed(settings: Sequence[str]) -> Iterator[None]:
    """Set limits, given as `NAME=N` such as `image-pixels=1e9`, here and in processes started meanwhile.

    Raises `InputError` for another name, or a number that is not above 0.
    """
    by_name = {limit.name: limit for limit in ALL}
    before = {limit.variable: os.environ.get(limit.variable) for limit in ALL}
    try:
        for setting in settings:
            name, _, number = setting.partition("=")
            if name not in by_name:
                raise InputError(f"--limit {setting}: give NAME=N, with a name of {', '.join(by_name)}")
            os.environ[by_name[name].variable] = number
            _ = by_name[name].value
        yield
    finally:
        for variable, value in before.items():
            if value is None:
                os.environ.pop(variable, None)
            else:
                os.environ[variable] = value


def available_bytes() -> int | None:
    """Return the memory that the machine, the container and `ulimit -v` leave; None if that is not known."""
    if MEMORY_BYTES.variable in os.environ:
        return MEMORY_BYTES.value
    found = [free for free in (_machine(), _container(), _address_space()) if free is not None]
    return min(found, default=None)


def require_memory(needed: int, what: str, fix: str) -> None:
    """Raise `InputError` if `needed` bytes are more than are left."""
    free = available_bytes()
    if free is not None and needed > free:
        raise InputError(
            f"{what} takes about {needed / GIB:.1f} GiB of memory, and {free / GIB:.1f} GiB are free; {fix}; "
            f"{MEMORY_BYTES.how_to_raise}"
        )


def require_disk(needed: int, folder: Path, what: str, fix: str) -> None:
    """Raise `InputError` if the disk of a folder has no room for `needed` bytes."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise InputError(
            f"{what} takes {needed / GIB:.1f} GiB of temporary files in {folder}, "
            f"and {free / GIB:.1f} GiB are free; {fix}"
        )


def _machine() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return None


def _container() -> int | None:
    """Return what the control group of a container has left, None where there is none or it has no limit."""
    try:
        most = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
        used = Path("/sys/fs/cgroup/memory.current").read_text(encoding="ascii").strip()
        return None if most == "max" else max(0, int(most) - int(used))
    except (OSError, ValueError):
        return None


def _address_space() -> int | None:
    """Return what the process may still map, None where that has no limit."""
    try:
        import resource

        most, _ = resource.getrlimit(resource.RLIMIT_AS)
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        return None if most == resource.RLIM_INFINITY else max(0, most - pages * resource.getpagesize())
    except (ImportError, OSError, ValueError):
        return None
