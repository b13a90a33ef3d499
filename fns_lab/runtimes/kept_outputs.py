"""Keep the graph outputs that some browser engines would lose: ONNX.js, and the webgl backend of ONNX Runtime Web.

Both remove nodes when they load a model: Identity and Dropout, and in ONNX Runtime Web a Relu, Sigmoid or Clip that is
the only reader of a Conv. They then renumber the values, but wrongly for a graph output that a node reads too: that
output is missing ("required output [8] does not have value") or silently holds another value, for a Conv the one after
the activation. An output that no node reads is safe. So every float output that a node reads is replaced by a copy of
it, `x + 0`. Constant nodes, which these engines remove too, need nothing.

Both also refuse an output that no node computes ("duplicated output name"). A float input given out is replaced by a
copy as well, an initializer given out by a Constant node.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from fns_lab.targets import Target

ZERO = "fns_lab_zero"
"""Name of the constant that is added."""
COPY = "fns_lab_copy_of_"
"""Start of the names of copied values."""


def loses_outputs(model: ModelProto, target: Target) -> bool:
    """Return whether `target` removes nodes from this model when it loads it.

    Copies are added only then: in ONNX.js 0.1.7 and 0.1.8 webgl, a value that is reshaped and read by another node too
    is silently wrong, so a copy would change the result that it should show.
    """
    removed = {*target.removes_at_load, *target.fuses_after_conv}
    return any(node.op_type in removed for node in model.graph.node)


def as_loaded(model: ModelProto, target: Target) -> tuple[ModelProto, dict[str, str]]:
    """Return the model to load into `target` so that no output is lost, and the names of its outputs: `{new: old}`."""
    if not target.removes_at_load:
        return model, {}
    model = with_constants_computed(model)
    risky = {value.name for value in model.graph.input}
    if loses_outputs(model, target):
        risky |= {name for node in model.graph.node for name in node.input}
    return with_copies(model, risky)


def with_constants_computed(model: ModelProto) -> ModelProto:
    """Return a model in which a Constant node computes each initializer that is an output, or `model` if none is."""
    outputs = {output.name for output in model.graph.output}
    given_out = [tensor for tensor in model.graph.initializer if tensor.name in outputs]
    if not given_out:
        return model
    changed = ModelProto()
    changed.CopyFrom(model)
    for values in (changed.graph.initializer, changed.graph.input):
        kept = [value for value in values if value.name not in {tensor.name for tensor in given_out}]
        del values[:]
        values.extend(kept)
    for tensor in given_out:
        changed.graph.node.insert(0, helper.make_node("Constant", [], [tensor.name], value=tensor))
    return changed


def with_copies(model: ModelProto, names: Collection[str]) -> tuple[ModelProto, dict[str, str]]:
    """Return a model that gives out copies of its float outputs of these names, and the names of all its outputs.

    The names are `{new: old}`. It is `model` itself if it has no such output.
    """
    risky = [
        output.name
        for output in model.graph.output
        if output.name in names and output.type.tensor_type.elem_type == TensorProto.FLOAT
    ]
    if not risky:
        return model, {output.name: output.name for output in model.graph.output}
    copied = ModelProto()
    copied.CopyFrom(model)
    zero = numpy_helper.from_array(np.zeros((), np.float32), ZERO)
    copied.graph.initializer.append(zero)
    copied.graph.input.append(helper.make_tensor_value_info(ZERO, TensorProto.FLOAT, ()))
    copied.graph.node.extend(helper.make_node("Add", [name, ZERO], [COPY + name]) for name in risky)
    for output in copied.graph.output:
        if output.name in risky:
            output.name = COPY + output.name
    return copied, {output.name: output.name.removeprefix(COPY) for output in copied.graph.output}
