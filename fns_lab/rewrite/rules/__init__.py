"""The rules, in the order in which they are tried."""

from fns_lab.rewrite.rule import Rule
from fns_lab.rewrite.rules.add_sum import AddSum
from fns_lab.rewrite.rules.conv_bands import ConvBands
from fns_lab.rewrite.rules.conv_split_kernel import ConvSplitKernel
from fns_lab.rewrite.rules.copy_around_quirk import CopyBeforeSharedReshape, CopyBetween, CopySecondOperand
from fns_lab.rewrite.rules.instance_norm_batch_norm import InstanceNormBatchNorm
from fns_lab.rewrite.rules.instance_norm_reduce import InstanceNormReduce
from fns_lab.rewrite.rules.pad_concat import PadConcat
from fns_lab.rewrite.rules.pad_gather import PadGather
from fns_lab.rewrite.rules.resize_gather import ResizeGather
from fns_lab.rewrite.rules.resize_pad_gather import ResizePadGather
from fns_lab.rewrite.rules.subpixel_concat import SubpixelConcat
from fns_lab.rewrite.rules.subpixel_upsample_conv import SubpixelUpsampleConv
from fns_lab.rewrite.rules.upsample_conv_transpose import UpsampleConvTranspose

RULES: tuple[type[Rule], ...] = (
    # Whole patterns before their parts.
    SubpixelUpsampleConv,
    SubpixelConcat,
    UpsampleConvTranspose,
    # Of one op's alternatives, the fewest and fastest nodes first; the next one takes what it refuses.
    InstanceNormBatchNorm,
    InstanceNormReduce,
    ResizePadGather,
    ResizeGather,
    # After the rules that write Pad nodes.
    PadGather,
    PadConcat,
    # After the rules that write Conv nodes.
    ConvSplitKernel,
    ConvBands,
    AddSum,
    # Repairs of an engine's faults look at what all the others have written.
    CopyBeforeSharedReshape,
    CopyBetween,
    CopySecondOperand,
)

if len({rule.NAME for rule in RULES}) != len(RULES):
    raise ValueError("two rules share a name")
