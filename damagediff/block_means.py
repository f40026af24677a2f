"""Pixels averaged over blocks, when an image is read reduced."""

from __future__ import annotations

import cv2
import numpy as np

from .types import BoolArray, FloatArray


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
