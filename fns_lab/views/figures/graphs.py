"""Figures of graphs: how a model travels, where its nodes come from, and which products it can share."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle
from onnx import ModelProto

from fns_lab import models
from fns_lab.images import image_from_array
from fns_lab.rewrite.finish import OPSET_RULE
from fns_lab.views.plots import FILL_COLOURS, LINE_COLOURS, OTHER_COLOUR, NotebookFigure

KINDS = {
    "normalisation": r"(^|\.)in\d",
    "padding, upsampling": r"reflection_pad|upsample|resize|interpolate",
    "convolution, Relu, Add": "",
}
"""Kinds of layer, and the pattern of the names of their values in a style network; the last takes the rest."""


def journey(images: Mapping[str, np.ndarray], stages: Mapping[str, tuple[str, Mapping[str, int]]]) -> NotebookFigure:
    """Draw what a model travels through: the first image, a box per stage, the second image.

    `stages`: by name, what happens there and the ops of the model at that stage (empty: no graph yet).
    """
    columns = len(stages) + 2
    figure = NotebookFigure(figsize=(2.15 * columns, 3.3), layout="constrained")
    panels = figure.subplots(1, columns)
    colour_of = _colours([ops for _, ops in stages.values()])
    first, last = images.items()
    for axes, (label, image) in ((panels[0], first), (panels[-1], last)):
        axes.imshow(image_from_array(image))
        axes.set_title(label)
    for axes, (name, (what, ops)) in zip(panels[1:-1], stages.items(), strict=True):
        axes.set(xlim=(0, 1), ylim=(0, 1), title=name)
        axes.text(0.5, 0.1 if ops else 0.5, what, ha="center", va="center", fontsize="small")
        _stack(axes, ops, colour_of)
    for axes in panels:
        axes.set(xticks=[], yticks=[])
    for left, right in itertools.pairwise(panels):
        left.annotate(
            "",
            xy=(0, 0.5),
            xycoords=right.transAxes,
            xytext=(1, 0.5),
            textcoords=left.transAxes,
            arrowprops={"arrowstyle": "-|>", "color": "#444444", "lw": 1.5},
        )
    handles = [Patch(color=colour, label=op) for op, colour in colour_of.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=9, frameon=False, fontsize="small")
    return figure


def widths_along_depth(model: ModelProto) -> NotebookFigure:
    """Draw each node of a model as a bar: its colour is the op, its height that of the value it computes, in pixels.

    Above each Conv stands the number of its channels.
    """
    graph = models.infer_shapes(model).graph
    shapes = {value.name: models.shape_of(value) for value in (*graph.value_info, *graph.output)}
    nodes = [node for node in model.graph.node if len(shapes.get(node.output[0], ())) == 4]
    colour_of = _colours([models.count_ops(model)])
    figure = NotebookFigure(figsize=(12, 3.8), layout="constrained")
    axes = figure.subplots()
    for i, node in enumerate(nodes):
        _, c, h, _ = shapes[node.output[0]]
        axes.bar(i, int(h), width=1, color=colour_of.get(node.op_type, OTHER_COLOUR), edgecolor="white", lw=0.5)
        if node.op_type == "Conv":
            axes.annotate(f"{c}", (i, int(h)), (0, 3), textcoords="offset points", ha="center", fontsize="small")
    axes.set(
        xlabel="nodes, in the order of the run", ylabel="height of its value, pixels", xlim=(-1, len(nodes)), xticks=[]
    )
    axes.spines[["top", "right"]].set_visible(False)
    handles = [Patch(color=colour, label=op) for op, colour in colour_of.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=8, frameon=False)
    return figure


def node_sources(variants: Mapping[str, ModelProto | Mapping[str, int]]) -> NotebookFigure:
    """Draw from which layers the nodes of some versions of a style network come: one bar per version, by label.

    A version is a model, or the number of its nodes by `KINDS` where there is no model.
    """
    figure = NotebookFigure(figsize=(11, 1.2 + 0.55 * len(variants)), layout="constrained")
    axes = figure.subplots()
    for y, variant in enumerate(variants.values()):
        counts = _by_kind(variant) if isinstance(variant, ModelProto) else variant
        left = 0
        for kind, colour in zip(KINDS, FILL_COLOURS, strict=False):
            axes.barh(y, counts.get(kind, 0), left=left, color=colour, edgecolor="white")
            if counts.get(kind, 0) > 8:
                axes.text(left + counts[kind] / 2, y, f"{counts[kind]}", ha="center", va="center", fontsize="small")
            left += counts.get(kind, 0)
        axes.text(left + 3, y, f"{left} nodes", va="center")
    axes.set_yticks(range(len(variants)), list(variants))
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlabel("nodes")
    axes.spines[["top", "right"]].set_visible(False)
    handles = [Patch(color=colour, label=kind) for kind, colour in zip(KINDS, FILL_COLOURS, strict=False)]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
    return figure


def shared_products(results: int = 4, weights: int = 3) -> NotebookFigure:
    """Draw the products of a sum of `weights` neighbours for `results` results, plain and by Winograd's algorithm."""
    values = results + weights - 1
    plain, shared = (figure := NotebookFigure(figsize=(10, 2.9), layout="constrained")).subplots(1, 2)
    for i in range(results):
        for k in range(weights):
            plain.plot(i + k, i, "o", ms=15, color=FILL_COLOURS[k % len(FILL_COLOURS)])
            plain.text(i + k, i, f"w{k}", ha="center", va="center", fontsize="small")
    for j in range(values):
        shared.plot(j, results / 2 - 0.5, "o", ms=15, color=LINE_COLOURS[0])
        shared.text(j, results / 2 - 0.5, "*", ha="center", va="center", color="white")
    shared.text(values / 2 - 0.5, results - 0.9, "before: B mixes the values, G the weights (once)", ha="center")
    shared.text(values / 2 - 0.5, -0.3, "after: A mixes the products to the results", ha="center")
    for axes, title in ((plain, f"plain: {results * weights} products"), (shared, f"Winograd: {values} products")):
        axes.set(xlim=(-0.6, values - 0.4), ylim=(-0.8, results - 0.2), title=title)
        axes.set_xticks(range(values), [f"d{j}" for j in range(values)])
        axes.set_yticks(range(results), [f"y{i}" for i in range(results)] if axes is plain else [""] * results)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
    plain.invert_yaxis()
    return figure


def subpixel(kernel: np.ndarray) -> NotebookFigure:
    """Draw how a 3x3 kernel, `(3, 3)`, lies on an image that nearest upsampling has doubled, and what it adds up to.

    For each of the four positions within a doubled pixel: the small image's pixels under the kernel by colour, and the
    2x2 kernel of summed weights that gives the same number.
    """
    figure = NotebookFigure(figsize=(12, 5.4), layout="constrained")
    panels = figure.subplots(2, 4, height_ratios=(3, 2))
    for column in range(4):
        row_offset, column_offset = divmod(column, 2)
        above, below = panels[0][column], panels[1][column]
        sums = np.zeros((2, 2))
        for i in range(3):
            for j in range(3):
                source = (i + row_offset + 1) // 2 - row_offset, (j + column_offset + 1) // 2 - column_offset
                sums[source] += kernel[i, j]
                colour = FILL_COLOURS[2 * source[0] + source[1]]
                above.add_patch(Rectangle((j, i), 1, 1, facecolor=colour, edgecolor="white", lw=1.5))
                above.text(j + 0.5, i + 0.5, f"{kernel[i, j]:.2f}", ha="center", va="center")
        for i in range(2):
            for j in range(2):
                below.add_patch(Rectangle((j, i), 1, 1, facecolor=FILL_COLOURS[2 * i + j], edgecolor="white", lw=1.5))
                below.text(j + 0.5, i + 0.5, f"{sums[i, j]:.2f}", ha="center", va="center")
        where = f"{('upper', 'lower')[row_offset]} {('left', 'right')[column_offset]}"
        above.set_title(f"{where} pixel of a block", fontsize="medium")
        for axes, size in ((above, 3), (below, 2)):
            axes.set(xlim=(0, size), ylim=(size, 0), xticks=[], yticks=[], aspect="equal")
            axes.spines[:].set_visible(False)
    panels[0][0].set_ylabel("3 x 3 on the doubled image:\n9 products")
    panels[1][0].set_ylabel("2 x 2 on the small image:\n4 products")
    return figure


def treatment(lowered: Mapping[str, ModelProto]) -> NotebookFigure:
    """Draw, for models lowered for some targets, how many nodes stayed, were converted, and were written by rules."""
    figure = NotebookFigure(figsize=(11, 1.2 + 0.42 * len(lowered)), layout="constrained")
    axes = figure.subplots()
    colours = dict(zip(("as exported", "written as an older opset", "written by a rule"), FILL_COLOURS, strict=False))
    for y, model in enumerate(lowered.values()):
        rules = [node.doc_string.removeprefix(models.RULE_PREFIX) for node in model.graph.node]
        counts = (rules.count(""), rules.count(OPSET_RULE), sum(rule not in ("", OPSET_RULE) for rule in rules))
        left = 0
        for count, colour in zip(counts, colours.values(), strict=True):
            axes.barh(y, count, left=left, color=colour, edgecolor="white")
            if count > 2:
                axes.text(left + count / 2, y, f"{count}", ha="center", va="center", fontsize="small")
            left += count
    axes.set_yticks(range(len(lowered)), list(lowered))
    axes.invert_yaxis()
    axes.set_xlabel("nodes of the lowered model")
    axes.spines[["top", "right"]].set_visible(False)
    handles = [Patch(color=colour, label=label) for label, colour in colours.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
    return figure


def _by_kind(model: ModelProto) -> Counter[str]:
    names = [node.output[0] for node in model.graph.node]
    return Counter(next(kind for kind, pattern in KINDS.items() if re.search(pattern, name)) for name in names)


def _colours(counts: Sequence[Mapping[str, int]]) -> dict[str, str]:
    """Return a colour for each op, the most frequent first."""
    total: Counter[str] = Counter()
    for ops in counts:
        total.update(ops)
    return dict(zip((op for op, _ in total.most_common()), FILL_COLOURS, strict=False))


def _stack(axes: Axes, ops: Mapping[str, int], colour_of: Mapping[str, str]) -> None:
    """Draw one line per node in a box, coloured by op, from top to bottom."""
    total, y = sum(ops.values()), 0.95
    for op, count in ops.items():
        height = 0.62 * count / total
        axes.add_patch(Rectangle((0.25, y - height), 0.5, height, color=colour_of.get(op, OTHER_COLOUR), lw=0))
        y -= height
    if total:
        axes.text(0.5, 0.28, f"{total} nodes", ha="center", va="top")
