"""Choose an image, a network, a size and an engine, and see what the engine makes of them."""

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
"""So many loaded models are kept; the one that was used longest ago goes first."""

ENGINES = ("ort/cpu", "onnxjs-0.1.8/wasm", "onnxjs-0.1.8/webgl", "ort-web/wasm")
SIZES = ((96, 144), (128, 192), (192, 288))

COLUMNS = ("image", "network", "height", "width", "engine", "nodes", "create_ms", "ms")


class StylePreview(VBox):
    """Four drop-down lists over two images: the photograph, and what the chosen engine makes of it.

    `networks`: ONNX models by label, each from one input `(1, 3, H, W)` to one output, 0..255, with H and W free.
    `images`: files by label; without them, the photographs of `fns_lab.photos`. `sizes`: (H, W) in pixels, to which
    an image is scaled and cut. `engines`: names of targets. Each choice is lowered for its engine and size when it is
    first made. `result` is the last output, `history` a table of every run. An engine that fails says why in the line
    below the images.
    """

    def __init__(
        self,
        networks: Mapping[str, ModelProto],
        *,
        image_paths: Mapping[str, str | os.PathLike] | None = None,
        sizes: Sequence[tuple[int, int]] = SIZES,
        engines: Sequence[str] = ENGINES,
    ) -> None:
        super().__init__()
        self._runners: OrderedDict[tuple, tuple[Runner, int]] = OrderedDict()
        if not (networks and sizes and engines):
            raise InputError("a preview needs at least one network, one size and one engine")
        self._networks = dict(networks)
        self._image_paths = dict(image_paths or {name: photos.path(name) for name in photos.NAMES})
        self._rows: list[tuple] = []
        self.result: np.ndarray | None = None
        self.image = Dropdown(options=list(self._image_paths), description="image")
        self.network = Dropdown(options=list(networks), description="network")
        self.size = Dropdown(options=[(f"{h} x {w}", (h, w)) for h, w in sizes], description="size")
        self.engine = Dropdown(options=list(engines), description="engine")
        self._choices = {"image": self.image, "network": self.network, "size": self.size, "engine": self.engine}
        self._before, self._after = (Image(format="png", layout=Layout(width="48%")) for _ in range(2))
        self._status = Label()
        rows = ((self.image, self.network), (self.size, self.engine), (self._before, self._after))
        self.children = [*map(HBox, rows), self._status]
        self._listening = True
        for choice in self._choices.values():
            choice.observe(self._update, names="value")
        self._update()

    @property
    def status(self) -> str:
        """The line below the images: what ran where and how long, or why it did not."""
        return self._status.value

    @property
    def history(self) -> pd.DataFrame:
        """Every run so far: what was chosen, the lowered model's nodes, and milliseconds inside the engine."""
        return pd.DataFrame(self._rows, columns=list(COLUMNS))

    def choose(self, **values) -> StylePreview:
        """Set any of image, network, size and engine from code, then run. Raises `InputError` for no such choice."""
        for name, value in values.items():
            if name not in self._choices:
                raise InputError(f"a preview has no {name!r}; choose among {', '.join(self._choices)}")
            known = [option[1] if isinstance(option, tuple) else option for option in self._choices[name].options]
            if value not in known:
                raise InputError(f"{name} {value!r} is not offered; there are {', '.join(map(str, known))}")
        self._listening = False
        try:
            for name, value in values.items():
                self._choices[name].value = value
        finally:
            self._listening = True
        self._update()
        return self

    def close(self) -> None:
        """Free the loaded models, then the widget."""
        while self._runners:
            self._runners.popitem()[1][0].close()
        super().close()

    def _repr_mimebundle_(self, **kwargs) -> dict:
        """The widget, and beside it an image of what it shows now, for a report."""
        encoded = [base64.b64encode(image.value).decode() for image in (self._before, self._after) if image.value]
        figures = "".join(f"<img src='data:image/png;base64,{text}' alt='' style='width:48%'> " for text in encoded)
        chosen = " · ".join(html.escape(str(choice.label)) for choice in self._choices.values())
        static = f"<div>{figures}<p>{chosen}<br>{html.escape(self.status)}</p></div>"
        return (super()._repr_mimebundle_(**kwargs) or {}) | {"text/html": static}

    def _update(self, change=None) -> None:
        if not self._listening:
            return
        self._status.value = f"{self.engine.value}: running …"
        try:
            x = images.load(self._image_paths[self.image.value], size=self.size.value)
            self._before.value = images.png(x)
            runner, nodes = self._runner()
            (y,) = runner.infer(dict.fromkeys(self._input_names(), x)).values()
        except (InputError, MissingError, RuntimeFault) as error:
            self.result, self._after.value = None, b""
            self._status.value = str(error)
            return
        self.result = y[..., : x.shape[2], : x.shape[3]]
        self._after.value = images.png(self.result)
        self._rows.append(
            (
                self.image.value,
                self.network.value,
                *self.size.value,
                self.engine.value,
                nodes,
                runner.create_ms,
                runner.ms,
            )
        )
        self._status.value = f"{self.engine.value}: {nodes} nodes, ran in {runner.ms:.0f} ms"

    def _input_names(self) -> list[str]:
        from fns_lab.models import input_shapes

        return list(input_shapes(self._networks[self.network.value]))

    def _runner(self) -> tuple[Runner, int]:
        """The chosen network, lowered for the chosen engine and size and loaded there, and how many nodes it has."""
        key = (self.network.value, self.size.value, self.engine.value)
        if key in self._runners:
            self._runners.move_to_end(key)
            return self._runners[key]
        target = targets.load(self.engine.value)
        shapes = dict.fromkeys(self._input_names(), (1, 3, *self.size.value))
        lowering = lower(self._networks[self.network.value], target, shapes=shapes)
        if not lowering:
            raise InputError(str(lowering))
        while len(self._runners) >= OPEN_RUNNERS:
            self._runners.popitem(last=False)[1][0].close()
        self._runners[key] = open_runner(lowering.model, target), lowering.nodes_after
        return self._runners[key]
