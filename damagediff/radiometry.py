"""Bring two images to one 8-bit scale, learning from what most likely did not change.

Histogram matching over all pixels would make rubble look like roofs and so erase the very damage that is
looked for. Here the look-up is learnt where local structure agrees, and re-weighted by its own residuals.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from .outcome import EightBit, LookUp
from .types import BoolArray, ByteArray, FloatArray

IntArray = npt.NDArray[np.intp]

TABLE_STEPS = 4096
"""Entries of a look-up: steps of about .1 grey level, fine enough to keep 8-bit values as they are."""
TOLD = 17
"""Places of a look-up that are written down: between them it is nearly straight."""
PROBABILITIES = np.concatenate([[0.002], np.linspace(0.01, 0.99, 31), [0.998]])
"""Quantiles that are tied to each other: the knots of the look-up."""
TRUSTED_CORRELATION = 0.5
"""Local correlation from which a pixel may teach; lowered where fewer than TRUSTED_SHARE reach it."""
TRUSTED_SHARE = 0.2
FULL_TRUST_ABOVE = 0.3
"""Correlation above the bar from which a pixel teaches with full weight."""
CORRELATION_SIGMA_PX = 4.0
NOISE_GREY2 = 16.0
"""Variance below which texture is taken for noise: flat ground correlates with nothing."""
SMOOTH_SIGMA_PX = 1.5
"""Blur before values are compared, against misregistration of about a pixel."""
ROUNDS = 6
OUTLIER_SPREADS = 3.0
"""Residual, in robust spreads, from which a pixel no longer teaches."""
MAX_TEACHERS = 60_000
"""Teaching pixels used, evenly picked: more do not move a quantile by a tenth of a grey level."""
MIN_TRUSTED = 64
"""Fewer teaching pixels than this cannot teach; all valid ones do, linearly."""
FAR_GREY = 1e4
"""Where values end that are learnt from: a broken pixel of 1e30 has no square in float32."""
MIN_CONTRAST = 16.0
"""An 8-bit image whose p0.5..p99.5 is narrower is stretched like any other."""


@dataclass(frozen=True)
class Table:
    """One band's values to 8 bits, monotone: `steps` entries evenly from `low` to `high`."""

    low: float
    high: float
    steps: ByteArray

    def __call__(self, data: FloatArray) -> ByteArray:
        """uint8 of the same shape; values beyond the table take its ends, NaN its low end."""
        scale = np.float32((len(self.steps) - 1) / (self.high - self.low))
        index = np.fmin(np.fmax(data, np.float32(self.low)), np.float32(self.high))
        index -= np.float32(self.low)
        index *= scale
        index += np.float32(0.5)
        taken: ByteArray = self.steps.take(index.astype(np.uint16))
        return taken


@dataclass(frozen=True)
class Radiometry:
    """How the values of both images become 8-bit working values on the before image's scale."""

    scale: tuple[float, float] | None
    """(low, high) of the before image that became 0..255; None: its values are used as they are."""
    before: tuple[Table, ...]
    after: tuple[Table, ...]
    trusted_share: float
    """Share of the valid pixels that taught the look-up, 0..1."""
    residual_grey: tuple[float, ...]
    """Per band, robust spread in grey levels of what the look-up leaves on trusted pixels."""

    def before_8bit(self, data: FloatArray) -> ByteArray:
        """(bands, rows, cols) before values as read, to uint8."""
        return np.stack([table(band) for table, band in zip(self.before, data, strict=True)])

    def after_8bit(self, data: FloatArray) -> ByteArray:
        """(bands, rows, cols) after values as read, to uint8 on the before image's scale."""
        return np.stack([table(band) for table, band in zip(self.after, data, strict=True)])

    def told(self) -> EightBit:
        """The look-ups in a few numbers a band, for the record."""
        return EightBit(tuple(map(_told, self.before)), tuple(map(_told, self.after)))


def _told(table: Table) -> LookUp:
    places = np.linspace(0, len(table.steps) - 1, TOLD).round().astype(int)
    return LookUp(float(table.low), float(table.high), tuple(map(int, table.steps[places])))


def fit_radiometry(
    before: FloatArray, after: FloatArray, valid: BoolArray, roles: tuple[str, ...]
) -> Radiometry:
    """Learn how both images become comparable 8-bit values.

    Data that already lie in 0..255 stay as they are; other before images are stretched from p0.5..p99.5
    of their valid pixels to 0..255, all bands alike so that hue is kept. The after image gets one monotone
    look-up a band: quantiles of the after values tied to the same quantiles of the before values, both
    taken over *trusted* pixels only. Trusted are pixels whose surroundings correlate (sigma 4 px); their
    weight falls with the residual over six rounds (Tukey's biweight), as in iteratively re-weighted change
    detection [1]_. Tying quantiles, unlike regressing one image on the other, does not lose contrast to
    noise in either.

    Parameters
    ----------
    before, after : (bands, rows, cols) float32
        Reduced, aligned images in the files' own units; about 1,000 px a side is plenty.
    valid : (rows, cols) bool
        True where both images have pixels; all False for a pair that is not aligned: each image is then
        stretched on its own, only to be looked at.
    roles : tuple of str
        One for each band; the correlation uses all of them alike.

    Returns
    -------
    Radiometry
        With ``trusted_share`` 0 when nothing could be trusted: then the after image is stretched linearly
        to the before image's quartiles.

    References
    ----------
    .. [1] Canty and Nielsen, "Automatic radiometric normalization of multitemporal satellite imagery with
           the iteratively re-weighted MAD transformation", Remote Sensing of Environment 112, 2008.
           :DOI:`10.1016/j.rse.2007.07.013`
    """
    assert before.shape == after.shape == (len(roles), *valid.shape)
    together = bool(valid.any())
    if not together:
        valid = np.ones_like(valid)
    before, after = _filled(before, valid), _filled(after, valid)
    scale = before_scale(before, valid)
    target = before if scale is None else (before - scale[0]) * (255 / (scale[1] - scale[0]))
    source, units = _unit_scaled(after, valid)
    source, target = (np.clip(x, -FAR_GREY, FAR_GREY) for x in (source, target))
    weight = trusted(target, source, valid) if together else np.zeros(valid.shape, np.float32)
    knots, share, spread = _learn(source, target, valid, weight)
    return Radiometry(
        scale=scale,
        before=tuple(_before_table(scale) for _ in roles),
        after=tuple(_after_table(x, y, units) for x, y in knots),
        trusted_share=share,
        residual_grey=spread,
    )


def _filled(data: FloatArray, valid: BoolArray) -> FloatArray:
    """The data with one harmless value where it is not valid."""
    finite = data[:, valid][np.isfinite(data[:, valid])]
    middle = float(np.median(finite)) if finite.size else 0.0
    return np.where(valid & np.isfinite(data), data, middle).astype(np.float32)


def before_scale(before: FloatArray, valid: BoolArray) -> tuple[float, float] | None:
    """(low, high) to stretch to 0..255, or None for data that already are 8-bit like."""
    values = before[:, valid]
    low, high = (float(q) for q in np.percentile(values, [0.5, 99.5]))
    # Resampling with a cubic kernel overshoots an 8-bit range by up to a quarter.
    if values.min() >= -64 and values.max() <= 319 and high - low >= MIN_CONTRAST:
        return None
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _unit_scaled(after: FloatArray, valid: BoolArray) -> tuple[FloatArray, tuple[float, float]]:
    """The after image with p0.5..p99.5 at 0..255, and those two values."""
    low, high = (float(q) for q in np.percentile(after[:, valid], [0.5, 99.5]))
    high = high if high > low else low + 1.0
    return (after - np.float32(low)) * np.float32(255 / (high - low)), (low, high)


def trusted(before: FloatArray, after: FloatArray, valid: BoolArray) -> FloatArray:
    """Weight 0..1 of each pixel as a teacher: high where local structure agrees in both images."""
    correlation = _local_correlation(before.mean(0), after.mean(0), valid)
    bar = min(TRUSTED_CORRELATION, float(np.quantile(correlation[valid], 1 - TRUSTED_SHARE)))
    return np.where(valid, np.clip((correlation - bar) / FULL_TRUST_ABOVE, 0, 1), 0)


def _local_correlation(x: FloatArray, y: FloatArray, valid: BoolArray) -> FloatArray:
    weight = valid.astype(np.float32)
    share = np.maximum(_blur(weight, CORRELATION_SIGMA_PX), 1e-3)

    def mean(z: FloatArray) -> FloatArray:
        return _blur(z * weight, CORRELATION_SIGMA_PX) / share

    mx, my = mean(x), mean(y)
    vx, vy = np.maximum(mean(x * x) - mx * mx, 0), np.maximum(mean(y * y) - my * my, 0)
    correlation: FloatArray = (mean(x * y) - mx * my) / np.sqrt(vx * vy + NOISE_GREY2)
    return correlation


def _blur(x: FloatArray, sigma: float) -> FloatArray:
    return np.asarray(cv2.GaussianBlur(x.astype(np.float32), (0, 0), sigma), np.float32)


Knots = tuple[FloatArray, FloatArray]


def _learn(
    source: FloatArray, target: FloatArray, valid: BoolArray, weight: FloatArray
) -> tuple[list[Knots], float, tuple[float, ...]]:
    """Knots a band, the share of the valid pixels that taught them, and the residual spread a band."""
    teaches = np.flatnonzero(weight > 0)
    if len(teaches) < MIN_TRUSTED:
        return [_linear(x[valid], y[valid]) for x, y in zip(source, target, strict=True)], 0.0, ()
    teaches = teaches[:: math.ceil(len(teaches) / MAX_TEACHERS)]
    xs = [_blur(band, SMOOTH_SIGMA_PX).ravel()[teaches] for band in source]
    ys = [_blur(band, SMOOTH_SIGMA_PX).ravel()[teaches] for band in target]
    first = weight.ravel()[teaches].astype(np.float64)
    current = first
    orders = [tuple(np.argsort(z, kind="stable") for z in pair) for pair in zip(xs, ys, strict=True)]
    for _ in range(ROUNDS):
        knots = [_tie(x, y, current, order) for x, y, order in zip(xs, ys, orders, strict=True)]
        residual = [np.interp(x, *k) - y for x, y, k in zip(xs, ys, knots, strict=True)]
        spread = [1.4826 * _quantile(np.abs(r), first, 0.5) + 1 for r in residual]
        far = sum((r / s) ** 2 for r, s in zip(residual, spread, strict=True)) / len(xs)
        current = first * np.maximum(0, 1 - far / OUTLIER_SPREADS**2) ** 2
    share = np.count_nonzero(weight) * np.count_nonzero(current) / len(current) / np.count_nonzero(valid)
    return knots, float(share), tuple(float(s) for s in spread)


def _tie(x: FloatArray, y: FloatArray, weight: FloatArray, orders: tuple[IntArray, ...]) -> Knots:
    """Knots that take the weighted quantiles of x to those of y; strictly rising in x, rising in y.

    `orders` sort x and y: they stay as they are while the weights change.
    """
    step = np.arange(len(PROBABILITIES)) * 1e-3
    both = zip((x, y), orders, strict=True)
    of_x, of_y = (_quantile(z, weight, PROBABILITIES, order) + step for z, order in both)
    return of_x, of_y


def _linear(x: FloatArray, y: FloatArray) -> Knots:
    """Two knots: the quartiles of x go to those of y."""
    low, high = np.percentile(x, [25, 75])
    return np.array([low, max(high, low + 1e-3)]), np.percentile(y, [25, 75])


def _quantile(
    x: FloatArray, weight: FloatArray, p: float | FloatArray, order: IntArray | None = None
) -> FloatArray:
    """Weighted quantiles of x; `order`, if it is known, sorts it."""
    if order is None:
        order = np.argsort(x, kind="stable")
    mass = np.cumsum(weight[order])
    return np.asarray(np.interp(np.asarray(p) * mass[-1], mass - weight[order] / 2, x[order]))


def _before_table(scale: tuple[float, float] | None) -> Table:
    low, high = (0.0, 255.0) if scale is None else scale
    grey = np.linspace(0, 255, TABLE_STEPS)
    return Table(low, high, np.rint(grey).astype(np.uint8))


def _after_table(x: FloatArray, y: FloatArray, units: tuple[float, float]) -> Table:
    """Dense look-up in the after image's own units from knots in its scaled units."""
    inner = slice(3, -3) if len(x) > 8 else slice(None)
    gain = (y[inner][-1] - y[inner][0]) / (x[inner][-1] - x[inner][0])
    reach = np.array([-1.0, 1.0]) * 1000  # beyond the knots: straight on, with the gain of the middle
    xs = np.concatenate([[x[0] + reach[0]], x, [x[-1] + reach[1]]])
    ys = np.concatenate([[y[0] + reach[0] * gain], y, [y[-1] + reach[1] * gain]])
    scaled = np.linspace(-64, 319, TABLE_STEPS)
    low, high = (units[0] + s * (units[1] - units[0]) / 255 for s in (scaled[0], scaled[-1]))
    grey = np.clip(np.rint(np.interp(scaled, xs, ys)), 0, 255).astype(np.uint8)
    return Table(low, high, grey)


def luminance(bands: ByteArray, roles: tuple[str, ...]) -> ByteArray:
    """(rows, cols) uint8 brightness of (bands, rows, cols) uint8, in integer arithmetic.

    Rec. 601 weights in 256ths for red, green and blue; without them the mean of the bands.
    """
    if {"red", "green", "blue"} <= set(roles):
        red, green, blue = (bands[roles.index(role)].astype(np.uint16) for role in ("red", "green", "blue"))
        return np.asarray((77 * red + 150 * green + 29 * blue + 128) >> 8, np.uint8)
    if len(bands) == 1:
        return np.asarray(bands[0])
    total = bands.sum(axis=0, dtype=np.uint32)
    return np.asarray((total + len(bands) // 2) // len(bands), np.uint8)
