"""The arguments that a network is exported with: their names, and which of their axes stay free."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fns_lab.errors import InputError, shape_text
from fns_lab.runtimes.torch_runner import plain, tensors

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Arguments:
    """Example arguments of a network: `net(*args, **kwargs)`.

    `by_parameter` holds them under the names of the network's parameters, in their order; `input_names` has the name
    of each tensor in them.
    """

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    by_parameter: Mapping[str, Any]
    input_names: list[str]

    @classmethod
    def bound(
        cls, net: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any], input_names: Sequence[str]
    ) -> Arguments:
        """Fit arguments to `net.forward`. Raises `InputError` if it does not take them."""
        signature = inspect.signature(net.forward)
        try:
            arguments = signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise InputError(f"{type(net).__name__} does not take these inputs: {error}") from None
        by_parameter: dict[str, Any] = {}
        for name, value in arguments.items():
            if signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD:
                by_parameter |= value
            else:
                by_parameter[name] = value
        in_order = {name: kwargs[name] for name in by_parameter if name in kwargs}
        names = list(input_names) or _names(by_parameter)
        if not names:
            raise InputError(f"{type(net).__name__} is given no tensor; give an example of each input")
        for name, tensor in zip(names, tensors((args, kwargs)), strict=True):
            _check_real(f"input {name!r}", tensor, "take its real and imaginary part as two inputs")
        return cls(tuple(args), in_order, by_parameter, names)

    @property
    def tensors(self) -> list[Tensor]:
        """Every tensor in the arguments, in the order of `input_names`."""
        return tensors((self.args, self.kwargs))

    def dynamic_shapes(self, free: Mapping[str, Mapping[int, str]], lowest: int) -> dict[str, Any] | None:
        """Return what torch calls `dynamic_shapes`, None if no axis is free; no free size is below `lowest`.

        Raises `InputError` for an input or axis that is not there.
        """
        import torch
        from torch.utils import _pytree as trees

        if not free:
            return None
        for name, axes in free.items():
            _check_axes(name, axes, dict(zip(self.input_names, self.tensors, strict=True)))
        names_of_sizes = {size for axes in free.values() for size in axes.values()}
        auto = torch.export.Dim.AUTO  # for a size that a program computes of others, such as 2*s27
        sizes = {size: torch.export.Dim(size, min=lowest) if size.isidentifier() else auto for size in names_of_sizes}
        names = iter(self.input_names)

        def spec(leaf: object) -> dict[int, Any] | None:
            if not isinstance(leaf, torch.Tensor):
                return None
            return {axis: sizes[size] for axis, size in free.get(next(names), {}).items()}

        return {name: trees.tree_map(spec, value) for name, value in self.by_parameter.items()}


def output_names(result: object, base: str) -> list[str]:
    """Return a name for each tensor in a network's result: `base`, `base_0` and so on, or the keys of a dict.

    Raises `InputError` if the result holds no tensor, complex numbers, or an object in which tensors may hide.
    """
    import torch
    from torch.utils import _pytree as trees

    leaves, _ = trees.tree_flatten_with_path(plain(result))
    for path, leaf in leaves:
        where = f"the network's result {'_'.join(map(_key, path))}".strip()
        if not isinstance(leaf, torch.Tensor | int | float | str | None):
            raise InputError(
                f"{where} is of the class {type(leaf).__name__}; only tensors, and tuples, lists, dicts or dataclasses "
                "of them can be exported"
            )
        if isinstance(leaf, torch.Tensor):
            _check_real(where, leaf, "return its real and imaginary part (torch.view_as_real)")
    paths = [path for path, leaf in leaves if isinstance(leaf, torch.Tensor)]
    if not paths:
        raise InputError("the network's result holds no tensor")
    if len(leaves) == 1 and not leaves[0][0]:
        return [base]
    names = ["_".join(map(_key, path)) for path in paths]
    return [f"{base}_{name}" if name[:1].isdigit() else name for name in names]


def _check_real(name: str, tensor: Tensor, advice: str) -> None:
    if tensor.is_complex():
        raise InputError(f"{name} holds complex numbers, which no runtime takes: {advice}")


def _names(by_parameter: Mapping[str, Any]) -> list[str]:
    """Return the name of each tensor: `x`, or `features_0` for one in a list."""
    import torch
    from torch.utils import _pytree as trees

    leaves, _ = trees.tree_flatten_with_path(dict(by_parameter))
    return ["_".join(map(_key, path)) for path, leaf in leaves if isinstance(leaf, torch.Tensor)]


def _key(entry: Any) -> str:
    """Return one step of a path in nested tuples, lists and dicts as text."""
    return str(next(getattr(entry, field) for field in ("key", "idx", "name") if hasattr(entry, field)))


def _check_axes(name: str, axes: Mapping[int, str], inputs: Mapping[str, Tensor]) -> None:
    if name not in inputs:
        raise InputError(f"no input {name!r} to leave free; the inputs are {', '.join(inputs)}")
    for axis in axes:
        if not 0 <= axis < inputs[name].ndim:
            raise InputError(f"input {name!r} has no axis {axis}; its shape is {shape_text(inputs[name].shape)}")
