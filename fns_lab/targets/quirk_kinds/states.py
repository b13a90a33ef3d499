"""Kinds of quirk for states that a recurrent layer is given or gives out."""

from __future__ import annotations

import onnx_ir as ir

from fns_lab.opset.nodes import has_input
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
