"""All exercises, by name, in the order of the notebooks."""

from fns_lab.teaching.exercise import Exercise
from fns_lab.teaching.exercises.comparing import FirstWrongValue
from fns_lab.teaching.exercises.engines import (
    Alternative,
    Candidates,
    LoweredPasses,
    Median,
    Psnr,
    SavedTime,
    SilentlyWrongOps,
    SmallestFailingHeight,
    TimeByPixels,
    TimesAsFast,
)
from fns_lab.teaching.exercises.graphs import (
    LoweredNodes,
    NodesOfRules,
    PaddedPixels,
    RuleOfValue,
    SubpixelProducts,
    WinogradFactor,
)
from fns_lab.teaching.exercises.training import (
    BalancingWeight,
    GramNumbers,
    LayerMacs,
    MoreBlocks,
    OutputSize,
    Parameters,
    RoundingStep,
    TimeOfHalfWidth,
    ValueOfNode,
)

_ALL: tuple[Exercise, ...] = (
    Parameters(),
    GramNumbers(),
    BalancingWeight(),
    MoreBlocks(),
    OutputSize(),
    ValueOfNode(),
    LoweredNodes(),
    PaddedPixels(),
    WinogradFactor(),
    NodesOfRules(),
    RuleOfValue(),
    SubpixelProducts(),
    FirstWrongValue(1),
    FirstWrongValue(2),
    FirstWrongValue(3),
    Psnr(),
    TimeByPixels(),
    LayerMacs(),
    RoundingStep(),
    TimeOfHalfWidth(),
    LoweredPasses(),
    SilentlyWrongOps(),
    SmallestFailingHeight(),
    Candidates(),
    SavedTime(),
    Alternative(),
    Median(),
    TimesAsFast(),
)

EXERCISES = {exercise.ID: exercise for exercise in _ALL}
"""The exercises by name; no two have the same."""

if len(EXERCISES) != len(_ALL):
    raise ValueError("two exercises have the same name")
