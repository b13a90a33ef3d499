"""The ONNX files of `lists/`: brought from their packages, loaded, and the input that they are run on."""

from __future__ import annotations

import tomllib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, numpy_helper

from fns_lab import models
from fns_lab.errors import MissingError
from fns_lab.fetch import packages
from fns_lab.fetch.packages import Registry
from fns_lab.files import sha256
from fns_lab.paths import CACHE

LISTS = sorted(Path(__file__).with_name("lists").glob("*.toml"))
PACKAGES = CACHE / "packages"
FOLDER = CACHE / "models"


@dataclass(frozen=True)
class ForeignModel:
    """A model of someone else's package; `lists/images.toml` says what the fields hold."""

    name: str
    task: str
    exporter: str
    registry: str
    package: str
    version: str
    licence: str
    files: Mapping[str, str]
    inputs: Mapping[str, Mapping[str, Any]]
    outputs: tuple[str, ...] = field(default=())

    @cached_property
    def model(self) -> ModelProto:
        """The model as it is in the package, but for inputs that are constants and outputs that are left out."""
        model = models.load(self._path())
        for name, entry in self.inputs.items():
            if "constant" in entry:
                _make_constant(model, name, entry["constant"])
        if self.outputs:
            kept = [output for output in model.graph.output if output.name in self.outputs]
            del model.graph.output[:]
            model.graph.output.extend(kept)
        return model

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each input that is fed."""
        return {name: tuple(entry["shape"]) for name, entry in self.inputs.items() if "shape" in entry}

    def feeds(self) -> dict[str, np.ndarray]:
        """Return the inputs, drawn with the seed of the model's name."""
        draw = np.random.default_rng(zlib.crc32(self.name.encode()))
        declared = models.fed_inputs(self.model)
        feeds = {}
        for name, shape in self.shapes.items():
            values = _values(self.inputs[name], shape, draw)
            feeds[name] = values.astype(models.dtype_of(declared[name]))
        return feeds

    def _path(self) -> Path:
        """Return the model's file, brought unless it is there. Raises `MissingError` for another SHA-256."""
        first = next(iter(self.files.values()))
        folder = FOLDER / first[:16]
        names = [name.rpartition("/")[2] for name in self.files]
        if not all((folder / name).is_file() for name in names):
            archive = packages.download(Registry(self.registry), self.package, self.version, PACKAGES)
            folder.mkdir(parents=True, exist_ok=True)
            packages.extract(archive, list(self.files), folder)
        for name, wanted in zip(names, self.files.values(), strict=True):
            if (actual := sha256(folder / name)) != wanted:
                raise MissingError(f"{folder / name}: its SHA-256 is {actual}, not {wanted}: delete it and run again")
        return folder / names[0]


def listed() -> list[ForeignModel]:
    """Return the models of the list."""
    entries = [entry for path in LISTS for entry in tomllib.loads(path.read_text(encoding="utf-8"))["model"]]
    return [ForeignModel(**entry | {"outputs": tuple(entry.get("outputs", ()))}) for entry in entries]


def _values(entry: Mapping[str, Any], shape: tuple[int, ...], draw: np.random.Generator) -> np.ndarray:
    if "photo" in entry:
        image = _picture(entry["photo"], shape[2:])
        return np.broadcast_to(image if shape[1] == 3 else image.mean(axis=1, keepdims=True), shape)
    if "below" in entry:
        return draw.integers(0, entry["below"], shape)
    return draw.normal(0, 1, shape)


def _picture(name: str, size: tuple[int, ...]) -> np.ndarray:
    """Return a part of one of scikit-image's pictures as `(1, 3, H, W)`, from -1 to 1."""
    import skimage.data

    pixels = np.atleast_3d(getattr(skimage.data, name)())[: size[0], : size[1]]
    values = pixels.transpose(2, 0, 1)[None] / 127.5 - 1
    return np.broadcast_to(values, (1, 3, *size))


def _make_constant(model: ModelProto, name: str, value: float) -> None:
    (declared,) = (given for given in model.graph.input if given.name == name)
    array = np.array(value, models.dtype_of(declared)).reshape([1] * len(declared.type.tensor_type.shape.dim))
    model.graph.input.remove(declared)
    model.graph.initializer.append(numpy_helper.from_array(array, name))
    onnx.checker.check_model(model)
