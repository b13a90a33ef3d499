"""A PyTorch network as a runner, so that it can be compared with its exports."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fns_lab.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Call:
    """How a network is called on feeds.

    - `args`, `kwargs`: arguments in which each tensor stands for a feed; None for a network that takes one tensor
    - `input_names`: the feeds' names, in the order of those tensors
    - `output_names`: the names of the tensors in the result, in order
    """

    args: tuple[Any, ...] | None = None
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    input_names: tuple[str, ...] = ("input",)
    output_names: tuple[str, ...] = ("output",)

    def arguments(self, given: Sequence[Tensor]) -> tuple[Sequence[Any], Mapping[str, Any]]:
        """Return the arguments with the tensors `given`, in the order of `input_names`, in their places."""
        import torch
        from torch.utils import _pytree as trees

        if self.args is None:
            return given, {}
        left = iter(given)
        args, kwargs = trees.tree_map(
            lambda leaf: next(left) if isinstance(leaf, torch.Tensor) else leaf, (self.args, dict(self.kwargs))
        )
        return args, kwargs


class TorchRunner:
    """A network on one device, in eval mode.

    `net` itself is put in eval mode and moved to `device`, any torch device name. `call` says how feeds become its
    arguments; by default it takes one tensor, `input`, and gives one, `output`, the names that `onnx_from_torch` gives
    for an image.
    """

    target = None
    ms = float("nan")
    create_ms = 0.0

    def __init__(self, net: nn.Module, *, device: str = "cpu", call: Call = Call()) -> None:
        self._net: nn.Module | None = net.eval().to(device)
        self._device = device
        self._call = call

    def infer(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the outputs by name. Raises InputError when the feeds are not exactly the inputs."""
        import torch

        names = self._call.input_names
        if set(feeds) != set(names):
            raise InputError(f"the network takes {', '.join(map(repr, names))}, not {sorted(feeds)}")
        given = [torch.tensor(feeds[name], device=self._device) for name in names]  # copies: a network may change them
        args, kwargs = self._call.arguments(given)
        net = self._open_net()
        with torch.inference_mode(), _unchanged_buffers(net):
            start = time.perf_counter()
            result = tensors(net(*args, **kwargs))
            self.ms = (time.perf_counter() - start) * 1000
        return {name: y.cpu().numpy() for name, y in zip(self._call.output_names, result, strict=True)}

    def modules(self, feeds: dict[str, np.ndarray]) -> tuple[dict[str, list[np.ndarray]], dict[str, np.ndarray]]:
        """Return the tensors that each call of a module gave, in the order of the calls, and the network's outputs.

        A call has the path of its module as its name, `res1.conv1`; `act@1` is the second call of `act`. `export` says
        which values of the ONNX model these are.
        """
        given: dict[str, list[np.ndarray]] = {}
        calls: Counter[str] = Counter()

        def keep(path: str) -> Callable[[nn.Module, tuple[Any, ...], object], None]:
            def hook(module: nn.Module, inputs: tuple[Any, ...], output: object) -> None:
                call = f"{path}@{calls[path]}" if calls[path] else path
                calls[path] += 1
                given[call] = [x.cpu().numpy().copy() for x in tensors(output)]  # the next module may change its input

            return hook

        modules = self._open_net().named_modules()
        hooks = [module.register_forward_hook(keep(path)) for path, module in modules if path]
        try:
            outputs = self.infer(feeds)
        finally:
            for hook in hooks:
                hook.remove()
        return given, outputs

    def values(self, feeds: dict[str, np.ndarray], modules: Mapping[str, Sequence[str]]) -> dict[str, np.ndarray]:
        """Return the network's outputs, and those of its modules under the names of their values in the ONNX model.

        `modules` gives these names for each call, as `export` does; a call that it does not have is left out.
        """
        values: dict[str, np.ndarray] = {}
        given, outputs = self.modules(feeds)
        for call, arrays in given.items():
            names = modules.get(call, ())
            if len(names) == len(arrays):
                values |= {name: array for name, array in zip(names, arrays, strict=True) if name}
        return values | outputs

    def close(self) -> None:
        """Drop the reference to the network."""
        self._net = None

    def _open_net(self) -> nn.Module:
        if self._net is None:
            raise InputError("the runner is closed; open another one for the network")
        return self._net

    def __enter__(self) -> TorchRunner:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def tensors(value: object) -> list[Tensor]:
    """Return every tensor in what `plain` opens, in order."""
    import torch
    from torch.utils import _pytree as trees

    return [leaf for leaf in trees.tree_leaves(plain(value)) if isinstance(leaf, torch.Tensor)]


def plain(value: object) -> object:
    """Return nested tuples, lists, mappings of any class and dataclasses as tuples, lists and dicts."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return dict(zip(value._fields, map(plain, value), strict=True))
    if type(value) is tuple or type(value) is list:
        return type(value)(map(plain, value))
    return value


@contextlib.contextmanager
def _unchanged_buffers(net: nn.Module) -> Iterator[None]:
    """Give the network back its buffers afterwards: one that counts its calls is the same for every call."""
    kept = [(m, name, x, x.clone()) for m in net.modules() for name, x in m._buffers.items() if x is not None]
    try:
        yield
    finally:
        for module, name, buffer, copy in kept:
            module._buffers[name] = buffer.copy_(copy)
