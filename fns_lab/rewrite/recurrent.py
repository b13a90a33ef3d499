"""The cells of LSTM, GRU and RNN in basic ops: one step of one direction, after the product of its input is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_array, fixed_shape, node_input
from fns_lab.rewrite.rule import Refusal, RewriterContext, Rule, initializer

F32 = np.float32
"""NumPy's float32."""
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
"""Number of matrices that a layer's weights hold."""
DEFAULTS = {"LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh"), "RNN": ("Tanh",)}
"""Activations of one direction."""
STATES = {"LSTM": 2, "GRU": 1, "RNN": 1}
"""Number of values that a step hands on: h, and for LSTM c."""
PLAIN = {name.lower(): name for name in ("Relu", "Tanh", "Sigmoid", "Softsign", "Softplus")}
"""Ops of the activations without parameters, by their name in lower case."""
SCALED = {"leakyrelu": ("LeakyRelu", 0.01), "thresholdedrelu": ("ThresholdedRelu", 1.0), "elu": ("Elu", 1.0)}
"""Activations with alpha alone and their default."""

CELL_OUTPUT = 2
"""Index of the activation of an LSTM's cell, whose input the attribute clip leaves as it is, as in ONNX Runtime."""

Activation = Callable[[ir.Value, str], ir.Value]
"""Writes an activation of a value under a name."""


@dataclass(frozen=True)
class Direction:
    """The constants of one direction of a recurrent node: G gates, input size I, hidden size H.

    - `w`: `(I, G H)`; `r`: `(H, G H)`; `bias`: `(G H,)`, that of the input
    - `recurrent_bias`: `(G H,)`, 0 where it is added to `bias` already
    - `peepholes`: `(3, H)` for the gates i, o and f of an LSTM, None without
    - `reverse`: whether steps run from the last to the first
    """

    w: np.ndarray
    r: np.ndarray
    bias: np.ndarray
    recurrent_bias: np.ndarray
    peepholes: np.ndarray | None
    reverse: bool


def directions(node: ir.Node) -> list[Direction]:
    """Return the directions of a recurrent node. Raises `NodeError` if a weight is computed."""
    name = node.attributes.get_string("direction", "forward")
    w, r = (constant_array(node_input(node, index)) for index in (1, 2))
    both = _optional(node, 3)
    bias = np.zeros((len(w), 2 * w.shape[1]), F32) if both is None else both
    peepholes = _optional(node, 7) if node.op_type == "LSTM" else None
    apart = node.op_type == "GRU" and node.attributes.get_int("linear_before_reset", 0) == 1
    found = []
    for d, reverse in enumerate({"forward": [False], "reverse": [True], "bidirectional": [False, True]}[name]):
        of_input, recurrent = np.split(bias[d], 2)
        if not apart:
            of_input, recurrent = of_input + recurrent, np.zeros_like(recurrent)
        holes = None if peepholes is None or not peepholes[d].any() else peepholes[d].reshape(3, -1)
        found.append(Direction(w[d].T.copy(), r[d].T.copy(), of_input, recurrent, holes, reverse))
    return found


def _optional(node: ir.Node, index: int) -> np.ndarray | None:
    value = node.inputs[index] if len(node.inputs) > index else None
    return None if value is None else constant_array(value)


def activation_names(node: ir.Node) -> list[list[tuple[str, float | None, float | None]]]:
    """Return name, alpha and beta of each activation, per direction. Raises `Refusal` for one that is not known."""
    count = len(DEFAULTS[node.op_type])
    stated = list(node.attributes.get_strings("activations", ()))
    both = node.attributes.get_string("direction", "forward") == "bidirectional"
    names = [name.lower() for name in stated or DEFAULTS[node.op_type] * (1 + both)]
    if len(names) != count * (1 + both):
        raise Refusal(f"{len(names)} activations are stated, {count * (1 + both)} are needed")
    alphas, betas = (iter(node.attributes.get_floats(f"activation_{kind}", ())) for kind in ("alpha", "beta"))
    parameters = [(name, *_parameters(name, alphas, betas)) for name in names]
    return [parameters[i : i + count] for i in range(0, len(parameters), count)]


def _parameters(name: str, alphas: Iterator[float], betas: Iterator[float]) -> tuple[float | None, float | None]:
    """Return alpha and beta of an activation; those that take them read the next number of each list."""
    if name in PLAIN:
        return None, None
    if name in SCALED:
        return next(alphas, SCALED[name][1]), None
    if name == "hardsigmoid":
        return next(alphas, 0.2), next(betas, 0.5)
    if name not in ("affine", "scaledtanh"):
        raise Refusal(f"the activation {name} is not supported")
    alpha, beta = next(alphas, None), next(betas, None)
    if alpha is None or beta is None:
        raise Refusal(f"the activation {name} is stated without alpha and beta")
    return alpha, beta


class Cell:
    """Writes the steps of one direction of a recurrent node.

    `state` is h `(N, H)`, and for LSTM c `(N, H)`; `gates` of a step are the product of its input, `(N, G H)`.
    """

    def __init__(self, rule: Rule, op: RewriterContext, node: ir.Node, direction: Direction, which: int) -> None:
        self.rule, self.op, self.node, self.name = rule, op, node, f"{node.outputs[0].name}.direction{which}"
        self.constants: dict[str, ir.Value] = {}
        self.hidden = len(direction.r)
        self.clip = node.attributes.get_float("clip", None)
        names = activation_names(node)[which]
        self.activations = [self._activation(*name, clipped=i != CELL_OUTPUT) for i, name in enumerate(names)]
        self.holes = direction.peepholes
        self.one = self._constant(np.ones(1), "one")
        whole = node.op_type != "GRU"
        parts = [slice(None)] if whole else [slice(2 * self.hidden), slice(2 * self.hidden, None)]
        self.r = [self._constant(direction.r[:, part], f"recurrent{i}") for i, part in enumerate(parts)]
        self.reset_bias = direction.recurrent_bias[2 * self.hidden :] if not whole else None
        self.zr_bias = direction.recurrent_bias[: 2 * self.hidden]

    def step(self, gates: ir.Value, state: Sequence[ir.Value], name: str) -> list[ir.Value]:
        """Write one step and return the next state."""
        steps = {"LSTM": self._lstm, "GRU": self._gru, "RNN": self._rnn}
        return steps[self.node.op_type](gates, state, name)

    def _rnn(self, gates: ir.Value, state: Sequence[ir.Value], name: str) -> list[ir.Value]:
        (f,) = self.activations
        product = self._mat_mul(state[0], self.r[0], f"{name}.product")
        return [f(self._add(gates, product, f"{name}.gates"), f"{name}.h")]

    def _gru(self, gates: ir.Value, state: Sequence[ir.Value], name: str) -> list[ir.Value]:
        (h,), (f, g), size = state, self.activations, self.hidden
        product = self._mat_mul(h, self.r[0], f"{name}.product")
        zr = self._add(self._columns(gates, 0, 2 * size, f"{name}.zr_input"), product, f"{name}.zr_sum")
        if self.zr_bias.any():
            zr = self._add(zr, self._constant(self.zr_bias, "zr_bias"), f"{name}.zr_biased")
        both = f(zr, f"{name}.zr")
        z, r = (self._columns(both, i * size, (i + 1) * size, f"{name}.{gate}") for i, gate in enumerate("zr"))
        if self.node.attributes.get_int("linear_before_reset", 0):
            inner = self._mat_mul(h, self.r[1], f"{name}.hidden_product")
            if self.reset_bias is not None and self.reset_bias.any():
                inner = self._add(inner, self._constant(self.reset_bias, "reset_bias"), f"{name}.hidden_biased")
            inner = self._mul(r, inner, f"{name}.reset")
        else:
            inner = self._mat_mul(self._mul(r, h, f"{name}.reset"), self.r[1], f"{name}.hidden_product")
        of_input = self._columns(gates, 2 * size, 3 * size, f"{name}.input")
        new = g(self._add(of_input, inner, f"{name}.sum"), f"{name}.new")
        kept = self._mul(z, h, f"{name}.kept")
        rest = self.op.Sub(self.one, z, _outputs=[f"{name}.rest"])
        return [self._add(self._mul(rest, new, f"{name}.added"), kept, f"{name}.h")]

    def _lstm(self, gates: ir.Value, state: Sequence[ir.Value], name: str) -> list[ir.Value]:
        (h, c), (f, g, at_end), size = state, self.activations, self.hidden
        total = self._add(gates, self._mat_mul(h, self.r[0], f"{name}.product"), f"{name}.gates")
        i, o, forget, new = (self._columns(total, k * size, (k + 1) * size, f"{name}.{gate}_sum")
                             for k, gate in enumerate("iofc"))  # fmt: skip
        i = f(self._peep(i, c, 0, f"{name}.i_all"), f"{name}.i")
        if self.node.attributes.get_int("input_forget", 0):
            forget = self.op.Sub(self.one, i, _outputs=[f"{name}.f"])
        else:
            forget = f(self._peep(forget, c, 2, f"{name}.f_all"), f"{name}.f")
        added = self._mul(i, g(new, f"{name}.new"), f"{name}.added")
        c = self._add(self._mul(forget, c, f"{name}.kept"), added, f"{name}.c")
        o = f(self._peep(o, c, 1, f"{name}.o_all"), f"{name}.o")
        return [self._mul(o, at_end(c, f"{name}.ending"), f"{name}.h"), c]

    def _peep(self, gate: ir.Value, c: ir.Value, index: int, name: str) -> ir.Value:
        """Add the peephole of a gate: its weights times the cell c."""
        if self.holes is None:
            return gate
        weights = self._constant(self.holes[index], f"peephole{index}")
        return self._add(gate, self._mul(c, weights, f"{name}.hole"), name)

    def _activation(self, kind: str, alpha: float | None, beta: float | None, *, clipped: bool) -> Activation:
        op = self.op

        def write(x: ir.Value, name: str) -> ir.Value:
            x = self._clipped(x, f"{name}.clipped") if clipped else x
            if kind in PLAIN:
                return op.op(PLAIN[kind], x, _outputs=[name])
            if kind in SCALED:
                return op.op(SCALED[kind][0], x, alpha=alpha, _outputs=[name])
            if kind == "hardsigmoid":
                return op.HardSigmoid(x, alpha=alpha, beta=beta, _outputs=[name])
            a, b = (self._constant(np.array([number]), f"{kind}_{number}") for number in (alpha, beta))
            if kind == "affine":
                return self._add(self._mul(x, a, f"{name}.scaled"), b, name)
            return self._mul(op.Tanh(self._mul(x, b, f"{name}.scaled"), _outputs=[f"{name}.tanh"]), a, name)

        return write

    def _clipped(self, x: ir.Value, name: str) -> ir.Value:
        if self.clip is None:
            return x
        x.type = ir.TensorType(ir.DataType.FLOAT)
        return self.rule.clip(self.op, x, -self.clip, self.clip, name)

    def _columns(self, x: ir.Value, start: int, end: int, name: str) -> ir.Value:
        part = self.rule.slice(self.op, x, [start], [end], [1], name)
        part.name = name
        return part

    def _constant(self, array: np.ndarray, name: str) -> ir.Value:
        """Return an initializer, the same one for the same name."""
        if name not in self.constants:
            self.constants[name] = initializer(self.op, np.ascontiguousarray(array, F32), f"{self.name}.{name}")
        return self.constants[name]

    def _add(self, a: ir.Value, b: ir.Value, name: str) -> ir.Value:
        return self.op.Add(a, b, _outputs=[name])

    def _mul(self, a: ir.Value, b: ir.Value, name: str) -> ir.Value:
        return self.op.Mul(a, b, _outputs=[name])

    def _mat_mul(self, a: ir.Value, b: ir.Value, name: str) -> ir.Value:
        return self.op.MatMul(a, b, _outputs=[name])


def sizes(node: ir.Node) -> tuple[int, int, int]:
    """Return the number of steps, images in a batch and inputs of a recurrent node. Raises `NodeError` if not fixed."""
    first, second, size = fixed_shape(node_input(node, 0))
    return (second, first, size) if node.attributes.get_int("layout", 0) else (first, second, size)
