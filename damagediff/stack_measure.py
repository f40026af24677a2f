"""A test of each place against its own variation over earlier images, as PWTT does for radar [1]_.

How much a place varies between dates before the event says what is unusual there: a field may turn from
green to brown, a roof may not.

References
----------
.. [1] Ballinger, "Open access battle damage detection via pixel-wise t-test on Sentinel-1 imagery", 2024.
       arXiv:2405.06323
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from . import structure
from .cells import CELL
from .structure import MARGIN
from .types import BoolArray, ByteArray, FloatArray

PRIOR_FREEDOM = 4.0
"""Images' worth of freedom that the scene's usual variance counts for beside a place's own."""
LEAST_VARIANCE_GREY2 = 1.0
"""Rounding to 8 bits and resampling vary by that much."""


def on_cells(bands8: ByteArray, valid: BoolArray) -> tuple[FloatArray, BoolArray]:
    """One image's means over windows of about a Gaussian of 3 px, and where all pixels in them are valid.

    Parameters
    ----------
    bands8, valid : (bands, rows, cols) uint8 and (rows, cols)
        With `structure.HALO` px on every side.

    Returns
    -------
    (bands, cell rows, cell cols) and (cell rows, cell cols), on the core; the same bits in every tile
    """
    short = [(0, -n % CELL) for n in valid.shape]
    valid = np.pad(valid, short, mode="edge")
    bands8 = np.pad(bands8, [(0, 0), *short], mode="edge") * valid
    core = np.s_[MARGIN:-MARGIN, MARGIN:-MARGIN]
    means = [structure.window_means(structure.cell_sums(b.astype(np.float32)))[core] for b in bands8]
    full = structure.cell_sums(valid.astype(np.float32)) == CELL**2
    seen = cv2.erode(full.astype(np.uint8), np.ones((3, 3), np.uint8), borderType=cv2.BORDER_REPLICATE)
    return np.stack(means), seen[core] > 0


def usual_variance(earlier: Sequence[FloatArray], valid: BoolArray) -> FloatArray:
    """(bands,) variance that half of the valid places exceed, as a sample of so many images has it.

    The median of a variance of so many degrees of freedom is below its mean: by the Wilson-Hilferty cube.
    """
    freedom = len(earlier) - 1
    lower = (1 - 2 / (9 * freedom)) ** 3
    spread = np.var(np.stack(earlier), axis=0, ddof=1)
    if not valid.any():
        return np.full(len(spread), LEAST_VARIANCE_GREY2)
    return np.asarray([max(float(np.median(v[valid])) / lower, LEAST_VARIANCE_GREY2) for v in spread])


def departure(after: FloatArray, earlier: Sequence[FloatArray], usual: FloatArray) -> FloatArray:
    """How far the after image departs from the earlier ones, in standard errors: root mean square over bands.

    The t statistic of one new value against n earlier ones, its variance moderated [1]_: the place's own with
    n - 1 degrees of freedom, and the scene's usual one with `PRIOR_FREEDOM`. With few images a place's own
    variance alone is mostly chance.

    Parameters
    ----------
    after : (bands, rows, cols)
        Means over windows.
    earlier : sequence of (bands, rows, cols)
        At least two, the before image among them.
    usual : (bands,)
        Of `usual_variance`.

    Returns
    -------
    (rows, cols) float32, 0 and more

    References
    ----------
    .. [1] Smyth, "Linear models and empirical Bayes methods for assessing differential expression in
           microarray experiments", Stat. Appl. Genet. Mol. Biol. 3(1), 2004. :DOI:`10.2202/1544-6115.1027`
    """
    stack = np.stack(earlier).astype(np.float64)
    count, freedom = len(stack), len(stack) - 1
    own = stack.var(axis=0, ddof=1)
    variance = (freedom * own + PRIOR_FREEDOM * usual[:, None, None]) / (freedom + PRIOR_FREEDOM)
    t = (after - stack.mean(axis=0)) / np.sqrt(variance * (1 + 1 / count))
    return np.sqrt((t * t).mean(axis=0)).astype(np.float32)
