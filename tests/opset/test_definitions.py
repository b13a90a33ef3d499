"""Nodes that are not as ONNX defines their op."""

from __future__ import annotations

import pytest
from onnx import parser

from fns_lab.errors import InputError
from fns_lab.opset.definitions import require_defined

OLD = "Upsample <scales = [1.0, 1.0, 2.0, 2.0]> (x)"
NEW = "Upsample (x, scales)"


def _model(opset: int, node: str, outputs: str = "y"):
    return parser.parse_model(
        f"""<ir_version: 4, opset_import: ["" : {opset}]>
        graph (float[1, 2, 5, 5] x, float[4] scales) => (float[1, 2, 10, 10] y) {{ {outputs} = {node} }}"""
    )


@pytest.mark.parametrize(("opset", "node"), [(7, OLD), (9, NEW), (10, OLD), (17, OLD), (17, NEW)])
def test_a_node_of_a_deprecated_op_may_follow_any_definition_before(opset, node):
    require_defined(_model(opset, node))


@pytest.mark.parametrize(
    ("opset", "node", "outputs", "fault"),
    [
        (7, NEW, "y", "it has 2 inputs, and takes 1"),
        (9, OLD, "y", "it has 1 input, and takes 2"),
        (17, NEW, "y, more", "it has 2 outputs, and takes 1"),
        (17, "Upsample <to = 1> (x, scales)", "y", "it has no attribute 'to'"),
    ],
)
def test_a_node_that_no_definition_allows_is_named(opset, node, outputs, fault):
    with pytest.raises(InputError, match=rf"the Upsample node .* is broken: {fault}$"):
        require_defined(_model(opset, node, outputs))
