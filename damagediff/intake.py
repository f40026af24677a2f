"""Pictures that hold two pictures: where a composite can be cut into a before and an after panel.

The layout proposes (`propose`), the content decides: of all proposals the one is taken whose panels align,
which `splitting` asks of the alignment (`choose`). A proposal that aligns is refused all the same when
another one aligns that puts the panels elsewhere. One scene behind a slider, left half from before and right
half from after, has a seam but no ground twice: its content runs on across the seam (`runs_on`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from . import intake_layout
from .cut import Layout
from .intake_layout import Axis
from .types import ByteArray, FloatArray, Window

WORK_PX = 1400
"""Longest side of the reduced picture that the layout is read from."""
LEAST_PX = 64
"""Shortest side of a panel, at full resolution: what `raster` asks of an image."""
LEAST_AREA = 0.04
"""Share of the page below which a part is a locator map, a logo or a legend."""
LEAST_LIKE = 0.2
"""Share of the largest part's area below which another part is no second panel of it."""
LEAST_BESIDE = 0.5
"""Share of the shorter panel that lies beside the longer one."""
MOST_PARTS, MOST_SEAMS = 4, 3
"""Parts, and seams in each direction, that are looked at: more panels are no before and after."""
EQUAL_SHARE = 0.03
"""Of a side, within which two parts are of one size."""
NEAR_PX = 10
"""Pixels within which an edge is looked up at full resolution: JPEG smears it over blocks of 8."""
LEAST_EVEN = 0.6
"""Share of the lines outside an edge that must have one colour."""
GREAT_STEP, LEAST_SCORE = 60.0, 0.5
"""Grey levels of a step that counts in full; and how much step and evenness outside must make together."""
SAME_SHARE = 0.01
"""Of a side, within which two proposals say the same."""

SLIDER_PX = 12
"""Width of a slider's line, at most."""
SLIDER_RATIO = 3.0
"""Clarity of a seam from which it may be a slider's line and not a street."""
RUNS_ON_SD = 2.2
"""Correlation across a seam, in standard deviations of chance, from which the content runs on: 24 of 30
sliders of real pairs reach it, and none of 30 pictures of two places (largest 2.0)."""
SIDE_LINES = 2
"""Lines of pixels on either side of a seam that are compared."""

Look = Callable[[Window], ByteArray]
"""(rows, cols, 3) pixels of the whole picture on a window inside it."""


@dataclass(frozen=True)
class Proposal:
    """Two rectangles that may be the panels, in pixels of the picture as shown; left or upper one first."""

    panels: tuple[Window, Window]
    axis: Axis
    """0: one above the other; 1: side by side."""
    seam_ratio: float | None
    """Clarity of the seam where both touch; None: there is a bar between them."""
    doubt_px: tuple[int, int]
    """How far off the worst edge of each may be."""

    @property
    def layout(self) -> Layout:
        """How the panels lie, in words."""
        return "side by side" if self.axis == 1 else "one above the other"

    @property
    def gap_px(self) -> int:
        """Pixels between the two; 0 where they touch."""
        return max(0, _gap(*self.panels, self.axis))

    def same_as(self, other: Proposal) -> bool:
        """Whether two proposals differ by no more than `SAME_SHARE` of a side at every edge."""
        return all(_alike(a, b) for a, b in zip(self.panels, other.panels, strict=True))


@dataclass(frozen=True)
class Judged:
    """A proposal and the alignment's word on it."""

    proposal: Proposal
    score: float
    limit: float
    """Evidence that this is one place twice, and what is needed to believe it; see `types.Evidence`."""

    @property
    def aligns(self) -> bool:
        """Whether the panels are known to show one place."""
        return self.score >= self.limit


def propose(reduced: ByteArray, factor: int, shape: tuple[int, int], look: Look) -> tuple[Proposal, ...]:
    """Pairs of rectangles that the layout offers, those between plain bars first.

    Parameters
    ----------
    reduced : (rows, cols, 3) uint8
        The whole picture, each pixel the mean of `factor` x `factor`.
    shape : (rows, cols)
        Of the picture at full resolution.
    look : callable
        Gives full-resolution pixels, to look edges up.
    """
    page = intake_layout.page(reduced)
    found_parts = intake_layout.parts(page, page.whole, -(-LEAST_PX // factor))
    parts = [part for part in found_parts if _area(part) >= LEAST_AREA * page.plain.size]
    parts = sorted(parts, key=_area, reverse=True)[:MOST_PARTS]
    parts = sorted(part for part in parts if _area(part) >= LEAST_LIKE * _area(parts[0]))
    found: list[_Rough] = []
    for k, first in enumerate(parts):
        for second in parts[k + 1 :]:
            axis = _beside(first, second)
            if axis is not None:
                like = _like(page, first, second), _like(page, second, first)
                panels = sorted(like, key=lambda box: box[axis])
                found.append(_Rough((panels[0], panels[1]), axis))
    for part in parts:
        axes: tuple[Axis, Axis] = (0, 1)
        seams = [s for axis in axes for s in intake_layout.seams(reduced, part, axis)[:MOST_SEAMS]]
        for seam in sorted(seams, key=lambda s: -s.ratio):
            halves = [_trimmed(page, half) for half in seam.cut(part)]
            found.append(_Rough((halves[0], halves[1]), seam.axis, seam.ratio))
    made = (_sharpened(each, factor, shape, look) for each in found)
    return tuple(p for p in made if all(min(box.rows, box.cols) >= LEAST_PX for box in p.panels))


def choose(judged: Sequence[Judged]) -> tuple[Judged | None, str]:
    """The proposal to believe, or None, and why in one sentence.

    Where several agree with the content, the clearest seam among nearly the same cuts is taken; two that
    put the panels elsewhere are ambiguous.
    """
    believed = [each for each in judged if each.aligns]
    if not believed:
        return None, "no two parts of it show the same place"
    best = max(believed, key=lambda each: (each.proposal.seam_ratio or np.inf, each.score))
    rivals = [each for each in believed if not _explained(each.proposal, best.proposal)]
    if rivals:
        return None, f"{1 + len(rivals)} different pairs of its parts show the same place"
    return best, "both parts show the same place"


def _explained(other: Proposal, best: Proposal) -> bool:
    """Whether a cut is a poorer version of the best: at another line of the same two panels."""
    if other.same_as(best):
        return True
    poorer = other.seam_ratio is not None and other.seam_ratio < 0.7 * (best.seam_ratio or np.inf)
    return (
        poorer
        and other.axis == best.axis
        and all(_share_inside(a, b) > 0.7 for a, b in zip(other.panels, best.panels, strict=True))
    )


def _share_inside(a: Window, b: Window) -> float:
    rows = min(a.row + a.rows, b.row + b.rows) - max(a.row, b.row)
    cols = min(a.col + a.cols, b.col + b.cols) - max(a.col, b.col)
    return max(0, rows) * max(0, cols) / _area(a)


def _like(page: intake_layout.Page, part: Window, other: Window) -> Window:
    """A part without what a seam cuts off, if the rest is of the other part's size: a legend, as a rule."""
    axes: tuple[Axis, Axis] = (0, 1)
    for axis in axes:
        if part[axis + 2] <= (1 + EQUAL_SHARE) * other[axis + 2]:
            continue
        for seam in intake_layout.seams(page.picture, part, axis):
            for half in seam.cut(part):
                rest = _trimmed(page, half)
                apart = [abs(rest[k] - other[k]) / other[k] for k in (2, 3)]
                if max(apart) <= EQUAL_SHARE:
                    return rest
    return part


def _trimmed(page: intake_layout.Page, half: Window) -> Window:
    """The largest part between plain bars of what lies on one side of a seam."""
    return max(intake_layout.parts(page, half, 1), key=_area, default=half)


def _area(box: Window) -> int:
    return box.rows * box.cols


def _alike(a: Window, b: Window) -> bool:
    sides = np.array([a.rows, a.cols, a.rows, a.cols])
    ends = [np.array([w.row, w.col, w.row + w.rows, w.col + w.cols]) for w in (a, b)]
    return bool((np.abs(ends[0] - ends[1]) <= np.maximum(2, SAME_SHARE * sides)).all())


def _beside(a: Window, b: Window) -> Axis | None:
    """In which direction two parts lie beside one another; None when they do not."""
    rows = min(a.row + a.rows, b.row + b.rows) - max(a.row, b.row)
    cols = min(a.col + a.cols, b.col + b.cols) - max(a.col, b.col)
    if rows >= LEAST_BESIDE * min(a.rows, b.rows) and cols <= 0:
        return 1
    if cols >= LEAST_BESIDE * min(a.cols, b.cols) and rows <= 0:
        return 0
    return None


@dataclass(frozen=True)
class _Rough:
    """Two rectangles of reduced pixels, and the seam between them if they touch."""

    boxes: tuple[Window, Window]
    axis: Axis
    seam_ratio: float | None = None


def _sharpened(rough: _Rough, factor: int, shape: tuple[int, int], look: Look) -> Proposal:
    """A proposal in reduced pixels with its edges looked up at full resolution."""
    touching: list[set[int]] = [set(), set()]
    if _gap(*rough.boxes, rough.axis) <= intake_layout.SEAM_PX:
        touching = [{1}, {0}] if rough.axis == 0 else [{3}, {2}]
    page = _Page(factor, shape, look)
    boxes = [page.sharpened(box, sides) for box, sides in zip(rough.boxes, touching, strict=True)]
    return Proposal((boxes[0][0], boxes[1][0]), rough.axis, rough.seam_ratio, (boxes[0][1], boxes[1][1]))


@dataclass(frozen=True)
class _Page:
    """The whole picture at full resolution, to look edges up."""

    factor: int
    shape: tuple[int, int]
    look: Look

    def sharpened(self, box: Window, touching: set[int]) -> tuple[Window, int]:
        """A rectangle of reduced pixels at full resolution, and how far off its worst edge may be.

        `touching`: sides (0 top, 1 bottom, 2 left, 3 right) that are a seam; outside the others is a bar, or
        nothing.
        """
        rows, cols = self.shape
        limits = [rows, rows, cols, cols]
        rough = [box.row, box.row + box.rows, box.col, box.col + box.cols]
        ends = [min(end * self.factor, limit) for end, limit in zip(rough, limits, strict=True)]
        doubt = 1
        for side in range(4):
            across = (ends[2], ends[3]) if side < 2 else (ends[0], ends[1])
            find = self._seam if side in touching else self._bar_end
            at, clear = find(ends[side], side, across)
            ends[side] = at
            doubt = doubt if clear else max(doubt, 3 * self.factor)
        top, bottom, left, right = ends
        return Window(top, left, bottom - top, right - left), doubt

    def _lines(self, low: int, high: int, side: int, across: tuple[int, int]) -> tuple[ByteArray, Axis]:
        """Pixels of the lines low..high along a side."""
        length = across[1] - across[0]
        if side < 2:
            return self.look(Window(low, across[0], high - low, length)), 0
        return self.look(Window(across[0], low, length, high - low)), 1

    def _seam(self, near: int, side: int, across: tuple[int, int]) -> tuple[int, bool]:
        """The clearest line within a few pixels of a rough seam."""
        reach, around = self.factor + 1, intake_layout.NEIGHBOURS_PX
        low, high = max(0, near - reach - around), min(self.shape[side // 2], near + reach + around)
        ratio = intake_layout.line_ratios(*self._lines(low, high, side, across))
        ratio = np.where(np.abs(np.arange(low, high) - near) <= reach, ratio, 0)
        best = int(ratio.argmax())
        return (low + best, True) if ratio[best] >= intake_layout.EDGE_RATIO else (near, False)

    def _bar_end(self, near: int, side: int, across: tuple[int, int]) -> tuple[int, bool]:
        """Where the plain bar outside a rough edge ends, and whether that is clear.

        At the picture's own edge there need be no bar.
        """
        reach, around = NEAR_PX + self.factor, intake_layout.NEIGHBOURS_PX
        limit, outwards = self.shape[side // 2], side % 2
        low, high = max(0, near - reach - around), min(limit, near + reach + around)
        pixels, axis = self._lines(low, high, side, across)
        step, even = intake_layout.clear_lines(pixels, axis), intake_layout.plain_lines(pixels, axis)
        padded = np.concatenate([np.full(4, even[0]), even, np.full(4, even[-1])])
        sums = np.concatenate([[0.0], np.cumsum(padded)])
        before, after = (sums[4:-5] - sums[:-9]) / 4, (sums[8:-1] - sums[4:-5]) / 4
        outside, inside = (after, before) if outwards else (before, after)
        score = np.minimum(step / GREAT_STEP, 1) + outside - inside
        allowed = (np.abs(np.arange(low, high) - near) <= reach) & (step > 0) & (outside >= LEAST_EVEN)
        score = np.where(allowed, score, -np.inf)
        best = int(score.argmax())
        if score[best] > LEAST_SCORE:
            return low + best, True
        border = near <= 2 or near >= limit - 2
        return ((0 if near <= 2 else limit), True) if border else (near, False)


def _gap(first: Window, second: Window, axis: Axis) -> int:
    """Pixels between two parts; negative where they overlap."""
    return second[axis] - first[axis] - first[axis + 2]


def overlap(a: Window, b: Window) -> bool:
    """Whether two rectangles have a pixel in common."""
    rows = min(a.row + a.rows, b.row + b.rows) - max(a.row, b.row)
    cols = min(a.col + a.cols, b.col + b.cols) - max(a.col, b.col)
    return rows > 0 and cols > 0


def slider(proposal: Proposal, look: Look) -> bool:
    """Whether two parts are one scene behind a slider: close, of one width across, and content runs on."""
    first, second = proposal.panels
    across = 1 - proposal.axis
    ends = first[across] - second[across], first[across + 2] - second[across + 2]
    clear = proposal.seam_ratio is None or proposal.seam_ratio >= SLIDER_RATIO
    near = clear and _gap(first, second, proposal.axis) <= SLIDER_PX and max(map(abs, ends)) <= SLIDER_PX
    return near and runs_on(proposal, look) >= RUNS_ON_SD


def runs_on(proposal: Proposal, look: Look) -> float:
    """How surely the content runs on from one part to the other, in standard deviations of chance.

    The line of pixels on one side of the seam is correlated with that on the other, at lag 0 against lags at
    which no content could be shared.
    """
    first, second = proposal.panels
    across = 1 - proposal.axis
    start = max(first[across], second[across])
    stop = min(first[across] + first[across + 2], second[across] + second[across + 2])
    end, begin = first[proposal.axis] + first[proposal.axis + 2], second[proposal.axis]
    lines = []
    for at in (end - 1 - SIDE_LINES, begin + 1):  # the line next to the seam is smeared
        if proposal.axis == 1:
            pixels = look(Window(start, at, stop - start, SIDE_LINES))
        else:
            pixels = look(Window(at, start, SIDE_LINES, stop - start)).swapaxes(0, 1)
        lines.append(_detrended(np.asarray(pixels, np.float32).mean((1, 2))))
    curve = np.fft.irfft(np.fft.rfft(lines[0]) * np.conj(np.fft.rfft(lines[1])), len(lines[0]))
    lag = np.minimum(np.arange(len(curve)), len(curve) - np.arange(len(curve)))
    far = curve[lag > 12]
    return float((curve[lag <= 2].max() - far.mean()) / (far.std() + 1e-9))


def _detrended(line: FloatArray) -> FloatArray:
    """A line of pixels without its slow part, and of one spread along it."""
    rest = line - cv2.GaussianBlur(line[:, None], (1, 0), 0, sigmaY=25)[:, 0]
    spread = np.sqrt(np.maximum(cv2.GaussianBlur((rest * rest)[:, None], (1, 0), 0, sigmaY=30)[:, 0], 0))
    return np.asarray(rest / (spread + 2))
