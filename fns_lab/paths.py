"""Folders: of the clone, in which `make setup` installs the package, or of the user where a wheel is installed.

What a wheel brings is only read. What is fetched, installed or measured goes into `HOME`, never among the packages.
"""

import os
from pathlib import Path

import platformdirs

HOME_VARIABLE = "FNS_LAB_HOME"
"""Environment variable that names the folder for all that is fetched, installed or measured."""

_PACKAGE = Path(__file__).resolve().parent
_CLONE = _PACKAGE.parent if (_PACKAGE.parent / "package-lock.json").is_file() else None

ROOT = _CLONE or _PACKAGE / "shipped"
"""The clone, or the part of it that a wheel brings: data/, saved_models/, package.json and its lock file."""
DATA = ROOT / "data"
"""Style images, weights of the loss network, results of browsers."""
SAVED_MODELS = ROOT / "saved_models"
"""The trained networks that ship."""
NOTEBOOKS = ROOT / "notebooks"
"""The notebooks; only in a clone."""


def _home() -> Path:
    """Return the folder that is named, the clone if it can be written to, or the user's cache folder."""
    named = os.environ.get(HOME_VARIABLE)
    if named:
        return Path(named).expanduser().absolute()
    return _CLONE if _CLONE and os.access(_CLONE, os.W_OK) else platformdirs.user_cache_path("fns-lab")


HOME = _home()
"""Where what is fetched or measured is put: the clone, or the folder that `FNS_LAB_HOME` names."""
CACHE = HOME / ".cache" if HOME == _CLONE else HOME
"""Where what can be made again is kept."""
ENGINES = CACHE / "engines"
"""Engines of versions other than the pinned ones, each in a folder of its own."""
NODE_MODULES = next(
    (folder for folder in (HOME / "node_modules", ROOT / "node_modules") if folder.is_dir()), HOME / "node_modules"
)
"""The pinned engines that run in a browser."""
FETCHED_DATA = HOME / "data"
"""Where `fns-lab fetch` puts images."""
FETCHED_MODELS = HOME / "saved_models"
"""Where `fns-lab fetch` puts networks."""
REPORTS = HOME / "reports" if HOME == _CLONE else Path("reports").absolute()
"""Where reports are written."""
