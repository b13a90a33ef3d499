"""A fault page, opened from a disk in a real browser: it shows a real engine's error, and none where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from fns_lab import targets
from fns_lab.compare import Finding, Subgraph
from fns_lab.errors import InputError
from fns_lab.runtimes import run_in
from fns_lab.runtimes.chromium import shared_chromium
from fns_lab.runtimes.engine_page import CHROME
from fns_lab.views.fault_page import fault_page
from tests.runtimes.graphs import graph, image, node

X = image(2, 3, 6, 10)
N, C, H, W = X.shape
FLAT = {"shape": np.array([N, C, 1, H * W])}
OPEN_MS = 60_000
NOTE_VIOLATIONS = """
    globalThis.violations = [];
    addEventListener("securitypolicyviolation", ({ blockedURI }) => violations.push(blockedURI));
"""


def reshaped_then(*nodes, outputs):
    nodes = [node("Reshape", "x shape", "flat"), *nodes]
    return graph(nodes, {"x": X}, FLAT, outputs=outputs)


SHARED = reshaped_then(
    node("ReduceMean", "flat", "mean", axes=[3]), node("Sub", "x mean", "y"), outputs={"y": X.shape}
)  # onnxjs-0.1.8/webgl spoils a value that is both reshaped and read elsewhere
PADDED = reshaped_then(
    node("Pad", "flat", "y", mode="reflect", pads=[0, 0, 0, 2, 0, 0, 0, 2]), outputs={"y": (N, C, 1, H * W + 4)}
)  # ort-web/webgl misreads a reshaped value


WEIGHTS = {"far": np.full(1, 3000, np.float32), "scale": np.ones(C, np.float32), "bias": np.zeros(C, np.float32)}
FAR = graph(
    [node("Add", "x far", "moved"), node("InstanceNormalization", "moved scale bias", "y")],
    {"x": X},
    WEIGHTS,
    outputs={"y": X.shape},
)  # ort-web/webgpu takes the variance as the mean of squares less the square of the mean


def page_of(tmp_path, model, target, value="y", shift=0.0):
    """Write the fault page of `model` in `target`; `shift` is added to the true values."""
    expected = run_in("ort/cpu")(model, {"x": X})[value] + np.asarray(shift, np.float32)
    subgraph = Subgraph(model, {"x": X}, value, expected)
    finding = Finding(value, tuple(n.op_type for n in model.graph.node), (value,), "engine", 1.0, 0.01)
    path = tmp_path / "fault.html"
    path.write_text(fault_page(subgraph, finding, targets.load(target), truth="ort/cpu"), encoding="utf-8")
    return path


def opened(path):
    """Return what the page shows once its engine has run three times, its requests, and what its policy refused."""

    async def look():
        browser = await shared_chromium().browser()
        agent = CHROME.format(major=browser.version.split(".")[0])
        context = await browser.new_context(user_agent=agent, offline=True)
        await context.add_init_script(NOTE_VIOLATIONS)
        requests, page = [], await context.new_page()
        page.on("request", lambda request: requests.append(request.url))
        await page.goto(path.as_uri())
        for _ in range(2):
            await page.wait_for_selector("body:not([data-state=running])", timeout=OPEN_MS)
            await page.click("#again")
        await page.wait_for_selector("body:not([data-state=running])", timeout=OPEN_MS)
        script = """() => ({
          state: document.body.dataset.state,
          result: document.getElementById("result").textContent,
          largest: parseFloat(document.getElementById("largest").textContent),
          rows: [...document.getElementById("rows").rows].map((row) => [...row.cells].map((cell) => cell.textContent)),
          corner: [...document.getElementById("map").getContext("2d").getImageData(0, 0, 1, 1).data].slice(0, 3),
          map: [document.getElementById("map").width, document.getElementById("map").height],
          title: document.title,
          violations,
        })"""
        shown = await page.evaluate(script)
        await context.close()
        return shown | {"requests": [url for url in requests if not url.startswith(("file:", "blob:", "data:"))]}

    return shared_chromium().run(look())


@pytest.mark.browser
@pytest.mark.parametrize(
    ("model", "target"), [(SHARED, "onnxjs-0.1.8/webgl"), (PADDED, "ort-web/webgl"), (FAR, "ort-web/webgpu")]
)
def test_the_error_of_a_real_engine_is_shown_offline(tmp_path, model, target):
    page = opened(page_of(tmp_path, model, target))
    assert page["state"] == "error", page["result"]
    assert page["result"].startswith("Wrong in this browser: largest error ")
    expected, actual = (run_in(t)(model, {"x": X})["y"] for t in ("ort/cpu", target))
    error = np.abs(expected - actual)
    assert page["largest"] == pytest.approx(error.max(), rel=1e-3)
    first = np.argwhere(error > 0.01)[0]
    assert page["rows"][0][0] == f"({', '.join(map(str, first))})"
    assert float(page["rows"][0][1]) == pytest.approx(expected[tuple(first)], rel=1e-4)
    assert page["map"] == [expected.shape[3], expected.shape[2]]
    assert page["requests"] == []
    assert target.split("/")[1] in page["title"]


@pytest.mark.browser
@pytest.mark.parametrize(
    "target",
    ["onnxjs-0.1.3/wasm", "onnxjs-0.1.4/webgl", "onnxjs-0.1.8/cpu", "onnxjs-0.1.8/wasm", "ort-web/wasm",
     "ort-web/webgpu"],
)  # fmt: skip
def test_an_engine_without_the_error_says_so(tmp_path, target):
    page = opened(page_of(tmp_path, SHARED, target))
    assert page["state"] == "good", page["result"]
    assert page["largest"] < 1e-4
    assert page["rows"] == []
    assert page["requests"] == []
    assert page["violations"] == []


@pytest.mark.browser
def test_an_output_that_the_engine_would_lose_is_read_under_its_other_name(tmp_path):
    model = graph(
        [node("Identity", "x", "same"), node("Relu", "same", "r"), node("Neg", "r", "y")],
        {"x": X},
        outputs={"r": X.shape, "y": X.shape},
    )
    page = opened(page_of(tmp_path, model, "onnxjs-0.1.8/cpu", "r", shift=3.0))
    assert page["state"] == "error", page["result"]
    assert page["largest"] == pytest.approx(3.0)


@pytest.mark.browser
@pytest.mark.parametrize(
    ("value", "state", "corner"), [(np.nan, "error", [86, 180, 233]), (0.0, "good", [0, 0, 4])], ids=["NaN", "equal"]
)
def test_nan_and_an_error_of_zero_have_their_colours(tmp_path, value, state, corner):
    model = graph([node("Neg", "x", "y")], {"x": X}, outputs={"y": X.shape})
    shift = np.zeros(X.shape, np.float32)
    shift[0, 1, 0, 0] = value
    page = opened(page_of(tmp_path, model, "onnxjs-0.1.8/cpu", shift=shift))
    assert (page["state"], page["corner"]) == (state, corner)
    assert len(page["rows"]) == (state == "error")


@pytest.mark.browser
def test_what_the_engine_refuses_is_reported(tmp_path):
    model = graph([node("Erf", "x", "y")], {"x": X}, outputs={"y": X.shape}, opset=9)
    page = opened(page_of(tmp_path, model, "onnxjs-0.1.8/cpu"))
    assert page["state"] == "stopped"
    assert "Erf" in page["result"]


def test_an_engine_outside_the_browser_has_no_page(tmp_path):
    with pytest.raises(InputError, match="does not run in a browser"):
        page_of(tmp_path, SHARED, "ort/cpu")


def test_the_page_is_small_and_loads_no_file(tmp_path):
    text = page_of(tmp_path, SHARED, "ort-web/webgpu").read_text(encoding="utf-8")
    assert len(text) < 12e6, "the wasm alone has 27 MB"
    assert "src=" not in text.split("<script", 1)[0]
