"""The rules, in the order in which they are tried."""

from fns_lab.rewrite.rule import Rule
from fns_lab.rewrite.rules.copy_around_quirk import (
    CopyBeforeSharedReshape,
    CopyBetween,
    CopyBetweenAlike,
    CopySecondOperand,
)
from fns_lab.rewrite.rules.instance_norm_batch_norm import InstanceNormBatchNorm
from fns_lab.rewrite.rules.instance_norm_reduce import InstanceNormReduce
from fns_lab.rewrite.rules.pad_gather import PadGather
from fns_lab.rewrite.rules.resize_gather import ResizeGather
from fns_lab.rewrite.rules.subpixel_upsample_conv import SubpixelUpsampleConv

RULES: tuple[type[Rule], ...] = (
    # Whole patterns before their parts.
    SubpixelUpsampleConv,
    # Of one op's alternatives, the fewest and fastest nodes first; the next one takes what it refuses.
    InstanceNormBatchNorm,
    InstanceNormReduce,
    ResizeGather,
    # After the rules that write Pad nodes.
    PadGather,
    # Repairs of an engine's faults look at what all the others have written.
    CopyBeforeSharedReshape,
    CopyBetween,
    CopyBetweenAlike,
    CopySecondOperand,
)

if len({rule.NAME for rule in RULES}) != len(RULES):
    raise ValueError("two rules share a name")
