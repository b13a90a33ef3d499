"""What happens to a model before rules: one form for everything that files write in several ways."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import onnx
import onnx_ir as ir
import onnx_ir.passes.common as passes

from fns_lab.errors import InputError
from fns_lab.limits import NODES
from fns_lab.models import walk
from fns_lab.opset.definitions import require_defined
from fns_lab.opset.domain import name_domain_alike
from fns_lab.opset.inference import free_negative_sizes, infer_anew
from fns_lab.opset.reading import read_graph, unreadable


def prepared(model: onnx.ModelProto, shapes: Mapping[str, Sequence[int]]) -> ir.Model:
    """Return a copy of the model without functions, with fixed input shapes, named nodes, and types as they follow.

    What the file claims of computed values is forgotten, since nothing holds a file to it. Raises `InputError` if
    `shapes` doesn't fit the model, or if the model cannot be read as a graph.
    """
    require_few_calls(model)
    result = read_graph(model)
    try:
        for function in result.functions.values():
            _compute_what_it_returns(function)
        passes.InlinePass()(result)
        passes.NameFixPass()(result)  # refusals name nodes; ONNX Runtime crashes on a Split with an unnamed output
        if model.functions:
            require_defined(ir.to_proto(result))  # a call may leave out inputs that the body needs
        name_domain_alike(result)
        passes.RemoveInitializersFromInputsPass()(result)
        free_negative_sizes(result.graph.inputs)
        _fix_input_shapes(result, shapes)
        passes.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(result)
        infer_anew(result)
    except InputError:
        raise
    except Exception as error:  # such as the ValueError for functions that call each other
        raise unreadable(error) from None
    return result


def _compute_what_it_returns(function: ir.Function) -> None:
    """In place: let a node compute each output of a function that is one of its inputs, or given out already.

    The inlining would give a graph input the name of the output.
    """
    seen = set(function.inputs)
    for index, value in enumerate(function.outputs):
        if value in seen:
            copy = ir.node("Identity", [value])
            function.append(copy)
            function.outputs[index] = copy.outputs[0]
        seen.add(value)


def require_few_calls(model: onnx.ModelProto) -> None:
    """Raise `InputError` if the calls of functions stand for more nodes than the limit: ten lines can mean billions."""
    functions = {(function.domain, function.name): function for function in model.functions}
    sizes: dict[tuple[str, str], int] = {}
    for _ in functions:  # as deep as calls can go; functions that call each other are refused when they are inlined
        sizes = {name: _size(function.node, sizes) for name, function in functions.items()}
        if any(size > NODES.value for size in sizes.values()):
            break
    NODES.require(_size(walk(model.graph), sizes), "the model, with what its functions stand for")


def _size(nodes: Iterable[onnx.NodeProto], sizes: Mapping[tuple[str, str], int]) -> int:
    return sum(sizes.get((node.domain, node.op_type), 1) for node in nodes)


def _fix_input_shapes(model: ir.Model, shapes: Mapping[str, Sequence[int]]) -> None:
    """In place: give inputs these shapes. Raises `InputError`."""
    inputs = {value.name or "": value for value in model.graph.inputs}
    for name, shape in shapes.items():
        if name not in inputs:
            raise InputError(f"the model has no input {name!r}; it has {', '.join(inputs)}")
        old = inputs[name].shape
        if old is not None and (
            len(old) != len(shape)
            or any(isinstance(size, int) and size not in (0, new) for size, new in zip(old, shape, strict=True))
        ):
            raise InputError(f"the shape {'x'.join(map(str, shape))} does not fit input {name!r}, which is {old}")
        inputs[name].shape = ir.Shape(shape)
