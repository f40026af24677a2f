"""Scenes that know their truth, and known change planted into any image.

Two uses. ``town``, ``happen``, ``surface``, ``render``, ``expose`` make pairs in which every change and the
map between both images are known; ``plant`` and ``warp`` put known change and known displacement into
images that exist. What they make is synthetic, and whoever saves it must say so.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import cv2
import numpy as np
from scipy import ndimage
from shapely.geometry import Polygon

from .camera import View, expose, render
from .planting import Kind, plant
from .relief import surface
from .relief_cells import Surface, clouds
from .town import town
from .town_layout import Building, Car, Colour, Ground, Scar, Town, park
from .types import FloatArray

__all__ = [
    "Event", "Kind", "Surface", "Town", "View", "clouds", "expose", "happen", "plant", "render", "surface",
    "textured", "town", "warp",
]  # fmt: skip


# ---------------------------------------------------------------------------------- an event in a town


@dataclass(frozen=True)
class Event:
    """How much happens between two acquisitions of a town."""

    collapsed: int = 20
    partly: int = 5
    repainted: int = 5
    craters: int = 2
    debris: int = 3
    burns: int = 1
    bare_share: float = 0.05
    """Share of the trees that lose their leaves."""
    margin_m: float = 20.0
    """Nothing is damaged nearer than this to the edge of the scene."""


def happen(town: Town, event: Event, rng: np.random.Generator) -> Town:
    """The same town later: buildings collapsed, scars on the ground, and everyday change.

    Two thirds of the collapsed buildings stand close to one of three places, the others alone. Everyday
    change: every car has moved or gone, a row of lorries has come, some roofs have a new colour, some trees
    have lost their leaves.

    Parameters
    ----------
    town : Town
        Before.
    event : Event
        How many of each; fewer happen where the town has not enough buildings.
    rng : numpy.random.Generator
        The same state, the same event.

    Returns
    -------
    Town
        Untouched objects are the same objects as in `town`.
    """
    buildings, scars = _damage(town, event, rng)
    for k, place in enumerate(_open_places(town, event, rng)):
        burn = k < event.burns
        radius = rng.uniform(12, 15) if burn else rng.uniform(3.6, 5.0)
        scars.append(Scar("burn" if burn else "crater", place, float(radius), int(rng.integers(2**31))))
    trees = tuple(dataclasses.replace(t, bare=bool(rng.random() < event.bare_share)) for t in town.trees)
    return dataclasses.replace(
        town, buildings=buildings, scars=tuple(scars), cars=_traffic(town, rng), trees=trees
    )


def _damage(town: Town, event: Event, rng: np.random.Generator) -> tuple[tuple[Building, ...], list[Scar]]:
    """Buildings after the event, and debris beside some that collapsed."""
    able = [
        b
        for b in town.buildings
        if b.size_m[0] * b.size_m[1] > 55 and _within(town, b.centre_rc_m, event.margin_m)
    ]
    order = [able[k] for k in rng.permutation(len(able))]
    hearts = [b.centre_rc_m for b in order[:3]]
    near = sorted(
        able, key=lambda b: min(math.dist(b.centre_rc_m, h) for h in hearts) * rng.uniform(0.6, 1.7)
    )
    chosen: list[int] = [b.id for b in near[: 2 * (event.collapsed + event.partly) // 3]]
    chosen += [b.id for b in order[3:] if b.id not in chosen]
    hit = chosen[: event.collapsed + event.partly]
    partly = set(rng.permutation(hit)[: event.partly].tolist())
    painted = set(chosen[len(hit) : len(hit) + event.repainted])
    states = {k: "partly" if k in partly else "collapsed" for k in hit}
    after = tuple(
        dataclasses.replace(b, state=states[b.id]) if b.id in states  # type: ignore[arg-type]
        else dataclasses.replace(b, state="repainted", colour=_new_colour(b, rng)) if b.id in painted
        else b
        for b in town.buildings
    )  # fmt: skip
    gone = [b for b in after if b.state == "collapsed"]
    beside = [b for b in gone if min(math.dist(b.centre_rc_m, h) for h in hearts) < 40][: event.debris]
    scars = []
    for b in beside:
        place = np.array(b.centre_rc_m) + rng.normal(0, 5, 2)
        scars.append(Scar("debris", (float(place[0]), float(place[1])), float(rng.uniform(11, 15)), b.seed))
    return after, scars


def _within(town: Town, rc_m: tuple[float, float], margin_m: float) -> bool:
    return all(margin_m < at < size - margin_m for at, size in zip(rc_m, town.size_m, strict=True))


def _new_colour(building: Building, rng: np.random.Generator) -> Colour:
    """A paint clearly unlike the old one."""
    paints = (
        (0.13, 0.20, 0.31),
        (0.58, 0.57, 0.54),
        (0.34, 0.11, 0.08),
        (0.13, 0.26, 0.17),
        (0.12, 0.12, 0.13),
    )
    unlike = [p for p in paints if math.dist(p, building.colour) > 0.22] or [paints[0]]
    return unlike[rng.integers(len(unlike))]


def _open_places(town: Town, event: Event, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Places for burns on open land, then for craters: in turn on open land and beside a road."""
    land = [g for g in town.grounds if g.kind in ("field", "grass", "soil") and 700 < _area(g) < 60_000]
    fields = [Polygon(g.outline_rc_m).representative_point().coords[0] for g in land]
    roads = [tuple(k.mean(0) + rng.normal(0, 2, 2)) for k in town.kerbs if math.dist(*k) > 40]
    found: list[tuple[float, float]] = []
    for k in range(event.burns + event.craters):
        on_road = k >= event.burns and (k - event.burns) % 2 == 0
        choice = roads if on_road else fields
        mixed = [choice[i] for i in rng.permutation(len(choice))]
        places = [place for place in mixed if _within(town, place, event.margin_m + 14)]
        room = [_room(town, place, found, 9.0 if on_road else 24.0) for place in places]
        if room:
            best = places[int(np.argmax(room))]  # the first that has all the room it needs, else the most
            found.append((float(best[0]), float(best[1])))
    return found


def _room(town: Town, place: tuple[float, float], found: list[tuple[float, float]], clear_m: float) -> float:
    """How free of houses and of earlier scars a place is, 1 at most."""
    house = min((math.dist(b.centre_rc_m, place) for b in town.buildings), default=math.inf)
    scar = min((math.dist(other, place) for other in found), default=math.inf)
    return min(house / clear_m, scar / 50, 1.0)


def _area(ground: Ground) -> float:
    return float(Polygon(ground.outline_rc_m).area)


def _traffic(town: Town, rng: np.random.Generator) -> tuple[Car, ...]:
    """Other cars at the kerbs and on the car parks, and a row of lorries that was not there."""
    cars = list(park(rng, town.kerbs))
    for car in town.cars:
        if not car.kerbside and rng.random() < 0.6:
            t = math.radians(car.angle_deg + 90)
            aside = rng.choice((-2.9, 2.9)) + rng.normal(0, 0.2)
            place = (car.centre_rc_m[0] + aside * math.sin(t), car.centre_rc_m[1] + aside * math.cos(t))
            other = town.cars[rng.integers(len(town.cars))]
            cars.append(dataclasses.replace(car, centre_rc_m=place, colour=other.colour))
    wide = [k for k in town.kerbs if math.dist(*k) > 40 and _within(town, tuple(k.mean(0)), 20)]
    if wide:
        start, end = wide[rng.integers(len(wide))]
        step = (end - start) / math.dist(start, end)
        angle = math.degrees(math.atan2(*step))
        for k in range(5):
            place = (start + end) / 2 + step * (11.5 * (k - 2))
            cars.append(Car((float(place[0]), float(place[1])), angle, (9.0, 2.5, 3.2), (0.4, 0.42, 0.38)))
    return tuple(cars)


def warp(
    image: FloatArray, moving_from_reference: FloatArray, shape: tuple[int, int] | None = None
) -> FloatArray:
    """A moving image of known displacement: what lies at p in `image` lies at ``moving_from_reference @ p``.

    Parameters
    ----------
    image : ndarray, shape (..., rows, cols)
        The reference.
    moving_from_reference : ndarray, shape (3, 3)
        Acts on (row, col, 1), pixel centres at whole numbers.
    shape : tuple of int, optional
        Rows and columns of the result; those of `image` if not given.

    Returns
    -------
    ndarray of float32, shape (..., rows, cols)
        Cubic spline interpolation; NaN where `image` does not reach.
    """
    rows, cols = shape or image.shape[-2:]
    r, c = np.indices((rows, cols), np.float64)
    points = np.linalg.inv(moving_from_reference) @ np.stack([r.ravel(), c.ravel(), np.ones(r.size)])
    rc = (points[:2] / points[2]).reshape(2, rows, cols)
    bands = np.asarray(image, np.float64).reshape(-1, *image.shape[-2:])
    pulled = [ndimage.map_coordinates(b, rc, order=3, mode="mirror") for b in bands]
    limits = np.array(image.shape[-2:])[:, None, None] - 1
    inside = ((rc > -1e-9) & (rc < limits + 1e-9)).all(0)
    return (
        np.where(inside, np.stack(pulled), np.nan).astype(np.float32).reshape(*image.shape[:-2], rows, cols)
    )


def textured(rng: np.random.Generator, shape: tuple[int, int]) -> FloatArray:
    """Random texture of all sizes from 2 to 64 px, without any period, to test co-registration on.

    Parameters
    ----------
    rng : numpy.random.Generator
        The same state, the same texture.
    shape : tuple of int
        Rows and columns.

    Returns
    -------
    ndarray of float32, shape (rows, cols)
        Mean about 128, standard deviation about 40, band-limited enough to be moved by parts of a pixel.
    """
    image = clouds(rng, shape, 64, 6) + 0.6 * clouds(rng, shape, 6, 2)
    smooth = cv2.GaussianBlur(image, (0, 0), 0.8)
    return np.asarray(128 + 40 * (smooth - smooth.mean()) / max(float(smooth.std()), 1e-9), np.float32)
