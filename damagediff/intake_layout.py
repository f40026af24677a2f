"""Where a page of pictures can be cut: plain bars between panels, and seams where two panels touch.

A page is cut at bars of one plain colour, first all in one direction, then within each part in the other
(the recursive X-Y cut [1]_). What touches without a bar is cut at seams: straight lines over the full length
at which the pixels on both sides differ by more than neighbours do, in nearly every part of the line. Both
work on a reduced picture; `sharpened` then looks each edge up at full resolution.

References
----------
.. [1] Nagy and Seth, "Hierarchical representation of optically scanned documents", ICPR 1984.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from .types import Array, BoolArray, ByteArray, FloatArray, Window

SMOOTH_LEVELS = 12
"""Grey levels by which neighbours of a plain colour may differ: what JPEG leaves."""
PLAIN_LEVELS = 6
"""Grey levels off its most frequent colour that still belong to a plain area: sea and sky drift by more."""
SMEARED_LEVELS, SMEARED_PX = 24, 9
"""Grey levels off a plain colour, and pixels from it, that still belong to it: JPEG rings beside edges, over
a block of 8 px."""
PLAIN_SHARE = 5e-4
"""Of the page that a plain colour must cover in one piece: more than the inside of letters and roofs."""
SPOTLESS_LEVELS, SPOTLESS_SHARE, PAGE_SIDE = 2, 0.75, 0.8
"""Grey levels within which this share of a plain area lies if it is page and not sea or cloud, and the share
of a side of the page along which it runs."""
BAR_SHARE = 0.85
"""Of a line that is plain where panels end; the rest may be an arrow or a badge laid over the gutter."""
BANDS = 12
"""Parts into which the length of a seam is cut: it must be seen in nearly all of them."""
MISSED = 0.25
"""Share of those parts in which it need not be seen: under captions, or where both panels are dark."""
BAR_MISSED = 0.5
"""The same for the edge of a plain bar: where the panel beside it has the bar's colour."""
EDGE_RATIO = 1.3
"""Step at the edge of a bar over the steps beside it."""
EDGE_STEP = 6.0
"""That step in grey levels: compression makes smaller ones in a plain area."""
WORDS_EXACT = 0.5
"""Share of the ground under words that has exactly its colour."""
WORDS_SHARE, WORDS_LINES, WORDS_REACH = 0.4, 0.1, 0.25
"""Of every quarter of a line of words that has the colour of its ground; of lines in which it need not; and
of a side within which such a strip may end."""
BAR_SLACK_PX = 3
"""Pixels from the end of a plain bar within which its edge is: compression takes some of them."""
NEIGHBOURS_PX = 12
LINE_LEVELS = 16
"""Grey levels off a line's median colour that JPEG and words aside make in a plain line."""
SEAM_RATIO = 1.6
"""Step across a seam over the steps beside it."""
STRONG_RATIO = 4.0
"""The same for a seam at which a page is cut whatever comes of it: frames and thin lines between panels."""
JPEG_STEP = 3.0
"""Grey levels of a step that compression makes in a plain area."""
SEAM_PX = 6
"""Reduced pixels within which two lines are the two sides of one thin bar."""
INNER = 0.1
"""Of a side, at both ends, where no seam is sought: the rest would be no panel."""

Axis = Literal[0, 1]
"""0: a line along a row, with panels above and below; 1: along a column, with panels left and right."""


@dataclass(frozen=True)
class Seam:
    """A straight line at which two panels meet, in pixels of the picture it was found on."""

    axis: Axis
    first: int
    """First pixel that belongs to the seam, not to the panel before it."""
    last: int
    """First pixel of the panel after it; the same as `first` where panels touch."""
    ratio: float
    """How many times larger the step across it is than the steps beside it, in three of four parts."""

    def cut(self, box: Window) -> tuple[Window, Window]:
        """The two parts of a box."""
        if self.axis == 1:
            right = box.col + box.cols
            return (
                Window(box.row, box.col, box.rows, self.first - box.col),
                Window(box.row, self.last, box.rows, right - self.last),
            )
        bottom = box.row + box.rows
        return (
            Window(box.row, box.col, self.first - box.row, box.cols),
            Window(self.last, box.col, bottom - self.last, box.cols),
        )


@dataclass(frozen=True)
class Page:
    """A reduced picture and where it shows plain colours over large areas: margins, gutters, bars."""

    picture: ByteArray
    """(rows, cols, 3)."""
    plain: BoolArray
    """(rows, cols)."""
    colours: tuple[FloatArray, ...]
    """Colours (3,) that run along nearly a whole side of it without noise: those of the page itself."""

    @property
    def whole(self) -> Window:
        """All of it."""
        return Window(0, 0, *self.plain.shape)

    def colours_off(self, colour: FloatArray) -> float:
        """Grey levels by which a colour is off the nearest one of the page; infinite without any."""
        return min((float(np.abs(colour - own).max()) for own in self.colours), default=np.inf)


def page(picture: ByteArray) -> Page:
    """Find the plain areas of a picture, (rows, cols, 3) uint8."""
    square = np.ones((3, 3), np.uint8)
    spread = (cv2.dilate(picture, square) - cv2.erode(picture, square)).max(-1)
    count, label, stats, _ = cv2.connectedComponentsWithStats(
        (spread <= SMOOTH_LEVELS).astype(np.uint8), connectivity=4
    )
    found, colours = np.zeros(spread.shape, bool), []
    for k in np.flatnonzero(stats[:, cv2.CC_STAT_AREA] >= PLAIN_SHARE * spread.size):
        if k == 0:
            continue
        box = Window(stats[k, 1], stats[k, 0], stats[k, 3], stats[k, 2])
        around = np.s_[
            max(0, box.row - SMEARED_PX) : box.row + box.rows + SMEARED_PX,
            max(0, box.col - SMEARED_PX) : box.col + box.cols + SMEARED_PX,
        ]
        grown, usual, spotless = _plain_piece(picture[around], label[around] == k, PLAIN_SHARE * spread.size)
        found[around] |= grown
        if spotless and max(box.rows / spread.shape[0], box.cols / spread.shape[1]) >= PAGE_SIDE:
            colours.append(usual)
    return Page(picture, found, tuple(colours))


def _plain_piece(colours: ByteArray, piece: BoolArray, least: float) -> tuple[BoolArray, FloatArray, bool]:
    """One smooth piece as far as it has one colour, with what JPEG smeared around it.

    Returns
    -------
    (where, nowhere if less than `least` px are left; the colour; whether it has no noise)
    """
    usual = _usual(colours[piece])
    off = np.abs(colours - usual).max(-1)
    here = piece & (off <= PLAIN_LEVELS)
    if here.sum() < least:
        return np.zeros(piece.shape, bool), usual, False
    near = cv2.dilate(here.astype(np.uint8), np.ones((2 * SMEARED_PX + 1,) * 2, np.uint8)) > 0
    spotless = bool((off[piece] <= SPOTLESS_LEVELS).mean() >= SPOTLESS_SHARE)
    return near & (off <= SMEARED_LEVELS), usual, spotless


def _usual(colours: ByteArray) -> FloatArray:
    """(3,) the most frequent of (N, 3) colours: the page, though a bright roof or cloud touches it."""
    return np.array([np.bincount(band, minlength=256).argmax() for band in colours.T], np.float32)


def parts(sheet: Page, within: Window, least_px: int) -> list[Window]:
    """Rectangles inside `within`, between plain bars, that no plain bar cuts further.

    They have at least `least_px` a side.
    """
    waiting, done = [within], []
    while waiting:
        box = waiting.pop()
        if min(box.rows, box.cols) < least_px:
            continue
        pieces = _between_bars(sheet, box, 0)
        if pieces == [box]:
            pieces = _between_bars(sheet, box, 1)
        if pieces == [box]:
            pieces = [_without_words(sheet, box)]
        if pieces == [box]:
            pieces = _at_strongest_seam(sheet, box)
        if pieces == [box]:
            done.append(box)
        else:
            waiting += pieces
    return sorted(done)


def _between_bars(sheet: Page, box: Window, axis: Axis) -> list[Window]:
    """What lies between the bars of a box: lines of one plain colour, with straight edges.

    A cloud or a lake may be as plain as a bar, but does not end at a straight line. Of a bar in a colour of
    the page one straight edge is enough: on its other side may be words.
    """
    pixels = np.moveaxis(sheet.picture[box.slices], axis, 0)
    middle = np.median(pixels, axis=1)
    alike = (np.abs(pixels - middle[:, None]) <= SMEARED_LEVELS).all(-1)
    bar = (alike & np.moveaxis(sheet.plain[box.slices], axis, 0)).mean(1) >= BAR_SHARE
    runs = np.flatnonzero(np.diff(np.concatenate([[False], bar, [False]]).astype(np.int8))).reshape(-1, 2)
    if not len(runs):
        return [box]
    clear, length = clear_lines(sheet.picture[box.slices], axis), len(bar)
    cuts = [0]
    for first, last in runs.tolist():
        begin = max(first - BAR_SLACK_PX, 0)
        lines = (np.flatnonzero(clear[begin : last + BAR_SLACK_PX]) + begin).tolist()
        if not lines:
            continue
        start = 0 if first == 0 else lines[0]
        end = length if last == length else lines[-1]
        off = sheet.colours_off(middle[(first + last) // 2])
        if sheet.colours and off > SMEARED_LEVELS:
            continue  # a street, say
        if start == end and off <= PLAIN_LEVELS:
            start, end = (start, last) if end - first < last - start else (first, end)
        if cuts[-1] <= start < end:
            cuts += [start, end]
    cuts.append(length)
    return [_part(box, axis, a, b) for a, b in zip(cuts[::2], cuts[1::2], strict=True) if b > a]


def _part(box: Window, axis: Axis, start: int, stop: int) -> Window:
    """The lines start..stop of a box."""
    if axis == 0:
        return Window(box.row + start, box.col, stop - start, box.cols)
    return Window(box.row, box.col + start, box.rows, stop - start)


def _without_words(sheet: Page, box: Window) -> Window:
    """A box without a strip of words on a plain ground at one of its ends, that a straight line cuts off."""
    axes: tuple[Axis, Axis] = (0, 1)
    for axis in axes:
        lines = np.moveaxis(sheet.plain[box.slices], axis, 0)
        colours = np.moveaxis(sheet.picture[box.slices], axis, 0)
        length = len(lines)
        for line in np.flatnonzero(clear_lines(sheet.picture[box.slices], axis)):
            leading = bool(line < length / 2)
            strip = np.s_[:line] if leading else np.s_[line:]
            start, stop = (int(line), length) if leading else (0, int(line))
            beside = np.s_[start : start + line] if leading else np.s_[stop - (length - stop) : stop]
            if 0 < stop - start >= (1 - WORDS_REACH) * length and _words(
                colours[strip], lines[strip], colours[beside]
            ):
                return _part(box, axis, start, stop)
    return box


def _words(colours: ByteArray, is_plain: BoolArray, beside: ByteArray) -> bool:
    """Whether a strip is words on one plain ground, in every quarter of its length, and not more picture."""
    if not is_plain.any():
        return False
    usual = _usual(colours[is_plain])
    ground, outside = ((np.abs(part - usual) <= SMEARED_LEVELS).all(-1) for part in (colours, beside))
    quarters = [part.mean(1) for part in np.array_split(ground, 4, axis=1) if part.size]
    ground_of_line = np.min(quarters, axis=0)
    even = np.quantile(ground_of_line, WORDS_LINES) >= WORDS_SHARE
    exact = (np.abs(colours[ground] - usual) <= PLAIN_LEVELS).all(-1)
    if not even or exact.mean() < WORDS_EXACT:
        return False  # a dark wood beside a dark page, say
    return bool(ground.mean() > outside.mean() + WORDS_SHARE / 2)


def _at_strongest_seam(sheet: Page, box: Window) -> list[Window]:
    """A box cut at a seam so strong that it is no street; else the box."""
    axes: tuple[Axis, Axis] = (0, 1)
    found = [seam for axis in axes for seam in seams(sheet.picture, box, axis) if seam.ratio >= STRONG_RATIO]
    return list(max(found, key=lambda seam: seam.ratio).cut(box)) if found else [box]


def seams(picture: ByteArray, box: Window, axis: Axis) -> list[Seam]:
    """Lines that cut a box in two over its full length, the clearest first.

    Parameters
    ----------
    picture : (rows, cols, 3) uint8
    """
    ratio = line_ratios(picture[box.slices], axis)
    start = box.col if axis == 1 else box.row
    length = len(ratio)
    low, high = int(INNER * length), int((1 - INNER) * length)
    places = [x for x in np.flatnonzero(ratio >= SEAM_RATIO) if low <= x < high]
    found: list[Seam] = []
    while places:
        best = max(places, key=lambda x: ratio[x])
        near = [x for x in places if abs(x - best) <= SEAM_PX]
        found.append(Seam(axis, start + int(min(near)), start + int(max(near)), float(ratio[best])))
        places = [x for x in places if abs(x - best) > SEAM_PX]
    return found


def clear_lines(picture: Array, axis: Axis, missed: float = BAR_MISSED) -> FloatArray:
    """(n,) grey levels of the step to a line where it is large and much larger than those nearby, else 0.

    See `line_ratios`.
    """
    ratio, step = _line_steps(picture, axis, missed)
    return np.where((ratio >= EDGE_RATIO) & (step >= EDGE_STEP), step, 0.0)


def line_ratios(picture: Array, axis: Axis, missed: float = MISSED) -> FloatArray:
    """(n,) how much larger the step to each line from the one before it is than the steps nearby.

    Of each part of the line the median step is taken, and of the parts a low quantile: a street or a roof
    edge is straight for a part of the way only. The first line has none: 0. In a share of `missed` parts
    there need be no step.
    """
    return _line_steps(picture, axis, missed)[0]


def _line_steps(picture: Array, axis: Axis, missed: float) -> tuple[FloatArray, FloatArray]:
    """(n,) the ratio of `line_ratios`, and the step itself in grey levels."""
    lines = np.moveaxis(np.asarray(picture, np.float32), axis, 0)
    steps = np.abs(np.diff(lines, axis=0)).max(-1)
    parts_of = [part for part in np.array_split(steps, BANDS, axis=1) if part.size]
    if not parts_of:
        return np.zeros(len(lines)), np.zeros(len(lines))
    bands = np.stack([np.median(part, axis=1) for part in parts_of])
    usual = np.stack([_around(band) for band in bands])
    ratio = np.quantile((bands + JPEG_STEP) / (usual + JPEG_STEP), missed, axis=0, method="lower")
    step = np.quantile(bands, missed, axis=0, method="lower")
    return np.concatenate([[0.0], ratio]), np.concatenate([[0.0], step])


def _around(values: FloatArray) -> FloatArray:
    """The median of the neighbours within `NEIGHBOURS_PX`, the two nearest left out."""
    reach = NEIGHBOURS_PX
    padded = np.pad(values, reach, mode="reflect")
    views = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
    beside = np.abs(np.arange(-reach, reach + 1)) > 1
    return np.asarray(np.median(views[:, beside], axis=1))


def plain_lines(picture: Array, axis: Axis) -> FloatArray:
    """(n,) share of each line that has the line's own median colour, within what JPEG smears."""
    lines = np.moveaxis(np.asarray(picture, np.float32), axis, 0)
    middle = np.median(lines, axis=1, keepdims=True)
    return np.asarray((np.abs(lines - middle) <= LINE_LEVELS).all(-1).mean(1))
