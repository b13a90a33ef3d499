"""Networks that a user's own code makes: `module:factory`."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from fns_lab.errors import InputError, one_line

if TYPE_CHECKING:
    from torch import nn

SEED = 0
"""torch's seed when a factory is called, so that a network with random weights is the same one each time."""


def is_factory(text: str) -> bool:
    """Return whether a text has the form of `package.module:factory`."""
    return re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*", text) is not None


def load(text: str, weights: Path | None = None) -> nn.Module:
    """Return the network that `module:factory` makes, in eval mode; this runs the module's code.

    `factory` is a function or class that is called without arguments, or a network. The module is looked for in the
    current folder, then among the installed packages. `weights` is a checkpoint that the network then gets. Raises
    `InputError` if there is no such module or factory, or it fails or makes no network.
    """
    import torch
    from torch import nn

    module_name, _, name = text.partition(":")
    torch.manual_seed(SEED)  # for a network that the module makes as it is imported
    try:
        found = _imported(module_name)
        for part in name.split("."):
            found = getattr(found, part)
        net = found if isinstance(found, nn.Module) or not callable(found) else _made(text, found)
    except InputError:
        raise
    except (Exception, SystemExit) as error:  # whatever the user's own code raises
        raise InputError(f"{text}: {type(error).__name__}: {one_line(error)}") from None
    if not isinstance(net, nn.Module):
        raise InputError(f"{text}: makes an object of the class {type(net).__name__}, not a torch.nn.Module")
    if weights:
        from fns_lab.nets import checkpoints

        checkpoints.load_into(net, weights)
    return net.eval()


def _made(text: str, factory: Callable[..., object]) -> object:
    """Return what a factory makes. Raises `InputError` if it needs arguments."""
    import torch

    if needed := _needed(factory):
        raise InputError(
            f"{text}: needs arguments ({', '.join(needed)}) but is called without; give a function of your own that "
            "returns the network"
        )
    torch.manual_seed(SEED)  # the import may have drawn numbers, but only the first time
    return factory()


def _needed(factory: Callable[..., object]) -> list[str]:
    """Return the parameters of a function or class that have no default."""
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):  # written in C
        return []
    free = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.default is inspect.Parameter.empty and p.kind not in free]


def _imported(name: str) -> object:
    if name.endswith(".py") and Path(name).is_file():
        raise InputError(f"{name}: give the module's name, {name.removesuffix('.py')}, not its file's")
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(here)
