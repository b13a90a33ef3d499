"""The device that PyTorch runs on: the option that chooses it, and a check that it is available."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Annotated

import typer

from fns_lab.errors import InputError, MissingError

Device = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="D",
        help="Device of PyTorch: cpu, cuda, cuda:1, mps, xpu, or accel, any accelerator. Default: best; compare: cpu.",
    ),
]

ACCEL = "accel"
"""Value of --device for whatever accelerator there is."""
UPSTREAM = {"--cuda=0": "cpu", "--cuda=1": "cuda", "--accel": ACCEL}
"""Flags of upstream's script, which its users have in their command lines, as values of --device."""


def spelled_out(argv: Sequence[str]) -> list[str]:
    """Return the arguments with --device in place of upstream's flags `--cuda 0`, `--cuda 1` and `--accel`."""
    spelled: list[str] = []
    texts = iter(argv)
    for text in texts:
        flag = f"--cuda={next(texts, '')}" if text == "--cuda" else text
        if flag.startswith("--cuda=") and flag not in UPSTREAM:
            raise InputError(f"{flag}: give --device cpu or --device cuda")
        spelled += ["--device", UPSTREAM[flag]] if flag in UPSTREAM else [text]
    return spelled


def pick_device(device: str | None) -> str:
    """Return the name of the torch device for a value of --device, such as "cpu" or "cuda:1".

    Of the processes of `accelerate launch` each gets its own, where no number is given. Raises `MissingError` for one
    that is not available, `InputError` for a name that PyTorch does not know.
    """
    import torch

    accelerator = torch.accelerator.current_accelerator(check_available=True)
    if device is None or device == ACCEL:
        if device and accelerator is None:
            raise MissingError("no accelerator is available here; leave --device out, or see `fns-lab doctor`")
        wanted = accelerator or torch.device("cpu")
    else:
        try:
            wanted = torch.device(device)
        except RuntimeError:
            raise InputError(f"--device {device}: give cpu, cuda, cuda:1, mps, xpu or {ACCEL}") from None
    if wanted.type == "cpu":
        return "cpu"
    is_here = accelerator is not None and wanted.type == accelerator.type
    if not is_here or (wanted.index or 0) >= torch.accelerator.device_count():
        raise MissingError(f"--device {device}: not available here; leave it out, or see `fns-lab doctor`")
    local = os.environ.get("LOCAL_RANK")
    return f"{wanted.type}:{local}" if local and wanted.index is None else str(wanted)


def prefer(device: str) -> None:
    """Make accelerate use a device; it picks it when a `Trainer` is created."""
    if device == "cpu":
        os.environ["ACCELERATE_USE_CPU"] = "true"
    elif "LOCAL_RANK" not in os.environ:
        os.environ["ACCELERATE_TORCH_DEVICE"] = device
