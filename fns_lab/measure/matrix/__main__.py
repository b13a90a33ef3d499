"""Measure everything again and write the tables that the project ships: `python -m fns_lab.measure.matrix`."""

from __future__ import annotations

import argparse
import platform

import onnx

from fns_lab import targets
from fns_lab.measure.matrix.cases import node_cases
from fns_lab.measure.matrix.pairs import PAIR_TARGETS, measure_pairs
from fns_lab.measure.matrix.run import measure_cases
from fns_lab.measure.matrix.shipped import FAULTS, FOLDER, NODES, PAIRS, TARGETS, write, write_faults
from fns_lab.measure.matrix.table import Matrix, joined
from fns_lab.runtimes import engine_name


def main() -> None:
    """Measure all and write the tables.

    This takes some minutes per target the first time; what was measured before is looked up.
    """
    nodes = measure_cases(node_cases(), TARGETS)
    pairs = measure_pairs(PAIR_TARGETS)
    ship(nodes, pairs)
    print(nodes, pairs, sep="\n")


def ship(nodes: Matrix, pairs: Matrix) -> None:
    """Write the three tables of `shipped.py`."""
    engines = sorted({engine_name(targets.load(name)) for name in TARGETS})
    head = [
        "Measured and written by `python -m fns_lab.measure.matrix`; fns_lab/measure/matrix/shipped.py explains it.",
        f"onnx {onnx.__version__}; {', '.join(engines)}; {_browser()}; {platform.system()} {platform.machine()}",
    ]
    FOLDER.mkdir(exist_ok=True)
    write(nodes, NODES, head)
    write(pairs, PAIRS, [*head, *_counted(pairs)], leave_out_right=True)
    write_faults(joined(nodes, pairs), FAULTS, head)


def _counted(pairs: Matrix) -> list[str]:
    right_alone = pairs.table.groupby("target", sort=False)["case"].nunique()
    return [f"{target}: {count} chains and forks whose parts are right alone" for target, count in right_alone.items()]


def _browser() -> str:
    from fns_lab.runtimes.chromium import shared_chromium

    async def version() -> str:
        return (await chromium.browser()).version

    chromium = shared_chromium()
    return f"Chromium {chromium.run(version())}"


if __name__ == "__main__":
    argparse.ArgumentParser(prog="python -m fns_lab.measure.matrix", description=__doc__).parse_args()
    main()
