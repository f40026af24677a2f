"""Reduced copies of a raster, halved again and again, made of each part while it is written."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from .types import BoolArray, Window

ALIGNED_PX = 16
"""Parts of a raster begin at multiples of this, so that four halvings of each are those of the whole."""
IN_PASS = 4
"""Halvings made of each part; what more a raster beyond 8,192 px needs is made of the last of them."""
Pixels = np.ndarray[Any, Any]
Valid = BoolArray | None
"""(rows, cols) of all bands, (bands, rows, cols) of each, or None where all is valid."""


def shapes(shape: tuple[int, int], longest_px: int) -> tuple[tuple[int, int], ...]:
    """Rows and columns of each reduced copy; the last is the first whose sides are at most `longest_px`."""
    found: list[tuple[int, int]] = []
    rows, cols = shape
    while max(rows, cols) > longest_px:
        rows, cols = -(-rows // 2), -(-cols // 2)
        found.append((rows, cols))
    return tuple(found)


def place(window: Window, level: int) -> Window:
    """Where a part of the raster lies in a copy halved `level` times."""
    k = 1 << level
    return Window(window.row // k, window.col // k, -(-window.rows // k), -(-window.cols // k))


def halved(data: Pixels, valid: Valid, nearest: bool) -> tuple[Pixels, Valid]:
    """Blocks of 2 x 2 pixels as one: the first of them, or the mean of those that are valid.

    Parameters
    ----------
    data : (bands, rows, cols)
        Whole numbers are rounded, halves up; a side that is odd ends with half a block.
    valid : see `Valid`
        A block is valid when any of its pixels is, by the nearest when its first one is.

    Returns
    -------
    (data, valid) of half the sides, of the same types; not valid is 0, and NaN for floating point.
    """
    if nearest:
        return data[:, ::2, ::2], None if valid is None else valid[..., ::2, ::2]
    odd = [(0, n % 2) for n in data.shape[1:]]
    if any(more for _, more in odd):
        data = np.pad(data, [(0, 0), *odd], mode="edge")
        valid = None if valid is None else np.pad(valid, [(0, 0)] * (valid.ndim - 2) + odd, mode="edge")
    if valid is None or valid.all():
        return _means(data), None
    return _means_of_valid(data, valid)


def _means(data: Pixels) -> Pixels:
    if data.dtype in (np.uint8, np.uint16):  # which OpenCV rounds as promised
        return np.stack([_quarter(band) for band in data])
    return _as(np.stack([_quarter(band.astype(np.float64)) for band in data]), data.dtype)


def _means_of_valid(data: Pixels, valid: BoolArray) -> tuple[Pixels, Valid]:
    # Four values of up to 16 bits, and their quotient's half, are exact in float32.
    kind = np.float32 if data.dtype in (np.uint8, np.uint16) else np.float64
    total = np.stack([_quarter(band) for band in np.where(valid, data, 0).astype(kind)])
    share = np.stack([_quarter(part) for part in valid.reshape(-1, *valid.shape[-2:]).astype(kind)])
    some = share > 0
    mean = _as(total / np.where(some, share, kind(1)), data.dtype)
    empty = np.nan if data.dtype.kind == "f" else 0
    return np.where(some, mean, data.dtype.type(empty)), some[0] if valid.ndim == 2 else some


def _quarter(band: Pixels) -> Pixels:
    """Means over 2 x 2 pixels."""
    rows, cols = band.shape
    return np.asarray(cv2.resize(band, (cols // 2, rows // 2), interpolation=cv2.INTER_AREA))


def _as(mean: Pixels, dtype: np.dtype[Any]) -> Pixels:
    return mean.astype(dtype) if dtype.kind == "f" else np.floor(mean + mean.dtype.type(0.5)).astype(dtype)
