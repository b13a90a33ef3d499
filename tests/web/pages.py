"""The site in a real browser: a page that notes its requests and errors."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from fns_lab.runtimes.chromium import Chromium, shared_chromium

DONE_S = 120.0
POLL_MS = 20


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
        """Wait until an expression is true. Playwright's own `wait_for_function` needs eval, which the page forbids.

        The page itself looks again and again: to ask it from here costs the two processes between them as well.
        """
        ask = f"async () => {{ while (!({expression})) await new Promise((wake) => setTimeout(wake, {POLL_MS})); }}"
        try:
            async with asyncio.timeout(DONE_S):
                await self.page.evaluate(ask)
        except TimeoutError:
            said = await self.page.locator("body").inner_text()
            raise AssertionError(f"not true after {DONE_S:.0f} s: {expression}; {self.complaints}; {said}") from None

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


def visit(
    address: str,
    script: Callable[[Visit], Awaitable[object]],
    *,
    chromium: Chromium | None = None,
    **options: object,
) -> object:
    """Open an address in a fresh context, run `script` on it, and check that nothing left and nothing failed."""
    chromium = chromium or shared_chromium()

    async def look():
        browser = await chromium.browser()
        context = await browser.new_context(**options)
        try:
            page = Visit(await context.new_page(), address)
            await page.page.goto(address)
            result = await script(page)
            assert page.foreign == []
            assert page.complaints == [], page.complaints
            return result
        finally:
            await context.close()

    return chromium.run(look())
