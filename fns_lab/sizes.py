"""Sizes of inputs that a model leaves open: named, negative (other exporters write -1), or not declared at all.

No function here changes the model that it is given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

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
    """Return a copy in which outputs and inner values declare no size that they name or write as a negative number.

    A model without such sizes is returned unchanged.
    """
    if not any(map(_is_open, _declared_sizes(model))):
        return model
    copy = ModelProto()
    copy.CopyFrom(model)
    for size in filter(_is_open, _declared_sizes(copy)):
        size.Clear()
    return copy


def _declared_sizes(model: ModelProto) -> Iterator[TensorShapeProto.Dimension]:
    """Yield the sizes that outputs and inner values declare."""
    for value in (*model.graph.output, *model.graph.value_info):
        yield from value.type.tensor_type.shape.dim


def _is_open(size: TensorShapeProto.Dimension) -> bool:
    return bool(size.dim_param) or size.dim_value < 0


def _is_fixed(value: ValueInfoProto) -> bool:
    shape = models.shape_of(value)
    return shape != models.UNKNOWN_RANK and all(isinstance(size, int) for size in shape)
