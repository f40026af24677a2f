"""What was drawn over one picture: from the odds of each pixel to places that are left out."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from . import overlay_signs, overlay_trees
from .types import BoolArray, ByteArray, FloatArray

PART_PX = overlay_trees.PART_PX
HALO_PX = overlay_trees.HALO_PX


@dataclass(frozen=True)
class Limits:
    """When a place is taken for drawn."""

    edge: float
    """Log odds from which a pixel may belong to it."""
    core: float
    """Log odds that some of its pixels must exceed."""
    core_px: int
    """So many of them."""


USUAL = Limits(0.25, 1.5, 25)
CRISP = Limits(1.0, 2.5, 25)
"""For a picture whose own edges are as sharp as drawn ones: only the surest is taken, for a mask that hides
what it compares is worse than one that misses a letter."""
CRISP_SHARE = 0.3
"""Share of one-pixel steps among the strong edges of a picture from which it is such a one. Of satellite
pictures .03 to .2, of sharpened aerial ones .3 to .4."""
CLOSE_PX = 7
"""Gaps between strokes that are closed."""
GROW_PX = 5
"""Side of the square by which places are grown: what compression smeared around them."""


@dataclass(frozen=True)
class Seen:
    """What was seen of a picture, or of a part of it."""

    odds: FloatArray
    """(rows, cols) log odds that a pixel was drawn."""
    sharp: ByteArray
    """(rows, cols): directions, 0 to 2, in which the pixel lies beside a step that is one pixel wide."""
    strong: ByteArray
    """The same beside any strong step."""


def look(rgb: ByteArray, core: tuple[slice, slice]) -> Seen:
    """What is seen on the core of a part.

    Parameters
    ----------
    rgb : (rows, cols, 3) uint8
        The part with `HALO_PX` around it, where there is more of the picture.
    core : (rows, cols) slices of it
    """
    sharp, strong = overlay_signs.edges(rgb)
    return Seen(overlay_trees.log_odds(rgb)[core], sharp[core], strong[core])


def drawn(seen: Seen) -> BoolArray:
    """(rows, cols) bool, True where a whole picture is drawn over and should *not* be used."""
    usual = places(seen.odds, USUAL)
    return places(seen.odds, CRISP) if crisp(seen, usual) else usual


def crisp(seen: Seen, without: BoolArray) -> bool:
    """Whether the picture's own edges, those outside of what may be drawn, are as sharp as drawn ones."""
    sharp, strong = (int(edges[~without].sum()) for edges in (seen.sharp, seen.strong))
    return sharp > CRISP_SHARE * max(1, strong)


def places(odds: FloatArray, asked: Limits) -> BoolArray:
    """Where the picture is drawn over.

    Parameters
    ----------
    odds : (rows, cols) float32
        Of the whole picture.

    Returns
    -------
    (rows, cols) bool, True where the picture should *not* be used
    """
    near = cv2.dilate((odds > asked.edge).astype(np.uint8), np.ones((3, 3), np.uint8))
    count, label = cv2.connectedComponents(near, connectivity=8)
    kept = np.bincount(label[odds > asked.core], minlength=count) >= asked.core_px
    kept[0] = False
    found = np.pad(kept[label].astype(np.uint8), CLOSE_PX)
    found = cv2.morphologyEx(found, cv2.MORPH_CLOSE, np.ones((CLOSE_PX, CLOSE_PX), np.uint8))
    found = cv2.dilate(found[CLOSE_PX:-CLOSE_PX, CLOSE_PX:-CLOSE_PX], np.ones((GROW_PX, GROW_PX), np.uint8))
    return np.asarray(found, bool)
