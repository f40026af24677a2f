"""The picture that both images were cut from, reduced, with rectangles drawn on it."""

from __future__ import annotations

import cv2
import numpy as np

from . import part, raster
from .types import Array, ByteArray, Image, Pair, Split, Window

SHEET_PX = 800
"""Longest side of the picture that shows the rectangles."""
COLOURS = ((230, 60, 40), (40, 110, 230), (240, 180, 30), (40, 160, 80))

Mark = tuple[Window, str, int]
"""A rectangle in pixels of the whole picture, the word on it, and the number of its colour."""


def of_pair(pair: Pair, split: Split | None = None) -> ByteArray | None:
    """(rows, cols, 3) the whole picture with before, after and the rest marked; None of two files."""
    before, after = pair.before, pair.after
    if before.crop is None or after.crop is None or before.sha256 != after.sha256:
        return None
    picture, factor = _reduced(part.whole(before))
    rest = [(other.window, "", 2) for other in (split.others if split else ())]
    return marked(picture, factor, [(before.crop, "before", 0), (after.crop, "after", 1), *rest])


def _reduced(image: Image) -> tuple[ByteArray, int]:
    """(rows, cols, 3) uint8 of about twice `SHEET_PX`, and the factor by which it is reduced."""
    with raster.Reader(image, raster.common_roles(image, image)[:3]) as reader:
        data, valid, factor = reader.read_reduced(2 * SHEET_PX)
    return as_rgb(data, limits(data, valid, image.dtype)), factor


def limits(data: Array, valid: Array, dtype: str) -> tuple[float, float]:
    """Values shown black and white: those of 8 bits, else the extremes."""
    if dtype == "uint8" or not valid.any():
        return 0.0, 255.0
    low, high = float(data[:, valid].min()), float(data[:, valid].max())
    return low, max(high, low + 1e-6)


def as_rgb(data: Array, shown: tuple[float, float]) -> ByteArray:
    """(1 or 3, rows, cols) in a file's units to (rows, cols, 3) uint8."""
    low, high = shown
    level = np.clip((data - low) * (255 / (high - low)), 0, 255).round().astype(np.uint8)
    return np.ascontiguousarray(np.moveaxis(np.broadcast_to(level, (3, *level.shape[1:])), 0, -1))


def marked(picture: ByteArray, factor: int, marks: list[Mark]) -> ByteArray:
    """A picture that was reduced by `factor`, at most `SHEET_PX` a side, with rectangles and words on it."""
    scale = min(1.0, SHEET_PX / max(picture.shape[:2]))
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    for nth, (box, word, number) in enumerate(marks):
        ends = np.array([box.col, box.row, box.col + box.cols, box.row + box.rows]) * scale / factor
        step = nth // 2 if word else 0  # proposals overlap: each a little inside the last
        inset, colour = 3 * step, COLOURS[number]
        left, top, right, bottom = (int(v) for v in ends.round())
        cv2.rectangle(small, (left + inset, top + inset), (right - 1 - inset, bottom - 1 - inset), colour, 3)
        at = (left + 10 + 30 * step, top + 30)
        for ink, width in (((255, 255, 255), 5), (colour, 2)):
            cv2.putText(small, word, at, cv2.FONT_HERSHEY_SIMPLEX, 0.9, ink, width, cv2.LINE_AA)
    return np.asarray(small, np.uint8)
