"""Keep the graph outputs that some browser engines would lose: ONNX.js, and the webgl backend of ONNX Runtime Web.

Both remove nodes when they load a model: Identity and Dropout, and in ONNX Runtime Web a Relu, Sigmoid or Clip that is
the only reader of a Conv. They then renumber the values, but wrongly for a graph output that a node reads too: that
output is missing ("required output [8] does not have value") or silently holds another value, for a Conv the one after
the activation. An output that no node reads is safe. So every float output that a node reads is replaced by a copy of
it, `x + 0`. Constant nodes, which these engines remove too, need nothing.
"""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from fns_lab.targets import Target

ZERO = "fns_lab_zero"
COPY = "fns_lab_copy_of_"


def loses_outputs(model: ModelProto, target: Target) -> bool:
    """Return whether `target` removes nodes from this model when it loads it.

    Copies are added only then: in ONNX.js 0.1.7 and 0.1.8 webgl, a value that is reshaped and read by another node too
    is silently wrong, so a copy would change the result that it should show.
    """
    removed = {*target.removes_at_load, *target.fuses_after_conv}
    return any(node.op_type in removed for node in model.graph.node)


def as_loaded(model: ModelProto, target: Target) -> tuple[ModelProto, dict[str, str]]:
    """Return the model to load into `target` so that no output is lost, and the names of its outputs: `{new: old}`."""
    return with_outputs_kept(model) if loses_outputs(model, target) else (model, {})


def with_outputs_kept(model: ModelProto) -> tuple[ModelProto, dict[str, str]]:
    """Return a model whose float outputs are read by no node, and the names of its outputs: `{new: old}`.

    It is `model` itself if that already holds, as for any network with one output at its end.
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
