"""Every notebook runs from its first cell to its last at its defaults. Its solutions run in tests/test_notebooks.py."""

from __future__ import annotations

import pytest

from fns_lab.paths import NOTEBOOKS
from fns_lab.views.report.page import key_figures, thumbnail
from fns_lab.views.report.run import run

LONGEST_S = 900
"""Alone on two cores each takes less than 3 minutes; here other tests run beside it."""


@pytest.mark.browser
@pytest.mark.timeout(LONGEST_S)
@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("[0-9]*.ipynb")), ids=lambda path: path.stem)
def test_runs_and_leaves_what_its_card_shows(path):
    ran = run(path, {}, {})
    assert ran.error is None
    assert key_figures(ran.notebook)
    assert thumbnail(ran.notebook)
    assert all(cell.execution_count for cell in ran.notebook.cells if cell.cell_type == "code")
