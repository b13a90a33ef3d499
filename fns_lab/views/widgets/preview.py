"""A widget that runs a chosen network on a chosen image, at a chosen size, in a chosen engine."""

from __future__ import annotations

import base64
import html
import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from ipywidgets import Dropdown, HBox, Image, Label, Layout, VBox
from onnx import ModelProto

from fns_lab import images, photos, targets
from fns_lab.errors import InputError, MissingError, RuntimeFault
from fns_lab.rewrite.lower import lower
from fns_lab.runtimes import Runner, open_runner

OPEN_RUNNERS = 4
"""Number of loaded models that are kept, at most; the least recently used is closed first."""

ENGINES = ("ort/cpu", "onnxjs-0.1.8/wasm", "onnxjs-0.1.8/webgl", "ort-web/wasm")
SIZES = ((96, 144), (128, 192), (192, 288))

COLUMNS = ("image", "network", "height", "width", "engine", "nodes", "create_ms", "ms")
"""Columns of `StylePreview.history`."""


class StylePreview(VBox):  # type: ignore[misc]  # ipywidgets has no type hints
    """Four drop-down lists above two images: the chosen image, and the output of the chosen engine.

    - `networks`: ONNX models by label, each from one input `(1, 3, H, W)` to one output, RGB, 0..255, with H and W free
    - `image_paths`: image files by label; None: the photographs of `fns_lab.photos`
    - `sizes`: `(H, W)` in pixels, to which an image is scaled and cut
    - `engines`: names of targets

    A network is lowered for an engine and a size when that combination is first chosen. `output` is the latest output
    `(1, 3, H, W)`, RGB, 0..255, None after a failure; `history` is a table of all runs. The status line below the
    images says why an engine failed. Raises `InputError` without a network, size or engine.
    """

    def __init__(
        self,
        networks: Mapping[str, ModelProto],
        *,
        image_paths: Mapping[str, str | os.PathLike[str]] | None = None,
        sizes: Sequence[tuple[int, int]] = SIZES,
        engines: Sequence[str] = ENGINES,
    ) -> None:
        super().__init__()
        self._loaded: OrderedDict[tuple[str, tuple[int, int], str], tuple[Runner, int]] = OrderedDict()
        if not (networks and sizes and engines):
            raise InputError("a preview needs at least one network, one size and one engine")
        self._networks = dict(networks)
        self._image_paths: dict[str, str | os.PathLike[str]] = (
            dict(image_paths) if image_paths else {name: photos.path(name) for name in photos.NAMES}
        )
        self._rows: list[tuple[object, ...]] = []
        self.output: np.ndarray | None = None
        self.image = Dropdown(options=list(self._image_paths), description="image")
        self.network = Dropdown(options=list(networks), description="network")
        self.size = Dropdown(options=[(f"{h} x {w}", (h, w)) for h, w in sizes], description="size")
        self.engine = Dropdown(options=list(engines), description="engine")
        self._choices = {"image": self.image, "network": self.network, "size": self.size, "engine": self.engine}
        self._input_image, self._output_image = (Image(format="png", layout=Layout(width="48%")) for _ in range(2))
        self._status = Label()
        rows = ((self.image, self.network), (self.size, self.engine), (self._input_image, self._output_image))
        self.children = [*map(HBox, rows), self._status]
        self._runs_on_change = True
        for choice in self._choices.values():
            choice.observe(self._on_change, names="value")
        self._run()

    @property
    def status(self) -> str:
        """The line below the images: engine, nodes and time of the latest run, or why it failed."""
        return str(self._status.value)

    @property
    def history(self) -> pd.DataFrame:
        """A table of all runs so far that did not fail, in order.

        - `image`, `network`, `engine`: labels of what was chosen
        - `height`, `width`: size of the image, in pixels
        - `nodes`: number of nodes of the lowered model
        - `create_ms`: time to load the model into the engine, in ms
        - `ms`: time of the run inside the engine, in ms
        """
        return pd.DataFrame(self._rows, columns=list(COLUMNS))

    def choose(self, **values: object) -> StylePreview:
        """Set any of `image`, `network`, `size` and `engine`, run once, and return the widget.

        Raises `InputError` for another name or a value that is not offered.
        """
        for name, value in values.items():
            if name not in self._choices:
                raise InputError(f"a preview has no {name!r}; choose among {', '.join(self._choices)}")
            offered = [option[1] if isinstance(option, tuple) else option for option in self._choices[name].options]
            if value not in offered:
                raise InputError(f"{name} {value!r} is not offered; choose among {', '.join(map(str, offered))}")
        self._runs_on_change = False
        try:
            for name, value in values.items():
                self._choices[name].value = value
        finally:
            self._runs_on_change = True
        self._run()
        return self

    def close(self) -> None:
        """Close the loaded models, then the widget."""
        while self._loaded:
            self._loaded.popitem()[1][0].close()
        super().close()

    def _repr_mimebundle_(self, **kwargs: object) -> dict[str, object]:
        """Return the widget, and as HTML the images and choices that it shows now, for a report."""
        shown = [image.value for image in (self._input_image, self._output_image) if image.value]
        encoded = [base64.b64encode(content).decode() for content in shown]
        figures = "".join(f"<img src='data:image/png;base64,{text}' alt='' style='width:48%'> " for text in encoded)
        chosen = " · ".join(html.escape(str(choice.label)) for choice in self._choices.values())
        static = f"<div>{figures}<p>{chosen}<br>{html.escape(self.status)}</p></div>"
        return (super()._repr_mimebundle_(**kwargs) or {}) | {"text/html": static}

    def _on_change(self, change: object) -> None:
        if self._runs_on_change:
            self._run()

    def _run(self) -> None:
        """Run the chosen network on the chosen image; show and record the output, or say why it failed."""
        self._status.value = f"{self.engine.value}: running …"
        try:
            x = images.load(self._image_paths[self.image.value], size=self.size.value)
            self._input_image.value = images.png(x)
            runner, nodes = self._chosen_runner()
            (y,) = runner.infer(dict.fromkeys(self._input_names(), x)).values()
        except (InputError, MissingError, RuntimeFault) as error:
            self.output, self._output_image.value = None, b""
            self._status.value = str(error)
            return
        self.output = y[..., : x.shape[2], : x.shape[3]]
        self._output_image.value = images.png(self.output)
        chosen = (self.image.value, self.network.value, *self.size.value, self.engine.value)
        self._rows.append((*chosen, nodes, runner.create_ms, runner.ms))
        self._status.value = f"{self.engine.value}: {nodes} node{'s' * (nodes != 1)}, ran in {runner.ms:.0f} ms"

    def _input_names(self) -> list[str]:
        from fns_lab.models import input_shapes

        return list(input_shapes(self._networks[self.network.value]))

    def _chosen_runner(self) -> tuple[Runner, int]:
        """Return a runner of the chosen network, lowered for the chosen engine and size, and its number of nodes."""
        key = (self.network.value, self.size.value, self.engine.value)
        if key in self._loaded:
            self._loaded.move_to_end(key)
            return self._loaded[key]
        target = targets.load(self.engine.value)
        shapes = dict.fromkeys(self._input_names(), (1, 3, *self.size.value))
        lowering = lower(self._networks[self.network.value], target, shapes=shapes)
        if not lowering:
            raise InputError(str(lowering))
        while len(self._loaded) >= OPEN_RUNNERS:
            self._loaded.popitem(last=False)[1][0].close()
        self._loaded[key] = open_runner(lowering.model, target), lowering.nodes_after
        return self._loaded[key]
