"""The exercises on graphs: rewriting them, looking at them (notebooks 3 and 4)."""

from __future__ import annotations

import random
from typing import Any

from fns_lab.teaching.exercise import Answer, Exercise, Outcome
from fns_lab.teaching.kinds import Count, Name, Number
from fns_lab.teaching.networks import lowered

SIZE = (128, 192)
"""Height and width of the image in notebooks 3 and 4, pixels."""
OPSET = "opset"
"""Stands in the place of a rule's name for nodes that were only converted to another opset."""
WRITTEN = (
    ("onnxjs-0.1.3/cpu", "res2.conv1.reflection_pad"),
    ("onnxjs-0.1.3/cpu", "res4.conv2.reflection_pad"),
    ("onnxjs-0.1.8/wasm", "conv3.reflection_pad"),
    ("onnxjs-0.1.8/webgl", "deconv1.conv2d"),
    ("onnxjs-0.1.3/webgl", "deconv2.conv2d"),
    ("onnxjs-0.1.3/webgl", "in3"),
    ("onnxjs-0.1.4/webgl", "in5"),
)
"""Targets, and values of the lowered network that a rule's node computes there."""


class LoweredNodes(Exercise):
    """How many nodes has the network, lowered for `target`?"""

    ID, KIND = "03.1", Count()
    NEAR = "is it that target, and the size of the parameters cell?"
    LOOK = "lower the model for that target, as the cell under 'Lower' does, and read the line above its table"

    def draw(self, rng: random.Random) -> dict[str, Any]:
        names = ("onnxjs-0.1.3/cpu", "onnxjs-0.1.4/webgl", "onnxjs-0.1.4/cpu", "onnxjs-0.1.8/webgl", "onnxjs-0.1.8/cpu")
        return {"target": rng.choice(names)}

    def assess(self, answer: Answer, target: str, size: tuple[int, int] = SIZE) -> Outcome:
        result = lowered(tuple(size), target)
        return answer.beside(
            result.nodes_after,
            (result.nodes_before, "that is the number of nodes before lowering"),
            (
                result.applied["count"].sum(),
                "that is how often rules were applied; one application can write more nodes",
            ),
        )


class PaddedPixels(Exercise):
    """How many pixels does a padding of `pad` on every side add to a channel of `size`, (H, W)?"""

    ID, KIND = "03.2", Count()
    NEAR = "the corners count too, once each"
    LOOK = "the shape after the padding is in the list at the top of the page; subtract the pixels that were there"

    def draw(self, rng: random.Random) -> dict[str, Any]:
        return {"size": (rng.randrange(40, 90), rng.randrange(91, 140)), "pad": rng.choice((2, 3, 5, 6))}

    def assess(self, answer: Answer, size: tuple[int, int], pad: int) -> Outcome:
        (h, w), p = size, pad
        right = (h + 2 * p) * (w + 2 * p) - h * w
        return answer.beside(
            right,
            (2 * p * (h + w), "the corners are missing"),
            ((h + p) * (w + p) - h * w, "each dimension grows at both of its ends"),
            ((h + 2 * p) * (w + 2 * p), "these are all pixels after the padding; only the new ones are asked for"),
        )


class WinogradFactor(Exercise):
    """How many times as many products as Winograd's algorithm takes the plain sum, for `results` and `weights`?"""

    ID, KIND = "03.3", Number()
    NEAR = "count the values that the results read, which overlap"
    LOOK = (
        "divide the products of the plain sum by those of Winograd, as the page does for four results and three weights"
    )

    def draw(self, rng: random.Random) -> dict[str, Any]:
        return {"results": rng.choice((2, 3, 5, 6, 8)), "weights": rng.choice((2, 4, 5, 7))}

    def assess(self, answer: Answer, results: int, weights: int) -> Outcome:
        right = results * weights / (results + weights - 1)
        return answer.beside(
            right,
            (1 / right, "the other way round: how many times as *many*"),
            (results * weights, "these are the products of the plain sum; divide them by Winograd's"),
            (results + weights - 1, "these are Winograd's products; divide those of the plain sum by them"),
            (results * weights / (results + weights), "neighbouring results share values: count the values once more"),
        )


class NodesOfRules(Exercise):
    """How many nodes of the network, lowered for `target`, did a rule write? `opset` is no rule."""

    ID, KIND = "04.1", Count()
    NEAR = "is it that target, and the size of the parameters cell?"
    LOOK = "lower for that target and make the table under 'Who wrote what' again; add up the columns of rules"

    def draw(self, rng: random.Random) -> dict[str, Any]:
        names = ("onnxjs-0.1.3/cpu", "onnxjs-0.1.4/webgl", "onnxjs-0.1.4/cpu", "onnxjs-0.1.8/webgl")
        return {"target": rng.choice(names)}

    def assess(self, answer: Answer, target: str, size: tuple[int, int] = SIZE) -> Outcome:
        nodes = lowered(tuple(size), target).model.graph.node
        rules = [node.doc_string.removeprefix(_prefix()) for node in nodes]
        return answer.beside(
            sum(rule not in ("", OPSET) for rule in rules),
            (sum(rule != "" for rule in rules), "the column `opset` counts nodes that no rule wrote"),
            (sum(rule == "" for rule in rules), "these are the nodes of the export; the others are asked for"),
            (len(rules), "these are all nodes"),
        )


class RuleOfValue(Exercise):
    """Which rule wrote the node that computes `value` in the network lowered for `target`?"""

    ID, KIND = "04.2", Name("the name of a rule, such as 'clip-relu'")
    NEAR = "another rule begins with the same word"
    LOOK = "find the node whose output is that value, and read its `doc_string`"

    def draw(self, rng: random.Random) -> dict[str, Any]:
        target, value = rng.choice(WRITTEN)
        return {"target": target, "value": value}

    def assess(self, answer: Answer, target: str, value: str, size: tuple[int, int] = SIZE) -> Outcome:
        node = next(node for node in lowered(tuple(size), target).model.graph.node if value in node.output)
        return answer.beside(
            node.doc_string.removeprefix(_prefix()),
            (node.op_type, "that is the node's op; the rule has a name of its own"),
            (node.name, "that is the node's own name"),
        )


class SubpixelProducts(Exercise):
    """How many products make one value of the large image in the lowered form, from a small one of `channels`?"""

    ID, KIND = "04.3", Count()
    NEAR = "count again"
    LOOK = "see the figure at the top: how many pixels of the small image are under the kernel, in each channel?"

    def draw(self, rng: random.Random) -> dict[str, Any]:
        return {"channels": rng.choice((24, 40, 48, 56, 72, 96))}

    def assess(self, answer: Answer, channels: int) -> Outcome:
        right = 4 * channels
        return answer.beside(
            right,
            (9 * channels, "that many the doubled image takes; pixels that are equal can share one product"),
            (
                16 * channels,
                "there are four times as many filters, but each value of the large image comes from one of them",
            ),
            (4, "in each channel; there are more than one"),
            (channels, "the kernel of the new form is 2 x 2"),
        )


def _prefix() -> str:
    from fns_lab.models import RULE_PREFIX

    return RULE_PREFIX
