"""Folders of the repository. The package runs from its clone (`pip install -e .`)."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "data"
SAVED_MODELS = ROOT / "saved_models"
NOTEBOOKS = ROOT / "notebooks"
REPORTS = ROOT / "reports"
CACHE = ROOT / ".cache"
ENGINES = CACHE / "engines"
"""Engines of versions other than the pinned ones, each in a folder of its own."""
