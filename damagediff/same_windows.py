"""Windows of two pictures: copies of one picture agree in what two acquisitions never share.

A copy that was edited or compressed again keeps, outside the changed parts, every ripple of a few pixels to
within a grey level or so, and one relation of grey levels over the whole picture. Another acquisition has
other noise, another haze and other shadows: its ripples differ by several levels at *every* scale, while what
JPEG takes away lies at the finest ones. So each of many small windows is asked: is what lies between 1.6 and
6.4 px the same, and do its grey levels follow the relation of the others? The idea of looking at what is left
when the scene is taken away is that of sensor noise as a fingerprint [1]_, and of searching a picture for
blocks that it holds twice [2]_; here the coarser ripples carry the answer, because compression leaves them.

References
----------
.. [1] Lukas, Fridrich, Goljan, "Digital camera identification from sensor pattern noise", IEEE Trans. Inf.
       Forensics Security 1(2), 2006. :DOI:`10.1109/TIFS.2006.873602`
.. [2] Christlein, Riess, Jordan, Riess, Angelopoulou, "An evaluation of popular copy-move forgery detection
       approaches", IEEE Trans. Inf. Forensics Security 7(6), 2012. :DOI:`10.1109/TIFS.2012.2218597`
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from .types import Array, BoolArray, FloatArray, Window

SIDE_PX = 32
"""Of a window: some twenty ripples of the band, and small enough to lie between edited patches."""
MARGIN_PX = 8
"""Around a window, for its filters."""
SEARCH_PX = 6
"""Around that: what the alignment of a copy may be wrong by. An edited patch can bend it."""
STEP_PX = 24
FEW, MANY = 7, 12
"""Windows a side at most, at the first look and where it raises the question."""
SIGMAS_PX = (0.8, 1.6, 3.2, 6.4)
MIN_CONTRAST = 1.0
"""Standard deviation of the band, grey levels, below which a window says nothing."""
MIN_GRAIN = 0.1
"""Least deviation of the finest band in any 8 x 8 px block: menus and margins of screenshots have none, and
being the same in two screenshots they are not the same picture of a place."""
LEAST_CORRELATION = 0.9
"""Of the band; what follows asks more wherever there is contrast."""
SAME_LEVELS, SAME_SHARE = 1.2, 0.05
"""What may be left of the band in the flatter picture: grey levels, and a share of its contrast, as squares.
JPEG of quality 30 leaves 1.1 levels, two acquisitions 2.3 and more in their most alike tenth; the share is
for interpolation and for what a change of tone bends."""
SAME_SHIFT_PX = 2.0
"""From the middle one of the windows that are alike: farther off is another, similar place."""
SAME_RELATION_LEVELS = 1.5
"""Distance of a window's grey levels from the relation of all; JPEG of quality 30 leaves .6, and the two
most alike acquisitions 3.3."""
ONE_RELATION = 0.6
"""Share of the windows that are alike which must follow it: like houses in rows follow none."""
ASKED = 0.93
"""Correlation of any window that raises the question, and makes the look closer."""
MAX_CLIPPED = 0.05
"""Share of clipped pixels beyond which a window is not asked: what was brighter is gone."""
MIN_WINDOWS = 6
WHOLE = 0.5
"""Share of windows that are the same from which the files are copies of one picture."""
PART, LEAST_SAME = 0.1, 5
"""Share of windows, and how many, from which a part of both is one picture. Of 60 real pairs none has one."""
ELSEWHERE = 1.5
"""Times what is left of a window where it lies, in levels: a copy fits another place of the picture worse
than this. Where content repeats (orchards, tents, houses drawn alike) every place fits as well."""
ASKED_ELSEWHERE = 16
"""Of the windows that are the same, evenly, so many are looked for elsewhere."""
_ROUNDS = 8


class Looked(NamedTuple):
    """One window of two pictures."""

    correlation: float
    """Of the band from 1.6 to 6.4 px, where the window fits best."""
    levels: float
    """What the one does not explain of the other in that band, grey levels, in the flatter of the two."""
    contrast: tuple[float, float]
    """Standard deviation of the band, grey levels, in the flatter and in the richer of the two."""
    grain: float
    shift_rc: tuple[float, float]
    """Where the second picture shows the window, pixels from where it was expected."""
    clipped: float
    """Share of the window's pixels that are black or white to the end in either picture."""
    light: Array
    """(2, 16) grey levels of both, blurred by 3.2 px, on a lattice."""
    band: tuple[FloatArray, FloatArray]
    """The band of the first picture's window, and of the second's with the margins, moved by `shift_rc`."""


@dataclass(frozen=True)
class Judged:
    """What the windows say together."""

    windows: int
    """Those with enough contrast to be asked."""
    same: BoolArray
    """(N,) of all windows."""

    @property
    def count(self) -> int:
        """How many are the same."""
        return int(self.same.sum())

    @property
    def share(self) -> float | None:
        """Same windows among those asked; None when there are too few."""
        return self.count / self.windows if self.windows >= MIN_WINDOWS else None

    @property
    def whole(self) -> bool:
        """Whether these are copies of one picture."""
        return (self.share or 0.0) >= WHOLE and self.count >= LEAST_SAME


def plan(shape: tuple[int, int], per_side: int = FEW) -> tuple[Window, ...]:
    """Windows on a lattice over a picture of `shape`, with room for their margins; empty in a tiny one."""
    edge = MARGIN_PX + SEARCH_PX
    lines = []
    for size in shape:
        room = size - 2 * edge - SIDE_PX
        count = min(per_side, 1 + room // STEP_PX)
        lines.append([] if room < 0 else [edge + int(p) for p in np.rint(np.linspace(0, room, count))])
    return tuple(Window(row, col, SIDE_PX, SIDE_PX) for row in lines[0] for col in lines[1])


def look(before: FloatArray, after: FloatArray, valid: BoolArray) -> Looked | None:
    """Compare one window of two pictures.

    Parameters
    ----------
    before, after : (rows, cols) float32, 0..255
        The window with `MARGIN_PX` + `SEARCH_PX` on every side.
    valid : (rows, cols)
        True where both have pixels.

    Returns
    -------
    None where the window is not valid.
    """
    inner = slice(SEARCH_PX, -SEARCH_PX)
    if not valid[inner, inner].all():
        return None
    first = _Scales.of(before)
    shift = _best_shift(first.middle, _Scales.of(after).middle)
    second = _Scales.of(_moved(after, shift))
    a, b = _core(first.band), _core(second.band)
    r = _correlation(a, b)
    spread = float(a.std()), float(b.std())
    light = np.stack([_core(scale.coarse)[4::8, 4::8].ravel() for scale in (first, second)])
    grain = max(_least_grain(_core(scale.fine)) for scale in (first, second))
    ends = (_core(before), _core(after))
    clipped = float(np.logical_or(*[(x <= 0.5) | (x >= 254.5) for x in ends]).mean())
    unlike = float(np.sqrt(max(0.0, 1 - r * r)))
    contrast, bands = (min(spread), max(spread)), (a, second.band)
    return Looked(r, min(spread) * unlike, contrast, grain, shift, clipped, light, bands)


@dataclass(frozen=True)
class _Scales:
    """A window taken apart by blurs."""

    fine: FloatArray
    middle: FloatArray
    band: FloatArray
    coarse: FloatArray

    @staticmethod
    def of(grey: FloatArray) -> _Scales:
        blurred: list[FloatArray] = [np.asarray(cv2.GaussianBlur(grey, (0, 0), s)) for s in SIGMAS_PX]
        return _Scales(grey - blurred[0], blurred[0] - blurred[2], blurred[1] - blurred[3], blurred[2])


def _core(data: FloatArray) -> FloatArray:
    edge = MARGIN_PX + SEARCH_PX
    return data[edge:-edge, edge:-edge]


def _best_shift(first: FloatArray, second: FloatArray) -> tuple[float, float]:
    """Where the core of `first` lies in `second`, by parabolas; 0 without contrast."""
    template = np.ascontiguousarray(_core(first))
    return (0.0, 0.0) if template.std() < 1e-3 else _shift_of(template, second)


def _shift_of(template: FloatArray, second: FloatArray) -> tuple[float, float]:
    """Where a window lies in `second`, which has its margins, to a fraction of a pixel."""
    inner = slice(MARGIN_PX, -MARGIN_PX)
    found = cv2.matchTemplate(np.ascontiguousarray(second[inner, inner]), template, cv2.TM_CCOEFF_NORMED)
    row, col = (int(k) for k in np.unravel_index(np.argmax(found), found.shape))
    return (
        row - SEARCH_PX + _vertex(found[:, col], row),
        col - SEARCH_PX + _vertex(found[row], col),
    )


def _vertex(line: Array, at: int) -> float:
    if not 0 < at < len(line) - 1:
        return 0.0
    left, middle, right = (float(v) for v in line[at - 1 : at + 2])
    bend = left - 2 * middle + right
    return 0.0 if bend > -1e-9 else float(np.clip((left - right) / (2 * bend), -0.5, 0.5))


def _moved(grey: FloatArray, shift_rc: tuple[float, float]) -> FloatArray:
    """The picture pulled back by a shift, cubic."""
    matrix = np.array([[1, 0, shift_rc[1]], [0, 1, shift_rc[0]]])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    size = grey.shape[1], grey.shape[0]
    return np.asarray(cv2.warpAffine(grey, matrix, size, flags=flags, borderMode=cv2.BORDER_REFLECT))


def _correlation(a: FloatArray, b: FloatArray) -> float:
    a, b = a - a.mean(), b - b.mean()
    power = float(np.sqrt((a * a).sum(dtype=np.float64) * (b * b).sum(dtype=np.float64)))
    return float((a * b).sum(dtype=np.float64)) / power if power > 1e-6 else 0.0


def _least_grain(fine: FloatArray) -> float:
    blocks = fine.reshape(SIDE_PX // 8, 8, SIDE_PX // 8, 8)
    return float(blocks.std((1, 3)).min())


def places(windows: Sequence[Window], shape: tuple[int, int]) -> FloatArray:
    """(N, 2) middles of windows, 0..1 across the picture."""
    corners = np.array([w[:2] for w in windows], float).reshape(-1, 2)
    return (corners + SIDE_PX / 2) / np.array(shape, float)


def compare(
    before: FloatArray,
    after: FloatArray,
    offset_rc: tuple[int, int] = (0, 0),
    valid: tuple[BoolArray, BoolArray] | None = None,
) -> Judged:
    """Two whole pictures of one scale; `offset_rc` leads from a place in the first to it in the second."""
    found = Judged(0, np.zeros(0, bool))
    for per_side in (FEW, MANY):
        windows, looked = [], []
        for window in plan(before.shape, per_side):
            seen = _cut_both(before, after, window, offset_rc, valid)
            one = None if seen is None else look(*seen)
            if one is not None:
                windows.append(window)
                looked.append(one)
        found = judge(looked, places(windows, before.shape))
        if not suspicious(looked):
            break
    return found


def suspicious(looked: Sequence[Looked]) -> bool:
    """Whether a closer look is worth its time."""
    return any(w.correlation >= ASKED and w.contrast[1] >= MIN_CONTRAST for w in looked)


def _cut_both(
    before: FloatArray,
    after: FloatArray,
    window: Window,
    offset_rc: tuple[int, int],
    valid: tuple[BoolArray, BoolArray] | None,
) -> tuple[FloatArray, FloatArray, BoolArray] | None:
    """A window of both with its margins; None where it reaches out of one."""
    first = window.padded(MARGIN_PX + SEARCH_PX)
    second = first._replace(row=first.row + offset_rc[0], col=first.col + offset_rc[1])
    inside = min(second.row, second.col) >= 0 and all(
        at + count <= size for at, count, size in zip(second[:2], second[2:], after.shape, strict=True)
    )
    if not inside:
        return None
    both = np.ones((first.rows, first.cols), bool)
    if valid is not None:
        both = valid[0][first.slices] & valid[1][second.slices]
    return before[first.slices], after[second.slices], both


def judge(looked: Sequence[Looked], place: FloatArray) -> Judged:
    """What the windows say together.

    Parameters
    ----------
    looked : sequence of Looked
    place : (N, 2)
        Their places, 0..1 across the picture: a filter may have shaded the copy.
    """
    if not looked:
        return Judged(0, np.zeros(0, bool))
    r, levels, grain, clipped = (
        np.array([getattr(w, k) for w in looked]) for k in ("correlation", "levels", "grain", "clipped")
    )
    flatter, richer = np.array([w.contrast for w in looked]).T
    asked = (richer >= MIN_CONTRAST) & (grain >= MIN_GRAIN) & (clipped <= MAX_CLIPPED)
    alike = asked & (r >= LEAST_CORRELATION) & (levels <= np.hypot(SAME_LEVELS, SAME_SHARE * flatter))
    shift = np.array([w.shift_rc for w in looked])
    if alike.any():
        alike &= np.hypot(*(shift - np.median(shift[alike], 0)).T) <= SAME_SHIFT_PX
    if alike.sum() < LEAST_SAME:
        return Judged(int(asked.sum()), np.zeros(len(looked), bool))
    apart = _off_relation(np.stack([w.light for w in looked]), place, alike)
    same = alike & (apart <= SAME_RELATION_LEVELS)
    same &= same.sum() >= ONE_RELATION * alike.sum()
    return Judged(int(asked.sum()), same & (same.sum() < LEAST_SAME or not _repeats(looked, same)))


def _repeats(looked: Sequence[Looked], same: BoolArray) -> bool:
    """Whether windows that are the same fit elsewhere in the second picture about as well.

    Two acquisitions, or two drawings, of a lattice of like things agree wherever the lattice falls on itself;
    a copy has its own noise and its own trees in one place only. The other windows are the other places: so
    nothing more is read, and every pitch is met somewhere.
    """
    chosen = np.flatnonzero(same)
    chosen = chosen[np.unique(np.linspace(0, len(chosen) - 1, ASKED_ELSEWHERE).astype(int))]
    times = []
    for k in chosen:
        others = [one.band[1] for n, one in enumerate(looked) if n != k]
        times.append(_least_left(looked[k].band[0], others) / max(looked[k].levels, 1e-3))
    return float(np.median(times)) < ELSEWHERE


def _least_left(first: FloatArray, others: Sequence[FloatArray]) -> float:
    """What the best fitting of other windows does not explain of one, grey levels, in the flatter of both."""
    left = [float(first.std())]
    inner, template = slice(MARGIN_PX, -MARGIN_PX), np.ascontiguousarray(first)
    peaks = [
        cv2.matchTemplate(np.ascontiguousarray(x[inner, inner]), template, cv2.TM_CCOEFF_NORMED).max()
        for x in others
    ]
    for n in np.argsort(peaks)[-3:]:
        there = _core(_moved(others[n], _shift_of(template, others[n])))
        r = _correlation(first, there)
        left.append(min(float(first.std()), float(there.std())) * float(np.sqrt(max(0.0, 1 - r * r))))
    return min(left)


def _off_relation(light: Array, place: FloatArray, alike: BoolArray) -> FloatArray:
    """(N,) median distance of each window's levels from one smooth relation fitted to those that are alike.

    A cubic in the level with a slope and a gain over the picture, by least squares with what does not fit
    left out again and again. In levels of the picture with less contrast.
    """
    x, y = light[:, 0].ravel() / 255.0, light[:, 1].ravel().astype(np.float64)
    row, col = (np.repeat(place[:, k], light.shape[2]) for k in (0, 1))
    terms = np.stack([np.ones_like(x), x, x**2, x**3, row, col, x * row, x * col], -1)
    used = begun = np.repeat(alike, light.shape[2])
    left = np.zeros_like(y)
    for _ in range(_ROUNDS):
        normal = terms[used].T @ terms[used] + 1e-6 * used.sum() * np.eye(terms.shape[1])
        left = y - terms @ np.linalg.solve(normal, terms[used].T @ y[used])
        spread = 1.4826 * float(np.median(np.abs(left[begun])))
        used = begun & (np.abs(left) <= max(3 * spread, 1.0))
    gain = max(1.0, float(y[begun].std() / max(255 * x[begun].std(), 1e-6)))
    return np.asarray(np.median(np.abs(left).reshape(len(light), -1), 1) / gain)
