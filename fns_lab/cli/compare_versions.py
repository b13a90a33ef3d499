"""`fns-lab compare --versions`: the first version of an engine whose results differ."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fns_lab.cli.arrays import load_feeds
from fns_lab.errors import InputError, RuntimeFault

if TYPE_CHECKING:
    import numpy as np
    from onnx import ModelProto

    from fns_lab.compare import Comparison, ModelRun, Run, Tolerance
    from fns_lab.compare.versions import VersionSearch
    from fns_lab.targets import Target

RANGE = re.compile(r"([\w-]+)/(\w+):(\d[\d.]*)\.\.(\d[\d.]*)")


def first_to_differ(
    a: Path, b: Path, input: Path, text: str, fraction: float | None, counted: Callable[[Run], Run]
) -> VersionSearch:
    """Run A in the oldest version of a range, and B in others, until the first that differs is found.

    `text` is `RUNTIME/BACKEND:LOW..HIGH`, such as `ort-web/webgpu:1.20..1.30`. Versions that are not here are fetched.
    """
    from fns_lab import models
    from fns_lab.compare import tolerance_between, tolerance_of
    from fns_lab.compare.versions import VersionSearch, first_to_fail, search

    runtime, backend, versions = _versions(text)
    model_a, model_b = models.load(a), models.load(b)
    feeds_a, feeds_b = load_feeds(input, model_a), load_feeds(input, model_b)

    def run_of(model: ModelProto, feeds: Mapping[str, np.ndarray], version: str) -> ModelRun:
        return _model_run(model, feeds, _target(runtime, version, backend), counted)

    reference = run_of(model_a, feeds_a, versions[0])
    tolerance = tolerance_between("a", "b") if fraction is None else tolerance_of(fraction)
    expected = list(reference.run(model_a, feeds_a).values())

    def difference(version: str) -> str:
        run = run_of(model_b, feeds_b, version)
        return _difference(expected, run, tolerance)

    tried = search(versions, difference)
    result = VersionSearch(f"{runtime}/{backend}", versions, tried)
    if result.differs is None:
        return result
    agrees, differs = run_of(model_a, feeds_a, result.agrees), run_of(model_b, feeds_b, result.differs)
    try:
        return replace(result, comparison=_localized(agrees, differs, tolerance))
    except RuntimeFault:
        return replace(result, failing_op=first_to_fail(differs))


def _versions(text: str) -> tuple[str, str, list[str]]:
    """Return runtime, backend and the released versions of a range, oldest first."""
    from fns_lab.fetch import engines, packages
    from fns_lab.runtimes import versions

    match = RANGE.fullmatch(text)
    if not match:
        raise InputError(f"--versions {text}: give RUNTIME/BACKEND:LOW..HIGH, such as ort-web/webgpu:1.20..1.30")
    runtime, backend, *bounds = match.groups()
    low, high = (packages.numbers(bound.strip(".")) for bound in bounds)
    package = versions.package_of(_target(runtime, "0", backend))
    released = packages.released(engines.registry_of(package), package)
    inside = [
        v for v in released if low <= packages.numbers(v)[: len(low)] and packages.numbers(v)[: len(high)] <= high
    ]
    if len(inside) < 2:
        found = f"only {inside[0]} was" if inside else "none was"
        raise InputError(f"--versions {text}: two released versions of {package} are needed, {found} found")
    return runtime, backend, inside


def _target(runtime: str, version: str, backend: str) -> Target:
    from fns_lab import targets

    return targets.load(f"{runtime}@{version}/{backend}")


def _model_run(
    model: ModelProto, feeds: Mapping[str, np.ndarray], target: Target, counted: Callable[[Run], Run]
) -> ModelRun:
    """Return a run in an engine that is fetched unless it is here."""
    from fns_lab.compare import ModelRun
    from fns_lab.fetch import engines
    from fns_lab.runtimes import engines as pages
    from fns_lab.runtimes import packages, run_in, versions

    package = versions.package_of(target)
    installed = packages.installed_version(package)
    if pages.runs_in_a_page(target):
        installed = pages.installed_version(f"{package}-{target.version}" if package == "onnxjs" else package)
    if installed != target.version:
        engines.fetch(f"{package}@{target.version}")
    return ModelRun(
        model, dict(feeds), counted(run_in(target)), piecewise=target.ops_are_independent, engine=str(target)
    )


def _difference(expected: list[np.ndarray], run: ModelRun, tolerance: Tolerance) -> str:
    """Return why the outputs of a run differ, empty if they do not."""
    from fns_lab.compare.comparison import compare_arrays

    try:
        outputs = run.run(run.model, run.feeds)
    except RuntimeFault as fault:
        return f"it fails: {fault}"
    if len(outputs) != len(expected):
        return f"{len(outputs)} outputs, not {len(expected)}"
    faults = (
        (name, compare_arrays(wanted, actual, tolerance)[2])
        for wanted, (name, actual) in zip(expected, outputs.items(), strict=True)
    )
    return next((f"output {name!r}: {fault}" for name, fault in faults if fault), "")


def _localized(agrees: ModelRun, differs: ModelRun, tolerance: Tolerance) -> Comparison:
    from fns_lab.compare import Experiment, localize

    experiment = Experiment(agrees, differs, tolerance)
    return localize(experiment, experiment.compare())
