"""The style preview without a page: what it runs, shows, drops and keeps loaded."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import threading
import time
from functools import partial

import numpy as np
import psutil
import pytest

from fns_lab import images, models, photos, web
from fns_lab.errors import InputError
from fns_lab.runtimes import open_runner
from fns_lab.runtimes.chromium import shared_chromium
from fns_lab.views.widgets import StylePreview, model_store
from fns_lab.views.widgets.choice import described
from fns_lab.views.widgets.pixels import array_of, pixels_of, png_of
from tests.small_network import regular, rewritten

SIZES = ((20, 28), (16, 24), None)
MOST_JAVASCRIPT = 80_000
"""Bytes of JavaScript of the widget, without engines."""


def small_model(**kwargs):
    return regular(n=1, h="h", w="w", **kwargs)


@pytest.fixture
def small():
    model = small_model()
    engines = ["ort/cpu", "onnxjs-0.1.8/wasm"]
    chosen = StylePreview(
        {"a_nc8": model, "b": model}, base_ops={"b": fixed(rewritten())}, sizes=SIZES, engines=engines
    )
    yield chosen
    chosen.close()


def fixed(model):
    """Return the model for one image of the first size."""
    for value in (*model.graph.input, *model.graph.output):
        for dimension, length in zip(value.type.tensor_type.shape.dim, (1, 3, *SIZES[0]), strict=True):
            dimension.dim_value = length
    return model


def shown(pixels):
    return base64.b64encode(png_of(pixels)).decode()


def test_shows_the_output_of_the_engine(small):
    x = photos.load(photos.NAMES[0], size=SIZES[0])
    with open_runner(small_model(), "ort/cpu") as runner:
        (y,) = runner.infer({"input": x}).values()
    assert np.array_equal(small.output, y)
    assert small.after == pixels_of(y)
    assert small.before == pixels_of(x)
    assert re.match(r"ort/cpu: 4 nodes, ran in \d+ ms; the same pixels as the regular model$", small.status)
    assert len(small.history) == 1
    assert (small.failed, small.step) == (False, "")


def test_a_change_of_a_trait_runs_again(small):
    before, image = small.output, small.after
    small.image = photos.NAMES[1]
    assert not np.array_equal(small.output, before)
    assert small.after != image
    small.size = SIZES[1]
    assert small.output.shape == (1, 3, *SIZES[1])
    small.size = None
    assert small.output.shape == photos.load(photos.NAMES[1]).shape
    assert len(small.history) == 4


def test_choose_sets_several_and_runs_once(small):
    assert small.choose(image=photos.NAMES[2], size=SIZES[1], network="b") is small
    assert len(small.history) == 2
    assert tuple(small.history.iloc[-1][["image", "network", "height", "width"]]) == (photos.NAMES[2], "b", *SIZES[1])


@pytest.mark.parametrize("wrong", [{"colour": "red"}, {"size": (1, 2)}, {"engine": "ort/tpu"}, {"where": "moon"}])
def test_choose_refuses_what_is_not_offered(small, wrong):
    with pytest.raises(InputError, match="offered|choose among"):
        small.choose(**wrong)
    assert len(small.history) == 1


def test_a_label_is_shown_as_style_and_width():
    assert described("candy_nc16") == {"label": "candy_nc16", "style": "candy", "width": 16}
    assert described("mine") == {"label": "mine", "style": "mine", "width": None}


def test_other_models_of_a_network(small):
    assert small.models == ["regular", "base ops", "lowered"]
    small.choose(network="b", model="base ops")
    assert small.status.startswith("ort/cpu: 12 nodes")
    assert small.history.psnr_db.iloc[-1] > 80
    small.choose(size=SIZES[1])
    assert "takes 20 x 28 pixels only" in small.status
    small.choose(network="a_nc8")
    assert "no base ops model of a_nc8" in small.status


def test_a_regular_model_is_refused_where_an_op_is_missing():
    one = StylePreview({"a": small_model()}, sizes=SIZES, engines=["onnxjs-0.1.3/cpu"])
    one.choose(model="regular")
    assert re.search(r"not supported: .*InstanceNormalization; choose the model 'lowered'", one.status)
    one.close()


def test_keeps_few_models_loaded(small, monkeypatch):
    monkeypatch.setattr(model_store, "OPEN_RUNNERS", 2)
    for network in ("a_nc8", "b"):
        for size in SIZES[:2]:
            small.choose(network=network, size=size)
    assert len(small._models._runners) == 2


def test_the_error_map_is_made_when_it_is_asked_for(small):
    assert small.error_image == {}
    small.choose(network="b", model="base ops")
    small.show_error = True
    assert array_of(small.error_image).shape == (3, *SIZES[0])
    assert array_of(small.error_image).max() > 200, "the largest error is bright"
    small.show_error = False
    assert small.error_image == {}


def test_a_report_shows_both_images_and_the_choice(small):
    bundle, _ = small._repr_mimebundle_()
    static = bundle["text/html"]
    assert shown(small.before) in static
    assert shown(small.after) in static
    assert "astronaut · a_nc8 · 20 x 28 · lowered · ort/cpu" in static
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert not re.search(r"src='(?!data:)", static)


def test_an_uploaded_image_is_chosen_and_replaces_one_of_its_name(small):
    grey, white = (images.png(np.full((3, 30, 30), value)) for value in (200.0, 255.0))
    small.upload("mine.png", grey)
    assert (small.image, small.images[-1]) == ("mine.png", "mine.png")
    assert small.before == pixels_of(np.full((3, *SIZES[0]), 200.0))
    small.upload("mine.png", white)
    assert small.images.count("mine.png") == 1
    assert small.before == pixels_of(np.full((3, *SIZES[0]), 255.0))


def test_a_file_that_is_no_image_is_refused_and_nothing_stale_stays(small):
    small.upload("notes.txt", b"some text")
    assert small.status == "notes.txt: not an image; give a JPEG or PNG file"
    assert small.failed
    assert (small.before, small.after, small.error_image, small.output, small.image) == ({}, {}, {}, None, "")
    small.image = photos.NAMES[0]
    assert not small.failed
    assert small.after


def test_parts_of_a_file_are_joined(small):
    content = images.png(np.full((3, 30, 30), 9.0))
    for i, part in enumerate((content[:50], content[50:])):
        small._on_message(small, {"kind": "upload", "name": "mine", "part": i, "parts": 2}, [memoryview(part)])
    assert small.image == "mine"


def test_a_file_given_by_its_path_is_offered(tmp_path):
    path = images.save(np.full((3, 30, 30), 200.0), tmp_path / "grey.png")
    one = StylePreview({"a": small_model()}, image_paths={"grey": path}, sizes=SIZES, engines=["ort/cpu"])
    assert one.output.shape == (1, 3, *SIZES[0])
    path.unlink()
    one.choose(size=SIZES[1])
    assert "no such file" in one.status
    assert (one.output, one.after) == (None, {})
    one.close()


def test_needs_something_to_offer():
    with pytest.raises(InputError, match="at least one network"):
        StylePreview({})
    with pytest.raises(InputError, match="ort/tpu"):
        StylePreview({"a": small_model()}, engines=["ort/tpu"])


def test_a_network_is_exported_once_in_a_process_that_ends_with_the_preview(tmp_path):
    path = models.save(small_model(), tmp_path / "a.onnx")
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    one = StylePreview({"a": partial(models.load, path)}, sizes=SIZES, engines=["ort/cpu"])
    path.unlink()
    one.choose(size=SIZES[1])
    assert not one.failed, one.status
    started = [child for child in psutil.Process().children(recursive=True) if child.pid not in before]
    assert len(started) == 1
    one.close()
    psutil.wait_procs(started, timeout=10)
    assert not [child for child in started if child.is_running()]
    assert "fns-lab-preview" not in [thread.name for thread in threading.enumerate()]


# On an event loop, as in a kernel


def slow(seconds):
    """Return a model that takes `seconds` to be exported."""
    return partial(_after, seconds)


def _after(seconds):
    time.sleep(seconds)
    return small_model()


async def ended(preview, limit_s=60):
    """Wait, while the loop runs, until the preview has nothing to do."""
    end = time.monotonic() + limit_s
    while preview.step:
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


def test_the_loop_goes_on_while_a_network_is_exported():
    async def turns():
        one = StylePreview({"a": slow(1)}, sizes=SIZES, engines=["ort/cpu"])
        assert one.output is None
        count, steps = 0, set()
        while one.step:
            count += 1
            steps.add(one.step)
            await asyncio.sleep(0.02)
        one.close()
        return count, steps, one.output

    count, steps, output = asyncio.run(turns())
    assert count > 10
    assert "exporting a" in steps
    assert output is not None


def test_what_is_out_of_date_is_not_shown():
    async def shown_images():
        one = StylePreview({"a": small_model()}, sizes=SIZES, engines=["ort/cpu"])
        await ended(one)
        seen = []
        one.observe(lambda change: seen.append(one.image), names="after")
        for name in photos.NAMES[1:5]:
            one.image = name
        await ended(one)
        one.close()
        return seen, one.history

    seen, history = asyncio.run(shown_images())
    assert seen[-1] == photos.NAMES[4]
    assert history.image.iloc[-1] == photos.NAMES[4]
    assert len(seen) == len(history) - 1 == 1


def test_cancel_ends_an_export_at_once():
    async def cancelled():
        one = StylePreview({"a": slow(60), "b": small_model()}, sizes=SIZES, engines=["ort/cpu"])
        await asyncio.sleep(0.5)
        one._on_message(one, {"kind": "cancel"}, [])
        status = one.status, one.failed, one.step
        one.network = "b"
        await ended(one, 30)
        one.close()
        return status, one.output

    status, output = asyncio.run(cancelled())
    assert status == ("cancelled", True, "")
    assert output is not None


def test_twenty_runs_keep_little_memory(small):
    def memory():
        return psutil.Process(os.getpid()).memory_info().rss / 1e6

    for size in SIZES:
        small.choose(size=size)
    before = memory()
    for i in range(20):
        small.choose(image=photos.NAMES[i % 5], size=SIZES[i % 2])
    assert memory() - before < 30


def test_only_the_latest_preview_keeps_models_loaded():
    """A cell that is run again makes a preview without closing the one before, which still runs when it is asked."""
    made = [StylePreview({"a": small_model()}, sizes=SIZES, engines=["ort/cpu"]) for _ in range(4)]
    made[0].choose(size=SIZES[1])
    for _ in range(100):
        loaded = [len(one._models._runners) for one in made[1:]]
        if loaded[:2] == [0, 0]:
            break
        time.sleep(0.05)
    assert loaded == [0, 0, 2]
    assert made[0].output.shape == (1, 3, *SIZES[1])
    assert not made[0].failed
    for one in made:
        one.close()


def test_the_javascript_is_small():
    assert len(web.module("preview/widget.js").encode()) < MOST_JAVASCRIPT


@pytest.mark.browser
def test_runs_in_a_browser_engine(small):
    expected = small.output
    small.choose(engine="onnxjs-0.1.8/wasm")
    assert small.status.startswith("onnxjs-0.1.8/wasm: ")
    assert np.abs(small.output - expected).max() < 0.5


@pytest.mark.browser
def test_an_interactive_page_needs_no_kernel(small, tmp_path):
    """Two of them in one page: the line moves, and the error map appears when it is asked for."""
    small.choose(network="b", model="base ops")
    (tmp_path / "page.html").write_text(small.page().data + small.page().data, encoding="utf-8")

    async def look():
        context = await (await shared_chromium().browser()).new_context(offline=True)
        page, faults = await context.new_page(), []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda request: faults.append(request.url) if "page.html" not in request.url else None)
        await page.goto((tmp_path / "page.html").as_uri())
        first = page.locator(".fns-preview").first
        await first.get_by_label("before | after").focus()
        await page.keyboard.press("End")
        split = await first.locator(".frame").evaluate("(e) => e.style.getPropertyValue('--split')")
        values = await first.locator("canvas.after").evaluate(
            "(e) => [...e.getContext('2d').getImageData(0, 0, e.width, e.height).data]"
        )
        hidden = await first.locator("canvas.error_image").is_hidden()
        await first.get_by_label("error map").check()
        shown = await first.locator("canvas.error_image").is_visible()
        said = await page.locator(".fns-preview p").all_text_contents()
        await context.close()
        return split, values, hidden, shown, said, faults

    split, values, hidden, shown, said, faults = shared_chromium().run(look())
    assert (split, hidden, shown, faults) == ("100%", True, True, [])
    pixels = np.array(values).reshape(*SIZES[0], 4)[..., :3].transpose(2, 0, 1)
    assert np.array_equal(pixels, array_of(small.after))
    assert len(said) == 2 and "b · 20 x 28 · base ops · ort/cpu" in said[0]
