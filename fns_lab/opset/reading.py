"""Reading a model into onnx_ir: what its reader would lose or cannot read is written otherwise or refused first."""

from __future__ import annotations

import itertools
import logging

import onnx
import onnx_ir as ir

from fns_lab.errors import InputError, one_line, root_cause
from fns_lab.models import graphs, with_dense_constants
from fns_lab.opset.definitions import require_defined

logging.getLogger("onnx_ir").setLevel(logging.CRITICAL)  # what it logs of a broken model is raised here as well


def read_graph(model: onnx.ModelProto) -> ir.Model:
    """Return the model in onnx_ir, with dense constants. Raises `InputError` if it is no graph.

    So it does for a node that is not as ONNX defines its op.

    Initializers share their memory and names with the model: who renames one gives it a tensor of its own first.
    """
    require_defined(model)
    try:
        result = ir.from_proto(_with_own_outputs_of_bodies(with_dense_constants(model)))
    except Exception as error:  # onnx_ir wraps whatever it stumbles over in its own class, which is a RuntimeError
        raise unreadable(error) from None
    for node in result.graph.all_nodes():
        for attribute in node.attributes.values():
            if attribute.type == ir.AttributeType.UNDEFINED:
                raise InputError(f"the attribute {attribute.name!r} of a {node.op_type} node has no type")
    return result


def unreadable(error: BaseException) -> InputError:
    """Return the `InputError` for a model that onnx_ir cannot read, with the message of what began it."""
    return InputError(f"the model cannot be read as a graph: {one_line(root_cause(error))}")


def _with_own_outputs_of_bodies(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy whose bodies give out copies of outer values, which onnx_ir would not find.

    A model without bodies is returned unchanged.
    """
    if not any(True for _ in itertools.islice(graphs(model), 1, None)):
        return model
    original, model = model, onnx.ModelProto()
    model.CopyFrom(original)
    for graph in itertools.islice(graphs(model), 1, None):
        own = {*(name for node in graph.node for name in node.output), *(each.name for each in graph.input)}
        own |= {tensor.name for tensor in graph.initializer}
        for index, output in enumerate(graph.output):
            if output.name not in own:
                copy = f"{output.name}.output{index}"
                graph.node.append(onnx.helper.make_node("Identity", [output.name], [copy]))
                output.name = copy
    return model
