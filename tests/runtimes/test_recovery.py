"""A page that hangs, crashes or loses its GPU is a RuntimeFault, and the next call works; no process is left."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest

from fns_lab.errors import MissingError, RuntimeFault
from fns_lab.paths import ROOT
from fns_lab.runtimes import open_runner
from fns_lab.runtimes.chromium import Chromium, shared_chromium
from tests.runtimes.graphs import graph, image, node, relu, slow_model
from tests.runtimes.waiting import wait_until

TARGET = "onnxjs-0.1.8/cpu"
X = image(1, 3, 5, 7, mean=0.0)
HANG_S = 2.0
GONE_S = 20.0
"""Seconds that the processes of a browser may take to end on a busy machine."""

CHILD = f"""
from tests.runtimes.graphs import slow_model
from fns_lab.runtimes import open_runner
model, feeds = slow_model()
runner = open_runner(model, {TARGET!r})
print("running", flush=True)
runner.infer(feeds)
"""


def is_right(runner) -> bool:
    return np.array_equal(runner.infer({"x": X})["y"], np.maximum(X, 0))


def in_page(runner, script: str):
    return shared_chromium().run(runner.page.page.evaluate(script))


@pytest.mark.browser
def test_a_page_that_hangs_is_replaced():
    model, feeds = slow_model()
    with open_runner(relu(X), TARGET) as neighbour, open_runner(model, TARGET, timeout_s=HANG_S) as runner:
        hung = runner.page
        with pytest.raises(RuntimeFault, match=rf"{TARGET}, model 'small' \(1 node\): gave no answer within 2 s"):
            runner.infer(feeds)
        assert not hung.alive
        assert is_right(neighbour)
        assert neighbour.page is not hung


@pytest.mark.browser
def test_a_page_that_crashes_during_a_call_is_replaced():
    """The page's process is killed while the engine computes, as the system does when memory runs out."""
    model, feeds = slow_model()
    with open_runner(relu(X), TARGET) as neighbour, open_runner(model, TARGET) as runner:
        shared_chromium().run(_kill_pages_soon(runner))
        with pytest.raises(RuntimeFault, match="crashed or ran out of memory"):
            runner.infer(feeds)
        assert is_right(neighbour)


@pytest.mark.browser
def test_a_page_that_crashed_between_calls_is_replaced():
    with open_runner(relu(X), TARGET) as runner:
        crashed = runner.page
        shared_chromium().run(_quiet_goto(crashed.page, "chrome://crash"))
        assert wait_until(lambda: not crashed.alive, GONE_S)
        assert is_right(runner)


@pytest.mark.browser
def test_a_lost_webgl_context_is_a_fault_and_not_an_image_of_zeros():
    lose = """async () => (await import("/web/contexts.js")).contexts.forEach(
        (context) => context.getExtension("WEBGL_lose_context").loseContext())"""
    with open_runner(relu(X), "onnxjs-0.1.8/webgl") as runner:
        in_page(runner, lose)
        with pytest.raises(RuntimeFault, match="WebGL context was lost"):
            runner.infer({"x": X})
        assert is_right(runner)


@pytest.mark.browser
def test_an_engine_out_of_memory_says_so():
    x = image(1, 3, 64, 64)
    repeats = {"t": np.array([1, 1, 512, 1024])}
    model = graph([node("Tile", "x t", "y")], {"x": x}, repeats, outputs={"y": (1, 3, 64 * 512, 64 * 1024)})
    with open_runner(model, "onnxjs-0.1.8/cpu") as runner, pytest.raises(RuntimeFault, match="Array buffer allocation"):
        runner.infer({"x": x})


@pytest.mark.browser
def test_an_engine_that_aborts_does_not_break_the_models_after_it():
    x = image(3, 9)
    constants = {"w": image(9, 64), "c": np.array(2, np.float32)}
    scalar_bias = graph([node("Gemm", "x w c", "y")], {"x": x}, constants, outputs={"y": (3, 64)}, opset=13)
    with open_runner(relu(X), "ort-web/webgpu") as neighbour:
        with pytest.raises(RuntimeFault, match="Aborted"), open_runner(scalar_bias, "ort-web/webgpu") as runner:
            runner.infer({"x": x})
        assert is_right(neighbour)


@pytest.mark.browser
def test_a_closed_browser_starts_again():
    chromium = Chromium()
    try:
        first = chromium.run(chromium.browser())
        chromium.close()
        assert not first.is_connected()
        assert chromium.run(chromium.browser()).is_connected()
    finally:
        chromium.close()


@pytest.mark.browser
def test_ctrl_c_while_the_browser_starts_leaves_no_program():
    chromium = Chromium()
    before = set(psutil.Process().children(recursive=True))
    starting = chromium.start(chromium.browser())
    while not set(psutil.Process().children(recursive=True)) - before:
        time.sleep(0.001)
    starting.cancel()
    chromium.close()
    assert set(psutil.Process().children(recursive=True)) <= before


def test_a_missing_browser_is_named(monkeypatch):
    monkeypatch.setenv("FNS_LAB_BROWSER", "/no/such/browser")
    chromium = Chromium()
    try:
        with pytest.raises(MissingError, match="FNS_LAB_BROWSER is '/no/such/browser', which is no program"):
            chromium.run(chromium.browser())
    finally:
        chromium.close()


@pytest.mark.browser
@pytest.mark.skipif(sys.platform == "win32", reason="signals and ps are POSIX")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "kill"])
def test_no_browser_outlives_the_process(sent):
    """Ctrl-C reaches the whole process group, as a terminal sends it; a kill reaches Python alone."""
    with subprocess.Popen(
        [sys.executable, "-c", CHILD],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as child:
        assert child.stdout.readline() == b"running\n"
        time.sleep(0.5)
        family = descendants(child.pid)
        assert any("chrom" in name for name in family.values())
        if sent == signal.SIGINT:
            os.killpg(child.pid, sent)
        else:
            child.send_signal(sent)
        assert child.wait(GONE_S) != 0
        assert wait_until(lambda: not family.items() & processes().items(), GONE_S), (
            family.items() & processes().items()
        )


def processes() -> dict[int, str]:
    """Parents and names of all processes by id, without ended ones that are not collected yet."""
    return {pid: name for pid, (_, name) in _table().items()}


def descendants(root: int) -> dict[int, str]:
    table, family = _table(), {root}
    while grown := {pid for pid, (parent, _) in table.items() if parent in family} - family:
        family |= grown
    return {pid: table[pid][1] for pid in family - {root}}


def _table() -> dict[int, tuple[int, str]]:
    lines = subprocess.run(["ps", "-eo", "pid=,ppid=,stat=,comm="], capture_output=True, text=True, check=True).stdout
    rows = (line.split(None, 3) for line in lines.splitlines())
    return {int(pid): (int(parent), name) for pid, parent, state, name in rows if not state.startswith("Z")}


async def _quiet_goto(page, address: str) -> None:
    from playwright.async_api import Error

    with contextlib.suppress(Error):
        await page.goto(address)


async def _kill_pages_soon(runner) -> None:
    """Kill the process of every page half a second from now; the runner keeps the task from being collected."""
    session = await runner.page.page.context.browser.new_browser_cdp_session()

    async def kill() -> None:
        await asyncio.sleep(0.5)
        for process in (await session.send("SystemInfo.getProcessInfo"))["processInfo"]:
            if process["type"] == "renderer":
                os.kill(process["id"], signal.SIGKILL)

    runner.killer = asyncio.create_task(kill())
