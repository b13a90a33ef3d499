"""Engines that run in the reader's own browser: what the kernel sends to it, and what comes back."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from fns_lab import targets, web
from fns_lab.errors import InputError, MissingError, one_line
from fns_lab.runtimes.engines import engine_for
from fns_lab.runtimes.kept_outputs import as_loaded
from fns_lab.views.widgets.choice import Choice, Result
from fns_lab.views.widgets.model_store import Ready
from fns_lab.views.widgets.pixels import Pixels

BROWSER_ENGINES = ("ort-web/wasm", "ort-web/webgl", "ort-web/webgpu", "onnxjs-0.1.8/wasm", "onnxjs-0.1.8/webgl")
"""Targets that run in the reader's own browser."""
WORKER = "engines/worker.js"
"""The module that runs an engine in a Web Worker."""


class BrowserRun:
    """A run that the browser has been asked for: its task, and the output as far as it has arrived."""

    _numbers = itertools.count(1)

    def __init__(self, choice: Choice, x: np.ndarray, before: Pixels, ready: Ready) -> None:
        self.number = next(self._numbers)
        self.choice, self.x, self.before, self.ready = choice, x, before, ready
        self._parts: list[bytes] = []

    def task(self) -> tuple[dict[str, Any], list[Any]]:
        """Return the message that asks for the run, and the image's bytes, red, green and blue in turn."""
        message = {
            "kind": "task",
            "run": self.number,
            "engine": self.choice.engine,
            "model": f"{self.choice.network}, {self.choice.model}, {self.choice.engine}, {self.x.shape[2:]}",
            "input": self.ready.input,
            "dims": self.x.shape,
        }
        return message, [self.before["data"]]

    def model(self, name: str) -> tuple[dict[str, Any], list[bytes]]:
        """Return the message that brings the model `name` of this run, and its bytes."""
        model, _ = as_loaded(self.ready.model, targets.load(self.choice.engine))
        return {"kind": "model", "name": name}, [model.SerializeToString()]

    def receive(self, message: dict[str, Any], content: bytes) -> Result | None:
        """Take one part of the output; return the result with the last one.

        Raises `InputError` for an output that is no image.
        """
        self._parts.append(content)
        if message["part"] < message["parts"] - 1:
            return None
        values, dims = np.frombuffer(b"".join(self._parts), np.float32), message["dims"]
        if math.prod(dims) != values.size:
            raise InputError(f"the browser sent {values.size} values for shape {dims}")
        output = values.reshape(dims)[..., : self.x.shape[2], : self.x.shape[3]]
        return Result.of(self.choice, output, self.ready.nodes, float(message["create_ms"]), float(message["ms"]))


class Browser:
    """The kernel's end of the conversation with the browser, about one run at a time.

    `send` sends a message with buffers; `on_result` is called with the result of a run, `on_fault` with why it failed.
    """

    def __init__(
        self,
        send: Callable[..., None],
        on_result: Callable[[Result, BrowserRun], None],
        on_fault: Callable[[str], None],
    ) -> None:
        self._send, self._on_result, self._on_fault = send, on_result, on_fault
        self._run: BrowserRun | None = None
        """What the browser has been asked for and has not answered."""

    def ask(self, run: BrowserRun) -> None:
        """Ask the browser for a run; it drops one that it has not begun."""
        self._run = run
        self.send_task()

    def drop(self) -> None:
        """Ignore what the browser was asked for."""
        self._run = None

    def stop(self) -> None:
        """Have the browser end what it was asked for."""
        if self._run:
            self._send({"kind": "stop"})
        self.drop()

    def send_task(self) -> None:
        """Send the task once more, as to a browser that has just opened the page."""
        if self._run:
            self._send(*self._run.task())

    def send_what_is_needed(self, message: dict[str, Any]) -> None:
        """Send the engine or the model that the browser asks for."""
        name, run = message["name"], self._run
        if message["what"] == "engine":
            self._send(*engine_files(name))
        elif run and run.number == message["run"]:
            self._send(*run.model(name))
        else:
            self._send({"kind": "out of date", "name": name, "run": message["run"]})

    def receive_output(self, message: dict[str, Any], content: bytes) -> None:
        """Take one part of an output, unless it is out of date."""
        run = self._run
        if not run or run.number != message["run"]:
            return
        try:
            result = run.receive(message, content)
        except InputError as error:
            self.receive_fault({"run": run.number, "text": str(error)})
            return
        if result:
            self.drop()
            self._on_result(result, run)

    def receive_fault(self, message: dict[str, Any]) -> None:
        """Take the reason why a run failed, unless it is out of date."""
        run = self._run
        if run and run.number == message["run"]:
            self.drop()
            self._on_fault(f"{run.choice.engine}, in this browser: {one_line(message['text'])}")


def installed(names: Iterable[str]) -> list[str]:
    """Return those engines that a browser can be given, because their files are here."""
    return [name for name in names if _is_installed(name)]


def engine_files(name: str) -> tuple[dict[str, Any], list[bytes]]:
    """Return the message that brings an engine, and its files: the worker's script, the engine's, and what it loads."""
    engine = engine_for(targets.load(name))
    message = {
        "kind": "engine",
        "name": name,
        "options": engine.options,
        "names": list(engine.files),
        "wasm": engine.wasm.name if engine.wasm else None,
    }
    contents = [path.read_bytes() for path in (engine.script, *engine.files.values())]
    return message, [web.joined(WORKER).encode(), *contents]


def _is_installed(name: str) -> bool:
    try:
        engine_for(targets.load(name))
    except (InputError, MissingError):
        return False
    return True
