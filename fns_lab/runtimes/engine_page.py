"""One browser page with one engine in it, and any number of sessions.

Everything here runs in the browser's thread. This process answers the page's requests itself, through Playwright's
request interception, so no port is open. The page's https address does not exist anywhere; it makes the page a secure
context, which WebGPU needs, and two headers make it cross-origin isolated, which wasm threads need. A request to any
other address is refused.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import mimetypes
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from fns_lab.errors import first_line
from fns_lab.runtimes.base import no_answer
from fns_lab.runtimes.chromium import Chromium, quietly
from fns_lab.runtimes.engines import engine_for
from fns_lab.targets import Target

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, ConsoleMessage, Download, Page, Route

T = TypeVar("T")
"""Any type."""

ORIGIN = "https://fns-lab.localhost"
"""The page's address, which no server answers."""
ISOLATION = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}
"""Headers with which a page may use threads."""
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{major}.0.0.0 Safari/537.36"
"""User agent of a Chrome with a window."""
SMALL_BYTES = 1 << 18
"""Blocks up to this size are passed as base64 (10 ms, plus 200 ms per megabyte), larger ones as files (50 ms)."""
START_S = 60.0
"""Seconds that each step of opening a page may take."""


class EngineError(Exception):
    """An error in a page, with the engine's own message; the runner turns it into a RuntimeFault."""


class PageLost(EngineError):
    """The page hung, crashed or lost its engine; the runner turns it into a NoAnswer."""


class EnginePage:
    """A page for `target`. `alive` turns False for good when the page hangs, crashes or is closed."""

    def __init__(self, chromium: Chromium, target: Target) -> None:
        self.alive = False
        self._chromium = chromium
        self._target = target
        self._engine = engine_for(target)
        self._files = self._engine.page_files()
        self._context: BrowserContext | None = None
        self._page: Page | None = None
        self._turn = asyncio.Lock()
        self._downloads: asyncio.Queue[Download] = asyncio.Queue()
        self._console: deque[str] = deque(maxlen=4)
        self._last_session = 0
        self._closing: asyncio.Task[None] | None = None

    @property
    def page(self) -> Page:
        """Playwright's page. Raises EngineError before `open`."""
        if self._page is None:
            raise EngineError("the page is not open")
        return self._page

    async def open(self) -> None:
        """Open the page and start the engine in it. Raises EngineError when that fails."""
        self.alive = True
        browser = await self._chromium.browser()
        self._context = await self._within(browser.new_context(user_agent=self._user_agent(browser.version)), START_S)
        await self._context.route("**/*", self._serve)
        self._page = await self._within(self._context.new_page(), START_S)
        self.page.on("close", lambda _: self._mark_dead())
        self.page.on("crash", lambda _: self._mark_dead())
        self.page.on("download", self._downloads.put_nowait)
        self.page.on("console", self._note_console)
        self.page.on("pageerror", lambda error: self._console.append(error.message))
        await self._within(self.page.goto(ORIGIN + "/"), START_S)
        wasm = self._engine.wasm.read_bytes() if self._engine.wasm else b""
        await self._call("setup", {"options": self._engine.options}, wasm, START_S)

    async def create(self, model: bytes, timeout_s: float) -> tuple[int, float]:
        """Load serialized ONNX into a new session; return its number and the milliseconds that the engine took."""
        self._last_session += 1
        session = self._last_session
        reply, _ = await self._call("create", {"id": session}, model, timeout_s)
        return session, reply["ms"]

    async def run(
        self, session: int, feeds: list[dict[str, Any]], block: bytes, timeout_s: float
    ) -> tuple[list[dict[str, Any]], bytes, float]:
        """Run a session on feeds (name, type, dims, and offset and length of the data in `block`).

        Return the outputs (name, type, dims, length), the block of their data, and the milliseconds that it took.
        """
        reply, outputs = await self._call("run", {"id": session, "feeds": feeds}, block, timeout_s)
        return reply["outputs"], outputs, reply["ms"]

    async def close_session(self, session: int, timeout_s: float) -> None:
        """Free a session."""
        if self.alive:
            await self._call("close", {"id": session}, b"", timeout_s)

    async def discard(self) -> None:
        """Close the page for good; restart the browser if it cannot even do that."""
        self._mark_dead()
        if self._context and not await quietly(self._context.close()):
            await self._chromium.restart()

    async def closed(self) -> None:
        """Wait until a page whose call was cancelled is closed, and the browser restarted if that was needed."""
        async with self._turn:
            pass  # the cancelled call has ended
        if self._closing:
            await asyncio.wait({self._closing})

    async def _call(
        self, name: str, request: dict[str, Any], block: bytes, timeout_s: float
    ) -> tuple[dict[str, Any], bytes]:
        """Make one call of host.js, one at a time, and return its reply and the bytes that came with it."""
        async with self._turn, self._sent(block, timeout_s) as inline:
            self._console.clear()
            reply = await self._within(self.page.evaluate("host", [name, request | {"bytes": inline}]), timeout_s)
            if reply.get("fatal"):
                await self.discard()
            if "error" in reply:
                fault = PageLost if reply.get("fatal") else EngineError
                raise fault((reply["error"] or "the engine gave no reason") + self._console_text())
            return reply, await self._received(reply, timeout_s)

    @contextlib.asynccontextmanager
    async def _sent(self, block: bytes, timeout_s: float) -> AsyncIterator[str | None]:
        """Yield the block as base64, or None once it is in the page's file input: a pipe moves 4 MB/s, a file 300."""
        if len(block) <= SMALL_BYTES:
            yield base64.b64encode(block).decode("ascii")
            return
        with tempfile.TemporaryDirectory(prefix="fns-lab-") as folder:
            path = Path(folder, "block.bin")
            path.write_bytes(block)
            await self._within(self.page.locator("#inbox").set_input_files(path), timeout_s)
            yield None

    async def _received(self, reply: dict[str, Any], timeout_s: float) -> bytes:
        if "outputs" not in reply:
            return b""
        if reply["bytes"] is not None:
            return base64.b64decode(reply["bytes"])
        download = await self._within(self._downloads.get(), timeout_s)
        block = Path(await self._within(download.path(), timeout_s)).read_bytes()
        await self._within(download.delete(), timeout_s)
        return block

    async def _within(self, work: Awaitable[T], timeout_s: float) -> T:
        """Await `work`, and close the page if it does not answer in time, has crashed, or the caller was cancelled."""
        from playwright.async_api import Error

        try:
            return await asyncio.wait_for(work, timeout_s)
        except TimeoutError:
            await self.discard()
            raise PageLost(no_answer(timeout_s) + self._console_text()) from None
        except Error as error:
            await self.discard()
            raise PageLost(
                f"the page crashed or ran out of memory ({first_line(error)})" + self._console_text()
            ) from error
        except asyncio.CancelledError:
            self._mark_dead()
            self._closing = asyncio.create_task(
                self.discard()
            )  # without a reference the task may be collected unfinished
            raise

    async def _serve(self, route: Route) -> None:
        origin, _, name = route.request.url.partition(ORIGIN + "/")
        if origin:
            await route.abort("blockedbyclient")
            return
        path = self._files.get(name)
        if path is None:
            await route.fulfill(status=404, headers=ISOLATION)
            return
        mime = "text/javascript" if path.suffix in (".js", ".mjs") else mimetypes.guess_type(path.name)[0]
        headers = ISOLATION | {"Content-Type": mime or "application/octet-stream"}
        await route.fulfill(status=200, body=path.read_bytes(), headers=headers)

    def _user_agent(self, version: str) -> str:
        agent = str(self._target.settings.get("user_agent", "chrome"))
        return CHROME.format(major=version.split(".")[0]) if agent == "chrome" else agent

    def _mark_dead(self) -> None:
        self.alive = False

    def _note_console(self, message: ConsoleMessage) -> None:
        if message.type in ("warning", "error"):
            self._console.append(message.text)

    def _console_text(self) -> str:
        """Return what the engine wrote to the console during this call, for the end of a message."""
        return f" (console: {' | '.join(self._console)})" if self._console else ""
