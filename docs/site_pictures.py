"""Take `site_style.jpg` and `site_phone.jpg` beside this file: the web site in Chromium, as on a screen and on a phone.

Run `python docs/site_pictures.py` again when the pages in `fns_lab/web/site/` have changed. Its times are those of the
machine that runs it.
"""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

from PIL import Image

from benchmarks.browsers import visit
from benchmarks.browsers.chromium import Chromium
from benchmarks.browsers.site import serving_folder
from fns_lab.cli import main
from fns_lab.paths import SAVED_MODELS

HERE = Path(__file__).parent
NETWORKS = ("candy_nc32", "candy_nc8", "mosaic_nc8", "waves_nc8")
ENGINES = ("ort-web/wasm", "onnxjs-0.1.8/wasm", "onnxjs-0.1.8/cpu")
SCREEN_PX, PHONE_PX = (1200, 900), 390


def style(browser: Chromium) -> Image.Image:
    """Return the page that styles, with the sample in the largest network, compared with PyTorch."""
    browser.resize(*SCREEN_PX)
    visit.choose(browser, "style-width", "32")
    visit.choose(browser, "style-size", "256x256")
    visit.styled(browser, "ort-web/wasm")
    browser.evaluate("document.getElementById('style-compare').click()")
    visit.until(browser, "/dB|equal/.test(document.getElementById('style-difference').textContent)")
    return picture(browser)


def benchmark(browser: Chromium) -> Image.Image:
    """Return the whole page that times, on a phone, with the results of one network."""
    browser.resize(PHONE_PX, SCREEN_PX[1])
    browser.evaluate("location.hash = 'benchmark'")
    visit.benchmarked(browser, models=["candy_nc8"], engines=ENGINES, sizes=["128x128"], rounds=5)
    browser.resize(PHONE_PX, browser.evaluate("document.documentElement.scrollHeight"))
    return picture(browser)


def picture(browser: Chromium) -> Image.Image:
    """Return what a browser shows."""
    return Image.open(io.BytesIO(browser.screenshot())).convert("RGB")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        main(["site", *(str(SAVED_MODELS / f"{network}.pth") for network in NETWORKS), "-o", name])
        browser = Chromium()
        try:
            with serving_folder(Path(name)) as address:
                visit.opened(browser, address)
                for part, take in (("style", style), ("phone", benchmark)):
                    take(browser).save(HERE / f"site_{part}.jpg", quality=85)
        finally:
            browser.close()
