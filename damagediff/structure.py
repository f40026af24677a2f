"""Structural measures of change on cells of 4 x 4 px, exact: a tile has the bits of the whole.

Everything that is summed over pixels is an integer and stays one: float32 below 2**24 or float64. Only
then come divisions and roots, one cell at a time. So no sum depends on where a tile begins.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from .cells import CELL
from .types import ByteArray, FloatArray

HALO = 20
"""Pixels of true neighbours needed on every side of a tile: windows 8, search 4, gradients 3, rounding 3."""
MARGIN = HALO // CELL
"""The halo in cells."""
SHIFTS = tuple((dy, dx) for dy in range(-4, 5, 2) for dx in range(-4, 5, 2) if dy * dy + dx * dx <= 17)
"""13 displacements in px over which the best agreement counts: residual misregistration, slight lean."""
CROSS = ((0, 0), (0, 1), (1, 0), (0, -1), (-1, 0))
"""The same in cells, for measures that are smooth already."""
SMALL_WINDOW = np.array([1, 2, 1], np.float32)
"""With the cell, about a Gaussian of sigma 3 px; weights sum to 4 a side."""
WINDOW = np.array([1, 4, 6, 4, 1], np.float32)
"""With the cell, about a Gaussian of sigma 4 px; weights sum to 16 a side."""
NOISE_GREY2 = 200.0
"""Variance below which a loss of contrast is not structure, grey levels squared."""
PATTERN_NOISE_GREY2 = 40.0
"""The same where contrast does not count: small, so that faint roofs keep their pattern."""
NOISE_GRADIENT = 100.0
"""Mean gradient (Sobel units, both images together) that noise and compression reach."""


def cell_sums(x: FloatArray) -> FloatArray:
    """Sums over cells of whole numbers in float32, exact while they stay below 2**24."""
    rows, cols = x.shape
    mean = cv2.resize(x, (cols // CELL, rows // CELL), interpolation=cv2.INTER_AREA)
    return np.asarray(mean * np.float32(CELL * CELL))


COUNT = np.float32((CELL * SMALL_WINDOW.sum()) ** 2)
"""Weight of all pixels in one window."""


def window_means(sums: FloatArray) -> FloatArray:
    """Means over windows from sums over cells; exact up to the division: 16 x 16 px x 255**2 < 2**24."""
    return np.asarray(cv2.sepFilter2D(sums, cv2.CV_32F, SMALL_WINDOW, SMALL_WINDOW), np.float32) / COUNT


class _Moments(NamedTuple):
    """Mean and variance of one image in the window around each cell."""

    mean: FloatArray
    variance: FloatArray
    per_spread: FloatArray
    """One over the root of variance and noise."""

    def cut(self, row: int, col: int, shape: tuple[int, ...]) -> _Moments:
        at = (slice(row, row + shape[0]), slice(col, col + shape[1]))
        return _Moments(*(x[at] for x in self))


def _moments(grey: ByteArray) -> _Moments:
    mean = window_means(cell_sums(grey.astype(np.float32)))
    variance = window_means(cell_sums(product(grey, grey))) - mean * mean
    noise = np.float32(PATTERN_NOISE_GREY2)
    return _Moments(mean, variance, 1 / np.sqrt(np.maximum(variance, 0) + noise))


def decorrelation(before: ByteArray, after: ByteArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """How far local structure fails to be found again within about 4 px, in two ways, and the texture.

    With the covariance of a window (sigma 3 px) and the same window of the after image displaced by d,

    - structure = min over d of ``1 - (cov + n) / ((var_a + var_b) / 2 + n)``, the correlation term of [1]_
      with the *arithmetic* mean of the variances: a loss or gain of contrast counts;
    - pattern = min over d of ``1 - (cov + n) / sqrt((var_a + n)(var_b + n))``, with a smaller n: contrast
      does not count.

    Parameters
    ----------
    before, after : (rows, cols) uint8
        Luminance on one scale with `HALO` px on every side; sides are multiples of `CELL`.

    Returns
    -------
    structure, pattern, texture : (rows / 4 - 10, cols / 4 - 10) float32
        0 (the same) to 2 (reversed); texture is the variance of the before image.

    References
    ----------
    .. [1] Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to structural
           similarity", IEEE Transactions on Image Processing 13(4), 2004. :DOI:`10.1109/TIP.2003.819861`
    """
    fixed = np.ascontiguousarray(before[CELL:-CELL, CELL:-CELL])  # the search reaches one cell beyond
    a = _moments(fixed)
    phases = {(py, px): _moments(_cut_to_cells(after[py:, px:])) for py in (0, 2) for px in (0, 2)}
    alike, like = np.full_like(a.mean, -1), np.full_like(a.mean, -1)
    for dy, dx in SHIFTS:
        moved = after[CELL + dy : CELL + dy + fixed.shape[0], CELL + dx : CELL + dx + fixed.shape[1]]
        b = phases[dy % CELL, dx % CELL].cut(1 + dy // CELL, 1 + dx // CELL, a.mean.shape)
        covariance = window_means(cell_sums(product(fixed, moved))) - a.mean * b.mean
        mean = (a.variance + b.variance) * np.float32(0.5) + np.float32(NOISE_GREY2)
        np.maximum(alike, (covariance + np.float32(NOISE_GREY2)) / mean, out=alike)
        np.maximum(like, (covariance + np.float32(PATTERN_NOISE_GREY2)) * b.per_spread, out=like)
    core = (slice(MARGIN - 1, 1 - MARGIN),) * 2
    lost = [np.maximum(1 - x[core], 0) for x in (alike, like * a.per_spread)]
    return lost[0], lost[1], np.maximum(a.variance[core], 0)


def _cut_to_cells(x: ByteArray) -> ByteArray:
    rows, cols = (n // CELL * CELL for n in x.shape)
    return np.ascontiguousarray(x[:rows, :cols])


def product(a: ByteArray, b: ByteArray) -> FloatArray:
    """Pixel by pixel, whole numbers in float32."""
    return np.asarray(cv2.multiply(a, b, dtype=cv2.CV_32F), np.float32)


def losses(var_a: FloatArray, var_b: FloatArray, covariance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Structure and pattern of `decorrelation` at one displacement."""
    return _structure(var_a, var_b, covariance), _pattern(var_a, var_b, covariance)


def _structure(var_a: FloatArray, var_b: FloatArray, covariance: FloatArray) -> FloatArray:
    mean = (var_a + var_b) / 2
    return (mean - covariance) / (mean + np.float32(NOISE_GREY2))


def _pattern(var_a: FloatArray, var_b: FloatArray, covariance: FloatArray) -> FloatArray:
    noise = np.float32(PATTERN_NOISE_GREY2)
    spread = np.sqrt((np.maximum(var_a, 0) + noise) * (np.maximum(var_b, 0) + noise))
    return (spread - covariance - noise) / spread


def gradient_sums(grey: ByteArray) -> FloatArray:
    """Moments of the gradient's direction, summed over cells.

    For magnitude m and angle t: the sums of m, of m exp(2it) and of m exp(4it), of each pixel from a table of
    whole numbers. The first says how much edge there is, the second along which line it runs, the
    third along which pair of perpendicular lines, which only built things have in common.

    Returns
    -------
    (5, rows / 4, cols / 4) float32
        m, real and imaginary m exp(2it), real and imaginary m exp(4it); whole numbers within +-23,100.
    """
    smooth = cv2.GaussianBlur(grey, (5, 5), 1.0)  # uint8: fixed-point, the same bits everywhere
    dx, dy = (np.asarray(cv2.Sobel(smooth, cv2.CV_16S, *axis), np.int16) for axis in ((1, 0), (0, 1)))
    index = _steps(dy).astype(np.int32)
    index *= 2 * GRADIENT_REACH + 1
    index += _steps(dx)
    channels = GRADIENTS.take(index.ravel(), 0).reshape(*grey.shape, -1)
    rows, cols = (n // CELL for n in grey.shape)
    means = cv2.resize(channels, (cols, rows), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(means.transpose(2, 0, 1)) * np.float32(CELL * CELL)


GRADIENT_STEP = 4
"""Sobel units, of 1,020 at most, in which gradients are told apart: noise is a hundred."""
GRADIENT_REACH = 256


def _steps(derivative: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    """From 0, in steps of `GRADIENT_STEP`."""
    return np.asarray((derivative + GRADIENT_STEP // 2) // GRADIENT_STEP + GRADIENT_REACH)


def _gradient_table() -> FloatArray:
    """(gradients, 5) the channels of `gradient_sums` for each pair of derivatives, dx running fastest."""
    step = np.arange(-GRADIENT_REACH, GRADIENT_REACH + 1, dtype=np.float64) * GRADIENT_STEP
    dx, dy = np.meshgrid(step, step)
    magnitude, angle = np.hypot(dx, dy), np.arctan2(dy, dx)
    turned = [magnitude * f(k * angle) for k in (2, 4) for f in (np.cos, np.sin)]
    return np.rint(np.stack([magnitude, *turned], -1)).astype(np.float32).reshape(-1, 5)


GRADIENTS = _gradient_table()


def orientation_distance(before: FloatArray, after: FloatArray) -> FloatArray:
    """Distance of the directions of edges, from `gradient_sums` of both images with their halo.

    The sums of m, m exp(2it) and m exp(4it) are the first three moments of the histogram of oriented
    gradients [1]_. Their absolute differences in a window, relative to all the edge there is; the smallest
    of five displacements by a cell.

    Returns
    -------
    (rows - 10, cols - 10) float32
        0 (the same) to 3.

    References
    ----------
    .. [1] Dalal and Triggs, "Histograms of oriented gradients for human detection", CVPR 2005.
           :DOI:`10.1109/CVPR.2005.177`
    """
    # Sums stay below 2**24: exact in float32.
    a, b = (
        np.stack([cv2.sepFilter2D(band, cv2.CV_32F, WINDOW, WINDOW) for band in x]) for x in (before, after)
    )
    rows, cols = a.shape[1:]
    a = a[:, MARGIN : rows - MARGIN, MARGIN : cols - MARGIN]
    noise = np.float32(NOISE_GRADIENT * (CELL * WINDOW.sum()) ** 2)
    best: FloatArray | None = None
    for dy, dx in CROSS:
        other = b[:, MARGIN + dy : rows - MARGIN + dy, MARGIN + dx : cols - MARGIN + dx]
        d = a - other
        apart = np.abs(d[0]) + _length(d[1], d[2]) + _length(d[3], d[4])
        distance = apart / (a[0] + other[0] + noise)
        best = distance if best is None else np.minimum(best, distance)
    assert best is not None
    return best.astype(np.float32)


def _length(x: FloatArray, y: FloatArray) -> FloatArray:
    return np.sqrt(x * x + y * y)  # not np.hypot: its bits may depend on the position in the array
