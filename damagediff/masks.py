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


EDGE_LEVELS = 12.0
"""Gradient, grey levels a pixel, from which a pixel belongs to an edge."""
SAME = ((8.0, 11, 0.8), (1.0, 7, 0.5))
"""(grey levels by which it may differ in two files, side of the neighbourhood, share of its edges that must
be the same): what JPEG smeared a little, and what is the same to the bit, which by chance a fiftieth is."""
MAX_COPIED = 0.7
"""Share of all edge pixels beyond which the files are copies of one picture, not two with one frame."""
MOST_SAME = 0.5
"""Share of all other pixels that are the same, from which same lines are ground that did not change."""
GROW_PX = 9


def overlaid(before: FloatArray, after: FloatArray) -> BoolArray:
    """Lines and letters drawn over both pictures at the same pixels: captions, logos, graticules, menus.

    The ground moves between two acquisitions, and its light changes; what somebody drew does not. In copies
    of one picture nearly everything is the same; there nothing is taken for a drawing.

    Parameters
    ----------
    before, after : (rows, cols) float32, 0..255, both as delivered

    Returns
    -------
    (rows, cols) bool, True where neither picture should be used.
    """
    first, second = (_gradient(grey) > EDGE_LEVELS for grey in (before, after))
    apart, edges = np.abs(before - after), first & second
    if not edges.any() or (edges & (apart <= SAME[0][0])).sum() > MAX_COPIED * max(first.sum(), second.sum()):
        return np.zeros(before.shape, bool)
    drawn = np.zeros(before.shape, bool)
    for levels, side, share in SAME:
        same = edges & (apart <= levels)
        near = [
            cv2.boxFilter(part.astype(np.float32), -1, (side, side), normalize=False)
            for part in (same, edges)
        ]
        drawn |= same & (near[0] >= share * near[1]) & (near[0] >= side)
    found = np.asarray(cv2.dilate(drawn.astype(np.uint8), np.ones((GROW_PX, GROW_PX), np.uint8)), bool)
    alike = (apart <= SAME[0][0])[~found]
    return found if alike.size == 0 or alike.mean() <= MOST_SAME else np.zeros(before.shape, bool)


def _gradient(grey: FloatArray) -> FloatArray:
    across, down = (cv2.Scharr(grey, cv2.CV_32F, *order) / 32 for order in ((1, 0), (0, 1)))
    return np.asarray(np.hypot(across, down))
