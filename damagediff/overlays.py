"""What was drawn over one picture: from the odds of each pixel to places that are left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from . import overlay_signs, overlay_trees
from .types import BoolArray, ByteArray, FloatArray

IntArray = npt.NDArray[np.integer[Any]]

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
    sure: float = 0.0
    """Log odds that a tenth of those must exceed."""
    evidence: float = 0.0
    """What those of all of them must sum up to."""
    sharp: float = 0.0
    """Share of its pixels that must lie beside a step one pixel wide."""
    range_grey: int = 0
    """Grey levels between the highest and the lowest band of its commonest colour."""


PLAIN = Limits(1.0, 1.5, 25, 2.5, 150.0, 0.1)
"""A place of any colour. Chosen so that of clean pictures hardly anything is lost: a mask that hides what it
compares is worse than one that misses a letter."""
CRISP = Limits(1.0, 1.5, 25, 3.0, 250.0, 0.1)
"""The same in a picture whose own edges are as sharp as drawn ones, where bright even roofs look painted."""
COMPANY, CRISP_COMPANY = Limits(1.0, 1.5, 12, 2.0, 60.0, 0.1), Limits(1.0, 1.5, 12, 2.5, 100.0, 0.1)
"""A place within `COMPANY_PX` of one found so, in an ordinary and in a crisp picture: letters and markers
seldom stand alone. Anywhere in a picture these limits would hide 1 to 3 % of a tile's destroyed buildings."""
COMPANY_PX = 60
VIVID = Limits(0.0, 0.5, 12, 0.75, sharp=0.03, range_grey=110)
"""A place of a colour that hardly any ground has, as pure red or yellow."""
LIKELY = Limits(0.25, 1.5, 25)
"""Places that do not count as the picture's own edges."""
SHARED = Limits(-4.0, -2.0, 12)
"""A place in two pictures, by the sum of their log odds, of which most pixels are the same in both."""
SAME = ((16, 0.5), (24, 0.4), (16, 0.8))
"""(grey levels by which pixels may differ, share that must not differ by more): of such a place, of one found
in either picture, and of what lines found so enclose. Compression and half-transparency set them apart."""
MOST_SAME = 0.5
"""Share of all pixels that are the same from which being the same says nothing: pictures alike anyway."""
CRISP_SHARE = 0.2
"""Share of one-pixel steps among the strong edges of a picture from which it is such a one. Of satellite
pictures .03 to .2, of sharpened aerial ones .3 to .4."""
GROWN_ODDS, GROWN_PX = 0.25, 15
"""A place takes in what is this likely beside it; the side of the square that is beside it."""
COLOUR_STEP = 24
"""Grey levels that count as one colour when the commonest is looked for: JPEG spreads an even one."""
CLOSE_PX = 7
"""Gaps between strokes that are closed."""
GROW_PX = 5
"""Side of the square by which places are grown: what compression smeared around them."""


@dataclass(frozen=True)
class Seen:
    """What was seen of a picture, or of a part of it."""

    rgb: ByteArray
    """(rows, cols, 3) as delivered."""
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
    return Seen(rgb[core], overlay_trees.log_odds(rgb)[core], sharp[core], strong[core])


def unseen(shape: tuple[int, int]) -> Seen:
    """Room for what is to be seen of a picture of `shape`, part by part."""
    rgb = np.zeros((*shape, 3), np.uint8)
    return Seen(rgb, np.zeros(shape, np.float32), np.zeros(shape, np.uint8), np.zeros(shape, np.uint8))


def drawn(seen: Seen) -> BoolArray:
    """(rows, cols) bool, True where a whole picture is drawn over and should *not* be used."""
    own_sharp = crisp(seen)
    found = _objects(seen, CRISP if own_sharp else PLAIN) | _objects(seen, VIVID)
    found |= _in_company(found, _objects(seen, CRISP_COMPANY if own_sharp else COMPANY))
    likely = cv2.dilate((seen.odds > GROWN_ODDS).astype(np.uint8), np.ones((3, 3), np.uint8))
    beside = cv2.dilate(found.astype(np.uint8), np.ones((GROWN_PX, GROWN_PX), np.uint8))
    return _smoothed(found | ((likely > 0) & (beside > 0)))


def drawn_over_both(before: Seen, after: Seen, either: BoolArray) -> BoolArray:
    """Where something is drawn over two pictures of one size at the same pixels.

    Parameters
    ----------
    before, after : Seen
        Of the whole pictures, which are not copies of one.
    either : (rows, cols) bool
        Where `drawn` finds something in one of them, or it was found otherwise.

    Returns
    -------
    (rows, cols) bool, True where neither picture should be used
    """
    apart = np.asarray(cv2.absdiff(before.rgb, after.rgb).max(-1), np.uint8)
    rest = ~either
    if not rest.any() or (apart <= SAME[0][0])[rest].mean() > MOST_SAME:
        return np.zeros(either.shape, bool)
    edges = [np.minimum(*pair) for pair in ((before.sharp, after.sharp), (before.strong, after.strong))]
    together = Seen(before.rgb, before.odds + after.odds, edges[0], edges[1])
    found = _smoothed(_objects(together, SHARED, apart <= SAME[0][0])) | _mostly(either, apart, SAME[1])
    enclosed = ndimage.binary_fill_holes(found) & ~found
    return found | _mostly(enclosed, apart, SAME[2])


def _in_company(found: BoolArray, places: BoolArray) -> BoolArray:
    """The connected places that come within `COMPANY_PX` of what was found."""
    apart = cv2.distanceTransform((~found).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    _, label = cv2.connectedComponents(places.astype(np.uint8), connectivity=8)
    near = np.unique(label[places & (apart <= COMPANY_PX)]) if found.any() else np.array([], int)
    return np.asarray(np.isin(label, near))


def _mostly(places: BoolArray, apart: ByteArray, asked: tuple[int, float]) -> BoolArray:
    """The connected places that are mostly the same in both pictures."""
    count, label = cv2.connectedComponents(places.astype(np.uint8), connectivity=8)
    size, same = (
        np.bincount(label[where], minlength=count) for where in (places, places & (apart <= asked[0]))
    )
    kept = same >= asked[1] * np.maximum(size, 1)
    kept[0] = False
    return np.asarray(kept[label], bool)


def crisp(seen: Seen) -> bool:
    """Whether the picture's own edges, those outside of what may be drawn, are as sharp as drawn ones."""
    label, kept = _candidates(seen.odds, LIKELY)
    own = ~np.isin(label, kept)
    sharp, strong = (int(edges[own].sum()) for edges in (seen.sharp, seen.strong))
    return sharp > CRISP_SHARE * max(1, strong)


def _candidates(odds: FloatArray, asked: Limits) -> tuple[IntArray, IntArray]:
    """(labels of connected places, the numbers of those with pixels enough)."""
    near = cv2.dilate((odds > asked.edge).astype(np.uint8), np.ones((3, 3), np.uint8))
    count, label = cv2.connectedComponents(near, connectivity=8)
    enough = np.bincount(label[odds > asked.core], minlength=count) >= asked.core_px
    return np.asarray(label), np.flatnonzero(enough[1:]) + 1


def _objects(seen: Seen, asked: Limits, same: BoolArray | None = None) -> BoolArray:
    """(rows, cols) bool: the places that meet all that is asked."""
    label, kept = _candidates(seen.odds, asked)
    boxes = ndimage.find_objects(label)
    found = np.zeros(label.shape, bool)
    for number in kept:
        at = boxes[number - 1]
        member = label[at] == number
        if np.count_nonzero(seen.sharp[at][member]) < asked.sharp * np.count_nonzero(member):
            continue  # an even place without edges is a roof that the sensor could not hold
        core = member & (seen.odds[at] > asked.core)
        if same is not None and same[at][core].mean() < SAME[0][1]:
            continue
        odds = seen.odds[at][core]
        if odds.sum() < asked.evidence or np.percentile(odds, 90) < asked.sure:
            continue
        if asked.range_grey == 0 or np.ptp(_commonest(seen.rgb[at][core])) >= asked.range_grey:
            found[at] |= member
    return found


def _commonest(colours: ByteArray) -> FloatArray:
    """(3,) median of the commonest coarse colour of (n, 3)."""
    coarse = (colours // COLOUR_STEP).astype(np.int64) @ np.array([10_000, 100, 1])
    values, counts = np.unique(coarse, return_counts=True)
    return np.asarray(np.median(colours[coarse == values[counts.argmax()]], axis=0))


def _smoothed(found: BoolArray) -> BoolArray:
    """Small gaps closed, and grown by what compression smeared around."""
    room = np.pad(found.astype(np.uint8), CLOSE_PX)
    closed = cv2.morphologyEx(room, cv2.MORPH_CLOSE, np.ones((CLOSE_PX, CLOSE_PX), np.uint8))
    grown = cv2.dilate(closed[CLOSE_PX:-CLOSE_PX, CLOSE_PX:-CLOSE_PX], np.ones((GROW_PX, GROW_PX), np.uint8))
    return np.asarray(grown, bool)
