"""Where building outlines lie best on the before image: one shift a block, and none where none can be shown.

Outlines drawn on another image are often off by metres, all of a neighbourhood by nearly the same. For each
outline the agreement of its sides with the edges of the before image is measured at every shift within reach;
the surfaces of many outlines together show the shift that they have in common.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import shapely

from .settings import BuildingSettings
from .types import BoolArray, ByteArray, FloatArray, FootprintFit, Grid, Outline, Shift, Window

BLUR_PX = 1.0
NEIGHBOURHOOD_PX = 6.0
"""Sigma of the window in which edges are weighed against each other: a strong edge counts once."""
MARGIN_PX = 16
"""Pixels read beyond the reach, for that window."""
SPACING_PX = 0.5
"""Between two points of an outline at which the edge below is looked up."""
STAIRS_PX = 1.0
"""Outlines traced from pixels are stairs: sides are straightened by so much to read their direction."""
SMALLEST_PX, LARGEST_PX = 6, 512
"""Sides of a box around an outline that takes part in the fit."""
MIN_VALID = 0.7
"""Share of an outline's surroundings that must be picture."""
LEAST_REACH_PX, MOST_REACH_PX = 8, 64
SMOOTH_PX = 1.0
"""Sigma of the blur of the surfaces: outlines of one block do not agree better than that."""
BLOCK_M, BLOCK_PX = 250.0, 512
"""Side of a block: errors of digitised maps change over some hundred metres."""
MIN_BUILDINGS = 12
"""Fewer outlines do not show a shift."""
MOST_IN_BLOCK, MOST_IN_ALL = 100, 4000
"""More do not show it better, and cost memory; they are taken evenly from the list."""
SCENE_WEIGHT = 6.0
"""Outlines for which the whole scene counts in each block: few outlines are drawn to the scene's shift."""
MIN_PEAK_SD = 6.0
"""Height of the peak, in robust standard deviations of the surface, from which it is not chance: outlines of
other places reached 5.3 in 88 trials (docs/method.md)."""
PEAK_RADIUS_PX = 4
"""Shifts nearer to a peak belong to it."""
MIN_GAIN_SE = 3.0
"""Standard errors over outlines by which a shift must be better than the one it replaces."""


@dataclass(frozen=True)
class Place:
    """One outline that takes part in the fit."""

    index: int
    """Of the outline in the list given."""
    block: tuple[int, int]
    window: Window
    """Pixels of the before image that `agreement` needs; may reach beyond the grid."""
    line: FloatArray
    """(2, rows, cols) float32: direction of the outline's normals, doubled, as cosine and sine."""


def reach_px(grid: Grid, settings: BuildingSettings) -> int:
    """How far a shift is searched, in pixels each way."""
    wanted = settings.max_shift_px if grid.gsd_m is None else math.ceil(settings.max_shift_m / grid.gsd_m)
    return int(min(max(wanted, LEAST_REACH_PX), MOST_REACH_PX))


def places(outlines: Sequence[Outline], grid: Grid, settings: BuildingSettings) -> tuple[Place, ...]:
    """The outlines that take part in the fit, each with its block and the pixels that it needs.

    Too small, too large and broken outlines take no part, nor those whose box leaves the grid.
    """
    side = block_px(grid)
    pad = reach_px(grid, settings) + MARGIN_PX
    found: dict[tuple[int, int], list[Place]] = {}
    for index, outline in enumerate(outlines):
        drawn = _line(outline)
        if drawn is None:
            continue
        line, top, left = drawn
        rows, cols = line.shape[1:]
        if top < 0 or left < 0 or top + rows > grid.shape[0] or left + cols > grid.shape[1]:
            continue
        block = (top + rows // 2) // side, (left + cols // 2) // side
        window = Window(top, left, rows, cols).padded(pad)
        found.setdefault(block, []).append(Place(index, block, window, line))
    most = min(MOST_IN_BLOCK, max(MIN_BUILDINGS, MOST_IN_ALL // max(1, len(found))))
    kept = [_every(group, most) for _, group in sorted(found.items())]
    return tuple(place for group in kept for place in group)


def _every(group: list[Place], most: int) -> list[Place]:
    """At most so many, evenly from the whole list."""
    return [group[k * len(group) // min(most, len(group))] for k in range(min(most, len(group)))]


def _line(outline: Outline) -> tuple[FloatArray, int, int] | None:
    """Normals along all rings, drawn into the outline's own box, and where that box begins."""
    points, normals = [], []
    for ring in (ring for part in outline for ring in part):
        line = shapely.LineString(ring)
        if line.length >= 2 * SMALLEST_PX:
            straight = np.array(line.simplify(STAIRS_PX).coords)
            at, across = _sides(straight)
            points.append(at)
            normals.append(across)
    if not points:
        return None
    rc, across = np.concatenate(points), np.concatenate(normals)
    size = np.ptp(rc, axis=0)
    if size.min() < SMALLEST_PX or size.max() > LARGEST_PX:
        return None
    pixel = np.rint(rc).astype(int)
    top, left = pixel.min(0).tolist()
    shape = pixel.max(0) - [top, left] + 1
    line = np.zeros((2, *shape), np.float32)
    for k in range(2):
        np.add.at(line[k], tuple((pixel - [top, left]).T), across[:, k])
    return line / np.float32(len(rc)), top, left


def _sides(ring: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(N, 2) points along a ring of (row, col), and (N, 2) cosine and sine of twice the normal's angle."""
    ends = np.diff(ring, axis=0)
    lengths = np.hypot(*ends.T)
    counts = np.maximum(1, np.rint(lengths / SPACING_PX)).astype(int)
    which = np.repeat(np.arange(len(ends)), counts)
    step = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
    at = ring[which] + ends[which] * ((step + 0.5) / counts[which])[:, None]
    twice = 2 * np.arctan2(ends[:, 1], -ends[:, 0])  # normal (-row, col): angle of (x = d row, y = -d col)
    return at, np.stack([np.cos(twice), np.sin(twice)], -1)[which]


def agreement(before: ByteArray, valid: BoolArray, place: Place) -> FloatArray | None:
    """How well one outline lies on edges at every shift within reach.

    Parameters
    ----------
    before : (rows, cols) uint8
        Luminance in the place's window, whatever outside the grid.
    valid : (rows, cols) bool

    Returns
    -------
    (2 reach + 1, 2 reach + 1) float32 or None
        Mean over the outline of the normalised gradient across it less that along it, taken to mean 0 and
        standard deviation 1 over the shifts; no shift in the middle. None where the window is not valid or
        has no edges.
    """
    if valid.mean() < MIN_VALID:
        return None
    seen = cv2.erode(valid.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0  # not the edge of the picture
    edges = (_edges(before) * seen)[:, MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX]
    across, along = (
        cv2.matchTemplate(np.ascontiguousarray(part), line, cv2.TM_CCORR)
        for part, line in zip(edges, place.line, strict=True)
    )
    surface = cv2.GaussianBlur(across + along, (0, 0), SMOOTH_PX)
    spread = float(surface.std())
    if spread < 1e-6:
        return None
    return np.asarray((surface - surface.mean()) / spread, np.float32)


def _edges(grey: ByteArray) -> FloatArray:
    """(2, rows, cols): gradient over its surroundings, its angle doubled, so that its sign does not count."""
    soft = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), BLUR_PX)
    across, down = (cv2.Scharr(soft, cv2.CV_32F, *order) / 32 for order in ((1, 0), (0, 1)))
    square = across * across + down * down
    around = np.sqrt(cv2.GaussianBlur(square, (0, 0), NEIGHBOURHOOD_PX))
    size = np.sqrt(square)
    weight = 1 / ((around + size + np.float32(0.5)) * np.maximum(size, np.float32(1e-6)))
    return np.stack([(across * across - down * down) * weight, 2 * across * down * weight])


def fit(found: Sequence[Place], surfaces: Sequence[FloatArray], grid: Grid) -> FootprintFit:
    """One shift for the scene and for each block, where the outlines show one.

    The shift of a set of outlines is where the sum of their surfaces peaks. It counts when the peak stands
    6 robust standard deviations over the surface, and when it is better, outline by outline, by 3 standard
    errors than the shift it would replace: none for the scene, the scene's for a block. To a block's sum the
    scene's mean surface is added with the weight of 6 outlines, so that few outlines do not wander off.

    Parameters
    ----------
    found : sequence of Place
    surfaces : sequence of (side, side) float32
        Of `agreement`, in the order of `found`.
    grid : Grid

    Returns
    -------
    FootprintFit
        Shifts in pixels from where the outlines are to where they belong.
    """
    side = block_px(grid)
    stack = np.stack(surfaces) if len(surfaces) else np.zeros((0, 1, 1), np.float32)
    scene = _shift(None, stack, np.zeros(stack.shape[1:]), (0.0, 0.0))
    if len(stack) < MIN_BUILDINGS:
        return FootprintFit(scene, (), side)
    mean = stack.mean(0, dtype=np.float64)
    shifts = []
    for block in sorted({place.block for place in found}):
        own = stack[[place.block == block for place in found]]
        if MIN_BUILDINGS <= len(own) < len(found):
            shifts.append(_shift(block, own, SCENE_WEIGHT * mean, scene.shift_rc))
    return FootprintFit(scene, tuple(shifts), side)


def block_px(grid: Grid) -> int:
    """Side of a block in pixels."""
    return BLOCK_PX if grid.gsd_m is None else max(1, round(BLOCK_M / grid.gsd_m))


def _shift(
    block: tuple[int, int] | None, surfaces: FloatArray, prior: FloatArray, instead: tuple[float, float]
) -> Shift:
    """The shift that a set of outlines shows, or `instead`."""
    count, reach = len(surfaces), surfaces.shape[-1] // 2
    stays = "the shift of the whole scene is taken" if block else "footprints stay where they are"
    if count < MIN_BUILDINGS:
        few = f"only {count} of the outlines could be used, {MIN_BUILDINGS} are needed: {stays}"
        return Shift(block, instead, count, None, None, few)
    total = surfaces.sum(0, dtype=np.float64) + prior
    row, col = divmod(int(total.argmax()), total.shape[1])
    peak = _peak_sd(total, (row, col))
    on_rim = min(row, col) == 0 or max(row, col) == 2 * reach
    if peak < MIN_PEAK_SD or on_rim:
        return Shift(block, instead, count, None, peak, f"no common shift could be shown: {stays}")
    error = _standard_error(surfaces, prior, (row, col))
    if _gain(surfaces, (row, col), instead) < MIN_GAIN_SE:
        return Shift(block, instead, count, error, peak, f"no better position was found: {stays}")
    best = _refined(total, (row, col))
    moved_by = (round(best[0] - reach, 2), round(best[1] - reach, 2))
    return Shift(block, moved_by, count, error, peak, "shown by the edges of the before image")


def _peak_sd(total: FloatArray, at: tuple[int, int]) -> float:
    """How far the highest value stands out from the values of other shifts."""
    rows, cols = np.indices(total.shape)
    rest = total[np.maximum(abs(rows - at[0]), abs(cols - at[1])) > PEAK_RADIUS_PX]
    middle = np.median(rest)
    spread = 1.4826 * np.median(np.abs(rest - middle))
    return float((total[at] - middle) / max(spread, 1e-9))


def _refined(total: FloatArray, at: tuple[int, int]) -> tuple[float, float]:
    """The peak to a fraction of a pixel, by a parabola along each axis."""
    found = []
    for axis in (0, 1):
        line = total[:, at[1]] if axis == 0 else total[at[0], :]
        k = at[axis]
        if not 0 < k < len(line) - 1:
            found.append(float(k))
            continue
        curve = line[k - 1] - 2 * line[k] + line[k + 1]
        found.append(float(k + (line[k - 1] - line[k + 1]) / (2 * curve)) if curve < 0 else float(k))
    return found[0], found[1]


def _gain(surfaces: FloatArray, at: tuple[int, int], instead: tuple[float, float]) -> float:
    """By how many standard errors, over outlines, the new shift agrees better than the old one."""
    reach = surfaces.shape[-1] // 2
    old = np.rint(np.array(instead)).astype(int) + reach
    gain = surfaces[:, at[0], at[1]].astype(np.float64) - surfaces[:, old[0], old[1]]
    error = gain.std(ddof=1) / math.sqrt(len(gain))
    return float(gain.mean() / max(error, 1e-9))


def _standard_error(surfaces: FloatArray, prior: FloatArray, at: tuple[int, int]) -> float:
    """Of the refined peak, by leaving out one of five groups of outlines at a time."""
    left = []
    for k in range(5):
        part = np.delete(surfaces, np.s_[k::5], axis=0).sum(0, dtype=np.float64) + prior
        left.append(_refined(part, at))
    spread = np.array(left) - np.mean(left, axis=0)
    return float(np.sqrt(4 / 5 * (spread**2).sum()))


def moved(outlines: Sequence[Outline], fitted: FootprintFit) -> list[tuple[Outline, tuple[float, float]]]:
    """Each outline where it belongs, and the shift (rows, cols) that was added to it."""
    of_block = {shift.block: shift.shift_rc for shift in fitted.blocks}
    found = []
    for outline in outlines:
        rc = np.concatenate([np.array(ring) for part in outline for ring in part[:1]])
        middle = (rc.min(0) + rc.max(0)) / 2 // fitted.block_px
        shift = of_block.get((int(middle[0]), int(middle[1])), fitted.scene.shift_rc)
        found.append((_displaced(outline, shift), shift))
    return found


def _displaced(outline: Outline, shift: tuple[float, float]) -> Outline:
    if shift == (0.0, 0.0):
        return outline
    dr, dc = shift
    return tuple(tuple(tuple((r + dr, c + dc) for r, c in ring) for ring in part) for part in outline)
