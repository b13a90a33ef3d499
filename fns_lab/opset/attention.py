"""What the sizes of an Attention say: whether its mask holds a value for each key."""

from __future__ import annotations

import onnx_ir as ir

from fns_lab.opset.nodes import has_input, input_shape

MASK = 3
"""Number of the input that holds the mask."""
PAST_KEY = 4
"""Number of the input that holds the past keys."""


def mask_covers_keys(node: ir.Node) -> bool | None:
    """Return whether the mask of an Attention has as many columns as there are keys; None if a size is not known.

    From opset 24 on a mask may have fewer: the keys beyond it are left out. An Attention without a mask covers all.
    """
    if not has_input(node, MASK):
        return True
    mask, key = input_shape(node, MASK), input_shape(node, 1)
    past = input_shape(node, PAST_KEY) if has_input(node, PAST_KEY) else [0, 0]
    if mask is None or key is None or past is None:
        return None
    columns, sizes = mask[-1], (key[-2], past[-2])
    if sizes[1] == 0 and columns == sizes[0]:
        return True
    if not isinstance(columns, int) or not all(isinstance(size, int) for size in sizes):
        return None
    return columns == sum(sizes)
