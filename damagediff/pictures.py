"""Reduced pictures and cut-outs for looking at, all with one stretch unless the pair was refused."""

from __future__ import annotations

import cv2
import numpy as np

from .types import Array, BoolArray, ByteArray, FloatArray, Grid, Pictures, Window

STRETCH = (2.0, 98.0)
"""Percentiles of the before image that are drawn black and white, in both pictures."""
NEUTRAL = 160
"""Grey of places without pixels."""
CROP_MARGIN = 0.6
"""Surroundings shown around a region, as a share of its longer side."""
MIN_CROP_PX = 96


class Canvas:
    """Collects block means of both images tile by tile."""

    def __init__(self, on: Grid, longest_px: int, tile_px: int, bands: int) -> None:
        self.reduction = 1
        while max(on.shape) / self.reduction > longest_px and tile_px % (2 * self.reduction) == 0:
            self.reduction *= 2
        rows, cols = (-(-n // self.reduction) for n in on.shape)
        self.before = np.zeros((bands, rows, cols), np.float32)
        self.after = np.zeros((bands, rows, cols), np.float32)
        self.valid = np.zeros((rows, cols), bool)

    def put(self, window: Window, tile: Shrunk) -> None:
        """Add one tile, whose origin is a multiple of the reduction."""
        k = self.reduction
        to = Window(window.row // k, window.col // k, -(-window.rows // k), -(-window.cols // k)).slices
        self.before[:, *to], self.after[:, *to], self.valid[to] = tile


Shrunk = tuple[FloatArray, FloatArray, BoolArray]
"""Block means of one tile of both images, and where both are valid."""


def shrunk(before: Array, after: Array, valid: BoolArray, k: int) -> Shrunk:
    """A tile of both images, each block of k x k pixels as one."""
    return _means(before, k), _means(after, k), _means(valid[None].astype(np.float32), k)[0] > 0.5


def _means(data: Array, k: int) -> FloatArray:
    """Means over k x k blocks of whole numbers, k a power of two: exact, as float32 holds their sums."""
    rows, cols = data.shape[1:]
    padded = np.pad(data, ((0, 0), (0, -rows % k), (0, -cols % k)), mode="edge").astype(np.float32)
    size = (padded.shape[2] // k, padded.shape[1] // k)
    return np.stack([cv2.resize(band, size, interpolation=cv2.INTER_AREA) for band in padded])


def finish(
    before: Array, after: Array, valid: BoolArray, reduction: float, shown: tuple[int, ...]
) -> Pictures:
    """Pictures from reduced bands on one radiometric scale; `shown` are the bands for red, green and blue."""
    stretch = tuple(_limits(before[band], valid) for band in shown)
    return Pictures(draw(before, shown, stretch), draw(after, shown, stretch), valid, reduction, stretch)


def apart(
    before: tuple[Array, BoolArray],
    after: tuple[Array, BoolArray],
    reductions: tuple[float, float],
    shown: tuple[int, ...],
) -> Pictures:
    """Pictures of two images that could not be aligned: each in its own frame and with its own stretch.

    `before` and `after` are bands and validity, reduced by `reductions`. Grey where they have no pixels.
    """
    (first, stretch), (second, _) = (_alone(data, valid, shown) for data, valid in (before, after))
    return Pictures(first, second, after[1], reductions[0], stretch, after_reduction=reductions[1])


def _alone(
    data: Array, valid: BoolArray, shown: tuple[int, ...]
) -> tuple[ByteArray, tuple[tuple[float, float], ...]]:
    """One picture between its own black and white, neutral where it has no pixels; and its stretch."""
    stretch = tuple(_limits(data[band], valid) for band in shown)
    picture = np.where(valid[..., None], draw(data, shown, stretch), NEUTRAL)
    return picture.astype(np.uint8), stretch


def _limits(band: Array, valid: BoolArray) -> tuple[float, float]:
    values = band[valid] if valid.any() else band.ravel()
    low, high = (float(v) for v in np.percentile(values, STRETCH))
    return low, max(high, low + 1e-6)


def draw(data: Array, shown: tuple[int, ...], stretch: tuple[tuple[float, float], ...]) -> ByteArray:
    """(rows, cols, 3) RGB of the `shown` bands, each between its own black and white."""
    picture = np.empty((*data.shape[1:], len(shown)), np.uint8)
    for k, (band, (low, high)) in enumerate(zip(shown, stretch, strict=True)):
        picture[..., k] = np.clip((data[band] - low) * (255 / (high - low)) + 0.5, 0, 255)
    return picture


def around(bbox_rc: tuple[int, int, int, int], shape: tuple[int, int]) -> Window:
    """A square around a box with some surroundings, moved inside the grid."""
    top, left, bottom, right = bbox_rc
    longest = max(bottom - top, right - left)
    side = int(max(MIN_CROP_PX, longest * (1 + 2 * CROP_MARGIN)))
    rows, cols = min(side, shape[0]), min(side, shape[1])
    row = int(np.clip((top + bottom) // 2 - rows // 2, 0, shape[0] - rows))
    col = int(np.clip((left + right) // 2 - cols // 2, 0, shape[1] - cols))
    return Window(row, col, rows, cols)
