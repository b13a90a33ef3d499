"""The files of each browser engine's page, and the options that the engine starts with.

`Target.settings` may hold these options:

    user_agent   The browser that the page claims to be; by default Chrome at the browser's own version. ONNX.js 0.1.3
                 to 0.1.5 take "HeadlessChrome" for Safari and read WebGL results back as bytes: every number is wrong.
    bundle       ONNX Runtime Web only: the script, such as "ort.webgpu.min.js" (the native WebGPU execution
                 provider) or "ort.min.js" (the older one, JSEP); by default that of the backend in BUNDLES.
    threads      wasm only: the number of workers of ONNX.js, by default DEFAULT_WORKERS, or of threads of ONNX Runtime
                 Web, by default what the engine chooses.
    cpu_fallback ONNX Runtime Web webgpu only: false to refuse a model with nodes that the CPU would run.
    context_id   ONNX.js webgl only: "webgl" or "webgl2"; by default the engine tries webgl2 first.
"""

from __future__ import annotations

import json
import math
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from fns_lab import web
from fns_lab.errors import InputError, MissingError
from fns_lab.paths import NODE_MODULES
from fns_lab.runtimes import versions
from fns_lab.targets import Target

HOST = "runner/host.js"
"""The module of the page that a runner opens."""

DEFAULT_WORKERS = min(3, max(0, math.ceil((os.cpu_count() or 1) / 2) - 1))
"""Web workers beside the page's own thread, for every version: the rule of ONNX.js 0.1.8, limited to the 3 of 0.1.3."""

BUNDLES = {"wasm": "ort.wasm.min.js", "webgpu": "ort.webgpu.min.js", "webgl": "ort.webgl.min.js"}
"""The script of ONNX Runtime Web by backend."""

WASM = re.compile(r"(ort-wasm-simd-threaded(\.[a-z]+)?)\.mjs")
"""How a script of ONNX Runtime Web names its .mjs file; its .wasm file has the same stem."""


@dataclass(frozen=True)
class Engine:
    """The page of one engine.

    - `title`: name and version of the engine, for people.
    - `script`: the engine's own script.
    - `files`: the files that the engine requests, by their name at the page's root.
    - `wasm`: the WebAssembly file passed to the engine when it starts, if any.
    - `options`: the options of the adapter's `setup`.
    """

    title: str
    script: Path
    files: dict[str, Path]
    wasm: Path | None = None
    options: dict[str, object] = field(default_factory=dict)

    def page_files(self) -> dict[str, Path]:
        """Return the files of the page that a runner opens, by their address at its root.

        Raises `MissingError` if one is not there.
        """
        modules = {f"web/{name}": web.HERE / name for name in web.modules(HOST)}
        files = {"": web.HERE / "runner/index.html", "engine.js": self.script, **modules, **self.files}
        if missing := [path for path in files.values() if not path.is_file()]:
            raise MissingError(f"{self.title}: {missing[0]} is missing: run `fns-lab fetch engines`")
        return files


def engine_for(target: Target) -> Engine:
    """Return the page for `target`. Raises MissingError unless its npm package is installed at the target's version."""
    if not runs_in_a_page(target):
        raise InputError(f"target '{target.name}' does not run in a browser (runtime '{target.runtime}')")
    return _PAGES[target.runtime](target)


def runs_in_a_page(target: Target) -> bool:
    """Return whether the engine of `target` runs in a browser page."""
    return target.runtime in _PAGES


def installed_version(package: str) -> str | None:
    """Return the version of an npm package in node_modules, None if it is not installed.

    Raises `MissingError` for a package that is installed in part.
    """
    manifest = NODE_MODULES / package / "package.json"
    if not manifest.is_file():
        return None
    try:
        return str(json.loads(manifest.read_text(encoding="utf-8"))["version"])
    except (OSError, ValueError, LookupError, TypeError):
        raise MissingError(f"{manifest} is broken: run `fns-lab fetch engines`") from None


def _onnxjs_page(target: Target) -> Engine:
    dist = _dist(f"onnxjs-{target.version}", target)
    # ONNX.js requests both from the page's root, wherever the script is. Without the first it has no wasm backend;
    # without the second 0.1.3 and 0.1.4 never start.
    files = {"onnx-wasm.wasm": dist / "onnx-wasm.wasm", "onnx-worker.js": dist / "onnx-worker.js"}
    options = {
        "runtime": target.runtime,
        "backend": target.backend,
        "threads": target.settings.get("threads", DEFAULT_WORKERS),
        "contextId": target.settings.get("context_id"),
    }
    return Engine(f"ONNX.js {target.version}", dist / "onnx.min.js", files, options=options)


def _ort_web_page(target: Target) -> Engine:
    dist = _dist("onnxruntime-web", target)
    script = str(target.settings.get("bundle", BUNDLES[target.backend]))
    if not (dist / script).is_file():
        raise MissingError(f"{target.name}: onnxruntime-web {target.version} has no {script}")
    stem = _wasm_stem(dist / script)
    files: dict[str, Path] = {}
    wasm = None
    if stem:
        files[f"{stem}.mjs"] = dist / f"{stem}.mjs"
        files[f"{stem}.wasm"] = wasm = dist / f"{stem}.wasm"
    options = {
        "runtime": target.runtime,
        "backend": target.backend,
        "threads": target.settings.get("threads"),
        "cpuFallback": target.settings.get("cpu_fallback"),
        "binary": wasm is not None,
    }
    return Engine(f"ONNX Runtime Web {target.version} ({script})", dist / script, files, wasm, options)


def _wasm_stem(script: Path) -> str | None:
    """Return the stem of the .mjs and .wasm files that a script loads, None if it loads none.

    Which ones a backend has changed from version to version. Of two, the longer name is what the script was built for,
    the other what it shares with the plain build.
    """
    stems = {match[0] for match in WASM.findall(script.read_text(encoding="utf-8"))}
    return max(stems, key=len, default=None)


_PAGES = {"onnxjs": _onnxjs_page, "ort-web": _ort_web_page}


def _dist(package: str, target: Target) -> Path:
    """Return the files of the target's engine: those of node_modules, or those fetched for another version."""
    version = installed_version(package)
    if version == target.version:
        dist = NODE_MODULES / package / "dist"
        if not dist.is_dir() or not any(dist.iterdir()):
            raise MissingError(f"{dist} is missing or empty: run `fns-lab fetch engines`")
        return dist
    if fetched := versions.fetched_folder(target):
        return fetched / "dist"
    state = "is not installed" if version is None else f"is installed at {version}"
    fix = versions.fix(target) if target.table_of else "run `fns-lab fetch engines`"
    raise MissingError(
        f"{target.name} needs npm package {package} at {target.version}, which {state}: {fix}; "
        "`fns-lab doctor` shows what else is missing"
    )
