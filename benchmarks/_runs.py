"""What the benchmarks of change share: one pair through the whole pipeline, its mask, labelled buildings."""

from __future__ import annotations

import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning

from damagediff import pipeline, settings, types

INTACT, DESTROYED = 1, 4
LEAST_PX = 100
"""Smaller labelled components are splinters of masks that touch."""


@dataclass(frozen=True)
class Run:
    """What came out for one pair."""

    found: types.Comparison
    mask: np.ndarray
    """change_mask.tif: 0 no change, 1 structural, 2 other, 255 not analysed."""
    score: np.ndarray
    before: np.ndarray
    """(bands, rows, cols) on the working grid."""
    after: np.ndarray

    @property
    def analysed_mpx(self) -> float:
        """Megapixels in which a region could have been found."""
        return float((self.mask != types.NOT_ANALYSED).sum() / 1e6)

    def structural(self) -> list[types.Region]:
        """Regions of structural change."""
        return [region for region in self.found.regions if region.tier == "structural"]


def compare(before: Path, after: Path, with_settings: settings.Settings | None = None) -> Run | None:
    """The shipped settings, or others, on two files; None when the alignment is refused."""
    return compare_case(types.Case(types.Source(before), types.Source(after)), with_settings)


def compare_case(case: types.Case, with_settings: settings.Settings | None = None) -> Run | None:
    """The same for a whole case."""
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    with tempfile.TemporaryDirectory() as name:
        found = pipeline.compare(case, with_settings or settings.Settings(), Path(name))
        if found.change is None:
            return None
        bands = [
            _bands(Path(name) / file)
            for file in ("change_mask.tif", "change_score.tif", "before.tif", "after_aligned.tif")
        ]
    return Run(found, bands[0][0], bands[1][0], bands[2], bands[3])


def _bands(path: Path) -> np.ndarray:
    with rasterio.open(path) as dataset:
        return np.asarray(dataset.read())


def labelled(path: Path) -> list[tuple[int, np.ndarray]]:
    """(class, flat pixel indices) of each building that people drew into damage.png."""
    with rasterio.open(path) as dataset:
        labels = dataset.read(1)
    found = []
    for kind in range(INTACT, DESTROYED + 1):
        count, numbers = cv2.connectedComponents((labels == kind).astype(np.uint8), connectivity=8)
        members = (np.flatnonzero(numbers == k) for k in range(1, count))
        found += [(kind, pixels) for pixels in members if len(pixels) >= LEAST_PX]
    return found
