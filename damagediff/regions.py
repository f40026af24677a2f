"""From changed cells to numbered regions with outlines, and to a table of building footprints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import rasterio.features
import shapely
from affine import Affine

from .types import (
    NOT_ANALYSED,
    OTHER_CHANGE,
    STRUCTURAL_CHANGE,
    BoolArray,
    Building,
    ByteArray,
    ChangeMap,
    FloatArray,
    Grid,
    Region,
    Tier,
    Window,
)

FLAGS: dict[str, str] = {
    "vegetation": "More than half of the region is green in the before or the after image.",
    "lean": "The same structure is found again some pixels away: another view angle, not a loss.",
    "at image edge": "The region touches the edge of the image or of what could be analysed.",
    "low texture": "The before image shows little structure here, so a loss of it says little.",
    "colour only": "Colour or brightness changed without a change of structure: burn, paint, water, shade.",
}
"""Every doubt a region can carry, with the sentence that explains it to a reader."""

CODES: dict[Tier, int] = {"structural": STRUCTURAL_CHANGE, "other": OTHER_CHANGE}
FLAG_SHARE = 0.5
"""Share of a region's cells from which a property is the region's."""
LEAN_SEARCH_PX = 20
LEAN_NEAR_PX = 4
"""Displacement that the score has searched already."""
LEAN_CORRELATION = 0.5
"""A match further away explains the region when it is better than this ..."""
LEAN_GAIN = 0.25
"""... and beats the best match nearby by this much."""
LEAN_MAX_PX = 512
"""Larger regions are not explained by one displacement."""
MIN_BUILDING_SHARE = 0.5
"""Share of a footprint that must be analysed."""

Ring = tuple[tuple[float, float], ...]


def find(
    change: ChangeMap, grid: Grid, hints: Mapping[str, BoolArray] | None = None
) -> tuple[Region, ...]:
    """Connected regions of change, numbered from 1 by falling score mass, ties by position.

    Cells of one tier that touch, also by a corner, are one region.

    Parameters
    ----------
    change : ChangeMap
        Gives ``changed`` and ``score`` on cells.
    grid : Grid
        The working grid; its edge cuts the cells of the last row and column.
    hints : mapping of str to (cell rows, cell cols) bool, optional
        Where a flag of `FLAGS` applies; a region whose cells are mostly so carries the flag. See
        `diff.flag_hints`.

    Returns
    -------
    tuple of Region
        Areas count pixels of the grid; outlines run along cell edges in pixel-centre coordinates and are
        valid polygons of the same area. Empty when nothing changed.
    """
    found = [
        _region(change, grid, tier, cells, hints or {})
        for tier, code in CODES.items()
        for cells in _groups(change.changed == code)
    ]
    found.sort(key=lambda pair: (-pair[0], pair[1].bbox_rc, pair[1].tier))
    return tuple(replace(region, id=k) for k, (_, region) in enumerate(found, 1))


def _groups(mask: BoolArray) -> list[tuple[FloatArray, FloatArray]]:
    """(rows, cols) of each 8-connected group of cells."""
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    order = np.argsort(labels, axis=None, kind="stable")
    starts = np.searchsorted(labels.ravel()[order], np.arange(1, count))
    parts = np.split(order, starts)[1:]
    return [np.unravel_index(part, mask.shape) for part in parts]


def _region(
    change: ChangeMap,
    grid: Grid,
    tier: Tier,
    cells: tuple[FloatArray, FloatArray],
    hints: Mapping[str, BoolArray],
) -> tuple[float, Region]:
    """Score mass and region of one group; the id is given later."""
    size = _cell_sizes(cells, change.cell_px, grid.shape)
    score = np.nan_to_num(change.score[cells]).astype(np.float64)
    rows, cols = cells
    low, side = (int(rows.min()), int(cols.min())), change.cell_px
    high = min((int(rows.max()) + 1) * side, grid.shape[0]), min((int(cols.max()) + 1) * side, grid.shape[1])
    area = int(size.sum())
    mass = float((score * size).sum())
    outline = _outline(rows - low[0], cols - low[1], low, side, grid.shape)
    centres = [np.minimum((x + 1) * side, n) / 2 + x * side / 2 - 0.5 for x, n in zip(cells, grid.shape, strict=True)]
    region = Region(
        id=0,
        tier=tier,
        area_px=area,
        area_m2=None if grid.pixel_area_m2 is None else area * grid.pixel_area_m2,
        score_mean=mass / area,
        score_max=float(score.max()),
        flags=_flags(change, cells, hints),
        bbox_rc=(low[0] * side, low[1] * side, *high),
        centroid_rc=(float((centres[0] * size).sum() / area), float((centres[1] * size).sum() / area)),
        outline_rc=outline,
    )
    return mass, region


def _cell_sizes(cells: tuple[FloatArray, FloatArray], side: int, shape: tuple[int, int]) -> FloatArray:
    """Pixels of each cell that lie on the grid."""
    height, width = (np.minimum(side, n - x * side) for x, n in zip(cells, shape, strict=True))
    size: FloatArray = height * width
    return size


def _flags(
    change: ChangeMap, cells: tuple[FloatArray, FloatArray], hints: Mapping[str, BoolArray]
) -> tuple[str, ...]:
    carried = {name for name, where in hints.items() if where[cells].mean() > FLAG_SHARE}
    rows, cols = (np.clip(x[:, None] + np.array([-1, 0, 1]), -1, n) for x, n in zip(cells, change.valid.shape, strict=True))
    padded = np.pad(change.changed == NOT_ANALYSED, 1, constant_values=True)
    if padded[rows[:, :, None] + 1, cols[:, None, :] + 1].any():
        carried.add("at image edge")
    return tuple(name for name in FLAGS if name in carried)


def _outline(
    rows: FloatArray, cols: FloatArray, low: tuple[int, int], side: int, shape: tuple[int, int]
) -> tuple[Ring, ...]:
    """Rings around the cells, outer first, in pixel-centre coordinates."""
    mask = np.zeros((int(rows.max()) + 1, int(cols.max()) + 1), np.uint8)
    mask[rows, cols] = 1
    corner = Affine(side, 0, low[1] * side - 0.5, 0, side, low[0] * side - 0.5)
    shapes = rasterio.features.shapes(mask, mask=mask > 0, connectivity=4, transform=corner)
    parts = [shapely.Polygon(s["coordinates"][0], s["coordinates"][1:]) for s, _ in shapes]
    frame = shapely.box(-0.5, -0.5, shape[1] - 0.5, shape[0] - 0.5)
    whole = shapely.intersection(shapely.union_all(parts), frame)
    if whole.geom_type != "Polygon":  # parts that touch by a corner only: joined there by a hair
        whole = whole.buffer(1e-3, join_style="mitre")
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
        than .25.
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
    best = float(surface[distance <= LEAN_SEARCH_PX].max())
    return best > LEAN_CORRELATION and best - near > LEAN_GAIN


def with_lean(change: ChangeMap, found: Sequence[Region], leaning: set[int]) -> tuple[ChangeMap, tuple[Region, ...]]:
    """The same map and regions with the leaning ones moved to the other tier and flagged; ids stay."""
    changed = change.changed.copy()
    result = []
    for region in found:
        if region.id not in leaning:
            result.append(region)
            continue
        result.append(replace(region, tier="other", flags=_ordered((*region.flags, "lean"))))
        _repaint(changed, change.cell_px, region)
    return replace(change, changed=changed), tuple(result)


def _ordered(flags: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in FLAGS if name in flags)


def _repaint(changed: ByteArray, side: int, region: Region) -> None:
    """Turn the region's structural cells to other change, in place."""
    r0, c0, r1, c1 = region.bbox_rc
    box = changed[r0 // side : -(-r1 // side), c0 // side : -(-c1 // side)]
    count, labels = cv2.connectedComponents((box == STRUCTURAL_CHANGE).astype(np.uint8), connectivity=8)
    row, col = region.outline_rc[0][0]
    raise NotImplementedError(count, labels, row, col)
