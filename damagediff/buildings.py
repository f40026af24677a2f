"""Building footprints: the change measured inside each, how unusual it is in this pair, and its class.

No grade of damage is given: a class says whether change was seen, and an analyst says what it means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import rasterio.features
import shapely
from affine import Affine

from . import wording
from .cells import IntArray
from .settings import Settings
from .types import (
    NOT_ANALYSED,
    STRUCTURAL_CHANGE,
    BoolArray,
    Building,
    ChangeMap,
    FloatArray,
    Grid,
    Outline,
)

MIN_SHARE = 0.5
"""Share of a footprint that must be analysed."""
SIDES = (1, 2, 3, 4, 6, 8, 12, 16, 24)
"""Sides in cells of the places that footprints are held against; a footprint takes the nearest by area."""
PLACES = 4000
"""Places of each size, at random."""
LIKE = 500
"""The places nearest in texture that a building is held against."""
LEAST_LIKE = 100
"""Fewer say nothing of a chance of a few percent."""
KEPT_SHARE = 0.1
"""A place with less structural change than this is one of the kept ones."""
COMMON = 0.5
"""A score that so many like places reach does not stand out, whatever the threshold says."""

Given = tuple[str, Outline, Mapping[str, Any]]
"""Id, outline on the grid, and what the file says of it."""


@dataclass(frozen=True)
class LikePlaces:
    """Scores of square places of one size, ordered by texture."""

    texture: FloatArray
    """Mean standard deviation of the before image, grey levels; rising."""
    score: FloatArray
    """Median."""

    def share_as_high(self, texture: float, score: float) -> float | None:
        """Share of the places nearest in texture that score at least as high; None with too few places."""
        if len(self.score) < LEAST_LIKE:
            return None
        at = int(np.searchsorted(self.texture, texture))
        first = min(max(at - LIKE // 2, 0), max(len(self.score) - LIKE, 0))
        like = self.score[first : first + LIKE]
        return float((1 + (like >= score).sum()) / (1 + len(like)))


def measure(
    footprints: Sequence[Given],
    change: ChangeMap,
    texture: FloatArray,
    grid: Grid,
    settings: Settings,
) -> tuple[Building, ...]:
    """The change inside each building footprint, and its class.

    A building's score is held against places of its size and texture in the same pair [1]_. Its p-value is
    the share, among places without structural change, of those that score as high: it assumes that the
    regions found are change, and that such places behave as unchanged buildings do. *Visible change* is a
    score above the threshold that fewer than half of all like places reach. *Possible change* is either a
    score above the threshold that is that common, or one below it whose p-value stands out among all
    buildings at the false discovery rate of the settings [2]_.

    Parameters
    ----------
    footprints : sequence of (id, outline, properties)
        Outlines in pixel-centre coordinates of the grid.
    change : ChangeMap
        Gives score and threshold, and which cells were analysed.
    texture : (cell rows, cell cols) float32
        Variance of the before image, grey levels squared.
    grid : Grid
        The working grid.
    settings : Settings
        Reads ``buildings`` and ``seed``.

    Returns
    -------
    tuple of Building
        In the order given. The score is the median over the analysed pixels whose centres lie inside; None,
        and "not analysed", where less than half of the footprint was analysed, or where it is smaller than
        one cell and so has no measurement of its own.

    References
    ----------
    .. [1] Efron, "Large-scale simultaneous hypothesis testing: the choice of a null hypothesis",
           J. Am. Stat. Assoc. 99, 2004. :DOI:`10.1198/016214504000000089`
    .. [2] Benjamini and Hochberg, "Controlling the false discovery rate", J. R. Stat. Soc. B 57, 1995.
           :DOI:`10.1111/j.2517-6161.1995.tb02031.x`
    """
    analysed = (change.changed != NOT_ANALYSED) & np.isfinite(change.score)
    deviation = np.sqrt(np.maximum(texture, 0))

    @lru_cache
    def like(side: int) -> tuple[LikePlaces, LikePlaces]:
        return _like_places(change, deviation, analysed, side, settings.seed)

    found = []
    for given in footprints:
        building, own = _measured(given, change, analysed, deviation, grid)
        if building.score is not None:
            side = min(SIDES, key=lambda s: abs(np.log(s * change.cell_px) * 2 - np.log(own[0])))
            kept, everywhere = (places.share_as_high(own[1], building.score) for places in like(side))
            building = replace(building, p_value=kept, as_high_share=everywhere)
        found.append(building)
    chance = np.array([1.0 if b.p_value is None else b.p_value for b in found if b.score is not None])
    standing = iter(stand_out(chance, settings.buildings.false_discovery_rate).tolist())
    return tuple(b if b.score is None else _classed(b, change.threshold, next(standing)) for b in found)


def _measured(
    given: Given, change: ChangeMap, analysed: BoolArray, deviation: FloatArray, grid: Grid
) -> tuple[Building, tuple[float, float]]:
    """Score of a building without its class, and its area in pixels and its texture."""
    name, parts, properties = given
    shape = _polygons(parts)
    rows, cols = _pixels_inside(shape, grid)
    at = rows // change.cell_px, cols // change.cell_px
    inside = analysed[at]
    scores = change.score[at][inside]
    share = min(1.0, len(scores) / max(shape.area, len(rows), 1))
    why = ""
    if share < MIN_SHARE:
        why = "less than half of it was analysed"
    elif shape.area < change.cell_px**2:
        why = f"smaller than can be measured ({change.cell_px**2} px)"
    building = Building(
        id=name,
        score=None if why else float(np.median(scores)),
        analysed_share=share,
        area_m2=None if grid.pixel_area_m2 is None else float(shape.area) * grid.pixel_area_m2,
        label=wording.NOT_ANALYSED,
        parts_rc=tuple(
            tuple(tuple((float(r), float(c)) for r, c in ring) for ring in rings) for rings in parts
        ),
        properties=dict(properties),
        why=why,
        area_px=float(shape.area),
    )
    own = 0.0 if why else float(deviation[at][inside].mean(dtype=np.float64))
    return building, (max(float(shape.area), 1.0), own)


def _like_places(
    change: ChangeMap, deviation: FloatArray, analysed: BoolArray, side: int, seed: int
) -> tuple[LikePlaces, LikePlaces]:
    """Square places of `side` cells that were analysed: those that kept their structure, and all."""
    if min(analysed.shape) < side:
        nothing = LikePlaces(np.zeros(0), np.zeros(0))
        return nothing, nothing
    whole = np.argwhere(_sums(analysed, side) == side * side)
    rng = np.random.default_rng([seed, side])
    chosen = whole if len(whole) <= PLACES else rng.choice(whole, PLACES, replace=False)
    rows, cols = chosen.T
    windows = np.lib.stride_tricks.sliding_window_view(change.score, (side, side))
    score = np.array([np.median(windows[r, c]) for r, c in zip(rows, cols, strict=True)])
    texture = _sums(deviation, side)[rows, cols] / side**2
    kept = _sums(change.changed == STRUCTURAL_CHANGE, side)[rows, cols] < KEPT_SHARE * side**2
    order = np.argsort(texture, kind="stable")
    of_kept = order[kept[order]]
    return LikePlaces(texture[of_kept], score[of_kept]), LikePlaces(texture[order], score[order])


def _sums(values: BoolArray | FloatArray, side: int) -> FloatArray:
    """Sum over the square of `side` cells that begins at each cell."""
    total = cv2.integral(np.where(np.isfinite(values), values, 0).astype(np.float64))
    return np.asarray(
        total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]
    )


def stand_out(p_values: FloatArray, rate: float) -> BoolArray:
    """Which p-values stand out when at most a share `rate` of those chosen may be chance (step-up rule)."""
    order = np.argsort(p_values, kind="stable")
    passed = np.flatnonzero(p_values[order] <= rate * np.arange(1, len(order) + 1) / max(len(order), 1))
    chosen = np.zeros(len(order), bool)
    chosen[order[: passed[-1] + 1 if len(passed) else 0]] = True
    return chosen


def _classed(building: Building, threshold: float, stands_out: bool) -> Building:
    assert building.score is not None
    common = building.as_high_share is not None and building.as_high_share > COMMON
    above, limit = building.score > threshold, wording.score(threshold)
    if above and not common:
        return replace(building, label=wording.VISIBLE, why=f"its score is above the threshold of {limit}")
    if above:
        why = (
            f"its score is above the threshold of {limit}, but {wording.share(building.as_high_share or 0)} "
            "of the places of like size and texture in this pair score as high"
        )
        return replace(building, label=wording.POSSIBLE, why=why)
    if stands_out:
        why = (
            f"its score is below the threshold of {limit}, but only {wording.share(building.p_value or 0)} "
            "of the unchanged places of like size and texture in this pair score as high"
        )
        return replace(building, label=wording.POSSIBLE, why=why)
    return replace(
        building,
        label=wording.NO_CHANGE,
        why=f"its score is below the threshold of {limit} and does not stand out among like places",
    )


def _polygons(parts: Outline) -> shapely.Geometry:
    """Valid geometry (x = col, y = row) of all parts, or what can be saved of them."""
    shapes = []
    for rings in parts:
        outer, *holes = [[(c, r) for r, c in ring] for ring in rings]
        shapes.append(shapely.make_valid(shapely.Polygon(outer, holes)))
    return shapely.union_all(shapes)


def _pixels_inside(shape: shapely.Geometry, grid: Grid) -> tuple[IntArray, IntArray]:
    """(rows, cols) of the grid's pixels whose centres lie inside; of all it touches when there are none."""
    none = np.zeros(0, np.int64)
    on_grid = shape.intersection(shapely.box(-0.5, -0.5, grid.shape[1] - 0.5, grid.shape[0] - 0.5))
    if on_grid.is_empty:
        return none, none
    last = np.array(grid.shape)[[1, 0, 1, 0]] - 1  # a bound may lie on the outer edge of the last pixel
    left, top, right, bottom = np.minimum(np.floor(np.array(on_grid.bounds) + 0.5), last).astype(int).tolist()
    size = bottom - top + 1, right - left + 1
    corner = Affine.translation(left - 0.5, top - 0.5)
    for touched in (False, True):
        inside = rasterio.features.rasterize([on_grid], size, transform=corner, all_touched=touched)
        if inside.any():
            break
    rows, cols = np.nonzero(inside)
    return rows + top, cols + left
