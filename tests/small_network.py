"""A small network, conv, normalise, relu, conv, in two versions: `regular()`, and `rewritten()` in basic ops."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from fns_lab import models

N, C, H, W = 2, 3, 7, 10
EPS = 1e-5
RULE = "normalise-by-moments"


def feeds(seed: int = 0) -> dict[str, np.ndarray]:
    """Return an input like an image, `(2, 3, 7, 10)`, 0..255."""
    return {"input": np.random.default_rng(seed).uniform(0, 255, (N, C, H, W)).astype(np.float32)}


def weights() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {
        "w1": rng.normal(size=(4, C, 3, 3)).astype(np.float32),
        "w2": rng.normal(size=(3, 4, 3, 3)).astype(np.float32),
        "scale": rng.uniform(0.5, 2, 4).astype(np.float32),
        "shift": rng.normal(size=4).astype(np.float32),
    }


def regular(output: str = "output", **free: str) -> onnx.ModelProto:
    """Return the network; `free` names dimensions of the input that have no fixed size, such as `h="H"`."""
    normalise = helper.make_node("InstanceNormalization", ["conv1", "scale", "shift"], ["norm"], epsilon=EPS)
    return _model([_conv("input", "w1", "conv1"), normalise, _relu(), _conv("relu", "w2", output)], output, **free)


def rewritten(output: str = "output", *, eps: float = EPS, axes: tuple[int, int] = (2, 3)) -> onnx.ModelProto:
    """Return the network with the normalisation in nine basic ops; wrong `eps` or `axes` make it faulty."""
    steps = [
        helper.make_node("ReduceMean", ["conv1"], ["mu"], axes=axes, keepdims=1),
        helper.make_node("Sub", ["conv1", "mu"], ["centred"]),
        helper.make_node("Mul", ["centred", "centred"], ["square"]),
        helper.make_node("ReduceMean", ["square"], ["var"], axes=axes, keepdims=1),
        helper.make_node("Add", ["var", "eps"], ["var_eps"]),
        helper.make_node("Sqrt", ["var_eps"], ["sd"]),
        helper.make_node("Div", ["centred", "sd"], ["unit"]),
        helper.make_node("Mul", ["unit", "scale4"], ["scaled"]),
        helper.make_node("Add", ["scaled", "shift4"], ["norm"]),
    ]
    for node in steps:
        node.doc_string = models.RULE_PREFIX + RULE
    extra = {
        "eps": np.array(eps, dtype=np.float32),
        "scale4": weights()["scale"].reshape(1, 4, 1, 1),
        "shift4": weights()["shift"].reshape(1, 4, 1, 1),
    }
    return _model([_conv("input", "w1", "conv1"), *steps, _relu(), _conv("relu", "w2", output)], output, extra)


def run(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Run the model once in ONNX Runtime and return its outputs by name."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds), strict=True))


def _conv(x: str, weight: str, y: str) -> onnx.NodeProto:
    return helper.make_node("Conv", [x, weight], [y], pads=[1, 1, 1, 1])


def _relu() -> onnx.NodeProto:
    return helper.make_node("Relu", ["norm"], ["relu"])


def _model(
    nodes: list, output: str, extra: dict | None = None, *, n: int | str = N, h: int | str = H, w: int | str = W
) -> onnx.ModelProto:
    shape = [n, C, h, w]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, [n, 3, h, w])],
        [numpy_helper.from_array(array, name) for name, array in (weights() | (extra or {})).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model
