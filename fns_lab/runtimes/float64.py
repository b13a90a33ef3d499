"""ONNX in double precision: the judge between two float32 answers.

ONNX Runtime has no Conv, InstanceNormalization or Resize for doubles, and ONNX's reference evaluator, which has, takes
minutes for one style image. So the evaluator runs the model, cast to float64, and gets the two ops that cost it
nearly all its time from PyTorch and NumPy, also in float64.
"""

from __future__ import annotations

import time

import numpy as np
import onnx
from onnx import AttributeProto, ModelProto, TensorProto, helper, numpy_helper

from fns_lab import models
from fns_lab.errors import RuntimeFault
from fns_lab.opset.nodes import REPEATING_MODES
from fns_lab.runtimes.base import ClosingRunner, checked_feeds, model_label

NAME = "onnx reference in float64"
SINGLE = (TensorProto.FLOAT, TensorProto.FLOAT16)


class Float64Runner(ClosingRunner):
    """`infer` takes the feeds of the model as it is and gives every graph output, floats as float64."""

    target = None

    def __init__(self, model: ModelProto) -> None:
        from onnx.reference import ReferenceEvaluator

        self._model = model
        start = time.perf_counter()
        try:
            self._evaluator = ReferenceEvaluator(in_float64(model), new_ops=_fast_ops())
        except Exception as error:  # numpy code of many ops: any exception is the engine's answer
            raise RuntimeFault(NAME, model_label(model), str(error)) from error
        self.create_ms = (time.perf_counter() - start) * 1000

    def infer(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        feeds = {name: _widened(x) for name, x in checked_feeds(self._model, feeds).items()}
        start = time.perf_counter()
        try:
            values = self._evaluator.run(None, feeds)
        except Exception as error:
            raise RuntimeFault(NAME, model_label(self._model), str(error)) from error
        self.ms = (time.perf_counter() - start) * 1000
        return dict(zip(self._evaluator.output_names, values, strict=True))


def in_float64(model: ModelProto) -> ModelProto:
    """A copy whose float32 and float16 inputs, weights, constants and casts are float64."""
    wide = ModelProto()
    wide.CopyFrom(model)
    for node in models.walk(wide.graph):
        for attribute in node.attribute:
            _widen(node, attribute)
    for tensor in wide.graph.initializer:
        tensor.CopyFrom(_widened_tensor(tensor))
    for value in (*wide.graph.input, *wide.graph.output, *wide.graph.value_info):
        if value.type.tensor_type.elem_type in SINGLE:
            value.type.tensor_type.elem_type = TensorProto.DOUBLE
    return wide


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
    return numpy_helper.from_array(_widened(numpy_helper.to_array(tensor)), tensor.name)


def _widened(x: np.ndarray) -> np.ndarray:
    return x.astype(np.float64) if x.dtype in (np.float32, np.float16) else x


def _fast_ops() -> list[type]:
    """Conv through PyTorch, nearest Resize by whole factors as repetition; what these do not cover stays as it was."""
    import torch
    from onnx.reference.ops import op_conv, op_resize
    from torch.nn import functional as F

    class Conv(op_conv.Conv):
        op_domain = ""

        def _run(
            self, x, w, b=None, auto_pad=None, dilations=None, group=1, kernel_shape=None, pads=None, strides=None
        ):
            rank = x.ndim - 2
            if auto_pad not in (None, "NOTSET") or rank not in (1, 2, 3):
                return super()._run(x, w, b, auto_pad, dilations, group, kernel_shape, pads, strides)
            pads = pads or [0] * (2 * rank)
            ends = [side for i in reversed(range(rank)) for side in (pads[i], pads[i + rank])]
            arrays = [None if a is None else torch.from_numpy(np.array(a)) for a in (x, w, b)]
            conv = (F.conv1d, F.conv2d, F.conv3d)[rank - 1]
            y = conv(F.pad(arrays[0], ends), *arrays[1:], strides or 1, 0, dilations or 1, group or 1)
            return (y.numpy(),)

    class Resize(op_resize.Resize):
        op_domain = ""

        def _run(self, x, roi=None, scales=None, sizes=None, **attributes):
            factors = _whole_factors(x, scales, sizes, attributes)
            if factors is None:
                return super()._run(x, roi, scales, sizes, **attributes)
            for axis, factor in enumerate(factors):
                x = np.repeat(x, factor, axis)
            return (x,)

    return [Conv, Resize]


def _whole_factors(x: np.ndarray, scales, sizes, attributes: dict) -> list[int] | None:
    """How often Resize repeats each element of each axis; None where it does something else."""
    way = (attributes.get("coordinate_transformation_mode"), attributes.get("nearest_mode"))
    if attributes.get("mode") != "nearest" or attributes.get("axes") or way not in REPEATING_MODES:
        return None
    factors = np.asarray(scales if scales is not None and np.size(scales) else np.divide(sizes, x.shape), np.float64)
    return [int(factor) for factor in factors] if (factors >= 1).all() and (factors % 1 == 0).all() else None
