"""The command targets: every target, and the engines of other versions that were fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fns_lab.cli.common import JsonFlag, print_json, print_table

if TYPE_CHECKING:
    from fns_lab.targets import Target


def targets(
    name: Annotated[str | None, typer.Argument(metavar="[T]", help="Show the ops and faults of this target.")] = None,
    json: JsonFlag = False,
) -> None:
    """List the targets, or what one of them supports.

    Of each: which version it describes, and whether its table was measured in that version. Engines that
    `fns-lab fetch engine` brought are listed too. Any other version is a target as well, such as ort-web@1.22.0/webgpu:
    until it has a table of its own, it has the nearest version's.

    \b
    Examples:
      fns-lab targets
      fns-lab targets onnxjs-0.1.8/webgl
    """
    if name:
        _show(name, json)
        return
    import pandas as pd

    rows = [
        {
            "target": target.name,
            "version": target.version or "any",
            "table": f"not measured: the table of {target.table_of}" if target.table_of else "measured",
        }
        for target in _every()
    ]
    if json:
        print_json({"targets": rows})
    else:
        print_table(pd.DataFrame(rows))


def _show(name: str, json: bool) -> None:
    """Print the ops of a target with their opsets, and its quirks."""
    import pandas as pd

    from fns_lab import targets

    target = targets.load(name)
    ops = [{"op": op, "opsets": ", ".join(selectors)} for op, selectors in sorted(target.ops.items())]
    quirks = [
        {"quirk": q.name, "ops": ", ".join(q.ops), "summary": q.summary, "source": q.source} for q in target.quirks
    ]
    if json:
        print_json({"target": target.name, "ops": ops, "quirks": quirks})
        return
    print_table(pd.DataFrame(ops))
    print_table(pd.DataFrame(quirks), empty="no fault is known")
    print(f"{target.name}: {len(ops)} ops, up to opset {target.opset}, {len(quirks)} known faults")


def _every() -> list[Target]:
    """Return the targets with a file, and those of the engines that were fetched."""
    from fns_lab import targets
    from fns_lab.runtimes import versions

    known = [targets.load(name) for name in targets.names()]
    others = [
        targets.load(f"{target.runtime}@{version}/{target.backend}")
        for package, version in versions.fetched()
        for target in {(t.runtime, t.backend): t for t in known}.values()
        if versions.package_of(target) == package
    ]
    return [*known, *(target for target in others if target.table_of)]
