"""The same network in fewer bits: float32 to float16, and to int8 by static quantisation.

Both use ONNX Runtime's own converters. Inputs and outputs stay float32, so that a smaller model can replace the larger
one anywhere. Values that still exist keep their names.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto

from fns_lab import models, weights
from fns_lab.errors import InputError
from fns_lab.feeds import fit_feeds
from fns_lab.process import quiet

Feeds = Mapping[str, np.ndarray]
"""Arrays by the name of the input that they are for."""

LARGEST_FLOAT16 = float(np.finfo(np.float16).max)
"""Largest finite number in float16."""
SMALLER_TYPES = {TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.INT8, TensorProto.UINT8}
"""Element types of fewer bits than float32, in a model that is already smaller."""
PERCENTILE = 99.99
"""Percentage of an activation's values that its 8 bits cover; the rest is clipped. A few outliers would otherwise make
the quantisation step larger: on the shipped network of width 16 the image gains 2 dB over the full range."""


def fp16_from_float32(model: ModelProto) -> ModelProto:
    """Return the model with weights and arithmetic in float16, in half the bytes.

    An engine may still compute in float32: ONNX Runtime's CPU kernels do, and round the weights only; a GPU needs
    `shader-f16`. InstanceNormalization is converted too, since the engines sum its squares in float32. Convert before
    lowering: a normalisation in basic ops squares in float16, which after the first convolution exceeds 65504,
    float16's largest value. Raises `InputError` for a weight beyond it, and for a model whose weights are not float32.
    """
    from onnxruntime.transformers.float16 import convert_float_to_float16

    _check_weights(model)
    copy = ModelProto()
    copy.CopyFrom(model)
    with quiet():  # it warns of every weight below 6e-8 that becomes 6e-8
        converted = convert_float_to_float16(copy, keep_io_types=True)
    del converted.graph.value_info[:]  # it calls every value float16, also the scales of Resize, which are float32
    return models.infer_shapes(_tidy(converted))


def int8_from_float32(model: ModelProto, calibration: Iterable[Mapping[str, np.ndarray]]) -> ModelProto:
    """Return the model with convolutions in int8 as QDQ nodes: one scale per channel for weights, one per activation.

    `calibration`: feeds like those that the model will get, such as a few photographs; the ranges of the activations
    are taken from them (`PERCENTILE`). Only convolutions are quantised: no other int8 kernel is faster here, and
    InstanceNormalization needs floats. The first and the last convolution stay float32: they hold few weights, an
    error next to the image is visible, and with three input or output channels they are slower in int8.

    Raises `InputError` without feeds or for feeds that do not fit, and for a model with nothing to quantise.
    """
    chosen = _inner_convolutions(model)
    checked = [fit_feeds(model, feeds) for feeds in calibration]
    if not checked:
        raise InputError("no input to calibrate with; give a few photographs")
    with tempfile.TemporaryDirectory() as folder, quiet():
        # Through a file: given a model in memory, the quantiser moves that model's own weights into another file.
        source, result = models.save(model, Path(folder, "float32.onnx")), Path(folder, "int8.onnx")
        _quantize(source, result, checked, chosen)
        return models.load(result)


def _quantize(source: Path, result: Path, feeds: Sequence[Feeds], nodes: list[str]) -> None:
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    quantize_static(
        source,
        result,
        _Reader(feeds),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=["Conv"],
        nodes_to_quantize=nodes,
        per_channel=True,
        activation_type=QuantType.QInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod.Percentile,
        extra_options={"CalibPercentile": PERCENTILE},
    )


class _Reader:
    """Gives the feeds one by one, with the method of ONNX Runtime's `CalibrationDataReader`."""

    def __init__(self, feeds: Sequence[Feeds]) -> None:
        self._feeds = iter(feeds)

    def get_next(self) -> Feeds | None:
        """Return the next input, None after the last."""
        return next(self._feeds, None)


def _inner_convolutions(model: ModelProto) -> list[str]:
    """Return the names of all float32 convolutions but the first and the last."""
    weights = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    convolutions = [n for n in model.graph.node if n.op_type == "Conv" and _has_float32_weight(n, weights)]
    if len(convolutions) < 3:
        raise InputError(
            f"{len(convolutions)} convolutions with float32 weights: nothing to quantise between the first and the last"
        )
    if not all(node.name for node in convolutions):
        raise InputError("a convolution without a name cannot be quantised; name every node")
    return [node.name for node in convolutions[1:-1]]


def _has_float32_weight(node: NodeProto, weights: Mapping[str, int]) -> bool:
    return weights.get(node.input[1]) == TensorProto.FLOAT


def _check_weights(model: ModelProto) -> None:
    types = {tensor.data_type for tensor in model.graph.initializer}
    if TensorProto.FLOAT not in types or types & SMALLER_TYPES:
        raise InputError("the weights are not all float32; give the model as it was exported")
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            largest = np.abs(weights.array(tensor)).max(initial=0)
            if not largest <= LARGEST_FLOAT16:
                raise InputError(f"weight {tensor.name!r} holds {largest:g}; float16 ends at {LARGEST_FLOAT16:g}")


def _tidy(model: ModelProto) -> ModelProto:
    """Return the model with its nodes in topological order and the casts of constants folded.

    The converter appends its casts at the end of the node list. One of them casts the scales of Resize from float32 to
    float32, after which shape inference no longer knows the result's shape.
    """
    import onnx_ir as ir
    from onnxscript import optimizer

    copy = ir.from_proto(model)
    copy.graph.sort()
    optimizer.fold_constants(copy)
    return ir.to_proto(copy)
