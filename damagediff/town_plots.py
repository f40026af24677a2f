"""What stands on the blocks of an invented town: houses and gardens, flats, works, parks, fields."""

from __future__ import annotations

import math

import numpy as np
from shapely import affinity
from shapely.geometry import LineString, Point, Polygon, box
from shapely.geometry.base import BaseGeometry

from .town_layout import (
    METAL,
    SLAB,
    TILE,
    Building,
    Colour,
    Draft,
    Roof,
    add_tree,
    cut_across,
    frame,
    lattice,
    make_car,
    polygons,
    ring_rc,
    scatter,
    somewhere,
)

_YARDS: tuple[tuple[str, Colour], ...] = (
    ("yard", (0.255, 0.215, 0.17)), ("soil", (0.175, 0.14, 0.10)), ("grass", (0.10, 0.11, 0.052)),
)  # fmt: skip
_CROPS: tuple[Colour, ...] = (
    (0.19, 0.145, 0.105),
    (0.115, 0.13, 0.055),
    (0.25, 0.205, 0.14),
    (0.15, 0.12, 0.09),
)


def fill(draft: Draft, block: Polygon, use: str) -> None:
    """Put on a block what its use asks for: houses, flats, works, park, orchard, field or bare."""
    _USES[use](draft, block)


def _houses(draft: Draft, block: Polygon) -> None:
    """Plots with houses; how green, how dense and in which roofs differs from block to block."""
    rng = draft.rng
    size, green, tiled = rng.uniform(330, 620), rng.lognormal(0, 0.55), rng.uniform(0.15, 0.85)
    waiting = [block]
    while waiting:
        plot = waiting.pop()
        if plot.area < size * rng.uniform(0.6, 1.7):
            _plot(draft, plot, block, (green, tiled))
        else:
            waiting.extend(cut_across(rng, plot, 2.5)[0])


def _plot(draft: Draft, plot: Polygon, block: Polygon, ways: tuple[float, float]) -> None:
    """One plot: yard, walls, house, sheds, garden and trees."""
    rng = draft.rng
    green, tiled = ways
    angle = frame(plot)[2]
    kind, colour = _YARDS[rng.choice(3, p=(0.35, 0.25, 0.40))]
    draft.ground(plot.buffer(-0.2), kind, draft.pick((colour,), 0.15), angle)
    inner = plot.buffer(-0.3)
    if rng.random() < 0.7 and isinstance(inner, Polygon) and not inner.is_empty:
        draft.walls.append(ring_rc(inner))
    taken: BaseGeometry = Polygon()
    if plot.area > 90 and rng.random() < 0.93:
        taken = _house(draft, plot, block, tiled)
    garden = plot.buffer(-1.0).difference(taken.buffer(1.2))
    for kind, colour, chance in (
        ("grass", (0.085, 0.105, 0.045), 0.6),
        ("concrete", (0.29, 0.27, 0.24), 0.35),
    ):
        if rng.random() < chance:
            part = garden.intersection(affinity.translate(plot, *rng.normal(0, 7, 2)))
            draft.ground(part, kind, colour)
    for _ in range(rng.integers(0, 4)):
        shed = _shed(draft, garden, angle)
        garden = garden.difference(shed.buffer(0.6))
    scatter(draft, garden, int(rng.poisson(green * garden.area / 38)), (0.9, 3.6))


def _house(draft: Draft, plot: Polygon, block: Polygon, tiled: float) -> BaseGeometry:
    """A house near the street end of its plot; what it covers."""
    rng = draft.rng
    long, short, angle, centre = frame(plot)
    t = math.radians(angle)
    along = np.array([math.cos(t), math.sin(t)])
    street = block.exterior
    at = min(
        (centre + along * s * long * rng.uniform(0.05, 0.2) for s in (-1, 1)),
        key=lambda e: street.distance(Point(e)),
    )
    length = min(rng.uniform(8.5, 19), 0.66 * long)
    width = min(rng.uniform(7, 12), 0.74 * short)
    turn = 90.0 if rng.random() < 0.35 and length < 0.8 * short else 0.0
    roof: Roof = rng.choice(("gable", "hip", "flat", "ell"), p=(0.32, 0.30, 0.23, 0.15)).item()
    colour = draft.pick(SLAB if roof == "flat" else TILE if rng.random() < tiled else METAL)
    for shrink in (1.0, 0.85, 0.7):
        house = Building(
            len(draft.buildings) + 1, (float(at[1]), float(at[0])), (length * shrink, width * shrink),
            angle + turn + float(rng.normal(0, 1.5)),
            float(rng.choice((3.2, 3.6, 6.2, 6.8), p=(0.4, 0.3, 0.2, 0.1))), roof, colour, draft.seed(),
        )  # fmt: skip
        covered = Polygon(house.outline_rc_m[:, ::-1])
        if plot.buffer(0.2).contains(covered) and covered.area > 35:
            draft.buildings.append(house)
            return covered
    return Polygon()


def _shed(draft: Draft, free: BaseGeometry, angle_deg: float) -> BaseGeometry:
    """A small outbuilding anywhere in the free ground; empty when none fits."""
    rng = draft.rng
    size = (float(rng.uniform(3, 8)), float(rng.uniform(2.5, 4.5)))
    for _ in range(4):
        at = somewhere(rng, free)
        if at is None:
            break
        roof: Roof = "gable" if rng.random() < 0.3 else "flat"
        shed = Building(
            len(draft.buildings) + 1, (at.y, at.x), size, angle_deg + 90 * int(rng.integers(2)),
            float(rng.uniform(2.2, 2.9)), roof, draft.pick(METAL if rng.random() < 0.6 else SLAB),
            draft.seed(),
        )  # fmt: skip
        covered = Polygon(shed.outline_rc_m[:, ::-1])
        if free.contains(covered):
            draft.buildings.append(shed)
            return covered
    return Polygon()


def _flats(draft: Draft, block: Polygon) -> None:
    """Slabs of flats with lawns, parking and trees."""
    rng = draft.rng
    draft.ground(block, "grass", (0.105, 0.115, 0.058))
    taken: BaseGeometry = Polygon()
    for at, angle in lattice(block, (46, 33), 7):
        slab = Building(
            len(draft.buildings) + 1, (at.y, at.x), (float(rng.uniform(26, 42)), float(rng.uniform(11, 14))),
            angle + float(rng.normal(0, 1)), float(rng.choice((9.5, 12.5, 15.5))),
            "flat" if rng.random() < 0.7 else "hip", draft.pick(SLAB), draft.seed(),
        )  # fmt: skip
        covered = Polygon(slab.outline_rc_m[:, ::-1])
        if not block.buffer(1).contains(covered):
            continue
        draft.buildings.append(slab)
        t = math.radians(angle + 90)
        aside = affinity.translate(covered, 14 * math.cos(t), 14 * math.sin(t))
        lot = covered.buffer(9, join_style="mitre").intersection(aside).intersection(block)
        draft.ground(lot, "asphalt", (0.15, 0.145, 0.135), angle)
        _bays(draft, lot.difference(covered.buffer(2)), angle)
        taken = taken.union(covered.buffer(2)).union(lot)
    scatter(draft, block.difference(taken), int(block.area / 85), (1.6, 4.4))


def _bays(draft: Draft, lot: BaseGeometry, angle_deg: float) -> None:
    """Cars side by side on a car park."""
    for part in polygons(lot):
        for at, _ in lattice(part, (2.9, 7.5), 1.5):
            if draft.rng.random() < 0.5:
                place = np.array([at.y, at.x]) + draft.rng.normal(0, 0.2, 2)
                draft.cars.append(make_car(draft.rng, place, angle_deg + 90 + float(draft.rng.normal(0, 2))))


def _works(draft: Draft, block: Polygon) -> None:
    """Halls on a concrete yard, sheds, lorries."""
    rng = draft.rng
    draft.ground(block, "concrete", (0.235, 0.22, 0.195), frame(block)[2])
    taken: BaseGeometry = Polygon()
    for at, angle in lattice(block, (52, 34), 9):
        size = (float(rng.uniform(28, 46)), float(rng.uniform(15, 23)))
        hall = Building(
            len(draft.buildings) + 1, (at.y, at.x), size, angle + float(rng.normal(0, 0.8)),
            float(rng.uniform(6, 8.5)), "hall", draft.pick(METAL[:4]), draft.seed(),
        )  # fmt: skip
        covered = Polygon(hall.outline_rc_m[:, ::-1])
        if block.contains(covered):
            draft.buildings.append(hall)
            taken = taken.union(covered)
    free = block.buffer(-4).difference(taken.buffer(3))
    for _ in range(int(block.area / 500)):
        taken = taken.union(_shed(draft, free.difference(taken.buffer(0.5)), frame(block)[2]))
    for at, angle in lattice(block, (3.6, 22), 5):
        if rng.random() < 0.25 and free.contains(at.buffer(4)) and at.distance(taken) > 5:
            draft.cars.append(make_car(rng, np.array([at.y, at.x]), angle + 90, lorry=rng.random() < 0.6))
    for _ in range(int(block.area / 900)):
        at_any = somewhere(rng, free)
        if at_any is not None:
            weeds = affinity.scale(at_any.buffer(rng.uniform(2, 9)), rng.uniform(0.3, 1), rng.uniform(0.3, 1))
            draft.ground(
                weeds.intersection(free), "grass" if rng.random() < 0.6 else "soil", (0.14, 0.13, 0.085)
            )
    scatter(draft, block.difference(block.buffer(-4)), int(block.length / 14), (1.4, 3.4))


def _park(draft: Draft, block: Polygon) -> None:
    """Lawn, paths, clumps of trees, a playing field."""
    draft.ground(block, "grass", (0.088, 0.112, 0.048))
    long, _, angle, centre = frame(block)
    for turn in (18, 105):
        path = affinity.rotate(LineString([centre - [long, 0], centre + [long, 0]]), angle + turn)
        draft.ground(path.buffer(1.3).intersection(block), "track", (0.29, 0.25, 0.20))
    pitch = affinity.rotate(box(*(centre - [22, 14]), *(centre + [22, 14])), angle)
    kept: BaseGeometry = block
    if block.buffer(-4).contains(pitch):
        draft.ground(pitch, "grass", (0.075, 0.125, 0.045), angle)
        ring = list(pitch.buffer(-1, join_style="mitre").exterior.coords)
        for ends in zip(ring, ring[1:], strict=False):
            draft.ground(LineString(ends).buffer(0.13), "paint", (0.34, 0.36, 0.32))
        kept = block.difference(pitch.buffer(3))
    scatter(draft, kept, int(kept.area / 34), (1.6, 4.8))


def _orchard(draft: Draft, block: Polygon) -> None:
    """Trees in rows, with gaps and a few that are small."""
    draft.ground(block, "grass" if draft.rng.random() < 0.5 else "soil", (0.165, 0.14, 0.09), frame(block)[2])
    step = float(draft.rng.uniform(4.5, 6.0))
    usual = draft.rng.uniform(1.2, 2.1)
    for at, _ in lattice(block, (step, step * 1.15), 2):
        if draft.rng.random() < 0.85:
            off = draft.rng.normal(0, 0.35, 2)
            add_tree(
                draft, affinity.translate(at, *off), float(np.clip(draft.rng.normal(usual, 0.4), 0.7, 3.0))
            )


def _field(draft: Draft, block: Polygon) -> None:
    """Strips of ploughed, sown and fallow land, trees along their edges."""
    waiting = [block]
    while waiting:
        strip = waiting.pop()
        if strip.area < 6_000 * draft.rng.uniform(0.6, 1.4):
            kind = "field" if draft.rng.random() < 0.8 else "grass"
            draft.ground(strip.buffer(-0.7), kind, draft.pick(_CROPS, 0.1), frame(strip)[2])
            edge = strip.difference(strip.buffer(-1.8))
            scatter(draft, edge, int(draft.rng.poisson(strip.length / 22)), (0.8, 3.4))
        else:
            waiting.extend(cut_across(draft.rng, strip, 1.0)[0])


def _bare(draft: Draft, block: Polygon) -> None:
    """Waste ground: heaps, weeds, bushes, tracks."""
    draft.ground(block, "soil", (0.235, 0.19, 0.14))
    for _ in range(int(block.area / 110)):
        at = somewhere(draft.rng, block)
        if at is not None:
            weed = affinity.scale(at.buffer(draft.rng.uniform(1, 7)), 1, draft.rng.uniform(0.3, 1))
            draft.ground(
                affinity.rotate(weed, draft.rng.uniform(0, 180)).intersection(block),
                "grass",
                (0.13, 0.125, 0.07),
            )
    long, _, angle, centre = frame(block)
    path = affinity.rotate(
        LineString([centre - [long, 0], centre + [long, 6]]), angle + draft.rng.uniform(0, 180)
    )
    draft.ground(path.buffer(1.2).intersection(block), "track", (0.28, 0.235, 0.18))
    scatter(draft, block, int(block.area / 160), (0.6, 2.8))


_USES = {
    "houses": _houses, "flats": _flats, "works": _works, "park": _park, "orchard": _orchard, "field": _field,
    "bare": _bare,
}  # fmt: skip
