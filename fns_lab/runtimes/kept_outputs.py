"""Outputs that ONNX.js and its successor, the webgl of ONNX Runtime Web, would lose.

Both take nodes out of a graph when they load it: Identity and Dropout, and in ONNX Runtime Web a Relu, Sigmoid or Clip
that alone reads a Conv. The values are then numbered anew, but not where a graph output is also read by a node: such
an output is missing ("required output [8] does not have value") or is silently another value, and the Conv's value
is the one after the activation. An output that no node reads is safe, so every other one leaves as a copy, `x + 0`.
Constant nodes, taken out too, do no harm.
"""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from fns_lab.targets import Target

ZERO = "fns_lab_zero"
COPY = "fns_lab_copy_of_"


def loses_outputs(model: ModelProto, target: Target) -> bool:
    """Whether `target` takes nodes out of this very graph. If not, nothing may be added either: in 0.1.7 and 0.1.8
    webgl a second reader of a reshaped value would spoil the run that it is there to watch."""
    vanishing = {*target.removes_at_load, *target.fuses_after_conv}
    return any(node.op_type in vanishing for node in model.graph.node)


def as_loaded(model: ModelProto, target: Target) -> tuple[ModelProto, dict[str, str]]:
    """The model that `target` can be given without losing an output, and the names its outputs had: `{new: old}`."""
    return with_outputs_kept(model) if loses_outputs(model, target) else (model, {})


def with_outputs_kept(model: ModelProto) -> tuple[ModelProto, dict[str, str]]:
    """A model whose float outputs are read by no node, and the names that its outputs had: `{new: old}`.

    The model itself comes back when there is nothing to do, as for any network with one output at its end.
    """
    read = {name for node in model.graph.node for name in node.input}
    risky = [
        output.name
        for output in model.graph.output
        if output.name in read and output.type.tensor_type.elem_type == TensorProto.FLOAT
    ]
    if not risky:
        return model, {output.name: output.name for output in model.graph.output}
    copied = ModelProto()
    copied.CopyFrom(model)
    zero = numpy_helper.from_array(np.zeros(1, np.float32), ZERO)
    copied.graph.initializer.append(zero)
    copied.graph.input.append(helper.make_tensor_value_info(ZERO, TensorProto.FLOAT, (1,)))
    copied.graph.node.extend(helper.make_node("Add", [name, ZERO], [COPY + name]) for name in risky)
    for output in copied.graph.output:
        if output.name in risky:
            output.name = COPY + output.name
    return copied, {output.name: output.name.removeprefix(COPY) for output in copied.graph.output}
