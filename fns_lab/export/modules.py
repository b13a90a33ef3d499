"""Which traced values are the outputs of which call of a module."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from fns_lab.runtimes.torch_runner import tensors

if TYPE_CHECKING:
    from torch import Tensor, fx, nn
    from torch.export import ExportedProgram

Shape = tuple[str, ...]
"""Size of each axis as text: a number, or the name of an axis that is free."""
Outputs = Mapping[str, tuple[str, ...]]
"""For each call of a module (`act`, `act@1` for the second call of `act`) the values that it gave, by traced names."""

_ROOT = "L__self__"


class CallLog:
    """Watches a network while it is traced: how many tensors each call of a module gives, and of which shapes.

    `copies` has the tensors, copied, of each call that gave several of one shape: no shape tells those apart, so they
    become outputs of the traced graph, its last ones.
    """

    def __init__(self, net: nn.Module) -> None:
        self.shapes: dict[str, list[Shape]] = {}
        self.copies: dict[str, list[Tensor]] = {}
        calls: Counter[str] = Counter()

        def begin(module: nn.Module, inputs: tuple[Any, ...]) -> None:
            for counts in (calls, self.shapes, self.copies):  # the exporter may trace more than once
                counts.clear()

        def watch(path: str) -> Callable[..., None]:
            def hook(module: nn.Module, inputs: tuple[Any, ...], output: object) -> None:
                call = f"{path}@{calls[path]}" if calls[path] else path
                calls[path] += 1
                given = tensors(output)
                shapes = self.shapes[call] = [tuple(map(str, tensor.shape)) for tensor in given]
                if len(set(shapes)) < len(shapes):
                    self.copies[call] = [tensor.clone() for tensor in given]

            return hook

        net.register_forward_pre_hook(begin)
        for path, module in net.named_modules():
            if path:
                module.register_forward_hook(watch(path))


def outputs_of(program: ExportedProgram, log: CallLog) -> dict[str, tuple[str, ...]]:
    """Return the traced values that each call of a module gave.

    They are the values of which `log` has copies, and of other calls the values computed in it that something outside
    it reads, told apart by their shapes. Calls for which that is not possible are left out, as are those that computed
    nothing, such as Dropout's.
    """
    graph = program.graph
    copied = _copied(graph, log)
    inside: dict[str, list[fx.Node]] = {}
    for node in graph.nodes:
        for key, (path, _) in (node.meta.get("nn_module_stack") or {}).items():
            if path and key.startswith(_ROOT):
                _, at, number = key.rpartition("@")
                inside.setdefault(f"{path}@{number}" if at else path, []).append(node)
    found = {}
    for call, nodes in inside.items():
        given = log.shapes.get(call, [])
        values = copied.get(call) or _matched([node for node in nodes if _is_read_outside(node, set(nodes))], given)
        if values:
            found[call] = values
    return found


def changed_buffer(program: ExportedProgram) -> str | None:
    """Return a buffer that the network changes and on whose old value its result depends, or None."""
    signature = program.graph_signature
    changed = set(signature.buffers_to_mutate.values())
    nodes = {node.name: node for node in program.graph.nodes}
    reached: set[fx.Node] = set()
    waiting = [nodes[name] for name in signature.user_outputs if isinstance(name, str)]
    while waiting:
        node = waiting.pop()
        buffer: str | None = signature.inputs_to_buffers.get(node.name)
        if buffer in changed:
            return buffer
        waiting += [source for source in node.all_input_nodes if source not in reached]
        reached.update(node.all_input_nodes)
    return None


def _copied(graph: fx.Graph, log: CallLog) -> dict[str, tuple[str, ...]]:
    """Return the traced values of which each call's copies were made."""
    count = sum(map(len, log.copies.values()))
    outputs = cast("Sequence[Any]", graph.output_node().args[0])
    copies = iter(outputs[len(outputs) - count :])
    return {call: tuple(next(copies).args[0].name for _ in given) for call, given in log.copies.items()}


def _is_read_outside(node: fx.Node, inside: set[fx.Node]) -> bool:
    return hasattr(node.meta.get("val"), "shape") and any(user not in inside for user in node.users)


def _matched(nodes: Sequence[fx.Node], given: Sequence[Shape]) -> tuple[str, ...]:
    """Return the names of the values among `nodes` that are the tensors of the shapes `given`; none if that is open."""
    shapes = [tuple(map(str, node.meta["val"].shape)) for node in nodes]
    if len(given) == 1 and nodes and shapes[-1] == given[0]:
        return (nodes[-1].name,)
    if any(given.count(shape) != 1 for shape in shapes):
        return ()
    by_shape = {shape: node.name for node, shape in zip(nodes, shapes, strict=True)}
    return tuple(by_shape.get(shape, "") for shape in given)
