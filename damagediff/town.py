"""The layout of an invented town: streets, blocks, and what each block is used for."""

from __future__ import annotations

import math

import numpy as np
import shapely
from shapely import affinity
from shapely.geometry import LineString, Polygon, box
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

from .town_layout import MARGIN_M, Draft, Town, add_tree, cut_across, park, polygons
from .town_plots import fill

Road = tuple[LineString, float]
"""Centre line, and width in metres between the house fronts."""

_ASPHALT, _TRACK, _KERBSTONE = (0.125, 0.12, 0.112), (0.235, 0.20, 0.16), (0.235, 0.22, 0.195)


def town(rng: np.random.Generator, shape: tuple[int, int], gsd_m: float) -> Town:
    """Lay out an invented town.

    Blocks come from cutting a turned square again and again near the middle of its longer side; the
    cuts become roads, wider the earlier they were made [1]_. Blocks get a use by their place, are cut
    into plots the same way, and each plot gets what its use asks for.

    Parameters
    ----------
    rng : numpy.random.Generator
        The same state, the same town.
    shape : tuple of int
        Rows and columns of the scene in px of `gsd_m`.
    gsd_m : float
        Side of a pixel in metres.

    Returns
    -------
    Town
        Objects that reach outside the scene are kept.

    Notes
    -----
    1,740 px of 0.5 m give about 2,000 buildings and 10,000 trees.

    References
    ----------
    .. [1] Vanegas et al., "Procedural generation of parcels in urban modeling", Computer Graphics
       Forum 31(2), 2012. :DOI:`10.1111/j.1467-8659.2012.03047.x`
    """
    size_m = (shape[0] * gsd_m, shape[1] * gsd_m)
    draft = Draft(rng, [], [], [], [], [], [])
    scene = box(0, 0, size_m[1], size_m[0]).buffer(MARGIN_M)
    draft.ground(scene, "soil", (0.20, 0.165, 0.12))
    canal = _canal(draft, size_m)
    blocks, roads = _streets(draft, size_m)
    _dig(draft, canal)
    _pave(draft, roads, canal)
    for block in blocks:
        for part in polygons(block.difference(canal.buffer(6.5)).buffer(-0.4)):
            if part.area > 150 and part.intersects(scene):
                fill(draft, part, _use(draft, part, size_m))
    _street_trees(draft, roads, canal)
    cars = (*draft.cars, *park(rng, tuple(draft.kerbs)))
    return Town(
        size_m, draft.seed(), tuple(draft.grounds), tuple(draft.walls), tuple(draft.buildings),
        tuple(draft.trees), cars, tuple(draft.kerbs),
    )  # fmt: skip


def _streets(draft: Draft, size_m: tuple[float, float]) -> tuple[list[Polygon], list[Road]]:
    """Blocks between the streets, and the streets."""
    side = 1.45 * max(size_m)
    start = affinity.rotate(box(-side / 2, -side / 2, side / 2, side / 2), draft.rng.uniform(24, 34))
    start = affinity.translate(start, size_m[1] / 2, size_m[0] / 2)
    scene = box(0, 0, size_m[1], size_m[0]).buffer(MARGIN_M)
    roads: list[Road] = []
    blocks: list[Polygon] = []
    waiting = [(start, 0)]
    while waiting:
        polygon, depth = waiting.pop()
        if not polygon.intersects(scene):
            continue
        large = 17_000 if _outskirts(polygon, size_m) else 8_000
        if polygon.area < large * draft.rng.uniform(0.6, 1.5):
            blocks.append(polygon)
            continue
        parts, line = cut_across(draft.rng, polygon, 2.5 if depth < 2 else 5.0)
        width = (18.0, 14.0, 10.5, 9.0)[depth] if depth < 4 else float(draft.rng.uniform(5.0, 7.5))
        roads.append((line, width))
        waiting.extend((p, depth + 1) for p in parts)
    paved = unary_union([line.buffer(width / 2, cap_style="flat") for line, width in roads])
    return [p for b in blocks for p in polygons(b.difference(paved))], roads


def _outskirts(polygon: Polygon, size_m: tuple[float, float]) -> bool:
    """Whether a polygon lies where the fields are: the upper right of the scene."""
    x, y = polygon.centroid.coords[0]
    return bool(x / size_m[1] - y / size_m[0] > 0.50)


def _canal(draft: Draft, size_m: tuple[float, float]) -> Polygon:
    """A winding canal from the left to the right edge, in the lower third."""
    t = np.linspace(-0.1, 1.1, 40)
    phase, bend = draft.rng.uniform(0, 6), draft.rng.uniform(0.02, 0.04)
    y = (0.93 - 0.32 * t + bend * np.sin(5 * t + phase)) * size_m[0]
    return LineString(np.stack([t * size_m[1], y], -1)).buffer(5.0)


def _dig(draft: Draft, canal: Polygon) -> None:
    """Water and its banks, with trees."""
    draft.ground(canal.buffer(6.5), "grass", (0.13, 0.125, 0.07))
    draft.ground(canal.buffer(1.0), "concrete", (0.22, 0.20, 0.175))
    draft.ground(canal, "water", (0.05, 0.066, 0.052))
    bank = canal.buffer(4).exterior
    for at in np.arange(0, bank.length, 6.0):
        if draft.rng.random() < 0.45:
            add_tree(draft, bank.interpolate(at + draft.rng.normal(0, 2)), draft.rng.uniform(1.6, 4.4))


def _pave(draft: Draft, roads: list[Road], canal: Polygon) -> None:
    """Surfaces, pavements and lines of the roads, the narrow ones first; only wide roads have bridges."""
    for line, width in sorted(roads, key=lambda r: r[1]):
        bridged = line if width > 8 else line.difference(canal.buffer(3))
        (x0, y0), (x1, y1) = line.coords[0], line.coords[-1]
        angle = math.degrees(math.atan2(y1 - y0, x1 - x0))
        if width > 9:
            draft.ground(_strip(bridged, width / 2 + 0.3), "concrete", _KERBSTONE, angle)
        inner = width / 2 - (2.3 if width > 9 else 0.5)
        firm = width > 7.2 or draft.rng.random() < 0.45
        draft.ground(
            _strip(bridged, inner), "asphalt" if firm else "track", _ASPHALT if firm else _TRACK, angle
        )
        _kerbs(draft, line.difference(canal.buffer(8)), inner - 1.15)
        _repairs(draft, bridged, inner)
    for line, width in roads:
        if width > 12:
            _lines(draft, line, width)


def _strip(line: BaseGeometry, half_m: float) -> BaseGeometry:
    return line.buffer(half_m, cap_style="flat")


def _lines(draft: Draft, line: LineString, width: float) -> None:
    """A dashed line in the middle and solid ones at the sides."""
    for at in np.arange(4, line.length - 6, 9.0):
        dash = shapely.ops.substring(line, at, at + 3.4)
        draft.ground(_strip(dash, 0.16), "paint", (0.36, 0.36, 0.34))
    for side in (-1, 1):
        edge = line.offset_curve(side * (width / 2 - 2.8))
        draft.ground(_strip(edge, 0.12), "paint", (0.30, 0.30, 0.28))


def _repairs(draft: Draft, line: BaseGeometry, half_m: float) -> None:
    """Patches of newer or older surface."""
    for _ in range(int(line.length / 45)):
        at = line.interpolate(draft.rng.uniform(0, line.length))
        patch = box(-draft.rng.uniform(1, 7), -draft.rng.uniform(0.4, 2), draft.rng.uniform(1, 7), 1)
        patch = affinity.translate(
            affinity.rotate(patch, draft.rng.uniform(0, 180), origin=(0, 0)), at.x, at.y
        )
        tone = draft.rng.choice((0.075, 0.10, 0.15, 0.19))
        draft.ground(patch.intersection(_strip(line, half_m)), "asphalt", (tone, tone * 0.97, tone * 0.92))


def _kerbs(draft: Draft, line: BaseGeometry, away_m: float) -> None:
    for part in getattr(line, "geoms", [line]):
        for side in (-away_m, away_m):
            kerb = np.asarray(part.offset_curve(side).coords)[:, ::-1]
            if len(kerb) >= 2 and away_m > 0.8:
                draft.kerbs.append(np.stack([kerb[0], kerb[-1]]))


def _street_trees(draft: Draft, roads: list[Road], canal: Polygon) -> None:
    for line, width in roads:
        if width < 9.5 or draft.rng.random() < 0.25:
            continue
        for side in (-width / 2, width / 2):
            row = line.offset_curve(side + math.copysign(0.3, side)).difference(canal.buffer(6))
            for at in np.arange(6, row.length - 6, draft.rng.uniform(7, 11)):
                if draft.rng.random() < 0.6:
                    add_tree(
                        draft, row.interpolate(at + draft.rng.normal(0, 0.8)), draft.rng.uniform(1.5, 3.4)
                    )


def _use(draft: Draft, block: Polygon, size_m: tuple[float, float]) -> str:
    """What a block is used for, by its place and by chance."""
    x, y = block.centroid.x / size_m[1], block.centroid.y / size_m[0]
    roll = draft.rng.random()
    if _outskirts(block, size_m):
        return "field" if roll < 0.65 else "orchard"
    if math.hypot(x - 0.46, y - 0.40) < 0.14:
        return "flats" if roll < 0.75 else "park"
    if x > 0.68 and y > 0.66:
        return "works" if roll < 0.8 else "bare"
    if roll < 0.84:
        return "houses"
    return "park" if roll < 0.89 else "orchard" if roll < 0.92 else "bare" if roll < 0.96 else "flats"
