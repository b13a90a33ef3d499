"""All rules, in the order in which `lower` applies them."""

from fns_lab.rewrite.rule import Rule
from fns_lab.rewrite.rules.add_sum import AddSum
from fns_lab.rewrite.rules.affine_grid_matmul import AffineGridMatMul
from fns_lab.rewrite.rules.arg_max_plain import ArgMaxPlain
from fns_lab.rewrite.rules.average_pool_matmul import AveragePoolMatMul
from fns_lab.rewrite.rules.batch_norm_training import BatchNormTraining
from fns_lab.rewrite.rules.cast_as_like import CastAsLike
from fns_lab.rewrite.rules.cast_index import CastIndex
from fns_lab.rewrite.rules.cast_later import CastLater
from fns_lab.rewrite.rules.cast_like import CastLike
from fns_lab.rewrite.rules.cast_removed import CastRemoved
from fns_lab.rewrite.rules.cast_step import CastStep
from fns_lab.rewrite.rules.cast_truncated import CastTruncated
from fns_lab.rewrite.rules.center_crop_pad import CenterCropPad
from fns_lab.rewrite.rules.clip_finite import ClipFinite
from fns_lab.rewrite.rules.clip_reduce import ClipReduce
from fns_lab.rewrite.rules.clip_relu import ClipRelu
from fns_lab.rewrite.rules.col2im_matmul import Col2ImMatMul
from fns_lab.rewrite.rules.compare_arg_max import CompareArgMax
from fns_lab.rewrite.rules.concat_filled import ConcatFilled
from fns_lab.rewrite.rules.concat_groups import ConcatGroups
from fns_lab.rewrite.rules.conv_bands import ConvBands
from fns_lab.rewrite.rules.conv_by_image import ConvByImage
from fns_lab.rewrite.rules.conv_dense import ConvDense
from fns_lab.rewrite.rules.conv_pad_channels import ConvPadChannels
from fns_lab.rewrite.rules.conv_pad_first import ConvPadFirst
from fns_lab.rewrite.rules.conv_rows import ConvRows
from fns_lab.rewrite.rules.conv_split_kernel import ConvSplitKernel
from fns_lab.rewrite.rules.conv_transpose_subpixel import ConvTransposeSubpixel
from fns_lab.rewrite.rules.conv_winograd import ConvWinograd
from fns_lab.rewrite.rules.copy_around_quirk import (
    CopyBeforeFusion,
    CopyBeforeSharedReshape,
    CopyBetween,
    CopyBetweenAlike,
    CopyOutput,
    CopySecondOperand,
)
from fns_lab.rewrite.rules.default_stated import DefaultStated
from fns_lab.rewrite.rules.depth_to_space_transpose import DepthToSpaceTranspose
from fns_lab.rewrite.rules.dequantize_float import DequantizeFloat
from fns_lab.rewrite.rules.dft_matmul import DftMatMul
from fns_lab.rewrite.rules.dynamic_quantize_float import DynamicQuantizeFloat
from fns_lab.rewrite.rules.einsum_output import EinsumOutput
from fns_lab.rewrite.rules.elementwise import Elementwise
from fns_lab.rewrite.rules.erf_tanh import ErfTanh
from fns_lab.rewrite.rules.expand_tile import ExpandTile
from fns_lab.rewrite.rules.explicit_pads import ExplicitPads
from fns_lab.rewrite.rules.flatten_reshape import FlattenReshape
from fns_lab.rewrite.rules.function_body import FunctionBody
from fns_lab.rewrite.rules.gather_by_number import GatherByNumber
from fns_lab.rewrite.rules.gather_computed import GatherComputed
from fns_lab.rewrite.rules.gather_elements_gather import GatherElementsGather
from fns_lab.rewrite.rules.gather_nd_gather import GatherNDGather
from fns_lab.rewrite.rules.gather_plain import GatherPlain
from fns_lab.rewrite.rules.gemm_scalar_bias import GemmScalarBias
from fns_lab.rewrite.rules.grid_sample_matmul import GridSampleMatMul
from fns_lab.rewrite.rules.group_norm_instance_norm import GroupNormInstanceNorm
from fns_lab.rewrite.rules.hardmax_gather import HardmaxGather
from fns_lab.rewrite.rules.hyperbolic import Hyperbolic
from fns_lab.rewrite.rules.instance_norm_batch_norm import InstanceNormBatchNorm
from fns_lab.rewrite.rules.instance_norm_reduce import InstanceNormReduce
from fns_lab.rewrite.rules.integer_float import IntegerFloat
from fns_lab.rewrite.rules.layer_norm_reduce import LayerNormReduce
from fns_lab.rewrite.rules.log_softmax_reduce import LogSoftmaxReduce
from fns_lab.rewrite.rules.logic_index import LogicIndex
from fns_lab.rewrite.rules.lp_normalization_reduce import LpNormalizationReduce
from fns_lab.rewrite.rules.lp_pool_matmul import LpPoolMatMul
from fns_lab.rewrite.rules.lrn_conv import LrnConv
from fns_lab.rewrite.rules.mat_mul_columns import MatMulColumns
from fns_lab.rewrite.rules.mat_mul_vector import MatMulVector
from fns_lab.rewrite.rules.max_pool_reduce import MaxPoolReduce
from fns_lab.rewrite.rules.max_unpool_gather import MaxUnpoolGather
from fns_lab.rewrite.rules.mean_variance_reduce import MeanVarianceReduce
from fns_lab.rewrite.rules.min_max_reduce import MinMaxReduce
from fns_lab.rewrite.rules.norm_centre import NormCentre
from fns_lab.rewrite.rules.one_hot_gather import OneHotGather
from fns_lab.rewrite.rules.or_equal_not import OrEqualNot
from fns_lab.rewrite.rules.pad_concat import PadConcat
from fns_lab.rewrite.rules.pad_constant import PadConstant
from fns_lab.rewrite.rules.pad_gather import PadGather
from fns_lab.rewrite.rules.power import Power
from fns_lab.rewrite.rules.q_linear_float import QLinearFloat
from fns_lab.rewrite.rules.quantize_float import QuantizeFloat
from fns_lab.rewrite.rules.recurrent_unrolled import RecurrentUnrolled
from fns_lab.rewrite.rules.reduce_elementwise import ReduceElementwise
from fns_lab.rewrite.rules.reduce_squeeze import ReduceSqueeze
from fns_lab.rewrite.rules.reshape_squeeze import ReshapeSqueeze
from fns_lab.rewrite.rules.reshape_to_image import ReshapeToImage
from fns_lab.rewrite.rules.resize_gather import ResizeGather
from fns_lab.rewrite.rules.resize_matmul import ResizeMatMul
from fns_lab.rewrite.rules.resize_pad_gather import ResizePadGather
from fns_lab.rewrite.rules.reverse_sequence_gather import ReverseSequenceGather
from fns_lab.rewrite.rules.scatter_gather import ScatterGather
from fns_lab.rewrite.rules.slice_gather import SliceGather
from fns_lab.rewrite.rules.softmax_flatten import SoftmaxFlatten
from fns_lab.rewrite.rules.softmax_shift import SoftmaxShift
from fns_lab.rewrite.rules.softmax_transpose import SoftmaxTranspose
from fns_lab.rewrite.rules.split_slice import SplitSlice
from fns_lab.rewrite.rules.step_functions import StepFunctions
from fns_lab.rewrite.rules.sub_add_neg import SubAddNeg
from fns_lab.rewrite.rules.subpixel_concat import SubpixelConcat
from fns_lab.rewrite.rules.subpixel_upsample_conv import SubpixelUpsampleConv
from fns_lab.rewrite.rules.sum_add import SumAdd
from fns_lab.rewrite.rules.tanh_clip import TanhClip
from fns_lab.rewrite.rules.tensor_scatter_gather import TensorScatterGather
from fns_lab.rewrite.rules.top_k_arg_max import TopKArgMax
from fns_lab.rewrite.rules.upsample_conv_transpose import UpsampleConvTranspose
from fns_lab.rewrite.rules.where_gather import WhereGather
from fns_lab.rewrite.rules.where_index import WhereIndex
from fns_lab.rewrite.rules.where_step import WhereStep

RULES: tuple[type[Rule], ...] = (
    # Before all rules for the same ops, since an engine may need no more.
    DefaultStated,
    EinsumOutput,
    # Rules for several nodes before those for one of these nodes.
    SubpixelUpsampleConv,
    SubpixelConcat,
    UpsampleConvTranspose,
    # Quantized ops before all that they are written in, then the Casts between them.
    QuantizeFloat,
    DequantizeFloat,
    DynamicQuantizeFloat,
    QLinearFloat,
    IntegerFloat,
    CastLater,
    CastRemoved,
    # Before the rules for activations.
    RecurrentUnrolled,
    # Before the rules that rewrite what it writes: InstanceNormalization.
    GroupNormInstanceNorm,
    # Before all rules for the ops of its bodies.
    FunctionBody,
    # Before the rules for Cast.
    CastLike,
    # Before the rules for layers of images, which take the statistics of inference only.
    BatchNormTraining,
    ReshapeToImage,
    # Before the rules that replace a normalization, since an engine may only need its input to be centred.
    NormCentre,
    # Of the rules for one op, the one with the fewest and fastest nodes first; the next rewrites what it refuses.
    InstanceNormBatchNorm,
    InstanceNormReduce,
    ResizePadGather,
    ResizeGather,
    ResizeMatMul,
    # Before the rules that rewrite what it writes, of which there are many.
    LayerNormReduce,
    MeanVarianceReduce,
    LpNormalizationReduce,
    Col2ImMatMul,
    AffineGridMatMul,
    GridSampleMatMul,
    LrnConv,
    ConvTransposeSubpixel,
    DftMatMul,
    LogSoftmaxReduce,
    SoftmaxTranspose,
    # Each writes ops that the next ones rewrite: elementwise functions, then limits and powers.
    ReduceElementwise,
    Elementwise,
    Hyperbolic,
    StepFunctions,
    ErfTanh,
    # Comparisons before the rules of the ops that read their booleans as indices.
    CompareArgMax,
    LogicIndex,
    CastIndex,
    WhereIndex,
    MinMaxReduce,
    # Before the rules for targets without Clip, which round.
    ClipFinite,
    ClipRelu,
    ClipReduce,
    Power,
    SumAdd,
    WhereGather,
    # After the rules that copy what a condition chooses.
    CastStep,
    WhereStep,
    # After the rules for a Cast of booleans.
    CastAsLike,
    # After the rules that read its comparisons.
    OrEqualNot,
    # Matrix products in forms that an engine lacks.
    MatMulVector,
    GemmScalarBias,
    MatMulColumns,
    # Images in forms that an engine lacks.
    ConvRows,
    # Rules that only copy or rearrange.
    ConcatFilled,
    ConcatGroups,
    SplitSlice,
    SliceGather,
    GatherByNumber,
    GatherNDGather,
    GatherElementsGather,
    ScatterGather,
    TensorScatterGather,
    TopKArgMax,
    ArgMaxPlain,
    HardmaxGather,
    OneHotGather,
    ExpandTile,
    DepthToSpaceTranspose,
    FlattenReshape,
    ReshapeSqueeze,
    ReverseSequenceGather,
    MaxUnpoolGather,
    CenterCropPad,
    # After the rules that write Pad nodes.
    PadGather,
    PadConcat,
    PadConstant,
    # After the rules that write Conv nodes.
    ConvSplitKernel,
    ConvWinograd,
    ConvBands,
    AddSum,
    # Workarounds for quirks, after all rules that may write a node with one; `ConvByImage`, which writes several Conv
    # nodes, is the last one for Conv.
    ExplicitPads,
    ConvDense,
    ConvPadChannels,
    ConvPadFirst,
    ConvByImage,
    # After the rule for pads, since a target may support a pool with explicit pads.
    MaxPoolReduce,
    AveragePoolMatMul,
    LpPoolMatMul,
    SoftmaxShift,
    SoftmaxFlatten,
    TanhClip,
    CastTruncated,
    GatherPlain,
    GatherComputed,
    ReduceSqueeze,
    SubAddNeg,
    CopyOutput,
    CopyBeforeSharedReshape,
    CopyBetween,
    CopyBetweenAlike,
    CopySecondOperand,
    CopyBeforeFusion,
)

if len({rule.NAME for rule in RULES}) != len(RULES):
    raise ValueError("two rules share a name")
