"""How a photograph becomes the input of a model: its size, its values and the order of its axes.

A model says this in its metadata, so that every command and the web site feed it alike.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from onnx import ModelProto, TensorShapeProto, helper, numpy_helper

from fns_lab import images
from fns_lab.errors import InputError, shape_text

KEY = "fns_lab.preprocessing"
"""Key in a model's `metadata_props`: the settings of each image input by its name, as JSON."""

LAYOUTS = ("NCHW", "NHWC")
"""Orders of the axes of an image."""
CHANNELS = (3, 1)
"""Channels that an image can have: RGB, or grey."""

_DONE = {"crop": "scaled and cut to", "fit": "fitted into", "pad": "scaled and padded to"}


@dataclass(frozen=True)
class Preprocessing:
    """The input is `(pixel * scale - mean) / std`, for pixels 0..255.

    - `scale`: factor of the pixels; 1/255 gives 0..1
    - `mean`, `std`: one number for all channels, or one per channel, in the unit of the scaled pixels
    - `layout`: `NCHW` or `NHWC`, the order of the input's axes
    - `resize`: one of `images.RESIZES`, how an image is brought to the model's height and width

    Raises `InputError` for other values.
    """

    scale: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    layout: str = LAYOUTS[0]
    resize: str = images.RESIZES[0]

    def __post_init__(self) -> None:
        if not 0 < self.scale < math.inf:
            raise InputError(f"scale {self.scale}: must be a number above 0; 1/255 gives values 0..1")
        for name, numbers in (("mean", self.mean), ("std", self.std)):
            if len(numbers) not in CHANNELS or not all(map(math.isfinite, numbers)):
                raise InputError(f"{name} {numbers}: give one number, or one for each of red, green and blue")
        if not all(number > 0 for number in self.std):
            raise InputError(f"std {self.std}: must be above 0")
        if self.layout not in LAYOUTS:
            raise InputError(f"layout {self.layout}: give one of {', '.join(LAYOUTS)}")
        if self.resize not in images.RESIZES:
            raise InputError(f"resize {self.resize}: give one of {', '.join(images.RESIZES)}")

    def load(self, source: str | os.PathLike[str], shape: tuple[int | str, ...]) -> tuple[np.ndarray, str]:
        """Return an image file as float32 of the model's input shape, and what was done to it, in words.

        The shape is `(1, C, H, W)` or, for NHWC, `(1, H, W, C)`; where it leaves H and W free, the image keeps its own.
        Raises `InputError` as `images.open_rgb` does, and for a shape that is no image's.
        """
        n, c, h, w = self._sizes(shape)
        if n not in (1, *_free(n)) or c not in (*CHANNELS, *_free(c)):
            wanted = shape_text(shape)
            raise InputError(f"{source}: the model takes {wanted}, not one image {self.layout}; give an .npy")
        image = images.open_rgb(source)
        done = [f"{image.height}x{image.width}"]
        if isinstance(h, int) and isinstance(w, int) and (image.height, image.width) != (h, w):
            image = images.resized(image, (h, w), self.resize)
            done.append(f"{_DONE[self.resize]} {h}x{w}")
        pixels = images.array_from_image(image.convert("L").convert("RGB") if c == 1 else image)
        x = self.values(pixels[:, : c if isinstance(c, int) else 3])
        if self != type(self)(resize=self.resize):
            done.append(f"values {x.min():.3g} to {x.max():.3g}, {self.layout}")
        return x, " ".join(done[:2]) + "".join(f", {part}" for part in done[2:])

    def values(self, pixels: np.ndarray) -> np.ndarray:
        """Return `(1, C, H, W)`, 0..255, as the model takes it."""
        mean, std = (np.array(numbers, np.float32).reshape(1, -1, 1, 1) for numbers in (self.mean, self.std))
        x = (pixels * np.float32(self.scale) - mean) / std
        return np.ascontiguousarray(x.transpose(0, 2, 3, 1) if self.layout == "NHWC" else x)

    def changed(self, changes: Mapping[str, object]) -> Preprocessing:
        """Return the settings with some of them changed."""
        return Preprocessing(**(asdict(self) | dict(changes)))

    def _sizes(self, shape: tuple[int | str, ...]) -> tuple[int | str, ...]:
        if len(shape) != 4:
            raise InputError(f"the model takes {shape_text(shape)}, not one image {self.layout}; give an .npy")
        n, *rest = shape
        h, w, c = rest if self.layout == "NHWC" else (rest[1], rest[2], rest[0])
        return n, c, h, w


def of_model(model: ModelProto) -> dict[str, Preprocessing]:
    """Return the settings that a model's metadata holds, by input. Raises `InputError` for metadata that is broken."""
    text = next((entry.value for entry in model.metadata_props if entry.key == KEY), "{}")
    try:
        return {name: Preprocessing(**_as_fields(settings)) for name, settings in json.loads(text).items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise InputError(f"the model's metadata {KEY} is broken: {error}") from None


def store(model: ModelProto, settings: Mapping[str, Preprocessing]) -> ModelProto:
    """Return a copy of a model whose metadata holds these settings."""
    result = ModelProto()
    result.CopyFrom(model)
    kept = [entry for entry in model.metadata_props if entry.key != KEY]
    del result.metadata_props[:]
    result.metadata_props.extend(kept)
    text = json.dumps({name: asdict(each) for name, each in settings.items()})
    result.metadata_props.add(key=KEY, value=text)
    return result


def embedded(model: ModelProto) -> ModelProto:
    """Return a model with one image input that takes `(1, 3, H, W)`, 0..255, and does the rest of its settings itself.

    A model without settings is returned unmodified. So a page that knows nothing of settings can feed it.
    """
    settings = of_model(model)
    if not settings:
        return model
    ((name, given),) = settings.items()
    result = store(model, {})
    graph = result.graph
    (value,) = (value for value in graph.input if value.name == name)
    std, mean = (np.array(numbers, np.float32).reshape(1, -1, 1, 1) for numbers in (given.std, given.mean))
    constants = {f"{name}.factor": given.scale / std, f"{name}.shift": -mean / std}
    graph.initializer.extend(numpy_helper.from_array(x.astype(np.float32), key) for key, x in constants.items())
    last = f"{name}.values" if given.layout == "NHWC" else name
    fed = f"{name}.pixels"
    nodes = [
        helper.make_node("Mul", [fed, f"{name}.factor"], [f"{name}.scaled"]),
        helper.make_node("Add", [f"{name}.scaled", f"{name}.shift"], [last]),
    ]
    if given.layout == "NHWC":
        nodes.append(helper.make_node("Transpose", [last], [name], perm=[0, 2, 3, 1]))
        n, h, w, c = value.type.tensor_type.shape.dim
        value.type.tensor_type.shape.CopyFrom(TensorShapeProto(dim=[n, c, h, w]))
    value.name = fed
    rest = list(graph.node)
    del graph.node[:]
    graph.node.extend([*nodes, *rest])
    return result


def _as_fields(settings: Mapping[str, object]) -> dict[str, Any]:
    """Return the known settings, with JSON's lists as tuples."""
    known = {field.name for field in fields(Preprocessing)}
    return {key: tuple(value) if isinstance(value, list) else value for key, value in settings.items() if key in known}


def _free(size: int | str) -> tuple[str, ...]:
    return (size,) if isinstance(size, str) else ()
