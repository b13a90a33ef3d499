"""What the drivers of browsers share. Chromium is driven by Playwright, whose own Firefox and WebKit are patched."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from typing import Any, Protocol

START_S = 60.0
"""Seconds that a browser may take to start."""
ANSWER_S = 300.0
"""Seconds that a browser may take to answer."""
END_S = 10.0
"""Seconds that a browser may take to end."""
SCREEN = "Xvfb"
"""A screen without a display: only on one have both browsers WebGL, which Mesa computes on the CPU."""


class Fault(RuntimeError):
    """A browser did not start, or refused what it was asked for."""


class Browser(Protocol):
    """A browser with one page. `errors` are those of its console, None where the driver cannot read it."""

    name: str
    errors: list[str] | None

    def open(self, address: str) -> None:
        """Open an address and wait until it has loaded."""

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression, awaited, as JSON has it."""

    def resize(self, width: int, height: int) -> None:
        """Set the size of the page, pixels."""

    def screenshot(self) -> bytes:
        """Return the visible part of the page, a PNG file."""

    def close(self) -> None:
        """End the browser."""


class Programs:
    """Processes on a screen of their own, with a home folder of their own. To be closed."""

    def __init__(self) -> None:
        self._started: list[subprocess.Popen[bytes]] = []
        self._folder = tempfile.TemporaryDirectory(prefix="fns-lab-browser-")
        self.home = self._folder.name
        self.environment = dict(os.environ)
        reading, writing = os.pipe()
        self.start(
            [SCREEN, "-displayfd", str(writing), "-screen", "0", "1400x1200x24", "-nolisten", "tcp"], pass_fds=[writing]
        )
        os.close(writing)
        with os.fdopen(reading) as stream:
            number = stream.readline().strip()
        if not number:
            self.close()
            raise Fault(f"{SCREEN} did not start")
        on_screen = {"DISPLAY": f":{number}", "GDK_BACKEND": "x11", "LIBGL_ALWAYS_SOFTWARE": "1", "HOME": self.home}
        self.environment |= on_screen

    def start(self, command: list[str], **options: Any) -> subprocess.Popen[bytes]:
        """Start a program; what it prints is dropped unless `options` say where to."""
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(command, env=self.environment, **quiet | options)
        self._started.append(process)
        return process

    def close(self) -> None:
        """End the programs, the latest first, if need be by force, and delete the home folder."""
        for process in reversed(self._started):
            process.terminate()
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._folder.cleanup()


def found(*names: str) -> str | None:
    """Return the path of the first of these programs, None where none of them or no screen is installed."""
    return next(filter(None, map(shutil.which, names)), None) if shutil.which(SCREEN) else None
