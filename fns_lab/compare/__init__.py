"""Compare two models op by op. Knows no runtime: the caller says how a model is run.

`compare` holds values against values; a `Trial` (two models, each in its engine) computes them on the way, `blame`
finds the ops that introduced what differs, `bisect` does both in few runs, `piece` is the least model that shows it.
"""

from fns_lab.compare.bisect import bisect
from fns_lab.compare.blame import Piece, blame, piece
from fns_lab.compare.comparison import Comparison, Finding, Skipped, compare
from fns_lab.compare.metrics import Metrics, error_map, measure, measure_picture, value_range
from fns_lab.compare.ssim import ssim
from fns_lab.compare.tolerance import (
    EXACT,
    PICTURE_ACROSS_ENGINES,
    PICTURE_SAME_ENGINE,
    VALUES_ACROSS_ENGINES,
    VALUES_FLOAT16,
    VALUES_FLOAT32,
    Tolerance,
    between,
    given,
)
from fns_lab.compare.trial import Side, Trial
from fns_lab.compare.values import Run, Values, collect

__all__ = [
    "EXACT",
    "PICTURE_ACROSS_ENGINES",
    "PICTURE_SAME_ENGINE",
    "VALUES_ACROSS_ENGINES",
    "VALUES_FLOAT16",
    "VALUES_FLOAT32",
    "Comparison",
    "Finding",
    "Metrics",
    "Piece",
    "Run",
    "Side",
    "Skipped",
    "Tolerance",
    "Trial",
    "Values",
    "between",
    "bisect",
    "blame",
    "collect",
    "compare",
    "error_map",
    "given",
    "measure",
    "measure_picture",
    "piece",
    "ssim",
    "value_range",
]
