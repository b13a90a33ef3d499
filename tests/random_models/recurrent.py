"""LSTM, GRU and RNN with their attributes and optional inputs, each given or left out."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from onnx import helper

from tests.random_models.draw import OLD, OLDEST, model_of, opset_from, random_weights

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
ACTIVATIONS = {"LSTM": 3, "GRU": 2, "RNN": 1}
NAMES = ("Tanh", "Sigmoid", "HardSigmoid", "Softsign", "Relu", "LeakyRelu", "Elu", "Softplus", "ScaledTanh", "Affine")
SCALED = ("HardSigmoid", "LeakyRelu", "Elu", "ScaledTanh", "Affine")
"""Activations that read a number of `activation_alpha`."""
SHIFTED = ("HardSigmoid", "ScaledTanh", "Affine")
"""Activations that read a number of `activation_beta`."""


def recurrent(draw):
    op = draw(st.sampled_from(sorted(GATES)))
    steps, batch, inputs, hidden = (draw(st.integers(1, most)) for most in (5, 3, 4, 4))
    direction = draw(st.sampled_from(["forward", "reverse", "bidirectional"]))
    d, g = 1 + (direction == "bidirectional"), GATES[op]
    constants = {"w": random_weights(draw, d, g * hidden, inputs), "r": random_weights(draw, d, g * hidden, hidden) / 3}
    optional = {
        "b": random_weights(draw, d, 2 * g * hidden),
        "lengths": np.array([draw(st.integers(1, steps)) for _ in range(batch)], np.int32),
        "h": random_weights(draw, d, batch, hidden),
    }
    if op == "LSTM":
        optional |= {"c": random_weights(draw, d, batch, hidden), "p": random_weights(draw, d, 3 * hidden)}
    given = [name for name in optional if draw(st.booleans())]
    constants |= {name: optional[name] for name in given}
    inputs_ = ["x", "w", "r", *(name if name in given else "" for name in optional)]
    attributes = _attributes(draw, op, d) | {"direction": direction, "hidden_size": hidden}
    outputs = ["y", "y_h", "y_c"][: 3 if op == "LSTM" else 2]
    kept = draw(st.sampled_from([outputs, outputs[:1], outputs[1:]]))
    node = helper.make_node(op, inputs_, [o if o in kept else "" for o in outputs], name="node", **attributes)
    opset = opset_from(draw)
    target = draw(st.sampled_from([OLD, OLDEST]))
    return target, model_of([node], (steps, batch, inputs), constants, opset=opset, outputs=tuple(kept))


def _attributes(draw, op: str, d: int) -> dict:
    attributes = {"clip": draw(st.sampled_from([0.5, 2.0]))} if draw(st.booleans()) else {}
    if op == "GRU":
        attributes["linear_before_reset"] = draw(st.integers(0, 1))
    if op == "LSTM":
        attributes["input_forget"] = draw(st.integers(0, 1))
    if draw(st.booleans()):
        names = [draw(st.sampled_from(NAMES)) for _ in range(d * ACTIVATIONS[op])]
        attributes |= {
            "activations": names,
            "activation_alpha": [0.25] * sum(name in SCALED for name in names),
            "activation_beta": [0.4] * sum(name in SHIFTED for name in names),
        }
    return {name: value for name, value in attributes.items() if value != []}
