"""The exercises on networks: training them, exporting them, making them smaller (notebooks 1, 2 and 7)."""

from __future__ import annotations

import functools
import random
from collections.abc import Iterator
from typing import Any

from fns_lab.teaching.exercise import Exercise, Mistake
from fns_lab.teaching.kinds import Count, Name, Number, Shape
from fns_lab.teaching.networks import exported

BLOCKS = 5
"""Residual blocks of the style network."""
SIZE = (64, 96)
"""Height and width of the exported network in which values are looked up: their names are the same at any size."""


class Parameters(Exercise):
    """How many parameters has a style network of width `width`?"""

    ID, KIND = "01.1", Count()
    NEAR = "nearly all of them are counted; which layers hold a few more?"
    LOOK = "make a network of that width and sum over all its parameters, as the cell under 'Save and open again' does"

    def draw(self, rng: random.Random) -> dict[str, Any]:
        return {"width": rng.choice((10, 12, 20, 24, 40, 48, 64))}

    def answer(self, width: int) -> int:
        return sum(_weights(width))

    def mistakes(self, width: int) -> Iterator[Mistake]:
        kernels = sum(_weights(width, dims=(4,)))
        yield kernels, "these are the kernels of the convolutions; biases and normalisations are trained as well"
        yield 4 * self.answer(width), "these are bytes; a float32 parameter has four"


class GramNumbers(Exercise):
    """How many numbers are in the Gram matrix of features of shape `features`, (N, C, H, W)?"""

    ID, KIND = "01.2", Count()
    NEAR = "count again"
    LOOK = "which of N, C, H and W has the Gram matrix? See the formula of G(F) and the table of its shapes"

    def draw(self, rng: random.Random) -> dict[str, Any]:
        return {"features": (1, rng.randrange(20, 90), rng.randrange(100, 200), rng.randrange(210, 300))}

    def answer(self, features: tuple[int, int, int, int]) -> int:
        return features[1] ** 2

    def mistakes(self, features: tuple[int, int, int, int]) -> Iterator[Mistake]:
        _, c, h, w = features
        yield c * h * w, "that is how many numbers the features hold; the Gram matrix has summed over the pixels"
        yield c, "that is one number per feature; the matrix has one for each pair of features"
        yield (h * w) ** 2, "the pairs are pairs of features (channels), not of pixels"
        yield c * (c - 1) // 2, "the matrix holds each pair twice, and the pairs of a feature with itself"


class BalancingWeight(Exercise):
    """At which style weight are the two weighted losses equal, if the unweighted ones are those of the task?"""

    ID, KIND = "01.3", Number()
    NEAR = "compute with all the digits that the task prints"
    LOOK = "write down content weight · content loss = style weight · style loss, and solve for the style weight"

    def draw(self, rng: random.Random) -> dict[str, Any]:
        return {"content_loss": round(rng.uniform(2, 9), 2), "style_loss": round(rng.uniform(1e-4, 9e-4), 6)}

    def answer(self, content_loss: float, style_loss: float, content_weight: float = 1e5) -> float:
        return content_weight * content_loss / style_loss

    def mistakes(self, content_loss: float, style_loss: float, content_weight: float = 1e5) -> Iterator[Mistake]:
        yield content_weight * style_loss / content_loss, "the larger loss needs the smaller weight, not the larger one"
        yield content_loss / style_loss, "that is the ratio of the weights; the content weight is not 1"


class MoreBlocks(Exercise):
    """How many nodes has the exported network with `blocks` residual blocks in place of five?"""

    ID, KIND = "02.1", Count()
    NEAR = "count the nodes of one residual block again; what stands before each of its convolutions?"
    LOOK = "count the nodes of one residual block, then how many blocks are more than in the network of the page"

    def draw(self, rng: random.Random) -> dict[str, Any]:
        return {"blocks": rng.choice((3, 7, 8, 9, 11, 12))}

    def answer(self, blocks: int) -> int:
        nodes = [str(node.name) for node in exported(SIZE).graph.node]
        return len(nodes) + (blocks - BLOCKS) * sum(name.startswith("res1") for name in nodes)

    def mistakes(self, blocks: int) -> Iterator[Mistake]:
        total = len(exported(SIZE).graph.node)
        yield total, "that is the network with five blocks"
        yield total + (blocks - BLOCKS) * 6, "each convolution of a block has a padding before it"
        yield total + (blocks - BLOCKS) * 7, "a block has a Relu inside and an Add at its end"


class OutputSize(Exercise):
    """Which height and width has the output for an image of `size`?"""

    ID, KIND = "02.2", Shape()
    NEAR = "halve twice and double twice; what does a convolution of stride 2 make of an odd number?"
    LOOK = "see the table under 'A free size', its second row"

    def draw(self, rng: random.Random) -> dict[str, Any]:
        return {"size": tuple(4 * rng.randrange(25, 60) + rng.choice((1, 2, 3)) for _ in "HW")}

    def answer(self, size: tuple[int, int]) -> tuple[int, ...]:
        return tuple(-(-n // 4) * 4 for n in size)

    def mistakes(self, size: tuple[int, int]) -> Iterator[Mistake]:
        yield tuple(size), "that is what goes in"
        yield tuple(n // 4 * 4 for n in size), "each half is rounded the other way: no pixel is dropped"
        yield tuple(self.answer(size)[::-1]), "height comes first"


class ValueOfNode(Exercise):
    """Which value does the node with the index `node` compute? Python counts from 0."""

    ID, KIND = "02.3", Name("the name of a value, such as 'in1'")
    NEAR = "right module, another value of it"
    LOOK = "print the output of model.graph.node at that index, as the table under 'What is left' does for the first"

    def draw(self, rng: random.Random) -> dict[str, Any]:
        return {"node": rng.randrange(9, 60)}

    def answer(self, node: int) -> str:
        return str(exported(SIZE).graph.node[node].output[0])

    def mistakes(self, node: int) -> Iterator[Mistake]:
        asked = exported(SIZE).graph.node[node]
        yield exported(SIZE).graph.node[node - 1].output[0], "that node stands one earlier: the first has index 0"
        yield asked.op_type, "that is its op; what it computes has a name of its own"
        yield from ((name, "that value is one that the node reads") for name in asked.input)


class LayerMacs(Exercise):
    """How many multiply-adds, in millions, takes one convolution of a residual block at width `width`?"""

    ID, KIND = "07.1", Number()
    NEAR = "right up to a small factor; how many pixels are there in a residual block?"
    LOOK = "use C C' K² H' W'; notebook 4 shows C, H and W of a residual block"

    def draw(self, rng: random.Random) -> dict[str, Any]:
        return {"width": rng.choice((10, 12, 20, 24, 28, 36, 48))}

    def answer(self, width: int, size: tuple[int, int] = (128, 160)) -> float:
        h, w = (-(-n // 4) for n in size)
        return (4 * width) ** 2 * 9 * h * w / 1e6

    def mistakes(self, width: int, size: tuple[int, int] = (128, 160)) -> Iterator[Mistake]:
        right = self.answer(width, size)
        yield right / 16, "inside the blocks there are four times as many channels as after the first convolution"
        yield right * 16, "inside the blocks height and width are a quarter of the image's"
        yield right / 3, "a kernel of 3 x 3 has nine weights"
        yield right * 1e6, "in millions, please"
        yield right * 2, "one multiply-add is one operation here; a block has two convolutions, and one is asked for"


class RoundingStep(Exercise):
    """What is the largest rounding error of a weight in int8, if the largest weight of its channel is `largest`?"""

    ID, KIND = "07.2", Number()
    NEAR = "into how many steps is the range from 0 to the largest weight cut?"
    LOOK = (
        "the scale of a channel is its largest weight divided by 127; a weight is rounded to the nearest multiple of it"
    )

    def draw(self, rng: random.Random) -> dict[str, Any]:
        return {"largest": round(rng.uniform(0.2, 3), 3)}

    def answer(self, largest: float) -> float:
        return largest / 127 / 2

    def mistakes(self, largest: float) -> Iterator[Mistake]:
        yield largest / 127, "that is one whole step; a number is rounded to the nearer end of it"
        yield 2 * self.answer(largest) * 2, "the 127 steps go from 0 to the largest weight, not from its negative to it"
        yield largest, "that is the largest weight itself"


class TimeOfHalfWidth(Exercise):
    """Which fraction of its time does a network take at half the width, if `percent` % of it is in convolutions?"""

    ID, KIND = "07.3", Number()
    NEAR = "which of the two parts shrinks with the width, and which with its square?"
    LOOK = "split the time in two; convolutions take a quarter at half the width, layers that work value by value half"

    def draw(self, rng: random.Random) -> dict[str, Any]:
        return {"percent": rng.randrange(40, 95, 5)}

    def answer(self, percent: float) -> float:
        return percent / 100 / 4 + (1 - percent / 100) / 2

    def mistakes(self, percent: float) -> Iterator[Mistake]:
        yield 0.25, "that holds for a network of convolutions and nothing else"
        yield 0.5, "that holds for a network without convolutions"
        yield percent / 100 / 4 + 1 - percent / 100, "the rest gets faster too: it has half the channels to go through"
        yield 1 / self.answer(percent), "as a fraction of the time before: below 1"
        yield 100 * self.answer(percent), "a fraction, not per cent"


@functools.cache
def _weights(width: int, dims: tuple[int, ...] = (1, 4)) -> tuple[int, ...]:
    """Return the size of each parameter of a style network, of those with one of these numbers of dimensions."""
    import torch

    from fns_lab.nets.transformer import TransformerNet

    with torch.device("meta"):
        net = TransformerNet(width)
    return tuple(p.numel() for p in net.parameters() if p.dim() in dims)
