"""If, Loop and Scan that fixed sizes decide, written without bodies.

    If(true) = the nodes of its then_branch      Loop, Scan of n steps = the nodes of the body, n times
    If(c) = Where(c, its then_branch, its else_branch)

- Supported: an If whose condition is constant, or whose branches both give float32 of the same fixed shape; a Loop
  whose number of steps is constant and whose condition stays true; a Scan, of opset 9 or higher, over an axis of fixed
  size. Bodies may hold bodies and read outer values.
- Fidelity: exact.
- Needed by: the targets without these ops. An If is replaced for all of them, since one branch is never run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import NodeError, fixed_size, from_the_front, has_input, input_constant
from fns_lab.opset.spec import constant
from fns_lab.rewrite.rule import LoweringRun, Refusal, Refused
from fns_lab.rewrite.values import unused_name
from fns_lab.targets.checking import runs_converted

CONTROL_FLOW_RULE = "control-flow"
"""Stands in the tables `applied` and `refused` for replacing If, Loop and Scan."""
WHERE_SINCE = 9
"""Opset from which there is a Where."""
MOST_UNROLLED = 2000
"""Most nodes that one Loop or Scan may become."""


@dataclass
class Inlined:
    """What takes the place of a node with bodies: new nodes and initializers, and a value for each output."""

    run: LoweringRun
    names: set[str]
    nodes: list[ir.Node] = field(default_factory=list)
    initializers: list[ir.Value] = field(default_factory=list)
    outputs: list[ir.Value] = field(default_factory=list)

    def constant(self, array: np.ndarray, name: str) -> ir.Value:
        """Add an initializer."""
        value = constant(array, unused_name(name, self.names))
        self.initializers.append(value)
        return value

    def op(self, op_type: str, inputs: Sequence[ir.Value], name: str, **attributes: int | Sequence[int]) -> ir.Value:
        """Add a node and return its output."""
        node = ir.node(op_type, inputs, attributes)
        node.outputs[0].name = unused_name(name, self.names)
        node.name = f"node_{node.outputs[0].name}"
        self.nodes.append(node)
        return node.outputs[0]

    def body(self, body: ir.Graph, inputs: Sequence[ir.Value], name: str) -> list[ir.Value]:
        """Add a copy of a body's nodes that reads `inputs`, and return the copy's outputs."""
        copy = body.clone(allow_outer_scope_values=True)
        outputs, nodes, initializers = list(copy.outputs), list(copy), list(copy.initializers.values())
        copy.outputs.clear()
        copy.remove(nodes)
        copy.initializers.clear()
        for formal, actual in zip(list(copy.inputs), inputs, strict=True):
            formal.replace_all_uses_with(actual)
        for value in (*initializers, *(output for node in nodes for output in node.outputs)):
            value.name = unused_name(value.name or name, self.names)
        self.nodes += nodes
        self.initializers += initializers
        return outputs

    def stack(self, values: Sequence[ir.Value], axis: int, name: str) -> ir.Value:
        """Add nodes that join values along a new axis."""
        rows = [self._unsqueeze(value, axis, f"{name}.step{step}") for step, value in enumerate(values)]
        return self.op("Concat", rows, name, axis=axis)

    def _unsqueeze(self, value: ir.Value, axis: int, name: str) -> ir.Value:
        if self.run.opset < 13:
            return self.op("Unsqueeze", [value], name, axes=[axis])
        return self.op("Unsqueeze", [value, self.constant(np.array([axis]), f"{name}.axes")], name)


def inlined(node: ir.Node, run: LoweringRun, names: set[str]) -> Inlined | None:
    """Return what takes the place of an If, Loop or Scan; None for other nodes and where one stays.

    Its nodes are in no graph yet. Why one that the target cannot run stays is recorded in `run.refused`.
    """
    if node.domain != "" or node.op_type not in _WRITERS:
        return None
    if node.op_type != "If" and runs_converted(node, run.target, run.opset):
        return None
    result = Inlined(run, names)
    try:
        result.outputs = _WRITERS[node.op_type](node, result)
    except NodeError as error:
        if not runs_converted(node, run.target, run.opset):
            run.refused.append(Refused(node.name or node.op_type, CONTROL_FLOW_RULE, str(error)))
        return None
    run.inlined += 1
    return result


def _if(node: ir.Node, result: Inlined) -> list[ir.Value]:
    condition = input_constant(node, 0)
    if condition is None or condition.size != 1:
        return _both_branches(node, result)
    branch = node.attributes["then_branch" if condition.item() else "else_branch"].as_graph()
    return result.body(branch, [], _name(node))


def _both_branches(node: ir.Node, result: Inlined) -> list[ir.Value]:
    """Return a choice between the outputs of both branches."""
    condition, run = _given(node.inputs[0]), result.run
    if run.opset < WHERE_SINCE or condition.shape is None or runs_converted(node, run.target, run.opset):
        raise Refusal("the condition of If is computed; sizes decide it only where they are fixed (--shape)")
    branches = [node.attributes[name].as_graph() for name in ("then_branch", "else_branch")]
    for values in zip(*(branch.outputs for branch in branches), strict=True):
        if not all(_is_fixed_float(value, len(condition.shape)) for value in values) or _differ(*values):
            raise Refusal("the condition of If is computed, and the branches do not give float32 of one fixed shape")
    chosen = [result.body(branch, [], _name(node)) for branch in branches]
    return [result.op("Where", [condition, *pair], f"{_name(node)}.chosen") for pair in zip(*chosen, strict=True)]


def _is_fixed_float(value: ir.Value, least_rank: int) -> bool:
    shape = value.shape
    return value.dtype == ir.DataType.FLOAT and shape is not None and shape.is_static() and len(shape) >= least_rank


def _differ(first: ir.Value, second: ir.Value) -> bool:
    return first.shape != second.shape


def _loop(node: ir.Node, result: Inlined) -> list[ir.Value]:
    body, states = node.attributes["body"].as_graph(), [_given(value) for value in node.inputs[2:]]
    steps, name = _loop_steps(node, body), _name(node)
    _raise_if_large(node, body, steps)
    stacked: list[list[ir.Value]] = [[] for _ in body.outputs[1 + len(states) :]]
    if steps == 0 and stacked:
        raise Refusal("Loop of no steps stacks values")
    true = result.constant(np.full(_stated_shape(body.inputs[1]), True), f"{name}.true")
    for step in range(steps):
        number = result.constant(np.full(_stated_shape(body.inputs[0]), step, np.int64), f"{name}.number")
        outputs = result.body(body, [number, true, *states], name)
        states, rows = outputs[1 : 1 + len(states)], outputs[1 + len(states) :]
        for values, row in zip(stacked, rows, strict=True):
            values.append(row)
    return [*states, *(result.stack(values, 0, f"{name}.stacked") for values in stacked)]


def _stated_shape(value: ir.Value) -> tuple[int, ...]:
    """Return the shape in which a body takes a number: one element, of no dimension unless the body states some."""
    return (1,) * (0 if value.shape is None else len(value.shape))


def _loop_steps(node: ir.Node, body: ir.Graph) -> int:
    """Return the number of steps of a Loop. Raises `Refusal` if it is not known before it runs."""
    limit, first = (input_constant(node, index) for index in (0, 1))
    has_condition = has_input(node, 1)
    if first is not None and not first.any():
        return 0
    if has_condition and first is None:
        raise Refusal("the condition of Loop is computed")
    if limit is None:
        raise Refusal("the number of steps of Loop is computed, or has no limit")
    last, condition = body.outputs[0], body.inputs[1]
    while (producer := last.producer()) is not None and producer.op_type == "Identity" and producer.inputs[0]:
        last = producer.inputs[0]
    constant = ir.convenience.get_const_tensor(last)
    if last is not condition and (constant is None or not constant.numpy().all()):
        raise Refusal("each step of Loop computes whether there is another one")
    return max(0, int(limit.item()))


def _scan(node: ir.Node, result: Inlined) -> list[ir.Value]:
    if result.run.opset < 9:
        raise Refusal("Scan of opset 8, which has a batch and sequence lengths")
    body, name, count = node.attributes["body"].as_graph(), _name(node), node.attributes["num_scan_inputs"].as_int()
    inputs = [_given(value) for value in node.inputs]
    states, scanned = inputs[:-count], inputs[-count:]
    axes = [
        from_the_front(axis, _rank(value))
        for axis, value in zip(node.attributes.get_ints("scan_input_axes", [0] * count), scanned, strict=True)
    ]
    backward = node.attributes.get_ints("scan_input_directions", [0] * count)
    steps = fixed_size(scanned[0], axes[0])
    _raise_if_large(node, body, steps)
    rows: list[list[ir.Value]] = []
    for step in range(steps):
        slices = [
            result.op(
                "Gather", [value, _index(result, steps - 1 - step if back else step, name)], f"{name}.slice", axis=axis
            )
            for value, axis, back in zip(scanned, axes, backward, strict=True)
        ]
        outputs = result.body(body, [*states, *slices], name)
        states = outputs[: len(states)]
        rows.append(outputs[len(states) :])
    return [*states, *_stacked_scans(node, body.outputs[len(states) :], rows, result)]


def _stacked_scans(
    node: ir.Node, formal: Sequence[ir.Value], rows: Sequence[Sequence[ir.Value]], result: Inlined
) -> list[ir.Value]:
    if not rows and formal:
        raise Refusal("Scan of no steps stacks values")
    axes = node.attributes.get_ints("scan_output_axes", [0] * len(formal))
    backward = node.attributes.get_ints("scan_output_directions", [0] * len(formal))
    stacked = []
    for index, (value, axis, back) in enumerate(zip(formal, axes, backward, strict=True)):
        values = [row[index] for row in rows]
        place = axis if axis >= 0 else from_the_front(axis, _rank(value) + 1)
        stacked.append(result.stack(values[::-1] if back else values, place, f"{_name(node)}.stacked"))
    return stacked


_WRITERS: Mapping[str, Callable[[ir.Node, Inlined], list[ir.Value]]] = {"If": _if, "Loop": _loop, "Scan": _scan}


def _raise_if_large(node: ir.Node, body: ir.Graph, steps: int) -> None:
    nodes = sum(1 for _ in body.all_nodes())
    if steps * nodes > MOST_UNROLLED:
        raise Refusal(f"{node.op_type} of {steps} steps with {nodes} nodes each; at most {MOST_UNROLLED} are unrolled")


def _index(result: Inlined, number: int, name: str) -> ir.Value:
    return result.constant(np.array(number, np.int64), f"{name}.index")


def _rank(value: ir.Value) -> int:
    if value.shape is None:
        raise Refusal(f"the shape of {value.name} is unknown")
    return len(value.shape)


def _given(value: ir.Value | None) -> ir.Value:
    if value is None:
        raise Refusal("an input that is left out")
    return value


def _name(node: ir.Node) -> str:
    return next(output.name for output in node.outputs if output.name)
