"""Checkpoints of a training run: one file, written atomically, with all that is needed to resume."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from fns_lab.errors import InputError
from fns_lab.files import atomic_write, require_regular
from fns_lab.limits import CHECKPOINT_BYTES

SUFFIX = ".ckpt"
"""Suffix of a run's checkpoint."""
KEYS = ("step", "net", "optimizer", "fixed", "history", "config")
"""What a run's checkpoint holds."""


def name(step: int) -> str:
    """Return the file name of the checkpoint after a step, such as `step_0000650.ckpt`; names sort by step."""
    return f"step_{step:07d}{SUFFIX}"


def write(state: Mapping[str, Any], path: Path) -> None:
    """Write a checkpoint with `KEYS`, atomically."""
    with atomic_write(path) as temporary, temporary.open("wb") as stream:  # a path's name would go into the file
        torch.save(dict(state), stream)


def read(path: Path) -> dict[str, Any]:
    """Return what `write` wrote, on the CPU. No code in the file runs.

    Raises `InputError` for a file that does not exist, is damaged, or is not a checkpoint of a training run.
    """
    require_regular(path, CHECKPOINT_BYTES)
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
        state = None if broken else torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # torch, pickle, zipfile and the system raise many kinds for a file that is no checkpoint
        state = None
    if not isinstance(state, dict) or any(key not in state for key in KEYS):
        raise InputError(f"{path}: not a whole checkpoint of a training run")
    return state


def newest_readable(path: Path) -> tuple[Path, list[str]]:
    """Return the checkpoint to resume from, and why newer ones were skipped, one line each.

    `path` is the checkpoint itself, or a folder: then it is the readable one of the highest step. Raises `InputError`
    if there is none.
    """
    if not path.is_dir():
        read(path)
        return path, []
    skipped = []
    for candidate in sorted(path.glob(f"*{SUFFIX}"), reverse=True):
        try:
            read(candidate)
        except InputError as error:
            skipped.append(str(error))
            continue
        return candidate, skipped
    raise InputError(f"{path}: no readable checkpoint in it to resume from ({len(skipped)} damaged)")


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return one line for each flag whose value differs from the one that the checkpoint was trained with."""
    return [
        f"{flag} was {before.get(flag)} and is now {value}" for flag, value in now.items() if before.get(flag) != value
    ]
