"""`fns-lab eval` on an image of 100 megapixels in a process that may take 4 GiB of memory.

The system ends the process's allocations at `MOST_BYTES` (RLIMIT_DATA), and `FNS_LAB_MEMORY_BYTES` says so to the
command, which then works in strips. `peak_gib` is the largest resident set; `disk_gib` the temporary files.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
from PIL import Image

from fns_lab import images, photos
from fns_lab.limits import GIB, MEMORY_BYTES
from fns_lab.nets.strips import disk_bytes
from fns_lab.paths import SAVED_MODELS

MOST_BYTES = 4 * GIB
SIZE_PX = (8400, 12000)
WIDTHS = (8, 16)

_LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_DATA, (int(sys.argv[1]),) * 2)
from fns_lab.cli import main
code = main(sys.argv[2:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
sys.exit(code)
"""


def measure(options) -> dict:
    """Run the benchmark with the options of `python -m benchmarks`."""
    return run()


def run(size: tuple[int, int] = SIZE_PX, widths: tuple[int, ...] = WIDTHS) -> dict:
    """Return a JSON object with `title` and `rows`, one per network; `right`: written whole, within the memory."""
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder, "photo.png")
        with Image.open(photos.path("astronaut")) as small:
            small.convert("RGB").resize(size[::-1]).save(photo, compress_level=1)
        rows = [_row(width, photo, size) for width in widths]
    return {"title": f"an image of {size[0]}x{size[1]} px in {MOST_BYTES / GIB:g} GiB of memory", "rows": rows}


def table(result: dict) -> pd.DataFrame:
    """Return the rows as a table to print."""
    return pd.DataFrame(result["rows"])


def _row(width: int, photo: Path, size: tuple[int, int]) -> dict[str, object]:
    model, output = SAVED_MODELS / f"mosaic_nc{width}.pth", photo.with_name(f"{width}.jpg")
    command = ("eval", "--model", model, "--content-image", photo, "--output-image", output)
    started = time.perf_counter()
    result = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(MOST_BYTES), *map(str, command)],
        capture_output=True,
        text=True,
        env=os.environ | {MEMORY_BYTES.variable: str(MOST_BYTES)},
    )
    seconds = time.perf_counter() - started
    peak = int(result.stdout.split()[-1]) * 1024 if result.stdout else 0
    whole = result.returncode == 0 and images.size_px(output) == size
    return {
        "width": width, "megapixels": round(size[0] * size[1] / 1e6, 1), "seconds": round(seconds),
        "peak_gib": round(peak / GIB, 2), "disk_gib": round(disk_bytes(width, *size) / GIB, 1),
        "right": whole and 0 < peak <= MOST_BYTES,
    } | ({} if whole else {"message": result.stderr[-300:]})  # fmt: skip
