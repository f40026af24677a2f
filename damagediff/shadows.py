"""The direction in which shadows fall in one picture."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from .looks import Shadows
from .types import BoolArray, FloatArray

SIDE_PX = 144
"""Side of a window: each gives one vote, and their scatter the error."""
REACH_PX = 8
"""How far from a thing its shadow is looked for; 14 found fewer and was no better."""
DEEP_PERCENTILES = (6.0, 12.0)
"""Shares of a window that are taken for shadow: both are asked and added."""
GAP_PERCENT = 6.0
"""Between shadow and what counts as lit, so that soft borders are neither."""
FINE_PX, GROUND_PX, TEXTURE_PX = 0.8, 24.0, 2.0
MIN_VALID = 0.97
MIN_WINDOWS, MIN_STRENGTH, MAX_ERROR_DEG = 12, 5.0, 12.0
"""Short of these no direction is given; of 21 pictures that passed none was off by more than 22 degrees."""


def votes(rgb: FloatArray, valid: BoolArray) -> FloatArray | None:
    """What one window says of the direction: (2, 3, 2) vectors (row, col) by depth and kind; None: unusable.

    A thing that stands up is followed by its shadow: lit pixels that differ from the ground lie on the sunny
    side of deep dark ones. Three kinds of such pixels are asked: darker than the ground around (crowns, dark
    roofs), of another colour, and rough. Each gives the sum over neighbours within `REACH_PX` of the unit
    vector from the pixel to the dark one: the odd part of their cross-correlation, which is zero where
    nothing has a sunny side. Roughness points the other way (the border of shadow and bright ground is the
    roughest there is), which `direction` knows. Without colour the direction is at times the opposite one.

    Parameters
    ----------
    rgb : (3, rows, cols) float32
        Red, green and blue, not below 0, in any unit.
    valid : (rows, cols) bool
    """
    if valid.mean() < MIN_VALID:
        return None
    data = np.where(valid, rgb, np.float32(0)).astype(np.float32)
    grey = data.mean(0)
    level = np.log(cv2.GaussianBlur(grey, (0, 0), FINE_PX) + 0.02 * max(float(grey.max()), 1e-6))
    taper = np.outer(*(np.hanning(n) for n in valid.shape)).astype(np.float32)
    found = []
    for percent in DEEP_PERCENTILES:
        deep = level < np.percentile(level[valid], percent)
        lit = (level >= np.percentile(level[valid], percent + GAP_PERCENT)) & valid
        weight = cv2.GaussianBlur(lit.astype(np.float32), (0, 0), GROUND_PX)
        kinds = _darker(level, lit, weight), _coloured(data, lit, weight), _rough(level, lit)
        dark = _tapered(deep.astype(np.float32), taper)
        near = [np.asarray(cv2.filter2D(dark, -1, kernel), np.float32) for kernel in _KERNELS]
        size = float(np.square(dark).sum())
        found.append([_pull(_tapered(kind, taper), near, size) for kind in kinds])
    return np.array(found)


def direction(windows: Sequence[FloatArray]) -> Shadows | None:
    """The mean of the windows' votes, with its error; None where no direction stands out."""
    if len(windows) < MIN_WINDOWS:
        return None
    each = np.array(windows)
    spread = np.sqrt(np.square(each).mean((0, 3), keepdims=True)) + 1e-12
    vectors = (each / spread * np.array([1.0, 1.0, -1.0])[:, None]).sum((1, 2))
    mean, cov = vectors.mean(0), np.cov(vectors.T) / len(vectors)
    length = float(np.hypot(*mean))
    along = mean / max(length, 1e-12)
    across = np.array([-along[1], along[0]])
    strength = length / float(np.sqrt(along @ cov @ along) + 1e-12)
    error = float(np.degrees(np.arctan2(np.sqrt(across @ cov @ across), length)))
    if strength < MIN_STRENGTH or error > MAX_ERROR_DEG:
        return None
    towards = float(np.degrees(np.arctan2(mean[1], -mean[0])) % 360)
    return Shadows(towards, error, strength, len(vectors))


def _local_mean(values: FloatArray, lit: BoolArray, weight: FloatArray) -> FloatArray:
    """Mean of lit pixels around, at every pixel; `weight` is `lit` blurred."""
    total = cv2.GaussianBlur(np.where(lit, values, np.float32(0)), (0, 0), GROUND_PX)
    return np.asarray(total / (weight + np.float32(1e-6)))


def _darker(level: FloatArray, lit: BoolArray, weight: FloatArray) -> FloatArray:
    return np.where(lit, np.maximum(_local_mean(level, lit, weight) - level, 0), np.float32(0))


def _coloured(data: FloatArray, lit: BoolArray, weight: FloatArray) -> FloatArray:
    """How far hue and saturation are from those around."""
    total = data.sum(0) + np.float32(0.02 * 3 * max(float(data.max()), 1e-6))
    apart = np.zeros(lit.shape, np.float32)
    for ratio in ((2 * data[1] - data[0] - data[2]) / total, (data[2] - data[0]) / total):
        soft = cv2.GaussianBlur(ratio, (0, 0), 1.0)
        apart += np.square(soft - _local_mean(soft, lit, weight))
    return np.where(lit, np.sqrt(apart), np.float32(0))


def _rough(level: FloatArray, lit: BoolArray) -> FloatArray:
    fine = np.where(lit, level - cv2.GaussianBlur(level, (0, 0), TEXTURE_PX), np.float32(0))
    share = cv2.GaussianBlur(lit.astype(np.float32), (0, 0), TEXTURE_PX) + np.float32(0.05)
    energy = cv2.GaussianBlur(np.square(fine), (0, 0), TEXTURE_PX) / share
    return np.where(lit, np.sqrt(np.maximum(energy, 0)), np.float32(0))


def _tapered(values: FloatArray, taper: FloatArray) -> FloatArray:
    """Departures from the mean, which fall to nothing at the window's border."""
    return (values - values.mean()) * taper


def _pull(thing: FloatArray, near: list[FloatArray], size: float) -> tuple[float, float]:
    """Mean unit vector (row, col) from the thing to the dark near it, as a correlation.

    Parameters
    ----------
    thing : (rows, cols)
        `_tapered`.
    near : two of (rows, cols)
        The dark around each pixel, weighted by the row and by the column of the unit vector to it.
    size : float
        Sum of squares of the dark.
    """
    scale = float(np.sqrt(np.square(thing).sum() * np.float32(size))) + 1e-9
    pulls = (float((thing * part).sum()) for part in near)
    down, right = (pull / scale for pull in pulls)
    return down, right


def _kernels() -> tuple[FloatArray, FloatArray]:
    row, col = np.mgrid[-REACH_PX : REACH_PX + 1, -REACH_PX : REACH_PX + 1].astype(np.float32)
    far = np.hypot(row, col)
    inside = (far > 0) & (far <= REACH_PX)
    return tuple(np.where(inside, part / np.maximum(far, 1), np.float32(0)) for part in (row, col))  # type: ignore[return-value]


_KERNELS = _kernels()
