"""One runner per engine, one contract: `infer(feeds) -> {name: array}`.

`open_runner(model, "onnxjs-0.1.8/wasm")` loads a model into the real engine; `runner.infer({"input": x})` returns every
graph output; `runner.ms` and `runner.create_ms` are milliseconds inside the engine. The engines are those in `RUNNERS`
and, opened by their own names, PyTorch (`torch_runner.TorchRunner`) and ONNX's reference evaluator
(`reference.ReferenceRunner`).
"""

from __future__ import annotations

import pkgutil
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from onnx import ModelProto

    from fns_lab.targets import Target

DEFAULT_TIMEOUT_S = 120.0
"""Seconds one call into a browser page may take before the page counts as hung."""

RUNNERS = {
    "ort": "fns_lab.runtimes.ort:OrtRunner",
    "opencv": "fns_lab.runtimes.opencv:OpenCvRunner",
    "openvino": "fns_lab.runtimes.openvino:OpenVinoRunner",
    "tract": "fns_lab.runtimes.tract:TractRunner",
    "onnxjs": "fns_lab.runtimes.browser:BrowserRunner",
    "ort-web": "fns_lab.runtimes.browser:BrowserRunner",
}
"""The class that runs each target's `runtime`. A module, and with it its engine, is imported when it is asked for."""


class Runner(Protocol):
    """A model loaded into one engine. A context manager: leaving it frees the session."""

    target: Target
    ms: float
    """Milliseconds the last `infer` spent inside the engine, without moving data to and from it."""
    create_ms: float
    """Milliseconds the engine took to load the model."""

    def infer(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Every graph output by name. Raises InputError for feeds that do not fit, RuntimeFault for the rest."""

    def close(self) -> None:
        """Free the session; the runner is of no use afterwards."""

    def __enter__(self) -> Runner: ...

    def __exit__(self, *exc: object) -> None: ...


def open_runner(
    model: ModelProto, target: Target | str, *, timeout_s: float = DEFAULT_TIMEOUT_S, once: bool = False
) -> Runner:
    """Load `model` into the real engine of `target` (a Target or its name, such as "onnxjs-0.1.3/webgl").

    `timeout_s` bounds each call into a browser page; engines in this process are not bounded by it. `once` says that
    the model will run a single time, so that an engine keeps no memory for further runs.
    Raises RuntimeFault when the engine refuses the model, MissingError when the engine or a browser is not
    installed, InputError for an unknown target.
    """
    from fns_lab import targets
    from fns_lab.runtimes import packages

    if isinstance(target, str):
        target = targets.load(target)
    packages.require(target)
    return pkgutil.resolve_name(RUNNERS[target.runtime])(model, target, timeout_s=timeout_s, once=once)


def engine_name(target: Target) -> str:
    """The engine and the version that runs, such as `onnxjs 0.1.8`."""
    from fns_lab.runtimes.packages import installed_version

    return f"{target.runtime} {target.version or installed_version(target.package)}"


def run_in(target: Target | str) -> Callable[[ModelProto, Mapping[str, np.ndarray]], dict[str, np.ndarray]]:
    """A function that loads a model into the engine of `target`, runs it once and frees it: `run(model, feeds)`.

    Errors are those of `open_runner` and `infer`.
    """

    def run(model: ModelProto, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        with open_runner(model, target, once=True) as runner:
            return runner.infer(dict(feeds))

    return run
