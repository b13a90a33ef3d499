"""Draw the style images of this folder: seeded, so that the same picture comes out every time.

python data/style-images/draw.py            # writes mosaic.jpg beside this file
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter
from scipy.spatial import cKDTree

SIZE_PX = 512
OVERSAMPLING = 2


def mosaic(seed: int = 7) -> Image.Image:
    """Glass tesserae along the bands of overlapping discs, with dark grout: (512, 512) RGB."""
    rng = np.random.default_rng(seed)
    side = SIZE_PX * OVERSAMPLING
    y, x = np.mgrid[0:side, 0:side].astype(np.float64) / side
    discs = _discs(rng)
    seeds = _tile_seeds(discs, rng)
    tree = cKDTree(seeds)
    pixels = np.stack([x.ravel(), y.ravel()], axis=1)
    distance, index = tree.query(pixels, k=2, workers=-1)
    colours = np.array([_colour(discs, *p, rng) for p in seeds])
    picture = colours[index[:, 0]]
    # Light falls from the upper left on each slightly domed tile.
    offset = (pixels - seeds[index[:, 0]]) @ np.array([-0.7, -0.7])
    picture = picture * (1 + 9 * offset[:, None])
    edge = (distance[:, 1] - distance[:, 0]) * side
    grout = np.clip((edge - 2.2) / 2.0, 0, 1)[:, None]
    picture = picture * grout + np.array([22, 18, 30]) * (1 - grout)
    picture = np.clip(picture, 0, 255).reshape(side, side, 3).astype(np.uint8)
    return Image.fromarray(picture).filter(ImageFilter.GaussianBlur(0.6)).resize((SIZE_PX, SIZE_PX), Image.LANCZOS)


PALETTE = np.array(
    [[214, 40, 40], [247, 127, 0], [252, 191, 73], [12, 98, 145], [30, 150, 170], [234, 226, 183],
     [46, 125, 80], [120, 40, 110], [20, 50, 100], [240, 240, 235], [200, 75, 110]], dtype=np.float64,
)  # fmt: skip


def _discs(rng: np.random.Generator) -> list[tuple[float, float, float, np.ndarray]]:
    """(x, y, radius, band colours) from back to front; the first covers everything."""
    discs = [(0.5, 1.4, 3.0, rng.permutation(len(PALETTE)))]
    for radius in np.linspace(0.42, 0.12, 15):
        discs.append((rng.uniform(0, 1), rng.uniform(0, 1), radius, rng.permutation(len(PALETTE))))
    return discs


BAND = 0.034


def _tile_seeds(discs: list, rng: np.random.Generator) -> np.ndarray:
    """Tile centres in rings around each disc's centre, each kept only where its disc is in front."""
    seeds = []
    for order, (cx, cy, radius, _) in enumerate(discs):
        for ring in np.arange(BAND / 2, radius, BAND):
            count = max(3, int(2 * np.pi * ring / (BAND * 1.15)))
            angle = 2 * np.pi * (np.arange(count) + rng.uniform()) / count
            points = np.stack([cx + ring * np.cos(angle), cy + ring * np.sin(angle)], axis=1)
            points += rng.normal(0, BAND * 0.07, points.shape)
            inside = ((points > -0.05) & (points < 1.05)).all(axis=1)
            seeds += [p for p in points[inside] if _front(discs, *p) == order]
    return np.array(seeds)


def _front(discs: list, x: float, y: float) -> int:
    hits = [i for i, (cx, cy, radius, _) in enumerate(discs) if np.hypot(x - cx, y - cy) < radius]
    return hits[-1]


def _colour(discs: list, x: float, y: float, rng: np.random.Generator) -> np.ndarray:
    cx, cy, _, order = discs[_front(discs, x, y)]
    band = int(np.hypot(x - cx, y - cy) / BAND / 1.999)
    return PALETTE[order[band % 4]] * rng.uniform(0.78, 1.15) + rng.normal(0, 7, 3)


if __name__ == "__main__":
    path = Path(__file__).parent / "mosaic.jpg"
    mosaic().save(path, quality=92)
    print(path)
