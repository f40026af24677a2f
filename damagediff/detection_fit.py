"""Share found against size: a penalised logistic regression on log size, and the band around it.

Both parameters, the size found with nine tenths of probability and the slope, are laid out on a grid and
the penalised log-likelihood is worked out at each node: no search that could fail or depend on its start.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .detection import Recall
from .types import FloatArray

LEVEL = 0.9
"""Probability at which the size is stated."""
SIZES = np.exp2(np.arange(1.0, 9.01, 0.05))
"""Sizes in px at which the curve may reach that probability."""
SLOPES = np.geomspace(0.7, 16, 48)
"""Log-odds a doubling of the size."""
USUAL_SLOPE, SLOPE_SPREAD = 4.0, 0.7
"""Middle and spread (of the logarithm) of the slopes that pairs with many plants have (docs/method.md): a
penalty in place of the infinite slope that few plants without a miss would give."""
DROP = 1.353
"""Fall of the log-likelihood that bounds a 90 % profile interval: half the .9 quantile of chi-square (1)."""
MIN_PLANTED = 12
"""Fewer say nothing about nine tenths."""


def fit(
    sizes_px: Sequence[int], planted: Sequence[int], found: Sequence[int], least: int = MIN_PLANTED
) -> Recall:
    """Fit the share found against size.

    The log-odds are linear in the logarithm of the size [1]_; the slope has a log-normal penalty. The band
    holds all curves whose penalised likelihood, profiled over the other parameter, lies within its 90 %
    interval [2]_.

    Parameters
    ----------
    sizes_px, planted, found : sequence of int
        Of each size, how many were planted and how many of them found.

    Returns
    -------
    Recall
        Without a size when fewer than 12 were planted, or when the curve reaches nine tenths only beyond the
        largest size planted.

    References
    ----------
    .. [1] Berens, "NDE reliability data analysis", ASM Handbook 17, 1989: hit or miss against log size.
    .. [2] Venzon and Moolgavkar, "A method for computing profile-likelihood-based confidence intervals",
           Applied Statistics 37(1), 1988. :DOI:`10.2307/2347496`
    """
    total = sum(planted)
    if total < least:
        reason = f"only {total} could be planted, at least {least} are asked"
        return Recall(None, None, reason, ())
    size, n, k = (np.asarray(x, np.float64) for x in (sizes_px, planted, found))
    surface = _log_likelihood(size, n, k) - (np.log(SLOPES / USUAL_SLOPE) / SLOPE_SPREAD)[:, None] ** 2 / 2
    near = surface >= surface.max() - DROP
    slope, best = np.unravel_index(int(np.argmax(surface)), surface.shape)
    reached = np.flatnonzero(near.any(0))
    largest = float(size.max())
    low, high, at = (float(SIZES[i]) for i in (reached[0], reached[-1], best))
    along = np.geomspace(size.min(), largest, 33)
    shares = _share(along[:, None, None])
    middle = shares[:, slope, best]
    band = [np.where(near, shares, fill) for fill in (np.inf, -np.inf)]
    columns = along, middle, band[0].min((1, 2)), band[1].max((1, 2))
    curve = tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in zip(*columns, strict=True))
    interval = (low, high if high <= largest else None)
    if at > largest * 2**0.01:
        return Recall(None, interval if low <= largest else None, _not_reached(size, n, k), curve)
    return Recall(at, interval, "", curve)


def _not_reached(size: FloatArray, planted: FloatArray, found: FloatArray) -> str:
    last = int(np.argmax(size))
    share = f"{int(found[last])} of {int(planted[last])}"
    return f"even of the largest, {size[last]:g} px, {share} were found; the curve stays below nine tenths"


def _share(size_px: FloatArray) -> FloatArray:
    """Probability of being found, over (slopes, sizes at nine tenths)."""
    odds = math.log(LEVEL / (1 - LEVEL)) + SLOPES[:, None] * np.log2(size_px / SIZES[None, :])
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, -50, 50))))


def _log_likelihood(size: FloatArray, planted: FloatArray, found: FloatArray) -> FloatArray:
    """(slopes, sizes at nine tenths)."""
    total = np.zeros((len(SLOPES), len(SIZES)))
    for s, n, k in zip(size, planted, found, strict=True):
        p = _share(s)
        total += k * np.log(p) + (n - k) * np.log1p(-np.minimum(p, 1 - 1e-12))
    return total
