"""Figures of images and of values between layers. Images are `(1, 3, H, W)`, RGB, 0..255."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage

from fns_lab.images import image_from_array
from fns_lab.views.plots import LINE_COLOURS, NotebookFigure

DIVERGING = "RdBu_r"
"""Colours of values around 0, distinct for every kind of colour vision."""


GRAM_CHANNELS = 24
"""Channels of a Gram matrix that are drawn: more could not be told apart."""


def two_losses(images: Mapping[str, np.ndarray], features: Mapping[str, np.ndarray]) -> NotebookFigure:
    """Draw what the two losses compare, for three images by label: photograph, output, style.

    `features`: those of one layer, `(1, C, H, W)`, by the same labels. Second row: their mean over the channels, in
    which places can be seen. Third row: their Gram matrices, in which they cannot.
    """
    figure = NotebookFigure(figsize=(9, 7.2), layout="constrained")
    panels = figure.subplots(3, len(images))
    for column, (label, image) in enumerate(images.items()):
        flat = features[label][0].reshape(features[label].shape[1], -1)
        _show_image(panels[0][column], image, label)
        _show(panels[1][column], features[label][0].mean(0), cmap="gray")
        _show(panels[2][column], np.sqrt(flat @ flat.T)[:GRAM_CHANNELS, :GRAM_CHANNELS], cmap="viridis")
    for row, text in enumerate(
        ("image", "features F\n(mean of channels)", f"Gram matrix G(F)\n(first {GRAM_CHANNELS} channels)")
    ):
        panels[row][0].set_ylabel(text)
    panels[1][1].set_xlabel("content loss: like the left one, pixel by pixel")
    panels[2][1].set_xlabel("style loss: like the right one; there are no pixels")
    return figure


def normalisation(before: np.ndarray, after: np.ndarray, channels: tuple[int, ...]) -> NotebookFigure:
    """Draw some channels of a value `(1, C, H, W)` before and after its normalisation, and how their values spread."""
    figure = NotebookFigure(figsize=(2.6 * len(channels) + 3.4, 4.6), layout="constrained")
    panels = figure.subplots(2, len(channels) + 1, width_ratios=[2.6] * len(channels) + [3.4])
    for row, (values, label) in enumerate(((before[0], "before"), (after[0], "after"))):
        largest = max(np.abs(values[c]).max() for c in channels)
        for column, c in enumerate(channels):
            title = f"channel {c}: mean {values[c].mean():.1f},\nstandard deviation {values[c].std():.1f}"
            _show(panels[row][column], values[c], title, cmap=DIVERGING, vmin=-largest, vmax=largest)
            colour = LINE_COLOURS[column]
            panels[row][-1].hist(
                values[c].ravel(), bins=80, histtype="step", color=colour, label=f"channel {c}", lw=1.5
            )
        panels[row][0].set_ylabel(label)
        panels[row][-1].set(yticks=[], xlabel="value", title=f"values {label} normalisation")
        panels[row][-1].spines[["top", "right", "left"]].set_visible(False)
    panels[0][-1].legend(frameon=False, fontsize="small")
    return figure


def padding(image: np.ndarray, pad: int, results: Mapping[str, np.ndarray]) -> NotebookFigure:
    """Draw a corner of an image padded with reflections and with zeros, and how far two results differ.

    `results`: what a network makes of the image, by label; all are compared with the first.
    """
    corner = image[0, :, : 6 * pad, : 9 * pad]
    sides = ((0, 0), (pad, 0), (pad, 0))
    labels = list(results)
    panels = (figure := NotebookFigure(figsize=(13, 3.6), layout="constrained")).subplots(1, 4)
    for axes, mode in zip(panels, ("reflect", "constant"), strict=False):
        name = "reflections" if mode == "reflect" else "zeros"
        _show_image(axes, np.pad(corner, sides, mode=mode)[None], f"a corner, padded with {name}")  # type: ignore[call-overload]
        axes.axhline(pad - 0.5, color="white", lw=1, ls="--")
        axes.axvline(pad - 0.5, color="white", lw=1, ls="--")
    difference = np.abs(results[labels[1]] - results[labels[0]])[0].max(0)
    _show_image(panels[2], results[labels[1]], labels[1])
    drawn = _show(panels[3], difference, f"its difference from: {labels[0]}", size="medium", cmap="magma", vmin=0)
    figure.colorbar(drawn, ax=panels[3], label="of 255", shrink=0.8)
    return figure


def quantisation(weights: np.ndarray, bits: int = 8) -> NotebookFigure:
    """Draw the weights of one channel, the values that are left of them in int8, and what is lost.

    `weights` has any shape; its scale is the largest weight divided by `2 ** (bits - 1) - 1`.
    """
    flat = np.sort(weights.ravel())
    steps = 2 ** (bits - 1) - 1
    scale = np.abs(flat).max() / steps
    kept = np.round(flat / scale) * scale
    wide, near, lost = (figure := NotebookFigure(figsize=(13, 3.4), layout="constrained")).subplots(1, 3)
    wide.hist(flat, bins=61, color=LINE_COLOURS[0])
    wide.set(title=f"{flat.size} weights of one channel, largest {np.abs(flat).max():.3g}", xlabel="weight", yticks=[])
    middle = slice(flat.size // 2 - 12, flat.size // 2 + 12)
    for k in range(int(np.floor(flat[middle][0] / scale)), int(np.ceil(flat[middle][-1] / scale)) + 1):
        near.axhline(k * scale, color="#BBBBBB", lw=0.8)
    near.plot(flat[middle], "o", color=LINE_COLOURS[0], label="float32")
    near.plot(kept[middle], "_", ms=12, mew=2, color=LINE_COLOURS[1], label="int8")
    near.set(title=f"24 of them: lines are the steps, {scale:.2g} apart", xticks=[], ylabel="weight")
    near.legend(frameon=False)
    lost.hist((kept - flat) / scale, bins=41, range=(-0.6, 0.6), color=LINE_COLOURS[1])
    lost.set(title="what rounding changes, in steps", xlabel="rounded - weight, in steps", yticks=[])
    for axes in (wide, near, lost):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def quirk(image: np.ndarray, expected: np.ndarray, got: np.ndarray, *, engine: str) -> NotebookFigure:
    """Draw one channel of what went in, of the right result, of the engine's, and where the two differ."""
    error = np.abs(got - expected)
    panels = (figure := NotebookFigure(figsize=(13, 3.4), layout="constrained")).subplots(1, 4)
    span: dict[str, Any] = {"vmin": float(expected.min()), "vmax": float(expected.max()), "cmap": "gray"}
    _show(panels[0], image, "what goes in")
    _show(panels[1], expected, "what should come out", **span)
    _show(panels[2], got, f"{engine}, no error message", **span)
    share = 1 - (error < 1e-3).mean()
    drawn = _show(panels[3], error, f"{share:.0%} of the values differ (white: NaN)", cmap="magma", vmin=0)
    figure.colorbar(drawn, ax=panels[3], shrink=0.8)
    return figure


def _show(axes: Axes, values: np.ndarray, title: str = "", size: str = "small", **options: Any) -> AxesImage:
    axes.set(xticks=[], yticks=[])
    axes.set_title(title, fontsize=size)
    return axes.imshow(values, **({"cmap": "gray"} | options))


def _show_image(axes: Axes, image: np.ndarray, title: str) -> None:
    axes.imshow(image_from_array(image))
    axes.set(xticks=[], yticks=[])
    axes.set_title(title, fontsize="medium")
