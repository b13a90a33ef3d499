"""The matrices of discrete Fourier transforms, on numbers whose real and imaginary parts follow each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Transform:
    """A discrete Fourier transform along one axis."""

    length: int
    """Number of points of the transform."""
    given: int
    """Number of elements along the axis: those after `length` do not count, and those that lack are 0."""
    parts: int
    """1 for real numbers, 2 for complex ones."""
    inverse: bool
    onesided: bool
    """Only the first `length // 2 + 1` frequencies are given out, or of an inverse taken, whose result is real."""

    @property
    def matrix_shape(self) -> tuple[int, int]:
        """The shape of `matrix()`: `(given parts, results)`."""
        if self.is_real_inverse:
            return self.given * 2, self.length
        return self.given * self.parts, self._frequencies * 2

    def matrix(self) -> np.ndarray:
        """Return the float32 matrix from the elements to the results, each with its parts one after the other."""
        matrix = self._real_inverse() if self.is_real_inverse else self._between_spectra()
        return matrix.astype(np.float32)

    @property
    def is_real_inverse(self) -> bool:
        """Whether it makes real numbers of a onesided spectrum."""
        return self.inverse and self.onesided

    @property
    def _frequencies(self) -> int:
        return self.length // 2 + 1 if self.onesided else self.length

    def _between_spectra(self) -> np.ndarray:
        used = min(self.length, self.given)
        phase = self._phase(used, self._frequencies) * (1 if self.inverse else -1)
        cos, sin = np.cos(phase), np.sin(phase)
        blocks = [[cos, sin], [-sin, cos]][: self.parts]  # from real and imaginary parts to real and imaginary parts
        matrix = np.zeros(self.matrix_shape)
        matrix[: used * self.parts] = np.stack([np.stack(row, axis=-1) for row in blocks], axis=1).reshape(
            used * self.parts, self._frequencies * 2
        )
        return matrix / (self.length if self.inverse else 1)

    def _real_inverse(self) -> np.ndarray:
        k, half = np.arange(self.given), self.length // 2
        is_real = (k == 0) | (2 * k == self.length)
        weight = np.where(is_real, 1.0, 2.0) * (k <= half) / self.length
        phase = self._phase(self.given, self.length)
        parts = np.stack([np.cos(phase), -np.sin(phase)], axis=1) * weight[:, None, None]
        parts[is_real, 1] = 0
        return parts.reshape(self.matrix_shape)

    def _phase(self, rows: int, columns: int) -> np.ndarray:
        """Return 2 pi row column / length, of whole numbers as long as possible, so that it stays precise."""
        return 2 * np.pi / self.length * (np.outer(np.arange(rows), np.arange(columns)) % self.length)
