"""The machine that measures: its parts and the versions of what runs on it, as a write-up has to name them."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import platform
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

from fns_lab.paths import ROOT
from fns_lab.runtimes.chromium import Chromium
from fns_lab.runtimes.doctor import BROWSER_LIMIT_S, inspect_browser
from fns_lab.runtimes.engines import installed_version

PACKAGES = ("torch", "onnx", "onnxruntime", "numpy")
"""Python packages whose versions are named beside those of the engines."""
PIP_ENGINES = ("opencv-python-headless", "openvino", "tract")
"""Packages of the engines that pip installs."""
PROGRAM_LIMIT_S = 10.0
"""Seconds that git or nvidia-smi may take."""


def device_name() -> str:
    """Return system, processor and the number of cores that this process may use, in one line."""
    return f"{platform.system()} {platform.machine()}, {_processor()}, {_cores()} cores"


def machine_facts() -> dict[str, str]:
    """Return what the machine is, by name: processor, cores, memory, GPU, system, browser, versions, commit.

    It starts a browser for a moment, once per process, to ask which GPU its pages get. What is not there is named as
    "none".
    """
    import psutil

    browser = browser_facts()
    memory = psutil.virtual_memory()
    return {
        "processor": _processor(),
        "cores": f"{_cores()} of {os.cpu_count()} for this process",
        "memory": f"{memory.total / 2**30:.0f} GiB, {memory.available / 2**30:.0f} GiB of it free",
        "GPU": _gpu(),
        "GPU of the browser": browser["gpu"],
        "system": _system(),
        "browser": browser["version"],
        "threads of a page": browser["threads"],
        "engines": _versions_of_engines(),
        "Python": f"{platform.python_version()}, " + ", ".join(f"{name} {_version(name)}" for name in PACKAGES),
        "commit": commit(),
    }


def load() -> float | None:
    """Return the processes that ran or waited, averaged over the last minute; None where the system does not say."""
    return round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None


def commit() -> str:
    """Return the git commit of this clone, and whether its files are those of the commit."""
    identity = _output("git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD")
    if not identity:
        return "none (not a git clone)"
    changed = _output("git", "-C", str(ROOT), "status", "--porcelain", "--untracked-files=no").splitlines()
    files = f"{len(changed)} changed file{'s' * (len(changed) != 1)}"
    return f"{identity}, {files if changed else 'clean'}"


@functools.cache
def browser_facts() -> dict[str, str]:
    """Return the browser's `version`, the `gpu` that its pages get, and the `threads` that they may use."""
    chromium = Chromium()
    try:
        version, page = chromium.run(asyncio.wait_for(inspect_browser(chromium), BROWSER_LIMIT_S))
    except Exception:  # a browser that does not start, for whatever reason, has no facts; `doctor` says why
        return dict.fromkeys(("version", "gpu", "threads"), "none")
    finally:
        chromium.close()
    gpu = page["webgl"] or "none: a page gets no WebGL"
    if "SwiftShader" in gpu:
        gpu = "software GPU (SwiftShader)"
    return {"version": version.partition(" (")[0], "gpu": gpu, "threads": str(page["threads"] or 1)}


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown processor"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _gpu() -> str:
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        return "that of the processor"
    names = _output("nvidia-smi", "--query-gpu=name", "--format=csv,noheader").splitlines()
    return ", ".join(dict.fromkeys(names)) or "none"


def _system() -> str:
    name = platform.system()
    with contextlib.suppress(OSError):
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
    return f"{name}, {platform.system()} {platform.release()}"


def _versions_of_engines() -> str:
    """Return name and version of each engine that is installed, from npm and from pip."""
    found = []
    with contextlib.suppress(OSError, ValueError, KeyError):
        wanted = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))["dependencies"]
        for package in wanted:
            with contextlib.suppress(OSError, ValueError, KeyError):
                found.append(f"{package.partition('-0')[0]} {installed_version(package)}")
    return ", ".join([*found, *(f"{name} {_version(name)}" for name in PIP_ENGINES if _version(name) != "none")])


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "none"


def _output(program: str, *arguments: str) -> str:
    """Return what a program prints, or "" if there is no such program or it fails."""
    path = shutil.which(program)
    if path is None:
        return ""
    try:
        result = subprocess.run(
            [path, *arguments], capture_output=True, text=True, timeout=PROGRAM_LIMIT_S, check=True, cwd=Path.home()
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return result.stdout.strip()
