"""Engines in a process of their own, so that a crash or a hang of the engine is an answer and not the end of ours.

One process per target is started when first needed and kept. Models and arrays travel in memory that both processes
map, calls through a pipe. A process that died or gave no answer in time ends in a `RuntimeFault` that names the signal;
the next call of any runner of that target starts a fresh process and loads its model again.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import multiprocessing
import signal
import subprocess
import sys
import tempfile
import threading
import weakref
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto

from fns_lab import models
from fns_lab.errors import InputError, RuntimeFault
from fns_lab.feeds import fit_feeds
from fns_lab.models import model_label
from fns_lab.runtimes.base import ClosingRunner
from fns_lab.runtimes.packages import installed_version
from fns_lab.runtimes.shared_arrays import SharedArrays
from fns_lab.targets import Target

ANY_NUMBER_OF_INPUTS = frozenset({"Concat", "Einsum", "Max", "Mean", "Min", "SequenceConstruct", "Sum"})
"""Ops with a variadic input."""
DEFAULT_TIMEOUT_S = 600.0
"""Seconds one call may take before the engine counts as hung."""
END_S = 5.0
"""Seconds given to a process to end."""
LOG_CHARACTERS = 300
"""Of what the engine wrote to stderr before it died, the end that is shown."""


def is_needed(model: ModelProto, target: Target) -> bool:
    """Return whether `model` runs in a process of its own in the engine of `target`.

    Engines that have crashed often always do (`Target.own_process`). ONNX Runtime has crashed on two kinds of model
    alone, so that only these do: a node with an output that has no name, and an op that takes any number of inputs and
    is given an empty one. For every other model this costs one look at each node.
    """
    return target.own_process or (target.runtime == "ort" and any(map(_is_suspect, models.walk(model.graph))))


def _is_suspect(node: NodeProto) -> bool:
    return "" in node.output or ("" in node.input and node.op_type in ANY_NUMBER_OF_INPUTS)


class IsolatedRunner(ClosingRunner):
    """A model loaded into an engine that runs in a process of its own."""

    def __init__(
        self, model: ModelProto, target: Target, *, timeout_s: float | None = None, once: bool = False
    ) -> None:
        self.target, self.model, self.once = target, model, once
        self._timeout_s = timeout_s or DEFAULT_TIMEOUT_S
        self._session = next(_SESSIONS)
        self._process: EngineProcess | None = None
        """The process that holds the session; another one after a crash."""
        self._ready()

    def infer(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return every graph output by name. Raises `InputError` and `RuntimeFault` as every runner does."""
        checked = fit_feeds(self.model, feeds)
        process = self._ready()
        with process.lock:
            places = process.feeds.write(checked)
            outputs, self.ms = self._call(process, "run", self._session, places)
            return process.outputs.read(outputs, copy=True)

    def close(self) -> None:
        """Free the session, with the next call into the process."""
        if self._process:
            self._process.forgotten.append(self._session)
        self._process = None

    def _ready(self) -> EngineProcess:
        """Return the target's process with this model loaded in it."""
        process = _process_for(self.target)
        if process is not self._process:
            content = np.frombuffer(self.model.SerializeToString(), np.uint8)
            with process.lock:
                (place,) = process.feeds.write({"model": content})
                self.create_ms = self._call(process, "create", self._session, place, self.once)
            self._process = process
            weakref.finalize(self, process.forgotten.append, self._session)
        return process

    def _call(self, process: EngineProcess, name: str, *arguments: object) -> Any:
        try:
            return process.call(name, *arguments, timeout_s=self._timeout_s)
        except EngineDied as error:
            raise RuntimeFault(self._engine_name(), model_label(self.model), str(error)) from None

    def _engine_name(self) -> str:
        package = self.target.package or self.target.runtime
        return f"{self.target} ({package} {installed_version(package)})"


class EngineDied(Exception):
    """The engine failed, or its process died or hung. The message says how."""


class EngineProcess:
    """The process of one target's engine."""

    def __init__(self, target: Target) -> None:
        self.feeds, self.outputs = SharedArrays.create(), SharedArrays.create()
        self.lock = threading.RLock()
        self.forgotten: list[int] = []
        """Sessions that no runner needs any more; they are closed with the next call."""
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (stop closes it)
        self._connection, theirs = multiprocessing.Pipe()
        descriptors = [theirs.fileno(), self.feeds.descriptor, self.outputs.descriptor]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "fns_lab.runtimes.engine_process", *map(str, descriptors)],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            pass_fds=descriptors,
        )
        theirs.close()
        self._connection.send(target)

    @property
    def alive(self) -> bool:
        """Whether the process can be called."""
        return self._process.poll() is None and not self._connection.closed

    def call(self, name: str, *arguments: object, timeout_s: float) -> Any:
        """Make one call and return its value.

        Raises `EngineDied` for a fault, a crash or no answer in time, `InputError` for feeds that do not fit.
        """
        try:
            if self.forgotten:
                sessions, self.forgotten[:] = list(self.forgotten), []
                self._answer("close", (sessions,), timeout_s)
            kind, value = self._answer(name, arguments, timeout_s)
        except BaseException:  # Ctrl-C too: the answer that is still to come would be taken for the next call's
            self.stop()
            raise
        if kind == "value":
            return value
        raise InputError(value) if kind == "input" else EngineDied(value)

    def stop(self) -> None:
        """End the process at once, and give back what was shared with it."""
        if self._connection.closed:
            return
        self._connection.close()
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_S)
        self._log.close()
        self.feeds.close()
        self.outputs.close()

    def _answer(self, name: str, arguments: tuple[object, ...], timeout_s: float) -> tuple[str, Any]:
        try:
            self._connection.send((name, arguments))
            if not self._connection.poll(timeout_s):
                raise EngineDied(f"gave no answer within {timeout_s:g} s")
            kind, value = self._connection.recv()
            return kind, value
        except (EOFError, OSError):
            raise EngineDied(self._cause_of_death()) from None

    def _cause_of_death(self) -> str:
        try:
            code = self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            return "stopped answering"
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").split()
        words = f": {' '.join(lines)[-LOG_CHARACTERS:]}" if lines else ""
        if code >= 0:
            return f"its process ended with exit code {code}{words}"
        known = {s.value for s in signal.Signals}
        name = signal.Signals(-code).name if -code in known else str(-code)
        return f"its process died of signal {-code} ({name}){words}"


_SESSIONS = itertools.count(1)
_PROCESSES: dict[str, EngineProcess] = {}


def _process_for(target: Target) -> EngineProcess:
    key = repr(target)
    process = _PROCESSES.get(key)
    if process and not process.alive:
        process.stop()
        process = None
    if process is None:
        process = _PROCESSES[key] = EngineProcess(target)
    return process


@atexit.register
def _stop_all() -> None:
    for process in _PROCESSES.values():
        process.stop()
