"""The process that an engine runs in. `fns_lab.runtimes.isolated` starts it and calls it through a pipe.

It answers one call after another until the pipe closes. An engine's own error is an answer; whatever ends this process
(a segmentation fault, an abort, the memory limit) is noticed at the other end.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import resource
import signal
import sys
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path

import onnx

from fns_lab.errors import InputError, RuntimeFault
from fns_lab.process import keep_freed_memory
from fns_lab.runtimes import Runner, runner_class
from fns_lab.runtimes.shared_arrays import Place, SharedArrays, Span
from fns_lab.targets import Target

MEMORY_SHARE = 0.75
"""Fraction of the machine's memory that this process may map; beyond it an allocation of the engine fails."""
ORPHAN_CHECK_S = 1.0
"""Seconds between two looks at whether the parent is still there."""


class EngineServer:
    """The sessions of one target's engine, by number, and the calls that the parent may make."""

    def __init__(self, target: Target, feeds: SharedArrays, outputs: SharedArrays) -> None:
        self._target = dataclasses.replace(target, own_process=True)  # this is it: no runner may start another one
        self._feeds, self._outputs = feeds, outputs
        self._runner_class = runner_class(target)
        self._sessions: dict[int, Runner] = {}

    def create(self, session: int, place: Place, once: bool) -> float:
        """Load the model whose bytes lie at `place`; return the milliseconds it took."""
        model = onnx.ModelProto.FromString(self._feeds.read([place])[place.name].tobytes())
        self._sessions[session] = runner = self._runner_class(model, self._target, once=once)
        runner.lasting = False  # outputs are written to the shared memory before the next run
        return runner.create_ms

    def run(self, session: int, places: list[Place], held: list[Span]) -> tuple[list[Place], float]:
        """Run a session on the feeds at `places`; return where its outputs lie, and the milliseconds it took.

        The parent still uses earlier outputs in the bytes that are `held`.
        """
        runner = self._sessions[session]
        outputs = runner.infer(self._feeds.read(places))
        return self._outputs.write(outputs, held), runner.ms

    def close(self, sessions: list[int]) -> None:
        """Free these sessions."""
        for session in sessions:
            if runner := self._sessions.pop(session, None):
                runner.close()


def main(descriptors: list[int]) -> None:
    """Serve the parent at the other end of the pipe, the first of `descriptors`; then come feeds and outputs."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    threading.Thread(target=_exit_with_parent, args=[os.getppid()], daemon=True).start()
    connection = Connection(descriptors[0])
    _limit_memory()
    keep_freed_memory()  # or outputs of 100 MB would be new memory in each run, which takes longer than a small model
    with contextlib.suppress(EOFError, BrokenPipeError):
        server = EngineServer(connection.recv(), *map(SharedArrays, descriptors[1:]))
        connection.send(("value", None))  # ready
        while True:
            name, arguments = connection.recv()
            connection.send(_answer(server, name, arguments))


def _answer(server: EngineServer, name: str, arguments: tuple[object, ...]) -> tuple[str, object]:
    """Return the answer to one call after its kind: "value", "fault" of the engine, or "input" that does not fit."""
    try:
        return "value", getattr(server, name)(*arguments)
    except RuntimeFault as fault:
        return "fault", fault.message
    except InputError as error:
        return "input", str(error)
    except MemoryError:
        return "fault", "out of memory"
    except Exception as error:  # a result that this package cannot pass on must not end the process
        return "fault", f"{type(error).__name__}: {error}"


def _limit_memory() -> None:
    """Have the engine refused memory that the machine has not, and ended before its parent where that is too late."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    limit = int(MEMORY_SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    with contextlib.suppress(ValueError, OSError):  # a lower limit is in force already
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _exit_with_parent(parent: int) -> None:
    """End this process soon after its parent, even while an engine computes for ever."""
    while os.getppid() == parent:
        time.sleep(ORPHAN_CHECK_S)
    os._exit(1)


if __name__ == "__main__":
    main([int(text) for text in sys.argv[1:]])
