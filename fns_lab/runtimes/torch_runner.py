"""A PyTorch network as a runner, so that it can be compared with its exports."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from fns_lab.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn


class TorchRunner:
    """A network with one input and one output, on one device, in eval mode.

    `net` itself is put in eval mode and moved to `device`, any torch device name. The default names of input and output
    are those that `onnx_from_torch` gives.
    """

    target = None
    ms = float("nan")
    create_ms = 0.0

    def __init__(
        self, net: nn.Module, *, device: str = "cpu", input_name: str = "input", output_name: str = "output"
    ) -> None:
        self._net: nn.Module | None = net.eval().to(device)
        self._device = device
        self._input_name, self._output_name = input_name, output_name

    def infer(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return `{output_name: array}`. Raises InputError when the feeds are not exactly the one input."""
        import torch

        if set(feeds) != {self._input_name}:
            raise InputError(f"the network takes one input, '{self._input_name}', not {sorted(feeds)}")
        x = torch.from_numpy(np.ascontiguousarray(feeds[self._input_name])).to(self._device)
        with torch.inference_mode():
            start = time.perf_counter()
            y = self._open_net()(x).cpu()
            self.ms = (time.perf_counter() - start) * 1000
        return {self._output_name: y.numpy()}

    def values(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the output of every module by its path (`res1.conv1`), in the order of the calls, then the network's.

        `onnx_from_torch` gives the output of a module the same name. For a module that is called several times this is
        its last call: the export names the earlier ones after their op and their place among all such ops
        (`act.softplus_3`), which a hook cannot know, and `compare` lists them as skipped. An output that is not one
        tensor is left out.
        """
        import torch

        outputs: dict[str, np.ndarray] = {}

        def keep(path: str) -> Callable[[nn.Module, tuple[Any, ...], object], None]:
            def hook(module: nn.Module, inputs: tuple[Any, ...], output: object) -> None:
                if isinstance(output, torch.Tensor):
                    outputs.pop(path, None)
                    outputs[path] = output.cpu().numpy().copy()  # the next module may change its input in place

            return hook

        modules = self._open_net().named_modules()
        hooks = [module.register_forward_hook(keep(path)) for path, module in modules if path]
        try:
            return outputs | self.infer(feeds)
        finally:
            for hook in hooks:
                hook.remove()

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
