"""Where a network in PyTorch comes from: a style checkpoint, a program of torch.export, or a user's own code."""

from __future__ import annotations

import inspect
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fns_lab.errors import InputError, one_line
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

    @property
    def signature(self) -> str:
        """What the network takes, such as `(x: Tensor, ids: Tensor)`."""
        return one_line(inspect.signature(self.net.forward))

    def arguments(self, feeds: Mapping[str, np.ndarray]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments for arrays by input name: `x`, or `features_0`, `features_1` for a list `features`.

        Those of a dict are `batch_a`, `batch_b`. Feeds under other names are taken in their order. Raises `InputError`
        if they are too many or too few.
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
        return _bound(self.net, given)


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


def _bound(net: nn.Module, given: Mapping[str, Tensor]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return tensors as arguments of `forward`: by name, `x_0`, `x_1` as a list `x`, and `x_a`, `x_b` as a dict.

    If no name is a parameter's, they are taken in their order. Raises `InputError` if only some are.
    """
    parameters = inspect.signature(net.forward).parameters
    left, values = dict(given), dict[str, Any]()
    for name, parameter in parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            values[name] = {key: left.pop(key) for key in list(left) if not re.fullmatch(r"input_\d+", key)}
        elif name in left:
            values[name] = left.pop(name)
        elif parts := {key: left.pop(key) for key in list(left) if key.startswith(f"{name}_")}:
            values[name] = _container([key.removeprefix(f"{name}_") for key in parts], list(parts.values()))
    if left and len(left) < len(given):
        raise InputError(f"{type(net).__name__} takes no input {next(iter(left))!r}; it takes {', '.join(parameters)}")
    if left:
        return tuple(given.values()), {}
    arguments = inspect.BoundArguments(inspect.signature(net.forward), OrderedDict(values))
    return arguments.args, arguments.kwargs


def _container(keys: Sequence[str], tensors: Sequence[Tensor]) -> list[Tensor] | dict[str, Tensor]:
    if set(keys) == set(map(str, range(len(keys)))):
        return [tensors[keys.index(str(i))] for i in range(len(keys))]
    return dict(zip(keys, tensors, strict=True))
