"""The command that measures which ops targets really support."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from fns_lab.cli.common import JsonFlag, TargetNames, print_json, print_table
from fns_lab.errors import InputError, nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fns_lab.measure.matrix.cases import Case
    from fns_lab.measure.matrix.table import Matrix
    from fns_lab.measure.sweep.reduce import Fault
    from fns_lab.measure.sweep.sweep import Sweep
    from fns_lab.targets import Target


def matrix(
    target: TargetNames,
    op: Annotated[
        list[str] | None,
        typer.Option("--op", metavar="OP", help="Only the tests of this op; may be given several times."),
    ] = None,
    pairs: Annotated[
        bool, typer.Option("--pairs", help="Pairs of ops, of several ranks and channels, instead of node tests.")
    ] = False,
    sweep: Annotated[
        bool, typer.Option("--sweep", help="Nodes drawn for every op instead of node tests; faults become quirks.")
    ] = False,
    cases: Annotated[
        int | None, typer.Option("--cases", metavar="N", min=1, help="With --sweep: nodes per target. [default: 2000]")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", help="With --sweep: of the draw. [default: 0]")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Measure all again, even what was measured before.")] = False,
    json: JsonFlag = False,
) -> int:
    """Run ONNX's own node tests in a target's real engine.

    Each test runs in three variants: native (converted to the engine's opset by onnx's own version converter where that
    is possible), converted (by this package, node by node) and lowered. The result is pass, wrong, error (the table
    supports it, the engine fails) or unsupported. Results are kept, and Ctrl-C loses none of them.
    Exit 1 if an engine is wrong or fails where its table says supported.

    With --sweep, nodes are drawn for every op: shapes, attributes, opsets, constants, special values. Each runs as it
    is drawn, if the table supports it, and lowered. Faults are reduced to the smallest node that still shows them and
    printed as quirks in TOML as soon as an op is done, to be looked at and pasted into the target's file. Ctrl-C ends
    it with what was found so far and exit 130.

    \b
    Examples:
      fns-lab matrix --target onnxjs-0.1.8/wasm
      fns-lab matrix --target onnxjs-0.1.3/cpu --target ort-web/webgl --op Conv --op Pad --json
      fns-lab matrix --target onnxjs-0.1.8/webgl --pairs --op Reshape
      fns-lab matrix --target ort-web/webgpu --sweep --cases 300 --op Conv --seed 1
    """
    from fns_lab import targets

    if pairs and sweep:
        raise InputError("--pairs and --sweep exclude each other")
    if not sweep and (cases is not None or seed is not None):
        raise InputError("--cases and --seed go with --sweep")
    chosen = [targets.load(name) for name in target]
    if sweep:
        return _sweep(chosen, op, cases, seed or 0, cached=not fresh, as_json=json)
    measured = (_pairs if pairs else _nodes)(chosen, op, cached=not fresh)
    if json:
        print_json(measured.to_json())
    else:
        faults = measured.falsely_supported.drop(columns="supported")
        print_table(faults.assign(message=faults.message.str.slice(0, 100)), empty="every engine agrees with its table")
        print(measured)
    return 0 if measured else 1


def _sweep(
    targets: Sequence[Target], ops: Sequence[str] | None, cases: int | None, seed: int, *, cached: bool, as_json: bool
) -> int:
    from fns_lab.measure.sweep.families import FAMILIES
    from fns_lab.measure.sweep.sweep import CASES, sweep

    _known(ops, list(FAMILIES))
    report = None if as_json else _print_quirks
    measured = sweep(targets, ops=ops, cases=cases or CASES, seed=seed, cached=cached, report=report)
    if as_json:
        print_json(measured.to_json())
    else:
        print(_ending(measured))
    if measured.interrupted:
        return 130
    return 0 if measured else 1


def _print_quirks(target: Target, faults: Sequence[Fault]) -> None:
    """Print the faults of an op above the progress bar."""
    from tqdm import tqdm

    from fns_lab.measure.sweep.sweep import quirks_of

    tqdm.write(quirks_of(target, faults) + "\n")
    sys.stdout.flush()


def _ending(measured: Sweep) -> str:
    """Return what is printed after the last op: the quirks of several ops, and the counts of all."""
    lines = [] if any(found for _, found in measured.faults) else ["no fault"]
    if shared := measured.shared_quirks():
        lines += ["# Quirks that several of these ops share", shared, ""]
    return "\n".join([*lines, str(measured)] + ["interrupted; the next run goes on from here"] * measured.interrupted)


def _nodes(targets: Sequence[Target], ops: Sequence[str] | None, *, cached: bool) -> Matrix:
    from fns_lab.measure.matrix.cases import node_cases
    from fns_lab.measure.matrix.run import measure_cases

    return measure_cases(_of_ops(node_cases(), ops), targets, cached=cached)


def _pairs(targets: Sequence[Target], ops: Sequence[str] | None, *, cached: bool) -> Matrix:
    from fns_lab.measure.matrix.pairs import measure_pairs
    from fns_lab.measure.matrix.parts import PARTS

    _known(ops, [part.op for part in PARTS])
    return measure_pairs(targets, involving=ops or None, cached=cached, drawn=True)


def _of_ops(cases: Sequence[Case], ops: Sequence[str] | None) -> Sequence[Case]:
    _known(ops, [case.op for case in cases])
    return [case for case in cases if case.op in ops] if ops else cases


def _known(ops: Sequence[str] | None, known: Sequence[str]) -> None:
    for op in ops or ():
        if op not in known:
            raise InputError(f"--op {op}: no test of that op; did you mean {nearest(op, sorted(set(known)))}?")
