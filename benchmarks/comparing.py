"""What comparing every value costs: time in plain runs, and memory, each in a process of its own.

`every value` is what `fns-lab compare` does; `bisecting` is `--bisect` of a network whose middle normalisation has a
wrong epsilon, so that there is an error to find.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import pandas as pd

from fns_lab.paths import ROOT, SAVED_MODELS

CHECKPOINT = SAVED_MODELS / "mosaic_nc32.pth"
LOWERED_FOR = "onnxjs-0.1.8/wasm"
CASES = (
    ("ort/cpu", (1080, 1920), "every value", 3.0, 3.0),
    ("onnxjs-0.1.8/wasm", (128, 128), "every value", 60.0, None),
    ("onnxjs-0.1.8/wasm", (128, 128), "bisecting", 15.0, None),
)
"""Target of b, `(H, W)`, what is done, how many plain runs that may take (in ONNX Runtime of both models, in ONNX.js of
the one that runs there), and the most memory of the process in GiB."""
WRONG_EPS = 30.0


def measure(options) -> dict:
    """Run the benchmark with the options of `python -m benchmarks`."""
    return run()


def run(cases=CASES, checkpoint: Path = CHECKPOINT) -> dict:
    """Return a JSON object with `title` and `rows`, one row per case.

    - `target`, `size`: where b runs, and `HxW` in pixels
    - `what`: `every value` or `bisecting`
    - `plain_s`, `seconds`: time of the plain runs, and of the comparison
    - `ratio`, `most_runs`: `seconds` over `plain_s`, and the largest ratio allowed
    - `plain_gib`, `peak_gib`: peak memory of the process with the plain runs, and with the comparison
    - `values`: values that were compared
    - `right`: whether time and memory are within their limits and the comparison gave the expected answer
    """
    return {
        "title": f"{checkpoint.name}, regular in ort/cpu against lowered for {LOWERED_FOR}",
        "rows": [_row(checkpoint, *case) for case in cases],
    }


def table(result: dict) -> pd.DataFrame:
    """Return the rows as a table to print."""
    return pd.DataFrame(result["rows"])


def _row(checkpoint: Path, target: str, size: tuple[int, int], how: str, most_runs: float, most_gib: float | None):
    with tempfile.TemporaryDirectory() as folder:
        _write_models(checkpoint, size, Path(folder), faulty=how == "bisecting")
        plain = _measured(folder, target, "plain runs")
        measured = _measured(folder, target, how)
    ratio = measured["seconds"] / plain["seconds"]
    right = ratio <= most_runs and (most_gib is None or measured["peak_gib"] <= most_gib)
    return {
        "target": target,
        "size": f"{size[0]}x{size[1]}",
        "what": how,
        "plain_s": round(plain["seconds"], 2),
        "seconds": round(measured["seconds"], 2),
        "ratio": round(ratio, 2),
        "most_runs": most_runs,
        "plain_gib": round(plain["peak_gib"], 2),
        "peak_gib": round(measured["peak_gib"], 2),
        "values": measured["values"],
        "right": right and measured["as_expected"],
    }


def _write_models(checkpoint: Path, size: tuple[int, int], folder: Path, *, faulty: bool) -> None:
    from fns_lab import models, photos
    from fns_lab.export import onnx_from_torch
    from fns_lab.nets import checkpoints
    from fns_lab.rewrite.lower import lower
    from fns_lab.targets import load

    regular = onnx_from_torch(checkpoints.load(checkpoint), size)
    models.save(regular, folder / "a.onnx")
    models.save(lower(_with_wrong_epsilon(regular) if faulty else regular, load(LOWERED_FOR)).model, folder / "b.onnx")
    np.savez(folder / "x.npz", input=photos.load("astronaut", size))


def _with_wrong_epsilon(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy in which the epsilon of the middle InstanceNormalization is wrong."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    norms = [node for node in copy.graph.node if node.op_type == "InstanceNormalization"]
    chosen = norms[len(norms) // 2]
    del chosen.attribute[:]
    chosen.attribute.append(onnx.helper.make_attribute("epsilon", WRONG_EPS))
    return copy


def _measured(folder: str, target: str, how: str) -> dict:
    command = [sys.executable, "-m", "benchmarks.comparing", folder, target, how]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr}")
    return json.loads(done.stdout)


def main() -> None:
    """Do one thing and print its time and memory; this runs in the process that is measured."""
    import resource
    import time

    from fns_lab import models
    from fns_lab.compare import Experiment, ModelRun, bisect, localize, tolerance_between
    from fns_lab.process import keep_freed_memory
    from fns_lab.runtimes import open_runner, run_in

    folder, target, how = Path(sys.argv[1]), *sys.argv[2:]
    regular, lowered = models.load(folder / "a.onnx"), models.load(folder / "b.onnx")
    with np.load(folder / "x.npz") as archive:
        feeds = dict(archive)
    in_ort, in_target, same = run_in("ort/cpu"), run_in(target), target == "ort/cpu"
    _warm_up(in_target)
    start, values, as_expected = time.perf_counter(), 1, True
    if how == "plain runs":
        for model in (regular, lowered) if same else (lowered,):
            with open_runner(model, target) as runner:
                runner.infer(feeds)
    else:
        keep_freed_memory()
        model_runs = (
            ModelRun(regular, feeds, in_ort, piecewise=True),
            ModelRun(lowered, feeds, in_target, piecewise=same),
        )
        experiment = Experiment(*model_runs, tolerance_between("ort/cpu", target))
        comparison = bisect(experiment) if how == "bisecting" else localize(experiment, experiment.compare())
        values, as_expected = comparison.compared, bool(comparison) == (how == "every value")
    seconds = time.perf_counter() - start
    unit = 2**30 if sys.platform == "darwin" else 2**20
    peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    print(json.dumps({"seconds": seconds, "peak_gib": peak_gib, "values": values, "as_expected": as_expected}))


def _warm_up(run) -> None:
    """Start the browser and import the engine, which are no part of a run."""
    from onnx import TensorProto, helper

    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 1, 2, 3)) for name in "xy")
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "warm_up", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 7)], ir_version=3)
    run(model, {"x": np.ones((1, 1, 2, 3), np.float32)})


if __name__ == "__main__":
    main()
