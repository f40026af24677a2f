"""Change of radar backscatter: log-ratio, multi-looked, held against the speckle of this very pair.

Speckle multiplies; on a logarithmic scale it adds, with the same spread at every brightness. So both images
are coded in decibels first, and everything is a difference of decibels averaged over a window. How much that
varies where nothing changed is measured on the pair itself, spatial correlation included; the equivalent
number of looks says what it would be without.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
import scipy.optimize
import scipy.special

from . import cells, reference_measures, structure
from .cells import CELL, Maps, Measures
from .radiometry import Radiometry, Table, luminance
from .settings import RadarSettings, Settings
from .types import (
    NO_CHANGE,
    NOT_ANALYSED,
    OTHER_CHANGE,
    BoolArray,
    ByteArray,
    ChangeMap,
    FloatArray,
)

TABLE_STEPS = 32_768
DB_PER_NEPER = 10 / math.log(10)
"""Decibels of a factor e in intensity."""
POWER = {"amplitude": 2, "intensity": 1}
LEAST_WHOLE = 2.0
"""Added to values of whole numbers before the logarithm: below two steps there is only rounding."""
DARK_STEPS = 8
"""Whole values below which rounding is a good part of what varies."""
LEAST_SHARE = 0.01
"""The same for other values, as a share of their median."""
TOP = 99.95
"""Percentile of the scene that is coded as 255; brighter points are as bright as that."""
LAG_CELLS = 5
"""Windows so far apart share no pixel, and no speckle that is correlated over up to 10 px."""
LEAST_SPREAD_DB = 0.01
OFFSET_SPREADS = 4.0
"""Log-ratio, in spreads from the offset, beyond which a cell no longer says what the offset is."""
ROUNDS = 20
MODE_BINS = 120
VARIANCES_DB2 = (1e-3, 1e3)


@dataclass(frozen=True)
class LogRatio:
    """Measures one tile of two images coded in decibels; a `reference_measures.Reference`."""

    db_per_grey: float
    dark8: tuple[float, float] = (0.0, 0.0)
    """Mean grey level of a window in each image below which rounding hides the speckle: no variance there."""

    apart_db: float = 0.0
    """Decibels by which the after image's code begins above the before image's."""

    def __call__(self, before8: ByteArray, after8: ByteArray, roles: tuple[str, ...]) -> FloatArray:
        """(3, cell rows, cell cols) float32: mean log-ratio in dB, variance of each image in dB squared.

        Over windows of about a Gaussian of sigma 3 px; sums of whole numbers, the same bits in every tile.
        """
        a, b = (luminance(x, roles).astype(np.float32) for x in (before8, after8))
        mean_a, mean_b, square_a, square_b = (_window_mean(x) for x in (a, b, a * a, b * b))
        variances = [
            (square - mean * mean) * (mean >= np.float32(dark))
            for square, mean, dark in zip((square_a, square_b), (mean_a, mean_b), self.dark8, strict=True)
        ]
        maps = np.stack([_window_mean(b - a), *variances])
        step = np.float32(self.db_per_grey)
        maps *= np.array([step, step * step, step * step], np.float32)[:, None, None]
        maps[0] += np.float32(self.apart_db)
        return maps


def _window_mean(x: FloatArray) -> FloatArray:
    weights = structure.SMALL_WINDOW
    sums = cv2.sepFilter2D(structure.cell_sums(x), cv2.CV_32F, weights, weights)
    return np.asarray(sums / structure.COUNT, np.float32)


def log_coded(
    before: FloatArray, after: FloatArray, valid: BoolArray, whole: tuple[bool, bool], settings: RadarSettings
) -> tuple[Radiometry, LogRatio]:
    """How both images become 8-bit decibels, one step of which is the same in both.

    Parameters
    ----------
    before, after : (bands, rows, cols) float32
        Reduced, aligned images in the files' own units.
    valid : (rows, cols) bool
    whole : (bool, bool)
        Whether each file holds whole numbers.
    settings : RadarSettings
        Whether values are amplitudes, intensities or decibels.
    """
    curves = [_curve(x[:, valid], w, settings.values) for x, w in zip((before, after), whole, strict=True)]
    db_per_grey = max(max(float(db[-1] - db[0]) for *_, db in curves), 1.0) / 255
    tables = [
        Table(low, high, np.rint((db - db[0]) / db_per_grey).astype(np.uint8)) for low, high, db in curves
    ]
    dark_db = DB_PER_NEPER * POWER.get(settings.values, 0) * math.log1p(DARK_STEPS / LEAST_WHOLE)
    dark8 = [dark_db / db_per_grey if w else 0.0 for w in whole]
    apart_db = float(curves[1][2][0] - curves[0][2][0])
    bands = len(before)
    coded = Radiometry(None, (tables[0],) * bands, (tables[1],) * bands, 0.0, ())
    return coded, LogRatio(db_per_grey, (dark8[0], dark8[1]), apart_db)


def _curve(values: FloatArray, whole: bool, kind: str) -> tuple[float, float, FloatArray]:
    """(low, high, decibels of values evenly from low to high) of one image."""
    finite = values[np.isfinite(values)]
    if kind == "db":
        low, high = (float(q) for q in np.percentile(finite, [100 - TOP, TOP]))
        high = max(high, low + 1)
        return low, high, np.linspace(low, high, TABLE_STEPS)
    above = finite[finite > 0]
    middle, high = (float(q) for q in np.percentile(above, [50, TOP])) if len(above) else (1.0, 1.0)
    least = LEAST_WHOLE if whole else LEAST_SHARE * middle
    steps = np.linspace(0, high, TABLE_STEPS)
    return 0.0, high, DB_PER_NEPER * POWER[kind] * np.log(steps + least)


def change_map(measures: Maps, ceiling: list[Measures], least_px: int, settings: Settings) -> ChangeMap:
    """Score, threshold and changed cells of a radar pair.

    The log-ratio of two speckles of L looks is the logarithm of a Fisher-distributed variable with 2L and 2L
    degrees of freedom, of variance 2 psi'(L) [1]_; its mean over many is normal. Its spread is measured
    between windows of this pair that lie 5 cells apart, by a median that changed places cannot move. A score
    of .5 is what unchanged speckle exceeds at the stated false-alarm rate, in every scene:
    ``s = t / (t + t0)``, t = -log10 of the two-sided probability of so large a ratio, t0 that of the rate.

    A cell is changed where the ratio exceeds that *and* Otsu's threshold: ground that did not change in any
    sense of a reader's (moisture, wind on water) still differs by more than its speckle. All of it is *other*
    change: radar does not tell what was built.

    Parameters
    ----------
    measures : Maps
        Of the whole scene, with the maps of `LogRatio` as ``reference``.
    ceiling : list of Measures
        Of places where unrelated content meets.
    least_px : int
        The minimum mapping unit in pixels.

    References
    ----------
    .. [1] Touzi, Lopes and Bousquet, "A statistical and geometrical edge detector for SAR images", IEEE
           Transactions on Geoscience and Remote Sensing 26(6), 1988. :DOI:`10.1109/36.7708`
    """
    maps = cells.computed(measures, ["reference"], 0, _reference)
    ratio, variances = maps[0], maps[1:]
    lit = measures.valid & (variances > 0).all(0)
    speckle = spread(ratio, lit)
    offset = _offset(ratio[lit if lit.any() else measures.valid], speckle)
    apart = np.abs(ratio - np.float32(offset))
    rate = settings.radar.false_alarm_rate
    alarm = -float(scipy.special.ndtri(rate / 2)) * speckle
    otsu = reference_measures.otsu(apart[measures.valid])
    limits = {"false_alarm_threshold_db": alarm, "otsu_threshold_db": otsu}
    fixed = None if isinstance(settings.diff.threshold, str) else settings.diff.threshold
    at_db = max(alarm, otsu)
    threshold = float(_score(np.array(at_db), speckle, rate)) if fixed is None else fixed
    values = np.where(measures.valid, _score(apart, speckle, rate), np.nan).astype(np.float32)
    resemblance = _comparability(apart[measures.valid], ceiling, offset)
    looks = [_looks(variance[lit], speckle) for variance in variances]
    least = math.ceil(least_px / CELL**2)
    changed = np.where(_large(np.nan_to_num(values) > np.float32(threshold), least), OTHER_CHANGE, NO_CHANGE)
    if resemblance < settings.diff.min_comparability:
        changed[:] = NOT_ANALYSED
    changed[~measures.valid] = NOT_ANALYSED
    return ChangeMap(
        score=values,
        changed=changed.astype(np.uint8),
        valid=measures.valid,
        cell_px=CELL,
        threshold=threshold,
        threshold_rule=_rule(fixed, rate, at_db),
        comparability=resemblance,
        calibration=_told(looks, offset, speckle, limits),
        min_region_px=least * CELL**2,
        measure="log_ratio",
    )


def _reference(measures: Measures) -> FloatArray:
    """(3, rows, cols) the log-ratio, and the variances of both images."""
    assert measures.reference is not None
    return measures.reference


def without_optics(measures: Maps) -> Maps:
    """The same with nothing that flags of optical images could be read from."""
    return cells.Seen(measures, lambda m: replace(m, texture=np.full(m.shape, np.inf, np.float32)), {})


def spread(ratio: FloatArray, usable: BoolArray) -> float:
    """Standard deviation in dB that speckle leaves in the log-ratio of a window, at least .01.

    From windows 5 cells apart in both directions, by the median: half of these pairs may meet a border of
    change. What unchanged ground does over 20 px is in it too.
    """
    steps = []
    for values, known in ((ratio, usable), (ratio.T, usable.T)):
        both = known[LAG_CELLS:] & known[:-LAG_CELLS]
        steps.append(np.abs(values[LAG_CELLS:] - values[:-LAG_CELLS])[both])
    apart = np.concatenate(steps)
    typical = float(np.median(apart)) if len(apart) else 0.0
    return max(LEAST_SPREAD_DB, 1.4826 * typical / math.sqrt(2))


def _offset(ratio: FloatArray, speckle: float) -> float:
    """Log-ratio in dB of the ground that did not change: calibration, season; from the median on (Tukey)."""
    if not len(ratio):
        return 0.0
    values = ratio.astype(np.float64)
    middle = float(np.median(values))
    for _ in range(ROUNDS):
        weight = np.maximum(0, 1 - ((values - middle) / (OFFSET_SPREADS * speckle)) ** 2) ** 2
        if weight.sum() <= 0:
            break
        middle = float((weight * values).sum() / weight.sum())
    return middle


def _score(apart_db: FloatArray, speckle: float, rate: float) -> FloatArray:
    """Log-ratios without their offset to scores 0..1."""
    log_p = (scipy.special.log_ndtr(-np.asarray(apart_db, np.float64) / speckle) + math.log(2)) / math.log(10)
    t = np.maximum(0, -log_p)
    return np.asarray(t / (t - math.log10(rate)))


def _comparability(apart: FloatArray, ceiling: list[Measures], offset: float) -> float:
    """1 - median / ceiling of the log-ratio; 0 where there is nothing unrelated to compare with."""
    unrelated = [np.abs(_reference(m)[0][m.valid] - np.float32(offset)) for m in ceiling]
    others = np.concatenate([*unrelated, np.zeros(0, np.float32)])
    top = reference_measures.order_statistic(others, 0.5)
    return max(0.0, 1 - reference_measures.order_statistic(apart, 0.5) / top) if top > 0 else 0.0


def _looks(variance_db2: FloatArray, speckle: float) -> float:
    """Equivalent number of looks: psi'(L) is the variance of the logarithm where the ground is homogeneous.

    The most frequent variance of a window stands for homogeneous ground; it lacks the variance of the
    window's own mean, half of that of the log-ratio.
    """
    known = variance_db2[variance_db2 > 0]
    if not len(known):
        return math.nan
    ends = [math.log(v) for v in VARIANCES_DB2]
    counts, edges = np.histogram(np.log(known), MODE_BINS, (ends[0], ends[1]))
    smooth = np.convolve(counts, [1, 4, 6, 4, 1], mode="same")
    k = int(smooth.argmax())
    variance = (math.exp((edges[k] + edges[k + 1]) / 2) + speckle**2 / 2) / DB_PER_NEPER**2
    return looks_of(variance)


def looks_of(variance: float) -> float:
    """L of a gamma distribution whose logarithm has this variance in nepers squared, .01 to 10,000."""
    low, high = 1e-2, 1e4
    if not scipy.special.polygamma(1, high) < variance < scipy.special.polygamma(1, low):
        return high if variance < 1 else low
    return float(scipy.optimize.brentq(lambda looks: scipy.special.polygamma(1, looks) - variance, low, high))


def _large(mask: BoolArray, least: int) -> BoolArray:
    """Components of at least `least` cells. Nothing is opened away: the windows are smooth already."""
    labels, count = cells.components(mask)
    large = np.bincount(labels.ravel(), minlength=count + 1) >= least
    large[0] = False
    return np.asarray(large[labels], bool)


def _rule(fixed: float | None, rate: float, at_db: float) -> str:
    if fixed is not None:
        return "fixed by the settings"
    return (
        f"a log-ratio of {at_db:.2f} dB: the larger of what unchanged speckle exceeds in {rate:g} of the "
        "places, and of Otsu's threshold"
    )


def _told(looks: list[float], offset: float, speckle: float, limits: dict[str, float]) -> dict[str, float]:
    """What a run says of its speckle."""
    expected = sum(float(scipy.special.polygamma(1, one)) for one in looks) * DB_PER_NEPER**2
    return limits | {
        "equivalent_looks_before": looks[0],
        "equivalent_looks_after": looks[1],
        "independent_samples_of_a_window": expected / speckle**2,
        "offset_db": offset,
        "speckle_of_the_log_ratio_db": speckle,
    }
