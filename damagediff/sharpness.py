"""How much softer one picture is than another of the same place."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from .types import FloatArray

SIDE_PX = 160
"""Side of a window: a few buildings, whose edges are enough for one estimate."""
SIGMAS_PX = (0.0, 0.3, 0.45, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0)
"""Blurs that are tried; between them the energies are interpolated."""
FINE_PX, COARSE_PX = (0.6, 1.2), (2.4, 4.8)
"""Bands, each a difference of two Gaussians, whose energies are compared."""
MARGIN_PX = 15
FLAT_GREY2 = 0.5
"""Energy in the coarse band below which a window has no edges to judge by."""


def relative(before: FloatArray, after: FloatArray) -> float | None:
    """The blur in px that makes the sharper of two windows as soft as the other, None where they are flat.

    The share of energy in a fine band against a coarse one falls with blur. The sharper window is blurred
    until it has the other's share, so that what both show cancels. Positive: `after` is softer.

    Parameters
    ----------
    before, after : (rows, cols) float32
        Grey 0..255 of the same ground, in one scale.

    Notes
    -----
    Known blurs of .5, 1 and 2 px on 18 real pairs added to what was there in quadrature within .1 px; see
    docs/method.md. Strong noise or JPEG blocks count as sharpness.
    """
    first, second = _curve(before), _curve(after)
    if first is None or second is None:
        return None
    sign = 1.0 if first[0] >= second[0] else -1.0
    sharp, soft = (first, second) if sign > 0 else (second, first)
    squares = np.square(SIGMAS_PX)
    # shares fall with blur: interp wants them rising
    needed = np.interp(np.log(soft[0]), np.log(sharp[::-1]), squares[::-1])
    return sign * float(np.sqrt(needed))


def together(found: Sequence[float]) -> float | None:
    """One blur for a pair: the median of its windows."""
    return float(np.median(found)) if found else None


def _curve(grey: FloatArray) -> FloatArray | None:
    """Share of fine energy at each blur of `SIGMAS_PX`."""
    if _energy(grey, COARSE_PX) < FLAT_GREY2:
        return None
    shares = []
    for sigma in SIGMAS_PX:
        soft: FloatArray = np.asarray(cv2.GaussianBlur(grey, (0, 0), sigma) if sigma else grey, np.float32)
        shares.append(_energy(soft, FINE_PX) / max(_energy(soft, COARSE_PX), 1e-6))
    return np.minimum.accumulate(np.maximum(shares, 1e-9))


def _energy(grey: FloatArray, band_px: tuple[float, float]) -> float:
    fine, coarse = (cv2.GaussianBlur(grey, (0, 0), sigma) for sigma in band_px)
    inner = np.s_[MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX]
    return float(np.square(fine - coarse)[inner].mean(dtype=np.float64))
