"""Sizes of inputs that a model cannot take: a fault of the input, whichever engine reports it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import numpy as np
from onnx import ModelProto

from fns_lab.errors import InputError, RuntimeFault, one_line, shape_text
from fns_lab.runtimes import open_runner
from fns_lab.sizes import has_free_sizes

REFERENCE = "ort/cpu"
"""The target that is asked whether a model can take the sizes of its feeds."""


@contextlib.contextmanager
def as_input_error(model: ModelProto, feeds: Mapping[str, np.ndarray]) -> Iterator[None]:
    """Turn a `RuntimeFault` into an `InputError` if the sizes of the feeds caused it.

    They did if the model leaves sizes free, and ONNX Runtime loads it but cannot run it on these feeds. An engine that
    fails alone, and a model that takes one size only, stay a `RuntimeFault`.
    """
    try:
        yield
    except RuntimeFault:
        if reason := _reason(model, feeds):
            sizes = ", ".join(f"{name} {shape_text(np.shape(array))}" for name, array in feeds.items())
            raise InputError(f"the model cannot take inputs of these sizes ({sizes}): {reason}") from None
        raise


def _reason(model: ModelProto, feeds: Mapping[str, np.ndarray]) -> str:
    """Return what ONNX Runtime says against the sizes of the feeds, nothing if it runs or does not load the model."""
    if not has_free_sizes(model):
        return ""
    try:
        runner = open_runner(model, REFERENCE, once=True)
    except RuntimeFault:
        return ""
    with runner:
        try:
            runner.infer(dict(feeds))
        except RuntimeFault as fault:
            return one_line(fault.message.rpartition("Status Message: ")[2])
    return ""
