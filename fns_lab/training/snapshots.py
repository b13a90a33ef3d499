"""Checkpoints on the way: one file with all that a run needs to go on. Written whole or not at all."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from fns_lab.errors import InputError
from fns_lab.files import atomic_write

SUFFIX = ".ckpt"
KEYS = ("step", "net", "optimizer", "fixed", "history", "config")


def name(step: int) -> str:
    """`step_0000650.ckpt`: names sort as their steps do."""
    return f"step_{step:07d}{SUFFIX}"


def write(state: Mapping[str, Any], path: Path) -> None:
    with atomic_write(path) as temporary:
        torch.save(dict(state), temporary)


def read(path: Path) -> dict[str, Any]:
    """What `write` wrote, on the CPU; no code in the file runs. Raises `InputError` for a file that is not whole."""
    if not path.exists():
        raise InputError(f"{path}: no such file")
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
        state = None if broken else torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # torch, pickle, zipfile and the system: whatever a file that is none can cause
        state = None
    if not isinstance(state, dict) or any(key not in state for key in KEYS):
        raise InputError(f"{path}: not a whole checkpoint of a training run")
    return state


def newest_whole(path: Path) -> tuple[Path, list[str]]:
    """The checkpoint to go on from, and what was passed over, one line each.

    Of a folder it is the one of the highest step that can be read. Raises `InputError` if there is none.
    """
    if not path.is_dir():
        read(path)
        return path, []
    passed_over = []
    for candidate in sorted(path.glob(f"*{SUFFIX}"), reverse=True):
        try:
            read(candidate)
        except InputError as error:
            passed_over.append(str(error))
            continue
        return candidate, passed_over
    raise InputError(f"{path}: no whole checkpoint in it to go on from ({len(passed_over)} broken)")


def differences(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> list[str]:
    """Every flag whose value is not what the checkpoint was trained with."""
    return [
        f"{flag} was {theirs.get(flag)} and is now {value}" for flag, value in ours.items() if theirs.get(flag) != value
    ]


def sweep(folder: Path) -> None:
    """Delete what a run that was killed in the middle of writing a checkpoint left behind."""
    for part in folder.glob(f".*{SUFFIX}.*.part"):
        part.unlink(missing_ok=True)
