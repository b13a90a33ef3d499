"""The files of the site: engines, models, samples, and `catalog.json`, which lists them for the page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

from fns_lab import targets
from fns_lab.runtimes.engines import Engine, engine_for
from fns_lab.targets import Target
from fns_lab.views.site.models import SiteModel, Tune, model_entry

TARGETS = (
    "ort-web/wasm", "ort-web/webgl", "ort-web/webgpu", "onnxjs-0.1.8/wasm", "onnxjs-0.1.8/webgl", "onnxjs-0.1.8/cpu",
)  # fmt: skip
"""The engines of the site. ONNX.js before 0.1.8 compiles code at run time, which the page's policy refuses."""

Files = dict[str, bytes]
"""Content by the name relative to the page."""


def catalog(
    models: Sequence[SiteModel],
    samples: Mapping[tuple[int, int], bytes],
    tune: Tune | None = None,
    *,
    own_workers: bool,
) -> Files:
    """Return all files that the page reads. Raises `MissingError` if an engine is not installed.

    Without `own_workers`, engines start no workers of their own: in a page from a disk they could not load them.
    """
    files: Files = {}
    chosen = [targets.load(name) for name in TARGETS]
    engines = [_engine_entry(target, engine_for(target), files, own_workers) for target in chosen]
    entries = [model_entry(model, chosen, files, tune) for model in models]
    named = {f"{height}x{width}": data for (height, width), data in samples.items()}
    files |= {f"samples/{size}.png": data for size, data in named.items()}
    data = {
        "version": metadata.version("fns-lab"),
        "engines": engines,
        "models": entries,
        "samples": {size: f"samples/{size}.png" for size in named},
    }
    files["catalog.json"] = json.dumps(data).encode()
    return files


def _engine_entry(target: Target, engine: Engine, files: Files, own_workers: bool) -> dict[str, Any]:
    """Return what the page must know of an engine; add its files."""
    folder = f"engines/{target.runtime}-{target.version}"
    paths = {engine.script.name: engine.script, **engine.files}
    files |= {f"{folder}/{name}": path.read_bytes() for name, path in paths.items()}
    options = dict(engine.options)
    if not own_workers:
        options["threads"] = 1 if target.runtime == "ort-web" else 0
    return {
        "target": target.name,
        "title": engine.title,
        "options": options,
        "script": f"{folder}/{engine.script.name}",
        "files": {name: f"{folder}/{name}" for name in engine.files},
        "wasm": engine.wasm and engine.wasm.name,
        "freeSizes": not target.int64_as_int32,
        "warmup": target.warmup_runs,
        "ops": None if "*" in target.ops else sorted(target.ops),
    }
