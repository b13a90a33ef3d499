"""How bad files end: seeded changes to models, images, checkpoints, targets and arrays, each read as a command would.

A case is good if it ends in a result or in an error of the package (`errors.py`). Anything else that is raised is a
fault of the package; so is the end of the process (a crash) and a case that takes longer than `LONGEST_S` (a hang).
"""

from __future__ import annotations

import contextlib
import random
import tempfile
import threading
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from benchmarks import kept
from benchmarks.robustness import files, models
from fns_lab.errors import InputError, MissingError, RuntimeFault, one_line
from fns_lab.paths import CACHE

TOTAL = 5000
"""Cases, over all kinds."""
LONGEST_S = 30.0
"""Seconds that one case may take."""
CHUNK = 50
"""Cases per call into the process that runs them."""
TARGETS = ("onnxjs-0.1.8/wasm", "onnxjs-0.1.3/webgl", "ort-web/webgpu", "tract/cpu", "opencv/cpu")
KINDS = ("model", "model bytes", "image", "checkpoint", "target", "array")
SHARES = (10, 2, 3, 2, 1, 2)
"""How many of 20 cases are of each kind."""
GOOD = ("taken", "refused")
"""Ends of a case that are right: the file was taken, or one line says why not."""


def kind_of(seed: int) -> str:
    """Return the kind of a case."""
    return random.Random(f"kind {seed}").choices(KINDS, SHARES)[0]


def run_case(seed: int) -> tuple[str, str]:
    """Break a file and read it; return how that ended, "taken", "refused" or "fault", and the last line or place."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        path = _written(seed, rng, Path(folder))
        try:
            _READERS[kind_of(seed)](path, rng)
        except (InputError, MissingError, RuntimeFault) as error:
            line = str(error)
            return ("fault", f"not one line: {line!r}") if line != one_line(line, longest=None) else ("refused", line)
        except Exception as error:  # what the case looks for
            frames = [f for f in traceback.extract_tb(error.__traceback__) if "fns_lab" in f.filename]
            place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "outside"
            return "fault", f"{type(error).__name__} at {place}: {one_line(error, 150)}"
    return "taken", ""


def run_cases(seeds: list[int]) -> list[tuple[str, str]]:
    """Run several cases."""
    return [run_case(seed) for seed in seeds]


@contextlib.contextmanager
def bad_file(seed: int) -> Iterator[Path]:
    """Yield the path of the file of a case, as long as it is there."""
    with tempfile.TemporaryDirectory() as folder:
        yield _written(seed, random.Random(seed), Path(folder))


def _written(seed: int, rng: random.Random, folder: Path) -> Path:
    """Write the file of a case to a folder; `rng` is that of the seed."""
    kind, suffix = kind_of(seed), ""
    if kind == "image":
        suffix = rng.choice((".jpg", ".png"))
    if kind == "array":
        data, suffix = files.arrays(rng)
    else:
        data = _BROKEN[kind](rng)
    path = folder / {"target": "own-1.0.0.toml", "checkpoint": "net.pth"}.get(kind, f"file{suffix or '.onnx'}")
    path.write_bytes(data)
    return path


def _broken_bytes(rng: random.Random) -> bytes:
    return files.mutated(rng.choice(models.valid()).SerializeToString(), rng)


_BROKEN = {
    "model": models.broken,
    "model bytes": _broken_bytes,
    "image": files.image,
    "checkpoint": files.checkpoint,
    "target": files.toml,
}
"""What makes the content of a file of each kind; `files.arrays` also chooses a suffix."""


def _read_model(path: Path, rng: random.Random) -> None:
    from fns_lab import models as onnx_files
    from fns_lab import targets
    from fns_lab.rewrite.finish import checkers_refusal
    from fns_lab.rewrite.lower import lower

    target = targets.load(rng.choice(TARGETS))
    model = onnx_files.load(path)
    targets.check(model, target)
    result = lower(model, target)
    if not result:
        return
    fed, given = [*onnx_files.fed_inputs(model)], [each.name for each in model.graph.output]
    lowered = result.model
    assert set(onnx_files.fed_inputs(lowered)) <= set(fed), "an input is new"
    assert [each.name for each in lowered.graph.output] == given, "other outputs"
    assert not checkers_refusal(lowered), checkers_refusal(lowered)


def _read_image(path: Path, rng: random.Random) -> None:
    from fns_lab import images

    images.load(path, size=(16, 16))


def _read_checkpoint(path: Path, rng: random.Random) -> None:
    from fns_lab.nets import checkpoints

    checkpoints.load(path)


def _read_target(path: Path, rng: random.Random) -> None:
    from fns_lab.targets import target

    target.read(path)


def _read_arrays(path: Path, rng: random.Random) -> None:
    from fns_lab import arrays

    (arrays.load_array if path.suffix == ".npy" else arrays.load_arrays)(path)


_READERS = {
    "model": _read_model,
    "model bytes": _read_model,
    "image": _read_image,
    "checkpoint": _read_checkpoint,
    "target": _read_target,
    "array": _read_arrays,
}


def measure(options) -> dict:
    """Run the benchmark with the options of `python -m benchmarks`."""
    return run(options.cases or TOTAL, options.seed, CACHE / "robustness" / f"{options.seed}.jsonl")


def run(total: int = TOTAL, first: int = 0, path: Path | None = None) -> dict:
    """Run cases in a process of their own, and return a JSON object with one row per kind.

    `path` is a file in which results are kept; a run that was stopped goes on from there, and tries its faults again.
    """
    from tqdm import tqdm

    results: dict[str, tuple[str, str]] = kept.read(path)
    waiting = [seed for seed in range(first, first + total) if results.get(str(seed), ("",))[0] not in GOOD]
    with _Process() as process, tqdm(total=total, initial=total - len(waiting), desc="bad files") as bar:
        for start in range(0, len(waiting), CHUNK):
            seeds = waiting[start : start + CHUNK]
            results |= (ends := dict(zip(map(str, seeds), process.results(seeds), strict=True)))
            bar.update(len(seeds))
            kept.add(path, ends)
    rows = []
    for kind in KINDS:
        ends = {seed: results[str(seed)] for seed in range(first, first + total) if kind_of(seed) == kind}
        counts = Counter(end for end, _ in ends.values())
        faults = {str(seed): text for seed, (end, text) in ends.items() if end not in GOOD}
        row = {end: counts[end] for end in (*GOOD, "fault", "crash", "hang")}
        rows.append({"kind": kind, "cases": len(ends), **row, "right": not faults, "faults": faults})
    return {"title": f"{total} bad files, and how they ended", "rows": rows}


def table(result: dict) -> pd.DataFrame:
    """Return the rows as a table to print, and print what each faulty case said."""
    return table_of_cases(result["rows"], "kind")


def table_of_cases(rows: list[dict], by: str) -> pd.DataFrame:
    """Return rows as a table to print, and print their `faults`, by case, with the row's value of `by`."""
    for row in rows:
        for seed, text in row["faults"].items():
            print(f"{row[by]}, case {seed}: {text}")
    return pd.DataFrame(rows).drop(columns=["faults", "right"])


class _Process:
    """A process for cases, which may end it; a case that ends it is known by running it alone."""

    def __enter__(self) -> _Process:
        from fns_lab.calls import CallProcess

        self._calls = CallProcess()
        return self

    def __exit__(self, *_: object) -> None:
        self._calls.stop()

    def results(self, seeds: list[int]) -> list[tuple[str, str]]:
        """Return the results of some cases."""
        from fns_lab.calls import CallStopped

        late = threading.Event()

        def stop() -> None:
            late.set()
            self._calls.stop()

        timer = threading.Timer(LONGEST_S * (1 + len(seeds) / 10), stop)
        timer.start()
        try:
            return self._calls.call(run_cases, seeds)
        except CallStopped:
            if len(seeds) > 1:
                return [result for seed in seeds for result in self.results([seed])]
            return [("hang", f"over {LONGEST_S:.0f} s")] if late.is_set() else [("crash", "the process ended")]
        finally:
            timer.cancel()
