"""The models of a preview: exported, lowered and loaded when first needed, then kept."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from onnx import ModelProto

from fns_lab import targets
from fns_lab.calls import CallProcess, CallStopped
from fns_lab.errors import InputError
from fns_lab.models import input_shapes
from fns_lab.rewrite.lower import lower
from fns_lab.runtimes import Runner, open_runner
from fns_lab.sizes import with_input_shapes
from fns_lab.targets import Target
from fns_lab.targets.checking import check
from fns_lab.views.widgets.choice import BASE_OPS, LOWERED, REGULAR, TUNED, Choice, Network, Result
from fns_lab.views.widgets.worker import Cancelled, Job

OPEN_RUNNERS = 4
"""Number of loaded models that are kept, at most; the least recently used is closed first."""
KEPT_MODELS = 8
"""Number of lowered models that are kept, at most."""
REFERENCE = "ort/cpu"
"""The engine in which the regular model runs, with whose image the others are compared."""

Value = TypeVar("Value")
"""What is kept."""
Key = tuple[str, str, str, tuple[int, ...]]
"""Network, model, engine and shape of the input."""


@dataclass(frozen=True)
class Ready:
    """A model as an engine loads it, the name of its input, and its number of nodes."""

    model: ModelProto
    input: str
    nodes: int


class ModelStore:
    """The networks of a preview and what was made of them.

    `networks` and `base_ops` are by network, `tuned` by network and engine.
    """

    def __init__(
        self,
        networks: Mapping[str, Network],
        base_ops: Mapping[str, Network],
        tuned: Mapping[tuple[str, str], Network],
    ) -> None:
        self._sources: dict[tuple[str, ...], Network] = {(REGULAR, name): model for name, model in networks.items()}
        self._sources |= {(BASE_OPS, name): model for name, model in base_ops.items()}
        self._sources |= {(TUNED, *names): model for names, model in tuned.items()}
        self.kinds = [REGULAR, *([BASE_OPS] if base_ops else []), LOWERED, *([TUNED] if tuned else [])]
        """The models that can be chosen."""
        self._exported: dict[tuple[str, ...], ModelProto] = {}
        self._exporter = CallProcess()
        self._ready: OrderedDict[Key, Ready] = OrderedDict()
        self._runners: OrderedDict[Key, Runner] = OrderedDict()
        self._reference: tuple[str, np.ndarray, np.ndarray] | None = None
        """The network and the image of which the regular model's image was computed last, and that image."""

    def ready(self, choice: Choice, shape: tuple[int, ...], job: Job) -> Ready:
        """Return the chosen model for the chosen engine at this input shape.

        Raises `InputError` where there is none, or where the engine does not support it.
        """
        key = (choice.network, choice.model, choice.engine, shape)
        if key not in self._ready:
            self._ready[key] = self._made(choice, shape, job)
            _drop_oldest(self._ready, KEPT_MODELS)
        self._ready.move_to_end(key)
        return self._ready[key]

    def runner(self, choice: Choice, shape: tuple[int, ...], job: Job) -> Runner:
        """Return a runner of what `ready` returns."""
        key = (choice.network, choice.model, choice.engine, shape)
        if key not in self._runners:
            model = self.ready(choice, shape, job).model
            job.step(f"loading the model into {choice.engine}", 0.7)
            self._runners[key] = open_runner(model, choice.engine)
            for runner in _drop_oldest(self._runners, OPEN_RUNNERS):
                runner.close()
        self._runners.move_to_end(key)
        return self._runners[key]

    def run(self, choice: Choice, x: np.ndarray, job: Job) -> Result:
        """Return what the chosen engine makes of an image. Raises what `ready` and every runner raise."""
        name, runner = self.ready(choice, x.shape, job).input, self.runner(choice, x.shape, job)
        job.stop = runner.cancel
        try:
            (y,) = runner.infer({name: x}).values()
        finally:
            job.stop = None
        job.check()
        nodes = self.ready(choice, x.shape, job).nodes
        return Result.of(choice, y[..., : x.shape[2], : x.shape[3]], nodes, runner.create_ms, runner.ms)

    def reference(self, network: str, x: np.ndarray, job: Job) -> np.ndarray:
        """Return the image of the regular model in the reference engine; the latest one is kept."""
        if self._reference is None or self._reference[0] != network or self._reference[1] is not x:
            choice = Choice("", network, None, REGULAR, "", REFERENCE)
            name = self.ready(choice, x.shape, job).input
            (y,) = self.runner(choice, x.shape, job).infer({name: x}).values()
            self._reference = network, x, y[..., : x.shape[2], : x.shape[3]]
        return self._reference[2]

    def unload(self) -> None:
        """Close the loaded models; the next run of one loads it again."""
        self._reference = None
        while self._runners:
            self._runners.popitem()[1].close()

    def close(self) -> None:
        """Close the loaded models and end the process that exports."""
        self._exporter.stop()
        self.unload()

    def _made(self, choice: Choice, shape: tuple[int, ...], job: Job) -> Ready:
        target = targets.load(choice.engine)
        kind = REGULAR if choice.model == LOWERED else choice.model
        names = (choice.network, choice.engine) if kind == TUNED else (choice.network,)
        exported = self._export((kind, *names), job)
        ((name, declared),) = input_shapes(exported).items()
        if all(isinstance(length, int) for length in declared) and declared != shape:
            raise InputError(
                f"the {choice.model} model of {choice.network} takes {declared[2]} x {declared[3]} pixels only"
            )
        job.step(f"preparing {choice.network} for {choice.engine}", 0.5)
        model = _for_target(exported, choice.model, target, {name: shape})
        return Ready(model, name, len(model.graph.node))

    def _export(self, key: tuple[str, ...], job: Job) -> ModelProto:
        """Return the model of one source, called if it is a function and was not called yet."""
        if key not in self._sources:
            kind, *names = key
            raise InputError(f"there is no {kind} model of {' for '.join(names)}; choose another model")
        source = self._sources[key]
        if isinstance(source, ModelProto):
            return source
        if key not in self._exported:
            job.step(f"exporting {key[1]}", 0.2)
            job.stop = self._exporter.stop
            try:
                self._exported[key] = self._exporter.call(source) if _can_be_pickled(source) else source()
            except CallStopped:
                raise Cancelled from None
            finally:
                job.stop = None
        return self._exported[key]


def _for_target(model: ModelProto, kind: str, target: Target, shapes: dict[str, tuple[int, ...]]) -> ModelProto:
    """Return the model lowered where it is to be; raise `InputError` where the target does not support the result."""
    if kind in (REGULAR, TUNED):
        fixed = with_input_shapes(model, shapes)
        answer = check(fixed, target)
        if not answer:
            raise InputError(f"{answer}; choose the model '{LOWERED}'")
        return fixed
    lowering = lower(model, target, shapes=shapes)
    if not lowering:
        raise InputError(str(lowering))
    return lowering.model


def _can_be_pickled(function: object) -> bool:
    """Return whether a function can be sent to another process; those written in a notebook cannot."""
    try:
        pickle.dumps(function)
    except (pickle.PicklingError, AttributeError, TypeError):
        return False
    return getattr(function, "__module__", "") != "__main__"


def _drop_oldest(kept: OrderedDict[Key, Value], most: int) -> list[Value]:
    """Remove the oldest entries beyond `most` and return them."""
    return [kept.popitem(last=False)[1] for _ in range(len(kept) - most)]
