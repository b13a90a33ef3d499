"""The web site: the page's own files, engines and models in a folder for any static host, or all in one HTML file.

`web/site/index.html` is the page. It finds everything else through `catalog.json`.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from fns_lab import web
from fns_lab.files import write_bytes
from fns_lab.views.site.catalog import Files, catalog
from fns_lab.views.site.models import SiteModel, Tune

__all__ = ["SiteModel", "Tune", "write_folder", "write_single_file"]

MAIN = "site/main.js"
"""Module of the page."""
WORKER = "engines/worker.js"
"""Module of the page's worker."""
POLICY = (
    "default-src 'none'; script-src {scripts} blob: 'wasm-unsafe-eval'; worker-src 'self' blob:; style-src {styles}; "
    "img-src 'self' blob: data:; connect-src 'self' blob: data:; media-src 'self' blob:; base-uri 'none'; "
    "form-action 'none'"
)
"""What the page may load: its own files and what it makes itself. Engines need WebAssembly, and scripts as blobs."""
HEADERS = """/*
  Cross-Origin-Opener-Policy: same-origin
  Cross-Origin-Embedder-Policy: require-corp
  X-Content-Type-Options: nosniff
  Referrer-Policy: no-referrer
"""
"""The file `_headers`, which some hosts read: with these two headers wasm runs on several threads."""


Samples = Mapping[tuple[int, int], bytes]
"""PNG files by height and width."""


def write_folder(models: Sequence[SiteModel], samples: Samples, folder: Path, tune: Tune | None = None) -> Path:
    """Write the site of `models` to `folder` and return its page; with `tune`, tuned files beside the others."""
    files = catalog(models, samples, tune, own_workers=True)
    page = _page(POLICY.format(scripts="'self'", styles="'self'"))
    page = page.replace("<!-- style -->", '<link rel="stylesheet" href="site.css">')
    page = page.replace("<!-- scripts -->", '<script type="module" src="web/site/main.js"></script>')
    files |= {"index.html": page.encode(), "site.css": web.text("site/site.css").encode(), "_headers": HEADERS.encode()}
    files |= {f"web/{name}": web.text(name).encode() for name in {*web.modules(MAIN), *web.modules(WORKER)}}
    files["sw.js"] = _service_worker(files)
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_bytes(folder / name, data)
    return folder / "index.html"


def write_single_file(models: Sequence[SiteModel], samples: Samples, folder: Path, tune: Tune | None = None) -> Path:
    """Write the site of `models` to one `index.html` in `folder`, which also opens from a disk, and return it."""
    files = catalog(models, samples, tune, own_workers=False)
    files["worker.js"] = web.joined(WORKER).encode()
    style, script = web.text("site/site.css"), web.joined(MAIN).replace("</script", "<\\/script")
    page = _page(POLICY.format(scripts=_hash(script), styles=_hash(style)))
    page = page.replace("<!-- style -->", f"<style>{style}</style>")
    page = page.replace("<!-- scripts -->", "\n".join([*_data(files), f"<script>{script}</script>"]))
    folder.mkdir(parents=True, exist_ok=True)
    write_bytes(folder / "index.html", page.encode())
    return folder / "index.html"


def _page(policy: str) -> str:
    return web.text("site/index.html").replace("POLICY", html.escape(policy, quote=False))


def _service_worker(files: Files) -> bytes:
    """Return the script that keeps the site's files, so that it opens without a network.

    It loads those of the first image at once; its text, and so the browser's copy, changes with any file.
    """
    entries = json.loads(files["catalog.json"])
    first, model = entries["engines"][0], entries["models"][0]
    needed = [first["script"], *first["files"].values(), model["weights"], *(v["head"] for v in model["variants"])]
    own = [name for name in files if name.startswith(("web/", "samples/")) or name in ("site.css", "catalog.json")]
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(name.encode() + files[name])
    script = web.text("site/sw.js").replace("VERSION", digest.hexdigest()[:12])
    return script.replace("[/* first */]", json.dumps(["./", *own, *needed])).encode()


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _data(files: Files) -> list[str]:
    """Return one tag per file, which holds it gzipped, as base64."""
    packed = {name: base64.b64encode(gzip.compress(data, mtime=0)).decode("ascii") for name, data in files.items()}
    return [f'<script type="text/plain" id="file:{html.escape(name)}">{text}</script>' for name, text in packed.items()]
