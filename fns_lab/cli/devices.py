"""The device that torch runs on: the flags that choose it, and a check that it is available."""

from __future__ import annotations

from typing import Annotated

import typer

from fns_lab.errors import InputError, MissingError

Cuda = Annotated[int | None, typer.Option(help="1: CUDA, or fail; 0: the CPU; default: the best available device.")]
Accel = Annotated[bool, typer.Option("--accel", help="An accelerator (CUDA, MPS, XPU), or fail.")]


def pick_device(cuda: int | None, accel: bool) -> str:
    """Return the type of the torch device that the flags ask for, such as "cpu" or "cuda".

    Raises `MissingError` if it is not available, `InputError` for flags that contradict each other.
    """
    import torch

    if cuda not in (None, 0, 1):
        raise InputError(f"--cuda {cuda}: give 1 or 0")
    if cuda == 0 and accel:
        raise InputError("--cuda 0 and --accel contradict each other; leave one out")
    if cuda == 1 and not torch.cuda.is_available():
        raise MissingError("CUDA is not available here; leave --cuda out, or see `fns-lab doctor`")
    if accel and not torch.accelerator.is_available():
        raise MissingError("no accelerator is available here; leave --accel out, or see `fns-lab doctor`")
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    if cuda == 0 or accelerator is None:
        return "cpu"
    return "cuda" if cuda else accelerator.type


def prefer_cpu(use_cpu: bool) -> None:
    """Make accelerate use the CPU, if `use_cpu`; it picks the device when a `Trainer` is created."""
    import os

    if use_cpu:
        os.environ["ACCELERATE_USE_CPU"] = "true"
