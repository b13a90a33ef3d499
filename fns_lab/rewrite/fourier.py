"""The matrices of discrete Fourier transforms, on numbers whose real and imaginary parts follow each other."""

from __future__ import annotations

import numpy as np


def forward(length: int, used: int, parts: int, *, inverse: bool, onesided: bool) -> np.ndarray:
    """Return the matrix of a transform of this length, `(used parts, frequencies 2)`.

    - `used`: number of elements that are given, the first of `length`; the others are 0
    - `parts`: 1 for real numbers, 2 for complex ones
    - `onesided`: only the first `length // 2 + 1` frequencies
    """
    frequencies = length // 2 + 1 if onesided else length
    phase = _phase(used, frequencies, length) * (1 if inverse else -1)
    cos, sin = np.cos(phase), np.sin(phase)
    blocks = [[cos, sin], [-sin, cos]][:parts]  # from real and imaginary parts to real and imaginary parts
    matrix = np.stack([np.stack(row, axis=-1) for row in blocks], axis=1).reshape(used * parts, frequencies * 2)
    return (matrix / (length if inverse else 1)).astype(np.float32)


def real_inverse(length: int, used: int) -> np.ndarray:
    """Return the matrix from a onesided spectrum to the real numbers that have it, `(used 2, length)`.

    Only the first `length // 2 + 1` of the `used` frequencies count.
    """
    k = np.arange(used)
    weight = np.where((k == 0) | (2 * k == length), 1.0, 2.0) * (k <= length // 2) / length
    phase = _phase(used, length, length)
    parts = np.stack([np.cos(phase), -np.sin(phase)], axis=1) * weight[:, None, None]
    parts[(k == 0) | (2 * k == length), 1] = 0
    return parts.reshape(used * 2, length).astype(np.float32)


def _phase(rows: int, columns: int, length: int) -> np.ndarray:
    """Return 2 pi times the product of row and column over the length, from whole numbers so that it stays precise."""
    return 2 * np.pi / length * (np.outer(np.arange(rows), np.arange(columns)) % length)
