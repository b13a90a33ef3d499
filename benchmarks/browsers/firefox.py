"""Firefox, driven by WebDriver BiDi, which it speaks itself."""

from __future__ import annotations

import base64
import itertools
import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any

from benchmarks.browsers.driver import ANSWER_S, START_S, Fault, Programs, found

PROGRAMS = ("firefox-esr", "firefox")
ADDRESS = re.compile(r"WebDriver BiDi listening on (ws://\S+)")
PREFERENCES = """\
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("app.update.enabled", false);
user_pref("dom.webgpu.enabled", true);
user_pref("webgl.force-enabled", true);
"""


def program() -> str | None:
    """Return the path of Firefox, None where it or a screen is not installed."""
    return found(*PROGRAMS)


class Firefox:
    """A Firefox with a profile of its own. To be closed."""

    def __init__(self) -> None:
        import websocket

        self._programs = Programs()
        self._numbers = itertools.count(1)
        self.errors: list[str] = []
        """Errors of the console so far."""
        home, path = Path(self._programs.home), program() or PROGRAMS[0]
        (home / "user.js").write_text(PREFERENCES, encoding="utf-8")
        with (home / "log").open("w") as log:
            command = [path, "--no-remote", "--profile", str(home), "--remote-debugging-port", "0", "about:blank"]
            process = self._programs.start(command, stdout=log, stderr=log)
        try:
            address = _address(home / "log", process)
            self._socket = websocket.create_connection(f"{address}/session", suppress_origin=True, timeout=ANSWER_S)
            session = self._ask("session.new", capabilities={})
            self._ask("session.subscribe", events=["log.entryAdded"])
            self._context = self._ask("browsingContext.getTree")["contexts"][0]["context"]
        except BaseException:
            self.close()
            raise
        self.name = f"Firefox {session['capabilities']['browserVersion']}"

    def open(self, address: str) -> None:
        """Open an address and wait until it has loaded."""
        self._ask("browsingContext.navigate", context=self._context, url=address, wait="complete")

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression, awaited, as JSON has it."""
        answer = self._ask(
            "script.evaluate",
            expression=f"(async () => JSON.stringify(await ({expression})))()",
            target={"context": self._context},
            awaitPromise=True,
        )
        if answer["type"] == "exception":
            raise Fault(f"{expression}: {answer['exceptionDetails']['text']}")
        return json.loads(answer["result"].get("value", "null"))

    def resize(self, width: int, height: int) -> None:
        """Set the size of the page, pixels."""
        size = {"width": width, "height": height}
        self._ask("browsingContext.setViewport", context=self._context, viewport=size)

    def screenshot(self) -> bytes:
        """Return the visible part of the page, a PNG file."""
        return base64.b64decode(self._ask("browsingContext.captureScreenshot", context=self._context)["data"])

    def close(self) -> None:
        """End the browser and delete its profile."""
        if socket := getattr(self, "_socket", None):
            socket.close()
        self._programs.close()

    def _ask(self, method: str, **params: object) -> Any:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv())
            if message.get("method") == "log.entryAdded" and message["params"]["level"] == "error":
                self.errors.append(str(message["params"]["text"]))
            if message.get("id") == number:
                if message["type"] == "error":
                    raise Fault(f"{method}: {message['error']}: {message['message']}")
                return message["result"]


def _address(log: Path, process: subprocess.Popen[bytes]) -> str:
    """Return the address that Firefox prints once it listens."""
    end = time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None:
        if match := ADDRESS.search(log.read_text(encoding="utf-8", errors="replace")):
            return match[1]
        time.sleep(0.1)
    raise Fault(f"Firefox does not listen: {log.read_text(encoding='utf-8', errors='replace')[-500:]}")
