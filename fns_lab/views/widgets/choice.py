"""What a preview runs: the choices of its controls, and what a run of them gives."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

import numpy as np
from onnx import ModelProto

from fns_lab.errors import InputError
from fns_lab.views.widgets.pixels import Pixels, pixels_of

Network = ModelProto | Callable[[], ModelProto]
"""A model, or a function that returns it. A function that can be pickled is called in a process of its own."""

KERNEL = "kernel"
"""A model runs in the notebook's kernel."""
BROWSER = "browser"
"""A model runs in the reader's browser."""

REGULAR = "regular"
"""The model of a network, unmodified."""
BASE_OPS = "base ops"
"""The model of a network, exported in basic ops."""
LOWERED = "lowered"
"""The model of a network, lowered for the engine."""
TUNED = "tuned"
"""The model of a network, tuned for the engine."""

_WIDTH = re.compile(r"(.+)_nc(\d+)")


@dataclass(frozen=True)
class Choice:
    """The values of a preview's controls.

    - `image`, `network`: labels
    - `size`: `(H, W)` in pixels; None: the image's own
    - `model`: one of `REGULAR`, `BASE_OPS`, `LOWERED` and `TUNED`
    - `where`: `KERNEL` or `BROWSER`
    - `engine`: the name of a target
    """

    image: str
    network: str
    size: tuple[int, int] | None
    model: str
    where: str
    engine: str


CHOICES = tuple(field.name for field in fields(Choice))
"""Names of what can be chosen."""


@dataclass(frozen=True)
class Result:
    """What a run of a choice gave: the output `(1, 3, H, W)`, its pixels, and what the engine took, in ms."""

    choice: Choice
    output: np.ndarray
    pixels: Pixels
    nodes: int
    create_ms: float
    ms: float

    @classmethod
    def of(cls, choice: Choice, output: np.ndarray, nodes: int, create_ms: float, ms: float) -> Result:
        """Return the result with its pixels. Raises `InputError` for an output that is no image."""
        return cls(choice, output, pixels_of(output), nodes, create_ms, ms)

    def __str__(self) -> str:
        where = "" if self.choice.where == KERNEL else " in this browser"
        nodes = f"{self.nodes} node{'s' * (self.nodes != 1)}"
        return f"{self.choice.engine}{where}: {nodes}, ran in {self.ms:.0f} ms"

    def row(self) -> dict[str, object]:
        """Return the row of `StylePreview.history`, without the PSNR."""
        height, width = self.output.shape[2:]
        labels = {name: getattr(self.choice, name) for name in ("image", "network", "model", "where", "engine")}
        times = {"create_ms": self.create_ms, "ms": self.ms}
        return {**labels, "height": height, "width": width, "nodes": self.nodes, **times}


def described(label: str) -> dict[str, object]:
    """Return a network's label with its style and width: candy and 16 of `candy_nc16`, of another label no width."""
    match = _WIDTH.fullmatch(label)
    return {"label": label, "style": match[1] if match else label, "width": int(match[2]) if match else None}


def checked(values: Mapping[str, object], offered: Mapping[str, list[object]]) -> None:
    """Raise `InputError` for a name that is no choice, or a value that is not offered."""
    for name, value in values.items():
        if name not in offered:
            raise InputError(f"a preview has no {name!r}; choose among {', '.join(offered)}")
        if value not in offered[name]:
            raise InputError(f"{name} {value!r} is not offered; choose among {', '.join(map(str, offered[name]))}")
