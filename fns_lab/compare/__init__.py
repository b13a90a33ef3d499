"""Compare two models op by op. Knows no runtime: the caller gives the function that runs a model.

`compare` compares arrays; an `Experiment` (two models, each with its engine) computes them chunk by chunk. `localize`
finds the nodes that introduced an error, `bisect` does so in few runs, and `subgraph` returns these nodes as a model.
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
    "bisect",
    "collect",
    "compare",
    "error_map",
    "localize",
    "measure",
    "measure_image",
    "ssim",
    "subgraph",
    "tolerance_between",
    "tolerance_of",
    "value_range",
]
