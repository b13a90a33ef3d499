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
import os
import signal
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto

from fns_lab import models
from fns_lab.errors import InputError, NoAnswer, RuntimeFault
from fns_lab.feeds import fit_feeds
from fns_lab.limits import ANSWER_SECONDS
from fns_lab.models import model_label
from fns_lab.runtimes.advice import advice
from fns_lab.runtimes.base import ClosingRunner, no_answer, package_name
from fns_lab.runtimes.shared_arrays import SharedArrays
from fns_lab.runtimes.versions import fetched_folder
from fns_lab.targets import Target

SURVIVES_EMPTY_NAMES = frozenset({
    "Attention", "Clip", "Dropout", "DynamicQuantizeLinear", "GRU", "Gemm", "LSTM", "MaxPool", "NonMaxSuppression",
    "Pad", "QuantizeLinear", "RNN", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax",
    "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare", "Resize", "Slice", "Squeeze", "TopK",
    "Trilu", "Unique",
})  # fmt: skip
"""Ops that ONNX Runtime runs or refuses, whichever of their inputs and outputs has an empty name.

Seen to crash it: BatchNormalization, DFT, Einsum, LayerNormalization, Loop, Max, Mean, Min, Split, Sum (1.32.0).
"""
START_S = 120.0
"""Seconds given to a process to start, with the import of its engine."""
END_S = 5.0
"""Seconds given to a process to end."""
LOG_CHARACTERS = 300
"""Longest text that is shown of what a dead engine wrote to stderr last."""
LOG_BYTES = 1 << 16
"""Bytes at the end of the engine's stderr that are read for that text."""


def is_needed(model: ModelProto, target: Target) -> bool:
    """Return whether `model` runs in a process of its own in the engine of `target`.

    Engines that have crashed often always do (`Target.own_process`). ONNX Runtime has crashed on nodes that leave out
    an input or an output by an empty name, and on empty arrays (`has_empty_input`), so that only models with these do.
    For every other model this costs one look at each node.
    """
    if target.own_process or target.runtime != "ort":
        return target.own_process
    functions = (node for function in model.functions for node in function.node)
    nodes = itertools.chain(models.walk(model.graph), functions)
    return has_empty_input(model) or any(map(_is_suspect, nodes))


def has_empty_input(model: ModelProto) -> bool:
    """Return whether the model declares an input or an initializer without elements."""
    shapes = [*models.input_shapes(model).values(), *(tensor.dims for tensor in model.graph.initializer)]
    return any(0 in shape for shape in shapes)


def _is_suspect(node: NodeProto) -> bool:
    return ("" in node.input or "" in node.output) and models.op_name(node) not in SURVIVES_EMPTY_NAMES


class IsolatedRunner(ClosingRunner):
    """A model loaded into an engine that runs in a process of its own."""

    def __init__(
        self, model: ModelProto, target: Target, *, timeout_s: float | None = None, once: bool = False
    ) -> None:
        self.target, self.model, self.once = target, model, once
        self._timeout_s = timeout_s or ANSWER_SECONDS.value
        self._session = next(_SESSIONS)
        self._key = repr(target)  # its tables are long: not to be written out in each run
        self._process: EngineProcess | None = None
        """The process that holds the session; another one after a crash."""
        with self._ready():
            pass

    def infer(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return every graph output by name. Raises `InputError` and `RuntimeFault` as every runner does."""
        checked = fit_feeds(self.model, feeds)
        with self._ready() as process:
            places = process.feeds.write(checked)
            outputs, self.ms = self._call(process, "run", self._session, places, process.outputs.held)
            return process.outputs.take(outputs)

    def close(self) -> None:
        """Free the session, with the next call into the process."""
        if self._process:
            self._process.forgotten.append(self._session)
        self._process = None

    def cancel(self) -> None:
        """End the engine's process; the next run starts another one."""
        if self._process:
            self._process.kill()

    @contextlib.contextmanager
    def _ready(self) -> Iterator[EngineProcess]:
        """Yield the target's process with this model loaded in it, for this thread alone."""
        with _held_process(self._key, self.target) as process:
            if process is not self._process:
                content = np.frombuffer(self.model.SerializeToString(), np.uint8)
                (place,) = process.feeds.write({"model": content})
                self.create_ms = self._call(process, "create", self._session, place, self.once)
                self._process = process
                weakref.finalize(self, process.forgotten.append, self._session)
            yield process

    def _call(self, process: EngineProcess, name: str, *arguments: object) -> Any:
        try:
            return process.call(name, *arguments, timeout_s=self._timeout_s)
        except EngineDied as error:
            label, text = model_label(self.model), str(error)
            fault = RuntimeFault if isinstance(error, EngineFailed) else NoAnswer
            raise fault(package_name(self.target), label, text, advice(self.model, self.target)) from None


class EngineDied(Exception):
    """The engine's process died or hung, or the engine failed. The message says how."""


class EngineFailed(EngineDied):
    """The engine failed, and its process said so."""


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
            env=_environment(target),
        )
        theirs.close()
        self._connection.send(target)
        self._started = self._killed = False

    @property
    def alive(self) -> bool:
        """Whether the process can be called."""
        return not self._killed and self._process.poll() is None and not self._connection.closed

    def call(self, name: str, *arguments: object, timeout_s: float) -> Any:
        """Make one call and return its value.

        Raises `EngineFailed` for a fault, `EngineDied` for a crash or no answer in time, `InputError` for feeds that do
        not fit.
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
        raise InputError(value) if kind == "input" else EngineFailed(value)

    def kill(self) -> None:
        """End the process while another thread waits for it, which then gets `EngineDied`."""
        self._killed = True
        self._process.kill()

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
            if not self._started:  # the engine's import takes seconds, which are not the call's
                self._received(START_S)
                self._started = True
            self._connection.send((name, arguments))
            return self._received(timeout_s)
        except (EOFError, OSError):
            raise EngineDied(self._cause_of_death()) from None

    def _received(self, timeout_s: float) -> tuple[str, Any]:
        if not self._connection.poll(timeout_s):
            raise EngineDied(no_answer(timeout_s))
        kind, value = self._connection.recv()
        return kind, value

    def _cause_of_death(self) -> str:
        try:
            code = self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            return "stopped answering"
        lines = self._log_end().split()
        words = f": {' '.join(lines)[-LOG_CHARACTERS:]}" if lines else ""
        if code >= 0:
            return f"its process ended with exit code {code}{words}"
        known = {s.value for s in signal.Signals}
        name = signal.Signals(-code).name if -code in known else str(-code)
        hint = ", as when the machine is out of memory" if name == "SIGKILL" else ""
        return f"its process died of signal {-code} ({name}{hint}){words}"

    def _log_end(self) -> str:
        """Return the end of what the engine wrote, whose words are those of the crash."""
        self._log.seek(max(0, os.fstat(self._log.fileno()).st_size - LOG_BYTES))
        return self._log.read().decode(errors="replace")


def _environment(target: Target) -> dict[str, str]:
    """Return the environment of a target's process, which imports the version fetched for it before any other."""
    folder = fetched_folder(target)
    first = [str(folder)] if folder else []
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [*first, os.environ.get("PYTHONPATH")]))}


_SESSIONS = itertools.count(1)
_PROCESSES: dict[str, EngineProcess] = {}
_START = threading.Lock()
"""Held while a process is looked up or started, so that no two threads start one for the same target."""


@contextlib.contextmanager
def _held_process(key: str, target: Target) -> Iterator[EngineProcess]:
    """Yield the process of `target`, whose key it is, once no other thread uses it; start one if there is none."""
    while True:
        with _START:
            process = _process_for(key, target)
        with process.lock:
            if process.alive:  # another thread may have stopped it while this one waited
                yield process
                return


def _process_for(key: str, target: Target) -> EngineProcess:
    process = _PROCESSES.get(key)
    if process and not process.alive:
        with process.lock:
            process.stop()
        process = None
    if process is None:
        process = _PROCESSES[key] = EngineProcess(target)
    return process


@atexit.register
def _stop_all() -> None:
    for process in _PROCESSES.values():
        process.stop()


def _forget() -> None:
    """Leave the processes to the parent, in a forked child: both would read the same pipes."""
    global _START
    _PROCESSES.clear()
    _START = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
