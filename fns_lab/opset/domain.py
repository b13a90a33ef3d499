"""ONNX's own operators: the two spellings of their domain, and the opset at which a model imports them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping

import onnx_ir as ir

from fns_lab.errors import InputError
from fns_lab.models import ONNX_DOMAINS
from fns_lab.opset.convert import is_written_alike
from fns_lab.opset.nodes import NodeError


def onnx_opset(model: ir.Model) -> int:
    """Return the opset of ONNX's own operators that the model imports, under either name of their domain.

    A model that imports neither has opset 1. Where it imports both at different opsets, engines differ in which they
    read: ONNX Runtime the last, tract the first, OpenCV the higher. The higher counts if every node means the same at
    both. Raises `InputError` if one does not.
    """
    opsets = sorted(_own_opsets(model.graph.opset_imports))
    for node in _own_nodes(model) if len(opsets) > 1 else ():
        if not _means_the_same(node, *opsets):
            raise InputError(
                f"the model imports ONNX's operators twice, at opset {opsets[0]} and at opset {opsets[1]}, and its "
                f"{node.op_type} does not mean the same at both; remove one of the imports"
            )
    return opsets[-1] if opsets else 1


def name_domain_alike(model: ir.Model) -> None:
    """In place: import ONNX's own operators as "" alone. Raises `InputError` as `onnx_opset` does.

    onnx_ir has done this for the domains of nodes when it read the model.
    """
    opset = onnx_opset(model)
    _rename(model.graph.opset_imports, opset)
    for function in model.functions.values():
        _rename(function.opset_imports, max(_own_opsets(function.opset_imports), default=opset))


def _rename(imports: MutableMapping[str, int], opset: int) -> None:
    if _own_opsets(imports):
        for name in ONNX_DOMAINS:
            imports.pop(name, None)
        imports[""] = opset


def _own_opsets(imports: Mapping[str, int]) -> set[int]:
    return {version for name, version in imports.items() if name in ONNX_DOMAINS}


def _own_nodes(model: ir.Model) -> Iterator[ir.Node]:
    return (node for node in model.graph.all_nodes() if node.domain in ONNX_DOMAINS)


def _means_the_same(node: ir.Node, low: int, high: int) -> bool:
    try:
        return is_written_alike(node, high, low)
    except NodeError:
        return False
