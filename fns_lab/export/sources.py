"""Where a network in PyTorch comes from: a style checkpoint, a program of torch.export, or a user's own code."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fns_lab.errors import InputError
from fns_lab.export import factory, pt2
from fns_lab.nets import SUFFIXES

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Source:
    """A network, and what is known of its inputs.

    - `net`: the network, in eval mode
    - `args`, `kwargs`: example inputs, where the file holds them
    - `input_names`: their names; empty: those of the parameters of `forward`
    - `dynamic`: the axes of the inputs that are free
    - `takes_image`: True for a style network, which takes one image
    """

    net: nn.Module
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    input_names: tuple[str, ...] = ()
    dynamic: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    takes_image: bool = False

    def arguments(self, feeds: Mapping[str, np.ndarray]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments for arrays by input name: `x`, or `features_0`, `features_1` for a list `features`.

        Feeds under other names are taken in their order. Raises `InputError` if they are too many or too few.
        """
        import torch

        from fns_lab.runtimes.torch_runner import Call

        given = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in feeds.items()}
        if self.args or self.kwargs:
            names = self.input_names
            if len(given) != len(names):
                raise InputError(f"the network has {len(names)} inputs ({', '.join(names)}), not {len(given)}")
            in_order = [given[name] for name in names] if given.keys() == set(names) else list(given.values())
            args, others = Call(self.args, self.kwargs, names).arguments(in_order)
            return tuple(args), dict(others)
        if self.takes_image:
            return tuple(given.values()), {}
        kwargs = _by_parameter(self.net, given)
        return ((), kwargs) if kwargs is not None else (tuple(given.values()), {})


def is_network(text: str) -> bool:
    """Return whether a text names a network in PyTorch: a checkpoint, a `.pt2`, or `module:factory`."""
    return Path(text).suffix.lower() in (*SUFFIXES, pt2.SUFFIX) or factory.is_factory(text)


def load(text: str, weights: Path | None = None) -> Source:
    """Load a network: `module:factory`, which runs that code, a `.pt2`, or a style checkpoint, which run none.

    `weights` is a checkpoint for `module:factory`. Raises `InputError` for what can't be loaded.
    """
    path = Path(text)
    if weights and (path.exists() or not factory.is_factory(text)):
        raise InputError(f"--weights {weights}: only module:factory takes weights; {text} has its own")
    if not path.exists() and factory.is_factory(text):
        return Source(factory.load(text, weights))
    if path.suffix.lower() == pt2.SUFFIX:
        program = pt2.load(path)
        return Source(program.net, program.args, program.kwargs, program.input_names, program.dynamic)
    from fns_lab.export.program import INPUT
    from fns_lab.nets import checkpoints

    return Source(checkpoints.load(path), input_names=(INPUT,), takes_image=True)


def _by_parameter(net: nn.Module, given: Mapping[str, Tensor]) -> dict[str, Any] | None:
    """Return tensors by the parameters of `forward`, those named `x_0`, `x_1` as a list `x`; None if they don't fit."""
    left, kwargs = dict(given), dict[str, Any]()
    for name in inspect.signature(net.forward).parameters:
        if name in left:
            kwargs[name] = left.pop(name)
        elif f"{name}_0" in left:
            kwargs[name] = [left.pop(f"{name}_{i}") for i in range(len(left)) if f"{name}_{i}" in left]
    return None if left else kwargs
