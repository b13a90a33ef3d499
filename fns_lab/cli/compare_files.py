"""What `fns-lab compare` writes: the folder of a bug report, the reduced model with its page, the plot."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fns_lab.cli.common import note

if TYPE_CHECKING:
    from fns_lab.compare import Comparison, Experiment, Finding, Subgraph


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
    from fns_lab.files import atomic_write
    from fns_lab.views.error_maps import error_figure

    with atomic_write(path) as temporary:
        error_figure(comparison).savefig(temporary, format=path.suffix[1:] or "png", dpi=100)


def _write_reduction(
    path: Path, experiment: Experiment, comparison: Comparison, target_b: str, *, reference: str
) -> None:
    import numpy as np

    from fns_lab import models
    from fns_lab.compare import subgraph
    from fns_lab.files import atomic_write

    if not comparison.findings:
        note(f"{path}: not written, because no part of B gives a wrong result on correct inputs")
        return
    finding = comparison.findings[0]
    smallest, inputs = subgraph(experiment, finding), path.with_suffix(".npz")
    models.save(smallest.model, path)
    with atomic_write(inputs) as temporary, temporary.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **smallest.feeds)
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
    from fns_lab.files import atomic_write
    from fns_lab.runtimes.engines import runs_in_a_page
    from fns_lab.views.fault_page import fault_page

    target = targets.load(target_b)
    if not runs_in_a_page(target):
        return
    text = fault_page(smallest, finding, target, truth=reference)
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    note(f"  or open {path} in any browser: the engine is inside")
