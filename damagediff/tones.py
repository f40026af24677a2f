"""Haze, clipping and the blocks of lossy compression, from the pixels of one file as delivered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from .looks import Look
from .types import BoolArray, FloatArray

SIDE_PX = 256
"""Side of a window, whole blocks of 8 px."""
BLOCK_PX = 8
DARK_PX = 7
"""Neighbourhood in which the darkest value counts: in clear air some shadow or dark roof is always near."""
DARK_PERCENTILE, BRIGHT_PERCENTILE = 1.0, 99.5
MOST_STEP_GREY = 12.0
"""Steps over this are edges of the scene, not of blocks."""
MIN_BLOCKING = 0.035
"""Without compression no file of 41 exceeded .03 in both directions; at JPEG quality 85, .06 to .18."""


@dataclass(frozen=True)
class Tones:
    """What one window says: dark and bright values, its pixels, and steps by their place in a block."""

    dark: FloatArray
    """Darkest band, eroded, of usable pixels."""
    bright: FloatArray
    ends: tuple[float, float]
    """Least and largest value."""
    data: FloatArray
    """(bands, N) usable pixels."""
    steps: tuple[FloatArray, FloatArray]
    """For each axis, by place in a block: sums of the excess of a step over its neighbours, and of steps."""


def gather(data: FloatArray, valid: BoolArray, grey: FloatArray) -> Tones | None:
    """Summary of one window of a file; None where less than half is usable.

    Parameters
    ----------
    data : (bands, rows, cols) float32
        Values as stored.
    valid : (rows, cols) bool
    grey : (rows, cols) float32
        Brightness 0..255; its window begins at a whole block of the file.
    """
    if valid.mean() < 0.5:
        return None
    darkest: FloatArray = np.asarray(cv2.erode(data.min(0), np.ones((DARK_PX, DARK_PX))), np.float32)
    pixels = data[:, valid]
    ends = float(pixels.min()), float(pixels.max())
    steps = _steps(np.where(valid, grey, np.float32(0)), 0), _steps(np.where(valid, grey, np.float32(0)), 1)
    return Tones(darkest[valid], data.max(0)[valid], ends, pixels, steps)


def look(windows: Sequence[Tones], whole_numbers: bool) -> Look:
    """The qualities of one file from its windows.

    Haze is the level of the darkest places over the brightest: a veil of scattered light lifts both, and in
    clear air nearly every neighbourhood holds something dark [1]_. Clipped are pixels with a band at the
    largest, or all at the least value that occurs. Blocking holds steps between pixels at the borders of
    8 x 8 blocks against all others, at the place in the block where they differ most [2]_.

    References
    ----------
    .. [1] He, Sun and Tang, "Single image haze removal using dark channel prior", IEEE Trans. Pattern Anal.
           Mach. Intell. 33(12), 2011. :DOI:`10.1109/TPAMI.2010.168`
    .. [2] Wang, Sheikh and Bovik, "No-reference perceptual quality assessment of JPEG compressed images",
           ICIP 2002. :DOI:`10.1109/ICIP.2002.1038064`
    """
    if not windows:
        return Look()
    low, high = min(w.ends[0] for w in windows), max(w.ends[1] for w in windows)
    near = 1.0 if whole_numbers else 0.0
    clipped = sum(_at_the_ends(w.data, low, high, near) for w in windows) / sum(
        w.data.shape[1] for w in windows
    )
    bright = float(np.percentile(np.concatenate([w.bright for w in windows]), BRIGHT_PERCENTILE))
    dark = float(np.percentile(np.concatenate([w.dark for w in windows]), DARK_PERCENTILE))
    haze = min(dark / bright, 1.0) if low >= 0 and bright > 0 else None
    return Look(haze=haze, clipped=clipped, blocking=_blocking(windows))


def _at_the_ends(data: FloatArray, low: float, high: float, near: float) -> int:
    return int(((data >= high - near).any(0) | (data <= low + near).all(0)).sum()) if high > low else 0


def _steps(grey: FloatArray, axis: int) -> FloatArray:
    """(2, 8): excess of a step over the mean of its neighbours, and the step itself, summed by place."""
    step = np.minimum(np.abs(np.diff(grey, axis=axis)), MOST_STEP_GREY)
    step = np.moveaxis(step, axis, 0).astype(np.float64)
    excess = step[1:-1] - 0.5 * (step[:-2] + step[2:])
    sums = np.zeros((2, BLOCK_PX))
    for place in range(BLOCK_PX):
        sums[:, (place + 1) % BLOCK_PX] = excess[place::BLOCK_PX].mean(), step[1:-1][place::BLOCK_PX].mean()
    return sums


def _blocking(windows: Sequence[Tones]) -> float:
    """Excess at the borders over the mean step: the smaller of rows and columns, at one place in each."""
    found = []
    for axis in (0, 1):
        excess, step = np.sum([w.steps[axis] for w in windows], 0)
        found.append(float(excess.max() / max(step.mean(), 1e-9)))
    return max(0.0, min(found))
