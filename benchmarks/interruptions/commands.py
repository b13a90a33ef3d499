"""Every command that writes, ended by kill -9, Ctrl-C or SIGTERM at a random moment of its run.

Each runs once to its end, so that there are old files, is interrupted, and runs to its end again. After each
interruption every file has to be whole, old or new, the exit code has to be right, and no process may be left, and so
no port. After the last run no part may be left beside the files.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import psutil
from tqdm import tqdm

from benchmarks.interruptions.inputs import make, serving
from benchmarks.interruptions.whole import broken, parts
from fns_lab.paths import HOME_VARIABLE, ROOT

COMMANDS = (
    "lower m.onnx --target onnxjs-0.1.3/webgl -o out/lowered.onnx",
    "export net.pth --size 32x48 -o out/exported.onnx",
    "run m.onnx --target ort-web/wasm --input x.npy -o out/run.npz",
    "compare m.onnx m.onnx --input x.npy --save out/bundle --plot out/error.png",
    "bench m.onnx --target ort/cpu --input x.npy --runs 50 --csv out/bench.csv",
    "tune m.onnx --target ort/cpu --input x.npy --runs 1 -o out/tuned.onnx",
    "eval --model net.pth --content-image photos/0.png --output-image out/eval.png",
    "train --dataset photos --style-image photos/0.png --save-model-dir out --checkpoint-model-dir out/run "
    "--image-size 64 --batch-size 1 --num-channels 2 --max-steps 3 --checkpoint-interval 1",
    "site net.pth -o out/site",
    "report short.ipynb -o out/report",
    "matrix --target ort/cpu --op Relu --fresh",
    "view m.onnx --svg out/graph.svg",
    "fetch models --from {address} -o out/models",
)
"""`{address}` is that of a server on this machine."""
SIGNALS = {signal.SIGKILL: (-9, ""), signal.SIGINT: (130, "interrupted"), signal.SIGTERM: (143, "terminated")}
"""Exit code after each, and the word of the line that it ends with."""
END_S = 120.0
"""Seconds that a command may take to end once it is interrupted."""
GONE_S = 20.0
"""Seconds that its other processes may take."""
MARK = "FNS_LAB_INTERRUPTION"
"""Environment variable by which the processes of a command are known."""


def rows(total: int, seed: int, done: Collection[str] = ()) -> Iterator[dict[str, Any]]:
    """Yield a row per command that is not `done`; `total` interruptions are spread over all of them."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as under `nohup`; the commands would ignore it too
        signal.signal(signal.SIGINT, signal.default_int_handler)
    with tempfile.TemporaryDirectory() as name, tqdm(total=total, desc="interruptions") as bar:
        folder = Path(name)
        make(folder)
        with serving(folder / "served") as address:
            shares = [len(range(index, total, len(COMMANDS))) for index in range(len(COMMANDS))]
            for line, share in zip(COMMANDS, shares, strict=True):
                if share and line.split()[0] not in done:
                    yield _row(line.format(address=address), folder, share, random.Random(f"{seed} {line}"), bar.update)


def _row(line: str, folder: Path, share: int, rng: random.Random, step: Callable[[], object]) -> dict[str, Any]:
    faults, ends = list[str](), Counter[str]()
    process = _start(line, folder)
    _wait_for_python(process)
    started = time.perf_counter()
    first = process.wait()
    seconds = time.perf_counter() - started
    for index in range(share):
        number = rng.choice(list(SIGNALS)) if index >= len(SIGNALS) else list(SIGNALS)[index]
        after_s = seconds * rng.random()
        end, fault = _interrupted(line, folder, number, after_s)
        ends[end] += 1
        if end == "0":  # it had ended: the first run, which reads its files from the disk, takes longer than others
            seconds = after_s
        faults += [f"{signal.Signals(number).name} after {after_s:.1f} s: {each}" for each in fault]
        step()
    last = _start(line, folder).wait()
    faults += [f"exit {code} without an interruption" for code in (first, last) if code]
    faults += [f"left: {path.name}" for path in parts(folder / "out")] + broken(folder / "out")
    counts = {name: ends[code] for name, code in (("killed", "-9"), ("ctrl-c", "130"), ("sigterm", "143"))}
    counts["ended before"] = share - sum(counts.values())
    return {"what": line.split()[0], "interruptions": share, **counts, "right": not faults, "faults": faults}


def _interrupted(line: str, folder: Path, number: signal.Signals, after_s: float) -> tuple[str, list[str]]:
    """Interrupt a command some seconds after its start; return its exit code and what was not right."""
    process = _start(line, folder, errors := folder / "stderr")
    _wait_for_python(process)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(after_s)
    is_ending = not _takes_signals(process)
    if process.poll() is None:
        if number == signal.SIGINT:
            os.killpg(process.pid, number)  # as a terminal does
        else:
            process.send_signal(number)
    try:
        code = process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return "hang", [f"no end within {END_S:.0f} s"]
    wanted, word = SIGNALS[number]
    text = errors.read_text(encoding="utf-8", errors="replace").replace("\r", "\n").strip()
    faults = broken(folder / "out")
    if code not in (wanted, 0) and not (is_ending and code == -number):  # Python has ended its handlers by then
        faults.append(f"exit {code}, not {wanted}: {text[-200:]!r}")
    if "Traceback" in text or (code == wanted and word and not text.splitlines()[-1].startswith("fns-lab: ")):
        faults.append(f"said {text[-200:]!r}")
    deadline = time.monotonic() + GONE_S
    while (left := _processes(folder)) and time.monotonic() < deadline:
        time.sleep(0.2)
    return str(code), faults + [f"process {name} is left" for name in left]


def _start(line: str, folder: Path, errors: Path | None = None) -> subprocess.Popen[bytes]:
    (folder / "tmp").mkdir(exist_ok=True)
    environment = {MARK: str(folder), HOME_VARIABLE: str(folder / "home"), "TMPDIR": str(folder / "tmp")}
    with open(errors or os.devnull, "wb") as stderr:
        return subprocess.Popen(
            [sys.executable, "-m", "fns_lab", *line.split()],
            cwd=folder,
            env=os.environ | environment | {"PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1"},
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,
        )


def _wait_for_python(process: subprocess.Popen[bytes]) -> None:
    """Wait until a program takes SIGTERM: before that Python itself starts, and the system ends it without a line."""
    while process.poll() is None and not _takes_signals(process):
        time.sleep(0.01)


def _takes_signals(process: subprocess.Popen[bytes]) -> bool:
    """Return whether a program has a handler for SIGTERM, as it has until Python ends."""
    with contextlib.suppress(OSError, IndexError):
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
        return bool(int(status.partition("SigCgt:")[2].split()[0], 16) & 1 << (signal.SIGTERM - 1))
    return False


def _processes(folder: Path) -> list[str]:
    """Return the names of the processes that a command in this folder started and that still run."""
    names = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(MARK) == str(folder) and process.status() != psutil.STATUS_ZOMBIE:
                names.append(process.name())
    return names
