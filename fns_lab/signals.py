"""Ctrl-C and SIGTERM: each ends a command with one line and an exit code of its own, and lets it tidy up before."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from types import FrameType
from typing import Any

EXIT_CODES = {signal.SIGINT: (130, "interrupted"), signal.SIGTERM: (143, "terminated")}
"""Exit code and word by signal."""


class Terminated(BaseException):
    """SIGTERM was received."""


class Signals:
    """While it is entered, Ctrl-C raises `KeyboardInterrupt` and SIGTERM `Terminated` in the main thread.

    A signal that the caller ignores, as under `nohup`, stays ignored. `interrupted` says whether Ctrl-C was pressed.
    """

    def __init__(self) -> None:
        self.interrupted = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        if threading.current_thread() is threading.main_thread():
            self._take(signal.SIGINT, self._interrupt)
            self._take(signal.SIGTERM, self._terminate)
        return self

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _take(self, number: int, handler: Any) -> None:
        before = signal.getsignal(number)
        if before != signal.SIG_IGN:
            self._before[number] = before
            signal.signal(number, handler)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self.interrupted = True
        raise KeyboardInterrupt

    def _terminate(self, number: int, frame: FrameType | None) -> None:
        raise Terminated


def end_at_once() -> None:
    """Let both signals end the process at once with their line, before and after a command."""
    for number in EXIT_CODES:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _end)


def _end(number: int, frame: FrameType | None) -> None:
    code, word = EXIT_CODES[signal.Signals(number)]
    with contextlib.suppress(OSError):
        os.write(2, f"fns-lab: {word}\n".encode())  # print could be in the middle of a line of its own
    os._exit(code)
