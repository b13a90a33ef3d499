"""LSTM, GRU and RNN."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import numpy as np

from fns_lab.measure.sweep.axes import LEFT_OUT, NOT_FIRST_ALONE
from fns_lab.measure.sweep.draw import Draw, Family, Inputs
from fns_lab.measure.sweep.pairwise import Axes
from fns_lab.rewrite.recurrent import DEFAULTS, GATES

DIRECTIONS = (LEFT_OUT, "forward", "reverse", "bidirectional")
OPTIONAL = (LEFT_OUT, "given")
ACTIVATIONS: Mapping[str, tuple[float | None, float | None]] = {
    "Relu": (None, None), "Sigmoid": (None, None), "Softsign": (None, None), "Softplus": (None, None),
    "HardSigmoid": (0.3, 0.4), "LeakyRelu": (0.2, None), "Elu": (0.7, None), "Affine": (0.5, 0.1),
}  # fmt: skip
"""Activations of the last gate, with their alpha and beta where they have any."""


def _axes(op: str) -> Axes:
    axes: dict[str, tuple[Hashable, ...]] = {
        "steps": (3, 1, 7),
        "batch": (1, 2, 3),
        "features": (4, 1, 5, 17),
        "hidden": (4, 1, 3, 16, 65),
        "bias": OPTIONAL,
        "lengths": OPTIONAL,
        "state": OPTIONAL,
        "outputs": ("all", "sequence", "state"),
        "attribute direction": DIRECTIONS,
        "attribute clip": (LEFT_OUT, 0.5),
        "attribute layout": (LEFT_OUT, 0, 1),
        "activations": (LEFT_OUT, "stated", *ACTIVATIONS),
    }
    if op == "GRU":
        axes["attribute linear_before_reset"] = (LEFT_OUT, 0, 1)
    if op == "LSTM":
        axes |= {"attribute input_forget": (LEFT_OUT, 0, 1), "peepholes": OPTIONAL}
    return axes


def _recurrent(draw: Draw) -> Inputs:
    steps, batch, features, hidden = draw["steps"], draw["batch"], draw["features"], draw["hidden"]
    directions = 2 if draw.attributes.get("direction") == "bidirectional" else 1
    draw.set("hidden_size", hidden)
    _set_activations(draw, directions)
    states = 2 if draw.op == "LSTM" else 1
    draw.outputs = 1 if draw["outputs"] == "sequence" else 1 + states
    draw.unnamed = frozenset({0} if draw["outputs"] == "state" else ())
    batch_first = draw.attributes.get("layout") == 1
    rows = GATES[draw.op] * hidden
    inputs: list[np.ndarray | None] = [
        draw.array((batch, steps, features) if batch_first else (steps, batch, features)),
        draw.array((directions, rows, features), -0.5, 0.5),
        draw.array((directions, rows, hidden), -0.5, 0.5),
        draw.array((directions, 2 * rows)) if draw["bias"] else None,
        np.asarray(draw.rng.integers(1, steps + 1, batch), np.int32) if draw["lengths"] else None,
    ]
    state = (batch, directions, hidden) if batch_first else (directions, batch, hidden)
    inputs += [draw.array(state) if draw["state"] else None for _ in range(states)]
    if draw.op == "LSTM":
        inputs.append(draw.array((directions, 3 * hidden)) if draw["peepholes"] else None)
    return inputs


def _set_activations(draw: Draw, directions: int) -> None:
    if draw["activations"] is LEFT_OUT:
        return
    names = list(DEFAULTS[draw.op])
    if draw["activations"] != "stated":
        names[-1] = draw["activations"]
        for name, value in zip(("alpha", "beta"), ACTIVATIONS[names[-1]], strict=True):
            if value is not None:
                draw.set(f"activation_{name}", [value] * directions)
    draw.set("activations", names * directions)


FAMILIES = (
    Family(
        tuple(GATES),
        _axes,
        _recurrent,
        frozenset({"direction", "clip", "layout", "linear_before_reset", "input_forget", "hidden_size"}),
        constants=NOT_FIRST_ALONE,
    ),
)
