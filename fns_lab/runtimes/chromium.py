"""One real Chromium per process, controlled from a thread of its own.

The thread has its own asyncio loop, so that callers may run inside a notebook's loop, in another thread or in neither.
The browser is connected through a pipe, not a port: when this process ends, for whatever reason, the pipe closes and
the browser ends too.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import shutil
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from fns_lab.errors import MissingError, first_line

if TYPE_CHECKING:
    from playwright.async_api import Browser, Playwright

T = TypeVar("T")
"""Any type."""

BROWSER_VARIABLE = "FNS_LAB_BROWSER"
"""Environment variable with the browser to use: a path or a name on PATH."""
GPU_VARIABLE = "FNS_LAB_GPU"
"""Environment variable: 1 uses the machine's GPU in place of the software one."""
ON_PATH = (
    "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge", "msedge",
)  # fmt: skip
"""Programs that are looked for, in order."""
APPLICATIONS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)
"""Where browsers are on macOS and Windows."""
QUIET = ("--disable-background-networking", "--disable-component-update", "--disable-sync")
"""Flags that keep a browser from asking servers and from starting slowly."""
UNUSED_FEATURES = (
    "WebUIOmniboxPopup", "WebUIOmniboxAimPopup",  # two pages for the address bar, in each window that is opened
    "AimEnabled", "AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "HttpsUpgrades",
    "HttpsFirstBalancedModeAutoEnable", "LensOverlay", "MediaRouter", "NetworkTimeServiceQuerying",
    "OptimizationHints", "PaintHolding", "PreconnectToSearch", "ThirdPartyStoragePartitioning",
)  # fmt: skip
"""Features that no page here needs. Those after the first two Playwright disables as well, by a flag that counts only
where no later one has its name."""
SOFTWARE_GPU = (
    "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist", "--enable-unsafe-webgpu",
    "--enable-features=Vulkan", "--use-webgpu-adapter=swiftshader", "--disable-gpu-rasterization",
    "--disable-gpu-compositing",
)  # fmt: skip
"""Flags for a GPU that SwiftShader computes, the same on every machine. It serves WebGL and WebGPU alone: what a page
shows is painted without it, in a fraction of the time."""
MACHINE_GPU = ("--ignore-gpu-blocklist", "--enable-unsafe-webgpu", "--enable-features=Vulkan")
"""Flags for the machine's own GPU."""
LAUNCH_S = 60.0
"""Seconds that a browser may take to start; one that stays silent is then ended."""
CLOSE_S = 5.0
"""Seconds that the browser or Playwright may take to close."""
INSTALL_HINT = (
    f"install chromium, Chrome or Edge, or run `playwright install chromium`, or set {BROWSER_VARIABLE} to one"
)
"""What to do where no browser starts."""

DRIVER_HINT = "run `python -m playwright --version`, which says what it lacks, such as the library libatomic"
"""What to do where Playwright's own program does not start."""


def find_browser() -> Path | None:
    """Return the browser's executable: FNS_LAB_BROWSER, else an installed one, else None for Playwright's own.

    Raises MissingError when FNS_LAB_BROWSER names no program.
    """
    named = os.environ.get(BROWSER_VARIABLE)
    if named:
        program = shutil.which(named)
        if not program:
            raise MissingError(f"{BROWSER_VARIABLE} is '{named}', which is no program; correct it or unset it")
        return Path(program)
    program = next(filter(None, map(shutil.which, ON_PATH)), None)
    if program:
        return Path(program)
    return next((Path(path) for path in APPLICATIONS if Path(path).is_file()), None)


def flags() -> list[str]:
    """Return Chromium's arguments: a software GPU, the same on every machine, or with FNS_LAB_GPU=1 the real one."""
    unused = f"--disable-features={','.join(UNUSED_FEATURES)}"
    chosen = [*QUIET, unused, *(MACHINE_GPU if os.environ.get(GPU_VARIABLE) == "1" else SOFTWARE_GPU)]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        chosen.append("--no-sandbox")  # Chromium refuses to sandbox for root
    return chosen


class Chromium:
    """The browser and its thread. Both start at the first `run`."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._start_lock = threading.Lock()
        self._launch_lock = asyncio.Lock()
        self.page_lock = asyncio.Lock()
        """Held while an engine page is looked up or opened."""
        self._driver: asyncio.Task[Playwright] | None = None
        self._browser: Browser | None = None
        self.executable = ""
        """The program that was started; empty before the first start."""
        self.pages: dict[str, Any] = {}
        """Open engine pages by target and settings; only used in the browser's thread."""

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run `coroutine` in the browser's thread and return its result. Ctrl-C cancels it there and is raised here."""
        return result_of(self.start(coroutine))

    def start(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Run `coroutine` in the browser's thread and return its future; to cancel that ends the coroutine."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._started_loop())

    async def browser(self) -> Browser:
        """Return the running browser, started if there is none. To be called in the browser's thread."""
        async with self._launch_lock:
            if self._browser is None or not self._browser.is_connected():
                await self._stop()
                self._browser = await self._launch()
            return self._browser

    async def restart(self) -> None:
        """Stop the browser, whatever its state; the next `browser()` starts a new one."""
        async with self._launch_lock:
            await self._stop()

    def close(self) -> None:
        """End the browser and its thread; a later `run` starts both again."""
        with self._start_lock:
            loop, self._loop = self._loop, None
            thread, self._thread = self._thread, None
        if loop is None or thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._end(), loop).result(timeout=6 * CLOSE_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(CLOSE_S)

    def _started_loop(self) -> asyncio.AbstractEventLoop:
        with self._start_lock:
            if self._loop is None:
                loop = asyncio.new_event_loop()
                self._launch_lock, self.page_lock = asyncio.Lock(), asyncio.Lock()
                self._thread = threading.Thread(target=_run_loop, args=(loop,), name="fns-lab-browser", daemon=True)
                self._thread.start()
                self._loop = loop
            return self._loop

    async def _launch(self) -> Browser:
        try:
            from playwright.async_api import Error, async_playwright
        except ImportError as error:
            raise MissingError("Python package playwright is not installed: `pip install playwright`") from error
        path = find_browser()
        self._driver = asyncio.create_task(async_playwright().start())
        try:
            playwright = await asyncio.shield(self._driver)  # to cancel it would leave a program that nobody ends
        except Exception as error:  # its driver, a program of its own, has no class for what keeps it from starting
            raise MissingError(f"Playwright's driver does not start ({first_line(error)}): {DRIVER_HINT}") from error
        self.executable = str(path or playwright.chromium.executable_path)
        try:
            return await playwright.chromium.launch(
                executable_path=self.executable,
                args=flags(),
                handle_sigint=False,
                handle_sigterm=False,
                timeout=1000 * LAUNCH_S,
            )
        except Error as error:
            await self._stop()
            cause = f"{self.executable}: {first_line(error)}"
            raise MissingError(f"Playwright could not start a browser ({cause}): {INSTALL_HINT}") from error

    async def _stop(self) -> None:
        for page in self.pages.values():
            page.alive = False
        self.pages.clear()
        browser, self._browser = self._browser, None
        driver, self._driver = self._driver, None
        if browser:
            await quietly(browser.close())
        if driver:
            await quietly(_stop_driver(driver))

    async def _end(self) -> None:
        """Stop the browser and wait until nothing is left to do in its loop, which may then be closed."""
        await self._stop()
        if unfinished := asyncio.all_tasks() - {asyncio.current_task()}:
            _, late = await asyncio.wait(unfinished, timeout=CLOSE_S)
            for task in late:
                task.cancel()


def result_of(future: Future[T]) -> T:
    """Wait for a future of `Chromium.start` and return its result. Ctrl-C cancels it and is raised here."""
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


async def quietly(coroutine: Coroutine[Any, Any, object]) -> bool:
    """Await what may hang or fail because its browser has already ended; return whether it succeeded."""
    try:
        await asyncio.wait_for(coroutine, CLOSE_S)
    except Exception:
        return False
    return True


async def _stop_driver(driver: asyncio.Task[Playwright]) -> None:
    """End Playwright's own program, once it has started."""
    await (await driver).stop()


def _run_loop(loop: asyncio.AbstractEventLoop) -> None:
    """Run the loop until `loop.stop`, then close it."""
    loop.run_forever()
    loop.close()


_chromium: Chromium | None = None


def shared_chromium() -> Chromium:
    """Return the one browser of this process."""
    global _chromium
    if _chromium is None:
        _chromium = Chromium()
        atexit.register(_chromium.close)
    return _chromium


def _forget() -> None:
    """Drop the browser in a forked child, which has neither its thread nor its pipe."""
    global _chromium
    _chromium = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
