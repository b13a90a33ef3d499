"""Which files an engine's page is made of, and the settings it is started with.

Settings a target may convert (`Target.settings`), each with what holds when it is absent:

    user_agent   what the page says it is; an ordinary Chrome of this browser's version. ONNX.js 0.1.3 to 0.1.5
                 take "HeadlessChrome" for Safari and then read WebGL results back as bytes: every number is wrong.
    bundle       ONNX Runtime Web only: the script, such as "ort.webgpu.min.js" (the native WebGPU execution
                 provider) or "ort.min.js" (the older JSEP one); by default the backend's own, see BUNDLES.
    threads      wasm only: ONNX.js's worker count, ONNX Runtime Web's thread count; by default DEFAULT_WORKERS
                 for ONNX.js and the engine's own choice for ONNX Runtime Web.
    context_id   ONNX.js webgl only: "webgl" or "webgl2"; by default the engine tries webgl2 first.
"""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass, field
from pathlib import Path

from fns_lab.errors import InputError, MissingError
from fns_lab.paths import ROOT
from fns_lab.targets import Target

NODE_MODULES = ROOT / "node_modules"
PAGE = Path(__file__).parent / "page"

DEFAULT_WORKERS = min(3, max(0, math.ceil((os.cpu_count() or 1) / 2) - 1))
"""Web workers beside the page's own thread, in every version: the rule of ONNX.js 0.1.8, and at most the 3 of 0.1.3."""

BUNDLES = {
    "wasm": ("ort.wasm.min.js", "ort-wasm-simd-threaded"),
    "webgpu": ("ort.webgpu.min.js", "ort-wasm-simd-threaded.asyncify"),
    "webgl": ("ort.webgl.min.js", None),
}
"""ONNX Runtime Web, by backend: its script, and the stem of the .mjs and .wasm that go with it."""

WASM_OF_BUNDLE = {"ort.min.js": "ort-wasm-simd-threaded.jsep", "ort.jspi.min.js": "ort-wasm-simd-threaded.jspi"}
"""The same for bundles that only a target's `bundle` setting asks for."""


@dataclass(frozen=True)
class Engine:
    """One engine page: what is served at its root, the wasm handed over at set-up, and the set-up's options."""

    title: str
    files: dict[str, Path]
    wasm: Path | None = None
    options: dict = field(default_factory=dict)


def engine_for(target: Target) -> Engine:
    """The page for `target`. MissingError when the npm engine is not installed at the target's version."""
    if not runs_in_a_page(target):
        raise InputError(f"target '{target.name}' does not run in a browser (runtime '{target.runtime}')")
    return _MAKERS[target.runtime](target)


def runs_in_a_page(target: Target) -> bool:
    """Whether the engine of `target` lives in a browser."""
    return target.runtime in _MAKERS


def installed_version(package: str) -> str | None:
    """Version of an npm package under node_modules, None when it is not there."""
    manifest = NODE_MODULES / package / "package.json"
    if not manifest.is_file():
        return None
    return json.loads(manifest.read_text(encoding="utf-8"))["version"]


def _onnxjs(target: Target) -> Engine:
    dist = _dist(f"onnxjs-{target.version}", target)
    files = _page_files("onnxjs.js", dist / "onnx.min.js")
    # ONNX.js looks for both at the page's root, whatever the script's address: without the first there is no wasm
    # backend, without the second 0.1.3 and 0.1.4 wait for ever.
    files |= {"onnx-wasm.wasm": dist / "onnx-wasm.wasm", "onnx-worker.js": dist / "onnx-worker.js"}
    options = {
        "backend": target.backend,
        "threads": target.settings.get("threads", DEFAULT_WORKERS),
        "contextId": target.settings.get("context_id"),
    }
    return Engine(f"ONNX.js {target.version}", files, options=options)


def _ort_web(target: Target) -> Engine:
    dist = _dist("onnxruntime-web", target)
    script, stem = BUNDLES[target.backend]
    if "bundle" in target.settings:
        script = target.settings["bundle"]
        stem = WASM_OF_BUNDLE.get(script, stem)
    files = _page_files("ort_web.js", dist / script)
    wasm = None
    if stem:
        files[f"{stem}.mjs"] = dist / f"{stem}.mjs"
        files[f"{stem}.wasm"] = wasm = dist / f"{stem}.wasm"
    options = {"backend": target.backend, "threads": target.settings.get("threads"), "binary": wasm is not None}
    return Engine(f"ONNX Runtime Web {target.version} ({script})", files, wasm, options)


_MAKERS = {"onnxjs": _onnxjs, "ort-web": _ort_web}


def _page_files(adapter: str, engine_script: Path) -> dict[str, Path]:
    return {
        "": PAGE / "index.html",
        "host.js": PAGE / "host.js",
        "adapter.js": PAGE / adapter,
        "engine.js": engine_script,
    }


def _dist(package: str, target: Target) -> Path:
    found = installed_version(package)
    if found != target.version:
        state = "is not installed" if found is None else f"is installed at {found}"
        raise MissingError(
            f"{target.name} needs npm package {package} at {target.version}, which {state}: run `npm ci` in {ROOT}; "
            "`fns-lab doctor` shows what else is missing"
        )
    return NODE_MODULES / package / "dist"
