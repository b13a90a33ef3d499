"""Chromium, driven by Playwright."""

from __future__ import annotations

import shutil
from typing import Any

from fns_lab.runtimes.chromium import Chromium as Engine
from fns_lab.runtimes.chromium import find_browser


def program() -> str | None:
    """Return the path of Chromium, None where none is installed."""
    return str(path) if (path := find_browser()) else shutil.which("chromium")


class Chromium:
    """A Chromium without a window. To be closed."""

    def __init__(self) -> None:
        self._engine = Engine()
        self.errors: list[str] = []
        """Errors of the console so far."""
        self.requested: list[str] = []
        """Addresses that the page asked for so far."""
        self._page: Any = self._engine.run(self._opened())

    def open(self, address: str) -> None:
        """Open an address and wait until it has loaded."""
        self._engine.run(self._page.goto(address))

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression, awaited, as JSON has it."""
        return self._engine.run(self._page.evaluate(expression))

    def resize(self, width: int, height: int) -> None:
        """Set the size of the page, pixels."""
        self._engine.run(self._page.set_viewport_size({"width": width, "height": height}))

    def screenshot(self) -> bytes:
        """Return the visible part of the page, a PNG file."""
        image: bytes = self._engine.run(self._page.screenshot())
        return image

    def close(self) -> None:
        """End the browser."""
        self._engine.close()

    async def _opened(self) -> Any:
        browser = await self._engine.browser()
        self.name = f"Chromium {browser.version}"
        page = await (await browser.new_context()).new_page()
        page.set_default_timeout(0)
        page.on("request", lambda request: self.requested.append(request.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda message: message.type == "error" and self.errors.append(message.text))
        return page
