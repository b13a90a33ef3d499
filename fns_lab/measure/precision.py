"""The same network in fewer bits: float32 to float16, and to int8 by static quantisation. ONNX in, ONNX out.

Both use ONNX Runtime's own converters. Inputs and outputs stay float32, so a smaller model takes the place of the
larger one anywhere; values keep their names where they are still there.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto

from fns_lab import models
from fns_lab.errors import InputError
from fns_lab.feeds import fit_feeds
from fns_lab.process import quiet

LARGEST_FLOAT16 = float(np.finfo(np.float16).max)
SMALLER_TYPES = {TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.INT8, TensorProto.UINT8}
PERCENTILE = 99.99
"""Of a value's numbers, how many its 8 bits must cover; the rest is clipped. A handful of outliers would otherwise
stretch the step: on the shipped network of width 16 the image gains 2 dB over the full range."""


def fp16_from_float32(model: ModelProto) -> ModelProto:
    """Weights and arithmetic in float16, in half the bytes.

    Whether an engine then computes in float16 is its own affair: ONNX Runtime's CPU kernels compute in float32 and
    round the weights only, and a GPU needs `shader-f16`. InstanceNormalization goes along because the engines sum its
    squares in float32. Convert before lowering: a normalisation in basic ops squares in float16, and behind the first
    convolution that passes 65504, float16's largest number. Raises `InputError` for a weight beyond it, and for a model
    whose weights are not float32.
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
    """Convolutions in int8 with a scale a channel for weights and one a value for activations, in QDQ form.

    `calibration` are feeds like those to come, such as a few photographs: the ranges of the activations are taken from
    them (`PERCENTILE`). Only convolutions are quantised: engines have no other int8 kernel that pays here, and
    InstanceNormalization needs floats. The first and the last convolution stay float32 too: they hold few weights, an
    error at the image itself is seen, and with three channels on one side they are slower in int8.

    Raises `InputError` for feeds that do not fit or are none, and for a model with nothing to quantise.
    """
    chosen = _inner_convolutions(model)
    reader = _reader([fit_feeds(model, feeds) for feeds in calibration])
    with tempfile.TemporaryDirectory() as folder, quiet():
        # By way of a file: given a model in memory, it moves the weights of that very model out into another file.
        source, result = models.save(model, Path(folder, "float32.onnx")), Path(folder, "int8.onnx")
        _quantize(source, result, reader, chosen)
        return models.load(result)


def _quantize(source: Path, result: Path, reader, nodes: list[str]) -> None:
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    quantize_static(
        source,
        result,
        reader,
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=["Conv"],
        nodes_to_quantize=nodes,
        per_channel=True,
        activation_type=QuantType.QInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod.Percentile,
        extra_options={"CalibPercentile": PERCENTILE},
    )


def _reader(feeds: list[dict[str, np.ndarray]]):
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self.feeds = iter(feeds)

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self.feeds, None)

    if not feeds:
        raise InputError("no input to calibrate with; give a few photographs")
    return Reader()


def _inner_convolutions(model: ModelProto) -> list[str]:
    """Names of all float32 convolutions but the first and the last."""
    weights = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    found = [node for node in model.graph.node if node.op_type == "Conv" and _has_float32_weight(node, weights)]
    if len(found) < 3:
        raise InputError(
            f"{len(found)} convolutions with float32 weights: nothing to quantise between the first and the last"
        )
    if not all(node.name for node in found):
        raise InputError("a convolution without a name cannot be quantised; name every node")
    return [node.name for node in found[1:-1]]


def _has_float32_weight(node: NodeProto, weights: Mapping[str, int]) -> bool:
    return weights.get(node.input[1]) == TensorProto.FLOAT


def _check_weights(model: ModelProto) -> None:
    types = {tensor.data_type for tensor in model.graph.initializer}
    if TensorProto.FLOAT not in types or types & SMALLER_TYPES:
        raise InputError("the weights are not all float32; give the model as it was exported")
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            largest = np.abs(onnx.numpy_helper.to_array(tensor)).max(initial=0)
            if not largest <= LARGEST_FLOAT16:
                raise InputError(f"weight {tensor.name!r} holds {largest:g}; float16 ends at {LARGEST_FLOAT16:g}")


def _tidy(model: ModelProto) -> ModelProto:
    """Every node behind those that it reads from, and no cast of a constant.

    The converter appends its casts at the end, among them one from float32 to float32 for the scales of Resize, behind
    which its shape is not known.
    """
    import onnx_ir as ir
    from onnxscript import optimizer

    tidied = ir.from_proto(model)
    tidied.graph.sort()
    optimizer.fold_constants(tidied)
    return ir.to_proto(tidied)
