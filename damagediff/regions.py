"""From changed cells to numbered regions with outlines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import cv2
import numpy as np
import rasterio.features
import shapely
from affine import Affine

from . import cells, sight
from .cells import IntArray, Maps, Measures
from .outcome import REASONS
from .types import (
    NOT_ANALYSED,
    OTHER_CHANGE,
    STRUCTURAL_CHANGE,
    BoolArray,
    ByteArray,
    ChangeMap,
    Grid,
    Region,
    Tier,
    Window,
)

COLOUR_ONLY = "colour only"
FLAGS: dict[str, str] = {
    "vegetation": "More than half of the region is green in the before or the after image.",
    "lean": "Like structure is found some pixels away: perhaps another view angle, or a like neighbour.",
    "cloud or haze?": "Most of it is bright, white and smooth in one picture only, as cloud and haze are.",
    "glint or water?": "Most of it is smooth and not green in one picture: water, glint, mud or bare ground.",
    "ploughed field?": "Lines of one direction with nothing built: furrows, rows of plants, dunes or waves.",
    "saturated": "Most of it is as bright as the file allows in one picture: what is there cannot be told.",
    "shadow moved": "Most of it is dark in one picture only: a shadow at another hour, or what it hid.",
    "vehicle-sized": "It is no larger than a lorry and what the measure blurs around it.",
    "at image edge": "The region touches the edge of the image or of what could be analysed.",
    "beside graphics": "The region touches what was drawn over a picture: what lies under that is not seen.",
    "low texture": "The before image shows little structure here, so a loss of it says little.",
    "backscatter": "Radar brightness changed: structure, moisture, roughness, plants or water alike.",
    COLOUR_ONLY: "Colour or brightness changed without a change of structure: burn, paint, water, shade.",
}
"""Every doubt a region can carry, with the sentence that explains it to a reader."""

LOW_TEXTURE_GREY2 = 40.0
"""Variance of the before image, grey levels squared, that noise and compression reach."""
DRAWN_OVER = 1 + REASONS.index("drawn_over")
CODES: dict[Tier, int] = {"structural": STRUCTURAL_CHANGE, "other": OTHER_CHANGE}
VEHICLE_M2 = 120.0
"""A lorry of 12 by 3 m, and 4 m around it."""
FLAG_SHARE = 0.5
"""Share of a region's cells from which a property is the region's."""
HAIR_PX = 1e-4
"""Width that joins the outline of cells which touch by a corner only."""
LEAN_SEARCH_PX = 20
LEAN_NEAR_PX = 4
"""Displacement that the score has searched already."""
LEAN_CORRELATION = 0.5
"""A match further away explains the region when it is better than this ..."""
LEAN_GAIN = 0.25
"""... and beats the best match nearby by this much."""
LEAN_SELF_PX, LEAN_OWN_GAIN = 1, 0.1
"""Around that match, how much better it must be than what the before image itself shows there: else there
stood a like neighbour already, and nothing leans."""
LEAN_MAX_PX = 512
"""Larger regions are not explained by one displacement."""

Ring = tuple[tuple[float, float], ...]


def find(change: ChangeMap, measures: Maps, grid: Grid) -> tuple[Region, ...]:
    """Connected regions of change, numbered from 1 by falling score mass, ties by position.

    Cells of one tier that touch, also by a corner, are one region.

    Parameters
    ----------
    change : ChangeMap
        Gives ``changed`` and ``score`` on cells.
    measures : Maps
        Of the whole scene, for the flags.
    grid : Grid
        The working grid; its edge cuts the cells of the last row and column.

    Returns
    -------
    tuple of Region
        Areas count pixels of the grid; outlines run along cell edges in pixel-centre coordinates and are
        valid polygons of the same area. Empty when nothing changed.
    """
    groups = [(tier, members) for tier, code in CODES.items() for members in _groups(change.changed == code)]
    flags: list[list[str]] = [[] for _ in groups]
    for name, share, applies in _hints(change, measures) if groups else ():
        for (tier, members), own in zip(groups, flags, strict=True):
            if (name != COLOUR_ONLY or tier == "other") and applies(members).mean() > share:
                own.append(name)
    found = [
        _small(_region(change, grid, tier, _ordered(own), members))
        for (tier, members), own in zip(groups, flags, strict=True)
    ]
    found.sort(key=lambda pair: (-pair[0], pair[1].bbox_rc, pair[1].tier))
    return tuple(replace(region, id=k) for k, (_, region) in enumerate(found, 1))


def beside_graphics(change: ChangeMap, found: tuple[Region, ...]) -> tuple[Region, ...]:
    """The same regions, where what ends them is graphics and no edge of the picture said to be so.

    Parameters
    ----------
    change : ChangeMap
        That they were found on, with `why` cells were not analysed; without it nothing is changed.
    """
    if change.why is None or not found or not (change.why == DRAWN_OVER).any():
        return found
    blind = np.pad(change.changed == NOT_ANALYSED, 1, constant_values=True)
    drawn = np.pad(change.why == DRAWN_OVER, 1)
    near = [
        cv2.dilate(part.astype(np.uint8), np.ones((3, 3), np.uint8))[1:-1, 1:-1] > 0
        for part in (drawn, blind & ~drawn)
    ]
    return tuple(
        _with_edges(region, [bool(where[place][own].any()) for where in near])
        for region, (place, own) in ((region, _cells(region, change.cell_px)) for region in found)
    )


def _cells(region: Region, side: int) -> tuple[tuple[slice, slice], BoolArray]:
    """The box of a region in cells, and which of them are its own, by its outline.

    Not by what touches in the map: a region that leans was moved to the tier of one that it may touch.
    """
    top, left, bottom, right = region.bbox_rc
    place = (slice(top // side, -(-bottom // side)), slice(left // side, -(-right // side)))
    shape = tuple(part.stop - part.start for part in place)
    outer, *holes = ([(x, y) for y, x in ring] for ring in region.outline_rc)
    # Centres of these cells are the first pixels of those: the last ones may be cut by the edge of the grid.
    corner = Affine(side, 0, left - side / 2, 0, side, top - side / 2)
    own = rasterio.features.rasterize([shapely.Polygon(outer, holes)], shape, transform=corner, dtype="uint8")
    return place, np.asarray(own > 0)


def _with_edges(region: Region, touched: Sequence[bool]) -> Region:
    """A region with the flags of what it touches: graphics, and any other place that was not analysed."""
    named = {"beside graphics": touched[0], "at image edge": touched[1]}
    kept = [name for name in region.flags if name not in named]
    return replace(region, flags=_ordered([*kept, *(name for name, is_so in named.items() if is_so)]))


Members = tuple[IntArray, IntArray]
"""(rows, cols) of a region's cells."""
Applies = Callable[[Members], BoolArray]
"""Whether something applies to each of a region's cells."""


def _hints(change: ChangeMap, measures: Maps) -> Iterator[tuple[str, float, Applies]]:
    """Each flag with the share of a region that must be exceeded, and where it applies; one map at a time."""
    blind = np.pad(change.changed == NOT_ANALYSED, 1, constant_values=True).view(np.uint8)
    yield "at image edge", 0.0, (cv2.dilate(blind, np.ones((3, 3), np.uint8))[1:-1, 1:-1] > 0).__getitem__
    if change.measure == "structure":
        low = change.threshold if change.low_threshold is None else change.low_threshold
        yield COLOUR_ONLY, FLAG_SHARE, lambda members: np.nan_to_num(change.score[members]) < low
    if change.measure == "log_ratio":
        yield "backscatter", FLAG_SHARE, lambda members: np.ones(len(members[0]), bool)
        return
    scale, light = sight.usual(measures), cells.brightness(measures)
    clouds = sight.cloud(measures, scale)
    yield "cloud or haze?", FLAG_SHARE, np.logical_or(*clouds).__getitem__
    yield "glint or water?", FLAG_SHARE, sight.water(measures, clouds, scale).__getitem__
    del clouds
    yield "ploughed field?", FLAG_SHARE, sight.furrows(measures, scale).__getitem__
    yield "saturated", FLAG_SHARE, np.logical_or(*sight.saturated(measures)).__getitem__
    plain: dict[str, tuple[str, Callable[[Measures], BoolArray]]] = {
        "vegetation": ("green", lambda m: np.logical_or(*cells.vegetation(m, scale.cast))),
        "lean": ("leaning", lambda m: m.leaning > 0),
        "shadow moved": ("light", lambda m: np.not_equal(*cells.shadow(m, light))),
        "low texture": ("texture", lambda m: m.texture < LOW_TEXTURE_GREY2),
    }
    for flag, (name, where) in plain.items():
        yield flag, FLAG_SHARE, cells.computed(measures, [name], 0, where).__getitem__


def _ordered(flags: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in FLAGS if name in flags)


def _groups(mask: BoolArray) -> list[Members]:
    """The 8-connected groups of cells."""
    labels, count = cells.components(mask)
    members = np.flatnonzero(mask)
    own = labels.ravel()[members]
    order = np.argsort(own, kind="stable")
    parts = np.split(members[order], np.searchsorted(own[order], np.arange(2, count + 1)))
    return [(part // mask.shape[1], part % mask.shape[1]) for part in parts if len(part)]


def _region(
    change: ChangeMap, grid: Grid, tier: Tier, flags: tuple[str, ...], members: Members
) -> tuple[float, Region]:
    """Score mass and region of one group; the id is given later."""
    side = change.cell_px
    first = [x * side for x in members]
    last = [np.minimum(x + side, n) for x, n in zip(first, grid.shape, strict=True)]  # one beyond
    size = (last[0] - first[0]) * (last[1] - first[1])
    score = np.nan_to_num(change.score[members]).astype(np.float64)
    area, mass = int(size.sum()), float((score * size).sum())
    centre = [float(((a + b - 1) / 2 * size).sum() / area) for a, b in zip(first, last, strict=True)]
    region = Region(
        id=0,
        tier=tier,
        area_px=area,
        area_m2=None if grid.pixel_area_m2 is None else area * grid.pixel_area_m2,
        score_mean=mass / area,
        score_max=float(score.max()),
        flags=flags,
        bbox_rc=(int(first[0].min()), int(first[1].min()), int(last[0].max()), int(last[1].max())),
        centroid_rc=(centre[0], centre[1]),
        outline_rc=_outline(members, side, grid.shape),
    )
    return mass, region


def _small(found: tuple[float, Region]) -> tuple[float, Region]:
    """The same, with a word to its size."""
    mass, region = found
    if region.area_m2 is None or region.area_m2 > VEHICLE_M2:
        return found
    return mass, replace(region, flags=_ordered([*region.flags, "vehicle-sized"]))


def _outline(members: Members, side: int, shape: tuple[int, int]) -> tuple[Ring, ...]:
    """Rings around the cells, outer first, in pixel-centre coordinates."""
    rows, cols = members
    top, left = int(rows.min()), int(cols.min())
    mask = np.zeros((int(rows.max()) - top + 1, int(cols.max()) - left + 1), np.uint8)
    mask[rows - top, cols - left] = 1
    corner = Affine(side, 0, left * side - 0.5, 0, side, top * side - 0.5)
    shapes = rasterio.features.shapes(mask, mask=mask > 0, connectivity=4, transform=corner)
    parts = [shapely.Polygon(s["coordinates"][0], s["coordinates"][1:]) for s, _ in shapes]
    frame = shapely.box(-0.5, -0.5, shape[1] - 0.5, shape[0] - 0.5)
    whole = shapely.intersection(shapely.union_all(parts), frame)
    if whole.geom_type != "Polygon":  # parts that touch by a corner only: joined there by a hair
        whole = whole.buffer(HAIR_PX, join_style="mitre")
    return tuple(_ring(line) for line in (whole.exterior, *whole.interiors))


def _ring(line: shapely.LinearRing) -> Ring:
    return tuple((float(y), float(x)) for x, y in line.coords)


def lean_windows(found: Sequence[Region], grid: Grid) -> dict[int, Window]:
    """Pixels of both images that `is_lean` needs, by region id: the box with the search around it.

    Only for structural regions of at most 512 px a side. Windows are cut to the grid.
    """
    windows = {}
    for region in found:
        r0, c0, r1, c1 = region.bbox_rc
        if region.tier == "structural" and max(r1 - r0, c1 - c0) <= LEAN_MAX_PX:
            top, left = max(0, r0 - LEAN_SEARCH_PX), max(0, c0 - LEAN_SEARCH_PX)
            bottom, right = (min(n, e + LEAN_SEARCH_PX) for n, e in zip(grid.shape, (r1, c1), strict=True))
            windows[region.id] = Window(top, left, bottom - top, right - left)
    return windows


def is_lean(before: ByteArray, after: ByteArray, inside: BoolArray) -> bool:
    """Whether the region's structure is found again some pixels away, as roofs seen from another side are.

    Parameters
    ----------
    before, after : (rows, cols) uint8
        Luminance in one of the `lean_windows`.
    inside : (rows, cols) bool
        The region's pixels, or its box.

    Returns
    -------
    bool
        True when the best match within 20 px correlates above .5 and exceeds the best within 4 px by more
        than .25, and the before image itself matches there worse by more than .1: else a like neighbour
        stands there.
    """
    rows, cols = (np.flatnonzero(inside.any(axis)) for axis in (1, 0))
    if not len(rows):
        return False
    box = (slice(rows[0], rows[-1] + 1), slice(cols[0], cols[-1] + 1))
    template = np.ascontiguousarray(before[box])
    if template.std() < 1 or template.size == after.size:
        return False
    surface = np.nan_to_num(cv2.matchTemplate(after, template, cv2.TM_CCOEFF_NORMED))
    dr = np.abs(np.arange(surface.shape[0]) - rows[0])[:, None]
    dc = np.abs(np.arange(surface.shape[1]) - cols[0])[None, :]
    distance = np.maximum(dr, dc)
    near = float(surface[distance <= LEAN_NEAR_PX].max())
    searched = np.where(distance <= LEAN_SEARCH_PX, surface, -1)
    row, col = np.unravel_index(np.argmax(searched), surface.shape)
    best = float(searched[row, col])
    if best <= LEAN_CORRELATION or best - near <= LEAN_GAIN:
        return False
    own = np.nan_to_num(cv2.matchTemplate(before, template, cv2.TM_CCOEFF_NORMED))
    there = (slice(max(0, at - LEAN_SELF_PX), at + LEAN_SELF_PX + 1) for at in (row, col))
    return best - float(own[tuple(there)].max()) > LEAN_OWN_GAIN


def with_lean(
    change: ChangeMap, found: Sequence[Region], leaning: set[int]
) -> tuple[ChangeMap, tuple[Region, ...]]:
    """The same map and regions with the leaning ones moved to the other tier and flagged; ids stay."""
    changed = change.changed.copy()
    result = []
    for region in found:
        if region.id not in leaning:
            result.append(region)
            continue
        result.append(replace(region, tier="other", flags=_ordered([*region.flags, "lean"])))
        _repaint(changed, change.cell_px, region)
    return replace(change, changed=changed), tuple(result)


def _repaint(changed: ByteArray, side: int, region: Region) -> None:
    """Turn the region's structural cells to other change, in place."""
    r0, c0, r1, c1 = region.bbox_rc
    box = changed[r0 // side : -(-r1 // side), c0 // side : -(-c1 // side)]
    labels, _ = cells.components(box == STRUCTURAL_CHANGE)
    # Of 8-connected components only one can reach all four sides of its own box.
    reach = [set(np.unique(side)) for side in (labels[0], labels[-1], labels[:, 0], labels[:, -1])]
    own = set.intersection(*reach) - {0}
    box[np.isin(labels, list(own))] = OTHER_CHANGE
