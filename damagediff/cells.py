"""Small work on maps of cells: blurring past gaps, connected components, back to pixels."""

from __future__ import annotations

import cv2
import numpy as np

from .structure import CELL
from .types import BoolArray, FloatArray, Window


def smooth(values: FloatArray, valid: BoolArray, sigma_cells: float) -> FloatArray:
    """Gaussian mean over the valid cells around each cell, 0 where not valid itself."""
    weight = cv2.GaussianBlur(valid.astype(np.float32), (0, 0), sigma_cells)
    total = cv2.GaussianBlur(np.where(valid, values, 0).astype(np.float32), (0, 0), sigma_cells)
    return np.where(valid, total / np.maximum(weight, np.float32(1e-3)), np.float32(0))


def components(mask: BoolArray) -> tuple[FloatArray, int]:
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


def component_means(labels: FloatArray, count: int, values: FloatArray) -> FloatArray:
    """(count + 1,) mean of `values` over each label, the background first."""
    size = np.maximum(np.bincount(labels.ravel(), minlength=count + 1), 1)
    weights = values.ravel().astype(np.float64)
    mean: FloatArray = np.bincount(labels.ravel(), weights=weights, minlength=count + 1) / size
    return mean


def to_pixels(cells: FloatArray, window: Window) -> FloatArray:
    """A cell map on the pixels of a window, each pixel the value of its cell.

    Pixels beyond the map take its nearest cell. The same bits whatever the window.
    """
    rows, cols = (_cell_of(start, n, m) for start, n, m in zip(window[:2], window[2:], cells.shape, strict=True))
    taken: FloatArray = cells[np.ix_(rows, cols)]
    return taken


def _cell_of(start: int, count: int, cells: int) -> FloatArray:
    return np.clip(np.arange(start, start + count) // CELL, 0, cells - 1)


def to_pixels_smooth(cells: FloatArray, window: Window) -> FloatArray:
    """A cell map on the pixels of a window, bilinear between cell centres; NaN cells stay NaN.

    A pixel whose own cell is NaN is NaN; neighbours that are NaN do not count. The same bits whatever the
    window.
    """
    rows, cols = (np.arange(s, s + n) for s, n in zip(window[:2], window[2:], strict=True))
    known = np.isfinite(cells)
    total = _between(np.where(known, cells, 0).astype(np.float32), rows, cols)
    weight = _between(known.astype(np.float32), rows, cols)
    value = total / np.maximum(weight, np.float32(1e-6))
    return np.where(to_pixels(known, window), value, np.float32(np.nan))


def _between(cells: FloatArray, rows: FloatArray, cols: FloatArray) -> FloatArray:
    """Bilinear; the weights are odd eighths, exact in float32."""
    low_r, high_r, part_r = _neighbours(rows, cells.shape[0])
    low_c, high_c, part_c = _neighbours(cols, cells.shape[1])
    across = cells[:, low_c] * (1 - part_c) + cells[:, high_c] * part_c
    down: FloatArray = across[low_r] * (1 - part_r[:, None]) + across[high_r] * part_r[:, None]
    return down


def _neighbours(pixels: FloatArray, cells: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    place = (pixels + 0.5) / CELL - 0.5
    low = np.floor(place).astype(np.int64)
    part = (place - low).astype(np.float32)
    return np.clip(low, 0, cells - 1), np.clip(low + 1, 0, cells - 1), part
