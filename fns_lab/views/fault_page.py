"""A fault alone on a page: one HTML file with the engine, the model, its input and the true answer inside.

It runs wherever it is opened, from a disk too, and says whether that browser shows the fault.
"""

from __future__ import annotations

import base64
import gzip
import html
import json
import math
from collections.abc import Iterable

import numpy as np
from onnx import AttributeProto, ModelProto, NodeProto, helper, numpy_helper

from fns_lab import models
from fns_lab.compare import Finding, Subgraph
from fns_lab.feeds import fit_feeds
from fns_lab.runtimes.base import output_dtypes
from fns_lab.runtimes.browser import as_taken, pack
from fns_lab.runtimes.engines import Engine, engine_for
from fns_lab.runtimes.kept_outputs import as_loaded
from fns_lab.targets import Target
from fns_lab.views.frame import HERE, framed

SCRIPTS = ("host.js", "engine.js", "adapter.js")
WORKER = "onnx-worker.js"
LONGEST_ATTRIBUTE = 80
WHOSE = {
    "engine": "the engine's: another one computes the true answer from this model",
    "rewrite": "the model's: another engine computes the same from it",
}


def fault_page(piece: Subgraph, finding: Finding, target: Target, *, truth: str) -> str:
    """The page of `piece` in the engine of `target`; `truth` says where the true answer comes from ("ort/cpu").

    Engine, model and arrays lie in it gzipped, as base64: ONNX Runtime Web's largest wasm, 27 MB, takes 9 MB. Its
    wasm runs on one thread, since a page from a disk may start no worker. Raises `InputError` for a target that does
    not run in a browser, `MissingError` where the engine is not installed.
    """
    engine = engine_for(target)
    kept, old_names = as_loaded(piece.model, target)
    feeds, block = pack(as_taken(fit_feeds(piece.model, piece.feeds), target))
    expected = np.ascontiguousarray(piece.expected, output_dtypes(piece.model)[piece.value])
    files = {name: path for name, path in engine.files.items() if name not in ("", WORKER, *SCRIPTS)}
    facts = {
        "options": engine.options | {"threads": 1 if target.runtime == "ort-web" else 0},
        "module": next((name for name in files if name.endswith(".mjs")), None),
        "wasm": engine.wasm and engine.wasm.name,
        "feeds": feeds,
        "value": next((new for new, old in old_names.items() if old == piece.value), piece.value),
        "type": expected.dtype.name,
        "shape": expected.shape,
        "limit": finding.limit if math.isfinite(finding.limit) else 0,
    }
    blobs = {"model": kept.SerializeToString(), "feeds": block, "expected": expected.tobytes()}
    blobs |= {f"file:{name}": path.read_bytes() for name, path in files.items()}
    title = f"{' + '.join(finding.ops)} in {engine.title} {target.backend}"
    body = _body(title, piece, finding, target, truth)
    style = (HERE / "fault.css").read_text(encoding="utf-8")
    scripts = "\n".join([*_data(facts, blobs), *_scripts(engine)])
    return framed(title, body, attributes='data-state="running"', styles=[style], scripts=scripts)


def _body(title: str, piece: Subgraph, finding: Finding, target: Target, truth: str) -> str:
    model = piece.model
    facts = {
        "Engine": f"{target.runtime} {target.version}, backend {target.backend}",
        "Model": f"opset {models.opset(model)}, IR version {model.ir_version}, {len(model.graph.node)} nodes",
        "Inputs": ", ".join(f"{name} {array.dtype} {array.shape}" for name, array in piece.feeds.items()),
        "Value": f"{piece.value}, {piece.expected.shape}, from {piece.expected.min():g} to {piece.expected.max():g}",
        "True answer": f"that of {truth}",
        "Whose fault": WHOSE[finding.source],
        "Error when found": f"{finding.max_abs:.6g} ({finding.limit:.3g} allowed)",
    }
    live = {"Largest error here": "largest", "Elements beyond what is allowed": "beyond", "This browser": "browser"}
    rows = [f"<tr><th>{name}</th><td>{html.escape(text)}</td></tr>" for name, text in facts.items()]
    rows += [f'<tr><th>{name}</th><td id="{place}"></td></tr>' for name, place in live.items()]
    return f"""
<h1>{html.escape(title)}</h1>
<p id="verdict" role="status"></p>
<p><button id="again">Run again</button> <a id="save" download="fault.onnx">Save the model</a></p>
<table class="facts"><tbody>{"".join(rows)}</tbody></table>
<h2>Nodes</h2>
{_nodes(model)}
<section id="elements" hidden>
<h2>The first elements that differ</h2>
<table><thead><tr><th>index</th><th>true</th><th>here</th><th>|error|</th></tr></thead><tbody id="rows"></tbody></table>
</section>
<section id="image" hidden>
<h2>Where the error sits</h2>
<canvas id="map"></canvas>
<p>The largest |error| over batch and channels: bright is the largest of all, black a ten thousandth of it or less,
blue NaN.</p>
</section>"""


def _nodes(model: ModelProto) -> str:
    rows = "".join(
        f"<tr><td>{html.escape(models.op_name(node))}</td><td>{html.escape(', '.join(node.input))}</td>"
        f"<td>{html.escape(', '.join(node.output))}</td><td>{html.escape(_attributes(node))}</td></tr>"
        for node in model.graph.node
    )
    head = "".join(f"<th>{name}</th>" for name in ("op", "reads", "computes", "attributes"))
    return f'<table class="nodes"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'


def _attributes(node: NodeProto) -> str:
    texts = (_attribute(attribute) for attribute in node.attribute)
    return ", ".join(text if len(text) <= LONGEST_ATTRIBUTE else f"{text[:LONGEST_ATTRIBUTE]}…" for text in texts)


def _attribute(attribute: AttributeProto) -> str:
    if attribute.type != AttributeProto.TENSOR:
        return helper.printable_attribute(attribute)
    array = numpy_helper.to_array(attribute.t)
    return f"{attribute.name} = {array.dtype} {array.shape} {array.ravel().tolist()}"


def _data(facts: dict, blobs: dict[str, bytes]) -> Iterable[str]:
    text = json.dumps(facts).replace("<", "\\u003c")
    yield f'<script type="application/json" id="facts">{text}</script>'
    for name, data in blobs.items():
        text = base64.b64encode(gzip.compress(data, mtime=0)).decode("ascii")
        yield f'<script type="text/plain" id="{html.escape(name)}">{text}</script>'


def _scripts(engine: Engine) -> Iterable[str]:
    for path in (*(engine.files[name] for name in SCRIPTS), HERE / "fault.js"):
        text = path.read_text(encoding="utf-8").replace("</script", "<\\/script")  # in a string the same
        yield f"<script>{text}</script>"
