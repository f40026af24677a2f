"""What else is on a page beside its two panels: locator maps and other small pictures, words and legends."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from . import intake_layout
from .cut import Kind, Other
from .types import BoolArray, ByteArray, Window

LEAST_AREA, LEAST_PX = 0.004, 12
"""Share of the page, and reduced pixels a side, below which a part is not told: arrows, numbers, frames."""
NEAR_SHARE, WORDS_SHARE = 0.005, 0.02
"""Of the page's longer side, within which what is drawn belongs together: of a picture, and of words."""
FRAME_SHARE, FRAME_PX = 0.06, 5
"""Of the page's longer side, that a line of a frame is long; and reduced pixels that it is wide at most."""
BESIDE_PX = 4
"""Reduced pixels around a panel that are its frame."""
PICTURE_FILL, PICTURE_COLOURS, PICTURE_LEVELS, PICTURE_LONG = 0.45, 60, 12, 4.0
"""Of a picture: share that is not of one plain colour (a locator map is half sea, a legend a quarter ink),
colours at least, grey levels that count as one, and how many times as long as wide it is at most: lines
of words are longer."""


def others(reduced: ByteArray, factor: int, panels: Sequence[Window]) -> tuple[Other, ...]:
    """The other parts of a page, the largest first, in pixels of the whole picture.

    Parameters
    ----------
    reduced : (rows, cols, 3) uint8
        The whole picture, each pixel the mean of `factor` x `factor`.
    panels : Window
        Both panels, at full resolution.
    """
    page = intake_layout.page(reduced)
    content = ~page.plain
    for panel in panels:
        top, left = panel.row // factor - BESIDE_PX, panel.col // factor - BESIDE_PX
        bottom, right = (-(-(panel[k] + panel[k + 2]) // factor) + BESIDE_PX for k in (0, 1))
        content[max(top, 0) : bottom, max(left, 0) : right] = False
    inked = _without_frames(content)
    pictures = [
        box for box in _parts(inked, NEAR_SHARE) if _is_picture(reduced[box.slices], content[box.slices])
    ]
    for box in pictures:
        inked[box.slices] = 0
    found: list[tuple[Kind, Window]] = [("picture", box) for box in pictures]
    found += [("words", box) for box in _parts(inked, WORDS_SHARE)]
    found.sort(key=lambda each: (-each[1].rows * each[1].cols, each[1]))
    return tuple(_other(kind, box, factor) for kind, box in found)


def _parts(inked: ByteArray, near_share: float) -> list[Window]:
    """Boxes of what lies together, those of a size to be told."""
    near = max(3, int(near_share * max(inked.shape))) | 1
    joined = cv2.morphologyEx(inked, cv2.MORPH_CLOSE, np.ones((near, near), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    boxes = [Window(int(y), int(x), int(h), int(w)) for x, y, w, h, _ in stats[1:]]
    return [box for box in boxes if _large(box, inked.size)]


def _without_frames(content: BoolArray) -> ByteArray:
    """(rows, cols) 0 or 1, without long thin straight lines: they join what they frame."""
    inked = np.asarray(content, np.uint8)
    long = max(LEAST_PX, int(FRAME_SHARE * max(content.shape)))
    lines = np.zeros(content.shape, bool)
    for shape in ((1, long), (long, 1)):
        thick = tuple(max(side, 1 + FRAME_PX) for side in shape)
        runs, plates = (
            cv2.morphologyEx(inked, cv2.MORPH_OPEN, np.ones(kernel, np.uint8)) > 0
            for kernel in (shape, thick)
        )
        lines |= runs & ~plates
    return np.asarray(content & ~lines, np.uint8)


def _large(box: Window, page_px: int) -> bool:
    return min(box.rows, box.cols) >= LEAST_PX and box.rows * box.cols >= LEAST_AREA * page_px


def _is_picture(colours: ByteArray, content: BoolArray) -> bool:
    """Whether a part is filled with many colours, and no line of words."""
    coarse = np.unique((colours[content] // PICTURE_LEVELS).reshape(-1, 3), axis=0)
    long = max(content.shape) > PICTURE_LONG * min(content.shape)
    return bool(content.mean() >= PICTURE_FILL and len(coarse) >= PICTURE_COLOURS and not long)


def _other(kind: Kind, box: Window, factor: int) -> Other:
    return Other(kind, box.col * factor, box.row * factor, box.cols * factor, box.rows * factor)


def words(found: Sequence[Other]) -> str:
    """One sentence on them; empty when there are none."""
    pictures, rest = (sum(each.kind == kind for each in found) for kind in ("picture", "words"))
    parts = []
    if pictures:
        what = "another picture" if pictures == 1 else f"{pictures} other pictures"
        parts.append(f"{what} (such as a locator map, a logo or another view)")
    if rest:
        parts.append("words, a legend or a drawing")
    return f"Also on it, and not compared: {' and '.join(parts)}." if parts else ""
