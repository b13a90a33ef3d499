"""WebKitGTK's own small browser, driven by WebDriver."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from benchmarks.browsers.driver import ANSWER_S, START_S, Fault, Programs, found

DRIVER = "WebKitWebDriver"


def program() -> str | None:
    """Return the path of the driver, None where it, its browser or a screen is not installed."""
    return found(DRIVER) if _browser() else None


def _browser() -> Path | None:
    return next(iter(sorted(Path("/usr/lib").glob("*/webkit2gtk-4.*/MiniBrowser"), reverse=True)), None)


class WebKit:
    """A WebKitGTK browser. To be closed."""

    errors = None  # the driver gives no access to the console

    def __init__(self) -> None:
        self._programs = Programs()
        self._session = ""
        port = _free_port()
        self._address = f"http://127.0.0.1:{port}"
        try:
            self._programs.start([DRIVER, f"--port={port}"])
            self._wait()
            options = {"binary": str(_browser()), "args": ["--automation"]}
            answer = self._ask("POST", "/session", {
                "capabilities": {"alwaysMatch": {"webkitgtk:browserOptions": options}}
            })  # fmt: skip
            self._session = f"/session/{answer['sessionId']}"
            milliseconds = int(1000 * ANSWER_S)
            self._ask("POST", f"{self._session}/timeouts", {"script": milliseconds, "pageLoad": milliseconds})
        except BaseException:
            self.close()
            raise
        self.name = f"WebKitGTK {answer['capabilities']['browserVersion']}"

    def open(self, address: str) -> None:
        """Open an address and wait until it has loaded."""
        self._ask("POST", f"{self._session}/url", {"url": address})

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression, awaited, as JSON has it."""
        script = f"""const done = arguments[arguments.length - 1];
            (async () => ({expression}))().then(
                (value) => done({{ value }}), (error) => done({{ error: String(error) }}));"""
        answer = self._ask("POST", f"{self._session}/execute/async", {"script": script, "args": []})
        if "error" in answer:
            raise Fault(f"{expression}: {answer['error']}")
        return answer.get("value")

    def resize(self, width: int, height: int) -> None:
        """Set the size of the window, pixels."""
        self._ask("POST", f"{self._session}/window/rect", {"width": width, "height": height})

    def screenshot(self) -> bytes:
        """Return the visible part of the page, a PNG file."""
        return base64.b64decode(self._ask("GET", f"{self._session}/screenshot"))

    def close(self) -> None:
        """End the browser, its driver and its screen."""
        if self._session:
            with contextlib.suppress(Fault, OSError):
                self._ask("DELETE", self._session)
        self._programs.close()

    def _wait(self) -> None:
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            try:
                self._ask("GET", "/status")
                return
            except OSError:
                time.sleep(0.1)
        raise Fault(f"{DRIVER} does not answer")

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._address + path, data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            with error:
                value = json.load(error)["value"]
            raise Fault(f"{path}: {value['error']}: {value['message']}") from None


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
