"""Compare two models op by op. Knows no runtime: the caller says how a model is run.

`compare` holds values against values; a `Experiment` (two models, each in its engine) computes them on the way, `localize`
finds the ops that introduced what differs, `bisect` does both in few runs, `subgraph` is the smallest model that shows it.
"""

from fns_lab.compare.bisect import bisect
from fns_lab.compare.comparison import Comparison, Finding, Skipped, compare
from fns_lab.compare.experiment import Experiment, ModelRun
from fns_lab.compare.localize import Subgraph, localize, subgraph
from fns_lab.compare.metrics import Metrics, error_map, measure, measure_image, value_range
from fns_lab.compare.ssim import ssim
from fns_lab.compare.tolerance import (
    EXACT,
    IMAGE_ACROSS_ENGINES,
    IMAGE_SAME_ENGINE,
    VALUES_ACROSS_ENGINES,
    VALUES_FLOAT16,
    VALUES_FLOAT32,
    Tolerance,
    tolerance_between,
    tolerance_of,
)
from fns_lab.compare.values import Run, Values, collect

__all__ = [
    "EXACT",
    "IMAGE_ACROSS_ENGINES",
    "IMAGE_SAME_ENGINE",
    "VALUES_ACROSS_ENGINES",
    "VALUES_FLOAT16",
    "VALUES_FLOAT32",
    "Comparison",
    "Experiment",
    "Finding",
    "Metrics",
    "ModelRun",
    "Run",
    "Skipped",
    "Subgraph",
    "Tolerance",
    "Values",
    "tolerance_between",
    "bisect",
    "collect",
    "compare",
    "error_map",
    "tolerance_of",
    "localize",
    "measure",
    "measure_image",
    "subgraph",
    "ssim",
    "value_range",
]
