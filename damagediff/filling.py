"""What stands in place of graphics while their neighbours are measured: a local mean, in both pictures.

A measure looks at the ground around a cell. Were drawn pixels only left out, whatever has a marker beside it
could not be analysed; with the same smooth filling in both pictures no structure differs there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from . import resample
from .cells import CELL, IntArray
from .diff import Measures
from .radiometry import Radiometry
from .types import BoolArray, ByteArray, FloatArray

SIDES_PX = (33, 129)
"""Sides of the squares whose usable pixels are averaged: the smaller where it holds enough of them."""
LEAST_SHARE = 0.1
"""Of the pixels of a square that must be usable."""


@dataclass(frozen=True)
class Filling:
    """Local means of both pictures, of what is usable in both, on the working grid reduced."""

    before: FloatArray
    """(bands, rows, cols) in the 8-bit scale of the measures."""
    after: FloatArray
    factor: int

    def put(
        self, both: tuple[ByteArray, ByteArray], hidden: BoolArray, at_rc: tuple[IntArray, IntArray]
    ) -> tuple[ByteArray, ByteArray]:
        """Both pictures of a window with the means where `hidden`; at_rc: rows and columns of the grid."""
        rows, cols = (((index + 0.5) / self.factor - 0.5).astype(np.float32) for index in at_rc)
        at_xy = np.stack(np.broadcast_arrays(cols[None, :], rows[:, None]), -1)
        filled = []
        for picture, means in zip(both, (self.before, self.after), strict=True):
            bands = [resample.remap(mean, at_xy, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE) for mean in means]
            filled.append(np.where(hidden, np.rint(np.stack(bands)).astype(np.uint8), picture))
        return filled[0], filled[1]


def learn(
    pictures: tuple[FloatArray, FloatArray], valid: BoolArray, factor: int, radiometry: Radiometry
) -> Filling:
    """The local means of two overviews.

    Parameters
    ----------
    pictures : (before, after), each (bands, rows, cols)
        The working grid reduced by `factor`.
    valid : (rows, cols) bool
        Usable, and not drawn over, in both.
    """
    before8, after8 = radiometry.before_8bit(pictures[0]), radiometry.after_8bit(pictures[1])
    return Filling(_means(before8, valid, factor), _means(after8, valid, factor), factor)


def _means(picture: ByteArray, valid: BoolArray, factor: int) -> FloatArray:
    """(bands, rows, cols) float32: the mean of what is usable near, else of all that is."""
    weight = valid.astype(np.float32)
    whole = np.array([band[valid].mean() for band in picture], np.float32)
    means = np.broadcast_to(whole[:, None, None], picture.shape).copy()
    for side_px in reversed(SIDES_PX):
        side = max(3, side_px // factor | 1)
        share = cv2.blur(weight, (side, side))
        near = np.stack([cv2.blur(band * weight, (side, side)) for band in picture])
        enough = share >= LEAST_SHARE
        means = np.where(enough, near / np.maximum(share, LEAST_SHARE), means)
    return np.asarray(means, np.float32)


def without_hidden(found: Measures, hidden: BoolArray, halo: int) -> Measures:
    """The measures without the cells that hold anything hidden; `hidden` has `halo` px around them."""
    rows, cols = found.shape
    core = np.pad(hidden[halo:, halo:], [(0, CELL), (0, CELL)])[: rows * CELL, : cols * CELL]
    covered = core.reshape(rows, CELL, cols, CELL).any((1, 3))
    return replace(found, valid=found.valid & ~covered)
