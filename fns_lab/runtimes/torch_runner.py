"""A PyTorch network behind the runner contract, so that it can stand beside its own exports."""

from __future__ import annotations

import time

import numpy as np

from fns_lab.errors import InputError


class TorchRunner:
    """`net(input) -> output` on one device; feeds and outputs are numpy arrays named as `onnx_from_torch` names them.

    `net` is put in eval mode. `device` is any torch device name; "cpu" unless said.
    """

    target = None
    ms = float("nan")
    create_ms = 0.0

    def __init__(self, net, *, device: str = "cpu", input_name: str = "input", output_name: str = "output") -> None:
        self._net = net.eval().to(device)
        self._device = device
        self._input_name, self._output_name = input_name, output_name

    def infer(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """`{output_name: float32 array}`. Raises InputError when the feeds are not exactly the one input."""
        import torch

        if set(feeds) != {self._input_name}:
            raise InputError(f"the network takes one input, '{self._input_name}', not {sorted(feeds)}")
        x = torch.from_numpy(np.ascontiguousarray(feeds[self._input_name])).to(self._device)
        with torch.inference_mode():
            start = time.perf_counter()
            y = self._net(x).cpu()
            self.ms = (time.perf_counter() - start) * 1000
        return {self._output_name: y.numpy()}

    def values(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """What every module gives, in the order in which they end, by its path (`res1.conv1`), then the output.

        `onnx_from_torch` gives the value of a module the same name. Of a module that is called several times, the last
        call counts: the export names the earlier ones after their op and their place among all such ops
        (`act.softplus_3`), which a hook cannot know, and `compare` lists them as skipped. What is not one tensor is
        left out.
        """
        import torch

        found: dict[str, np.ndarray] = {}

        def keep(path: str):
            def hook(module, inputs, output) -> None:
                if isinstance(output, torch.Tensor):
                    found.pop(path, None)
                    found[path] = output.cpu().numpy().copy()  # a module may work in place on what it is handed

            return hook

        hooks = [module.register_forward_hook(keep(path)) for path, module in self._net.named_modules() if path]
        try:
            return found | self.infer(feeds)
        finally:
            for hook in hooks:
                hook.remove()

    def close(self) -> None:
        """Let go of the network."""
        self._net = None

    def __enter__(self) -> TorchRunner:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
