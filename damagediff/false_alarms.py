"""How many of a run's regions may be ordinary change: from counts where nothing but that can be found.

The counts come from `alarm_trials`. Here they become an interval for the area that the run analysed, rates,
and for each region the chance of being ordinary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import scipy.special

from .ordinary import Null, NullName, Ordinary
from .types import FloatArray, Grid, Region, Trust

LEVEL = 0.9
"""Probability with which the stated interval holds the number of ordinary regions."""
SPREAD = 0.5
"""Standard deviation of the logarithm of the ratio of the true rate to the one counted: places, years and
directions of time are not alike. Measured on pairs that no benchmark of it uses (docs/method.md)."""
STEPS = 401
"""Odd number of ratios over which the doubt of that ratio is averaged."""
PRIOR = 0.5
"""Jeffreys' prior of a count: so that nothing counted does not mean never."""
BLUR = 0.5
"""Standard deviation, in the logarithm of the mass, over which each ordinary region counts: few regions show
their distribution coarsely only; less than half of its own spread, 1.3 (docs/method.md)."""
MAX_CHANCE = 0.95
"""No count can say of one region that it is certainly ordinary."""


def null(
    name: NullName, masses: Sequence[float], areas_px: Sequence[int], analysed_px: int, words: str = ""
) -> Null:
    """What so many ordinary regions in `areas_px` let expect in `analysed_px`, all > 0.

    Several areas are the same place at several earlier dates. All are compared with the same before image, so
    they are not independent: together they count as one area with their mean number of regions.

    Places known to be stable lie in the area analysed, so what was counted there is known; only the rest is
    predicted. The other counts predict all of it.
    """
    count, counted_px, rest_px, known = len(masses), sum(areas_px), analysed_px, 0
    if name == "stable":
        rest_px, known = max(0, analysed_px - counted_px), count
    levels = ((1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2)
    times = rest_px / counted_px * len(areas_px)
    low, middle, high = (known + n for n in predicted(count / len(areas_px), times, levels))
    ordered = tuple(sorted((float(m) for m in masses), reverse=True))
    return Null(name, count, counted_px, middle, (low, high), ordered, words)


def predicted(count: float, times: float, levels: Sequence[float]) -> list[int]:
    """Quantiles of a second count over `times` the area, when a first one gave `count`.

    Both are Poisson counts of one rate with Jeffreys' prior, which makes the second one negative binomial
    [1]_; that is averaged over ratios of the two rates that are log-normal with `SPREAD`.

    Parameters
    ----------
    count : float
        At least 0; a mean of several counts need not be whole.
    times : float
        At least 0; 0 gives zeros.
    levels : sequence of float
        Probabilities, 0 to 1 exclusive.

    References
    ----------
    .. [1] Nelson, "Confidence intervals for the ratio of two Poisson means and Poisson predictor intervals",
           IEEE Transactions on Reliability R-19(2), 42-49, 1970.
    """
    if times <= 0:
        return [0 for _ in levels]
    share = 1 / (1 + _ratios() * times)

    return [_quantile(level, count + PRIOR, share) for level in levels]


def _ratios() -> FloatArray:
    """Equally likely ratios of the true rate to the one counted, around 1."""
    return np.asarray(np.exp(SPREAD * scipy.special.ndtri((np.arange(STEPS) + 0.5) / STEPS)))


def _quantile(level: float, shape: float, share: FloatArray) -> int:
    """The least number that a mixture of negative binomials stays at or below with probability `level`."""

    def enough(number: int) -> bool:
        return float(scipy.special.betainc(shape, number + 1, share).mean()) >= level

    high = 1
    while not enough(high):
        high *= 2
    low = -1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def chances(found: Sequence[float], ordinary: Sequence[float], times: float) -> tuple[float, ...]:
    """The chance of each region to be ordinary, 0 to `MAX_CHANCE`: a local false discovery rate [1]_.

    Among the k largest regions found, as many ordinary ones are expected as were counted that large, and a
    half (`PRIOR`) spread over all. What each further region adds to that number is its chance, once
    it is made to fall with size by pooling neighbours [2]_; averaged over the ratios that `SPREAD` allows,
    each time no more than `MAX_CHANCE`.

    Parameters
    ----------
    found : sequence of float
        Area times mean score of each region.
    ordinary : sequence of float
        The same of the regions counted where all are ordinary.
    times : float
        Area of the run over the area in which those were counted.

    Returns
    -------
    tuple of float
        In the order of `found`.

    References
    ----------
    .. [1] Efron, Tibshirani, Storey and Tusher, "Empirical Bayes analysis of a microarray experiment", J. Am.
           Stat. Assoc. 96, 2001. :DOI:`10.1198/016214501753382129`
    .. [2] Barlow and Brunk, "The isotonic regression problem and its dual", J. Am. Stat. Assoc. 67, 1972.
           :DOI:`10.1080/01621459.1972.10481216`
    """
    if not len(found):
        return ()
    order = np.argsort(-np.asarray(found, float), kind="stable")
    as_large = _as_large(np.asarray(ordinary, float), np.asarray(found, float)[order])
    expected = times * (as_large + PRIOR * np.arange(1, len(found) + 1) / len(found))
    rising = _pooled(np.diff(expected, prepend=0.0))
    result = np.empty(len(found))
    result[order] = np.minimum(rising[:, None] * _ratios() / _ratios().mean(), MAX_CHANCE).mean(1)
    return tuple(result.tolist())


def _as_large(ordinary: FloatArray, found: FloatArray) -> FloatArray:
    """How many of the ordinary masses reach each of those found, blurred; all reach the least of all."""
    if not len(ordinary):
        return np.zeros(len(found))
    asked = np.log(np.append(found, min(ordinary.min(), found.min())))
    reached = scipy.special.ndtr((np.log(ordinary)[None] - asked[:, None]) / BLUR).sum(1)
    return np.asarray(len(ordinary) * reached[:-1] / reached[-1])


def _pooled(values: FloatArray) -> FloatArray:
    """The rising sequence nearest to `values`: neighbours that fall are averaged."""
    blocks: list[tuple[float, int]] = []
    for value in values.tolist():
        blocks.append((value, 1))
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            (b, m), (a, n) = blocks.pop(), blocks.pop()
            blocks.append(((a * n + b * m) / (n + m), n + m))
    return np.repeat([mean for mean, _ in blocks], [n for _, n in blocks])


def mass(region: Region) -> float:
    """Area times mean score, px: what regions are numbered by."""
    return region.area_px * region.score_mean


def with_chances(found: Sequence[Region], ordinary: Ordinary) -> tuple[Region, ...]:
    """The regions, those of the tier counted with their chance of being ordinary."""
    by = ordinary.headline
    if by is None:
        return tuple(found)
    asked = [region for region in found if region.tier == ordinary.tier]
    told = chances([mass(r) for r in asked], by.masses, ordinary.analysed_px / by.counted_px)
    of = {region.id: chance for region, chance in zip(asked, told, strict=True)}
    return tuple(replace(region, ordinary_chance=of.get(region.id)) for region in found)


def with_rates(trust: Trust, ordinary: Ordinary, grid: Grid) -> Trust:
    """The trust of a run with its rates of ordinary regions; km2 only where the ground size is known."""
    trust, by = replace(trust, ordinary=ordinary), ordinary.headline
    if by is None:
        return trust
    low, high = (n / ordinary.analysed_px * 1e6 for n in by.interval)
    rate = by.regions / by.counted_px * 1e6
    trust = replace(trust, false_alarms_per_megapixel=rate, false_alarms_per_megapixel_interval=(low, high))
    if grid.pixel_area_m2 is None:
        return trust
    area = grid.pixel_area_m2
    return replace(
        trust, false_alarms_per_km2=rate / area, false_alarms_per_km2_interval=(low / area, high / area)
    )
