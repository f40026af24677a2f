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

CHUNK = 16384
"""Pixels at a time: what fits a processor's cache."""


@dataclass(frozen=True)
class Trees:
    """A sum of trees."""

    borders: FloatArray
    """(signs, borders): the values that a sign may be asked about, in order."""
    asked: npt.NDArray[np.uint8]
    """(trees, depth): the sign asked about."""
    above: npt.NDArray[np.uint8]
    """(trees, depth): the question is whether it is greater than this border of its own."""
    leaves: FloatArray
    """(trees, 2 ** depth): what is added, by the answers as a binary number."""

    def total(self, signs: FloatArray) -> FloatArray:
        """(n,) log odds of (signs, n)."""
        out = np.zeros(signs.shape[1], np.float32)
        limits = self.borders[self.asked, self.above]
        for first in range(0, signs.shape[1], CHUNK):
            part = np.ascontiguousarray(signs[:, first : first + CHUNK])
            for asked, limit, leaves in zip(self.asked, limits, self.leaves, strict=True):
                leaf = np.zeros(part.shape[1], np.uint8)
                for level, (sign, border) in enumerate(zip(asked, limit, strict=True)):
                    leaf |= (part[sign] > border).view(np.uint8) << level
                out[first : first + CHUNK] += leaves[leaf]
        return out


@cache
def stages() -> tuple[Trees, Trees]:
    """The trees that see the signs, and those that also see what the first ones said around."""
    with np.load(Path(__file__).with_name("overlay_trees.npz"), allow_pickle=False) as stored:
        found = [
            Trees(*(stored[f"{name}{k}"] for name in ("borders", "asked", "above", "leaves"))) for k in (1, 2)
        ]
    return found[0], found[1]


PART_PX = 480
HALO_PX = 32
"""Around each part: what the signs and the second trees look at."""
LATTICE = 2
"""The first trees are asked at every other pixel of every other row: what they say is smoothed anyway."""
LIKELY = -1.0
"""Log odds of the first trees beside which the second ones are asked; elsewhere nothing was drawn."""
NEAR_PX = 5
UNLIKELY = -6.0


def log_odds(rgb: ByteArray) -> FloatArray:
    """Log odds that each pixel was drawn, in the mixture of the invented pictures.

    Parameters
    ----------
    rgb : (rows, cols, 3) uint8
        A part of a picture with `HALO_PX` around it, where there is more of it.

    Returns
    -------
    (rows, cols) float32, `UNLIKELY` where the first trees see nothing
    """
    shape = rgb.shape[:2]
    signs = overlay_signs.signs(rgb)
    first, second = stages()
    coarse = signs[:, ::LATTICE, ::LATTICE]
    said = first.total(coarse.reshape(len(signs), -1)).reshape(coarse.shape[1:])
    said = said.repeat(LATTICE, 0).repeat(LATTICE, 1)[: shape[0], : shape[1]]
    near = np.ones((NEAR_PX, NEAR_PX), np.uint8)
    asked = cv2.dilate((said > LIKELY).astype(np.uint8), near) > 0
    odds = np.full(shape, UNLIKELY, np.float32)
    if asked.any():
        both = np.concatenate([signs[:, asked], around(said)[:, asked]])
        odds[asked] = second.total(both)
    return odds


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
