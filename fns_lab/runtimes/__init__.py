"""One runner per engine, all with the same interface: `infer(feeds) -> {name: array}`.

`open_runner(model, "onnxjs-0.1.8/wasm")` loads a model into the real engine; `runner.infer({"input": x})` returns every
graph output; `runner.ms` and `runner.create_ms` are milliseconds inside the engine. `RUNNERS` lists the engines of
targets. PyTorch (`torch_runner.TorchRunner`) and ONNX's reference evaluator (`reference.ReferenceRunner`,
`float64.Float64Runner`) belong to no target and are opened by their classes.
"""

from __future__ import annotations

import pkgutil
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from onnx import ModelProto

    from fns_lab.targets import Target

RUNNERS = {
    "ort": "fns_lab.runtimes.ort:OrtRunner",
    "opencv": "fns_lab.runtimes.opencv:OpenCvRunner",
    "openvino": "fns_lab.runtimes.openvino:OpenVinoRunner",
    "tract": "fns_lab.runtimes.tract:TractRunner",
    "onnxjs": "fns_lab.runtimes.browser:BrowserRunner",
    "ort-web": "fns_lab.runtimes.browser:BrowserRunner",
}
"""Runner class for each `runtime` of a target. Its module, and with it the engine, is imported on first use."""


class Runner(Protocol):
    """A model loaded into one engine. A context manager: leaving it frees the session.

    - `ms`: milliseconds that the last `infer` spent inside the engine, without moving data to and from it.
    - `create_ms`: milliseconds that the engine took to load the model.
    - `lasting`: whether outputs must be right after the next run too; if not, they may be the engine's own memory.
    """

    target: Target
    ms: float
    create_ms: float
    lasting: bool

    def infer(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return every graph output by name. Raises InputError for feeds that do not fit, RuntimeFault for the rest."""

    def close(self) -> None:
        """Free the session; the runner cannot be used afterwards."""

    def cancel(self) -> None:
        """Have a run that another thread waits for end early with a RuntimeFault, where the engine can."""

    def __enter__(self) -> Runner: ...

    def __exit__(self, *exc: object) -> None: ...


def open_runner(
    model: ModelProto, target: Target | str, *, timeout_s: float | None = None, once: bool = False
) -> Runner:
    """Load `model` into the real engine of `target` (a Target or its name, such as "onnxjs-0.1.3/webgl").

    `timeout_s` limits each call into a browser page or into an engine's own process, by default to
    `limits.ANSWER_SECONDS`, but not an engine in this process. With `once` the model will run a single time, so
    that an engine keeps no memory for further runs.
    Raises RuntimeFault when the engine refuses the model, MissingError when the engine or a browser is not
    installed, InputError for an unknown target.
    """
    from fns_lab import targets
    from fns_lab.runtimes import isolated, packages

    if isinstance(target, str):
        target = targets.load(target)
    packages.require(target)
    if isolated.is_needed(model, target):
        return isolated.IsolatedRunner(model, target, timeout_s=timeout_s, once=once)
    return runner_class(target)(model, target, timeout_s=timeout_s, once=once)


def runner_class(target: Target) -> Callable[..., Runner]:
    """Return the runner of a target's runtime. Raises `InputError` if there is none of this name."""
    from fns_lab.errors import InputError

    if target.runtime not in RUNNERS:
        raise InputError(f"{target}: unknown runtime {target.runtime!r} in its file; there are: {', '.join(RUNNERS)}")
    runner: Callable[..., Runner] = pkgutil.resolve_name(RUNNERS[target.runtime])
    return runner


def engine_name(target: Target) -> str:
    """Return the engine and the version that runs, such as `onnxjs 0.1.8`."""
    from fns_lab.runtimes.packages import version_of

    version = target.version or (target.package and version_of(target))
    return f"{target.runtime} {version}"


def run_in(target: Target | str) -> Callable[[ModelProto, Mapping[str, np.ndarray]], dict[str, np.ndarray]]:
    """Return a function `run(model, feeds)` that loads a model into the engine of `target`, runs it once and frees it.

    It raises what `open_runner` and `infer` raise.
    """

    def run(model: ModelProto, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        with open_runner(model, target, once=True) as runner:
            return runner.infer(dict(feeds))

    return run
