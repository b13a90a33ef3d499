"""What measuring gains: basic ops, `lower`'s own choice and `tune`'s, in the same engine on the same image.

All three come from one network. `base ops` is the network exported with its layers in basic ops, converted to
the target's opset; `lowered` is the regular export, rewritten for the target; `tuned` has the fastest right alternative
of each site. In ONNX Runtime and its wasm, which support the regular export unmodified, `lowered` is that export.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from onnx import ModelProto

from benchmarks.lowering import table, time_in_turns
from fns_lab.measure.bench import Feeds
from fns_lab.measure.tune import tune
from fns_lab.rewrite.lower import lower
from fns_lab.targets import Target

TARGETS = ("onnxjs-0.1.8/cpu", "onnxjs-0.1.8/wasm", "onnxjs-0.1.8/webgl", "ort-web/wasm", "ort/cpu")

__all__ = ["TARGETS", "measure", "run", "table"]


def measure(options) -> dict:
    """Run the benchmark with the options of `python -m benchmarks`."""
    return run(options.checkpoint, options.size, options.target or TARGETS, runs=options.runs)


def run(checkpoint: Path, size: tuple[int, int], targets: Sequence[str] = TARGETS, *, runs: int) -> dict:
    """Time `base ops`, `lowered` and `tuned` in turns."""

    def contenders(regular: ModelProto, rewritten: ModelProto, target: Target, feeds: Feeds) -> dict[str, ModelProto]:
        return {
            "base ops": lower(rewritten, target).model,
            "lowered": lower(regular, target).model,
            "tuned": tune(regular, target, feeds=feeds).model,
        }

    return time_in_turns(checkpoint, size, targets, contenders, runs=runs)
