"""Every notebook runs from its first cell to its last. Its solutions run in tests/test_notebooks.py.

`make report` runs them at their defaults. Those that take longest run here at other values of their parameters, which
are quicker and show that a notebook holds for them too. tests/test_jupyterlab.py runs the preview in JupyterLab.
"""

from __future__ import annotations

from typing import Any

import pytest

from fns_lab.paths import NOTEBOOKS
from fns_lab.views.report.page import key_figures, thumbnail
from fns_lab.views.report.run import run

LONGEST_S = 900
"""Alone on two cores each takes less than 2 minutes; here other tests run beside it."""
PREVIEW = "06_preview"
SMALL = {"network": "../saved_models/mosaic_nc8.pth", "size": (48, 64)}
PARAMETERS: dict[str, dict[str, Any]] = {
    "00_start": SMALL,
    "01_train": {"steps": 12, "more_steps": 4},
    "02_export": SMALL,
    "03_rewrite": SMALL,
    "05_compare_ops": {"size": (48, 64), "engines": ["onnxjs-0.1.8/wasm"], "suspect": "ort-web/wasm"},
    "07_smaller_models": {"style": "candy", "widths": (16, 8), "size": (64, 96), "style_px": 192, "runs": 3},
    "08_op_matrix": {"again": "onnxjs-0.1.8/cpu", "ops": ["Conv", "Pad"], "old": ["0.1.3"]},
}


MEASURING = ("07_smaller_models", "08_op_matrix")
"""Notebooks that time and run models again and again: what they call has tests of its own."""
NOTEBOOK_FILES = [
    pytest.param(path, marks=[pytest.mark.slow] if path.stem in MEASURING else (), id=path.stem)
    for path in sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))
    if path.stem != PREVIEW
]


@pytest.mark.browser
@pytest.mark.timeout(LONGEST_S)
@pytest.mark.parametrize("path", NOTEBOOK_FILES)
def test_runs_and_leaves_what_its_card_shows(path):
    ran = run(path, PARAMETERS.get(path.stem, {}), {})
    assert ran.error is None
    assert key_figures(ran.notebook)
    assert thumbnail(ran.notebook)
    assert all(cell.execution_count for cell in ran.notebook.cells if cell.cell_type == "code")
