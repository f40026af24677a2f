"""Signs, at each pixel, that something was drawn there after the picture was taken.

What a lens shows is blurred, noisy and mixed at its edges; what was drawn is not: its edges are a pixel wide,
its colours even and rare in the picture, its sides straight. Each sign is a map; none decides alone.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import cv2
import numpy as np

from .types import ByteArray, FloatArray

STRONG_GREY = 20.0
"""Grey levels of one step from which it counts as an edge."""
NAMES = (
    *(f"sharp {side}" for side in (5, 11, 23)),
    *(f"edges {side}" for side in (5, 11, 23)),
    "run across",
    "run down",
    "usual sharpness",
    "range 3",
    "range 5",
    "even 7",
    "even 15",
    "rough 5",
    "rough 15",
    "rough 45",
    "bright in 5",
    "bright in 11",
    "dark in 5",
    "dark in 11",
    "highest band",
    "lowest band",
    "apart 31",
    "colour apart 31",
    "peak",
    "rare",
    "peak near",
)


def signs(rgb: ByteArray) -> FloatArray:
    """All signs of one part of a picture.

    Parameters
    ----------
    rgb : (rows, cols, 3) uint8

    Returns
    -------
    (len(NAMES), rows, cols) float32
    """
    bands = rgb.astype(np.float32)
    grey = bands @ np.array([0.299, 0.587, 0.114], np.float32)
    sharp, strong, runs = _edges(grey)
    planes = [np.ascontiguousarray(rgb[..., band]) for band in range(3)]
    high = np.maximum(np.maximum(*planes[:2]), planes[2]).astype(np.float32)
    low = np.minimum(np.minimum(*planes[:2]), planes[2]).astype(np.float32)
    widest = _widest(planes, 3)
    even = (widest <= 6).astype(np.float32)
    rough = np.abs(cv2.Laplacian(grey, cv2.CV_32F))
    peak, rare = _colours(rgb)
    mean = cv2.blur(bands, (31, 31))
    tone = bands - grey[..., None]
    maps = [
        *(_sum(sharp, side) for side in (5, 11, 23)),
        *(_sum(strong, side) for side in (5, 11, 23)),
        *runs,
        np.full(grey.shape, sharp.sum() / max(1.0, float(strong.sum())), np.float32),
        widest,
        _widest(planes, 5),
        _sum(even, 7),
        _sum(even, 15),
        *(cv2.blur(rough, (side, side)) for side in (5, 15, 45)),
        *(_hat(high, cv2.MORPH_TOPHAT, side) for side in (5, 11)),
        *(_hat(low, cv2.MORPH_BLACKHAT, side) for side in (5, 11)),
        high,
        low,
        _greatest(np.abs(bands - mean)),
        _greatest(np.abs(tone - cv2.blur(tone, (31, 31)))),
        peak,
        rare,
        cv2.blur(peak, (7, 7)),
    ]
    return np.stack(maps).astype(np.float32)


def _edges(grey: FloatArray) -> tuple[FloatArray, FloatArray, tuple[FloatArray, FloatArray]]:
    """Pixels beside steps one pixel wide, beside any strong step, and straight runs of the former."""
    sharp: FloatArray = np.zeros(grey.shape, np.float32)
    strong: FloatArray = np.zeros(grey.shape, np.float32)
    runs: list[FloatArray] = []
    for turned in (False, True):
        level = grey.T if turned else grey
        step = np.diff(level, axis=1)
        middle, left, right = step[:, 1:-1], step[:, :-2], step[:, 2:]
        size = np.abs(middle)
        edge = (size >= np.abs(left)) & (size > np.abs(right)) & (size >= STRONG_GREY)
        whole = np.abs(left + middle + right)
        even = np.minimum(np.abs(left), np.abs(right)) <= 0.12 * size
        clean = edge & (size >= 0.75 * whole) & even
        found = []
        for flags in (clean, edge):
            out = np.zeros(level.shape, np.float32)
            out[:, 1:-2] += flags
            out[:, 2:-1] += flags
            found.append(out.T if turned else out)
        sharp += found[0]
        strong += found[1]
        long = (25, 3) if turned else (3, 25)
        runs.append(np.asarray(cv2.boxFilter(found[0], -1, long, normalize=False)))
    return sharp, strong, (runs[0], runs[1])


def _colours(rgb: ByteArray) -> tuple[FloatArray, FloatArray]:
    """How much a pixel's colour stands out of the colours like it, and how rare those are, in this part."""
    coarse = rgb.astype(np.int32) // 8
    at = ((coarse + 1) @ np.array([34 * 34, 34, 1], np.int32)).ravel()
    counts = np.bincount(at, minlength=34**3).astype(np.float32)
    near = cv2.blur(counts.reshape(34, -1), (1, 3)).reshape(34, 34, 34)
    near = np.stack([cv2.blur(plane, (3, 3)) for plane in near]) * 27
    own, around = counts[at], near.ravel()[at]
    peak = (own + 1) / (around + 27)
    rare = np.log2((around + 1) / rgb[..., 0].size)
    return peak.reshape(rgb.shape[:2]).astype(np.float32), rare.reshape(rgb.shape[:2]).astype(np.float32)


def _widest(planes: Sequence[ByteArray], side: int) -> FloatArray:
    """The greatest range of any band in a window."""
    kernel = np.ones((side, side), np.uint8)
    ranges = [cv2.subtract(cv2.dilate(band, kernel), cv2.erode(band, kernel)) for band in planes]
    return functools.reduce(cv2.max, ranges).astype(np.float32)


def _greatest(bands: FloatArray) -> FloatArray:
    return np.asarray(functools.reduce(cv2.max, cv2.split(bands)))


def _sum(flags: FloatArray, side: int) -> FloatArray:
    return np.asarray(cv2.boxFilter(flags, -1, (side, side), normalize=False))


def _hat(level: FloatArray, how: int, side: int) -> FloatArray:
    return np.asarray(cv2.morphologyEx(level, how, np.ones((side, side), np.uint8)))


def edges(rgb: ByteArray) -> tuple[ByteArray, ByteArray]:
    """(rows, cols) twice: beside how many steps one pixel wide, and how many strong ones, a pixel lies."""
    grey = rgb.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    sharp, strong, _ = _edges(grey)
    return sharp.astype(np.uint8), strong.astype(np.uint8)
