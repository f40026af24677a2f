"""Exact statistics of each band of a raster: a viewer need not guess them from a sample."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from .types import BoolArray

Pixels = np.ndarray[Any, Any]
COUNTED = ("uint8", "uint16")
"""Types of which every value is counted."""
EXACT = 1 << 24
"""OpenCV counts in float32, exactly up to here."""


class Counts:
    """How often each value occurs in each band: whole numbers, the same in whatever order parts come."""

    def __init__(self, bands: int, dtype: str) -> None:
        self._of = np.zeros((bands, np.iinfo(dtype).max + 1), np.int64)
        self._lock = threading.Lock()

    def add(self, data: Pixels, valid: BoolArray | None) -> None:
        """(bands, rows, cols) of a part, and (rows, cols) where it is valid, None for all of it."""
        step = max(1, EXACT // data.shape[2])
        found = np.zeros_like(self._of)
        for row in range(0, data.shape[1], step):
            part = np.s_[row : row + step]
            mask = None if valid is None else np.ascontiguousarray(valid[part]).view(np.uint8)
            for counts, band in zip(found, data, strict=True):
                values = [np.ascontiguousarray(band[part])]
                bins = len(counts)
                counts += cv2.calcHist(values, [0], mask, [bins], [0, bins]).ravel().astype(np.int64)
        with self._lock:
            self._of += found

    def tags(self, pixels: int, nodata: float | None) -> list[dict[str, str]]:
        """Of each band, see `Sums.tags`; without what stands for no data."""
        if nodata is not None:
            self._of[:, int(nodata)] = 0
        return [_counted(counts).tags(pixels) for counts in self._of]


def _counted(counts: np.ndarray[Any, np.dtype[np.int64]]) -> Sums:
    """The same from counts of values."""
    values = np.flatnonzero(counts)
    often = [int(n) for n in counts[values]]
    count = sum(often)
    if not count:
        return Sums()
    total = sum(n * int(v) for n, v in zip(often, values, strict=True))
    squares = sum(n * int(v) ** 2 for n, v in zip(often, values, strict=True))
    apart = (count * squares - total * total) / count  # whole numbers up to the division
    return Sums(count, float(values[0]), float(values[-1]), total / count, apart)


@dataclass
class Sums:
    """What is known of one band so far: strips are added in their order, so that the answer is one."""

    count: int = 0
    low: float = math.inf
    high: float = -math.inf
    mean: float = 0.0
    squares: float = 0.0
    """Of departures from the mean."""

    def add(self, values: Pixels, usable: BoolArray) -> None:
        """A strip, (rows, cols), of which some is usable; merged as by Chan, Golub and LeVeque (1983)."""
        mask = usable.view(np.uint8)
        more = cv2.countNonZero(mask)
        if not more:
            return
        found, spread = cv2.meanStdDev(values, mask=mask)
        low, high = cv2.minMaxLoc(values, mask)[:2]
        mean, count = float(found[0, 0]), self.count + more
        apart = mean - self.mean
        self.squares += float(spread[0, 0]) ** 2 * more + apart**2 * self.count * more / count
        self.mean += apart * more / count
        self.low, self.high, self.count = min(self.low, low), max(self.high, high), count

    def tags(self, pixels: int) -> dict[str, str]:
        """By the names under which GDAL and what is built on it look for them; none without a valid pixel."""
        if not self.count:
            return {}
        return {
            "STATISTICS_MINIMUM": f"{self.low:.9g}",
            "STATISTICS_MAXIMUM": f"{self.high:.9g}",
            "STATISTICS_MEAN": f"{self.mean:.6g}",
            "STATISTICS_STDDEV": f"{math.sqrt(self.squares / self.count):.6g}",
            "STATISTICS_VALID_PERCENT": f"{100 * self.count / pixels:.4g}",
        }
