"""Draw `contact_sheet.jpg` beside this file: two photographs, stylized by every shipped network.

Run `python docs/contact_sheet.py` again when a network in `saved_models/` has changed.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

from fns_lab import images, photos
from fns_lab.nets import checkpoints
from fns_lab.nets.transformer import stylize
from fns_lab.paths import DATA, SAVED_MODELS

STYLES = ("mosaic", "candy", "waves")
WIDTHS = (32, 16, 8)
PHOTOGRAPHS = ("cat", "astronaut")
SIZE = (288, 384)
"""Height and width of each image, pixels."""


def rows() -> dict[str, list[np.ndarray]]:
    """Return one row per style and photograph: the style image or photograph, then one stylized image per width.

    Each image is `(1, 3, H, W)`, RGB, 0..255.
    """
    table = {}
    for style in STYLES:
        nets = [checkpoints.load(SAVED_MODELS / f"{style}_nc{width}.pth") for width in WIDTHS]
        for name in PHOTOGRAPHS:
            x = photos.load(name, SIZE)
            first = images.load(DATA / "style-images" / f"{style}.jpg", size=SIZE) if name == PHOTOGRAPHS[0] else x
            table[f"{style}, {name}"] = [first, *(stylize(net, torch.from_numpy(x)).numpy() for net in nets)]
    return table


def draw(path: Path) -> Path:
    """Draw the contact sheet to `path` and return it."""
    table = rows()
    h, w = SIZE
    figure, axes = plt.subplots(
        len(table), 1 + len(WIDTHS), figsize=(9, 9 * len(table) * h / w / (1 + len(WIDTHS))), layout="constrained"
    )
    for axes_row, image_row in zip(axes, table.values(), strict=True):
        for ax, x in zip(axes_row, image_row, strict=True):
            ax.imshow(images.image_from_array(x))
            ax.set_axis_off()
    for ax, title in zip(axes[0], ("style or photograph", *(f"width {width}" for width in WIDTHS)), strict=True):
        ax.set_title(title, fontsize=9)
    figure.savefig(path, dpi=110, pil_kwargs={"quality": 85})
    return path


if __name__ == "__main__":
    print(draw(Path(__file__).parent / "contact_sheet.jpg"))
