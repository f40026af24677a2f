"""Pixels averaged over blocks, when an image is read reduced."""

from __future__ import annotations

import cv2
import numpy as np

from .types import BoolArray, FloatArray, Window


def block_means(data: FloatArray, valid: BoolArray, k: int) -> tuple[FloatArray, BoolArray]:
    """Means of valid pixels over k x k blocks; `data` is 0 where not valid."""
    if k == 1:
        return data, valid
    size = (data.shape[2] // k, data.shape[1] // k)
    means = np.stack([cv2.resize(band, size, interpolation=cv2.INTER_AREA) for band in data])
    if valid.all():
        return means, np.ones(means.shape[1:], np.bool_)
    share = cv2.resize(valid.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    enough = share > 0.5 - 0.1 / k**2  # half a block counts, however it was rounded
    return np.where(enough, means / np.maximum(share, 0.25), np.float32(0)), enough


def lattice(window: Window, k: int, shape: tuple[int, int]) -> Window:
    """Whole k x k blocks that a window touches inside an image of `shape`; it may have none."""
    firsts = [min(max(0, at), side) // k * k for at, side in zip(window[:2], shape, strict=True)]
    ends = [
        -(-min(max(0, at + size), side) // k) * k
        for at, size, side in zip(window[:2], window[2:], shape, strict=True)
    ]
    return Window(*firsts, *(max(0, end - first) for first, end in zip(firsts, ends, strict=True)))
