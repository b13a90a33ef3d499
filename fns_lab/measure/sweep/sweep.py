"""The sweep of a target: every op drawn, run, its faults reduced and written as quirks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from fns_lab.errors import InputError
from fns_lab.measure.matrix.run import quiet_inference
from fns_lab.measure.sweep.families import FAMILIES
from fns_lab.measure.sweep.quirks import condition_text, grouped, quirk_toml
from fns_lab.measure.sweep.reduce import Fault, Trial, faults_of
from fns_lab.measure.sweep.run import SweptTarget
from fns_lab.measure.sweep.samples import axes_of, draw_samples, weight
from fns_lab.tables import json_rows
from fns_lab.targets import Target

CASES = 2000
"""Samples per target unless another number is asked for."""
LEAST = 5
"""Fewest samples of an op, however few axes it has; fewer where they would take over half of all samples."""
FUTILE = 8
"""Samples after which an op that is not in the target's table is left, if none was supported in any variant."""
JSON_KEYS = ("target", "op", "case", "variant", "result", "max_abs", "doubt")
"""Keys of an entry of `rows` in `matrix --sweep --json`."""
COLUMNS = (*JSON_KEYS, "supported", "message")
"""Columns of a sweep's table."""
GPU_BACKENDS = ("webgl", "webgpu")
"""Backends that run on a GPU."""
SWIFTSHADER = "Measured on a GPU that SwiftShader computes; whether a real GPU does the same was not seen."
"""Note on what was measured on a software GPU."""


@dataclass(frozen=True)
class Sweep:
    """What a sweep measured. True if the engine gave the expected result of every sample that its table supports.

    `table` has the columns of `Matrix.table`, and `doubt`: why the expected values may be wrong, empty if they are not
    contradicted. `faults` are the reduced faults of each target. `interrupted`: whether Ctrl-C ended it early.
    """

    table: pd.DataFrame
    faults: tuple[tuple[Target, tuple[Fault, ...]], ...]
    interrupted: bool = False

    @property
    def broken(self) -> pd.DataFrame:
        """Rows in which the model counts as supported, and the engine is wrong or fails without a doubt."""
        return self.table[self.table.supported & (self.table.result != "pass") & (self.table.doubt == "")]

    def __bool__(self) -> bool:
        return len(self.table) > 0 and self.broken.empty

    def __str__(self) -> str:
        lines = []
        for (target, variant), rows in self.table.groupby(["target", "variant"], sort=False):
            broken = self.broken[(self.broken.target == target) & (self.broken.variant == variant)]
            counts = rows.result.value_counts()
            lines.append(
                f"{target}, {variant}: {counts.get('pass', 0)} of {len(rows)} cases right, "
                f"{counts.get('unsupported', 0)} refused, {sum(broken.result == 'wrong')} silently wrong, "
                f"{sum(broken.result == 'error')} fail though the table supports them, {sum(rows.doubt != '')} in doubt"
            )
        return "\n".join(lines)

    def quirks(self) -> str:
        """Return the faults as quirks in TOML."""
        return "\n\n".join(filter(None, (quirks_of(target, faults) for target, faults in self.faults)))

    def shared_quirks(self) -> str:
        """Return those of them in TOML that several ops share."""
        shared = [
            (target, [fault for group in grouped(faults) if len(group) > 1 for fault in group])
            for target, faults in self.faults
        ]
        return "\n\n".join(filter(None, (quirks_of(target, faults) for target, faults in shared)))

    def to_json(self) -> dict[str, object]:
        """Return the object that `fns-lab matrix --sweep --json` prints."""
        faults = [
            {
                "target": target.name, "op": fault.op, "variant": fault.variant, "result": fault.result,
                "condition": condition_text(fault), "smallest": fault.sample.case.name, "message": fault.message,
            }
            for target, found in self.faults
            for fault in found
        ]  # fmt: skip
        return {"rows": json_rows(self.table, JSON_KEYS), "faults": faults, "quirks": self.quirks()}


def quirks_of(target: Target, faults: Sequence[Fault]) -> str:
    """Return the quirks of a target in TOML, one for all ops with the same fault."""
    doubt = SWIFTSHADER if target.backend in GPU_BACKENDS else ""
    return "\n\n".join(quirk_toml(group, target, doubt) for group in grouped(faults))


def sweep(
    targets: Sequence[Target],
    *,
    ops: Collection[str] | None = None,
    cases: int = CASES,
    seed: int = 0,
    cached: bool = True,
    progress: bool = True,
    report: Callable[[Target, Sequence[Fault]], None] | None = None,
) -> Sweep:
    """Sweep each target with `cases` samples, of all ops or of `ops` alone.

    `report` is given the faults of an op as soon as they are reduced. Ctrl-C ends the sweep with what was found; the
    next one goes on from the cache, unless `cached` is False.
    Raises `InputError` for an op that no family draws, `MissingError` for an engine that is not installed.
    """
    chosen = list(FAMILIES) if not ops else list(ops)
    if unknown := [op for op in chosen if op not in FAMILIES]:
        raise InputError(f"{unknown[0]} is drawn by no family of the sweep")
    rows: list[tuple[object, ...]] = []
    faults: list[tuple[Target, list[Fault]]] = []
    interrupted = False
    with quiet_inference():
        try:
            for target in targets:
                found: list[Fault] = []
                faults.append((target, found))
                swept = SweptTarget(target, cached=cached)
                for op, trials in _trials(swept, chosen, cases, seed, progress):
                    rows += _rows(target, op, trials)
                    found += (new := faults_of(op, trials, swept, seed))
                    if new and report:
                        report(target, new)
        except KeyboardInterrupt:
            interrupted = True
    reduced = tuple((target, tuple(found)) for target, found in faults)
    return Sweep(pd.DataFrame(rows, columns=list(COLUMNS)), reduced, interrupted)


def _rows(target: Target, op: str, trials: Sequence[Trial]) -> list[tuple[object, ...]]:
    return [
        (target.name, op, sample.case.name, r.variant, r.result, r.max_abs, r.doubt, r.supported, r.message)
        for sample, results in trials
        for r in results
    ]


def _trials(
    swept: SweptTarget, ops: Sequence[str], cases: int, seed: int, progress: bool
) -> Iterator[tuple[str, list[Trial]]]:
    """Yield the trials of each op. What an op that the target does not support leaves over goes to the others."""
    from tqdm import tqdm

    ordered = sorted(ops, key=lambda op: _claims(swept.target, op))
    weights = [weight(op) for op in ordered]
    least = min(LEAST, max(1, cases // (2 * len(ordered))))
    with tqdm(total=cases, unit="case", file=sys.stderr, leave=False, disable=not progress) as bar:
        for index, op in enumerate(ordered):
            bar.set_description(f"{swept.target} {op}")
            share = max(least, round((cases - bar.n) * weights[index] / sum(weights[index:])))
            trials: list[Trial] = []
            for sample in draw_samples(op, share, seed):
                trials.append(Trial(sample, swept.measure(sample)))
                bar.update()
                if len(trials) == FUTILE and _is_futile(op, trials, swept.target):
                    break
            yield op, trials


def _is_futile(op: str, trials: Sequence[Trial], target: Target) -> bool:
    return not _claims(target, op) and not any(r.supported for _, results in trials for r in results)


def _claims(target: Target, op: str) -> bool:
    return any(target.takes(op, int(str(opset))) for opset in axes_of(op)["opset"])
