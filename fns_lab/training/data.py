"""Photographs to train on. A batch is a function of (seed, step) alone: a resumed run sees what any run would."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from fns_lab import images
from fns_lab.errors import InputError

MAX_ENLARGEMENT = 1.3
"""Photographs are scaled so that the crop covers between 1 and 1/1.3 of the shorter side."""


class Photographs:
    """Every readable image under a folder, nested or not, in sorted order.

    All are decoded once, in threads, before the first batch, so that what is broken is known at the start and no batch
    depends on what an earlier one met; of several processes, each decodes its share. `paths` are those to train on;
    `skipped` holds the rest, with what is wrong. `batch_size` is that of all processes together.
    Raises `InputError` if the folder is not there, holds no readable image, or is not the same in every process.
    """

    def __init__(self, folder: Path, crop_px: int, batch_size: int, seed: int) -> None:
        self.folder = Path(folder)
        self.crop_px, self.batch_size, self.seed = crop_px, batch_size, seed
        found = _images_under(self.folder)
        faults = _faults(found)
        self.paths = [path for path, fault in zip(found, faults, strict=True) if fault is None]
        self.skipped = {path: fault for path, fault in zip(found, faults, strict=True) if fault is not None}
        if not self.paths:
            first = next(iter(self.skipped.values()))
            raise InputError(f"{folder}: none of its {len(found)} images can be read; the first: {first}")

    @property
    def steps_per_epoch(self) -> int:
        return max(1, len(self.paths) // self.batch_size)

    @property
    def fingerprint(self) -> str:
        """The names below the folder, as one short word: another word, other batches."""
        names = "\n".join(path.relative_to(self.folder).as_posix() for path in self.paths)
        return hashlib.sha256(names.encode("utf-8", "surrogateescape")).hexdigest()[:16]

    def batch(self, step: int, process: int = 0, processes: int = 1) -> np.ndarray:
        """One process's share of this step's batch, float32 `(N, 3, crop, crop)`, RGB, 0..255.

        Random crops, half of them mirrored; the shares of all processes, one after another, are the whole batch.
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
        """The shares of the batches from `step` to before `end`, the next one made while one is in use."""
        with ThreadPoolExecutor(1) as loader:
            submitted = (loader.submit(self.batch, s, process, processes) for s in range(step, end))
            for ready, _ in pairwise(chain(submitted, [None])):
                yield ready.result()

    def _crop(self, image: Image.Image, rng: np.random.Generator) -> np.ndarray:
        """A random square of the image, scaled to the crop; the rest is never scaled, however long it is."""
        side = min(image.size) / rng.uniform(1, MAX_ENLARGEMENT)
        left, top = (rng.uniform(0, length - side) for length in image.size)
        square = image.resize((self.crop_px, self.crop_px), Image.LANCZOS, box=(left, top, left + side, top + side))
        x = images.array_from_image(square)
        return np.ascontiguousarray(x[..., ::-1]) if rng.random() < 0.5 else x


def _images_under(folder: Path) -> list[Path]:
    if not folder.exists():
        raise InputError(f"{folder}: no such folder")
    if not folder.is_dir():
        raise InputError(f"{folder}: a file, not a folder of images")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in images.SUFFIXES)
    if not found:
        raise InputError(f"{folder}: no images in it; give a folder of JPEG or PNG files")
    return found


def _faults(found: list[Path]) -> list[str | None]:
    """What is wrong with each image, or None; decoded in all the processes there are, in threads."""
    from accelerate import PartialState
    from accelerate.utils import gather_object

    state = PartialState()
    names = hashlib.sha256("\n".join(map(str, found)).encode("utf-8", "surrogateescape")).hexdigest()
    if len(set(gather_object([names]))) > 1:
        raise InputError(f"the images under {found[0].parent} are not the same ones in every process")
    share = found[state.process_index :: state.num_processes]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        looked_at = pool.map(_fault, share)
        bar = tqdm(looked_at, "reads every image", len(share), delay=2, leave=False, disable=not state.is_main_process)
        known = dict(gather_object(list(zip(share, bar, strict=True))))
    return [known[path] for path in found]


def _fault(path: Path) -> str | None:
    """What keeps an image from being read, in one line that begins with its path, or None."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        return f"{path}: not a plain file"  # opening a pipe would wait for ever
    try:
        images.open_rgb(path)
    except InputError as error:
        return str(error)
    return None
