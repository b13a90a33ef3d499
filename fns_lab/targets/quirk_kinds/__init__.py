"""Kinds of quirk: for each a function that says whether a node is one that the quirk is about.

A function gets a node whose op type the quirk lists in `ops`, the quirk, and the opset that the node is written for.
Its docstring says which nodes it matches, which fields of the TOML it reads beside `ops`, and shows an example.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import onnx_ir as ir

from fns_lab.targets.quirk_kinds import (
    combined,
    control_flow,
    convolutions,
    faults,
    forms,
    fusions,
    limits,
    neighbours,
    sizes,
    states,
)
from fns_lab.targets.target import EVERY_OP, Quirk, matches

QUIRK_KINDS: Mapping[str, Callable[[ir.Node, Quirk, int], bool]] = {
    "broken-op": faults.broken_op,
    "all-of": combined.all_of,
    "types-together": combined.types_together,
    "reads-older-opset": faults.reads_older_opset,
    "attribute": faults.attribute,
    "unstated": faults.unstated,
    "whole-attribute": faults.whole_attribute,
    "infinite-number": faults.infinite_number,
    "repeated-subscript": faults.repeated_subscript,
    "auto-pad": faults.auto_pad,
    "grouped": faults.grouped,
    "grouped-wide": faults.grouped_wide,
    "channels-by-three": convolutions.channels_by_three,
    "uneven-groups": convolutions.uneven_groups,
    "grouped-volumes": convolutions.grouped_volumes,
    "packed-groups": convolutions.packed_groups,
    "nine-taps": convolutions.nine_taps,
    "padded-points": convolutions.padded_points,
    "off-centre-same": convolutions.off_centre_same,
    "unread-end": convolutions.unread_end,
    "cropped-to-shape": convolutions.cropped_to_shape,
    "unevenly-cropped": convolutions.unevenly_cropped,
    "enlarged-same": convolutions.enlarged_same,
    "dilated": faults.dilated,
    "batch": faults.batch,
    "batch-reduction": faults.batch_reduction,
    "rank": faults.rank,
    "computed-input": faults.computed_input,
    "negative-indices": faults.negative_indices,
    "unsafe-indices": faults.unsafe_indices,
    "scalar-indices": faults.scalar_indices,
    "same-input-twice": neighbours.same_input_twice,
    "squared": neighbours.squared,
    "leads-to": neighbours.leads_to,
    "shared-input": neighbours.shared_input,
    "given-out-twice": neighbours.given_out_twice,
    "read-after": neighbours.read_after,
    "packed-weights": neighbours.packed_weights,
    "packed-dense-weights": neighbours.packed_dense_weights,
    "read-after-alike": neighbours.read_after_alike,
    "scalar-read-after": neighbours.scalar_read_after,
    "unshifted": neighbours.unshifted,
    "rounds-by-sums": neighbours.rounds_by_sums,
    "uncentred": neighbours.uncentred,
    "unlimited": neighbours.unlimited,
    "untruncated": neighbours.untruncated,
    "between-quantizers": neighbours.between_quantizers,
    "broken-since": limits.broken_since,
    "newer-attributes": limits.newer_attributes,
    "input-count": limits.input_count,
    "omitted-input": limits.omitted_input,
    "extra-outputs": limits.extra_outputs,
    "operand-ranks": limits.operand_ranks,
    "value-ranks": limits.value_ranks,
    "operand-types": limits.operand_types,
    "output-types": limits.output_types,
    "wider-second": limits.wider_second,
    "cast-from-wider": limits.cast_from_wider,
    "single-input": limits.single_input,
    "scalar-output": limits.scalar_output,
    "beyond-int32": limits.beyond_int32,
    "empty-value": limits.empty_value,
    "empty-broadcast": limits.empty_broadcast,
    "steps": limits.steps,
    "limits-before-the-first": limits.limits_before_the_first,
    "ends-before-start": limits.ends_before_start,
    "given-input": forms.given_input,
    "computed-inputs": forms.computed_inputs,
    "only-first-computed": forms.only_first_computed,
    "data-dependent-inputs": forms.data_dependent_inputs,
    "unstated-axes": forms.unstated_axes,
    "unnamed-output": forms.unnamed_output,
    "other-attribute": forms.other_attribute,
    "attributes-together": forms.attributes_together,
    "attribute-with-input": forms.attribute_with_input,
    "attribute-with-rank": forms.attribute_with_rank,
    "unsorted-axes": forms.unsorted_axes,
    "negative-axes": forms.negative_axes,
    "scalar-over-axes": forms.scalar_over_axes,
    "empty-axes": forms.empty_axes,
    "noop-reduction": forms.noop_reduction,
    "branches-of-other-shapes": control_flow.branches_of_other_shapes,
    "training": forms.training,
    "wrapped-and-cut": forms.wrapped_and_cut,
    "negative-pads": forms.negative_pads,
    "all-ranks": forms.all_ranks,
    "norm-after-activation": fusions.norm_after_activation,
    "fused-bias": fusions.fused_bias,
    "log-softmax-by-parts": fusions.log_softmax_by_parts,
    "split-by-gathers": fusions.split_by_gathers,
    "single-output": states.single_output,
    "second-output-left-out": states.second_output_left_out,
    "given-apart": states.given_apart,
    "past-without-present": states.past_without_present,
    "single-causal-query": states.single_causal_query,
    "stated-zero": sizes.stated_zero,
    "window-in-padding": sizes.window_in_padding,
    "fractional-size": sizes.fractional_size,
    "resized-channels": sizes.resized_channels,
    "mutual-batches": sizes.mutual_batches,
    "fractional-scales": sizes.fractional_scales,
    "slope-beyond-channels": sizes.slope_beyond_channels,
    "smaller-indices": sizes.smaller_indices,
    "last-axis-repeated": sizes.last_axis_repeated,
    "flattened": sizes.flattened,
    "broadcast-first": sizes.broadcast_first,
    "lower-rank-first": sizes.lower_rank_first,
    "result-of-nothing": sizes.result_of_nothing,
    "one-column": sizes.one_column,
    "single-element": sizes.single_element,
    "no-window": sizes.no_window,
    "complex-signal": sizes.complex_signal,
}
"""By the `kind` of the TOML."""

SOLVED_WITHOUT_RULES = frozenset({
    "reads-older-opset", "same-input-twice", "shared-input", "read-after", "read-after-alike",
    "scalar-read-after", "past-without-present",
})  # fmt: skip
"""Kinds whose fault `lower` avoids at every node: it converts the node to the target's opset, copies an input
or names an output."""


def touches(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Return whether `quirk` is about `node`, which is written for `opset`."""
    listed = node.op_type in quirk.ops or EVERY_OP in quirk.ops
    return listed and matches(quirk.opsets, opset) and QUIRK_KINDS[quirk.kind](node, quirk, opset)
