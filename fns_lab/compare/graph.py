"""A model as a graph to walk in: who computes a value, who reads it, and any of its nodes as a model of their own."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from functools import cached_property

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper

from fns_lab import models

Feeds = Mapping[str, np.ndarray]


class Graph:
    """`model` at the input shapes of `feeds`. Nodes are numbered as they stand, which is an order they can run in."""

    def __init__(self, model: ModelProto, feeds: Feeds | None = None) -> None:
        self.model = with_input_shapes(model, feeds or {})
        self.nodes: tuple[NodeProto, ...] = tuple(self.model.graph.node)
        self.producer = {value: i for i, node in enumerate(self.nodes) for value in node.output if value}
        self.reads = tuple(_reads(node) for node in self.nodes)
        self.readers: dict[str, list[int]] = {}
        for i, names in enumerate(self.reads):
            for name in names:
                self.readers.setdefault(name, []).append(i)
        self.outputs = tuple(value.name for value in self.model.graph.output)
        self._initializers = {tensor.name: tensor for tensor in self.model.graph.initializer}
        self._inputs = {value.name: value for value in self.model.graph.input}

    @cached_property
    def known(self) -> dict[str, ValueInfoProto]:
        """The values whose type and shape are known before a run; a side may still be free."""
        inferred = models.infer_shapes(self.model).graph
        return {
            value.name: value
            for value in (*inferred.value_info, *inferred.output)
            if value.type.tensor_type.elem_type != TensorProto.UNDEFINED and value.type.tensor_type.HasField("shape")
        }

    def values(self) -> list[str]:
        """Every value of a float type that a node computes, in order, if its type is known; Constants are left out."""
        names = [name for node in self.nodes if node.op_type != "Constant" for name in node.output if name]
        return [n for n in names if n in self.known and self._type(n) in models.FLOAT_TYPES]

    def size_bytes(self, name: str, unknown: int) -> int:
        """Bytes that a value takes; `unknown` where a side of it depends on the data."""
        shape = models.shape_of(self.known[name]) if name in self.known else ("?",)
        if not all(isinstance(side, int) for side in shape):
            return unknown
        return helper.tensor_dtype_to_np_dtype(self._type(name)).itemsize * math.prod(shape)

    def ancestors(self, names: Iterable[str], stop: Collection[str] = ()) -> set[int]:
        """The nodes that compute `names`, back to the model's inputs or to the values in `stop`."""
        found: set[int] = set()
        waiting = [name for name in names if name not in stop]
        while waiting:
            i = self.producer.get(waiting.pop())
            if i is not None and i not in found:
                found.add(i)
                waiting += [name for name in self.reads[i] if name not in stop]
        return found

    def inputs_of(self, nodes: Collection[int]) -> list[str]:
        """The values that `nodes` read and do not compute, weights left out, in the order of reading."""
        made = {value for i in nodes for value in self.nodes[i].output}
        names = [name for i in sorted(nodes) for name in self.reads[i] if name not in made]
        fed = self._inputs.keys() - self._initializers.keys()
        return [name for name in dict.fromkeys(names) if name in self.producer or name in fed]

    def outputs_of(self, nodes: Collection[int]) -> list[str]:
        """The values that `nodes` compute and none of them reads."""
        read = {name for i in nodes for name in self.reads[i]}
        return [value for i in sorted(nodes) for value in self.nodes[i].output if value and value not in read]

    def subgraph(self, nodes: Collection[int], given: Feeds, outputs: Iterable[str]) -> ModelProto:
        """`nodes` alone as a model: inputs are the arrays `given`, weights come along, `outputs` are its outputs.

        Opset, IR version, names and marks are the model's own; weights are inputs too where they were.
        """
        kept = [self.nodes[i] for i in sorted(nodes)]
        used = {name for i in nodes for name in self.reads[i]} - given.keys()
        weights = [tensor for name, tensor in self._initializers.items() if name in used]
        inputs = [_described(name, array) for name, array in given.items()]
        inputs += [self._inputs[tensor.name] for tensor in weights if tensor.name in self._inputs]
        graph = helper.make_graph(kept, self.model.graph.name, inputs, [self._info(n) for n in outputs], weights)
        made = ModelProto(ir_version=self.model.ir_version, graph=graph)
        made.opset_import.extend(self.model.opset_import)
        made.functions.extend(self.model.functions)
        return made

    def _info(self, name: str) -> ValueInfoProto:
        return self.known.get(name) or next(value for value in self.model.graph.output if value.name == name)

    def _type(self, name: str) -> int:
        return self.known[name].type.tensor_type.elem_type


def with_input_shapes(model: ModelProto, feeds: Feeds) -> ModelProto:
    """A copy whose free input sides are those of `feeds`; shapes that were written for free sides are inferred anew."""
    if all(_fixed(value) for value in model.graph.input):
        return model
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.value_info[:]
    for value in copy.graph.input:
        if value.name in feeds and not _fixed(value):
            sides = [onnx.TensorShapeProto.Dimension(dim_value=side) for side in feeds[value.name].shape]
            value.type.tensor_type.shape.CopyFrom(onnx.TensorShapeProto(dim=sides))
    for value in copy.graph.output:
        value.type.tensor_type.ClearField("shape")
    return models.infer_shapes(copy)


def _fixed(value: ValueInfoProto) -> bool:
    tensor = value.type.tensor_type
    return tensor.HasField("shape") and all(
        dim.HasField("dim_value") and dim.dim_value >= 0 for dim in tensor.shape.dim
    )


def _reads(node: NodeProto) -> tuple[str, ...]:
    """What a node reads, the outer values that its inner graphs read included."""
    names = [name for name in node.input if name]
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            names += [name for inner in models.walk(graph) for name in inner.input if name]
            names += [output.name for output in graph.output]
    return tuple(dict.fromkeys(names))


def _described(name: str, array: np.ndarray) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
