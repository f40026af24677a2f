"""Whether another position of the whole picture explains a pair as well as the one that was found.

Windows are looked up near the position at hand; on a lattice of like houses the next house may lie further
away than that. Here both structure fields are correlated over all positions that leave enough overlap.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import scipy.fft

from . import align_fields
from .align_fields import Plane
from .types import Array, BoolArray, FloatArray

SIDE_PX = 256
"""Longest side at which whole pictures are compared: real pairs .72 at most, lattices .99 at least."""
LEAST_OVERLAP = 0.25
"""Share of the common area that a rival position must leave overlapped: less agrees by chance."""
HERE_PX = 3
BEYOND_PX = 10
"""Nearer than this it is the slope of the same peak."""
SMOOTH_PX = 1.0
MOST = 10.0
"""What is said when nothing agrees at the position at hand."""


def elsewhere(ref: Plane, mov: Plane, moving_from_reference: FloatArray) -> float:
    """Correlation at the best other position over that at this one: 1 where the content repeats.

    Parameters
    ----------
    ref, mov : Plane
        Reference and moving image.
    moving_from_reference : (3, 3)
        The map at hand, (row, col, 1) in pixels of the two planes.

    Returns
    -------
    float
        0 to 10; 0 when nothing overlaps.
    """
    near = align_fields.warp(mov, moving_from_reference, ref.shape)
    scale = min(1.0, SIDE_PX / max(ref.shape))
    small = [align_fields.shrink(plane, scale) for plane in (ref, near)]
    both = small[0].valid & small[1].valid
    if not both.any():
        return 0.0
    first, second = (_spectra(plane.grey, both) for plane in small)
    surface, lag = _correlation(first, second, float(both.sum()))
    here, there = surface[lag <= HERE_PX].max(), surface[lag > BEYOND_PX].max(initial=0.0)
    return float(np.clip(there / max(here, 1e-3), 0, MOST))


@dataclass(frozen=True)
class _Spectra:
    """Transforms of one picture, with as much room again each way."""

    fields: list[Array]
    square: Array
    """Of the fields' squared length: both have one."""
    area: Array
    """Of the valid area."""


def _spectra(grey: Array, valid: BoolArray) -> _Spectra:
    weight = valid.astype(np.float32)
    fields = [field * weight for field in align_fields.structure_field(Plane(grey, valid))]
    room = [scipy.fft.next_fast_len(2 * n) for n in valid.shape]
    *both, square, area = (scipy.fft.fft2(x, room) for x in (*fields, np.abs(fields[0]) ** 2, weight))
    return _Spectra(both, square, area)


def _correlation(first: _Spectra, second: _Spectra, total: float) -> tuple[Array, Array]:
    """Normalised correlation at every lag, -1 where too little overlaps, and the length of each lag."""

    def at_lags(a: Array, b: Array) -> Array:
        return np.asarray(scipy.fft.ifft2(np.conj(a) * b).real)

    cross = sum(at_lags(a, b) for a, b in zip(first.fields, second.fields, strict=True)) / 2
    own, other = at_lags(first.square, second.area), at_lags(first.area, second.square)
    surface = cross / np.sqrt(np.maximum(own, 1) * np.maximum(other, 1))
    enough = at_lags(first.area, second.area) >= LEAST_OVERLAP * total
    row, col = (scipy.fft.fftfreq(n, 1 / n) for n in surface.shape)
    smooth = cv2.GaussianBlur(np.where(enough, surface, -1).astype(np.float32), (0, 0), SMOOTH_PX)
    return smooth, np.hypot(row[:, None], col)
