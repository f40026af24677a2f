"""Signs that a picture was JPEG before: of its own tables, and of steps and grids that its pixels keep.

A JPEG stores whole multiples of a step for each of 64 frequencies of each block of 8 x 8 px. Decoded, the
picture keeps them: on the grid of those blocks its coefficients lie near multiples of the steps, and on no
other (Fan and de Queiroz 2003, doi:10.1109/TIP.2002.807361). The 63 other grids of the same picture say what
chance gives. On a JPEG's own grid, an earlier one shows as gaps among its multiples (Popescu and Farid 2004,
doi:10.1007/978-3-540-30114-1_10); there the other grids, quantised alike, are the measure.
"""

from __future__ import annotations

import cv2
import numpy as np

from .provenance import EarlierJpeg
from .types import Array, FloatArray

_LUMA = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
"""Luminance table of ISO/IEC 10918-1, annex K, by which the IJG scale is made."""
_ZIGZAG = sorted(
    ((u, v) for u in range(8) for v in range(8)), key=lambda p: (sum(p), p[:: 1 if sum(p) % 2 else -1])
)
MODES = _ZIGZAG[1:15]
"""Frequencies that are asked: low ones, which hold enough that is not zero."""
QUALITIES = np.arange(30, 98)
"""Beyond, steps are below 2 and drown in the rounding of pixels."""
LIMIT = 7.0
"""Evidence to speak of an earlier JPEG; pictures that had none stay below 4 (docs/method.md)."""
LIMIT_BESIDE = 20.0
"""The same on grids that share rows or columns with the JPEG's own, whose steps show there too."""
MIN_AGREEING = 0.6
"""Share of frequencies that must show it, each alone beyond 2 deviations: enlarged and drawn pictures have
periods too, at one or two."""
MAX_DEVIATIONS = 10.0
"""That one frequency may count."""
MIN_SIDE_PX = 128
BIN = 0.25
REACH = 160.0
"""Larger coefficients are left out: too few to count."""
MIN_BEAT = 0.15
"""Of a period in multiples of the own step, from a whole number: nearer, no gaps can be told from a slope."""
MIN_MODES = 4
OWN_GRID_QUALITY = 3.0
"""Times the limit from which a quality is told of an earlier JPEG on the same grid: with less evidence, steps
larger and smaller than the own one explain the same gaps."""


def tables(segments: list[bytes]) -> dict[int, Array]:
    """(8, 8) steps by number, from the quantisation segments of a JPEG; empty when they are broken."""
    found: dict[int, Array] = {}
    for segment in segments:
        at = 0
        while at < len(segment):
            wide, number = segment[at] >> 4, segment[at] & 15
            size = 128 if wide else 64
            values = np.frombuffer(segment[at + 1 : at + 1 + size], ">u2" if wide else "u1")
            if len(values) < 64:
                return found
            table = np.zeros((8, 8), int)
            for (u, v), step in zip(_ZIGZAG, values, strict=True):
                table[u, v] = max(1, int(step))
            found.setdefault(number, table)
            at += 1 + size
    return found


def is_standard(found: dict[int, Array], quality: int) -> bool:
    """Whether the luminance table is exactly that of a quality of the IJG scale."""
    own = next(iter(found.values())) if 0 not in found else found[0]
    return bool((own == standard(quality)).all())


def standard(q: int) -> Array:
    """(8, 8) luminance steps of quality `q` on the IJG scale, 1 to 100."""
    scale = 5000 // q if q < 50 else 200 - 2 * q
    return np.clip((_LUMA * scale + 50) // 100, 1, 255)


def earlier(grey: FloatArray, own: Array | None) -> EarlierJpeg | None:
    """The earlier compression with the most evidence, None when none has enough.

    Parameters
    ----------
    grey : (rows, cols) 0..255
        As delivered; its first pixel lies at a corner of the file's own 8 x 8 px grid.
    own : (8, 8) or None
        Luminance steps of the file itself; None when it is no JPEG.
    """
    if min(grey.shape) < MIN_SIDE_PX:
        return None
    planes = [_coefficients(grey, mode) for mode in MODES]
    found = _best(_deviations(planes, None), own is not None)
    if own is not None:
        again = _deviations(planes, own)
        again[:, :, 1:] = np.nan
        found = max(found, _best(again, False), key=lambda each: each.evidence / each.limit)
    return found if found.evidence >= found.limit else None


def _coefficients(grey: FloatArray, mode: tuple[int, int]) -> FloatArray:
    """(rows, cols) coefficient of the block that begins at each pixel, for whole blocks."""
    at = np.arange(8)
    waves = [np.cos((2 * at + 1) * k * np.pi / 16) * (np.sqrt(0.5) if k == 0 else 1) / 2 for k in mode]
    down, across = (wave.astype(np.float32) for wave in waves)
    full = cv2.sepFilter2D(grey.astype(np.float32), cv2.CV_32F, across, down, anchor=(0, 0))
    rows, cols = ((side - 7) // 8 * 8 for side in grey.shape)
    return np.asarray(full[:rows, :cols])


def _deviations(planes: list[FloatArray], own: Array | None) -> FloatArray:
    """(modes, qualities, 64 grids) how far the periodicity at a quality's step stands out among grids.

    NaN where a frequency cannot tell. With `own` steps, all grids are quantised by them first.
    """
    found = np.full((len(MODES), len(QUALITIES), 64), np.nan)
    for mode, plane, by_quality in zip(MODES, planes, found, strict=True):
        unit = BIN if own is None else float(own[mode])
        histogram = _histograms(plane, unit)
        periods = np.array([standard(int(q))[mode] for q in QUALITIES])
        for period in np.unique(periods):
            beat = (unit / period) % 1
            if period >= 2 and (own is None or min(beat, 1 - beat) >= MIN_BEAT):
                by_quality[periods == period] = _outstanding(_periodicity(histogram, unit, float(period)))
    return found


def _histograms(plane: FloatArray, unit: float) -> FloatArray:
    """(64 grids, multiples from 0) how often each whole multiple of `unit` occurs on each grid."""
    reach = int(REACH / unit)
    grids = (np.arange(plane.shape[0]) % 8)[:, None] * 8 + np.arange(plane.shape[1]) % 8
    level = np.abs(np.rint(plane / unit).astype(int))
    inside = level <= reach
    index = (grids * (reach + 1) + level)[inside]
    return np.bincount(index, minlength=64 * (reach + 1)).reshape(64, -1).astype(float)


def _periodicity(histogram: FloatArray, unit: float, period: float) -> FloatArray:
    """(64,) sum of cos(2 pi c / period), of coefficients over half a period, over the root of their count."""
    size = np.arange(histogram.shape[1]) * unit
    use = size > period / 2
    number = histogram[:, use].sum(1)
    total = histogram[:, use] @ np.cos(2 * np.pi * size[use] / period)
    return np.asarray(total / np.sqrt(np.maximum(number, 1)))


def _outstanding(values: FloatArray) -> FloatArray:
    """Each grid's deviation from the others; chance alone gives .7, the root of the mean of cos squared."""
    middle = np.median(values)
    spread = 1.4826 * np.median(np.abs(values - middle))
    return np.asarray((values - middle) / max(float(spread), 0.7))


def _best(deviations: FloatArray, in_jpeg: bool) -> EarlierJpeg:
    """The grid with the most evidence against its limit, and there the quality that fits best.

    Half a step has the same periods as a whole one: of like qualities the lowest is meant.
    """
    known = np.isfinite(deviations)
    modes = known.sum(0)
    limited = np.where(known, np.minimum(deviations, MAX_DEVIATIONS), 0).sum(0) / np.sqrt(
        np.maximum(modes, 1)
    )
    agreeing = (np.where(known, deviations, 0) > 2).sum(0) >= MIN_AGREEING * modes
    evidence = np.where(agreeing & (modes >= MIN_MODES), limited, 0.0)
    limit = np.full(64, LIMIT)
    if in_jpeg:
        limit.reshape(8, 8)[0], limit.reshape(8, 8)[:, 0] = LIMIT_BESIDE, LIMIT_BESIDE
        evidence[:, 0] = 0
    on = int(np.argmax(evidence.max(0) / limit))
    fit = np.where(evidence[:, on] >= 0.9 * evidence[:, on].max(), np.nansum(deviations[:, :, on], axis=0), 0)
    strongest = float(evidence[:, on].max())
    lowest = int(np.flatnonzero(fit >= 0.95 * fit.max())[0])
    near = fit[lowest : lowest + 4]  # whole steps: neighbours share most of them
    which: int | None = int(QUALITIES[lowest + np.flatnonzero(near >= 0.99 * near.max())[-1]])
    if np.isnan(deviations[:, :, 1]).all() and strongest < OWN_GRID_QUALITY * limit[on]:
        which = None
    return EarlierJpeg((on % 8, on // 8), which, strongest, float(limit[on]))
