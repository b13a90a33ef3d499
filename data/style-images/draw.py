"""Draw the style images of this folder. They are seeded, so every run draws the same images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter
from scipy.spatial import cKDTree

SIZE_PX = 512
OVERSAMPLING = 2
DRAWN_PX = SIZE_PX * OVERSAMPLING


def mosaic(seed: int = 7) -> Image.Image:
    """Draw glass tesserae along the bands of overlapping discs, with dark grout: 512 x 512 pixels, RGB."""
    rng = np.random.default_rng(seed)
    y, x = _grid()
    discs = _discs(rng)
    seeds = _tile_seeds(discs, rng)
    tree = cKDTree(seeds)
    pixels = np.stack([x.ravel(), y.ravel()], axis=1)
    distance, index = tree.query(pixels, k=2, workers=-1)
    colours = np.array([_colour(discs, *p, rng) for p in seeds])
    image = colours[index[:, 0]]
    # Light falls from the upper left on each slightly domed tile.
    offset = (pixels - seeds[index[:, 0]]) @ np.array([-0.7, -0.7])
    image = image * (1 + 9 * offset[:, None])
    edge = (distance[:, 1] - distance[:, 0]) * DRAWN_PX
    grout = np.clip((edge - 2.2) / 2.0, 0, 1)[:, None]
    image = image * grout + np.array([22, 18, 30]) * (1 - grout)
    return _finish(image.reshape(DRAWN_PX, DRAWN_PX, 3))


def candy(seed: int = 11) -> Image.Image:
    """Draw twisted sweets on a background of marbled bands: 512 x 512 pixels, RGB."""
    rng = np.random.default_rng(seed)
    y, x = _grid()
    warp_x, warp_y = (0.07 * _noise(rng, [(1.5, 1), (4, 0.35)]) for _ in range(2))
    image = _bands(5 * _noise(rng, [(2, 1), (5, 0.5)]))
    for _ in range(26):
        centre, radius = rng.uniform(-0.05, 1.05, 2), rng.uniform(0.10, 0.26)
        dx, dy = x + warp_x - centre[0], y + warp_y - centre[1]
        distance = np.hypot(dx, dy)
        sweet = _sweet(dx, dy, distance, radius, rng)
        image = np.where((distance < radius)[..., None], sweet, image)
    return _finish(image)


def waves(seed: int = 5) -> Image.Image:
    """Draw rows of crested waves in blue lines with foam, like a woodcut: 512 x 512 pixels, RGB."""
    rng = np.random.default_rng(seed)
    y, x = _grid()
    image = SAND * (1 - 0.25 * y[..., None])
    for nearness in np.linspace(0, 1, 15):
        phase = rng.uniform()
        u = x + 0.02 * np.sin(2 * np.pi * (2 * x + 3 * phase))
        depth = y - _crest(u, nearness, phase)
        lines = depth / (0.011 + 0.010 * nearness) + 0.35 * np.sin(2 * np.pi * (5 * u + phase))
        water = SEA[np.clip(lines.astype(int), 0, len(SEA) - 1)]
        water = _inked(water, _line(lines, 0.40, 0.06, 0.8), SEA_INK)
        ripple = 0.006 * np.sin(2 * np.pi * (17 * u + phase)) * np.sin(2 * np.pi * 31 * u)
        water = np.where((depth < 0.008 + 0.006 * nearness + ripple)[..., None], FOAM, water)
        water = np.where((depth < 0.0028)[..., None], SEA_INK, water)
        image = np.where((depth > 0)[..., None], water, image)
    return _finish(image)


def _grid() -> tuple[np.ndarray, np.ndarray]:
    """Return y and x of every pixel, 0..1."""
    y, x = np.mgrid[0:DRAWN_PX, 0:DRAWN_PX] / DRAWN_PX
    return y, x


def _finish(image: np.ndarray) -> Image.Image:
    image = np.clip(image, 0, 255).astype(np.uint8)
    blurred = Image.fromarray(image).filter(ImageFilter.GaussianBlur(0.6))
    return blurred.resize((SIZE_PX, SIZE_PX), Image.Resampling.LANCZOS)


def _noise(rng: np.random.Generator, octaves: list[tuple[float, float]]) -> np.ndarray:
    """Return smooth noise, about -1..1: plane waves of random direction. An octave is `(cycles per image, weight)`."""
    y, x = _grid()
    total = np.zeros((DRAWN_PX, DRAWN_PX))
    for cycles, weight in octaves:
        for angle in rng.uniform(0, 2 * np.pi, 6):
            k = cycles * rng.uniform(0.7, 1.3)
            total += weight * np.cos(2 * np.pi * (k * (x * np.cos(angle) + y * np.sin(angle)) + rng.uniform()))
    return total / np.sqrt(6)


def _line(bands: np.ndarray, begin: float, width: float, strength: float) -> np.ndarray:
    """Return the amount of ink on each pixel, 0..strength: lines where `bands` crosses a whole number."""
    return strength * np.clip((np.abs(bands % 1 - 0.5) - begin) / width, 0, 1)


def _inked(image: np.ndarray, amount: np.ndarray, ink: np.ndarray) -> np.ndarray:
    return image * (1 - amount[..., None]) + ink * amount[..., None]


def _bands(bands: np.ndarray) -> np.ndarray:
    return _inked(0.92 * CANDY[np.floor(bands).astype(int) % len(CANDY)], _line(bands, 0.44, 0.03, 1), CANDY_INK)


def _sweet(dx: np.ndarray, dy: np.ndarray, distance: np.ndarray, radius: float, rng: np.random.Generator) -> np.ndarray:
    """Return a domed disc of spiral arms with a highlight and a rim, RGB."""
    arms, twist = rng.integers(3, 5), rng.choice([-1, 1]) * rng.uniform(3, 5.4)
    bands = arms * (np.arctan2(dy, dx) + twist * distance / radius) / np.pi
    colours = CANDY[rng.permutation(len(CANDY))[: 2 * arms]]
    arm = colours[np.floor(bands).astype(int) % len(colours)]
    highlight = np.exp(-((dx + 0.35 * radius) ** 2 + (dy + 0.4 * radius) ** 2) / (0.12 * radius**2))
    shade = 1.12 - 0.35 * (distance / radius) ** 2 + 0.25 * highlight
    between_arms = _line(bands, 0.5 - 0.00225 / np.maximum(distance, 0.02), 0.02, 0.75)
    rim = np.clip((distance - radius + 0.009) / 0.004, 0, 1)
    return _inked(arm * shade[..., None], np.maximum(between_arms, rim), CANDY_INK)


def _crest(u: np.ndarray, nearness: float, phase: float) -> np.ndarray:
    """Return the y of one row of waves at each `u`, 0 at the top: a cosine with sharpened crests."""
    cycles = 3.6 - 1.5 * nearness
    sharp = u + 0.35 / (2 * np.pi * cycles) * np.sin(2 * np.pi * (cycles * u + phase))
    swell = (0.030 + 0.035 * nearness) * np.cos(2 * np.pi * (cycles * sharp + phase))
    return 0.10 + 0.95 * nearness - swell - 0.012 * np.cos(2 * np.pi * (2.3 * cycles * u + 5 * phase))


CANDY = np.array(
    [[236, 64, 122], [255, 202, 40], [38, 198, 218], [255, 255, 245], [255, 112, 67], [126, 87, 194],
     [156, 204, 101], [229, 28, 52]], dtype=np.float64,
)  # fmt: skip
CANDY_INK = np.array([48.0, 16.0, 48.0])
SEA = np.array(
    [[170, 212, 214], [24, 78, 140], [42, 120, 170], [16, 42, 92], [88, 168, 196], [24, 78, 140], [16, 42, 92],
     [42, 120, 170]], dtype=np.float64,
)  # fmt: skip
SEA_INK = np.array([10.0, 22.0, 52.0])
FOAM = np.array([250.0, 248.0, 238.0])
SAND = np.array([240.0, 222.0, 180.0])

PALETTE = np.array(
    [[214, 40, 40], [247, 127, 0], [252, 191, 73], [12, 98, 145], [30, 150, 170], [234, 226, 183],
     [46, 125, 80], [120, 40, 110], [20, 50, 100], [240, 240, 235], [200, 75, 110]], dtype=np.float64,
)  # fmt: skip

Disc = tuple[float, float, float, np.ndarray]


def _discs(rng: np.random.Generator) -> list[Disc]:
    """Return the discs, (x, y, radius, order of the band colours), from back to front; the first covers everything."""
    discs = [(0.5, 1.4, 3.0, rng.permutation(len(PALETTE)))]
    for radius in np.linspace(0.42, 0.12, 15):
        discs.append((rng.uniform(0, 1), rng.uniform(0, 1), radius, rng.permutation(len(PALETTE))))
    return discs


BAND = 0.034


def _tile_seeds(discs: list[Disc], rng: np.random.Generator) -> np.ndarray:
    """Return the centres of the tiles, in rings around each disc's centre, kept only where that disc is in front."""
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


def _front(discs: list[Disc], x: float, y: float) -> int:
    hits = [i for i, (cx, cy, radius, _) in enumerate(discs) if np.hypot(x - cx, y - cy) < radius]
    return hits[-1]


def _colour(discs: list[Disc], x: float, y: float, rng: np.random.Generator) -> np.ndarray:
    cx, cy, _, order = discs[_front(discs, x, y)]
    band = int(np.hypot(x - cx, y - cy) / BAND / 1.999)
    return PALETTE[order[band % 4]] * rng.uniform(0.78, 1.15) + rng.normal(0, 7, 3)


if __name__ == "__main__":
    for draw in (mosaic, candy, waves):
        path = Path(__file__).parent / f"{draw.__name__}.jpg"
        draw().save(path, quality=92)
        print(path)
