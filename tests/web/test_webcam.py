"""The webcam on the site and in the preview, with the camera that Chromium makes up."""

from __future__ import annotations

import pytest

from benchmarks.browsers.site import serving_folder, small_net, write_site
from fns_lab import web
from fns_lab.runtimes import chromium as chromium_module
from fns_lab.runtimes.chromium import Chromium
from tests.web.pages import visit

pytestmark = pytest.mark.browser

MADE_UP_CAMERA = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
PREVIEW = """<!doctype html><link rel="icon" href="data:,"><div id="place"></div><script type="module">
import { imageSources } from "./web/preview/sources.js";
globalThis.sent = [];
const model = { send: (message, callbacks, buffers) => sent.push({ ...message, buffers }) };
globalThis.end = new AbortController();
const place = document.getElementById("place");
place.append(...imageSources(model, end.signal, place));
</script>"""


@pytest.fixture(scope="module")
def chromium():
    plain = chromium_module.flags
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chromium_module, "flags", lambda: [*plain(), *MADE_UP_CAMERA])
        browser = Chromium()
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_site(small_net(), tmp_path_factory.mktemp("site"))


def test_the_site_styles_what_the_camera_sees_until_it_is_stopped(chromium, folder):
    async def look(page):
        await page.until("/ ms in /.test(document.querySelector('#style-status').textContent)")
        still = await page.pixels("#style-before")
        await page.page.click("#style-webcam")
        said = await page.until_says("#style-status", "frames per second")
        live = await page.pixels("#style-before")
        await page.page.click("#style-webcam")
        await page.until("document.querySelector('#style-video').srcObject === null")
        await page.until("document.querySelector('#style-stop').disabled")
        return said, still, live, await page.text("#style-webcam")

    with serving_folder(folder) as url:
        said, still, live, button = visit(url, look, chromium=chromium, permissions=["camera"])
    assert "ms, " in said
    assert len(live) == len(still) and live != still
    assert button == "Webcam"


def test_the_preview_takes_a_photograph_and_lets_go_of_the_camera(chromium, tmp_path):
    (tmp_path / "index.html").write_text(PREVIEW, encoding="utf-8")
    (tmp_path / "web").symlink_to(web.HERE)

    async def look(page):
        button = page.page.get_by_role("button", name="Webcam")
        await button.click()
        await page.page.get_by_role("button", name="Take the photograph").click()
        await page.until("sent.length > 0")
        size = await page.page.evaluate(
            """createImageBitmap(new Blob(sent[0].buffers)).then(({ width, height }) => [width, height])"""
        )
        sent = await page.page.evaluate("sent.map(({ kind, name, part, parts }) => [kind, name, part, parts])")
        return size, sent, await page.page.locator("video").is_hidden(), await button.count()

    with serving_folder(tmp_path) as url:
        size, sent, hidden, buttons = visit(url, look, chromium=chromium, permissions=["camera"])
    assert size == [640, 480]
    assert sent == [["upload", "webcam", 0, 1]]
    assert (hidden, buttons) == (True, 1)


def test_a_camera_that_is_forbidden_is_said_on_the_page(tmp_path):
    (tmp_path / "index.html").write_text(PREVIEW, encoding="utf-8")
    (tmp_path / "web").symlink_to(web.HERE)

    async def look(page):
        await page.page.get_by_role("button", name="Webcam").click()
        await page.until("sent.length > 0")
        return await page.page.evaluate("sent[0]")

    with serving_folder(tmp_path) as url:
        said = visit(url, look)
    assert said["kind"] == "refused" and said["text"].startswith("webcam: ")
