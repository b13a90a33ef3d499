"""Which elements each window of a pool reads, one spatial axis at a time."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import fixed_shape, fixed_size, node_input, producer, rank
from fns_lab.rewrite.rule import Refusal


class Windows(NamedTuple):
    """The windows along one axis.

    - `taps`: the index that each window reads with each of its taps, `(windows, kernel)`; outside the axis is padding
    - `size`: the number of elements of the axis
    - `begin`, `end`: the number of elements of padding on both sides
    """

    taps: np.ndarray
    size: int
    begin: int
    end: int

    @property
    def inside(self) -> np.ndarray:
        """Which taps read an element, `(windows, kernel)`."""
        return np.asarray((self.taps >= 0) & (self.taps < self.size))

    @property
    def padded(self) -> np.ndarray:
        """Which taps read an element or padding; the others, which `ceil_mode` adds, read nothing."""
        return np.asarray((self.taps >= -self.begin) & (self.taps < self.size + self.end))


def windows(y: ir.Value) -> list[Windows]:
    """Return the windows along each spatial axis of the pool that computes `y`.

    Raises `NodeError` if a size is not fixed, or if it depends on the engine how many windows there are.
    """
    node = producer(y)
    sizes, kernel = fixed_shape(node_input(node, 0))[2:], node.attributes["kernel_shape"].as_ints()
    ones, pads, auto_pad = [1] * len(kernel), explicit_pads(node), node.attributes.get_string("auto_pad", "NOTSET")
    strides, dilations = (node.attributes.get_ints(name, ones) for name in ("strides", "dilations"))
    ceil = node.attributes.get_int("ceil_mode", 0) and auto_pad == "NOTSET"
    result = []
    for i, size in enumerate(sizes):
        begin, end, extent = pads[i], pads[i + len(kernel)], (kernel[i] - 1) * dilations[i] + 1
        steps = (size + begin + end - extent) / strides[i]
        count = (math.ceil(steps) if ceil else math.floor(steps)) + 1
        starts = np.arange(count) * strides[i] - begin
        starts = starts[starts < size, None]
        if len(starts) != fixed_shape(y)[2 + i]:
            raise Refusal(f"the last window of {node.op_type} lies in its padding: engines differ in whether it counts")
        result.append(Windows(starts + np.arange(kernel[i]) * dilations[i], size, begin, end))
    return result


def summing_matrix(axis: Windows) -> np.ndarray:
    """Return the matrix that sums the elements of each window, float64 `(windows, size)`."""
    matrix = np.zeros((len(axis.taps), axis.size))
    rows = np.broadcast_to(np.arange(len(axis.taps))[:, None], axis.taps.shape)
    np.add.at(matrix, (rows[axis.inside], axis.taps[axis.inside]), 1)
    return matrix


def explicit_pads(node: ir.Node) -> list[int]:
    """Return the pads of a Conv or pool: for each spatial axis that at its begin, then for each that at its end."""
    x, attributes = node_input(node, 0), node.attributes
    if node.op_type == "Conv":
        kernel = [fixed_size(node_input(node, 1), axis) for axis in range(2, rank(node))]
    else:
        kernel = list(attributes["kernel_shape"].as_ints())
    ones, auto_pad = [1] * len(kernel), attributes.get_string("auto_pad", "NOTSET")
    if auto_pad == "NOTSET":
        return list(attributes.get_ints("pads", [0] * 2 * len(kernel)))
    if auto_pad == "VALID":
        return [0] * 2 * len(kernel)
    if node.op_type != "Conv" and max(attributes.get_ints("dilations", ones)) > 1:
        raise Refusal(f"the {node.op_type} has auto_pad {auto_pad} and dilations: engines pad it differently")
    begin, end = [], []
    for i, (k, s, d) in enumerate(
        zip(kernel, attributes.get_ints("strides", ones), attributes.get_ints("dilations", ones), strict=True)
    ):
        size = fixed_size(x, 2 + i)
        total = (math.ceil(size / s) - 1) * s + (k - 1) * d + 1 - size
        if total < -1:
            raise Refusal(
                f"the {node.op_type} has auto_pad {auto_pad} and skips {-total} elements: engines differ in which"
            )
        total = max(total, 0)
        smaller, larger = total // 2, total - total // 2
        begin.append(smaller if auto_pad == "SAME_UPPER" else larger)
        end.append(larger if auto_pad == "SAME_UPPER" else smaller)
    return [*begin, *end]
