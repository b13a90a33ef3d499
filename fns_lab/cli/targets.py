"""The command targets: every target, and the engines of other versions that were fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fns_lab.cli.common import JsonFlag, print_json, print_table

if TYPE_CHECKING:
    from fns_lab.targets import Target


def targets(json: JsonFlag = False) -> None:
    """List the targets: which version each describes, and whether its table was measured in that version.

    Engines that `fns-lab fetch engine` brought are listed too. Any other version is a target as well, such as
    ort-web@1.22.0/webgpu: until it has a table of its own, it has the nearest version's.

    \b
    Examples:
      fns-lab targets
    """
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
