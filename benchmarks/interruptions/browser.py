"""The browser killed at each stage of a run: one line and an exit code, or a recovery.

A command runs in a process of its own, which kills its browser a random part of the stage after the stage begins.
"""

from __future__ import annotations

import contextlib
import io
import pkgutil
import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from tqdm import tqdm

from benchmarks.interruptions.inputs import make_model
from fns_lab.calls import CallProcess, CallStopped

TARGET = "ort-web/wasm"
STAGES = {
    "start": ("fns_lab.runtimes.chromium.Chromium._launch", 0),
    "load the page": ("fns_lab.runtimes.engine_page.EnginePage.open", 0),
    "load the model": ("fns_lab.runtimes.engine_page.EnginePage.create", 1),
    "warm up": ("fns_lab.runtimes.engine_page.EnginePage.run", 1),
    "run": ("fns_lab.runtimes.engine_page.EnginePage.run", 3),
    "read back": ("fns_lab.runtimes.engine_page.EnginePage._received", 6),
}
"""The coroutine of each stage, and which of its calls is meant; the first session and run are those of a new page's
own test."""
LONGEST_S = 300.0
"""Seconds that a command may take; a browser that starts and stays silent has a minute."""
RIGHT_CODES = {0: "recovered", 1: "refused", 3: "refused"}
"""Exit 3 says that no browser starts."""


def rows(total: int, seed: int, done: Collection[str] = ()) -> Iterator[dict[str, Any]]:
    """Yield a row per stage that is not `done`; `total` kills are spread over all of them."""
    process = CallProcess()
    try:
        with tempfile.TemporaryDirectory() as name, tqdm(total=total, desc="killed browsers") as bar:
            make_model(Path(name))
            for index, stage in enumerate(STAGES):
                share = len(range(index, total, len(STAGES)))
                if share and f"browser: {stage}" not in done:
                    yield _row(stage, share, Path(name), random.Random(f"{seed} {stage}"), process, bar.update)
    finally:
        process.stop()


def _row(
    stage: str, share: int, folder: Path, rng: random.Random, process: CallProcess, step: Callable[[], object]
) -> dict[str, Any]:
    faults, ends = list[str](), Counter[str]()
    seconds = _called(process, stage, None, folder)[2]
    for _ in range(share):
        after_s = rng.random() * seconds
        code, text, _ = _called(process, stage, after_s, folder)
        lines = text.replace("\r", "\n").strip().splitlines()
        ends[RIGHT_CODES.get(code, "wrong")] += 1
        if code not in RIGHT_CODES or "Traceback" in text or (code and not lines):
            faults.append(f"after {after_s:.2f} s: exit {code}, said {text[-300:]!r}")
        step()
    counts = {name: ends[name] for name in ("recovered", "refused")}
    return {"what": f"browser: {stage}", "interruptions": share, **counts, "right": not faults, "faults": faults}


def _called(process: CallProcess, stage: str, after_s: float | None, folder: Path) -> tuple[int, str, float]:
    """Call `kill_at` in the process, and say -1 for one that ends or hangs."""
    timer = threading.Timer(LONGEST_S, process.stop)
    timer.start()
    try:
        result: tuple[int, str, float] = process.call(kill_at, stage, after_s, str(folder))
        return result
    except CallStopped:
        return -1, "the process ended or hung", 0.0
    finally:
        timer.cancel()


def kill_at(stage: str, after_s: float | None, folder: str) -> tuple[int, str, float]:
    """Run a command, kill its browser so many seconds after a stage begins, or never for None.

    Return the exit code, what it printed, and the seconds that the stage took.
    """
    from fns_lab.cli import main
    from fns_lab.runtimes.chromium import shared_chromium

    shared_chromium().close()
    path, wanted = STAGES[stage]
    name, _, attribute = path.rpartition(".")
    calls, took = [0], [0.0]
    original: Callable[..., Any] = getattr(pkgutil.resolve_name(name), attribute)

    async def stage_call(*args: Any) -> Any:
        calls[0] += 1
        is_meant, started = calls[0] == wanted + 1, time.perf_counter()
        if is_meant and after_s is not None:
            threading.Timer(after_s, _kill_browser).start()
        try:
            return await original(*args)
        finally:
            if is_meant:
                took[0] = time.perf_counter() - started

    printed = io.StringIO()
    command = ["bench", f"{folder}/m.onnx", "--target", TARGET, "--input", f"{folder}/x.npy", "--runs", "4"]
    with mock.patch(path, stage_call), contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        code = main(command)
    return code, printed.getvalue(), took[0]


def _kill_browser() -> None:
    import psutil

    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "chrom" in process.name():
                process.kill()
