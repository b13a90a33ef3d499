"""Write a fault of an engine as one HTML file with the engine, the model, its inputs and the true values inside.

The page runs the model in any browser that opens it, also from a disk, and says whether the error occurs there.
"""

from __future__ import annotations

import base64
import gzip
import html
import json
import math
from collections.abc import Iterable, Mapping

import numpy as np
from onnx import AttributeProto, ModelProto, NodeProto, helper, numpy_helper

from fns_lab import models, web
from fns_lab.compare import Finding, Subgraph
from fns_lab.feeds import fit_feeds
from fns_lab.runtimes.base import output_dtypes
from fns_lab.runtimes.browser import as_taken, pack
from fns_lab.runtimes.engines import engine_for
from fns_lab.runtimes.kept_outputs import as_loaded
from fns_lab.targets import Target
from fns_lab.views.frame import POLICY, framed

WORKER = "onnx-worker.js"
"""Name of the file with the engine's worker."""
COMPILING = POLICY.replace("'wasm-unsafe-eval'", "'wasm-unsafe-eval' 'unsafe-eval'")
"""The content security policy of a page with ONNX.js before 0.1.8, which compiles code at run time."""
LONGEST_ATTRIBUTE = 80
"""Characters of an attribute that are shown, at most."""
SOURCES = {
    "engine": "the engine: another engine computes the true values from this model",
    "rewrite": "the model: another engine computes the same wrong values from it",
}
"""What the page says about each `Finding.source`."""


def fault_page(subgraph: Subgraph, finding: Finding, target: Target, *, truth: str) -> str:
    """Return the HTML page that runs `subgraph` in the engine of `target` and compares its value with the true one.

    `truth` names the engine that computed the true values, such as "ort/cpu". Engine, model and arrays are embedded,
    gzipped, as base64: ONNX Runtime Web's largest wasm, 27 MB, takes 9 MB. Its wasm runs on one thread, because a page
    from a disk may not start workers. Raises `InputError` for a target that does not run in a browser, `MissingError`
    if the engine is not installed.
    """
    engine = engine_for(target)
    kept, old_names = as_loaded(subgraph.model, target)
    feeds, block = pack(as_taken(fit_feeds(subgraph.model, subgraph.feeds), target))
    expected = np.ascontiguousarray(subgraph.expected, output_dtypes(subgraph.model)[subgraph.value])
    files = {name: path for name, path in engine.files.items() if name != WORKER}
    facts = {
        "options": engine.options | {"threads": 1 if target.runtime == "ort-web" else 0},
        "module": next((name for name in files if name.endswith(".mjs")), None),
        "wasm": engine.wasm and engine.wasm.name,
        "feeds": feeds,
        "value": next((new for new, old in old_names.items() if old == subgraph.value), subgraph.value),
        "type": expected.dtype.name,
        "shape": expected.shape,
        "limit": finding.limit if math.isfinite(finding.limit) else 0,
    }
    blobs = {"model": kept.SerializeToString(), "feeds": block, "expected": expected.tobytes()}
    blobs["engine"] = engine.script.read_bytes()
    blobs |= {f"file:{name}": path.read_bytes() for name, path in files.items()}
    title = f"{' + '.join(finding.ops)} in {engine.title} {target.backend}"
    body = _body(title, subgraph, finding, target, truth)
    style = web.text("fault/fault.css")
    scripts = "\n".join([*_data(facts, blobs), f"<script>{web.joined('fault/fault.js')}</script>"])
    compiles = target.runtime == "onnxjs" and target.version != "0.1.8"
    policy = COMPILING if compiles else POLICY
    return framed(title, body, attributes='data-state="running"', styles=[style], scripts=scripts, policy=policy)


def _body(title: str, subgraph: Subgraph, finding: Finding, target: Target, truth: str) -> str:
    model, expected = subgraph.model, subgraph.expected
    facts = {
        "Engine": f"{target.runtime} {target.version}, backend {target.backend}",
        "Model": f"opset {models.opset(model)}, IR version {model.ir_version}",
        "Inputs": ", ".join(f"{name} {array.dtype} {array.shape}" for name, array in subgraph.feeds.items()),
        "Value": f"{subgraph.value}, {expected.shape}, from {expected.min():g} to {expected.max():g}",
        "True values": f"those of {truth}",
        "Source of the error": SOURCES[finding.source],
        "Error when measured": f"{finding.max_abs:.6g} ({finding.limit:.3g} allowed)",
    }
    live = {"Largest error here": "largest", "Elements above the limit": "above-limit", "This browser": "browser"}
    rows = [f"<tr><th>{name}</th><td>{html.escape(text)}</td></tr>" for name, text in facts.items()]
    rows += [f'<tr><th>{name}</th><td id="{cell}"></td></tr>' for name, cell in live.items()]
    return f"""
<h1>{html.escape(title)}</h1>
<p id="result" role="status"></p>
<p><button id="again">Run again</button> <a id="save" download="fault.onnx">Save the model</a></p>
<table class="facts"><tbody>{"".join(rows)}</tbody></table>
<h2>Nodes ({len(model.graph.node)})</h2>
{_nodes(model)}
<section id="elements" hidden>
<h2>The first wrong elements</h2>
<table><thead><tr><th>index</th><th>true</th><th>here</th><th>|error|</th></tr></thead><tbody id="rows"></tbody></table>
</section>
<section id="image" hidden>
<h2>Where the error is</h2>
<canvas id="map"></canvas>
<p>Each pixel is the largest |error| over batch and channels: white the largest of all, black a ten-thousandth of it
or less, blue NaN.</p>
</section>"""


def _nodes(model: ModelProto) -> str:
    rows = "".join(
        f"<tr><td>{html.escape(models.op_name(node))}</td><td>{html.escape(', '.join(node.input))}</td>"
        f"<td>{html.escape(', '.join(node.output))}</td><td>{html.escape(_attributes(node))}</td></tr>"
        for node in model.graph.node
    )
    head = "".join(f"<th>{name}</th>" for name in ("op", "inputs", "outputs", "attributes"))
    return f'<table class="nodes"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'


def _attributes(node: NodeProto) -> str:
    texts = (_attribute(attribute) for attribute in node.attribute)
    return ", ".join(text if len(text) <= LONGEST_ATTRIBUTE else f"{text[:LONGEST_ATTRIBUTE]}…" for text in texts)


def _attribute(attribute: AttributeProto) -> str:
    if attribute.type != AttributeProto.TENSOR:
        return str(helper.printable_attribute(attribute))
    array = numpy_helper.to_array(attribute.t)
    return f"{attribute.name} = {array.dtype} {array.shape} {array.ravel().tolist()}"


def _data(facts: Mapping[str, object], blobs: Mapping[str, bytes]) -> Iterable[str]:
    """Yield the tags that hold the facts as JSON and each blob gzipped, as base64."""
    text = json.dumps(facts).replace("<", "\\u003c")
    yield f'<script type="application/json" id="facts">{text}</script>'
    for name, data in blobs.items():
        text = base64.b64encode(gzip.compress(data, mtime=0)).decode("ascii")
        yield f'<script type="text/plain" id="{html.escape(name)}">{text}</script>'
