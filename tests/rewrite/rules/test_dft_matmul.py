import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import ROUNDING, assert_refused, assert_same, model, node, ops, run, values

TARGET = targets.load("onnxjs-0.1.3/cpu")


def dft(shape, *, opset=20, axis=None, length=None, **attributes):
    if opset < 20:
        axis = {} if axis is None else {"axis": axis}
        return model([node("DFT", "x", "y", **axis, **attributes)], shape, opset=opset)
    given = {"length": length, "axis": axis}
    names = [name if value is not None else "" for name, value in given.items()]
    while names and not names[-1]:  # ONNX Runtime crashes on a last input without a name
        names.pop()
    constants = {name: np.array(value) for name, value in given.items() if value is not None}
    return model([node("DFT", "x", *names, "y", **attributes)], shape, constants, opset=opset)


@pytest.mark.parametrize("length", [None, 4, 9])
@pytest.mark.parametrize(
    ("parts", "attributes"), [(1, {}), (2, {}), (1, {"inverse": 1}), (2, {"inverse": 1}), (1, {"onesided": 1})]
)
def test_each_transform(parts, attributes, length):
    before = dft((2, 7, 3, parts), axis=1, length=length, **attributes)
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["Transpose", "Reshape", "MatMul", "Reshape", "Transpose"]
    assert_same(before, lowered.model, values(2, 7, 3, parts), ROUNDING)


@pytest.mark.parametrize(("opset", "shape"), [(17, (3, 5, 1)), (20, (2, 3, 6, 2)), (22, (6, 2))])
def test_the_default_axis(opset, shape):
    before = dft(shape, opset=opset)
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["Reshape", "MatMul", "Reshape"]
    assert_same(before, lowered.model, values(*shape), ROUNDING)


@pytest.mark.parametrize("length", [None, 6, 7, 9, 12])
def test_a_onesided_inverse_gives_real_numbers(length):
    """Compared with numpy: ONNX Runtime has it in another form."""
    lowered = lower(dft((2, 5, 2), length=length, inverse=1, onesided=1), TARGET)
    assert lowered, lowered.refused.to_string()
    x = values(2, 5, 2)
    right = np.fft.irfft(x[..., 0] + 1j * x[..., 1], length, axis=1)[..., None]
    np.testing.assert_allclose(run(lowered.model, x), right, rtol=0, atol=1e-6)


def stft(step, *, window=None, length=None, parts=1, signal=30, **attributes):
    constants = {"step": np.array(step)}
    constants |= {} if window is None else {"window": window}
    constants |= {} if length is None else {"length": np.array(length)}
    names = [name if name in constants else "" for name in ("step", "window", "length")]
    nodes = [node("STFT", "x", *names, "y", **attributes)]
    return model(nodes, (2, signal, parts), constants, opset=17)


@pytest.mark.parametrize(
    "before",
    [
        stft(4, length=9, onesided=1),  # onnx infers a wrong shape where the attribute is left out
        stft(5, window=np.hanning(8).astype(np.float32), onesided=1),
        stft(3, window=np.hanning(7).astype(np.float32), length=7, onesided=0),
        stft(14, length=16, onesided=0),
    ],
)
def test_frames_of_a_signal(before):
    lowered = lower(before, TARGET)
    assert lowered, lowered.refused.to_string()
    assert_same(before, lowered.model, values(2, 30, 1), ROUNDING)


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        (dft((2, "N", 2)), "not fixed"),
        (dft((2, 5, 2), onesided=1), "of complex numbers"),
        (dft((2, 5, 1), onesided=1, inverse=1), "of real numbers"),
        (dft((1, 4_000_000, 1)), "elements, more than"),
        (stft(4, length=31), "frames of 31 samples"),
    ],
)
def test_refusals(before, reason):
    assert_refused(before, TARGET, "dft-matmul", reason)
