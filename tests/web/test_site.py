"""The web site in a real Chromium: it styles as PyTorch does, measures, explains errors, and asks no other address."""

from __future__ import annotations

import asyncio
import json

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from PIL import ExifTags, Image

from benchmarks import site_bytes
from benchmarks.browsers.site import SIZE as SMALL
from benchmarks.browsers.site import serving_folder, styled_by_torch
from benchmarks.browsers.site import small_net as make_small_net
from fns_lab import models
from fns_lab.export import onnx_from_torch
from fns_lab.nets import checkpoints
from fns_lab.paths import SAVED_MODELS
from fns_lab.runtimes.chromium import shared_chromium
from fns_lab.views.site.catalog import TARGETS
from tests.runtimes.graphs import graph, image, node
from tests.web.pages import visit

pytestmark = pytest.mark.browser

NETWORK = SAVED_MODELS / "mosaic_nc8.pth"
FIRST_TRANSFER = 2_000_000
"""Bytes that the first image may need besides the engine."""
STYLED = r"/\d+ ms in|stopped/.test(document.querySelector('#style-status').textContent)"
WORST_PIXEL = 1
"""Of 255: what rounding to bytes may make of float32's own rounding."""


@pytest.fixture(scope="module", autouse=True)
def fresh_browser():
    """Start a browser anew: in one that ran other pages before, an engine of these did not answer."""
    shared_chromium().close()


@pytest.fixture(scope="module")
def net():
    return checkpoints.load(NETWORK)


@pytest.fixture(scope="module")
def small_net():
    return make_small_net()


@pytest.fixture(scope="module")
def small_file(small_net, tmp_path_factory):
    return models.save(onnx_from_torch(small_net, SMALL), tmp_path_factory.mktemp("model") / "small.onnx")


@pytest.fixture(scope="module")
def folder(small_file, tmp_path_factory):
    from fns_lab.cli import main

    path = tmp_path_factory.mktemp("site")
    assert main(["site", str(NETWORK), str(small_file), "-o", str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def address(folder):
    with serving_folder(folder) as url:
        yield url


async def first_image(page):
    await page.until(STYLED)
    assert " ms in " in await page.text("#style-status")


async def shown(page, size):
    pixels = np.array(await page.pixels("#style-after")).reshape(*size, 4)
    assert (pixels[..., 3] == 255).all()
    return pixels[..., :3]


async def styled_in(page, target):
    """The pixels of the small network in another engine."""
    await page.page.select_option("#style-engine", target)
    backend = target.split("/")[1]
    await page.until(f"/ms in .* {backend},|stopped/.test(document.querySelector('#style-status').textContent)")
    assert " ms in " in await page.text("#style-status")
    return await shown(page, SMALL)


def test_the_first_image_is_that_of_pytorch_and_needs_little(address, folder, net):
    async def look(page):
        await first_image(page)
        names = [url.removeprefix(address) or "index.html" for url in page.requested if url.startswith(address)]
        return await shown(page, (128, 128)), names

    actual, names = visit(address, look, service_workers="block")
    assert np.abs(actual - styled_by_torch(net, (128, 128))).max() <= WORST_PIXEL
    own = sum((folder / name).stat().st_size for name in set(names) if not name.startswith("engines/"))
    assert 100_000 < own < FIRST_TRANSFER


def test_the_page_about_the_site_gives_its_bytes(folder):
    lines = site_bytes.PAGE.read_text(encoding="utf-8").splitlines()
    rows = site_bytes.parts(folder, ["index.html"], NETWORK.stem)
    stable = [row for row in rows if not row["part"].startswith("what ")]  # else they depend on the other models
    assert len(stable) == 6
    for row in stable:
        (line,) = (line for line in lines if line.startswith(f"| {row['part']} |"))
        kilobytes = float(line.split("|")[3].replace(",", ""))
        assert kilobytes == pytest.approx(row["bytes"] / 1000, rel=0.1, abs=1), line


def test_every_engine_styles_as_pytorch(address, small_net):
    async def look(page):
        await first_image(page)
        await page.page.select_option("#style-style", "small")
        await page.until(f"document.querySelector('#style-after').width === {SMALL[1]}")
        styled = {}
        for target in TARGETS:
            pixels = await styled_in(page, target)
            await page.page.click("#style-compare")
            styled[target] = pixels, await page.until_says("#style-difference", "at most")
        return styled

    styled = visit(address, look, service_workers="block")
    expected = styled_by_torch(small_net, SMALL)
    assert expected.std() > 10, "an image, not a plain colour"
    for target, (actual, difference) in styled.items():
        assert np.abs(actual - expected).max() <= WORST_PIXEL, target
        assert "ONNX Runtime: at most 0.00" in difference, target


def test_a_benchmark_is_measured_saved_and_linked(address):
    async def look(page):
        await page.page.select_option("#benchmark-models", "mosaic_nc8")
        await page.page.select_option("#benchmark-engines", ["ort-web/wasm", "onnxjs-0.1.8/wasm"])
        await page.page.fill("#benchmark-rounds", "2")
        await page.page.click("#benchmark-run")
        await page.until_says("#benchmark-status", "Done")
        async with page.page.expect_download() as download:
            await page.page.click("#benchmark-json")
        results = json.loads(await asyncio.to_thread((await (await download.value).path()).read_text))
        link = await page.page.evaluate(
            """async (results) => "#benchmark=" + await (await import("/web/site/results.js")).fragmentOf(results)""",
            results,
        )
        await page.page.evaluate("(link) => { location.hash = link }", link)
        await page.until_says("#benchmark-status", "from the link")
        return results, link, await page.page.locator("#benchmark-table tbody tr").count()

    results, link, rows_shown = visit(address + "#benchmark", look)
    rows = results["rows"]
    assert {(row["file"], row["target"]) for row in rows} == {
        ("regular", "ort-web/wasm"), ("base ops", "ort-web/wasm"),
        ("lowered", "onnxjs-0.1.8/wasm"), ("base ops", "onnxjs-0.1.8/wasm"),
    } | {(row["file"], row["target"]) for row in rows if row["file"] == "regular"}  # fmt: skip
    for row in rows:
        assert "fault" not in row
        assert row["size"] == "128x128" and row["runs"] == 2
        assert 0 < row["ms_p10"] <= row["ms_median"] <= row["ms_p90"]
        assert row["ms_load"] > 0 and row["ms_first"] > 0
        assert 0 < row["max_abs"] < 0.05
    assert results["device"]["cores"] > 0 and "Chromium" in results["device"]["browser"]
    assert rows_shown == len(rows)
    assert len(link) < 4000


def test_settings_of_a_benchmark_are_in_the_address(address):
    async def look(page):
        await page.until_says("#benchmark-status", "Done")
        await page.page.fill("#benchmark-rounds", "3")
        await page.page.locator("#benchmark-rounds").blur()
        return page.page.url, await page.page.locator("#benchmark-table tbody tr").count()

    choice = "networks=small&engines=ort-web/wasm,onnxjs-0.1.8/cpu&sizes=32x32&rounds="
    url, rows = visit(f"{address}#benchmark?{choice}1&run", look)
    assert rows >= 4
    assert url == f"{address}#benchmark?{choice}3"


async def read_model(page, path):
    await page.page.set_input_files("#model-file", path)
    await page.until_says("#model-status", f"{path.name} is read")


async def run_model(page):
    """Run the model that is read in every engine; return the rows of the table."""
    await page.page.click("#model-run")
    await page.until_says("#model-status", "done")
    return await page.page.locator("#model-table tbody tr").all_inner_texts()


def test_a_model_of_the_reader_runs_everywhere_or_says_what_is_missing(address, tmp_path):
    x = image(1, 3, 6, 8)
    path = models.save(
        graph([node("Relu", "x", "r"), node("Erf", "r", "y")], {"x": x}, outputs={"y": x.shape}, opset=9),
        tmp_path / "erf.onnx",
    )

    async def look(page):
        await read_model(page, path)
        facts = await page.text("#model-facts")
        rows = await run_model(page)
        return facts, {row.split("\t")[0]: row for row in rows}

    facts, rows = visit(address + "#your-model", look)
    assert "2 nodes, opset 9, IR version 3; ops: Erf, Relu" in facts
    assert set(rows) == set(TARGETS)
    assert "runs" in rows["ort-web/wasm"] and "runs" in rows["ort-web/webgpu"]
    assert "wrong" not in rows["ort-web/webgpu"]
    lacking = "It has no Erf.\nfns-lab lower erf.onnx --target onnxjs-0.1.8/cpu -o lowered.onnx"
    assert lacking in rows["onnxjs-0.1.8/cpu"]


def test_inputs_of_a_model_come_from_files_and_fields(address, tmp_path):
    x, rate = image(2, 3), np.array(0, np.int64)
    nodes = [node("Cast", "rate", "float", to=1), node("Add", "x float", "s"), node("Sub", "s wanted", "y")]
    feeds = {"x": x, "rate": rate, "wanted": image(2, 3)}
    path = models.save(graph(nodes, feeds, outputs={"y": x.shape}), tmp_path / "rate.onnx")
    np.save(tmp_path / "input_0.npy", x)
    np.save(tmp_path / "wanted.npy", x + np.float32(16000))
    expected = tmp_path / "y.npy"
    np.save(expected, np.zeros_like(x))

    async def look(page):
        await read_model(page, path)
        await page.page.set_input_files("#model-data", [tmp_path / "input_0.npy", tmp_path / "wanted.npy"])
        assert await page.page.input_value("#model-input-1") == ""
        said = []
        for value in ("16000", "1.5"):
            await page.page.fill("#model-value-1", value)
            await page.page.click("#model-run")
            await page.until("!document.querySelector('#model-run').disabled")
            said.append(await page.text("#model-status"))
        return said, await page.page.locator("#model-table tbody tr").all_inner_texts()

    (done, refused), rows = visit(address + "#your-model", look)
    assert "done" in done and refused == "'1.5' is no int64"
    assert "runs" in rows[0]
    assert all(row.endswith("\t0") for row in rows[1:3]), rows


def test_each_op_of_a_model_is_timed(address, small_file):
    async def look(page):
        await read_model(page, small_file)
        await page.page.click("#model-profile")
        await page.until_says("#model-status", "done")
        rows = await page.page.locator("#model-profile-table tbody tr").all_inner_texts()
        return [row.split("\t") for row in rows]

    rows = visit(address + "#your-model", look)
    counts = {op: int(count) for op, count, *_ in rows}
    assert counts["Conv"] == 16 and counts["InstanceNormalization"] == 15
    times = [float(ms) for _, _, ms, *_ in rows]
    assert times == sorted(times, reverse=True) and times[0] > 0
    assert 97 <= sum(int(share.split()[0]) for *_, share, _ in rows) <= 103
    assert all(" ms" in slowest for *_, slowest in rows)


def test_an_engine_whose_files_do_not_arrive_says_so(address):
    async def without_module(page):
        """The page itself reads the module first, then each engine's worker."""
        asked = []

        async def answer(route):
            asked.append(route.request.url)
            await (route.continue_() if len(asked) == 1 else route.abort())

        await page.until_says("#style-status", " ms in ")  # no worker of the first visit asks any more
        await page.page.route("**/engines/worker.js", answer)
        await page.page.reload()
        said = await page.until_says("#style-status", "stopped")
        page.complaints.clear()  # of the file that is missing
        return said, len(asked)

    said, asked = visit(address, without_module, service_workers="block")
    assert "worker.js" in said
    assert asked > 1


def test_free_sizes_are_asked_for_and_written_into_the_model(address, tmp_path):
    x = image(1, 3, 6, 8)
    model = graph([node("Relu", "x", "y")], {"x": x}, outputs={"y": x.shape})
    for value in (*model.graph.input, *model.graph.output):
        for axis in (2, 3):
            value.type.tensor_type.shape.dim[axis].dim_param = "side"
    path = models.save(model, tmp_path / "free.onnx")

    async def look(page):
        await read_model(page, path)
        assert await page.page.input_value("#model-input-0") == "1x3x128x128"
        await page.page.fill("#model-input-0", "1x3x20x30")
        return await run_model(page)

    rows = visit(address + "#your-model", look)
    assert len(rows) == len(TARGETS)
    assert all("runs" in row for row in rows)


def test_a_batch_is_one_along_every_axis_that_has_its_name(address, tmp_path):
    x, state = image(1, 5), image(2, 1, 4)
    model = graph([node("Relu", "x", "y"), node("Relu", "state", "z")], {"x": x, "state": state},
                  outputs={"y": x.shape, "z": state.shape})  # fmt: skip
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    model.graph.input[1].type.tensor_type.shape.dim[1].dim_param = "batch"
    path = models.save(model, tmp_path / "state.onnx")

    async def look(page):
        await read_model(page, path)
        return [await page.page.input_value(f"#model-input-{i}") for i in range(2)]

    assert visit(address + "#your-model", look) == ["1x5", "2x1x4"]


def test_inputs_of_other_types_are_filled(address, tmp_path):
    paths = {kind: tmp_path / f"{kind}.onnx" for kind in ("float16", "int64", "bool")}
    for kind, path in paths.items():
        x = np.ones((1, 3, 4, 5), kind)
        onnx_type = helper.np_dtype_to_tensor_dtype(x.dtype)
        model = graph([node("Reshape", "x shape", "y")], {"x": x}, {"shape": np.array([3, 20])}, outputs={"y": (3, 20)},
                      output_type=onnx_type)  # fmt: skip
        models.save(model, path)

    async def look(page):
        rows = {}
        for kind, path in paths.items():
            await read_model(page, path)
            rows[kind] = (await run_model(page))[0]
        return rows

    for kind, row in visit(address + "#your-model", look).items():
        assert "runs" in row, kind


def test_a_model_runs_at_another_size_than_it_declares(address, tmp_path):
    x = image(2, 3, 6, 8)
    path = models.save(graph([node("Relu", "x", "y")], {"x": x}, outputs={"y": x.shape}), tmp_path / "fixed.onnx")

    async def look(page):
        await read_model(page, path)
        await page.page.fill("#model-input-0", "1x3x10x12")
        return await run_model(page)

    rows = visit(address + "#your-model", look)
    assert len(rows) == len(TARGETS)
    assert all("runs" in row and "wrong" not in row for row in rows), rows


async def compared(page, path, target):
    await page.page.set_input_files("#wrong-file", path)
    await page.page.select_option("#wrong-engine", target)
    await page.page.click("#wrong-run")
    await page.until("!document.querySelector('#wrong-run').disabled")
    return await page.text("#wrong-status")


def test_the_first_wrong_value_is_found(address, tmp_path):
    """ONNX Runtime Web's webgpu takes the variance as the mean of squares less the square of the mean."""
    x = image(1, 3, 6, 10)
    weights = {"far": np.full(1, 30000, np.float32), "scale": np.ones(3, np.float32), "bias": np.zeros(3, np.float32)}
    nodes = [
        node("Add", "x far", "moved"),
        node("InstanceNormalization", "moved scale bias", "norm"),
        node("Relu", "norm", "y"),
    ]
    path = models.save(graph(nodes, {"x": x}, weights, outputs={"y": x.shape}), tmp_path / "far.onnx")

    async def look(page):
        wrong = await compared(page, path, "ort-web/webgpu")
        return wrong, await page.text("#wrong-name"), await compared(page, path, "onnxjs-0.1.8/cpu")

    wrong, name, right = visit(address + "#why-wrong", look)
    assert "The first wrong value is norm, after InstanceNormalization" in wrong
    assert name == "norm"
    assert "No value is wrong: 3 compared" in right


def test_outputs_are_compared_with_those_that_the_reader_expects(address, tmp_path):
    x = image(1, 3, 6, 8)
    nodes = [node("Relu", "x", "r"), node("Neg", "r", "y")]
    path = models.save(graph(nodes, {"x": x}, outputs={"y": x.shape}), tmp_path / "neg.onnx")
    np.save(tmp_path / "input_0.npy", x)
    files = [tmp_path / "input_0.npy", tmp_path / "output_0.pb"]

    async def look(page):
        said = []
        for shift in (0, 1):
            files[1].write_bytes(numpy_helper.from_array(-np.maximum(x, 0) + np.float32(shift)).SerializeToString())
            await page.page.set_input_files("#wrong-data", files)
            said.append(await compared(page, path, "onnxjs-0.1.8/cpu"))
        return said

    right, wrong = visit(address + "#why-wrong", look)
    assert "No value is wrong: 2 compared" in right
    assert "The first wrong value is y, after Neg: error 1 of" in wrong


def test_a_shared_value_that_an_engine_spoils_is_found(address, tmp_path):
    """ONNX.js 0.1.8 webgl spoils a value that is both reshaped and read elsewhere."""
    x = image(2, 3, 6, 10)
    nodes = [
        node("Reshape", "x shape", "flat"),
        node("ReduceMean", "flat", "mean", axes=[3]),
        node("Sub", "x mean", "y"),
    ]
    model = graph(nodes, {"x": x}, {"shape": np.array([2, 3, 1, 60])}, outputs={"y": x.shape})
    path = models.save(model, tmp_path / "shared.onnx")
    said = visit(address + "#why-wrong", lambda page: compared(page, path, "onnxjs-0.1.8/webgl"))
    assert "The first wrong value is y, after Sub" in said


def test_a_benchmark_stops(address):
    async def look(page):
        await page.page.fill("#benchmark-rounds", "100")
        await page.page.click("#benchmark-run")
        await page.until("document.querySelector('#benchmark-progress').value > 0")
        await page.page.click("#benchmark-stop")
        said = await page.until_says("#benchmark-status", "Stopped")
        return said, await page.page.is_enabled("#benchmark-run")

    said, ready = visit(address + "#benchmark", look)
    assert "What was measured until then is below" in said
    assert ready


IMAGES = {
    "broken.png": b"\x89PNG no more",
    "empty.jpg": b"",
    "drawing.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
}


def test_broken_images_are_named_and_the_next_one_is_taken(address, tmp_path):
    for name, data in IMAGES.items():
        (tmp_path / name).write_bytes(data)
    Image.new("RGB", (20000, 200), "red").save(tmp_path / "wide.png")
    frames = [Image.new("RGB", (60, 40), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])

    async def look(page):
        await first_image(page)
        said = {}
        for name in IMAGES:
            await page.page.set_input_files("#style-file", tmp_path / name)
            said[name] = await page.until_says("#style-status", name)
            assert await page.page.evaluate("document.querySelector('#style-after').width") == 0, "nothing stale stays"
        await page.page.select_option("#style-size", "own")
        for name, size in (("wide.png", [1024, 16]), ("moving.gif", [60, 40])):
            await page.page.set_input_files("#style-file", tmp_path / name)
            await page.until(f"document.querySelector('#style-after').width === {size[0]}")
            said[name] = await page.page.evaluate("document.querySelector('#style-after').height") == size[1]
        return said

    said = visit(address, look)
    assert all(f"'{name}' is no image" in said[name] for name in IMAGES)
    assert said["wide.png"] and said["moving.gif"]


def test_models_that_the_page_cannot_read_are_named(address, tmp_path):
    x = image(1, 3, 6, 8)
    model = graph([node("Add", "x w", "y")], {"x": x}, {"w": x}, outputs={"y": x.shape})
    onnx.save(model, tmp_path / "outside.onnx", save_as_external_data=True, location="outside.bin", size_threshold=0)
    whole = models.save(graph([node("Relu", "x", "y")], {"x": x}, outputs={"y": x.shape}), tmp_path / "whole.onnx")
    (tmp_path / "bytes.onnx").write_bytes(bytes(range(200)))
    (tmp_path / "empty.onnx").write_bytes(b"")
    (tmp_path / "text.onnx").write_text("a note, not a model\n" * 20)
    (tmp_path / "cut.onnx").write_bytes(whole.read_bytes()[:40])
    names = ("bytes", "empty", "text", "cut", "outside")

    async def look(page):
        said = {}
        for name in names:
            await page.page.set_input_files("#model-file", tmp_path / f"{name}.onnx")
            said[name] = await page.until_says("#model-status", f"'{name}.onnx'")
            assert not await page.page.is_enabled("#model-run")
        await page.page.set_input_files("#model-file", whole)
        await page.until_says("#model-status", "is read")
        return said, await page.page.is_enabled("#model-run")

    said, ready = visit(address + "#your-model", look)
    assert ready
    assert said["empty"] == "'empty.onnx' is empty"
    assert all("not an ONNX file" in said[name] for name in ("bytes", "text", "cut"))
    assert "its weights are in outside.bin, which this page cannot open" in said["outside"]


def test_a_file_that_is_dropped_beside_leaves_the_page_open(address):
    async def look(page):
        await first_image(page)
        dropped = """(selector) => {
          const event = new DragEvent("drop", { bubbles: true, cancelable: true });
          document.querySelector(selector).dispatchEvent(event);
          return event.defaultPrevented;
        }"""
        return [await page.page.evaluate(dropped, selector) for selector in ("main", "#wrong-file")]

    assert visit(address, look) == [True, False]


def test_a_photograph_is_upright_and_runs_at_its_own_size(address, tmp_path):
    """Orientation 6: the camera was turned, so what is stored left is shown on top."""
    stored = Image.new("RGB", (60, 40), "red")
    stored.paste("blue", (30, 0, 60, 40))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    stored.save(tmp_path / "turned.png", exif=exif)

    async def look(page):
        await first_image(page)
        await page.page.select_option("#style-size", "own")
        await page.page.set_input_files("#style-file", tmp_path / "turned.png")
        await page.until("document.querySelector('#style-after').width === 40")
        return await page.pixels("#style-before")

    pixels = np.array(visit(address, look)).reshape(60, 40, 4)
    assert pixels[5, 20].tolist() == [255, 0, 0, 255]
    assert pixels[55, 20].tolist() == [0, 0, 255, 255]


def test_an_image_is_pasted_and_dropped(address):
    given = """async ([way, width]) => {
      const canvas = new OffscreenCanvas(width, 30);
      canvas.getContext("2d").fillStyle = "lime";
      canvas.getContext("2d").fillRect(0, 0, width, 30);
      const data = new DataTransfer();
      data.items.add(new File([await canvas.convertToBlob()], "lime.png", { type: "image/png" }));
      const event = way === "paste" ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true })
        : new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
      document.querySelector(way === "paste" ? "main" : "#style-drop").dispatchEvent(event);
    }"""

    async def look(page):
        await first_image(page)
        await page.page.select_option("#style-size", "own")
        pixels = {}
        for way, width in (("paste", 40), ("drop", 44)):
            await page.page.evaluate(given, [way, width])
            await page.until(f"document.querySelector('#style-after').width === {width}")
            pixels[way] = np.array(await page.pixels("#style-before")).reshape(-1, width, 4)
        return pixels

    for way, pixels in visit(address, look).items():
        assert (pixels == [0, 255, 0, 255]).all(), way


def test_the_keyboard_is_enough(address):
    async def look(page):
        async def tab_to(name):
            for _ in range(40):
                await page.page.keyboard.press("Tab")
                if await page.page.evaluate("document.activeElement.id || document.activeElement.textContent") == name:
                    return
            raise AssertionError(f"Tab does not reach {name}")

        await first_image(page)
        await tab_to("style-size")
        await page.page.keyboard.press("ArrowDown")
        await page.until("document.querySelector('#style-after').width === 256")
        await tab_to("style-slide")
        await page.page.keyboard.press("Home")
        at = await page.page.evaluate("document.querySelector('#style-view').style.getPropertyValue('--at')")
        await page.page.keyboard.press("Shift+Tab")
        await page.page.evaluate("document.activeElement.blur()")
        await page.page.reload()
        await first_image(page)
        await tab_to("Benchmark")
        await page.page.keyboard.press("Enter")
        await page.until("!document.querySelector('#page-benchmark').hidden")
        return at, await page.page.is_visible("#benchmark-run"), await page.page.is_visible("#style-run")

    assert visit(address, look) == ("0%", True, False)


def test_it_opens_without_a_network_after_the_first_visit(address):
    async def look(page):
        await first_image(page)
        await page.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        await page.until("navigator.serviceWorker.controller !== null")
        await page.page.context.set_offline(True)
        await page.page.reload()
        await first_image(page)
        return await page.page.evaluate("crossOriginIsolated")

    assert visit(address, look) is True


@pytest.mark.slow
def test_one_file_opens_from_a_disk_and_runs_every_engine(small_file, small_net, tmp_path):
    from fns_lab.cli import main

    assert main(["site", str(small_file), "--single-file", "-o", str(tmp_path)]) == 0

    async def look(page):
        await first_image(page)
        return {target: await styled_in(page, target) for target in TARGETS}

    expected = styled_by_torch(small_net, SMALL)
    for target, actual in visit((tmp_path / "index.html").as_uri(), look).items():
        assert np.abs(actual - expected).max() <= WORST_PIXEL, target
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]
