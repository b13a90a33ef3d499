"""Compute what is constant, and remove nodes that change nothing.

onnxscript's constant folding is not used: it ends with an exception where an axis is out of range, and rewrites
SplitToSequence, ConcatFromSequence and If so that a model no longer loads or bodies lose the values they give out. Here
a node is computed by onnx's reference evaluator, alone and at the model's opset, and only if the result has the type
and shape that the operator's own inference gives it.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence

import numpy as np
import onnx
import onnx_ir as ir
import onnx_ir.passes.common as passes
from onnx.reference import ReferenceEvaluator

from fns_lab.opset.definitions import node_errors
from fns_lab.opset.inference import bodies, infer, infer_node
from fns_lab.opset.nodes import NodeError, input_constant, name_of
from fns_lab.opset.spec import constant
from fns_lab.rewrite.control_flow import Inlined, inlined
from fns_lab.rewrite.no_ops import unchanged_input
from fns_lab.rewrite.rule import LoweringRun
from fns_lab.rewrite.values import compute_outputs, names_of_values, redirect, remove_identities
from fns_lab.targets.checking import runs_converted

MOST_INPUT = 1024
"""Largest constant input, in elements, of a node that is folded although the target supports the op."""
MOST_OUTPUT = 2**24
"""Largest result, in elements, of any node that is folded."""
MOST_GROWTH = 2**27
"""The most elements that folding adds to a model: a file with more than 2 GiB of them could not be written."""
KEPT = frozenset({"ConstantOfShape", "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"})
"""Ops that are not folded where the target supports them: they say what is quantized, or make a large tensor of a
small one."""
REARRANGES = frozenset({"Concat", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze"})
"""Ops that are folded however large: the result has no more elements than the inputs, and rules need whole weights."""
RANDOM = frozenset(
    {"Bernoulli", "Dropout", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}
)
"""Ops whose result is drawn, which are never folded."""
DOUBTFUL = frozenset({
    "AffineGrid", "Attention", "BatchNormalization", "ConvTranspose", "DFT", "DeformConv", "GRU", "GridSample",
    "GroupNormalization", "Hardmax", "InstanceNormalization", "LRN", "LSTM", "LayerNormalization", "LogSoftmax",
    "LpNormalization", "MaxPool", "MaxUnpool", "MeanVarianceNormalization", "NegativeLogLikelihoodLoss",
    "RMSNormalization", "RNN", "Resize", "RoiAlign", "STFT", "Softmax", "SoftmaxCrossEntropyLoss", "Unique",
})  # fmt: skip
"""Ops that are never folded: onnx's reference evaluator and ONNX Runtime give different results in onnx's own tests or
of drawn nodes, such as a Softmax of opset 11, which the evaluator computes as that of opset 13."""
MOVES_ELEMENTS = frozenset({"Cast", "Concat", "Gather", "Identity", "Slice", "Squeeze", "Unsqueeze"})
"""Ops whose output elements are input elements each, so that a size may be known beside one that is not."""
UNKNOWN = (-(2**31) + 5, -(2**30) - 3)
"""Two numbers for a size that is not known: an element that comes out the same with both does not depend on it."""

Partial = tuple[np.ndarray, np.ndarray]
"""A shape of which some sizes are not known: its elements with the first and with the second number of `UNKNOWN`."""


def fold_constants(model: ir.Model, run: LoweringRun, *, inferred: bool = False) -> None:
    """In place: infer shapes, make constants initializers, and compute nodes whose inputs are all constant.

    `inferred` says that the shapes are known already, as they are after `prepared`.

    An If whose condition is constant becomes its branch, and a Loop or Scan that the target cannot run is unrolled if
    the number of its steps is known. Large constants are folded only if the target does not support the node. Every
    graph output stays a value of its own, with its name.
    """
    passes.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
    compute_outputs(model)
    remove_identities(model)
    if not inferred:
        infer(model)
    before = run.inlined
    _Folder(model, run).fold(model.graph)
    if run.inlined > before:
        infer(model)
    remove_identities(model)
    compute_outputs(model)


class _Folder:
    """Folds the graphs of one model."""

    def __init__(self, model: ir.Model, run: LoweringRun) -> None:
        self._run = run
        self._names = names_of_values(model)
        self._partial: dict[ir.Value, Partial] = {}

    def fold(self, graph: ir.Graph) -> None:
        """In place: fold the nodes of a graph, each after those that it reads."""
        for node in graph:
            infer_node(node, self._run.opset)
            with contextlib.suppress(NodeError), node_errors(node.op_type):
                self._fold_node(node, graph)

    def _fold_node(self, node: ir.Node, graph: ir.Graph) -> None:
        if (replacement := inlined(node, self._run, self._names)) is not None:
            _replace(node, graph, replacement)  # its nodes are the next ones of this loop
        elif (same := unchanged_input(node, self._run.opset)) is not None:
            redirect(node.outputs[0], same, node)
            graph.remove(node, safe=True)
        elif (arrays := self._constants(node)) is not None:
            _make_constant(node, graph, arrays)
        else:
            for attribute in node.attributes.values():
                for body in bodies(attribute):
                    self.fold(body)

    def _constants(self, node: ir.Node) -> list[np.ndarray] | None:
        """Return what a node computes, one array per output, if it is constant and may be folded."""
        if node.domain != "" or node.op_type in RANDOM | DOUBTFUL or any(map(bodies, node.attributes.values())):
            return None
        if node.op_type in ("Shape", "Size"):
            return self._sizes(node)
        if node.op_type == "EyeLike":
            return self._unit_matrix(node)
        inputs = [None if value is None else ir.convenience.get_const_tensor(value) for value in node.inputs]
        if any(tensor is None and value is not None for tensor, value in zip(inputs, node.inputs, strict=True)):
            return self._partly_known(node)
        if not self._may_fold(node, [tensor for tensor in inputs if tensor is not None]):
            return None
        arrays = evaluate(node, [None if tensor is None else tensor.numpy() for tensor in inputs], self._run.opset)
        return arrays if arrays is not None and all(map(_is_as_inferred, node.outputs, arrays)) else None

    def _may_fold(self, node: ir.Node, inputs: Sequence[ir.TensorProtocol]) -> bool:
        if node.op_type == "Identity" and node.outputs[0].is_graph_output():
            return False  # it gives out a constant
        size = max(
            (math.prod(each.shape.numpy()) for each in node.outputs if each.shape and each.shape.is_static()), default=0
        )
        growth = max(0, size - sum(tensor.size for tensor in inputs))
        if size > MOST_OUTPUT or self._run.grown + growth > MOST_GROWTH:
            return False
        runs = runs_converted(node, self._run.target, self._run.opset)
        is_small = all(tensor.size <= MOST_INPUT for tensor in inputs)
        if runs and (node.op_type in KEPT or not (node.op_type in REARRANGES or is_small)):
            return False
        self._run.grown += growth
        return True

    def _sizes(self, node: ir.Node) -> list[np.ndarray] | None:
        x = node.inputs[0]
        if x is None or x.shape is None:
            return None
        sizes = list(x.shape)
        if node.op_type == "Size":
            return [np.array(math.prod(x.shape.numpy()), np.int64)] if x.shape.is_static() else None
        sizes = sizes[node.attributes.get_int("start", 0) : node.attributes.get_int("end", len(sizes))]
        partial = [np.array([s if isinstance(s, int) else number for s in sizes], np.int64) for number in UNKNOWN]
        return self._note(node, [[partial[0]], [partial[1]]])

    def _unit_matrix(self, node: ir.Node) -> list[np.ndarray] | None:
        """Return what an EyeLike computes of the shape of its input alone."""
        x = node.inputs[0]
        if x is None or x.shape is None or not x.shape.is_static() or x.dtype is None or not self._may_fold(node, []):
            return None
        return evaluate(node, [np.zeros(x.shape.numpy(), x.dtype.numpy())], self._run.opset)

    def _partly_known(self, node: ir.Node) -> list[np.ndarray] | None:
        """Return the elements of a shape if those that are not known have no part in them."""
        if node.op_type not in MOVES_ELEMENTS or not any(value in self._partial for value in node.inputs):
            return None
        if node.op_type == "Cast" and node.outputs[0].dtype != ir.DataType.INT64:
            return None
        results = []
        for which in range(len(UNKNOWN)):
            arrays = [
                self._partial[value][which] if value in self._partial else input_constant(node, index)
                for index, value in enumerate(node.inputs)
            ]
            data = arrays if node.op_type == "Concat" else arrays[:1]
            if any(array is None for array in arrays) or any(v in self._partial for v in node.inputs[len(data) :]):
                return None
            results.append(evaluate(node, arrays, self._run.opset))
        return self._note(node, results)

    def _note(self, node: ir.Node, results: Sequence[list[np.ndarray] | None]) -> list[np.ndarray] | None:
        """Return the first result if both are the same, otherwise keep them as known in part."""
        first, second = results
        if first is None or second is None:
            return None
        if np.array_equal(first[0], second[0]):
            return first
        self._partial[node.outputs[0]] = (first[0], second[0])
        return None


def evaluate(node: ir.Node, inputs: Sequence[np.ndarray | None], opset: int) -> list[np.ndarray] | None:
    """Return what onnx's reference evaluator computes, one array per output; None if it can't, or not as arrays."""
    proto = ir.to_proto(node)
    feeds = {name: array for name, array in zip(proto.input, inputs, strict=True) if array is not None}
    declared = [onnx.helper.make_value_info(name, onnx.TypeProto()) for name in feeds]
    outputs = [onnx.helper.make_value_info(name, onnx.TypeProto()) for name in proto.output if name]
    graph = onnx.helper.make_graph([proto], "node", declared, outputs)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)])
    try:
        with np.errstate(all="ignore"):
            results = list(ReferenceEvaluator(model).run(None, feeds))
    except Exception:  # whatever an operator's Python raises
        return None
    whole = len(outputs) == len(node.outputs) and all(isinstance(each, np.ndarray) for each in results)
    return results if whole else None


def _is_as_inferred(value: ir.Value, array: np.ndarray) -> bool:
    """Return whether an array has the type, and as far as it is known the shape, of a value."""
    try:
        dtype = ir.DataType.from_numpy(array.dtype)
    except TypeError:
        return False
    if value.type != ir.TensorType(dtype):
        return False
    if value.shape is None:
        return True
    sizes = zip(value.shape, array.shape, strict=False)
    return len(value.shape) == array.ndim and all(not isinstance(size, int) or size == actual for size, actual in sizes)


def _make_constant(node: ir.Node, graph: ir.Graph, arrays: Sequence[np.ndarray]) -> None:
    """In place: replace a node by initializers of the same names."""
    for value, array in zip(node.outputs, arrays, strict=True):
        replacement = constant(array, name_of(value))
        value.name = None
        graph.register_initializer(replacement)
        ir.convenience.replace_all_uses_with(value, replacement, replace_graph_outputs=True)
    graph.remove(node, safe=True)


def _replace(node: ir.Node, graph: ir.Graph, replacement: Inlined) -> None:
    """In place: put what replaces a node with bodies into its place."""
    for value in replacement.initializers:
        graph.register_initializer(value)
    graph.insert_after(node, replacement.nodes)
    for y, new in zip(node.outputs, replacement.outputs, strict=True):
        redirect(y, new, node)
    graph.remove(node, safe=True)
