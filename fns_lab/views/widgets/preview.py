"""A widget that runs a chosen network on a chosen image, at a chosen size, in a chosen engine."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fns_lab import photos, targets
from fns_lab.compare.metrics import measure_image
from fns_lab.errors import InputError, MissingError, RuntimeFault, one_line
from fns_lab.views.widgets.browser_engines import BROWSER_ENGINES, Browser, BrowserRun, installed
from fns_lab.views.widgets.choice import BROWSER, CHOICES, Choice, Network, Result, checked, described
from fns_lab.views.widgets.error_image import error_pixels
from fns_lab.views.widgets.image_store import ImageStore
from fns_lab.views.widgets.model_store import ModelStore
from fns_lab.views.widgets.pixels import Pixels
from fns_lab.views.widgets.state import PreviewState
from fns_lab.views.widgets.still import interactive, still
from fns_lab.views.widgets.worker import Cancelled, Job, Worker, running_loop

if TYPE_CHECKING:
    from IPython.display import HTML

ENGINES = ("ort/cpu", "onnxjs-0.1.8/wasm", "onnxjs-0.1.8/webgl", "ort-web/wasm")
"""Engines that are offered unless said otherwise."""
SIZES = ((96, 144), (128, 192), (192, 288), None)
"""Sizes that are offered unless said otherwise: height and width in pixels; None: the image's own."""

COLUMNS = (
    "image", "network", "model", "where", "engine", "height", "width", "nodes", "create_ms", "ms", "psnr_db",
)  # fmt: skip
"""Columns of `StylePreview.history`."""
FIRST_RUN_S = 120.0
"""Seconds that a cell which shows a preview waits for its image, at most."""


class StylePreview(PreviewState):
    """Controls above two images, one over the other: the chosen image, and the output of the chosen engine.

    - `networks`: models by label, each from one input `(1, 3, H, W)` to one output, RGB, 0..255, with H and W free; or
      functions that return one. A label such as `candy_nc16` is shown as a style and a width
    - `base_ops`, `tuned`: other models of the networks, by label, and by label and engine
    - `image_paths`: image files by label; None: the photographs of `fns_lab.photos`
    - `sizes`: `(H, W)` in pixels, to which an image is scaled and cut; None is the image's own size
    - `engines`: names of targets whose engines run in the kernel, or in a browser without a window
    - `browser_engines`: names of targets whose engines run in the reader's own browser, where they are installed

    A model is exported, lowered and loaded when it is first chosen. Each change of a trait in `CHOICES` starts a run
    in a thread, and a run that is out of date is dropped. `output` is the latest output `(1, 3, H, W)`, RGB, 0..255,
    None after a failure; `history` is a table of all runs; `status` says what ran, or why it failed. Without a running
    event loop, a change waits for its run. Raises `InputError` without a network, size or engine.
    """

    _latest: Callable[[], StylePreview | None] = staticmethod(lambda: None)
    """Returns the preview that was made last, as long as it is there."""

    def __init__(
        self,
        networks: Mapping[str, Network],
        *,
        base_ops: Mapping[str, Network] | None = None,
        tuned: Mapping[tuple[str, str], Network] | None = None,
        image_paths: Mapping[str, str | os.PathLike[str]] | None = None,
        sizes: Sequence[tuple[int, int] | None] = SIZES,
        engines: Sequence[str] = ENGINES,
        browser_engines: Sequence[str] = BROWSER_ENGINES,
    ) -> None:
        if not (networks and sizes and engines):
            raise InputError("a preview needs at least one network, one size and one engine")
        for name in engines:
            targets.load(name)
        self._images = ImageStore(image_paths or {name: photos.path(name) for name in photos.NAMES})
        self._models = ModelStore(networks, base_ops or {}, tuned or {})
        self._worker = Worker(self._show_step)
        self._parts: list[bytes] = []
        """What has arrived of a file that is uploaded."""
        self._rows: list[dict[str, object]] = []
        self._browser = Browser(self.send, self._show_from_browser, self._show_fault)
        self._started: Choice | None = None
        self._compared: tuple[np.ndarray, np.ndarray] | None = None
        """The regular model's output and the latest one."""
        self.output: np.ndarray | None = None
        super().__init__(
            images=self._images.labels,
            networks=[described(name) for name in networks],
            sizes=list(sizes),
            models=self._models.kinds,
            engines=list(engines),
            browser_engines=installed(browser_engines),
            image=self._images.labels[0],
            network=next(iter(networks)),
            size=sizes[0],
            engine=engines[0],
        )
        self.observe(self._on_choice, names=list(CHOICES))
        self.observe(self._on_show_error, names="show_error")
        self.on_msg(self._on_message)
        if earlier := StylePreview._latest():
            earlier._worker.later(earlier._models.unload)  # a notebook that runs a cell again closes nothing
        StylePreview._latest = weakref.ref(self)
        self._start()

    @property
    def history(self) -> pd.DataFrame:
        """A table of all runs so far that did not fail, in order.

        - `image`, `network`, `model`, `where`, `engine`: what was chosen
        - `height`, `width`: size of the image, in pixels
        - `nodes`: number of nodes of the model
        - `create_ms`: time to load the model into the engine, in ms
        - `ms`: time of the run inside the engine, in ms
        - `psnr_db`: PSNR against the regular model in ONNX Runtime, in dB
        """
        return pd.DataFrame(self._rows, columns=list(COLUMNS))

    def choose(self, **values: object) -> StylePreview:
        """Set any of the traits in `CHOICES`, run once, wait for the end and return the widget.

        Raises `InputError` for another name or a value that is not offered.
        """
        checked(values, self.offered())
        self.unobserve(self._on_choice, names=list(CHOICES))
        try:
            self.update(**values)
        finally:
            self.observe(self._on_choice, names=list(CHOICES))
        self._start()
        return self.wait()

    def wait(self, timeout_s: float | None = None) -> StylePreview:
        """Wait for the end of the latest run, at most `timeout_s` seconds, and return the widget."""
        try:
            self._worker.wait(timeout_s)
        except KeyboardInterrupt:
            self.cancel()
            raise
        return self

    def cancel(self) -> None:
        """End the latest run, if it has not ended; its image is not shown."""
        self._browser.stop()
        if self.step and self._worker.job:
            self._worker.job.cancel(at_once=True)
            self._started = None
            self._show_fault("cancelled")

    def upload(self, name: str, content: bytes) -> StylePreview:
        """Offer the content of an image file under its name, and choose it; show why, if it is no image."""
        self.update(step=f"reading {name}", progress=0.0)

        def work(job: Job) -> None:
            try:
                self._images.add(name, content)
            except InputError as error:
                job.post(partial(self._show_no_image, str(error)))
            else:
                job.post(lambda: self._choose_upload(name))

        self._start_job(work)
        if running_loop() is None:
            self.wait().wait()
        return self

    def close(self) -> None:
        """End what runs, close the loaded models, then the widget."""
        if hasattr(self, "_models"):  # else it was refused
            self._worker.close()
            self._models.close()
        super().close()

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, object], dict[str, object]] | None:
        """Return the widget, and as HTML the images and choices that it shows now, for a report."""
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        self.wait(FIRST_RUN_S)
        figures = {"before": self.before, "after": self.after}
        if self.show_error:
            figures["error, on a log scale"] = self.error_image
        return bundle[0] | {"text/html": still(figures, self.choice, self.status)}, bundle[1]

    def page(self) -> HTML:
        """Return what it shows now as HTML that needs no kernel, with the line, the zoom and the error map."""
        from IPython.display import HTML

        self.wait(FIRST_RUN_S)
        error = error_pixels(*self._compared) if self._compared else {}
        return HTML(interactive(self.before, self.after, error, self.choice, self.status))

    # What the controls ask for

    def _on_choice(self, change: object) -> None:
        if self.choice != self._started and self.image:
            self._start()

    def _on_message(self, widget: object, message: dict[str, Any], buffers: list[memoryview]) -> None:
        answers = {
            "cancel": lambda: self.cancel(),
            "run": lambda: self._start(),
            "refused": lambda: self._show_no_image(message["text"]),
            "upload": lambda: self._receive(message["name"], message["part"], message["parts"], bytes(buffers[0])),
            "hello": lambda: self._browser.send_task(),
            "need": lambda: self._browser.send_what_is_needed(message),
            "output": lambda: self._browser.receive_output(message, bytes(buffers[0])),
            "fault": lambda: self._browser.receive_fault(message),
        }
        answers[message["kind"]]()

    def _receive(self, name: str, part: int, parts: int, content: bytes) -> None:
        """Take one part of an uploaded file; the last one completes it."""
        self._parts = [*(self._parts if part else []), content]
        if part == parts - 1:
            self.upload(name, b"".join(self._parts))
            self._parts = []

    def _choose_upload(self, name: str) -> None:
        self._started = None  # it may replace the image that is shown, under the same name
        self.update(images=self._images.labels, image=name)
        if self._started is None:
            self._start()

    def _on_show_error(self, change: object) -> None:
        self.error_image = error_pixels(*self._compared) if self.show_error and self._compared else {}

    # A run

    def _start(self) -> None:
        """Start a run of what is chosen; without an event loop, wait for it."""
        choice = self._started = self.choice
        self._browser.drop()
        self.update(step=f"running in {choice.engine}", progress=0.0)
        self._start_job(lambda job: self._run(choice, job))
        if running_loop() is None:
            self.wait()

    def _start_job(self, work: Callable[[Job], None]) -> None:
        """Start work in the worker's thread, where what it raises is shown: it has no cell."""

        def guarded(job: Job) -> None:
            try:
                work(job)
            except Cancelled:
                raise
            except (InputError, MissingError, RuntimeFault) as error:
                job.post(partial(self._show_fault, str(error)))
            except Exception as error:
                job.post(partial(self._show_fault, f"{type(error).__name__}: {one_line(error)}"))

        self._worker.start(guarded)

    def _run(self, choice: Choice, job: Job) -> None:
        """In the worker's thread: run a choice and compare its image, or ask the browser to run it."""
        x, before = self._images.load(choice.image, choice.size)
        if choice.where == BROWSER:
            ready = self._models.ready(choice, x.shape, job)
            job.post(partial(self._ask_browser, BrowserRun(choice, x, before, ready)))
            return
        result = self._models.run(choice, x, job)
        job.post(lambda: self._show(result, before))
        self._compare(result, x, job)

    def _ask_browser(self, run: BrowserRun) -> None:
        self.update(step=f"running in {run.choice.engine}, in this browser", progress=0.0, task=run.number)
        self._browser.ask(run)

    def _show_from_browser(self, result: Result, run: BrowserRun) -> None:
        self._show(result, run.before)
        self._start_job(lambda job: self._compare(result, run.x, job))

    def _compare(self, result: Result, x: np.ndarray, job: Job) -> None:
        """In the worker's thread: show the PSNR of a result, which is shown already, against the regular model."""
        job.quiet = True
        reference = self._models.reference(result.choice.network, x, job)
        psnr_db = measure_image(reference, result.output).psnr_db
        image = error_pixels(reference, result.output) if self.show_error else {}
        job.post(lambda: self._show_comparison(reference, result, psnr_db, image))

    # What is shown

    def _show(self, result: Result, before: Pixels) -> None:
        self.output, self._compared = result.output, None
        self._rows.append(result.row())
        self.update(before=before, after=result.pixels, error_image={}, status=str(result), failed=False, step="")

    def _show_comparison(self, reference: np.ndarray, result: Result, psnr_db: float, image: Pixels) -> None:
        self._compared = reference, result.output
        self._rows[-1]["psnr_db"] = psnr_db
        error = "the same pixels as" if psnr_db == float("inf") else f"PSNR {psnr_db:.0f} dB against"
        self.update(status=f"{result}; {error} the regular model", error_image=image)

    def _show_fault(self, text: str) -> None:
        self.output = self._compared = None
        self.update(after={}, error_image={}, status=text, failed=True, step="")

    def _show_no_image(self, text: str) -> None:
        self._started = None
        self.update(image="", before={})
        self._show_fault(text)

    def _show_step(self, text: str, progress: float) -> None:
        self.update(step=text, progress=progress)
