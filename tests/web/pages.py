"""The site in a real browser: a file server of a folder, and a page that notes its requests and errors."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Awaitable, Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from fns_lab.runtimes.chromium import shared_chromium

DONE_S = 120.0
POLL_S = 0.02


class Quiet(SimpleHTTPRequestHandler):
    """A file server that sends no headers of its own, as most static hosts."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        """Write nothing."""


@contextlib.contextmanager
def serving_folder(folder: Path) -> Iterator[str]:
    """Serve a folder at an address of this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


class Visit:
    """A page of the site. `foreign` are requests to other addresses, `complaints` are errors of the console."""

    def __init__(self, page, address: str) -> None:
        self.page = page
        self.address = address
        self.requested: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.requested.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(f"page: {error}"))
        page.on("console", self._note)

    @property
    def foreign(self) -> list[str]:
        own = (self.address.split("#")[0], "blob:", "data:")
        return [url for url in self.requested if not url.startswith(own)]

    def _note(self, message) -> None:
        if message.type == "error":
            self.complaints.append(f"console: {message.text}")

    async def text(self, selector: str) -> str:
        return await self.page.locator(selector).inner_text()

    async def until(self, expression: str) -> None:
        """Wait until an expression is true. Playwright's own `wait_for_function` needs eval, which the page forbids."""
        async with asyncio.timeout(DONE_S):
            while not await self.page.evaluate(expression):
                await asyncio.sleep(POLL_S)

    async def until_says(self, selector: str, words: str) -> str:
        """Wait until an element says these words and return all that it says."""
        await self.until(f"document.querySelector({selector!r}).textContent.includes({words!r})")
        return await self.text(selector)

    async def pixels(self, selector: str) -> list[int]:
        """Return the RGBA bytes of a canvas."""
        return await self.page.evaluate(
            """(selector) => {
              const canvas = document.querySelector(selector);
              return [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data];
            }""",
            selector,
        )


def visit(address: str, script: Callable[[Visit], Awaitable[object]], **options: object) -> object:
    """Open an address in a fresh context, run `script` on it, and check that nothing left and nothing failed."""

    async def look():
        browser = await shared_chromium().browser()
        context = await browser.new_context(**options)
        try:
            page = Visit(await context.new_page(), address)
            await page.page.goto(address)
            result = await script(page)
            assert page.foreign == []
            assert page.complaints == []
            return result
        finally:
            await context.close()

    return shared_chromium().run(look())
