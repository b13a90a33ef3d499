"""Where torch runs: what the flags ask for, and whether it is there."""

from __future__ import annotations

from typing import Annotated

import typer

from fns_lab.errors import InputError, MissingError

Cuda = Annotated[int | None, typer.Option(help="1: only with CUDA; 0: on the CPU; without it, the best there is.")]
Accel = Annotated[bool, typer.Option("--accel", help="Only with an accelerator (CUDA, MPS, XPU).")]


def pick_device(cuda: int | None, accel: bool) -> str:
    """The torch device that the flags ask for. Raises `MissingError` when it is not there."""
    import torch

    if cuda not in (None, 0, 1):
        raise InputError(f"--cuda {cuda}: give 1 or 0")
    if cuda == 0 and accel:
        raise InputError("--cuda 0 and --accel contradict each other; leave one out")
    if cuda == 1 and not torch.cuda.is_available():
        raise MissingError("CUDA is not available here; leave --cuda out, or see `fns-lab doctor`")
    if accel and not torch.accelerator.is_available():
        raise MissingError("no accelerator is available here; leave --accel out, or see `fns-lab doctor`")
    if cuda == 0 or not torch.accelerator.is_available():
        return "cpu"
    return "cuda" if cuda else torch.accelerator.current_accelerator().type


def prefer_cpu(wanted: bool) -> None:
    """Tell accelerate, which picks the device when the trainer is made."""
    import os

    if wanted:
        os.environ["ACCELERATE_USE_CPU"] = "true"
