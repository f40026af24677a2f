"""Maps of cells: what is measured on them, blurring past gaps, connected components, back to pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from .types import BoolArray, ByteArray, FloatArray

CELL = 4
"""Side of a cell in working-grid pixels."""

NO_COLOUR = -1.0
GREEN_EXCESS = 0.06
"""Excess green from which a cell is vegetation, beyond the picture's own cast."""
CAST_SHARE = 0.05
MAX_CAST = 0.05
"""The cast is what the least green twentieth of a picture has: tiles, roads and soil are neutral."""
SHADOW_SHARE = 0.5
"""Of a picture's median brightness, below which a cell is dark."""
IntArray = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Measures:
    """Everything measured of a tile or a scene, on cells of `CELL` px."""

    structure: FloatArray
    """Loss of local correlation, contrast counts; 0 to 2."""
    pattern: FloatArray
    """Loss of local correlation, contrast does not count; 0 to 2."""
    orientation: FloatArray
    """Distance of the directions of edges; 0 to 3."""
    texture: FloatArray
    """Variance of the before image, grey levels squared."""
    colour: FloatArray
    """Difference of colour and brightness left after normalisation, grey levels."""
    edges_before: IntArray
    """(3, rows, cols) sums of m, re and im m exp(4it); see `structure.gradient_sums`."""
    edges_after: IntArray
    lines: IntArray
    """(4, rows, cols) sums of re and im m exp(2it), before and after; see `structure.gradient_sums`."""
    colours: IntArray
    """(2, 3, rows, cols) sums of red, green and blue of both images, grey levels; 0 without them."""
    darkest: ByteArray
    """(2, rows, cols) the darkest band of the darkest pixel of both images."""
    green: FloatArray
    """(2, rows, cols) excess green of both images: 2g - r - b of chromaticities; `NO_COLOUR` without RGB."""
    light: FloatArray
    """(2, rows, cols) mean luminance of both images, grey levels."""
    leaning: ByteArray
    """How many px along the pair's lean the structure is found again; 0 where it is not."""
    valid: BoolArray
    reference: FloatArray | None = None
    """Another measure in place of the three of structure, in its own unit; None: those three."""
    full: ByteArray | None = None
    """(2, rows, cols) pixels of each image at the top of what its file can hold; None: not known."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        return self.valid.shape[0], self.valid.shape[1]


def shadow(measures: Measures) -> tuple[BoolArray, BoolArray]:
    """Cells that are dark for their picture, before and after: shadow, water, tar."""
    found = []
    for light in measures.light:
        usable = light[measures.valid]
        found.append(light < SHADOW_SHARE * (float(np.median(usable)) if usable.size else 0.0))
    return found[0], found[1]


def greenness(measures: Measures) -> FloatArray:
    """(2, rows, cols) excess green of both images, each picture's own cast taken off; 0 without colour."""
    found = np.zeros_like(measures.green)
    for k, excess in enumerate(measures.green):
        usable = excess[measures.valid]
        if usable.size and usable.max() > NO_COLOUR:
            cast = np.clip(np.quantile(usable, CAST_SHARE), 0, MAX_CAST)
            found[k] = excess - np.float32(cast)
    return found


def vegetation(measures: Measures) -> tuple[BoolArray, BoolArray]:
    """Cells that are green before, and after."""
    before, after = greenness(measures) > GREEN_EXCESS
    return before, after


def coherence(sums: IntArray, sigma_cells: float) -> FloatArray:
    """How far edges agree in direction: |G(m exp(kit))| / G(m), 0..1.

    For k = 2 they lie along one line, for k = 4 along one line or two perpendicular ones.

    Parameters
    ----------
    sums : (3, rows, cols)
        Cell sums of m, real and imaginary m exp(kit), 0 where not valid; see `structure.gradient_sums`.
    sigma_cells : float
        Sigma of the Gaussian G in cells.
    """
    m, real, imaginary = (cv2.GaussianBlur(x.astype(np.float32), (0, 0), sigma_cells) for x in sums)
    # Not np.hypot: its bits may depend on the position in the array.
    share: FloatArray = np.sqrt(real * real + imaginary * imaginary) / (m + np.float32(0.5 * CELL * CELL))
    return share


def smooth(values: FloatArray, valid: BoolArray, sigma_cells: float) -> FloatArray:
    """Gaussian mean over the valid cells around each cell, 0 where not valid itself."""
    weight = cv2.GaussianBlur(valid.astype(np.float32), (0, 0), sigma_cells)
    total = cv2.GaussianBlur(np.where(valid, values, 0).astype(np.float32), (0, 0), sigma_cells)
    return np.where(valid, total / np.maximum(weight, np.float32(1e-3)), np.float32(0))


def components(mask: BoolArray) -> tuple[IntArray, int]:
    """Labels from 1 of the 8-connected components, in the order of their first cells, and how many."""
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    first = np.unique(labels, return_index=True)[1]
    rank = np.zeros(count, np.int32)
    present = labels.ravel()[np.sort(first)]
    present = present[present > 0]
    rank[present] = np.arange(1, len(present) + 1)
    return rank[labels], len(present)


def keep_large(mask: BoolArray, least_cells: int) -> BoolArray:
    """The components of at least `least_cells`, once threads thinner than 3 cells are opened away."""
    opened = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)) > 0
    labels, count = components(opened)
    large = np.bincount(labels.ravel(), minlength=count + 1) >= least_cells
    large[0] = False
    kept: BoolArray = large[labels]
    return kept


def component_means(labels: IntArray, count: int, values: npt.NDArray[Any]) -> FloatArray:
    """(count + 1,) mean of `values` over each label, the background first."""
    size = np.maximum(np.bincount(labels.ravel(), minlength=count + 1), 1)
    weights = values.ravel().astype(np.float64)
    mean: FloatArray = np.bincount(labels.ravel(), weights=weights, minlength=count + 1) / size
    return mean


def component_peaks(labels: IntArray, count: int, values: FloatArray) -> FloatArray:
    """(count + 1,) largest of `values` in each label, 0 at least, the background first."""
    peaks = np.zeros(count + 1, values.dtype)
    np.maximum.at(peaks, labels.ravel(), values.ravel())
    return peaks
