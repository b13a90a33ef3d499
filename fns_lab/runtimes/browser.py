"""ONNX.js and ONNX Runtime Web in a real Chromium: cpu, wasm, webgl and webgpu.

Runners of one target share one page, so that interleaved runs differ in nothing but the model. A page that hangs,
crashes or runs out of memory is closed; the next call of any runner of that target opens a new page and loads its model
again.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Coroutine
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar

import numpy as np
from onnx import ModelProto, TensorProto, helper

from fns_lab import weights
from fns_lab.errors import NoAnswer, RuntimeFault
from fns_lab.feeds import fit_feeds, require_int32
from fns_lab.limits import ANSWER_SECONDS
from fns_lab.models import model_label
from fns_lab.runtimes.advice import advice
from fns_lab.runtimes.base import ClosingRunner, output_dtypes
from fns_lab.runtimes.chromium import Chromium, result_of, shared_chromium
from fns_lab.runtimes.engine_page import EngineError, EnginePage, PageLost
from fns_lab.runtimes.kept_outputs import as_loaded
from fns_lab.sizes import has_free_sizes, with_input_shapes
from fns_lab.targets import Target

T = TypeVar("T")
"""Any type."""
TensorInfo = dict[str, Any]
"""Description of a tensor: name, type, dims, length in bytes and, for a feed, offset in the block."""

CLOSE_TIMEOUT_S = 10.0
"""Seconds that the page may take to free a session."""
PROBE = np.array([[[[-300.25, 0.5, 7.75], [123.4, -0.1, 254.9]]]], np.float32)
"""The input of the Relu that every new page must compute right: a faulty page reads its results back as bytes."""


class BrowserRunner(ClosingRunner):
    """A model in one engine of one page; inputs and outputs are tensors of float32, bool or integers.

    ONNX.js, and the webgl backend of ONNX Runtime Web, which comes from it, have no int64: such feeds are passed as
    int32 (InputError when a value does not fit), and outputs that the model declares int64 are returned as int64.
    A session of theirs takes one shape: a model with free sizes is loaded again for each shape that it is run on.
    """

    def __init__(
        self, model: ModelProto, target: Target, *, timeout_s: float | None = None, once: bool = False
    ) -> None:
        self.target = target
        self._model = model
        self._timeout_s = timeout_s or ANSWER_SECONDS.value
        self._output_names: dict[str, str] = {}
        self._shapes: dict[str, tuple[int, ...]] = {}
        """The input shapes that the loaded model has instead of its free sizes; none before the first run."""
        self._has_free_sizes = target.int64_as_int32 and has_free_sizes(model)
        self._prepare(model)
        self._output_dtypes = output_dtypes(model)
        self._chromium = shared_chromium()
        self.page: EnginePage | None = None
        """The page that holds the session; a new one after a fault."""
        self._session = 0
        self._call: Future[Any] | None = None
        """The latest call into the browser."""
        self._wait(self._ready_page())

    def infer(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return every graph output by name. Raises InputError for feeds that do not fit, RuntimeFault for the rest."""
        feeds = fit_feeds(self._model, feeds)
        if self._has_free_sizes:
            self._fix_shapes({name: array.shape for name, array in feeds.items()})
        described, block = pack(as_taken(feeds, self.target))
        return self._wait(self._run(described, block))

    def close(self) -> None:
        """Free the session; its page stays open for other runners of the target."""
        page, self.page = self.page, None
        if page and page.alive:
            with contextlib.suppress(RuntimeFault):
                self._wait(page.close_session(self._session, CLOSE_TIMEOUT_S))

    def cancel(self) -> None:
        """End what another thread waits for, and the page with it; the next run opens another page."""
        if self._call and self._call.cancel() and self.page:
            self.page.alive = False  # at once, so that no call is made in it while the cancelled one ends

    def _fix_shapes(self, shapes: dict[str, tuple[int, ...]]) -> None:
        """Load the model with these input shapes, unless that is how it is loaded."""
        if shapes != self._shapes:
            self.close()
            self._prepare(with_input_shapes(self._model, shapes))
            self._shapes = shapes

    def _prepare(self, model: ModelProto) -> None:
        kept, self._output_names = as_loaded(model, self.target)
        self._bytes = weights.inside(kept).SerializeToString()

    def _wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        label, call = model_label(self._model), self._chromium.start(coroutine)
        self._call = call
        try:
            return result_of(call)
        except CancelledError:
            raise RuntimeFault(self.target.name, label, "cancelled") from None
        except EngineError as error:
            fault = NoAnswer if isinstance(error, PageLost) else RuntimeFault
            raise fault(self.target.name, label, str(error), advice(self._model, self.target)) from error

    async def _ready_page(self) -> EnginePage:
        """Return the target's page with this model loaded in it."""
        page = await _page_for(self._chromium, self.target)
        if page is not self.page:
            self._session, self.create_ms = await page.create(self._bytes, self._timeout_s)
            self.page = page
        return page

    async def _run(self, described: list[TensorInfo], block: bytes) -> dict[str, np.ndarray]:
        page = await self._ready_page()
        outputs, data, self.ms = await page.run(self._session, described, block, self._timeout_s)
        return self._unpacked(outputs, data)

    def _unpacked(self, outputs: list[TensorInfo], block: bytes) -> dict[str, np.ndarray]:
        arrays = {self._output_names.get(name, name): array for name, array in unpack(outputs, block).items()}
        missing = [name for name in self._output_dtypes if name not in arrays]
        if missing:
            raise EngineError(f"the engine did not return output '{missing[0]}'")
        return {name: arrays[name].astype(dtype, copy=False) for name, dtype in self._output_dtypes.items()}


def as_taken(feeds: dict[str, np.ndarray], target: Target) -> dict[str, np.ndarray]:
    """Return `feeds` in the types that the engine of `target` takes. Raises InputError for an integer beyond int32."""
    if not target.int64_as_int32:
        return feeds
    require_int32(feeds)
    return {name: array.astype(np.int32) if array.dtype == np.int64 else array for name, array in feeds.items()}


def pack(arrays: dict[str, np.ndarray]) -> tuple[list[TensorInfo], bytes]:
    """Return arrays as one block of bytes, with the name, type, shape and place in it of each."""
    described: list[TensorInfo] = []
    parts: list[bytes] = []
    offset = 0
    for name, array in arrays.items():
        part = array.tobytes()
        described.append(
            {"name": name, "type": array.dtype.name, "dims": list(array.shape), "offset": offset, "length": len(part)}
        )
        parts.append(part)
        offset += len(part)
    return described, b"".join(parts)


def unpack(described: list[TensorInfo], block: bytes) -> dict[str, np.ndarray]:
    """Return the arrays that follow each other in a block. Raises EngineError if a size contradicts a shape."""
    arrays, offset = {}, 0
    for output in described:
        dtype, length = np.dtype(output["type"]), output["length"]
        values = np.frombuffer(block[offset : offset + length], dtype)
        if values.size != np.prod(output["dims"], dtype=int):
            raise EngineError(f"output '{output['name']}' has {values.size} values for shape {output['dims']}")
        arrays[output["name"]] = values.reshape(output["dims"]).copy()
        offset += length
    return arrays


async def _page_for(chromium: Chromium, target: Target) -> EnginePage:
    """Return the open page of this target and settings; open and check one when there is none."""
    key = json.dumps([target.name, target.version, dict(target.settings)], sort_keys=True)
    async with chromium.page_lock:
        page = chromium.pages.get(key)
        if page and not page.alive:
            await page.closed()  # else a restart of the browser would end the new page
        if page is None or not page.alive:
            page = EnginePage(chromium, target)
            try:
                await page.open()
                await _check_page(page)
            except EngineError:
                await page.discard()
                raise
            chromium.pages[key] = page
        return page


async def _check_page(page: EnginePage) -> None:
    """Run one Relu, so that the engine has started before a model is timed, and raise EngineError if it is wrong."""
    seconds = ANSWER_SECONDS.value
    session, _ = await page.create(_relu_model().SerializeToString(), seconds)
    outputs, block, _ = await page.run(session, *pack({"x": PROBE}), seconds)
    y = unpack(outputs, block)["y"]
    if not np.allclose(y, np.maximum(PROBE, 0), rtol=1e-3, atol=1e-3):
        raise EngineError(
            f"it computes wrong numbers in this browser: Relu of {PROBE.ravel().tolist()} gave {y.ravel().tolist()} "
            "(ONNX.js up to 0.1.5 webgl does so when the user agent says HeadlessChrome)"
        )
    await page.close_session(session, seconds)


def _relu_model() -> ModelProto:
    """Return a Relu at opset 7 and IR 3, which every engine takes."""
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, PROBE.shape) for name in "xy")
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "probe", [x], [y])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 7)], ir_version=3)
