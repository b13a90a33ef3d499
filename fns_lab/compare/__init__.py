"""Compare two models op by op. Knows no runtime: the caller says how a model is run."""

from fns_lab.compare.comparison import Comparison, Skipped, compare
from fns_lab.compare.metrics import Metrics, measure, measure_picture, value_range
from fns_lab.compare.ssim import ssim
from fns_lab.compare.tolerance import (
    EXACT,
    PICTURE_ACROSS_ENGINES,
    PICTURE_SAME_ENGINE,
    VALUES_ACROSS_ENGINES,
    VALUES_FLOAT32,
    Tolerance,
)
from fns_lab.compare.values import collect

__all__ = [
    "EXACT",
    "PICTURE_ACROSS_ENGINES",
    "PICTURE_SAME_ENGINE",
    "VALUES_ACROSS_ENGINES",
    "VALUES_FLOAT32",
    "Comparison",
    "Metrics",
    "Skipped",
    "Tolerance",
    "collect",
    "compare",
    "measure",
    "measure_picture",
    "ssim",
    "value_range",
]
