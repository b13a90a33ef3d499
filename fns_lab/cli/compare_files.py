"""What `fns-lab compare` writes: the folder of a bug report, the reduced model with its page, the plot."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from fns_lab.cli.common import note

if TYPE_CHECKING:
    from fns_lab.compare import Comparison, Experiment, Finding, Subgraph


PLOT_SUFFIXES = (".png", ".svg", ".pdf", ".jpg", ".jpeg", ".webp")
"""Suffixes of the plots that are written."""


def write_files(
    experiment: Experiment,
    comparison: Comparison,
    target_b: str,
    *,
    save: Path | None,
    reduce: Path | None,
    reference: str,
) -> None:
    """Write the folder and the reduced model that were asked for."""
    from fns_lab.compare import bundle

    if save:
        bundle.save(save, experiment, comparison)
    if reduce:
        _write_reduction(reduce, experiment, comparison, target_b, reference=reference)


def draw(path: Path, comparison: Comparison) -> None:
    """Write the plot of a comparison."""
    from fns_lab.files import write_bytes
    from fns_lab.views.error_maps import error_figure

    image = io.BytesIO()
    error_figure(comparison).savefig(image, format=path.suffix[1:].lower() or "png", dpi=100)
    write_bytes(path, image.getvalue())


def _write_reduction(
    path: Path, experiment: Experiment, comparison: Comparison, target_b: str, *, reference: str
) -> None:
    from fns_lab import models
    from fns_lab.arrays import save_arrays
    from fns_lab.compare import subgraph

    if not comparison.findings:
        note(f"{path}: not written, because no part of B gives a wrong result on correct inputs")
        return
    finding = comparison.findings[0]
    smallest, inputs = subgraph(experiment, finding), path.with_suffix(".npz")
    models.save(smallest.model, path)
    save_arrays(inputs, smallest.feeds)
    size = len(smallest.model.graph.node)
    note(f"{size} node{'s' * (size != 1)} ({', '.join(finding.ops)}) written to {path}, the input to {inputs}")
    if finding.source == "engine":
        note(f"  to see the fault: fns-lab compare {path} {path} --input {inputs} --target-b {target_b}")
    else:
        note(f"  {finding.value!r} is wrong in the engine of A too: the fault is in model B, not in its engine")
    _write_page(path.with_suffix(".html"), smallest, finding, target_b, reference)


def _write_page(path: Path, smallest: Subgraph, finding: Finding, target_b: str, reference: str) -> None:
    """Write the page of the fault if B runs in a browser."""
    from fns_lab import targets
    from fns_lab.files import write_text
    from fns_lab.runtimes.engines import runs_in_a_page
    from fns_lab.views.fault_page import fault_page

    target = targets.load(target_b)
    if not runs_in_a_page(target):
        return
    text = fault_page(smallest, finding, target, truth=reference)
    write_text(path, text)
    note(f"  or open {path} in any browser: the engine is inside")
