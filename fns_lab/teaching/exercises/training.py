"""The exercises on networks: training them, exporting them, making them smaller (notebooks 1, 2 and 7)."""

from __future__ import annotations

import functools
import random
from typing import Any

from fns_lab.teaching.exercise import Answer, Exercise, Outcome
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

    def assess(self, answer: Answer, width: int) -> Outcome:
        kernels = sum(_weights(width, dims=(4,)))
        right = sum(_weights(width))
        return answer.beside(
            right,
            (kernels, "these are the kernels of the convolutions; biases and normalisations are trained as well"),
            (4 * right, "these are bytes; a float32 parameter has four"),
        )


class GramNumbers(Exercise):
    """How many numbers are in the Gram matrix of features of shape `features`, (N, C, H, W)?"""

    ID, KIND = "01.2", Count()
    NEAR = "count again"
    LOOK = "which of N, C, H and W has the Gram matrix? See the formula of G(F) and the table of its shapes"

    def draw(self, rng: random.Random) -> dict[str, Any]:
        return {"features": (1, rng.randrange(20, 90), rng.randrange(100, 200), rng.randrange(210, 300))}

    def assess(self, answer: Answer, features: tuple[int, int, int, int]) -> Outcome:
        _, c, h, w = features
        right = features[1] ** 2
        return answer.beside(
            right,
            (c * h * w, "that is how many numbers the features hold; the Gram matrix has summed over the pixels"),
            (c, "that is one number per feature; the matrix has one for each pair of features"),
            ((h * w) ** 2, "the pairs are pairs of features (channels), not of pixels"),
            (c * (c - 1) // 2, "the matrix holds each pair twice, and the pairs of a feature with itself"),
        )


class BalancingWeight(Exercise):
    """At which style weight are the two weighted losses equal, if the unweighted ones are those of the task?"""

    ID, KIND = "01.3", Number()
    NEAR = "compute with all the digits that the task prints"
    LOOK = "write down content weight · content loss = style weight · style loss, and solve for the style weight"

    def draw(self, rng: random.Random) -> dict[str, Any]:
        return {"content_loss": round(rng.uniform(2, 9), 2), "style_loss": round(rng.uniform(1e-4, 9e-4), 6)}

    def assess(self, answer: Answer, content_loss: float, style_loss: float, content_weight: float = 1e5) -> Outcome:
        right = content_weight * content_loss / style_loss
        return answer.beside(
            right,
            (
                content_weight * style_loss / content_loss,
                "the larger loss needs the smaller weight, not the larger one",
            ),
            (content_loss / style_loss, "that is the ratio of the weights; the content weight is not 1"),
        )


class MoreBlocks(Exercise):
    """How many nodes has the exported network with `blocks` residual blocks in place of five?"""

    ID, KIND = "02.1", Count()
    NEAR = "count the nodes of one residual block again; what stands before each of its convolutions?"
    LOOK = "count the nodes of one residual block, then how many blocks are more than in the network of the page"

    def draw(self, rng: random.Random) -> dict[str, Any]:
        return {"blocks": rng.choice((3, 7, 8, 9, 11, 12))}

    def assess(self, answer: Answer, blocks: int) -> Outcome:
        nodes = [str(node.name) for node in exported(SIZE).graph.node]
        total = len(exported(SIZE).graph.node)
        right = len(nodes) + (blocks - BLOCKS) * sum(name.startswith("res1") for name in nodes)
        return answer.beside(
            right,
            (total, "that is the network with five blocks"),
            (total + (blocks - BLOCKS) * 6, "each convolution of a block has a padding before it"),
            (total + (blocks - BLOCKS) * 7, "a block has a Relu inside and an Add at its end"),
        )


class OutputSize(Exercise):
    """Which height and width has the output for an image of `size`?"""

    ID, KIND = "02.2", Shape()
    NEAR = "halve twice and double twice; what does a convolution of stride 2 make of an odd number?"
    LOOK = "see the table under 'A free size', its second row"

    def draw(self, rng: random.Random) -> dict[str, Any]:
        return {"size": tuple(4 * rng.randrange(25, 60) + rng.choice((1, 2, 3)) for _ in "HW")}

    def assess(self, answer: Answer, size: tuple[int, int]) -> Outcome:
        right = tuple(-(-n // 4) * 4 for n in size)
        return answer.beside(
            right,
            (tuple(size), "that is what goes in"),
            (tuple(n // 4 * 4 for n in size), "each half is rounded the other way: no pixel is dropped"),
            (tuple(right[::-1]), "height comes first"),
        )


class ValueOfNode(Exercise):
    """Which value does the node with the index `node` compute? Python counts from 0."""

    ID, KIND = "02.3", Name("the name of a value, such as 'in1'")
    NEAR = "right module, another value of it"
    LOOK = "print the output of model.graph.node at that index, as the table under 'What is left' does for the first"

    def draw(self, rng: random.Random) -> dict[str, Any]:
        return {"node": rng.randrange(9, 60)}

    def assess(self, answer: Answer, node: int) -> Outcome:
        asked = exported(SIZE).graph.node[node]
        right = asked.output[0]
        return answer.beside(
            right,
            (exported(SIZE).graph.node[node - 1].output[0], "that node stands one earlier: the first has index 0"),
            (asked.op_type, "that is its op; what it computes has a name of its own"),
            *((name, "that value is one that the node reads") for name in asked.input),
        )


class LayerMacs(Exercise):
    """How many multiply-adds, in millions, takes one convolution of a residual block at width `width`?"""

    ID, KIND = "07.1", Number()
    NEAR = "right up to a small factor; how many pixels are there in a residual block?"
    LOOK = "use C C' K² H' W'; notebook 4 shows C, H and W of a residual block"

    def draw(self, rng: random.Random) -> dict[str, Any]:
        return {"width": rng.choice((10, 12, 20, 24, 28, 36, 48))}

    def assess(self, answer: Answer, width: int, size: tuple[int, int] = (128, 160)) -> Outcome:
        h, w = (-(-n // 4) for n in size)
        right = (4 * width) ** 2 * 9 * h * w / 1e6
        return answer.beside(
            right,
            (right / 16, "inside the blocks there are four times as many channels as after the first convolution"),
            (right * 16, "inside the blocks height and width are a quarter of the image's"),
            (right / 3, "a kernel of 3 x 3 has nine weights"),
            (right * 1e6, "in millions, please"),
            (right * 2, "one multiply-add is one operation here; a block has two convolutions, and one is asked for"),
        )


class RoundingStep(Exercise):
    """What is the largest rounding error of a weight in int8, if the largest weight of its channel is `largest`?"""

    ID, KIND = "07.2", Number()
    NEAR = "into how many steps is the range from 0 to the largest weight cut?"
    LOOK = (
        "the scale of a channel is its largest weight divided by 127; a weight is rounded to the nearest multiple of it"
    )

    def draw(self, rng: random.Random) -> dict[str, Any]:
        return {"largest": round(rng.uniform(0.2, 3), 3)}

    def assess(self, answer: Answer, largest: float) -> Outcome:
        right = largest / 127 / 2
        return answer.beside(
            right,
            (largest / 127, "that is one whole step; a number is rounded to the nearer end of it"),
            (2 * right * 2, "the 127 steps go from 0 to the largest weight, not from its negative to it"),
            (largest, "that is the largest weight itself"),
        )


class TimeOfHalfWidth(Exercise):
    """Which fraction of its time does a network take at half the width, if `percent` % of it is in convolutions?"""

    ID, KIND = "07.3", Number()
    NEAR = "which of the two parts shrinks with the width, and which with its square?"
    LOOK = "split the time in two; convolutions take a quarter at half the width, layers that work value by value half"

    def draw(self, rng: random.Random) -> dict[str, Any]:
        return {"percent": rng.randrange(40, 95, 5)}

    def assess(self, answer: Answer, percent: float) -> Outcome:
        right = percent / 100 / 4 + (1 - percent / 100) / 2
        return answer.beside(
            right,
            (0.25, "that holds for a network of convolutions and nothing else"),
            (0.5, "that holds for a network without convolutions"),
            (percent / 100 / 4 + 1 - percent / 100, "the rest gets faster too: it has half the channels to go through"),
            (1 / right, "as a fraction of the time before: below 1"),
            (100 * right, "a fraction, not per cent"),
        )


@functools.cache
def _weights(width: int, dims: tuple[int, ...] = (1, 4)) -> tuple[int, ...]:
    """Return the size of each parameter of a style network, of those with one of these numbers of dimensions."""
    import torch

    from fns_lab.nets.transformer import TransformerNet

    with torch.device("meta"):
        net = TransformerNet(width)
    return tuple(p.numel() for p in net.parameters() if p.dim() in dims)
