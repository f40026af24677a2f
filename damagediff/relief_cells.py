"""The cells that the surface of an invented town is made of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from .types import ByteArray, FloatArray

UNCHANGED, COLLAPSED, CRATER, BURN, DEBRIS, HARMLESS = 0, 1, 2, 3, 4, 5
"""Classes of truth."""

IntArray = npt.NDArray[np.int16]
AnyArray = npt.NDArray[Any]


@dataclass(frozen=True)
class Surface:
    """Heights and reflectances of a scene on square cells of ``cell_m`` metres."""

    cell_m: float
    height_m: FloatArray
    """(rows, cols) above the ground."""
    albedo: FloatArray
    """(rows, cols, 3) red, green, blue reflectance."""
    leaf: ByteArray
    """(rows, cols) 0 what the season leaves alone, 1 grass and crops, 2 leaves."""
    owner: IntArray
    """(rows, cols) building id, 0 elsewhere."""
    truth: ByteArray
    """(rows, cols) class of change at ground level."""
    faces: FloatArray
    """(ids + 1, 3) reflectance of each building's walls."""


def clouds(rng: np.random.Generator, shape: tuple[int, int], cell_px: float, octaves: int = 1) -> FloatArray:
    """Smooth random texture of zero mean and unit variance, without any period.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws one normal number a node.
    shape : tuple of int
        Rows and columns.
    cell_px : float
        Distance between the nodes of the coarsest octave, > 0.
    octaves : int
        Each further octave halves the distance and takes 0.6 of the amplitude.

    Returns
    -------
    ndarray of float32, shape (rows, cols)
    """
    out = np.zeros(shape, np.float32)
    power = 0.0
    for k in range(octaves):
        step = max(cell_px / 2**k, 1.0)
        nodes = rng.standard_normal((int(shape[0] / step) + 4, int(shape[1] / step) + 4), np.float32)
        scale = np.array([[1 / step, 0, rng.uniform(1, 2)], [0, 1 / step, rng.uniform(1, 2)]])
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        out += 0.6**k * cv2.warpAffine(nodes, scale, shape[::-1], flags=flags, borderMode=cv2.BORDER_REFLECT)
        power += 0.36**k
    return out / np.float32(math.sqrt(power) * 0.75)


def cells_rc(flat: Surface, rc_m: FloatArray) -> FloatArray:
    """Metres to cells (row, col), centres at whole numbers."""
    return np.asarray(rc_m, np.float64) / flat.cell_m - 0.5


def fixed_xy(rc: FloatArray) -> npt.NDArray[np.int32]:
    """(N, 2) (row, col) to OpenCV's (x, y) in 1/16 px."""
    return np.round(rc[:, ::-1] * 16).astype(np.int32).reshape(-1, 1, 2)


class Local:
    """The window of the surface around some points, with its own coordinates."""

    def __init__(self, flat: Surface, rc: FloatArray, margin_px: float) -> None:
        low = np.floor(rc.min(0) - margin_px).astype(int)
        high = np.ceil(rc.max(0) + margin_px).astype(int) + 1
        low, high = np.maximum(low, 0), np.minimum(high, flat.leaf.shape)
        self.empty = bool((high <= low).any())
        self.origin: FloatArray = low.astype(np.float64)
        self.slices = (slice(low[0], high[0]), slice(low[1], high[1]))
        self.shape = (int(high[0] - low[0]), int(high[1] - low[1]))
        self.rows: FloatArray = np.zeros(0, np.float32)
        self.cols: FloatArray = self.rows
        if not self.empty:
            self.rows, self.cols = np.indices(self.shape, np.float32) + low[:, None, None].astype(np.float32)

    def of(self, layer: AnyArray) -> AnyArray:
        """Give the window of a layer, to write into."""
        return layer[self.slices]

    def along(self, centre_rc: FloatArray, angle_deg: float) -> tuple[FloatArray, FloatArray]:
        """Distance from a centre along and across a direction, in cells."""
        t = math.radians(angle_deg)
        dr, dc = self.rows - np.float32(centre_rc[0]), self.cols - np.float32(centre_rc[1])
        return dc * math.cos(t) + dr * math.sin(t), dr * math.cos(t) - dc * math.sin(t)
