"""What `check` says of small models of many ops, types and domains is what the engine of each target does.

Where it says yes the engine is right. Where it says no for a type, a domain or a missing op, the engine refuses or is
wrong; what it could do all the same stands in `CAUTIOUS`.
"""

import numpy as np
import pytest
from onnx import TensorProto, helper

from fns_lab import targets
from fns_lab.errors import InputError, RuntimeFault
from fns_lab.measure.matrix.variants import loadable
from fns_lab.runtimes import open_runner
from tests.runtimes.graphs import BROWSER_TARGETS, PIP_TARGETS, graph, node

SHAPE = (1, 2, 3, 4)
LARGE = 2**24 + 1
"""float32 has no such number."""

CAUTIOUS = {"openvino/cpu": {"Add of UINT8"}}
"""By target: models that it computes right although `check` says no: here nothing overflows."""


def of(element_type, shape=SHAPE):
    """Return seeded values: small floats, or integers of which one is too large for float32 where the type holds it."""
    dtype = helper.tensor_dtype_to_np_dtype(TensorProto.DataType.Value(element_type))
    rng = np.random.default_rng(3)
    if dtype.kind == "b":
        return rng.integers(0, 2, shape).astype(dtype)
    values = rng.integers(1, 5, shape) if dtype.kind in "iu" else rng.uniform(0.5, 4, shape)
    if dtype.kind in "iu" and dtype.itemsize >= 4:
        values.flat[-1] = LARGE
    return values.astype(dtype)


def unary(op, compute, opset=13, **attributes):
    def case(element_type):
        x = of(element_type)
        return [node(op, "x", "y", **attributes)], {"x": x}, {}, compute(x), opset

    return case


def binary(op, compute, **attributes):
    def case(element_type):
        x = of(element_type)
        return (
            [node(op, "x z", "y", **attributes)],
            {"x": x, "z": x[..., ::-1].copy()},
            {},
            compute(x, x[..., ::-1]),
            14,
        )

    return case


def gather(element_type):
    x = of(element_type)
    return [node("Gather", "x i", "y", axis=3)], {"x": x}, {"i": np.array([3, 0])}, x[..., [3, 0]], 13


def pad(element_type):
    x, pads = of(element_type), np.array([0, 0, 0, 1, 0, 0, 0, 1])
    return [node("Pad", "x p", "y")], {"x": x}, {"p": pads}, np.pad(x, ((0, 0), (0, 0), (0, 0), (1, 1))), 13


def reshape(element_type):
    x = of(element_type)
    return [node("Reshape", "x s", "y")], {"x": x}, {"s": np.array([6, 4])}, x.reshape(6, 4), 13


def foreign(op, domain, compute, **attributes):
    x = of("FLOAT", (2, 4))
    return [node(op, "x", "y", domain=domain, **attributes)], {"x": x}, {}, compute(x), 13


BY_TYPE = {
    "Relu": unary("Relu", lambda x: np.maximum(x, 0)),
    "Neg": unary("Neg", np.negative),
    "Abs at 7": unary("Abs", np.abs, 7),
    "Transpose": unary("Transpose", lambda x: x.transpose(3, 2, 1, 0), perm=[3, 2, 1, 0]),
    "Concat": binary("Concat", lambda x, z: np.concatenate([x, z], 1), axis=1),
    "Add": binary("Add", np.add),
    "Gather": gather,
    "Pad": pad,
    "Reshape": reshape,
}
TYPES = ("FLOAT", "FLOAT16", "INT32", "INT64", "UINT8")
NO_SUCH_TYPE = {("Relu", "UINT8"), ("Neg", "UINT8"), ("Relu", "INT32"), ("Relu", "INT64")}
"""Pairs that ONNX does not have at the opset."""

FOREIGN = {
    "Scaler": foreign("Scaler", "ai.onnx.ml", lambda x: (x - 1) * 2, offset=[1.0], scale=[2.0]),
    "Binarizer": foreign("Binarizer", "ai.onnx.ml", lambda x: (x > 1).astype(np.float32), threshold=1.0),
    "QuickGelu": foreign("QuickGelu", "com.microsoft", lambda x: x / (1 + np.exp(-1.702 * x))),
    "Trilu": foreign("Trilu", "com.microsoft", np.triu),
    "Invented": foreign("Invented", "com.example", lambda x: x),
}


def models():
    """Yield name, model, feeds and expected output."""
    for op, case in BY_TYPE.items():
        for element_type in TYPES:
            if (op, element_type) not in NO_SUCH_TYPE:
                yield f"{op} of {element_type}", *_built(*case(element_type))
    for op, parts in FOREIGN.items():
        yield op, *_built(*parts)


def _built(nodes, feeds, constants, expected, opset):
    proto = graph(
        nodes, feeds, constants, outputs={"y": expected.shape}, opset=opset, ir_version=8,
        output_type=helper.np_dtype_to_tensor_dtype(expected.dtype), initializers_are_inputs=False,
    )  # fmt: skip
    proto.opset_import.extend(helper.make_opsetid(each.domain, 1) for each in nodes if each.domain)
    return proto, feeds, expected


def is_right(proto, target, feeds, expected):
    try:
        with open_runner(proto, target, timeout_s=30) as runner:
            actual = runner.infer(feeds)["y"]
    except (RuntimeFault, InputError):
        return False
    limit = {"f2": 1e-2, "f4": 1e-3, "f8": 1e-3}.get(expected.dtype.str[1:], 0)
    return actual.shape == expected.shape and bool(
        np.abs(actual.astype(np.float64) - expected.astype(np.float64)).max() <= limit
    )


@pytest.mark.sampled(5)
@pytest.mark.parametrize("name", [*PIP_TARGETS, *BROWSER_TARGETS])
def test_check_agrees_with_the_engine(name):
    target = targets.load(name)
    broken, cautious = [], set()
    for what, written, feeds, expected in models():
        proto = loadable(written, target)
        checked = targets.check(proto, target)
        right = is_right(proto, target, feeds, expected)
        if checked and not right:
            broken.append(what)
        elif right and not checked:
            cautious.add(what)
    assert broken == []
    assert cautious == CAUTIOUS.get(name, set())
