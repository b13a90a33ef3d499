"""Export any network in PyTorch: any number and type of inputs and outputs, sizes fixed or left free by name."""

from __future__ import annotations

import copy
import itertools
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnx import ModelProto

from fns_lab.errors import InputError, first_line, root_cause, shape_text
from fns_lab.export.inputs import Arguments, output_names
from fns_lab.export.modules import CallLog, changed_buffer, outputs_of
from fns_lab.export.names import name_values
from fns_lab.process import quiet
from fns_lab.runtimes.torch_runner import Call, tensors

if TYPE_CHECKING:
    import onnx_ir as ir
    from torch import nn

INPUT = "input"
"""Name of the input of a network that takes one tensor."""
OUTPUT = "output"
"""Name of the output of a network that returns one tensor."""
LOWEST_OPSET = 18
"""The exporter writes its graphs at this opset; for a lower one it warns and still writes this one."""

DETECTORS = "torchvision.models.detection."
"""Start of the names of the modules in which torchvision's detectors are."""

EXAMPLE_SIZE = 96, 144
"""Height and width, in pixels, of the image with which a network of free size is exported."""


@dataclass(frozen=True)
class Exported:
    """An export, and how to call the network that it was made from.

    - `model`: the ONNX model
    - `call`: how feeds become the network's arguments, and its result the model's outputs
    - `modules`: for each call of a module (`act`, `act@1` for the second call of `act`) the names of the values in
      `model` that it gave, `""` for one that the model does not have
    - `changed`: a buffer that the network changes and on whose old value its result depends, None if there is none;
      the model, which keeps nothing between runs, always gives what the first call gives
    """

    model: ModelProto
    call: Call
    modules: Mapping[str, tuple[str, ...]]
    changed: str | None = None


def onnx_from_torch(
    net: nn.Module,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    opset: int = LOWEST_OPSET,
    dynamic: bool | Mapping[str, Mapping[int, str]] = False,
) -> ModelProto:
    """Export a network in eval mode, called as `net(*args, **kwargs)`; see `export`."""
    return export(net, args, kwargs, opset=opset, dynamic=dynamic).model


def export(
    net: nn.Module,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    opset: int = LOWEST_OPSET,
    dynamic: bool | Mapping[str, Mapping[int, str]] = False,
    input_names: Sequence[str] = (),
) -> Exported:
    """Export a network in eval mode, called as `net(*args, **kwargs)` with tensors, and lists, tuples or dicts of them.

    The inputs are named after the parameters of `forward` (or `input_names`), those in a list `x` are `x_0`, `x_1`; the
    output is `output`, several are `output_0` and so on, or have the names of a dict's keys. `dynamic` names the axes
    that stay free, as `{"x": {2: "height"}}`; axes of one name have one size.

    For `args` of two numbers, `(H, W)` in pixels, the network takes one image: `input` `(1, 3, H, W)`, values 0..255.
    H and W are then free with `dynamic=True` (`height`, `width`), at least as large as the network's attribute
    `smallest_size_px` (1 where it has none).

    `net` itself is not changed. Raises `InputError` for arguments that the network cannot take, an opset below 18 or
    unknown, or a network that cannot be exported.
    """
    import torch

    lowest = getattr(net, "smallest_size_px", 1)
    if _is_size(args):
        _check_size(args, lowest)
        args, input_names = (torch.zeros(1, 3, *args),), [INPUT]
        dynamic = {INPUT: {2: "height", 3: "width"}} if dynamic else False
    _check_opset(opset)
    call = Arguments.bound(net, args, kwargs or {}, input_names)
    if dynamic is True:
        raise InputError("dynamic=True is for one image of a size; name the free axes, as in {'x': {2: 'height'}}")
    shapes = call.dynamic_shapes(dynamic or {}, lowest)
    program, log, outputs = _traced(net, call, opset, shapes)
    assert program is not None and program.exported_program is not None, "they are None only with dynamo=False"
    _check_written(program.model, opset)
    modules, changed = outputs_of(program.exported_program, log), changed_buffer(program.exported_program)
    del program.model.graph.outputs[len(outputs) :]
    program.optimize()
    _drop_identities(program.model)
    graph = program.model.graph
    for value, name in zip((*graph.inputs, *graph.outputs), (*call.input_names, *outputs), strict=True):
        value.name = name
    named = _tidy(program.model, net, modules)
    model = _proto(program.model)
    return Exported(model, Call(call.args, call.kwargs, tuple(call.input_names), tuple(outputs)), named, changed)


def onnx_from_checkpoint(path: str | os.PathLike[str], *, base_ops: bool = False) -> ModelProto:
    """Export a checkpoint with height and width left free, with `base_ops` as a network in basic ops.

    Raises `InputError` for a file that is no checkpoint.
    """
    from fns_lab.nets import checkpoints
    from fns_lab.nets.base_ops import to_base_ops

    net = checkpoints.load(path)
    return onnx_from_torch(to_base_ops(net) if base_ops else net, EXAMPLE_SIZE, dynamic=True)


def _traced(net: nn.Module, call: Arguments, opset: int, dynamic_shapes: dict[str, Any] | None) -> Any:
    """Return the exporter's program, not optimized yet, the log of the modules' calls, and the names of the outputs."""
    import torch

    with quiet():
        traced = copy.deepcopy(net).cpu().eval()
    log, outputs = CallLog(traced), list[str]()

    def keep_tensors(module: nn.Module, inputs: object, result: object) -> tuple[torch.Tensor, ...]:
        outputs[:] = output_names(result, OUTPUT)
        given = [id(leaf) for leaf in call.tensors]  # the exporter gives no value out twice, nor an input
        own = [_own(x, [*given, *map(id, tensors(result)[:i])]) for i, x in enumerate(tensors(result))]
        return (*own, *itertools.chain(*log.copies.values()))

    traced.register_forward_hook(keep_tensors)
    try:
        with quiet():
            program = torch.onnx.export(
                traced,
                (*call.args, dict(call.kwargs)),  # it takes a dict at the end for the kwargs
                input_names=call.input_names,
                opset_version=opset,
                dynamic_shapes=dynamic_shapes,
                dynamo=True,
                optimize=False,
                verbose=False,
            )
    except InputError:
        raise
    except Exception as error:  # whatever the network's own code or any stage of the exporter raises
        cause = root_cause(error)
        if isinstance(cause, InputError):
            raise cause from None
        sizes = ", ".join(shape_text(tensor.shape) for tensor in call.tensors)
        raise InputError(
            f"{type(net).__name__} cannot be exported at {sizes}: {_why_untraceable(net, cause)}"
        ) from None
    return program, log, outputs


def _own(tensor: Any, others: Sequence[int]) -> Any:
    return tensor.clone() if id(tensor) in others else tensor


def _is_size(args: Sequence[Any]) -> bool:
    return len(args) == 2 and all(isinstance(length, int | float) for length in args)


def _check_size(size: Sequence[Any], lowest: int) -> None:
    if not all(isinstance(length, Integral) for length in size):
        raise InputError(f"size {tuple(size)}: give height and width in whole pixels, as in 128x192")
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


def _tidy(model: ir.Model, net: nn.Module, modules: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Name values and constants, drop what the exporter notes for itself; return the names of the modules' outputs."""
    from onnx_ir.passes import common

    _name_constants(model.graph, {name for name, _ in (*net.named_parameters(), *net.named_buffers())})
    named = name_values(model.graph, modules)
    common.ClearMetadataAndDocStringPass()(model)  # stack traces, which hold paths of this machine
    model.graph.name = type(net).__name__
    return named


def _drop_identities(model: ir.Model) -> None:
    """Remove what computes nothing, so that each output is still a value of its own."""
    import onnx_ir as ir
    from onnx_ir.passes import common

    common.IdentityEliminationPass()(model)  # the exporter stores equal weights once and joins them by Identity nodes
    common.RemoveUnusedNodesPass()(model)
    outputs = model.graph.outputs
    for index, value in enumerate(outputs):
        if value in outputs[:index]:  # the pass leaves the same value there twice
            node = ir.node("Identity", [value])
            node.outputs[0].type, node.outputs[0].shape = value.type, value.shape
            model.graph.append(node)
            outputs[index] = node.outputs[0]


def _proto(model: ir.Model) -> ModelProto:
    import onnx_ir as ir

    return ir.to_proto(model)


def _name_constants(graph: ir.Graph, weights: set[str]) -> None:
    """Name what the exporter computed `constant_0`, `constant_1` and so on; weights keep their parameter's name."""
    for index, old in enumerate([name for name in graph.initializers if name not in weights]):
        graph.initializers[old].name = f"constant_{index}"


def _why_untraceable(net: nn.Module, error: BaseException) -> str:
    """Return why a network cannot be traced, in one line."""
    if type(net).__module__.startswith(DETECTORS):
        return (
            "how many boxes a detector of torchvision returns depends on the scores; export it up to its head, as "
            "fns_lab.nets.examples:DetectorHead does, and choose the boxes in the program around it"
        )
    if "data-dependent" in str(error):
        where = re.search(r'File "([^"]+)", line (\d+), in \w+\n\s*(.+)', str(error))
        place = (
            f": line {where[2]} of {Path(where[1]).name}, `{where[3].strip()}`" if where else ", as in `if x.sum() > 0`"
        )
        return f"what its Python code does depends on the numbers in a tensor{place}; use torch.where or torch.cond"
    return first_line(error)
