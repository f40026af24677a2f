"""Published measures of change, selectable instead of the structure measure: what it is held against.

Each gives one map on the cells of the structure measure, larger where more changed, so that the same rules
of score, threshold, tiers and cleaning can follow.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import skimage.filters
import skimage.metrics

from . import bands, irmad
from .cells import CELL, Maps, Measures
from .radiometry import luminance
from .types import BoolArray, ByteArray, FloatArray

Reference = Callable[[ByteArray, ByteArray, tuple[str, ...]], FloatArray]
"""(before8, after8, roles) of one tile to (cell rows, cell cols) float32; sides are multiples of `CELL`."""

BINS = 1024
"""Of the histogram that Otsu's threshold is looked for in."""


def cell_means(values: FloatArray) -> FloatArray:
    """Means over cells, the sixteen pixels of each added in one order, whatever the tile."""
    columns = values[:, 0::CELL] + values[:, 1::CELL] + values[:, 2::CELL] + values[:, 3::CELL]
    total = columns[0::CELL] + columns[1::CELL] + columns[2::CELL] + columns[3::CELL]
    return (total / (CELL * CELL)).astype(np.float32)


def one_minus_ssim(before8: ByteArray, after8: ByteArray, roles: tuple[str, ...]) -> FloatArray:
    """1 - structural similarity of luminance, 0 (the same) to 2, with the windows of the paper [1]_.

    Gaussian of sigma 1.5 px, K1 .01, K2 .03, a range of 255; no tolerance to shifts.

    References
    ----------
    .. [1] Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to structural
           similarity", IEEE Transactions on Image Processing 13(4), 2004. :DOI:`10.1109/TIP.2003.819861`
    """
    a, b = (luminance(x, roles).astype(np.float64) for x in (before8, after8))
    _, similarity = skimage.metrics.structural_similarity(  # type: ignore[no-untyped-call]
        a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255, full=True
    )
    return cell_means(1 - similarity)


def change_vector(before8: ByteArray, after8: ByteArray, roles: tuple[str, ...]) -> FloatArray:
    """Length of the change vector, root mean square over the normalised bands, 0 to 255 grey levels [1, 2]_.

    References
    ----------
    .. [1] Malila, "Change vector analysis: an approach for detecting forest changes with Landsat", LARS
           Symposia 385, 1980.
    .. [2] Bovolo and Bruzzone, "A theoretical framework for unsupervised change detection based on change
           vector analysis in the polar domain", IEEE Transactions on Geoscience and Remote Sensing 45(1),
           2007. :DOI:`10.1109/TGRS.2006.885408`
    """
    square = np.zeros(before8.shape[1:], np.int32)
    for a, b in zip(before8, after8, strict=True):
        d = a.astype(np.int32) - b
        square += d * d
    return cell_means(np.sqrt(square.astype(np.float32) / np.float32(len(before8))))


def alteration(
    transform: irmad.Transform, before8: ByteArray, after8: ByteArray, roles: tuple[str, ...]
) -> FloatArray:
    """Root of the mean squared MAD variate, about 1 where nothing changed; see `irmad`."""
    chi = irmad.chi_square(transform, before8, after8)
    return cell_means(np.sqrt(chi / np.float32(len(roles))))


def _irmad(before8: ByteArray, after8: ByteArray, valid: BoolArray) -> Reference:
    return partial(alteration, irmad.fit(before8, after8, valid))


PREPARE: dict[str, Callable[[ByteArray, ByteArray, BoolArray], Reference]] = {
    "ssim": lambda before8, after8, valid: one_minus_ssim,
    "cva": lambda before8, after8, valid: change_vector,
    "irmad": _irmad,
}
"""By the name of `settings.diff.measure`: from a reduced picture of the scene, what measures its tiles."""


def otsu(values: FloatArray) -> float:
    """The threshold that parts the values best into two classes [1]_; the only value where all are alike.

    References
    ----------
    .. [1] Otsu, "A threshold selection method from gray-level histograms", IEEE Transactions on Systems, Man
           and Cybernetics 9(1), 1979. :DOI:`10.1109/TSMC.1979.4310076`
    """
    if not len(values) or values.min() == values.max():
        return float(values.max(initial=0.0))
    return float(skimage.filters.threshold_otsu(values, nbins=BINS))  # type: ignore[no-untyped-call]


def chosen(measures: Maps, where: Callable[[Measures], BoolArray]) -> FloatArray:
    """(N,) the measure that the score is made of instead, in the cells that count by their texture."""
    parts = (measures.rows(*band.outer, ["reference", "texture"]) for band in bands.of(measures.shape))
    return np.concatenate([part.reference[where(part)] for part in parts if part.reference is not None])


def scale(
    usual: FloatArray, ceiling: list[Measures], other: list[BoolArray], p: float
) -> tuple[dict[str, float], dict[str, float]]:
    """Floor and ceiling of the measure that the score is made of instead; exact order statistics.

    Parameters
    ----------
    usual : (N,) float32
        The scene's, of `chosen`.
    other : list of (cell rows, cell cols)
        Cells that count of each of the ceiling's windows.
    p : float
        Share of the scene's cells that lie below the floor.
    """
    unrelated = [m.reference[t] for m, t in zip(ceiling, other, strict=True) if m.reference is not None]
    floor = order_statistic(usual, p)
    top = order_statistic(np.concatenate([*unrelated, np.zeros(0, np.float32)]), 0.5)
    return {"reference": floor}, {"reference": top}


def order_statistic(values: FloatArray, p: float) -> float:
    """The value that a share p lies below, one of the values; 0 when there are none."""
    return float(np.quantile(values, p, method="lower")) if len(values) else 0.0
