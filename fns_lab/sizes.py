"""Sizes of inputs that a model leaves open: named, negative (other exporters write -1), or not declared at all.

No function here changes the model that it is given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from onnx import ModelProto, TensorShapeProto, ValueInfoProto

from fns_lab import models


def has_free_sizes(model: ModelProto) -> bool:
    """Return whether any input has a free size, or a number of dimensions that is not declared."""
    return not all(map(_is_fixed, model.graph.input))


def with_input_shapes(model: ModelProto, shapes: Mapping[str, Sequence[int]]) -> ModelProto:
    """Return a copy whose inputs with free sizes have these shapes, with all other shapes inferred again.

    A model without free sizes is returned unchanged.
    """
    if not has_free_sizes(model):
        return model
    copy = ModelProto()
    copy.CopyFrom(model)
    del copy.graph.value_info[:]
    for value in copy.graph.input:
        if value.name in shapes and not _is_fixed(value):
            dims = [TensorShapeProto.Dimension(dim_value=size) for size in shapes[value.name]]
            value.type.tensor_type.shape.CopyFrom(TensorShapeProto(dim=dims))
    for value in copy.graph.output:
        value.type.tensor_type.ClearField("shape")
    return models.infer_shapes(copy)


def with_open_sizes(model: ModelProto) -> ModelProto:
    """Return a copy in which outputs and inner values declare no size that they name or write as a negative number."""
    copy = ModelProto()
    copy.CopyFrom(model)
    for value in (*copy.graph.output, *copy.graph.value_info):
        for size in value.type.tensor_type.shape.dim:
            if size.dim_param or size.dim_value < 0:
                size.Clear()
    return copy


def _is_fixed(value: ValueInfoProto) -> bool:
    shape = models.shape_of(value)
    return shape != models.UNKNOWN_RANK and all(isinstance(size, int) for size in shape)
