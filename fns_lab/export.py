"""Export PyTorch networks to ONNX with torch's dynamo exporter, reproducibly and with readable names.

Values are named after the module that computes them (`res1.conv1.conv2d`, `in4`, `res2`), so that a regular network and
its basic-op rewrite pair up by name, and two exports of one network are the same bytes.
"""

from __future__ import annotations

import ast
import copy
import os
import re
from numbers import Integral
from typing import TYPE_CHECKING

from onnx import ModelProto

from fns_lab.errors import InputError, first_line
from fns_lab.process import quiet

if TYPE_CHECKING:
    import onnx_ir as ir
    from torch import nn

INPUT, OUTPUT = "input", "output"
LOWEST_OPSET = 18
"""The exporter writes its graphs at this opset; for a lower one it warns and still writes this one."""

EXAMPLE_SIZE = 96, 144
"""Height and width, in pixels, of the image with which a network of free size is exported."""

_SCOPES = "pkg.torch.onnx.name_scopes"


def onnx_from_torch(
    net: nn.Module, size: tuple[int, int], *, opset: int = LOWEST_OPSET, dynamic: bool = False
) -> ModelProto:
    """Export a network that takes one image: `input` `(1, 3, H, W)`, values 0..255, to `output`, in eval mode.

    `size` is `(H, W)` in pixels. With `dynamic`, H and W are free dimensions (`height`, `width`), at least as large as
    the network's attribute `smallest_size_px` (1 where it has none). `net` itself is not changed. Raises `InputError`
    for a size that the network cannot take, an opset below 18 or unknown, or a network that cannot be exported.
    """
    import torch

    lowest = getattr(net, "smallest_size_px", 1)
    _check_size(size, lowest)
    _check_opset(opset)
    x = torch.zeros(1, 3, *size)
    free = {i: torch.export.Dim(name, min=lowest) for i, name in ((2, "height"), (3, "width"))} if dynamic else None
    try:
        with quiet():
            program = torch.onnx.export(
                copy.deepcopy(net).cpu().eval(),
                (x,),
                input_names=[INPUT],
                output_names=[OUTPUT],
                opset_version=opset,
                dynamic_shapes=(free,) if dynamic else None,
                dynamo=True,
                verbose=False,
            )
    except Exception as error:  # whatever the network's own code or any stage of the exporter raises
        reason = first_line(_root_cause(error))
        raise InputError(f"{type(net).__name__} cannot be exported at {size[0]}x{size[1]}: {reason}") from None
    assert program is not None, "it is None only with dynamo=False"
    _check_written(program.model, opset)
    return _tidy(program.model, net)


def onnx_from_checkpoint(path: str | os.PathLike[str], *, base_ops: bool = False) -> ModelProto:
    """Export a checkpoint with height and width left free, with `base_ops` as a network in basic ops.

    Raises `InputError` for a file that is no checkpoint.
    """
    from fns_lab.nets import checkpoints
    from fns_lab.nets.base_ops import to_base_ops

    net = checkpoints.load(path)
    return onnx_from_torch(to_base_ops(net) if base_ops else net, EXAMPLE_SIZE, dynamic=True)


def _check_size(size: tuple[int, int], lowest: int) -> None:
    if len(size) != 2 or not all(isinstance(length, Integral) for length in size):
        raise InputError(f"size {size}: give height and width in whole pixels, as in 128x192")
    if min(size) < lowest:
        raise InputError(f"size {size[0]}x{size[1]}: the network cannot take it; the smallest is {lowest}x{lowest}")


def _check_opset(opset: int) -> None:
    import onnx

    newest = onnx.defs.onnx_opset_version()
    if opset < LOWEST_OPSET:
        raise InputError(
            f"opset {opset}: the exporter writes {LOWEST_OPSET} or higher; lower() then converts to a lower opset"
        )
    if opset > newest:
        raise InputError(f"opset {opset}: the installed onnx knows opsets up to {newest}")


def _check_written(model: ir.Model, opset: int) -> None:
    if model.opset_imports[""] != opset:
        raise InputError(f"opset {opset}: the exporter cannot write this network in it; try {LOWEST_OPSET}")


def _tidy(model: ir.Model, net: nn.Module) -> ModelProto:
    import onnx_ir as ir
    from onnx_ir.passes import common

    common.IdentityEliminationPass()(model)  # the exporter stores equal weights once and joins them by Identity nodes
    common.RemoveUnusedNodesPass()(model)
    _name_constants(model.graph, {name for name, _ in (*net.named_parameters(), *net.named_buffers())})
    _name_values(model.graph)
    common.ClearMetadataAndDocStringPass()(model)  # stack traces, which hold paths of this machine
    model.graph.name = type(net).__name__
    return ir.to_proto(model)


def _name_constants(graph: ir.Graph, weights: set[str]) -> None:
    """Name what the exporter computed `constant_0`, `constant_1` and so on; weights keep their parameter's name."""
    for index, old in enumerate([name for name in graph.initializers if name not in weights]):
        graph.initializers[old].name = f"constant_{index}"


def _name_values(graph: ir.Graph) -> None:
    """Name the last value of a module after the module, each one before it after the module and its op."""
    last = {_scope(node): node for node in graph}
    values = (*graph.inputs, *graph.outputs, *graph.initializers.values())
    taken = {value.name for value in values if value.name}
    for node in graph:
        path, op = _scope(node), _op(node)
        for value in node.outputs:
            if value not in graph.outputs:
                value.name = _free(path if path and last[path] is node else f"{path}.{op}".strip("."), taken)
        node.name = node.outputs[0].name


def _scope(node: ir.Node) -> str:
    """Return the path of the module that the node comes from, `""` for the network's own forward."""
    return str(ast.literal_eval(node.metadata_props.get(_SCOPES, "['', '']"))[-2])


def _op(node: ir.Node) -> str:
    """Return `conv2d` for what torch calls `conv2d_3`; for a node without a torch op, its ONNX op in lower case."""
    name = ast.literal_eval(node.metadata_props.get(_SCOPES, "['']"))[-1] or node.op_type.lower()
    return re.sub(r"_\d+$", "", str(name))


def _free(name: str, taken: set[str]) -> str:
    """Return `name`, or the first of `name_1`, `name_2` and so on that is not in `taken`, and add it there."""
    candidate, count = name, 0
    while candidate in taken:
        count += 1
        candidate = f"{name}_{count}"
    taken.add(candidate)
    return candidate


def _root_cause(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error
