"""How many bytes the web site has, and how many a first visit loads. That part of docs/site.md is written anew."""

from __future__ import annotations

import gzip
import re
import tempfile
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks import page
from benchmarks.browsers import visit
from benchmarks.browsers.chromium import Chromium
from benchmarks.browsers.site import serving_folder
from fns_lab.cli import main
from fns_lab.files import write_text
from fns_lab.paths import ROOT, SAVED_MODELS

PAGE = ROOT / "docs" / "site.md"
PART = re.compile(
    r"(?<=<!-- Written by `python -m benchmarks site_bytes`\. -->\n\n).*?(?=\n<!-- End of the bytes\. -->)", re.S
)
NETWORK = "mosaic_nc8"
VISITS = 1_000_000
ENGINES = {"ONNX Runtime Web wasm": ("ort.wasm.min.js", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"),
           "ONNX Runtime Web webgl": ("ort.webgl.min.js",),
           "ONNX Runtime Web webgpu": ("ort.webgpu.min.js", "ort-wasm-simd-threaded.asyncify.mjs",
                                       "ort-wasm-simd-threaded.asyncify.wasm"),
           "ONNX.js 0.1.8": ("onnx.min.js", "onnx-wasm.wasm", "onnx-worker.js")}  # fmt: skip
"""Their files, in whichever folder of `engines/`."""
FIRST_ENGINE = "ONNX Runtime Web wasm"
ASKED_AGAIN = ("index.html", "catalog.json", "sw.js")
"""What a later visit asks the host for; the service worker keeps the rest."""


def measure(options) -> dict:
    """Run the benchmark with the options of `python -m benchmarks`."""
    result = run()
    text, count = PART.subn(lambda _: described(result), PAGE.read_text(encoding="utf-8"))
    if count != 1:
        raise ValueError(f"{PAGE}: no place for the bytes")
    write_text(PAGE, text)
    return result


def run(network: str = NETWORK, *, all_networks: bool = True) -> dict[str, Any]:
    """Write the site of a network and open it; with `all_networks` also write those of all shipped ones.

    Returns a JSON object with `title`, `network` and `rows`, one row per part: `part`, its `files`, `bytes` and those
    `gzipped`, file by file.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = written(Path(name) / "one", SAVED_MODELS / f"{network}.pth")
        rows = parts(folder, first_visit(folder), network)
        if all_networks:
            every = written(Path(name) / "all")
            single = written(Path(name) / "single", "--single-file")
            rows += [row("the folder of all shipped networks", every, files(every)),
                     row("the single file of those of width 8", single, files(single))]  # fmt: skip
    return {"title": f"the site of {network}", "network": network, "rows": rows}


def written(folder: Path, *arguments: Path | str) -> Path:
    """Return the folder to which `fns-lab site` wrote."""
    if main(["site", *map(str, arguments), "-o", str(folder)]):
        raise RuntimeError("the site was not written")
    return folder


def first_visit(folder: Path) -> list[str]:
    """Return the files that a browser asks for until the first image is styled."""
    browser = Chromium()
    try:
        with serving_folder(folder) as address:
            visit.opened(browser, address)
            asked = {url.removeprefix(address) or "index.html" for url in browser.requested if url.startswith(address)}
    finally:
        browser.close()
    return sorted(asked - {"sw.js"})


def parts(folder: Path, first: Sequence[str], network: str) -> list[dict[str, Any]]:
    """Return the rows of the site of one network."""
    every = files(folder)
    own = [name for name in every if name.startswith("web/") or name in ("index.html", "site.css", "sw.js")]
    engines = {title: [name for name in every if name.rpartition("/")[2] in names] for title, names in ENGINES.items()}
    needed = [name for name in first if not name.startswith("engines/")]
    weights = [f"models/{network}/weights.bin"]
    return [
        row("the page and its JavaScript", folder, own),
        row("what the first image needs besides the engine: page, catalogue, sample, model", folder, needed),
        row("of which the weights of all files of the network", folder, weights),
        *(row(title, folder, names) for title, names in engines.items()),
        row("what a later visit asks for: page, catalogue, service worker", folder, ASKED_AGAIN),
    ]


def files(folder: Path) -> list[str]:
    """Return the names of all files of a folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def row(part: str, folder: Path, names: Iterable[str]) -> dict[str, Any]:
    """Return the sizes of some files together."""
    contents = [(folder / name).read_bytes() for name in names]
    packed = sum(len(gzip.compress(data, mtime=0)) for data in contents)
    size = sum(map(len, contents))
    return {"part": part, "files": len(contents), "bytes": size, "gzipped": packed, "right": size > 0}


def described(result: dict[str, Any]) -> str:
    """Return the part of docs/site.md about a result."""
    rows = {row["part"]: row for row in result["rows"]}
    cells = [[part, str(row["files"]), _kb(row["bytes"]), _kb(row["gzipped"])] for part, row in rows.items()]
    (first,) = (row for part, row in rows.items() if part.startswith("what the first image"))
    (later,) = (row for part, row in rows.items() if part.startswith("what a later visit"))
    engine = rows[FIRST_ENGINE]
    packed, plain = (VISITS * (first[key] + engine[key]) / 1e12 for key in ("gzipped", "bytes"))
    cost = f"""\
        A million first visits to a host that compresses are {packed:.1f} TB, of which the wasm engine is
        {VISITS * engine["gzipped"] / 1e12:.1f} TB; from a host that does not, {plain:.0f} TB. The service worker also
        loads the other samples and heads once. A million later visits are about
        {VISITS * later["bytes"] / 1e9:.0f} GB uncompressed. What this costs is the host's price for traffic; the site
        needs no computing there."""
    return f"""\
Measured on `fns-lab site saved_models/{result["network"]}.pth`:

{page.table(["", "files", "kB", "kB gzipped"], cells)}
{textwrap.fill(" ".join(cost.split()), 120)}
"""


def _kb(size: int) -> str:
    return f"{size / 1000:,.0f}"


def table(result: dict) -> pd.DataFrame:
    """Return the rows as a table to print."""
    return pd.DataFrame(result["rows"])
