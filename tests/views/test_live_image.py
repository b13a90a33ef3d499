"""A live image in a real kernel: one output, which ends as the last image shown."""

from __future__ import annotations

import base64

import nbformat
import numpy as np
from nbconvert.preprocessors import ExecutePreprocessor

from fns_lab import images
from fns_lab.views.live_image import LiveImage

CELL = """
import numpy as np
from fns_lab.views.live_image import LiveImage
live = LiveImage()
for level in (0, 100, 200):
    live(np.full((1, 3, 6, 9), level, np.float32))
"""


def test_the_last_image_stays_in_a_single_output():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    ExecutePreprocessor(timeout=60, kernel_name="python3").preprocess(notebook)
    (output,) = notebook.cells[0].outputs
    expected = images.png(np.full((1, 3, 6, 9), 200, np.float32))
    assert base64.b64decode(output["data"]["image/png"]) == expected


def test_outside_a_notebook_nothing_is_said(capsys):
    LiveImage()(np.zeros((1, 3, 6, 9), np.float32))
    assert capsys.readouterr() == ("", "")
