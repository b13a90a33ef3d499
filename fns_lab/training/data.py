"""Photographs to train on. A batch depends on the seed and the step alone, so a resumed run repeats none."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from fns_lab import images
from fns_lab.errors import InputError

MAX_ENLARGEMENT = 1.3
"""Photographs are scaled so that a crop covers between 1 and 1/1.3 of the smaller of height and width."""


class Photographs:
    """Random crops of every readable photograph under a folder, nested or not, in sorted order.

    All files are decoded once, in threads, before the first batch: unreadable ones are known at the start, and no batch
    depends on an earlier one. With several processes each decodes its share. `paths` are the files to train on,
    `skipped` maps each unreadable file to its fault in one line. `crop_px` is the height and width of a crop,
    `batch_size` that of all processes together.
    Raises `InputError` if the folder does not exist, holds no readable image, or differs between processes.
    """

    def __init__(self, folder: Path, crop_px: int, batch_size: int, seed: int) -> None:
        self.folder = Path(folder)
        self.crop_px, self.batch_size, self.seed = crop_px, batch_size, seed
        files = _images_under(self.folder)
        faults = _faults(files)
        self.paths = [path for path, fault in zip(files, faults, strict=True) if fault is None]
        self.skipped = {path: fault for path, fault in zip(files, faults, strict=True) if fault is not None}
        if not self.paths:
            first = next(iter(self.skipped.values()))
            raise InputError(f"{folder}: no readable image among {len(files)}; the first: {first}")

    @property
    def steps_per_epoch(self) -> int:
        """The number of whole batches in one pass over the photographs, at least 1."""
        return max(1, len(self.paths) // self.batch_size)

    @property
    def fingerprint(self) -> str:
        """A hash of the file names below the folder, 16 hex digits; where it differs, the batches do."""
        names = "\n".join(path.relative_to(self.folder).as_posix() for path in self.paths)
        return hashlib.sha256(names.encode("utf-8", "surrogateescape")).hexdigest()[:16]

    def batch(self, step: int, process: int = 0, processes: int = 1) -> np.ndarray:
        """Return one process's share of a step's batch: float32 `(N, 3, crop_px, crop_px)`, RGB, 0..255.

        The crops are random, half of them mirrored. The shares of all processes, in order, are the whole batch.
        """
        epoch, position = divmod(step, self.steps_per_epoch)
        order = np.random.default_rng((self.seed, epoch)).permutation(len(self.paths))
        share = self.batch_size // processes
        first = position * self.batch_size + process * share
        return np.concatenate(
            [
                self._crop(
                    images.open_rgb(self.paths[order[i % len(order)]]), np.random.default_rng((self.seed, epoch, i))
                )
                for i in range(first, first + share)
            ]
        )

    def batches(self, step: int, end: int, process: int = 0, processes: int = 1) -> Iterator[np.ndarray]:
        """Yield the process's share of each batch from `step` up to, not including, `end`.

        A thread decodes the next one while the caller uses the current one.
        """
        with ThreadPoolExecutor(1) as loader:
            ahead: deque[Future[np.ndarray]] = deque()
            for s in range(step, end):
                ahead.append(loader.submit(self.batch, s, process, processes))
                if len(ahead) > 1:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()

    def _crop(self, image: Image.Image, rng: np.random.Generator) -> np.ndarray:
        """Return a random square of the image, scaled to `crop_px`. Only that square is scaled, not the whole image."""
        size = min(image.size) / rng.uniform(1, MAX_ENLARGEMENT)
        left, top = (rng.uniform(0, length - size) for length in image.size)
        box = (left, top, left + size, top + size)
        square = image.resize((self.crop_px, self.crop_px), Image.Resampling.LANCZOS, box=box)
        x = images.array_from_image(square)
        return np.ascontiguousarray(x[..., ::-1]) if rng.random() < 0.5 else x


def _images_under(folder: Path) -> list[Path]:
    if not folder.exists():
        raise InputError(f"{folder}: no such folder")
    if not folder.is_dir():
        raise InputError(f"{folder}: a file, not a folder of images")
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in images.SUFFIXES)
    if not files:
        raise InputError(f"{folder}: no images in it; give a folder of JPEG or PNG files")
    return files


def _faults(files: list[Path]) -> list[str | None]:
    """Return the fault of each image, or None; every process decodes its share of them, in threads."""
    from accelerate import PartialState
    from accelerate.utils import gather_object

    state = PartialState()
    names = hashlib.sha256("\n".join(map(str, files)).encode("utf-8", "surrogateescape")).hexdigest()
    if len(set(gather_object([names]))) > 1:
        raise InputError(f"the images under {files[0].parent} differ between processes")
    share = files[state.process_index :: state.num_processes]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(_fault, share)
        bar = tqdm(results, "reading the images", len(share), delay=2, leave=False, disable=not state.is_main_process)
        faults = dict(gather_object(list(zip(share, bar, strict=True))))
    return [faults[path] for path in files]


def _fault(path: Path) -> str | None:
    """Return why an image cannot be read, in one line that begins with its path, or None."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        return f"{path}: not a plain file"  # opening a pipe would block for ever
    try:
        images.open_rgb(path)
    except InputError as error:
        return str(error)
    return None
