"""Symmetric decision trees that weigh the signs of a drawing, learnt from invented pictures alone.

Gradient boosting (Friedman 2001, doi:10.1214/aos/1013203451) of trees that ask the same question at all
places of a level ("oblivious", Prokhorenkova et al. 2018, arXiv:1706.09516), so that a tree is a few
comparisons of whole maps. Their numbers lie in `overlay_trees.npz`; `training/` holds the commands that
made them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from . import overlay_signs
from .types import ByteArray, FloatArray


@dataclass(frozen=True)
class Trees:
    """A sum of trees; `signs` are coded to 8 bits by `borders` first."""

    borders: FloatArray
    """(signs, borders): how many of them a value exceeds is its code."""
    asked: npt.NDArray[np.uint8]
    """(trees, depth): the sign asked about."""
    above: npt.NDArray[np.uint8]
    """(trees, depth): the question is whether its code is greater."""
    leaves: FloatArray
    """(trees, 2 ** depth): what is added, by the answers as a binary number."""

    def code(self, signs: FloatArray) -> ByteArray:
        """(signs, n) uint8 of (signs, n)."""
        pairs = zip(self.borders, signs, strict=True)
        return np.stack([np.searchsorted(border, sign).astype(np.uint8) for border, sign in pairs])

    def total(self, codes: ByteArray) -> FloatArray:
        """(n,) log odds of (signs, n) codes."""
        out = np.zeros(codes.shape[1], np.float32)
        for asked, above, leaves in zip(self.asked, self.above, self.leaves, strict=True):
            leaf = np.zeros(codes.shape[1], np.uint8)
            for level, (sign, border) in enumerate(zip(asked, above, strict=True)):
                leaf |= (codes[sign] > border).view(np.uint8) << level
            out += leaves[leaf]
        return out


@cache
def stages() -> tuple[Trees, Trees]:
    """The trees that see the signs, and those that also see what the first ones said around."""
    with np.load(Path(__file__).with_name("overlay_trees.npz"), allow_pickle=False) as stored:
        found = [
            Trees(*(stored[f"{name}{k}"] for name in ("borders", "asked", "above", "leaves"))) for k in (1, 2)
        ]
    return found[0], found[1]


PART_PX = 160
HALO_PX = 32
"""Around each part: what the signs and the second trees look at."""


def log_odds(rgb: ByteArray) -> FloatArray:
    """Log odds that each pixel was drawn, in the mixture of the invented pictures.

    Parameters
    ----------
    rgb : (rows, cols, 3) uint8
        A part of a picture with `HALO_PX` around it, where there is more of it.

    Returns
    -------
    (rows, cols) float32
    """
    signs = overlay_signs.signs(rgb)
    first, second = stages()
    flat = signs.reshape(len(signs), -1)
    said = first.total(first.code(flat)).reshape(rgb.shape[:2])
    both = np.concatenate([flat, around(said).reshape(-1, said.size)])
    return second.total(second.code(both)).reshape(rgb.shape[:2])


def around(said: FloatArray) -> FloatArray:
    """(9, rows, cols): what the first trees said here, and near in several shapes."""
    said = np.clip(said, -6, 6)
    near = np.ones((15, 15), np.uint8)
    return np.stack(
        [
            said,
            *(cv2.blur(said, shape) for shape in ((3, 3), (7, 7), (15, 15), (41, 41), (41, 3), (3, 41))),
            cv2.dilate(said, near),
            cv2.erode(cv2.dilate(said, near), near),
        ]
    )
