"""If, Loop and Scan, with small graphs inside."""

from __future__ import annotations

import numpy as np
from onnx import GraphProto, NodeProto, ValueInfoProto, helper, numpy_helper

from fns_lab.measure.sweep.axes import LEFT_OUT, NONE_OR_ALL
from fns_lab.measure.sweep.draw import Draw, Family, Inputs
from fns_lab.measure.sweep.pairwise import Axes

SIZES = ((5, 7), (1, 1), (4, 3), (17,), ())


def _value(name: str, array: np.ndarray | None = None) -> ValueInfoProto:
    """Return the name of a value inside, with the type and shape of `array`; without one they are inferred."""
    if array is None:
        return ValueInfoProto(name=name)
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)


def _constant(name: str, array: np.ndarray) -> NodeProto:
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(array, name))


def _if_axes(op: str) -> Axes:
    return {
        "size": SIZES, "condition": (True, False), "given": ("computed", "constant"),
        "branch": ("reads", "constant", "nested", "alike"), "outputs": (1, 2), "shapes": ("same", "different"),
        "type": ("float32", "int64"),
    }  # fmt: skip


def _if(draw: Draw) -> Inputs:
    x = draw.array(draw["size"])
    draw.captured["x"] = x
    draw.outputs = draw["outputs"]
    draw.fix(draw["given"], 0)
    draw.attributes["then_branch"] = _branch(draw, x, "then")
    draw.attributes["else_branch"] = _branch(draw, x, "else")
    return [np.array(draw["condition"])]


def _branch(draw: Draw, x: np.ndarray, name: str) -> GraphProto:
    """Return a graph that reads `x` from around it, or that of the axis `branch`."""
    added = np.full((2, *x.shape) if (draw["shapes"], name) == ("different", "else") else x.shape, 2, x.dtype)
    nodes = [_constant(f"{name}_c", added)]
    if draw["branch"] == "constant":
        nodes += [helper.make_node("Identity", [f"{name}_c"], [f"{name}_0"])]
    elif draw["branch"] == "nested":
        inner = {
            f"{side}_branch": helper.make_graph(
                [helper.make_node(op, ["x", f"{name}_c"], [f"{name}_{side}"])], side, [], [_value(f"{name}_{side}")]
            )
            for side, op in (("then", "Add"), ("else", "Mul"))
        }
        nodes += [
            _constant(f"{name}_if", np.array(True)),
            helper.make_node("If", [f"{name}_if"], [f"{name}_0"], **inner),
        ]
    else:
        op = "Mul" if name == "else" and draw["branch"] == "reads" else "Add"
        nodes += [helper.make_node(op, ["x", f"{name}_c"], [f"{name}_0"])]
    nodes += [helper.make_node("Add", [f"{name}_0", f"{name}_c"], [f"{name}_1"])] if draw["outputs"] == 2 else []
    return helper.make_graph(nodes, name, [], [_value(f"{name}_{index}") for index in range(draw["outputs"])])


def _loop_axes(op: str) -> Axes:
    return {
        "size": SIZES, "trips": (3, 1, 0, LEFT_OUT, 10), "condition": (LEFT_OUT, True, False),
        "ends": ("never", "by count", "by value"), "states": (1, 0, 2), "collected": (0, 1),
        "reads": ("outside", "nothing"), "given": ("computed", "constant"), "type": ("float32", "int64"),
    }  # fmt: skip


def _loop(draw: Draw) -> Inputs:
    x, states, collected, ends = draw.array(draw["size"], 0.5, 2.0), draw["states"], draw["collected"], draw["ends"]
    draw.require(states + collected and (draw["trips"] is not LEFT_OUT or ends == "by count"))
    draw.require(ends != "by value" or (states and x.shape == ()))
    draw.captured |= {"x": x} if draw["reads"] == "outside" else {}
    draw.outputs = states + collected
    draw.fix(draw["given"], 0, 1)
    zero = _value("count", np.array(0, np.int64))
    inside = [zero, _value("before", np.array(True)), *(_value(f"state{i}", x) for i in range(states))]
    nodes = [_constant("two", np.array(2, x.dtype)), _constant("limit", np.array(2, np.int64))]
    read = "x" if draw["reads"] == "outside" else "two"
    nodes += [helper.make_node(("Add", "Mul")[i], [f"state{i}", read], [f"next{i}"]) for i in range(states)]
    nodes += {
        "never": [helper.make_node("Identity", ["before"], ["after"])],
        "by count": [helper.make_node("Less", ["count", "limit"], ["after"])],
        "by value": [_constant("five", np.array(5, x.dtype)), helper.make_node("Less", ["next0", "five"], ["after"])],
    }[ends]
    nodes += [helper.make_node("Mul", ["state0" if states else read, "two"], ["piece"])] if collected else []
    names = ["after", *(f"next{i}" for i in range(states)), *(["piece"] if collected else [])]
    draw.attributes["body"] = helper.make_graph(nodes, "body", inside, [_value(name) for name in names])
    trips = None if draw["trips"] is LEFT_OUT else np.array(draw["trips"], np.int64)
    condition = None if draw["condition"] is LEFT_OUT else np.array(draw["condition"])
    return [trips, condition, *([x, x * 2][:states])]


def _scan_axes(op: str) -> Axes:
    return {
        "size": SIZES, "steps": (3, 1, 7), "states": (1, 0), "read": (1, 2),
        "axis": (LEFT_OUT, 0, 1, -1), "direction": (LEFT_OUT, 0, 1), "output axis": (LEFT_OUT, 0, 1),
        "output direction": (LEFT_OUT, 0, 1), "type": ("float32", "int64"),
    }  # fmt: skip


def _scan(draw: Draw) -> Inputs:
    draw.require(draw.opset >= 9)  # before, a Scan had a batch and lengths
    part, states, count, axis = draw["size"], draw["states"], draw["read"], draw["axis"] or 0
    draw.require(-len(part) - 1 <= axis <= len(part) and (draw["output axis"] or 0) <= len(part))
    for name, value, length in (
        ("scan_input_axes", draw["axis"], count), ("scan_input_directions", draw["direction"], count),
        ("scan_output_axes", draw["output axis"], 1), ("scan_output_directions", draw["output direction"], 1),
    ):  # fmt: skip
        if value is not LEFT_OUT:
            draw.set(name, (value,) * length)
    draw.set("num_scan_inputs", count)
    draw.outputs = states + 1
    at = axis % (len(part) + 1)
    whole = (*part[:at], draw["steps"], *part[at:])
    piece = draw.array(part)
    inside = [*([_value("state", piece)] if states else []), *(_value(f"piece{i}", piece) for i in range(count))]
    total = "piece0" if count == 1 else "both"
    nodes = [helper.make_node("Add", ["piece0", "piece1"], ["both"])] if count == 2 else []
    nodes += [helper.make_node("Add", ["state", total], ["next"])] if states else []
    nodes += [helper.make_node("Mul", ["next" if states else total, "piece0"], ["out"])]
    outputs = [_value(name, piece) for name in ([*["next"][:states], "out"])]
    draw.attributes["body"] = helper.make_graph(nodes, "body", inside, outputs)
    return [*[piece][:states], *(draw.array(whole) for _ in range(count))]


FAMILIES = (
    Family(("If",), _if_axes, _if, frozenset({"then_branch", "else_branch"}), constants=NONE_OR_ALL),
    Family(("Loop",), _loop_axes, _loop, frozenset({"body"}), constants=NONE_OR_ALL),
    Family(("Scan",), _scan_axes, _scan, constants=NONE_OR_ALL),
)
