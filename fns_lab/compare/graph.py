"""A model as a graph: which node computes a value, which nodes read it, and any nodes as a model of their own."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from functools import cached_property

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper

from fns_lab import models
from fns_lab.sizes import with_input_shapes

Feeds = Mapping[str, np.ndarray]
"""Arrays by the name of the input that they are for."""


class Graph:
    """`model` at the input shapes of `feeds`. Nodes are numbered in the model's order, in which they can run."""

    def __init__(self, model: ModelProto, feeds: Feeds | None = None) -> None:
        self.model = with_input_shapes(model, {name: x.shape for name, x in (feeds or {}).items()})
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
        self._fed = self._inputs.keys() - self._initializers.keys()

    @cached_property
    def known(self) -> dict[str, ValueInfoProto]:
        """The values whose type and shape are known before a run; a dimension may still be dynamic."""
        inferred = models.infer_shapes(self.model).graph
        return {
            value.name: value
            for value in (*inferred.value_info, *inferred.output)
            if value.type.tensor_type.elem_type != TensorProto.UNDEFINED and value.type.tensor_type.HasField("shape")
        }

    def values(self) -> list[str]:
        """Return the names of all float values that nodes compute, in order, without Constants and unknown types."""
        names = [name for node in self.nodes if node.op_type != "Constant" for name in node.output if name]
        return [n for n in names if n in self.known and self._type(n) in models.FLOAT_TYPES]

    def size_bytes(self, name: str, unknown: int) -> int:
        """Return the bytes that a value takes, or `unknown` if its shape depends on the data."""
        shape = models.shape_of(self.known[name]) if name in self.known else ("?",)
        sizes = [size for size in shape if isinstance(size, int)]
        if len(sizes) < len(shape):
            return unknown
        return int(helper.tensor_dtype_to_np_dtype(self._type(name)).itemsize * math.prod(sizes))

    def ancestors(self, names: Iterable[str], stop: Collection[str] = ()) -> set[int]:
        """Return the nodes that compute `names`, back to the model's inputs or to the values in `stop`."""
        nodes: set[int] = set()
        waiting = [name for name in names if name not in stop]
        while waiting:
            i = self.producer.get(waiting.pop())
            if i is not None and i not in nodes:
                nodes.add(i)
                waiting += [name for name in self.reads[i] if name not in stop]
        return nodes

    def nodes_behind(self, value: str, stop: Collection[str]) -> set[int]:
        """Return the nodes that compute `value`, back to the model's inputs or to other values in `stop`."""
        i = self.producer.get(value)
        return set() if i is None else {i} | self.ancestors(self.reads[i], stop)

    def inputs_of(self, nodes: Collection[int]) -> list[str]:
        """Return the values that `nodes` read and do not compute, without weights, in the order of reading."""
        computed = {value for i in nodes for value in self.nodes[i].output}
        names = [name for i in sorted(nodes) for name in self.reads[i] if name not in computed]
        return [name for name in dict.fromkeys(names) if name in self.producer or name in self._fed]

    def outputs_of(self, nodes: Collection[int]) -> list[str]:
        """Return the values that `nodes` compute and none of them reads."""
        read = {name for i in nodes for name in self.reads[i]}
        return [value for i in sorted(nodes) for value in self.nodes[i].output if value and value not in read]

    def subgraph(self, nodes: Collection[int], given: Feeds, outputs: Iterable[str]) -> ModelProto:
        """Return `nodes` as a model that takes the arrays `given` and returns `outputs`.

        Opset, IR version, names, metadata and the weights that the nodes read are the model's own; a weight that is
        listed as an input in the model is listed here too.
        """
        kept = [self.nodes[i] for i in sorted(nodes)]
        used = {name for i in nodes for name in self.reads[i]} - given.keys()
        weights = [tensor for name, tensor in self._initializers.items() if name in used]
        inputs = [_described(name, array) for name, array in given.items()]
        inputs += [self._inputs[tensor.name] for tensor in weights if tensor.name in self._inputs]
        graph = helper.make_graph(kept, self.model.graph.name, inputs, [self._info(n) for n in outputs], weights)
        result = ModelProto(ir_version=self.model.ir_version, graph=graph)
        result.opset_import.extend(self.model.opset_import)
        result.functions.extend(self.model.functions)
        return result

    def _info(self, name: str) -> ValueInfoProto:
        return self.known.get(name) or next(value for value in self.model.graph.output if value.name == name)

    def _type(self, name: str) -> int:
        return self.known[name].type.tensor_type.elem_type


def _reads(node: NodeProto) -> tuple[str, ...]:
    """Return the names that a node reads, with the outer values that its inner graphs read."""
    names = [name for name in node.input if name]
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            names += [name for inner in models.walk(graph) for name in inner.input if name]
            names += [output.name for output in graph.output]
    return tuple(dict.fromkeys(names))


def _described(name: str, array: np.ndarray) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
