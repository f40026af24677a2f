"""The nouns of an invented town and the strokes it is drawn with, in metres.

Nothing here has pixels: `relief` turns a layout into heights and reflectances, `camera` looks at it.
Positions are ``(row, col)`` metres from the upper left corner of the scene, rows downwards, named
``..._rc_m``. Each object carries its own seed, so that the same object looks the same in every layout
that holds it, whatever else was changed. Shapely geometries have x = col and y = row.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import shapely
from shapely.geometry import LineString, Point, Polygon
from shapely.geometry.base import BaseGeometry

from .types import FloatArray

Colour = tuple[float, float, float]
"""Reflectance in red, green, blue, 0..1."""
Roof = Literal["gable", "hip", "flat", "hall", "ell"]
State = Literal["intact", "collapsed", "partly", "repainted"]
ScarKind = Literal["crater", "burn", "debris"]

MARGIN_M = 30.0
"""The layout goes on this far beyond the scene, so that its edge is not an edge of the town."""

TILE: tuple[Colour, ...] = ((0.33, 0.12, 0.08), (0.29, 0.13, 0.09), (0.36, 0.17, 0.11), (0.25, 0.14, 0.11))
METAL: tuple[Colour, ...] = (
    (0.34, 0.34, 0.33), (0.28, 0.28, 0.28), (0.42, 0.42, 0.42), (0.26, 0.22, 0.19), (0.30, 0.11, 0.09),
    (0.31, 0.30, 0.28), (0.37, 0.35, 0.33), (0.17, 0.21, 0.26), (0.18, 0.225, 0.19),
)  # fmt: skip
SLAB: tuple[Colour, ...] = (
    (0.33, 0.31, 0.28), (0.27, 0.26, 0.25), (0.20, 0.19, 0.18), (0.40, 0.38, 0.34), (0.52, 0.51, 0.49),
)  # fmt: skip
PAINT: tuple[Colour, ...] = (
    (0.62, 0.62, 0.60), (0.50, 0.50, 0.51), (0.36, 0.36, 0.37), (0.22, 0.22, 0.23), (0.05, 0.05, 0.06),
    (0.08, 0.08, 0.09), (0.32, 0.06, 0.05), (0.07, 0.11, 0.24), (0.55, 0.53, 0.46), (0.16, 0.18, 0.17),
)  # fmt: skip


@dataclass(frozen=True)
class Building:
    """A house, shed, hall or block of flats; its outline is where its walls meet the ground."""

    id: int
    centre_rc_m: tuple[float, float]
    size_m: tuple[float, float]
    """Length along the ridge, and width."""
    angle_deg: float
    """Direction of the length, from +col towards +row."""
    height_m: float
    """Of the eaves, or of a flat roof."""
    roof: Roof
    colour: Colour
    seed: int
    state: State = "intact"

    @property
    def outline_rc_m(self) -> FloatArray:
        """(N, 2) corners on the ground, not closed."""
        length, width = self.size_m[0] / 2, self.size_m[1] / 2
        if self.roof == "ell":
            part = [(-1, -1), (1, -1), (1, 0), (0, 0), (0, 1), (-1, 1)]
        else:
            part = [(-1, -1), (1, -1), (1, 1), (-1, 1)]
        t = math.radians(self.angle_deg)
        uv = np.array(part, np.float64) * [length, width]
        rows = uv[:, 0] * math.sin(t) + uv[:, 1] * math.cos(t)
        cols = uv[:, 0] * math.cos(t) - uv[:, 1] * math.sin(t)
        return np.asarray(np.stack([rows, cols], -1) + np.array(self.centre_rc_m))


@dataclass(frozen=True)
class Tree:
    """One crown."""

    centre_rc_m: tuple[float, float]
    radius_m: float
    height_m: float
    seed: int
    bare: bool = False
    """Without leaves: a thin brown crown that lets the light through."""


@dataclass(frozen=True)
class Car:
    """A car or lorry."""

    centre_rc_m: tuple[float, float]
    angle_deg: float
    size_m: tuple[float, float, float]
    """Length, width, height."""
    colour: Colour
    kerbside: bool = True
    """Parked at a kerb, not on a car park or yard."""


@dataclass(frozen=True)
class Ground:
    """A piece of ground of one kind; later pieces lie over earlier ones."""

    outline_rc_m: FloatArray
    kind: str
    """grass, soil, yard, concrete, field, asphalt, track, paint or water."""
    colour: Colour
    angle_deg: float
    seed: int


@dataclass(frozen=True)
class Scar:
    """What an event left on open ground."""

    kind: ScarKind
    centre_rc_m: tuple[float, float]
    radius_m: float
    seed: int


@dataclass(frozen=True)
class Town:
    """A whole layout over ``size_m`` metres (rows, cols)."""

    size_m: tuple[float, float]
    seed: int
    grounds: tuple[Ground, ...]
    walls: tuple[FloatArray, ...]
    """Garden walls, each an (N, 2) line."""
    buildings: tuple[Building, ...]
    trees: tuple[Tree, ...]
    cars: tuple[Car, ...]
    kerbs: tuple[FloatArray, ...]
    """Lines along which cars may stand, each (2, 2)."""
    scars: tuple[Scar, ...] = ()


@dataclass
class Draft:
    """A layout in the making."""

    rng: np.random.Generator
    grounds: list[Ground]
    walls: list[FloatArray]
    buildings: list[Building]
    trees: list[Tree]
    cars: list[Car]
    kerbs: list[FloatArray]

    def seed(self) -> int:
        """A seed for one object."""
        return int(self.rng.integers(2**31))

    def pick(self, colours: tuple[Colour, ...], spread: float = 0.12) -> Colour:
        """One of the colours, a little off."""
        base = np.array(colours[self.rng.integers(len(colours))])
        c = base * self.rng.normal(1, spread) * self.rng.normal(1, spread / 4, 3)
        return tuple(np.clip(c, 0.02, 0.85).tolist())

    def ground(self, shape: BaseGeometry, kind: str, colour: Colour, angle_deg: float = 0.0) -> None:
        """Lay a piece of ground over what lies there; holes are filled."""
        for part in polygons(shape):
            self.grounds.append(
                Ground(ring_rc(part), kind, self.pick((colour,), 0.08), angle_deg, self.seed())
            )


def polygons(shape: BaseGeometry) -> Iterator[Polygon]:
    """The polygons of any geometry, without slivers."""
    for part in getattr(shape, "geoms", [shape]):
        if isinstance(part, Polygon) and part.area > 1:
            yield part


def ring_rc(polygon: Polygon) -> FloatArray:
    """(N, 2) row, col of the outer ring, not closed."""
    return np.asarray(polygon.exterior.coords)[:-1, ::-1].copy()


def frame(polygon: Polygon) -> tuple[float, float, float, FloatArray]:
    """Length, width, angle in degrees and centre (x, y) of the least rectangle around a polygon."""
    ring = np.asarray(polygon.minimum_rotated_rectangle.exterior.coords)
    first, second = ring[1] - ring[0], ring[2] - ring[1]
    long, short = (first, second) if np.hypot(*first) >= np.hypot(*second) else (second, first)
    angle = math.degrees(math.atan2(long[1], long[0]))
    return float(np.hypot(*long)), float(np.hypot(*short)), angle, ring[:4].mean(0)


def cut_across(
    rng: np.random.Generator, polygon: Polygon, jitter_deg: float
) -> tuple[list[Polygon], LineString]:
    """The two or more parts of a polygon cut across its length, and the cut."""
    length, width, angle, centre = frame(polygon)
    t = math.radians(angle)
    at = centre + np.array([math.cos(t), math.sin(t)]) * length * rng.uniform(-0.11, 0.11)
    across = math.radians(angle + 90 + rng.normal(0, jitter_deg))
    reach = (length + width) * np.array([math.cos(across), math.sin(across)])
    line = LineString([at - reach, at + reach])
    parts = [p for p in shapely.ops.split(polygon, line).geoms if isinstance(p, Polygon)]
    return parts, line.intersection(polygon)


def make_car(rng: np.random.Generator, place_rc_m: FloatArray, angle_deg: float, lorry: bool = False) -> Car:
    """A car, a van now and then, or a lorry, on a car park or yard."""
    van = not lorry and rng.random() < 0.12
    size = (
        (rng.uniform(7, 10), 2.5, 3.2)
        if lorry
        else (5.6, 2.1, 2.3)
        if van
        else (rng.uniform(3.9, 4.8), 1.85, 1.45)
    )
    colour = PAINT[0] if van or (lorry and rng.random() < 0.6) else PAINT[rng.integers(len(PAINT))]
    return Car((float(place_rc_m[0]), float(place_rc_m[1])), float(angle_deg), size, colour, kerbside=False)


def add_tree(draft: Draft, at: Point, radius_m: float) -> None:
    """A crown about here, its height by chance."""
    rc = (at.y + float(draft.rng.normal(0, 0.3)), at.x + float(draft.rng.normal(0, 0.3)))
    height = radius_m * draft.rng.uniform(1.6, 2.6) + 1.2
    draft.trees.append(Tree(rc, float(radius_m), float(height), draft.seed()))


def somewhere(rng: np.random.Generator, free: BaseGeometry) -> Point | None:
    """A random point of a geometry, None if five tries miss it."""
    if free.is_empty:
        return None
    x0, y0, x1, y1 = free.bounds
    for _ in range(5):
        point = Point(rng.uniform(x0, x1), rng.uniform(y0, y1))
        if free.contains(point):
            return point
    return None


def scatter(draft: Draft, free: BaseGeometry, count: int, radius_m: tuple[float, float]) -> None:
    """Trees at random places."""
    shapely.prepare(free)
    for _ in range(count):
        at = somewhere(draft.rng, free)
        if at is not None:
            add_tree(draft, at, draft.rng.uniform(*radius_m))


def lattice(block: Polygon, step_m: tuple[float, float], inset_m: float) -> Iterator[tuple[Point, float]]:
    """Points of a lattice along a block's own axes, with the angle of its length."""
    long, short, angle, centre = frame(block)
    t = math.radians(angle)
    along, across = np.array([math.cos(t), math.sin(t)]), np.array([-math.sin(t), math.cos(t)])
    inner = block.buffer(-inset_m)
    for v in np.arange(-short / 2 + step_m[1] / 2, short / 2, step_m[1]):
        for u in np.arange(-long / 2 + step_m[0] / 2, long / 2, step_m[0]):
            point = Point(centre + along * u + across * v)
            if inner.contains(point):
                yield point, angle


def park(rng: np.random.Generator, kerbs: tuple[FloatArray, ...], share: float = 0.13) -> tuple[Car, ...]:
    """Cars along the kerbs; another call with another state is another hour of the day."""
    cars: list[Car] = []
    for start, end in kerbs:
        length = float(np.hypot(*(end - start)))
        angle = math.degrees(math.atan2(*(end - start)))
        busy = share * rng.uniform(0.1, 1.9)
        for at in np.arange(3.5, length - 3, 6.2):
            if rng.random() < busy:
                rc = start + (end - start) * (at + rng.normal(0, 0.5)) / length + rng.normal(0, 0.2, 2)
                car = make_car(rng, rc, angle + rng.normal(0, 2.5) + 180 * (rng.random() < 0.5))
                cars.append(dataclasses.replace(car, kerbside=True))
    return tuple(cars)
