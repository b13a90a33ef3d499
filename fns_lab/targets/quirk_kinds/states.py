"""Kinds of quirk for what a recurrent layer or an Attention keeps: the states that it is given or gives out."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.attention import mask_covers_keys
from fns_lab.opset.nodes import has_input, input_constant, input_shape
from fns_lab.targets.target import Quirk


def single_output(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that name their first output and have no others.

    Fields: none.

        [[quirk]]
        kind = "single-output"
        ops = ["GRU"]
    """
    return bool(node.outputs[0].name) and len(node.outputs) == 1


def second_output_left_out(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that name a third output and not the second.

    Fields: none.

        [[quirk]]
        kind = "second-output-left-out"
        ops = ["LSTM"]
    """
    return len(node.outputs) > 2 and bool(node.outputs[2].name) and not node.outputs[1].name


def given_apart(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that are given any of these optional inputs after the first, but not all of these.

    Fields: `inputs`, the numbers of the inputs, from 0.

        [[quirk]]
        kind = "given-apart"
        ops = ["LSTM"]
        inputs = [3, 5, 6]
    """
    given = [has_input(node, index) for index in quirk.inputs]
    return any(given[1:]) and not all(given)


def cell_state_from_zero(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match an LSTM that gives out the last state of its cell and is given no state, unless the batch is known to be 1.

    Fields: none.

        [[quirk]]
        kind = "cell-state-from-zero"
        ops = ["LSTM"]
    """
    x = input_shape(node, 0)
    from_zero = not has_input(node, 5) and not has_input(node, 6)
    return from_zero and len(node.outputs) > 2 and bool(node.outputs[2].name) and (x is None or x[1] != 1)


def states_alike(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match an LSTM whose two states are one computed value, unless the batch is known to be 1.

    One that gives out the last state of its cell is also matched if both states are equal constants.

    Fields: none.

        [[quirk]]
        kind = "states-alike"
        ops = ["LSTM"]
    """
    x = input_shape(node, 0)
    if not has_input(node, 5) or not has_input(node, 6) or (x is not None and x[1] == 1):
        return False
    hidden, cell = input_constant(node, 5), input_constant(node, 6)
    if hidden is None or cell is None:
        return node.inputs[5] is node.inputs[6]
    return len(node.outputs) > 2 and bool(node.outputs[2].name) and np.array_equal(hidden, cell)


def present_without_past(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match an Attention that gives out the present keys, values or product, and takes no past ones.

    Fields: none.

        [[quirk]]
        kind = "present-without-past"
        ops = ["Attention"]
    """
    return len(node.outputs) > 1 and not has_input(node, 4)


def past_without_present(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match an Attention that is given past keys or values, unless it names both present ones, its next two outputs.

    Fields: none.

        [[quirk]]
        kind = "past-without-present"
        ops = ["Attention"]
    """
    named = [output for output in node.outputs[1:3] if output.name]
    return (has_input(node, 4) or has_input(node, 5)) and len(named) < 2


def single_causal_query(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match a causal Attention with past keys, one query, and more than one new key. Unknown sizes do not count.

    Fields: none.

        [[quirk]]
        kind = "single-causal-query"
        ops = ["Attention"]
    """
    query, key = input_shape(node, 0), input_shape(node, 1)
    if not (node.attributes.get_int("is_causal", 0) and has_input(node, 4)) or query is None or key is None:
        return False
    return query[-2] == 1 and isinstance(key[-2], int) and key[-2] > 1


def mask_of_other_size(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match an Attention whose mask has another number of columns than there are keys. Unknown sizes do not count.

    Fields: none.

        [[quirk]]
        kind = "mask-of-other-size"
        ops = ["Attention"]
    """
    return mask_covers_keys(node) is False


def other_activations(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match recurrent layers that state another activation than these.

    Fields: `attributes`, for `activations` the names that the engine knows.

        [[quirk]]
        kind = "other-activations"
        ops = ["GRU", "LSTM"]
        attributes = { activations = ["Relu", "Sigmoid", "Tanh"] }
    """
    stated = node.attributes.get_strings("activations", [])
    return not {name.lower() for name in stated} <= {str(name).lower() for name in quirk.attributes["activations"]}
