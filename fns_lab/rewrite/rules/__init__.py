"""The rules, in the order in which they are tried."""

from fns_lab.rewrite.rule import Rule
from fns_lab.rewrite.rules.copy_around_quirk import CopyBeforeSharedReshape, CopyBetween, CopySecondOperand
from fns_lab.rewrite.rules.elementwise import Elementwise
from fns_lab.rewrite.rules.erf_tanh import ErfTanh
from fns_lab.rewrite.rules.function_body import FunctionBody
from fns_lab.rewrite.rules.instance_norm_batch_norm import InstanceNormBatchNorm
from fns_lab.rewrite.rules.instance_norm_reduce import InstanceNormReduce
from fns_lab.rewrite.rules.layer_norm_reduce import LayerNormReduce
from fns_lab.rewrite.rules.log_softmax_reduce import LogSoftmaxReduce
from fns_lab.rewrite.rules.pad_gather import PadGather
from fns_lab.rewrite.rules.resize_gather import ResizeGather
from fns_lab.rewrite.rules.resize_matmul import ResizeMatMul
from fns_lab.rewrite.rules.softmax_transpose import SoftmaxTranspose
from fns_lab.rewrite.rules.split_slice import SplitSlice
from fns_lab.rewrite.rules.subpixel_upsample_conv import SubpixelUpsampleConv

RULES: tuple[type[Rule], ...] = (
    # Whole patterns before their parts.
    SubpixelUpsampleConv,
    # Of one op's alternatives, the fewest and fastest nodes first; the next one takes what it refuses.
    InstanceNormBatchNorm,
    InstanceNormReduce,
    ResizeGather,
    ResizeMatMul,
    LayerNormReduce,
    LogSoftmaxReduce,
    SoftmaxTranspose,
    SplitSlice,
    # Bodies hold simpler functions, these hold simpler ones yet.
    FunctionBody,
    Elementwise,
    ErfTanh,
    # After the rules that write Pad nodes.
    PadGather,
    # Repairs of an engine's faults look at what all the others have written.
    CopyBeforeSharedReshape,
    CopyBetween,
    CopySecondOperand,
)

if len({rule.NAME for rule in RULES}) != len(RULES):
    raise ValueError("two rules share a name")
