"""The models of the site: each in the files that its engines load, with large weights stored once for all of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import GraphProto, ModelProto, numpy_helper

from fns_lab import models, targets
from fns_lab.rewrite.lower import lower
from fns_lab.sizes import has_free_sizes, with_input_shapes
from fns_lab.targets import Target
from fns_lab.targets.checking import check

if TYPE_CHECKING:
    from fns_lab.views.site.catalog import Files

BASE_OPS_TARGET = "onnxjs-0.1.3/wasm"
"""The target with the fewest ops. A model lowered for it needs only basic ones and runs in every engine."""
SIZES = ((128, 128), (256, 256))
"""Heights and widths for which a model with free sizes is lowered."""
SMALLEST_SHARED = 512
"""Bytes from which an initializer is stored among the weights that a model's files share."""


@dataclass(frozen=True)
class SiteModel:
    """A model of the site, which takes one image `(1, 3, H, W)`, 0..255.

    - `name`: its file's name without suffix
    - `model`: the model, H and W free or fixed
    - `style`, `width`: of a style network; `width` is None for other models
    - `expected`: by height and width, the output for the sample image
    - `truth`: what computed it
    """

    name: str
    model: ModelProto
    style: str
    width: int | None = None
    expected: Mapping[tuple[int, int], np.ndarray] = field(default_factory=dict)
    truth: str = "ort/cpu"

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """The heights and widths that the site has files for."""
        shape = next(iter(models.input_shapes(self.model).values()))
        return SIZES if has_free_sizes(self.model) else ((int(shape[2]), int(shape[3])),)


class Weights:
    """Initializers that several files of a model share, each stored once, as fields of the graph."""

    def __init__(self) -> None:
        self.data = b""
        self._places: dict[bytes, tuple[int, int]] = {}

    def take(self, model: ModelProto) -> tuple[bytes, list[tuple[int, int]]]:
        """Return the model without its large initializers, and the slices of `data` that hold these."""
        head = ModelProto()
        head.CopyFrom(model)
        small = [tensor for tensor in head.graph.initializer if tensor.ByteSize() < SMALLEST_SHARED]
        large = [tensor for tensor in head.graph.initializer if tensor.ByteSize() >= SMALLEST_SHARED]
        slices = []
        for tensor in large:
            plain = numpy_helper.from_array(numpy_helper.to_array(tensor), tensor.name)
            slices.append(self._place(GraphProto(initializer=[plain]).SerializeToString()))
        del head.graph.initializer[:]
        head.graph.initializer.extend(small)
        return head.SerializeToString(), _merged(slices)

    def _place(self, data: bytes) -> tuple[int, int]:
        key = hashlib.sha256(data).digest()
        if key not in self._places:
            self._places[key] = (len(self.data), len(self.data) + len(data))
            self.data += data
        return self._places[key]


Tune = Callable[[ModelProto, Target, tuple[int, int]], ModelProto | None]
"""Returns a model tuned for a target at a height and width, or None where that is not faster than lowering it."""


def model_entry(
    site_model: SiteModel, chosen: Sequence[Target], files: Files, tune: Tune | None = None
) -> dict[str, Any]:
    """Return what the page must know of a model; add its files, tuned ones too where `tune` is given."""
    folder, weights = f"models/{site_model.name}", Weights()
    variants = []
    for index, (kind, size, names, model) in enumerate(_variants(site_model, chosen, tune)):
        head, slices = weights.take(model)
        name = f"{folder}/{index}.onnx.head"
        files[name] = head
        nodes = len(model.graph.node)
        variants.append({"kind": kind, "size": size, "targets": names, "nodes": nodes, "head": name, "slices": slices})
    files[f"{folder}/weights.bin"] = weights.data
    expected = {}
    for (height, width), array in site_model.expected.items():
        expected[f"{height}x{width}"] = name = f"{folder}/expected-{height}x{width}.f32"
        files[name] = np.ascontiguousarray(array, "<f4").tobytes()
    return {
        "name": site_model.name,
        "style": site_model.style,
        "width": site_model.width,
        "input": next(iter(models.input_shapes(site_model.model))),
        "weights": f"{folder}/weights.bin",
        "variants": variants,
        "expected": expected,
        "truth": site_model.truth,
    }


Variant = tuple[str, tuple[int, int] | None, list[str], ModelProto]
"""Kind, size (None: any), names of the targets that load the file, the model in it."""


def _variants(site_model: SiteModel, chosen: Sequence[Target], tune: Tune | None) -> list[Variant]:
    model, found = site_model.model, list[Variant]()
    input_name = next(iter(models.input_shapes(model)))
    free = has_free_sizes(model)
    takes = [t.name for t in chosen if not (free and t.int64_as_int32) and check(model, t)]
    if takes:
        found.append(("regular", None if free else site_model.sizes[0], takes, model))
    for size in site_model.sizes:
        shapes = {input_name: (1, 3, *size)}
        regular = with_input_shapes(model, shapes) if free else model
        takes = [t.name for t in chosen if free and t.int64_as_int32 and check(regular, t)]
        if takes:
            found.append(("regular", size, takes, regular))
        lowerings = [lower(model, target, shapes=shapes) for target in chosen]
        lowered = {low.target.name: low.model for low in lowerings if low.supported and len(low.applied)}
        tuned = {target.name: tune(model, target, size) for target in chosen} if tune else {}
        found += [("lowered", size, names, result) for names, result in _same_files(lowered)]
        found += [("tuned", size, names, result) for names, result in _same_files(tuned)]
        basic = lower(model, targets.load(BASE_OPS_TARGET), shapes=shapes)
        takes = [t.name for t in chosen if basic.supported and check(basic.model, t)]
        if takes:
            found.append(("base ops", size, takes, basic.model))
    return found


def _same_files(by_target: Mapping[str, ModelProto | None]) -> Iterator[tuple[list[str], ModelProto]]:
    """Yield each model once, with the names of all targets that have it."""
    names: dict[bytes, list[str]] = {}
    for target, model in by_target.items():
        if model is not None:
            names.setdefault(model.SerializeToString(), []).append(target)
    for data, targets_of_it in names.items():
        yield targets_of_it, ModelProto.FromString(data)


def _merged(slices: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the slices with neighbours joined."""
    joined: list[tuple[int, int]] = []
    for start, end in slices:
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined
