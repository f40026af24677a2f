"""What tall things lean hides: structure that is found again further along the direction of the lean.

A roof that another view angle displaces beyond the search of the change measures looks lost where it was.
Here each cell is looked up along that one direction. It counts as found where a window around it, wider than
the measures' own, agrees clearly better there than nearby; its measures are then those at that place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from . import structure
from .cells import CELL
from .structure import MARGIN
from .types import ByteArray, FloatArray, Lean

NEAREST_PX = 6
STEP_PX = 2
FOUND_CORRELATION = 0.4
"""Correlation from which a window is found along the lean ..."""
FOUND_GAIN = 0.15
"""... and by how much it must beat the best within the measures' own search."""
WIDE = np.array([1, 8, 28, 56, 70, 56, 28, 8, 1], np.float64)
"""With the cell, about a Gaussian of sigma 6 px; weights sum to 256 a side."""


class Displaced(NamedTuple):
    """Measures at the place along the lean where each cell is found best; all on the core's cells."""

    distance_px: ByteArray
    """How far away it was found; 0 where it was not."""
    structure: FloatArray
    pattern: FloatArray
    orientation: FloatArray


def reach(lean: Lean | None) -> int:
    """Pixels of neighbours needed beyond `HALO`: whole cells."""
    return 0 if lean is None else -(-int(np.ceil(lean.reach_px)) // CELL) * CELL


def look_up(
    before: ByteArray, after: ByteArray, edges: tuple[FloatArray, FloatArray], lean: Lean
) -> Displaced:
    """Look each cell up along the lean.

    Parameters
    ----------
    before, after : (rows, cols) uint8
        Luminance with `HALO` + `reach` px on every side; sides are multiples of `CELL`.
    edges : two of (5, rows / 4, cols / 4)
        `structure.gradient_sums` of both.
    lean : Lean
        The direction, and how far to look.

    Returns
    -------
    Displaced
        On the cells of the core, bit for bit those of the whole scene: sums are of whole numbers.
    """
    room = reach(lean)
    fixed = _Fixed(before[room : before.shape[0] - room, room : before.shape[1] - room])
    nearby = np.full(fixed.shape, -1, np.float32)
    for dy, dx in structure.SHIFTS:
        nearby = np.maximum(nearby, fixed.wide_correlation(_moved(after, room + dy, room + dx, fixed)))
    best = np.full(fixed.shape, -1, np.float32)
    distance = np.zeros(fixed.shape, np.uint8)
    kept = [np.full(fixed.shape, 2, np.float32) for _ in range(3)]
    for far in range(NEAREST_PX, int(lean.reach_px) + 1, STEP_PX):
        dy, dx = (round(far * part) for part in lean.direction_rc)
        moved = _moved(after, room + dy, room + dx, fixed)
        correlation = fixed.wide_correlation(moved)
        better = correlation > best
        best, distance = np.where(better, correlation, best), np.where(better, np.uint8(far), distance)
        here = (*fixed.narrow(moved), _orientation(edges, room, (dy, dx)))
        kept = [np.where(better, new, old) for new, old in zip(here, kept, strict=True)]
    found = (best > FOUND_CORRELATION) & (best - nearby > FOUND_GAIN)
    core = (slice(MARGIN, -MARGIN),) * 2
    return Displaced(np.where(found, distance, np.uint8(0))[core], *(x[core] for x in kept))


def _moved(after: ByteArray, top: int, left: int, fixed: _Fixed) -> ByteArray:
    return after[top : top + fixed.grey.shape[0], left : left + fixed.grey.shape[1]]


class _Fixed:
    """The before image's side of all comparisons, computed once."""

    def __init__(self, grey: ByteArray) -> None:
        self.grey = np.ascontiguousarray(grey)
        self.sums = _sums(self.grey)
        self.mean, self.variance = _moments(self.sums, _narrow)
        self.wide_mean, self.wide_variance = _moments(self.sums, _wide)
        self.shape = self.mean.shape

    def wide_correlation(self, moved: ByteArray) -> FloatArray:
        """Correlation in the wide window, contrast does not count, -1 to 1."""
        mean, variance = _moments(_sums(moved), _wide)
        covariance = _wide(_product_sums(self.grey, moved)) - self.wide_mean * mean
        noise = structure.PATTERN_NOISE_GREY2
        spread = np.sqrt((np.maximum(self.wide_variance, 0) + noise) * (np.maximum(variance, 0) + noise))
        return np.asarray(covariance / spread, np.float32)

    def narrow(self, moved: ByteArray) -> tuple[FloatArray, FloatArray]:
        """Structure and pattern, as `structure.decorrelation` has them, at this one place."""
        mean, variance = _moments(_sums(moved), _narrow)
        covariance = _narrow(_product_sums(self.grey, moved)) - self.mean * mean
        return structure.losses(self.variance, variance, covariance)


Sums = tuple[FloatArray, FloatArray]


def _sums(grey: ByteArray) -> Sums:
    """Sums over cells of the values and of their squares."""
    return structure.cell_sums(grey.astype(np.float32)), _product_sums(grey, grey)


def _product_sums(a: ByteArray, b: ByteArray) -> FloatArray:
    return structure.cell_sums(structure.product(a, b))


def _narrow(sums: FloatArray) -> FloatArray:
    return structure.window_means(sums)


def _wide(sums: FloatArray) -> npt.NDArray[np.float64]:
    """Means over wide windows; float64 holds these sums of whole numbers exactly."""
    total = cv2.sepFilter2D(sums.astype(np.float64), cv2.CV_64F, WIDE, WIDE)
    return np.asarray(total / (CELL * WIDE.sum()) ** 2)


def _moments(sums: Sums, window: Callable[[FloatArray], FloatArray]) -> Sums:
    """Mean and variance in a window around each cell."""
    mean = window(sums[0])
    return mean, window(sums[1]) - mean * mean


def _orientation(edges: tuple[FloatArray, FloatArray], room: int, shift: tuple[int, int]) -> FloatArray:
    """Orientation distance at a displacement, to the nearest whole cell; on the cells of `_Fixed`."""
    margin, (dy, dx) = room // CELL, (round(s / CELL) for s in shift)
    rows, cols = (n - 2 * margin for n in edges[0].shape[1:])
    before = edges[0][:, margin : margin + rows, margin : margin + cols]
    after = edges[1][:, margin + dy : margin + dy + rows, margin + dx : margin + dx + cols]
    inner = structure.orientation_distance(before, after)
    return np.pad(inner, MARGIN, constant_values=np.float32(3))
