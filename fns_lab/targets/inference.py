"""Types and shapes of a model's inner values, as they follow from its inputs."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import onnx
import onnx_ir as ir
import onnx_ir.passes.common as passes

Claim = tuple[ir.Shape | None, ir.TypeProtocol | None]
"""Shape and type that a file states for a value."""


def infer(model: ir.Model) -> None:
    """In place: give every inner value the type and shape that follow from the model's inputs.

    What the file states of inner values counts only where nothing follows, and its sizes only if the sizes of all
    inputs are fixed: exporters trace a network at one size and free its inputs afterwards. A size below 0, which some
    exporters write for a free one, is free. Weights are not copied.
    """
    _free_negative_sizes(model.graph.inputs)
    _read_weights(model)
    claims = _forgotten(model)
    _run_inference(model)
    sizes_count = all(value.shape is not None and value.shape.is_static() for value in model.graph.inputs)
    for value, (shape, type_) in claims.items():
        value.type = value.type or type_
        value.shape = _completed(value.shape, shape, sizes_count)


def _free_negative_sizes(values: Iterable[ir.Value]) -> None:
    for value in values:
        if value.shape is not None:
            value.shape = ir.Shape([None if isinstance(size, int) and size < 0 else size for size in value.shape])


def _read_weights(model: ir.Model) -> None:
    """In place: give every initializer the type and shape of its tensor, whatever is stated beside it."""
    for graph in model.graphs():
        for value in graph.initializers.values():
            if value.const_value is not None:
                value.shape, value.dtype = ir.Shape(value.const_value.shape.numpy()), value.const_value.dtype


def _forgotten(model: ir.Model) -> dict[ir.Value, Claim]:
    """In place: forget what the file states of inner values, and return it.

    The outputs of ops that onnx has no schema for keep it during inference, which could not go on without.
    """
    claims: dict[ir.Value, Claim] = {}
    for node in model.graph.all_nodes():
        _free_negative_sizes(node.outputs)
        if not onnx.defs.has(node.op_type, node.domain):
            continue
        for value in node.outputs:
            claims[value] = (value.shape, value.type)
            value.shape = None
            if isinstance(value.type, ir.TensorType):  # onnx_ir takes over inferred types of tensors alone
                value.type = None
    return claims


def _completed(inferred: ir.Shape | None, claim: ir.Shape | None, sizes_count: bool) -> ir.Shape | None:
    """Return the inferred shape with what is unknown in it taken from the claim, if its sizes count."""
    if claim is None:
        return inferred
    if inferred is None:
        return claim if sizes_count else ir.Shape([None] * len(claim))
    if len(inferred) != len(claim) or not sizes_count:
        return inferred
    return ir.Shape([size if isinstance(size, int) else stated for size, stated in zip(inferred, claim, strict=True)])


def _run_inference(model: ir.Model) -> None:
    """In place: run onnx's inference, which leaves the values after a node that contradicts itself unknown."""
    logger = logging.getLogger("onnx_ir")
    level = logger.level
    logger.setLevel(logging.ERROR)  # it logs a stack trace for a model that contradicts itself
    try:
        passes.ShapeInferencePass(check_type=False, strict_mode=False, data_prop=True)(model)
    finally:
        logger.setLevel(level)
