"""Functions called in a process of their own: their memory and output are not ours, and they can be stopped.

The process starts with the first call and is kept. It ends with `CallProcess.stop`, or when this process ends.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

END_S = 5.0
"""Seconds given to the process to end."""


class CallStopped(Exception):
    """The process ended before the call did, as after `CallProcess.stop`."""


class CallProcess:
    """A process that calls functions, one at a time. Functions, arguments and results must be picklable."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection[Any, Any] | None = None

    def call(self, function: Callable[..., Any], *arguments: object) -> Any:
        """Return `function(*arguments)`, or raise what it raises.

        Raises `CallStopped` if the process ends first, and pickle's errors for what it cannot pass on.
        """
        message = pickle.dumps((function, arguments))
        with self._lock:
            connection = self._started()
            try:
                connection.send_bytes(message)
                good, value = connection.recv()
            except (EOFError, OSError):
                self.stop()
                raise CallStopped("the process ended before the call did") from None
        if good:
            return value
        raise value

    def stop(self) -> None:
        """End the process at once; a later call starts another one. May be called from any thread."""
        process, self._process = self._process, None
        if process:
            process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(END_S)

    def _started(self) -> Connection[Any, Any]:
        if self._process and self._connection:
            return self._connection
        if self._connection:
            self._connection.close()
        self._connection, theirs = multiprocessing.Pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "fns_lab.calls", str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        return self._connection


def serve(descriptor: int) -> None:
    """Answer calls until the other end of the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the caller's to handle
    connection = Connection(descriptor)
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            connection.send(_answer(connection.recv_bytes()))


def _answer(message: bytes) -> tuple[bool, Any]:
    """Return True and the value of a call, or False and what it raised."""
    try:
        function, arguments = pickle.loads(message)
        return True, function(*arguments)
    except Exception as error:  # whatever the function raises is the caller's
        return False, error


if __name__ == "__main__":
    serve(int(sys.argv[1]))
