"""Signs that a picture was resampled: its pixels do not hold what their number promises.

An interpolated pixel is a weighted mean of its neighbours, and the weights repeat with the grid of the
picture that it was made of: so does the mean size of its differences along rows and columns (Gallagher 2005,
doi:10.1109/CRV.2005.33). Repeated pixels show directly. What compression leaves repeats too: every 8 px in
JPEG, 4 px in WebP, 2 px in JPEG 2000. These periods and their parts are never taken for signs.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .provenance import Resampled
from .types import FloatArray

LIMIT = 60.0
"""Height of a peak over its surroundings. Of 44 real pictures that are not known to be resampled the highest
reached 36; of enlarged ones nearly all reach 100 (docs/method.md)."""
MIN_SIDE_PX = 128
LENGTH = 2048
"""Of the spectrum: frequencies are known to a thousandth."""
LOWEST = 0.1
"""Cycles a pixel: slower patterns are streets and fields; more than 10 times larger is seen by eye."""
BLOCK_WIDTH = 0.008
SURROUNDINGS = 301
MIN_REPEATED = 0.15
"""Share of columns, and of rows, that equal the one before: an enlargement by 1.18 times and more."""


def resampled(grey: FloatArray) -> Resampled | None:
    """What shows that a picture was resampled; None when nothing does.

    Parameters
    ----------
    grey : (rows, cols) 0..255
    """
    if min(grey.shape) < MIN_SIDE_PX:
        return None
    times = _repeated(grey)
    if times is not None:
        return Resampled(times, True)
    frequency, height = _peak(grey)
    return Resampled(1 / frequency, False) if height >= LIMIT else None


def _repeated(grey: FloatArray) -> float | None:
    """By how much the picture was enlarged by repeating pixels; None when it was not."""
    shares = []
    for plane in (grey, grey.T):
        step = np.abs(np.diff(plane, axis=1))
        same = (step < 1e-3).mean(0) > 0.999
        if same.all() or step[:, ~same].mean() < 1:
            return None  # a drawing or a plain, not a picture
        shares.append(float(same.mean()))
    alike = abs(shares[0] - shares[1]) < 0.05
    return 1 / (1 - sum(shares) / 2) if alike and min(shares) > MIN_REPEATED else None


def _peak(grey: FloatArray) -> tuple[float, float]:
    """Frequency in cycles a pixel and height of the highest peak common to rows and columns."""
    frequency = np.arange(LENGTH // 2 + 1) / LENGTH
    heights = np.max([_common(grey, order) for order in (1, 2)], axis=0)
    heights[frequency < LOWEST] = 0
    for k in range(1, 5):
        heights[np.abs(frequency - k / 8) <= BLOCK_WIDTH] = 0
    at = int(np.argmax(heights))
    return float(frequency[at]), float(heights[at])


def _common(grey: FloatArray, order: int) -> FloatArray:
    """Spectrum of the differences of an order, the lesser of that along rows and that along columns."""
    along = (np.abs(np.diff(plane, n=order, axis=1)).mean(0) for plane in (grey, grey.T))
    return np.minimum(*(_spectrum(profile) for profile in along))


def _spectrum(profile: FloatArray) -> FloatArray:
    """Power against its surroundings, of the logarithm of a profile without its slow changes."""
    level = np.log(profile + 0.02 * profile.mean() + 1e-3)
    level = level - ndimage.uniform_filter1d(level, 25, mode="reflect")
    spread = 3 * level.std()
    power = np.abs(np.fft.rfft(np.clip(level, -spread, spread) * np.hanning(len(level)), LENGTH)) ** 2
    around = ndimage.median_filter(power, size=SURROUNDINGS, mode="reflect") / np.log(2)
    return np.asarray(power / np.maximum(around, 1e-12))
