"""What is not picture: constant blocks that files do not declare as nodata."""

from __future__ import annotations

import cv2
import numpy as np

from .types import BoolArray, FloatArray

FLAT_PX = 9
"""A block must be constant over this many pixels a side: no sensor gives that by chance."""
MIN_SHARE = 0.01
"""Share of the picture below which a constant black or white block is a roof or a shadow, not a collar."""


def constant_blocks(grey: FloatArray, valid: BoolArray) -> BoolArray:
    """Large exactly constant black or white areas (collars, letterbox bars, undeclared nodata).

    Parameters
    ----------
    grey : (rows, cols) float32, 0..255
    valid : (rows, cols)

    Returns
    -------
    (rows, cols) bool, True where the area should *not* be used.
    """
    kernel = np.ones((FLAT_PX, FLAT_PX), np.uint8)
    spread = cv2.dilate(grey, kernel) - cv2.erode(grey, kernel)
    flat = (spread < 1) & ((grey < 2) | (grey > 253)) & valid
    count, label, stats, _ = cv2.connectedComponentsWithStats(flat.astype(np.uint8), connectivity=8)
    large = [k for k in range(1, count) if stats[k, cv2.CC_STAT_AREA] > MIN_SHARE * grey.size]
    found = np.isin(label, large).astype(np.uint8)
    return np.asarray(cv2.dilate(found, kernel), bool)
