"""Invented ground as pixels, measured as a scene is."""

from __future__ import annotations

import cv2
import numpy as np

from damagediff import diff, tiles

RGB = ("red", "green", "blue")
SIZE = 512
HALO = diff.halo(None)


def town() -> np.ndarray:
    """(3, rows, cols) uint8: grey roofs, dark lanes between them, trees; the halo included."""
    rng = np.random.default_rng(3)
    side = SIZE + 2 * HALO
    picture = np.full((side, side, 3), (70, 74, 62), np.uint8)
    for row in range(8, side - 40, 40):
        for col in range(8, side - 40, 40):
            box = cv2.boxPoints(((col + 14, row + 14), (24, 18), float(rng.uniform(-20, 20))))
            grey = int(rng.integers(110, 190))
            cv2.fillPoly(picture, [np.rint(box).astype(np.int32)], (grey, grey - 12, grey - 25))
            cv2.circle(picture, (col + 32, row + 30), 4, (20, 45, 18), -1)
    noise = rng.normal(0, 5, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8).transpose(2, 0, 1)


def measured(before: np.ndarray, after: np.ndarray, tile_px: int = 1024, roles=RGB) -> diff.Measures:
    valid = np.ones(before.shape[1:], bool)
    parts = []
    for window in tiles.plan((SIZE, SIZE), tile_px):
        at = np.s_[
            window.row : window.row + window.rows + 2 * HALO, window.col : window.col + window.cols + 2 * HALO
        ]
        parts.append((window, diff.measure(before[:, *at], after[:, *at], valid[at], roles)))
    return diff.assemble((SIZE, SIZE), parts).whole()
