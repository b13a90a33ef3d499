"""What does measuring gain: basic ops, `lower`'s own choice and `tune`'s, in the same engine on the same picture?

All three come from one network. `base ops` is the network exported with its layers in basic ops, brought to the
target's opset; `lowered` is the regular export, rewritten for the target; `tuned` has the fastest right form of each
slot. In ONNX Runtime and its wasm, which take the regular export as it is, `lowered` is that export.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.lowering import judged, table
from fns_lab import photos
from fns_lab.bench import bench
from fns_lab.export import onnx_from_torch
from fns_lab.nets import base_ops, checkpoints
from fns_lab.rewrite.lower import lower
from fns_lab.runtimes import open_runner
from fns_lab.targets import load
from fns_lab.tune import YARDSTICK, tune

TARGETS = ("onnxjs-0.1.8/cpu", "onnxjs-0.1.8/wasm", "onnxjs-0.1.8/webgl", "ort-web/wasm", "ort/cpu")

__all__ = ["TARGETS", "measure", "run", "table"]


def measure(options) -> dict:
    """The benchmark as `python -m benchmarks` runs it."""
    return run(options.checkpoint, options.size, options.target or TARGETS, runs=options.runs)


def run(checkpoint: Path, size: tuple[int, int], targets: Sequence[str] = TARGETS, *, runs: int) -> dict:
    """Tune the network for every target at `size` `(H, W)`, then time the three models in turns.

    Returns a JSON object like that of `benchmarks.lowering.run`, whose rows these are.
    """
    net = checkpoints.load(checkpoint)
    regular, rewritten = onnx_from_torch(net, size), onnx_from_torch(base_ops.to_base_ops(net), size)
    feeds = {"input": photos.load("astronaut", size)}
    with open_runner(regular, YARDSTICK) as runner:
        expected = runner.infer(feeds)["output"]
    found, rows = {}, []
    for name in targets:
        target = load(name)
        contenders = {
            "base ops": lower(rewritten, target).model,
            "lowered": lower(regular, target).model,
            "tuned": tune(regular, target, feeds=feeds).model,
        }
        timings = bench(contenders, [name], feeds, runs=runs)
        found = timings.to_json()
        for row in found["rows"]:
            label = row["model"]
            rows.append(row | judged(contenders[label], timings.outputs[label, name].get("output"), expected))
    network = f"{checkpoint.name}, width {net.width}"
    title = f"{network}, {size[0]}x{size[1]} px, {found['device']}"
    return {"title": title, "network": network} | found | {"rows": rows}
