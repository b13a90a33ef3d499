"""The exercises on engines: their time, their faults, their choices (notebooks 6, 8, 9 and 10)."""

from __future__ import annotations

import functools
import random
import statistics
from typing import TYPE_CHECKING, Any

from fns_lab.teaching.exercise import Answer, Exercise, Outcome
from fns_lab.teaching.kinds import Count, Name, Number
from fns_lab.teaching.networks import lowered

if TYPE_CHECKING:
    import pandas as pd

LEAST_FAILING_PIXELS = 1792
"""From this many pixels a channel on, ONNX.js 0.1.4 wasm fails on an InstanceNormalization."""


class Psnr(Exercise):
    """How many times as large is the root mean square error at `low_db` as at `high_db`?"""

    ID, KIND = "06.1", Number()
    NEAR = "compute with the exact difference of the two"
    LOOK = "20 dB more is a tenth of the error; so how many factors of 10 is your difference?"

    def draw(self, rng: random.Random) -> dict[str, Any]:
        low = rng.randrange(28, 45)
        return {"low_db": low, "high_db": low + rng.choice((6, 12, 15, 18, 25, 30))}

    def assess(self, answer: Answer, low_db: float, high_db: float) -> Outcome:
        right = 10 ** ((high_db - low_db) / 20)
        return answer.beside(
            right,
            (10 ** ((high_db - low_db) / 10), "that is the factor of the *squared* error"),
            (high_db - low_db, "decibels count factors: a difference in dB is a factor of the error"),
            (high_db / low_db, "decibels count factors: subtract the two, do not divide them"),
            (1 / right, "the lower PSNR has the larger error"),
        )


class TimeByPixels(Exercise):
    """How long does an image of size `large` take, if one of size `small` takes `ms` and time grows with the pixels?"""

    ID, KIND = "06.2", Number()
    NEAR = "compute the ratio of the pixels with all digits"
    LOOK = "time grows with H · W"

    def draw(self, rng: random.Random) -> dict[str, Any]:
        h, w = rng.randrange(60, 100), rng.randrange(101, 150)
        return {"small": (h, w), "large": (h * 3, w * 2), "ms": rng.randrange(11, 60)}

    def assess(self, answer: Answer, small: tuple[int, int], large: tuple[int, int], ms: float) -> Outcome:
        right = ms * large[0] * large[1] / (small[0] * small[1])
        return answer.beside(
            right,
            (ms * large[0] / small[0], "the width grew as well"),
            (ms * large[1] / small[1], "the height grew as well"),
            (ms * sum(large) / sum(small), "pixels are the product of height and width, not their sum"),
        )


class LoweredPasses(Exercise):
    """How many of ONNX's node tests does `target` pass after lowering, in the shipped table?"""

    ID, KIND = "08.1", Count()
    NEAR = "is it that target, and that variant?"
    LOOK = "see the first table of shipped results: one row per target and variant, one column per result"

    def draw(self, rng: random.Random) -> dict[str, Any]:
        return {
            "target": rng.choice(("onnxjs-0.1.3/cpu", "onnxjs-0.1.4/wasm", "onnxjs-0.1.8/cpu", "onnxjs-0.1.8/webgl"))
        }

    def assess(self, answer: Answer, target: str) -> Outcome:
        rows = _of(target)
        passes = rows[rows.result == "pass"].variant.value_counts()
        return answer.beside(
            passes["lowered"],
            (passes["native"], "that is how many pass natively, before lowering"),
            (passes["converted"], "that is how many pass after converting the opset alone"),
            (len(rows) // 3, "that is how many tests there are"),
        )


class SilentlyWrongOps(Exercise):
    """How many different ops does `target` get wrong natively, in tests that its table calls supported?"""

    ID, KIND = "08.2", Count()
    NEAR = "count each op once"
    LOOK = (
        "choose the rows of shipped.table that are supported, wrong, native and of that target; count the ops in them"
    )

    def draw(self, rng: random.Random) -> dict[str, Any]:
        return {"target": rng.choice(sorted(_with_silent_faults()))}

    def assess(self, answer: Answer, target: str) -> Outcome:
        rows = _of(target)
        wrong = rows[(rows.variant == "native") & (rows.result == "wrong")]
        silent = wrong[wrong.supported]
        return answer.beside(
            silent.op.nunique(),
            (len(silent), "these are the tests; several can be of one op"),
            (wrong.op.nunique(), "the table says *supported* in fewer"),
        )


class SmallestFailingHeight(Exercise):
    """From which height on does ONNX.js 0.1.4 wasm fail on a normalisation of an image of width `width`?"""

    ID, KIND = "08.3", Count()
    NEAR = "a pixel more or less decides: the fault begins at that number of pixels, and heights are whole"
    LOOK = "the parameters cell says from how many pixels of a channel on the fault is there"

    def draw(self, rng: random.Random) -> dict[str, Any]:
        return {"width": rng.choice((25, 30, 36, 40, 45, 50, 60))}

    def assess(self, answer: Answer, width: int) -> Outcome:
        right = -(-LEAST_FAILING_PIXELS // width)
        return answer.beside(
            right,
            (LEAST_FAILING_PIXELS // width, "at that height there are a few pixels too few"),
            (LEAST_FAILING_PIXELS, "that is the number of pixels, H · W"),
            (-(-LEAST_FAILING_PIXELS // (4 * width)), "each of the four channels is normalised alone"),
        )


class Candidates(Exercise):
    """How many timed runs does `tune` take for `target`, if each alternative and the op itself are run `runs` times?"""

    ID, KIND = "09.1", Count()
    NEAR = "does each site count with the op itself as one more alternative?"
    LOOK = "list the sites as notebook 3 does, add up alternatives and ops, and multiply by the runs"

    def draw(self, rng: random.Random) -> dict[str, Any]:
        return {"target": rng.choice(("onnxjs-0.1.8/wasm", "ort/cpu", "ort-web/wasm")), "runs": rng.randrange(4, 13)}

    def assess(self, answer: Answer, target: str, runs: int, size: tuple[int, int] = (64, 96)) -> Outcome:
        sites = lowered(tuple(size), target, list_sites=True).sites
        places = sum(len(site.places) * (len(site.alternatives) + 1) for site in sites)
        once = sum(len(site.alternatives) + 1 for site in sites)
        return answer.beside(
            runs * once,
            (runs * sum(len(site.alternatives) for site in sites), "the op itself is run as well, at every site"),
            (runs * places, "equal places are one site, which is measured once"),
            (once, "that many are run; each of them more than once"),
            (runs * len(sites), "a site has more than one alternative"),
        )


class SavedTime(Exercise):
    """How many ms does a model gain with an alternative of `ratio` at a site of `places`, each of which takes `ms`?"""

    ID, KIND = "09.2", Number()
    NEAR = "compute with all digits"
    LOOK = "`ratio` is the time of the alternative divided by that of the first; a site stands for all its places"

    def draw(self, rng: random.Random) -> dict[str, Any]:
        return {"places": rng.randrange(3, 11), "ms": rng.randrange(4, 30), "ratio": rng.choice((0.2, 0.35, 0.6, 0.7))}

    def assess(self, answer: Answer, places: int, ms: float, ratio: float) -> Outcome:
        right = places * ms * (1 - ratio)
        return answer.beside(
            right,
            (ms * (1 - ratio), "that is one place; a site has several"),
            (places * ms * ratio, "that is the time that is left; what is gained is the rest"),
            (places * ms / ratio, "an alternative with a ratio below 1 is faster"),
        )


class Alternative(Exercise):
    """Which of `tried` does `tune` choose? Each is a name, its time in ms, and whether its numbers are right."""

    ID, KIND = "09.3", Name("the name of an alternative, as in the task")
    NEAR = "that one is not the fastest"
    LOOK = "which are right? Of these, which is the fastest?"

    def draw(self, rng: random.Random) -> dict[str, Any]:
        names = ["op", "gathers", "slices", "matmul", "conv"]
        rng.shuffle(names)
        times = sorted(round(rng.uniform(1, 9), 1) + 0.01 * i for i in range(len(names)))
        right = [False, True, True, False, True]
        tried = list(zip(names, [round(t, 2) for t in times], right, strict=True))
        rng.shuffle(tried)
        return {"tried": tried}

    def assess(self, answer: Answer, tried: list[tuple[str, float, bool]]) -> Outcome:
        right = min((each for each in tried if each[2]), key=lambda each: each[1])[0]
        return answer.beside(
            right,
            (min(tried, key=lambda each: each[1])[0], "it is the fastest, but are its numbers right?"),
            *((name, "its numbers are wrong") for name, _, right in tried if not right),
            (max(tried, key=lambda each: each[1])[0], "that is the slowest"),
        )


class Median(Exercise):
    """What is the median time if the first `warm_up` of `runs_ms` are not counted?"""

    ID, KIND = "10.1", Number()
    NEAR = "sort the runs that count and take the middle one"
    LOOK = "drop the warm-up, sort what is left, take the one in the middle"

    def draw(self, rng: random.Random) -> dict[str, Any]:
        warm_up = rng.choice((2, 3))
        counted = [rng.randrange(40, 60) + rng.random() for _ in range(6)] + [rng.randrange(190, 260)]
        rng.shuffle(counted)
        first = [rng.randrange(300, 900) + rng.random() for _ in range(warm_up)]
        return {"warm_up": warm_up, "runs_ms": [round(x, 1) for x in first + counted]}

    def assess(self, answer: Answer, warm_up: int, runs_ms: list[float]) -> Outcome:
        right = statistics.median(runs_ms[warm_up:])
        return answer.beside(
            right,
            (statistics.fmean(runs_ms[warm_up:]), "that is the mean: one slow run pulls it up"),
            (statistics.fmean(runs_ms), "that is the mean of all runs, those of the warm-up too"),
            (statistics.median(runs_ms), "the warm-up is in it"),
            (runs_ms[warm_up:][3], "sort them first"),
            (min(runs_ms), "that is the fastest run"),
        )


class TimesAsFast(Exercise):
    """How many times as fast as the first model is the second, at `first_ms` and `second_ms`?"""

    ID, KIND = "10.2", Number()
    NEAR = "divide with all digits"
    LOOK = "twice as fast is half the time"

    def draw(self, rng: random.Random) -> dict[str, Any]:
        first = rng.randrange(200, 900)
        return {"first_ms": first, "second_ms": round(first / rng.choice((1.6, 2.4, 3.2, 4.5)), 1)}

    def assess(self, answer: Answer, first_ms: float, second_ms: float) -> Outcome:
        right = first_ms / second_ms
        return answer.beside(
            right,
            (second_ms / first_ms, "that is its time as a fraction of the first one's"),
            ((first_ms - second_ms) / first_ms, "that is the part of the time that is saved"),
            (100 * (first_ms - second_ms) / first_ms, "that is the part of the time that is saved, in per cent"),
            (first_ms - second_ms, "that is the time saved, in ms"),
        )


def _of(target: str) -> pd.DataFrame:
    table = _shipped()
    return table[table.target == target]


@functools.cache
def _with_silent_faults() -> set[str]:
    table = _shipped()
    return set(table[table.supported & (table.result == "wrong") & (table.variant == "native")].target)


@functools.cache
def _shipped() -> pd.DataFrame:
    from fns_lab.measure.matrix.shipped import read

    return read().table
