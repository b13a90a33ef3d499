"""Run benchmarks, print their tables and write `reports/bench-NAME.json`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks import (
    architectures,
    bad_files,
    browsers,
    comparing,
    foreign,
    interruptions,
    isolation,
    large_image,
    lowering,
    lowering_cost,
    many_nodes,
    memory,
    preview,
    random_cases,
    robustness,
    site_bytes,
    sweep,
    training,
    tuning,
)
from fns_lab.errors import InputError, MissingError
from fns_lab.files import atomic_write
from fns_lab.paths import REPORTS, SAVED_MODELS

BENCHMARKS = (lowering_cost, many_nodes, random_cases, comparing, isolation, architectures, lowering, tuning, training)
"""Short ones first. `python -m benchmarks NAME` runs one."""

ON_REQUEST = (preview, browsers, site_bytes, foreign, sweep, robustness, bad_files, large_image, interruptions, memory)
"""These run only if named: the first three open browsers and JupyterLab; the others take minutes to hours."""


def main() -> int:
    """Run the benchmarks and return 0 if every row of each is right, else 1."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    names = {benchmark.__name__.split(".")[-1]: benchmark for benchmark in (*BENCHMARKS, *ON_REQUEST)}
    parser.add_argument(
        "name", nargs="*", help=f"which of {', '.join(names)}; all but the last {len(ON_REQUEST)} if none is given"
    )
    parser.add_argument("--checkpoint", type=Path, default=SAVED_MODELS / "mosaic_nc16.pth", help="a trained network")
    parser.add_argument("--size", default="128x128", help="height and width in pixels, such as 128x128")
    parser.add_argument("--runs", type=int, default=10, help="timed runs after the warm-up")
    parser.add_argument("--target", action="append", help="a target; may be given several times")
    parser.add_argument(
        "--cases",
        type=int,
        help="random models to lower, over all rules; sweep: nodes per target; robustness: bad files; interruptions",
    )
    parser.add_argument("--minutes", type=float, default=10, help="memory: for how long")
    parser.add_argument("--seed", type=int, default=0, help="sweep: seed of the draw; robustness: of the first case")
    parser.add_argument("--model", action="append", help="foreign: models whose name contains this word")
    options = parser.parse_args()
    options.size = _size(options.size)
    if unknown := set(options.name) - set(names):
        raise InputError(f"no benchmark {unknown.pop()!r}; there are {', '.join(names)}")
    REPORTS.mkdir(exist_ok=True)
    all_right = True
    for name in options.name or list(names)[: len(BENCHMARKS)]:
        benchmark = names[name]
        result = benchmark.measure(options)
        path = REPORTS / f"bench-{name}.json"
        with atomic_write(path) as temporary:
            temporary.write_text(json.dumps(result, indent=1, allow_nan=False), encoding="utf-8")
        print(f"{name}: {result['title']}")
        print(benchmark.table(result).to_string(index=False, float_format=lambda x: f"{x:.4g}"))
        print(f"written to {path}")
        all_right = all_right and all(row["right"] for row in result["rows"])
    return 0 if all_right else 1


def _size(text: str) -> tuple[int, int]:
    sizes = text.split("x")
    if len(sizes) != 2 or not all(size.isdecimal() for size in sizes):
        raise InputError(f"size {text!r}: give height and width, as in 128x192")
    return int(sizes[0]), int(sizes[1])


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (InputError, MissingError) as error:
        print(error, file=sys.stderr)
        sys.exit(2 if isinstance(error, InputError) else 3)
