"""Kinds of quirk for convolutions that an engine computes several channels at a time."""

from __future__ import annotations

import onnx_ir as ir

from fns_lab.opset.nodes import input_shape
from fns_lab.targets.target import Quirk

VECTOR = 4
"""Channels that a shader reads and writes at a time."""


def channels_by_three(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match convolutions in one group that read 3 channels at a time and write 4, unless they read 3 in all.

    So the channels are a multiple of 3 and not of 4, the filters a multiple of 4. A kernel of 1 with stride 1 and no
    padding is left out. Sizes that are not known count as such multiples.

    Fields: none.

        [[quirk]]
        kind = "channels-by-three"
        ops = ["Conv"]
    """
    weights = input_shape(node, 1)
    if node.attributes.get_int("group", 1) != 1:
        return False
    if weights is None:
        return True
    filters, channels, *kernel = weights
    if isinstance(channels, int) and (channels == 3 or channels % 3 or not channels % VECTOR):
        return False
    if isinstance(filters, int) and filters % VECTOR:
        return False
    return not (all(size == 1 for size in kernel) and _is_dense(node))


def uneven_groups(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match grouped convolutions that write several filters at a time, of which some are of the next group.

    4 filters are written at a time if all filters are a multiple of 4, 2 if they are even. A group of fewer than 4
    filters is left out. Sizes that are not known count as uneven.

    Fields: none.

        [[quirk]]
        kind = "uneven-groups"
        ops = ["Conv"]
    """
    group, weights = node.attributes.get_int("group", 1), input_shape(node, 1)
    if group == 1:
        return False
    if weights is None or not isinstance(weights[0], int):
        return True
    filters = weights[0]
    at_a_time = next(n for n in (VECTOR, 2, 1) if filters % n == 0)
    in_group = filters // group
    return in_group >= VECTOR and in_group % at_a_time != 0


def _is_dense(conv: ir.Node) -> bool:
    """Return whether the strides are 1 and nothing is padded."""
    explicit = conv.attributes.get_string("auto_pad", "NOTSET") in ("NOTSET", "VALID")
    plain = set(conv.attributes.get_ints("strides", [1])) == {1} and not any(conv.attributes.get_ints("pads", [0]))
    return explicit and plain
