"""Random small models for every rule: in ONNX Runtime, the lowered model must give the outputs of the original.

A case is a model whose op, opset, shape and attributes are drawn, the rule that must rewrite it, and a target that
needs or prefers that rule. `for_each_case` draws cases of one rule with hypothesis, `check_case` lowers one and returns
its error. The tests draw a few cases per rule, `make bench` some forty.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import onnx
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from fns_lab.targets import Target
from tests.random_models import (
    booleans,
    faults,
    grids,
    indices,
    layers,
    networks,
    normalizations,
    plain_ops,
    pools,
    products,
    quantized,
    rearrangements,
    recurrent,
)
from tests.random_models.draw import input_shape, values, with_small_textures
from tests.random_models.run import run

ROUNDING = 5e-6
"""Largest error of a `rounding` rule, relative to the largest value: float32 sums of up to a few hundred terms."""
NETWORK = "(network)"
"""Stands among the rules for several layers in sequence, whatever rules they need."""
GENERATORS = {
    "default-stated": faults.split_without_axis,
    "einsum-output": faults.einsum_without_output,
    "subpixel-upsample-conv": layers.subpixel,
    "subpixel-concat": layers.subpixel_if_preferred,
    "upsample-conv-transpose": layers.subpixel_if_preferred,
    "quantize-float": quantized.quantize,
    "dequantize-float": quantized.quantize,
    "dynamic-quantize-float": quantized.dynamic_quantize,
    "q-linear-float": quantized.q_linear,
    "integer-float": quantized.integer,
    "cast-later": quantized.quantized_and_moved,
    "cast-removed": quantized.quantize,
    "recurrent-unrolled": recurrent.recurrent,
    "group-norm-instance-norm": layers.group_norm,
    "function-body": plain_ops.function,
    "cast-like": booleans.cast_like,
    "batch-norm-training": normalizations.batch_norm_training,
    "reshape-to-image": layers.not_of_images,
    "norm-centre": faults.norm_far_from_zero,
    "instance-norm-batch-norm": layers.instance_norm,
    "instance-norm-reduce": layers.instance_norm_of_two_images,
    "resize-pad-gather": layers.subpixel_if_preferred,
    "resize-gather": layers.resize_nearest,
    "resize-matmul": layers.resize_linear,
    "layer-norm-reduce": layers.layer_norm,
    "mean-variance-reduce": normalizations.mean_variance,
    "lp-normalization-reduce": normalizations.lp_normalization,
    "col2im-matmul": rearrangements.col2im,
    "affine-grid-matmul": grids.affine_grid,
    "grid-sample-matmul": grids.grid_sample,
    "lrn-conv": layers.lrn,
    "conv-transpose-subpixel": layers.conv_transpose,
    "dft-matmul": plain_ops.dft,
    "log-softmax-reduce": plain_ops.log_softmax,
    "softmax-transpose": plain_ops.softmax,
    "reduce-elementwise": plain_ops.reduction,
    "elementwise": plain_ops.elementwise,
    "hyperbolic": plain_ops.hyperbolic,
    "step-functions": plain_ops.steps,
    "erf-tanh": plain_ops.erf,
    "compare-arg-max": booleans.comparison,
    "logic-index": booleans.logic,
    "cast-index": booleans.comparison,
    "where-index": booleans.where,
    "min-max-reduce": plain_ops.min_max,
    "clip-finite": faults.clip_with_an_infinite_limit,
    "clip-relu": plain_ops.clip,
    "clip-reduce": plain_ops.clip_far,
    "power": plain_ops.power,
    "sum-add": plain_ops.sum_of_values,
    "where-gather": plain_ops.where,
    "cast-step": booleans.cast_in_float,
    "where-step": booleans.where_in_float,
    "cast-as-like": booleans.cast_of_large_numbers,
    "or-equal-not": booleans.or_equal,
    "mat-mul-vector": products.product_with_a_vector,
    "gemm-scalar-bias": products.gemm_with_a_number,
    "mat-mul-columns": products.large_matrix,
    "conv-rows": layers.conv_of_a_large_image,
    "concat-filled": plain_ops.concat_with_nothing,
    "concat-groups": faults.concat_of_many,
    "split-slice": plain_ops.split,
    "slice-gather": plain_ops.slice_with_steps,
    "gather-by-number": indices.gather_by_number,
    "gather-nd-gather": plain_ops.gather_nd,
    "gather-elements-gather": indices.gather_elements,
    "scatter-gather": indices.scatter,
    "tensor-scatter-gather": indices.tensor_scatter,
    "top-k-arg-max": indices.top_k,
    "arg-max-plain": indices.arg_max,
    "hardmax-gather": indices.hardmax,
    "one-hot-gather": indices.one_hot,
    "expand-tile": plain_ops.expand,
    "depth-to-space-transpose": plain_ops.depth_to_space,
    "flatten-reshape": plain_ops.flatten,
    "reshape-squeeze": indices.reshape_of_indices,
    "reverse-sequence-gather": rearrangements.reverse_sequence,
    "max-unpool-gather": rearrangements.max_unpool,
    "center-crop-pad": rearrangements.center_crop_pad,
    "pad-gather": plain_ops.pad,
    "pad-concat": layers.pad_if_preferred,
    "pad-constant": plain_ops.pad_constant,
    "conv-split-kernel": layers.conv_to_few_channels,
    "conv-winograd": layers.conv_of_many_rows,
    "conv-bands": layers.large_conv,
    "add-sum": layers.add_of_equals,
    "explicit-pads": faults.same_padding,
    "conv-dense": faults.conv_dense,
    "conv-pad-channels": faults.conv_of_channels_by_three,
    "conv-pad-first": faults.padded_points,
    "conv-by-image": faults.conv_of_several_images,
    "max-pool-reduce": pools.max_pool,
    "average-pool-matmul": pools.average_pool,
    "lp-pool-matmul": pools.lp_pool,
    "softmax-shift": faults.softmax_of_low_values,
    "softmax-flatten": faults.softmax_of_uneven_rows,
    "tanh-clip": faults.tanh_of_large_values,
    "cast-truncated": faults.cast_that_is_read,
    "gather-plain": faults.gather,
    "gather-computed": faults.gather_by_computed_indices,
    "reduce-squeeze": faults.reduction_to_a_scalar,
    "sub-add-neg": faults.log_softmax,
    "copy-output": faults.given_out_twice,
    "copy-before-shared-reshape": faults.shared_reshape,
    "copy-between": faults.read_after_reshape,
    "copy-between-alike": faults.two_of_one_shape_after_reshape,
    "copy-second-operand": faults.same_operand_twice,
    "copy-before-fusion": faults.fused,
    NETWORK: networks.network,
}
"""By rule, in the order of `RULES`: a function that draws a model and returns it after the name of its target."""
PREFERRED = (
    "subpixel-concat", "upsample-conv-transpose", "resize-pad-gather", "pad-concat", "conv-split-kernel",
    "conv-winograd", "conv-bands", "add-sum",
)  # fmt: skip
"""Rules that apply only where the target prefers them: they make a model faster and add no support."""


class Case(NamedTuple):
    """A random model, the rule that must rewrite it, and the name of the target that it is lowered for."""

    rule: str
    target: str
    model: onnx.ModelProto
    seed: int
    """Of the values that the model runs on."""


class CaseResult(NamedTuple):
    """How far the outputs of the lowered model are from those of the original."""

    error: float
    """Largest absolute error, relative to the largest value of that output."""
    limit: float
    """Largest `error` allowed: 0 if every rule that was applied is exact, else `ROUNDING`."""


def for_each_case(rule: str, count: int, check: Callable[[Case], None]) -> None:
    """Call `check` with `count` cases of `rule`, the same in every run; raise for the smallest case that fails."""

    @seed(zlib.crc32(rule.encode()))
    @settings(max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(_cases(rule))
    def check_all(case: Case) -> None:
        check(case)

    check_all()


def check_case(case: Case) -> CaseResult:
    """Lower the case, run both models and return the error.

    Raises `AssertionError` if the rule was not applied, the target does not run the result, or a value is not finite.
    """
    lowered = lower(case.model, target_of(case))
    assert lowered, f"{case.rule}: {lowered}\n{lowered.refused.to_string()}"
    assert case.rule in {*lowered.applied.rule, NETWORK}, f"{case.rule} was not applied:\n{lowered.applied.to_string()}"
    assert "approximate" not in set(lowered.applied.fidelity)
    onnx.checker.check_model(lowered.model, full_check=True)
    x = values(np.random.default_rng(case.seed), input_shape(case.model))
    outputs = zip(run(case.model, x), run(lowered.model, x), strict=True)
    exact = set(lowered.applied.fidelity) == {"exact"}
    return CaseResult(max(_relative_error(*pair) for pair in outputs), 0.0 if exact else ROUNDING)


def target_of(case: Case) -> Target:
    """Return the target of a case: it prefers the rule if that applies only where it is preferred."""
    target = targets.load(case.target)
    if case.rule in ("mat-mul-columns", "conv-rows"):
        return with_small_textures(target)
    return replace(target, prefer=(case.rule,)) if case.rule in PREFERRED else target


def _relative_error(expected: np.ndarray, actual: np.ndarray) -> float:
    assert expected.shape == actual.shape and expected.dtype == actual.dtype
    assert np.isfinite(expected).all() and np.isfinite(actual).all()
    if not expected.size:
        return 0.0
    if expected.dtype == bool:
        return float((expected != actual).any())
    return float(np.abs(expected - actual).max() / max(np.abs(expected).max(), np.finfo(np.float32).tiny))


@st.composite
def _cases(draw, rule: str) -> Case:
    target, model = GENERATORS[rule](draw)
    return Case(rule, target, model, draw(st.integers(0, 999)))
