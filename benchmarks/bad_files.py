"""Two hundred bad models and checkpoints in other programs: who crashes, who hangs, who says what is wrong.

The files are those of `robustness`, from `--seed` on. Each program reads each file in a process of its own: fns-lab
loads, checks and lowers a model; ONNX Runtime makes a session of it; Netron's server is asked for its page and for the
file; PyTorch loads a checkpoint with `weights_only`. `explained` counts errors of the program's own class with a text,
`other error` those of another class, which a caller cannot tell from a fault of the program.
"""

from __future__ import annotations

import importlib
import pickle
import threading
from collections import Counter
from collections.abc import Callable
from itertools import count, islice
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from benchmarks.robustness import LONGEST_S, bad_file, kind_of, run_case, table_of_cases
from fns_lab.calls import CallProcess, CallStopped
from fns_lab.errors import one_line

TOTAL = 200

ENDS = ("taken", "explained", "other error", "crash", "hang")


def measure(options) -> dict:
    """Run the benchmark with the options of `python -m benchmarks`."""
    return run(options.cases or TOTAL, options.seed)


def run(total: int = TOTAL, first: int = 0) -> dict:
    """Return a JSON object with `title` and one row per program and kind of file; `right`: fns-lab explains."""
    kinds = ("model", "model bytes", "checkpoint")
    seeds = list(islice((seed for seed in count(first) if kind_of(seed) in kinds), total))
    models = [seed for seed in seeds if kind_of(seed) != "checkpoint"]
    checkpoints = [seed for seed in seeds if kind_of(seed) == "checkpoint"]
    plan = [(name, models, "models") for name in ("fns-lab", "onnxruntime", "netron")]
    plan += [(name, checkpoints, "checkpoints") for name in ("fns-lab", "torch")]
    rows = []
    with tqdm(total=sum(len(chosen) for _, chosen, _ in plan), desc="bad files") as bar:
        for name, chosen, files in plan:
            ends = _ends(name, chosen, bar.update)
            counts = Counter(end for end, _ in ends.values())
            row = {"program": name, "files": files, "cases": len(chosen), **{end: counts[end] for end in ENDS}}
            explained = counts["taken"] + counts["explained"] == len(chosen)
            faults = {str(seed): text for seed, (end, text) in ends.items() if end not in ENDS[:2]}
            rows.append({**row, "right": name != "fns-lab" or explained, "faults": faults})
    return {"title": f"{total} bad files in several programs", "rows": rows}


def table(result: dict) -> pd.DataFrame:
    """Return the rows as a table to print, and print what was neither taken nor explained."""
    return table_of_cases(result["rows"], "program")


def read(program: str, seed: int) -> tuple[str, str]:
    """Read a bad file with a program; return one of `ENDS` and what it said."""
    if program == "fns-lab":
        end, text = run_case(seed)
        return {"refused": "explained", "fault": "other error"}.get(end, end), text
    with bad_file(seed) as path:
        reader, own = _READERS[program]
        try:
            reader(path)
        except Exception as error:  # what the case looks for
            known = type(error).__module__.startswith(own) or isinstance(error, pickle.UnpicklingError)
            return "explained" if known and str(error) else "other error", f"{type(error).__name__}: {one_line(error)}"
    return "taken", ""


def load(program: str) -> None:
    """Import what a program needs, which takes longer than the files."""
    for module in ("fns_lab.rewrite.lower", "torch") if program in ("fns-lab", "torch") else (program,):
        importlib.import_module(module)


def _onnxruntime(path: Path) -> None:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _torch(path: Path) -> None:
    import torch

    torch.load(path, weights_only=True)


def _netron(path: Path) -> None:
    import netron
    import requests

    host, port = netron.start(str(path), browse=False)
    try:
        for name in ("", f"data/{path.name}"):
            requests.get(f"http://{host}:{port}/{name}", timeout=LONGEST_S / 2).raise_for_status()
    finally:
        netron.stop((host, port))


_READERS: dict[str, tuple[Callable[[Path], None], str]] = {
    "onnxruntime": (_onnxruntime, "onnxruntime"),
    "torch": (_torch, "torch"),
    "netron": (_netron, "netron"),
}
"""How each program reads a file, and the module of its own errors."""


def _ends(program: str, seeds: list[int], done: Callable[[], object]) -> dict[int, tuple[str, str]]:
    """Return how each file ended in a program."""
    process, ends = CallProcess(), dict[int, tuple[str, str]]()
    process.call(load, program)
    for seed in seeds:
        late = threading.Event()
        timer = threading.Timer(2 * LONGEST_S, lambda late=late: (late.set(), process.stop()))
        timer.start()
        try:
            ends[seed] = process.call(read, program, seed)
        except CallStopped:
            ends[seed] = ("hang", f"over {2 * LONGEST_S:.0f} s") if late.is_set() else ("crash", "the process ended")
        finally:
            timer.cancel()
        done()
    process.stop()
    return ends
