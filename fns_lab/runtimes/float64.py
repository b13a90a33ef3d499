"""Run an ONNX model in float64: the truth that decides which of two float32 results is nearer.

ONNX Runtime has no Conv, InstanceNormalization or Resize for float64. ONNX's reference evaluator has, but takes minutes
for one style image. So the evaluator runs the model, cast to float64, with the two ops that take nearly all its time
replaced by PyTorch and NumPy, also in float64.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import AttributeProto, ModelProto, TensorProto, helper, inliner, numpy_helper

from fns_lab import models, weights
from fns_lab.errors import RuntimeFault
from fns_lab.feeds import fit_feeds
from fns_lab.models import model_label
from fns_lab.opset.nodes import REPEATING_MODES
from fns_lab.opset.schemas import unstated_defaults
from fns_lab.runtimes.base import ClosingRunner

if TYPE_CHECKING:
    from onnx.reference.op_run import OpRun

NAME = "onnx reference in float64"
"""What stands in place of an engine's version."""
SINGLE = (TensorProto.FLOAT, TensorProto.FLOAT16)
"""Element types that become float64."""
DEFINED_BY_OTHERS = frozenset({"Gelu", "GroupNormalization", "HardSwish", "MeanVarianceNormalization", "Mish"})
"""Ops that the evaluator computes as ONNX defines them in other ops, in float32: their definitions must be widened."""


class Float64Runner(ClosingRunner):
    """A runner that computes in float64: `infer` takes the unmodified model's feeds, and returns floats as float64.

    It belongs to no target: `target` is None.
    """

    target = None

    def __init__(self, model: ModelProto) -> None:
        from onnx.reference import ReferenceEvaluator

        self._model = model
        start = time.perf_counter()
        try:
            self._evaluator = ReferenceEvaluator(in_float64(model), new_ops=_own_ops())
        except Exception as error:  # the NumPy code of an op may raise any class
            raise RuntimeFault(NAME, model_label(model), str(error)) from error
        self.create_ms = (time.perf_counter() - start) * 1000

    def infer(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return every graph output by name. Raises InputError for feeds that do not fit, RuntimeFault for the rest."""
        feeds = {name: _widened(x) for name, x in fit_feeds(self._model, feeds).items()}
        start = time.perf_counter()
        try:
            values = self._evaluator.run(None, feeds)
        except Exception as error:
            raise RuntimeFault(NAME, model_label(self._model), str(error)) from error
        self.ms = (time.perf_counter() - start) * 1000
        return dict(zip(self._evaluator.output_names, values, strict=True))


def in_float64(model: ModelProto) -> ModelProto:
    """Return a copy whose float32 and float16 inputs, weights, constants and casts are float64."""
    wide = _with_definitions(model)
    for node in models.walk(wide.graph):
        for attribute in node.attribute:
            _widen(node, attribute)
    for tensor in wide.graph.initializer:
        tensor.CopyFrom(_widened_tensor(tensor))
    for value in (*wide.graph.input, *wide.graph.output, *wide.graph.value_info):
        if value.type.tensor_type.elem_type in SINGLE:
            value.type.tensor_type.elem_type = TensorProto.DOUBLE
    return wide


def _with_definitions(model: ModelProto) -> ModelProto:
    """Return a copy with the definition of each op of `DEFINED_BY_OTHERS` in its place."""
    copy = ModelProto()
    copy.CopyFrom(model)
    if not any(node.op_type in DEFINED_BY_OTHERS for node in models.walk(model.graph)):
        return copy
    copy.graph.value_info.extend(
        helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims) for tensor in copy.graph.initializer
    )
    for node in models.walk(copy.graph):
        if node.op_type in DEFINED_BY_OTHERS:
            stated = {attribute.name for attribute in node.attribute}
            node.attribute.extend(unstated_defaults(node.op_type, stated, models.opset(copy)))
    names = [("", op) for op in sorted(DEFINED_BY_OTHERS)]
    typed = onnx.shape_inference.infer_shapes(copy)
    return inliner.inline_selected_functions(typed, names, inline_schema_functions=True)


def _widen(node: onnx.NodeProto, attribute: AttributeProto) -> None:
    if attribute.type == AttributeProto.TENSOR:
        attribute.t.CopyFrom(_widened_tensor(attribute.t))
    elif node.op_type == "Cast" and attribute.name == "to" and attribute.i in SINGLE:
        attribute.i = TensorProto.DOUBLE
    elif node.op_type == "Constant" and attribute.name in ("value_float", "value_floats"):
        number = attribute.f if attribute.name == "value_float" else list(attribute.floats)
        tensor = numpy_helper.from_array(np.array(number, np.float64), attribute.name)
        attribute.CopyFrom(helper.make_attribute("value", tensor))


def _widened_tensor(tensor: TensorProto) -> TensorProto:
    if tensor.data_type not in SINGLE:
        return tensor
    return numpy_helper.from_array(_widened(weights.array(tensor)), tensor.name)


def _widened(x: np.ndarray) -> np.ndarray:
    return x.astype(np.float64) if x.dtype in (np.float32, np.float16) else x


def _own_ops() -> list[type[OpRun]]:
    """Return Conv in PyTorch, nearest Resize in NumPy and a Mean that broadcasts, which the evaluator's does not.

    The evaluator's own code runs what the first two do not cover.
    """
    from onnx.reference.ops import op_conv, op_mean, op_resize

    class Conv(op_conv.Conv):
        op_domain = ""

        def _run(self, *inputs: Any, **attributes: Any) -> tuple[np.ndarray, ...]:
            y = _conv(*inputs, **attributes)
            slow: Any = super()
            return slow._run(*inputs, **attributes) if y is None else (y,)

    class Resize(op_resize.Resize):
        op_domain = ""

        def _run(self, *inputs: Any, **attributes: Any) -> tuple[np.ndarray, ...]:
            y = _repeated(*inputs, **attributes)
            slow: Any = super()
            return slow._run(*inputs, **attributes) if y is None else (y,)

    class Mean(op_mean.Mean):
        op_domain = ""

        def _run(self, *inputs: Any) -> tuple[np.ndarray, ...]:
            return (sum(inputs) / len(inputs),)

    return [Conv, Resize, Mean]


def _conv(
    x: np.ndarray,
    w: np.ndarray,
    b: np.ndarray | None = None,
    *,
    auto_pad: str | None = None,
    dilations: Sequence[int] | None = None,
    group: int | None = None,
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
    **_: object,
) -> np.ndarray | None:
    """Return Conv of `(N, C, ...)` with 1 to 3 spatial dimensions, computed in PyTorch; None for what it cannot do."""
    import torch
    from torch.nn import functional as F

    rank = x.ndim - 2
    if auto_pad not in (None, "NOTSET") or rank not in (1, 2, 3):
        return None
    pads = pads or [0] * (2 * rank)
    torch_pads = [pad for i in reversed(range(rank)) for pad in (pads[i], pads[i + rank])]  # last dimension first
    padded = F.pad(torch.from_numpy(np.array(x)), torch_pads)
    bias = None if b is None else torch.from_numpy(np.array(b))
    conv = (F.conv1d, F.conv2d, F.conv3d)[rank - 1]
    y = conv(padded, torch.from_numpy(np.array(w)), bias, strides or 1, 0, dilations or 1, group or 1)
    return np.asarray(y.numpy())


def _repeated(
    x: np.ndarray,
    roi: np.ndarray | None = None,
    scales: np.ndarray | None = None,
    sizes: np.ndarray | None = None,
    **attributes: Any,
) -> np.ndarray | None:
    """Return a Resize that repeats each element a whole number of times; None for any other Resize."""
    modes = (attributes.get("coordinate_transformation_mode"), attributes.get("nearest_mode"))
    if attributes.get("mode") != "nearest" or attributes.get("axes") or modes not in REPEATING_MODES:
        return None
    ratios = scales if scales is not None and np.size(scales) else np.divide(np.asarray(sizes), x.shape)
    factors = np.asarray(ratios, np.float64)
    if (factors < 1).any() or (factors % 1 != 0).any():
        return None
    for axis, factor in enumerate(factors):
        x = np.repeat(x, int(factor), axis)
    return x
