"""Iteratively re-weighted multivariate alteration detection (IR-MAD), a reference to be measured against.

Gather, merge, apply: `fit` learns the transform from one reduced picture of the whole scene, so that it does
not depend on tiles; `chi_square` applies it pixel by pixel, in an order of sums that no tile changes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.special

from .types import BoolArray, ByteArray, FloatArray

ITERATIONS = 30
"""At most; two-band and colour pairs settle in 5 to 20."""
SETTLED = 1e-3
"""Change of the largest moving canonical correlation below which the iteration has settled."""
MAX_PIXELS = 250_000
"""Pixels that teach, evenly picked: a covariance of few bands is known to a thousandth from these."""
MIN_WEIGHT = 64.0
"""Sum of weights below which too few pixels are left to say what no change is: the last fit is kept."""
ROUNDING = 1 / 12
"""Variance that whole grey levels add anyway; keeps copies of one band from being singular."""


@dataclass(frozen=True)
class Transform:
    """Canonical pairs of a scene: MAD variate i is ``a[i] . (x - mean_x) - b[i] . (y - mean_y)``."""

    mean_x: FloatArray
    """(k,) weighted means of the before image, grey levels."""
    mean_y: FloatArray
    a: FloatArray
    """(k, k), a row for each canonical pair; each variate has unit variance."""
    b: FloatArray
    correlation: FloatArray
    """(k,) canonical correlations 0..1, falling."""
    iterations: int


def fit(before: ByteArray, after: ByteArray, valid: BoolArray) -> Transform:
    """Learn the canonical pairs of two images, iteratively giving weight to what did not change.

    Canonical correlation analysis of the two sets of bands; the sum of squared differences of the pairs, each
    over its variance 2 (1 - rho), is chi-square with k degrees of freedom where nothing changed; the
    probability of a larger one is the pixel's weight in the next round [1]_.

    Parameters
    ----------
    before, after : (k, rows, cols) uint8
        One reduced picture of the whole scene.
    valid : (rows, cols) bool

    Returns
    -------
    Transform
        Of k canonical pairs; correlations 0 where a band is constant.

    References
    ----------
    .. [1] Nielsen, "The regularized iteratively reweighted MAD method for change detection in multi- and
           hyperspectral data", IEEE Transactions on Image Processing 16(2), 2007.
           :DOI:`10.1109/TIP.2006.888195`
    """
    x, y = (bands[:, valid].astype(np.float64) for bands in (before, after))
    step = max(1, -(-x.shape[1] // MAX_PIXELS))
    x, y = np.ascontiguousarray(x[:, ::step]), np.ascontiguousarray(y[:, ::step])
    found = _canonical(x, y, np.ones(x.shape[1]), 1)
    for count in range(2, ITERATIONS + 1):
        weight = scipy.special.gammaincc(len(x) / 2, _distance(found, x, y) / 2)
        if weight.sum() < MIN_WEIGHT:
            break
        last, found = found, _canonical(x, y, weight, count)
        if np.abs(found.correlation - last.correlation).max() < SETTLED:
            break
    return found


def _canonical(x: FloatArray, y: FloatArray, weight: FloatArray, iterations: int) -> Transform:
    """Weighted canonical correlation analysis of (k, n) bands: whiten both, then a singular decomposition."""
    k, total = len(x), weight.sum()
    mean_x, mean_y = (x @ weight) / total, (y @ weight) / total
    z = np.concatenate([x - mean_x[:, None], y - mean_y[:, None]])
    covariance = (z * weight) @ z.T / total + np.diag(np.full(2 * k, ROUNDING))
    inverse = [
        scipy.linalg.solve_triangular(
            scipy.linalg.cholesky(covariance[part, part], lower=True), np.eye(k), lower=True
        )
        for part in (slice(0, k), slice(k, 2 * k))
    ]
    left, rho, right = scipy.linalg.svd(inverse[0] @ covariance[:k, k:] @ inverse[1].T)
    return Transform(
        mean_x, mean_y, left.T @ inverse[0], right @ inverse[1], np.clip(rho, 0, 1 - 1e-9), iterations
    )


def _distance(found: Transform, x: FloatArray, y: FloatArray) -> FloatArray:
    mad = found.a @ (x - found.mean_x[:, None]) - found.b @ (y - found.mean_y[:, None])
    distance: FloatArray = (mad * mad / (2 * (1 - found.correlation))[:, None]).sum(0)
    return distance


def chi_square(found: Transform, before: ByteArray, after: ByteArray) -> FloatArray:
    """Sum of squared MAD variates, each over its variance: about k where nothing changed, no upper end.

    Parameters
    ----------
    before, after : (k, rows, cols) uint8

    Returns
    -------
    (rows, cols) float32
        Every pixel by itself, summed band by band: a matrix product may round otherwise in another tile.
    """
    x, y = before.astype(np.float32), after.astype(np.float32)
    spread = np.sqrt(2 * (1 - found.correlation))
    total = np.zeros(x.shape[1:], np.float32)
    for a, b, sd in zip(found.a, found.b, spread, strict=True):
        mad = np.full(x.shape[1:], (b @ found.mean_y - a @ found.mean_x) / sd, np.float32)
        for band, share in zip((*x, *y), (*a / sd, *-b / sd), strict=True):
            mad += np.float32(share) * band
        total += mad * mad
    return total
