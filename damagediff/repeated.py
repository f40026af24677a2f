"""A large part of a picture that the same picture holds twice: two panels of one picture, or a cloned part.

What is repeated gives the picture's own correlation with itself a peak far from zero; with its mirror image,
one anywhere. Such peaks also come from streets and fields in rows, so windows are compared at each of them.
"""

from __future__ import annotations

from typing import Literal, TypeVar, cast

import cv2
import numpy as np

from . import same_windows
from .outcome import Repeated
from .types import Array, BoolArray, FloatArray

Kind = TypeVar("Kind", FloatArray, BoolArray)
SPECTRUM_PX = 768
"""Longest side of the picture whose correlation with itself is taken."""
LEAST_LAG_PX = 24
"""Of that picture; nearer by, everything resembles itself."""
LEAST_PEAK_SD = 8.0
"""Robust deviations above the correlation elsewhere, from which windows are compared at a peak."""
PEAKS = 2
SHARE = 0.1
"""Share of a picture's windows found again elsewhere in it, from which it is told."""
LEAST_WINDOWS = 5


def find(grey: FloatArray, valid: BoolArray, when: Literal["before", "after"], scale: int) -> Repeated | None:
    """The largest part of one picture that it holds twice.

    Parameters
    ----------
    grey, valid : (rows, cols) float32, 0..255, and bool
    scale : int
        File pixels a pixel of `grey` is wide.

    Returns
    -------
    None when there is no such part, as large as a tenth of the picture.
    """
    best: Repeated | None = None
    every = same_windows.plan(grey.shape, same_windows.MANY)
    for mirrored, flip in (*MIRRORS, (None, None)):
        there, usable = flipped(grey, flip), flipped(valid, flip)
        for offset in _peaks(grey, valid, flip):
            found = same_windows.compare(grey, there, offset, (valid, usable))
            share = found.count / max(len(every), 1)
            if found.count >= LEAST_WINDOWS and share >= SHARE and (best is None or share > best.share):
                moved = (float(offset[0] * scale), float(offset[1] * scale))
                best = Repeated(when, share, moved, mirrored)
    return best


MIRRORS = (("left to right", 1), ("top to bottom", 0))


def flipped(data: Kind, axis: int | None) -> Kind:
    """The mirror image along an axis; None: as it is."""
    return data if axis is None else cast(Kind, np.ascontiguousarray(np.flip(data, axis)))


def _peaks(grey: FloatArray, valid: BoolArray, flip: int | None) -> list[tuple[int, int]]:
    """Offsets, in px of `grey`, at which the picture resembles itself (or its mirror image) again."""
    k = max(1, -(-max(grey.shape) // SPECTRUM_PX))
    fine = _ripples(_reduced(grey, k), _reduced(valid.astype(np.float32), k) > 0.999)
    spectrum = np.fft.rfft2(fine)
    other = spectrum if flip is None else np.fft.rfft2(np.flip(fine, flip))
    surface = np.fft.irfft2(np.conj(spectrum) * other, fine.shape)
    rows, cols = (_lags(n) for n in fine.shape)
    if flip is None:
        surface[(np.abs(rows) < LEAST_LAG_PX)[:, None] & (np.abs(cols) < LEAST_LAG_PX)] = 0
    level = 1.4826 * float(np.median(np.abs(surface))) + 1e-12
    found = []
    for _ in range(PEAKS):
        row, col = (int(i) for i in np.unravel_index(np.argmax(surface), surface.shape))
        if surface[row, col] < LEAST_PEAK_SD * level:
            break
        found.append((int(rows[row]) * k, int(cols[col]) * k))
        _clear(surface, row, col)
        if flip is None:
            _clear(surface, -row % len(rows), -col % len(cols))
    return [lag for offset in found for lag in _unwrapped(offset, fine.shape, k)]


def offset(before: FloatArray, after: FloatArray, valid: tuple[BoolArray, BoolArray]) -> tuple[int, int]:
    """Whole pixels from a place in the first picture to it in the second, by phase correlation [1]_.

    .. [1] Kuglin, Hines, "The phase correlation image alignment method", Proc. IEEE Conf. Cybernetics and
           Society, 1975.
    """
    shape = tuple(max(n) for n in zip(before.shape, after.shape, strict=True))
    first, second = (np.fft.rfft2(_ripples(x, v), shape) for x, v in zip((before, after), valid, strict=True))
    cross = np.conj(first) * second
    surface = np.fft.irfft2(cross / (np.abs(cross) + 1e-9), shape)
    at = np.unravel_index(np.argmax(surface), shape)
    return int(_lags(shape[0])[at[0]]), int(_lags(shape[1])[at[1]])


def _clear(surface: Array, row: int, col: int, reach: int = 4) -> None:
    near = [
        np.arange(at - reach, at + reach + 1) % size
        for at, size in zip((row, col), surface.shape, strict=True)
    ]
    surface[np.ix_(*near)] = 0


def _lags(size: int) -> Array:
    lag = np.arange(size)
    return np.where(lag > size // 2, lag - size, lag)


def _unwrapped(offset: tuple[int, int], shape: tuple[int, int], k: int) -> list[tuple[int, int]]:
    """The offsets that look alike to a transform that wraps around."""
    rows, cols = (
        {at, at - size * k if at > 0 else at + size * k} for at, size in zip(offset, shape, strict=True)
    )
    return [(row, col) for row in sorted(rows, key=abs) for col in sorted(cols, key=abs)]


def _reduced(data: FloatArray, k: int) -> FloatArray:
    rows, cols = (n // k * k for n in data.shape)
    return (
        data[:rows, :cols]
        .reshape(rows // k, k, cols // k, k)
        .mean((1, 3), dtype=np.float64)
        .astype(np.float32)
    )


def _ripples(grey: FloatArray, valid: BoolArray) -> FloatArray:
    """What lies between .8 and 3.2 px, of one strength everywhere and 0 where not valid."""
    band = (cv2.GaussianBlur(grey, (0, 0), 0.8) - cv2.GaussianBlur(grey, (0, 0), 3.2)) * cv2.erode(
        valid.astype(np.float32), np.ones((9, 9), np.uint8)
    )
    level = np.sqrt(cv2.GaussianBlur(band * band, (0, 0), 8.0))
    return np.asarray(band / (level + 1.0))
