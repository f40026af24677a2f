"""Scenes that know their truth, and known change planted into any image.

Two uses. ``town`` -> ``happen`` -> ``surface`` -> ``render`` -> ``expose`` makes pairs in which every change and
the map between both images are known; ``plant`` and ``warp`` put known change and known displacement into
images that exist. What they make is synthetic, and whoever saves it must say so.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage
from shapely.geometry import Polygon

from .camera import View, expose, render
from .relief import surface
from .relief_cells import Surface
from .relief_cells import clouds
from .town import town
from .town_layout import Building, Car, Colour, Ground, Scar, Town, park
from .types import BoolArray, FloatArray

__all__ = [
    "Event", "Kind", "Surface", "Town", "View", "clouds", "expose", "happen", "plant", "render", "surface", "textured", "town", "warp",
]  # fmt: skip

Kind = Literal["rubble", "roof loss", "crater", "burn", "repaint", "shadow"]
"""What `plant` can plant; repaint and shadow are harmless controls."""


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
    able = [b for b in town.buildings if b.size_m[0] * b.size_m[1] > 55 and _within(town, b.centre_rc_m, event.margin_m)]
    order = [able[k] for k in rng.permutation(len(able))]
    hearts = [b.centre_rc_m for b in order[:3]]
    near = sorted(able, key=lambda b: min(math.dist(b.centre_rc_m, h) for h in hearts) * rng.uniform(0.6, 1.7))
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
    paints = ((0.10, 0.20, 0.36), (0.58, 0.57, 0.54), (0.34, 0.11, 0.08), (0.13, 0.26, 0.17), (0.12, 0.12, 0.13))
    unlike = [p for p in paints if math.dist(p, building.colour) > 0.22] or [paints[0]]
    return unlike[rng.integers(len(unlike))]


def _open_places(town: Town, event: Event, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Places for burns on open land, then for craters: in turn on open land and beside a road."""
    land = [g for g in town.grounds if g.kind in ("field", "grass", "soil") and 700 < _area(g) < 60_000]
    fields = [Polygon(g.outline_rc_m).representative_point().coords[0] for g in land]
    roads = [tuple(k.mean(0) + rng.normal(0, 2, 2)) for k in town.kerbs if math.dist(*k) > 40]
    houses = np.array([b.centre_rc_m for b in town.buildings]).reshape(-1, 2)
    found: list[tuple[float, float]] = []
    for k in range(event.burns + event.craters):
        on_road = k >= event.burns and (k - event.burns) % 2 == 0
        choice, clear_m = (roads, 9.0) if on_road else (fields, 24.0)
        for place in (choice[i] for i in rng.permutation(len(choice))):
            near = np.hypot(*(houses - place).T).min() if len(houses) else math.inf
            alone = all(math.dist(place, other) > 50 for other in found)
            if near > clear_m and alone and _within(town, place, event.margin_m + 14):
                found.append((float(place[0]), float(place[1])))
                break
    return found


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


# ---------------------------------------------------------------------- known change in any image


@dataclass(frozen=True)
class _Neighbourhood:
    """What a planted object must share with its surroundings."""

    palette: FloatArray
    """(N, bands) pixel values of little colour, from dark to bright."""
    blur_px: float
    noise: FloatArray
    """(bands,) standard deviation."""


def plant(
    kind: Kind, image: npt.NDArray[np.generic], place_rc: tuple[float, float], size_px: float, rng: np.random.Generator
) -> tuple[npt.NDArray[np.generic], BoolArray]:
    """Put a known change into an image, with the values, the sharpness and the noise of that image.

    Colours are drawn from the image's own pixels around the place, so any number of bands and any unit
    will do; the pattern is drawn finer than the pixels and blurred until neighbouring pixels are as alike
    as they are around it (structure function at 1 and 2 px); noise is that of the flattest blocks [1]_.

    Parameters
    ----------
    kind : str
        ``rubble`` (broken slabs, ragged), ``roof loss`` (rooms without a roof), ``crater`` (bowl and
        ejecta), ``burn``; harmless controls: ``repaint`` (texture kept, colour moved), ``shadow``.
    image : ndarray, shape (bands, rows, cols)
        Any numeric dtype; NaN stays NaN. Not modified.
    place_rc : tuple of float
        Centre of the object.
    size_px : float
        Its diameter or longer side, >= 2.
    rng : numpy.random.Generator
        The same state, the same object.

    Returns
    -------
    image : ndarray
        A changed copy, of the same dtype; integers rounded and clipped to their range.
    planted : ndarray of bool, shape (rows, cols)
        Where the object covers at least half of a pixel.

    Notes
    -----
    Rubble has no stated ground size: its pieces are 1 to 6 px. Hidden structure under a planted object
    does not cast its shadow any longer, but shadows of neighbours on it are not kept either.

    References
    ----------
    .. [1] Immerkaer, "Fast noise variance estimation", Computer Vision and Image Understanding 64(2),
       1996. :DOI:`10.1006/cviu.1996.0060`
    """
    bands = np.asarray(image)
    out, planted = bands.copy(), np.zeros(bands.shape[1:], np.bool_)
    around = _cut_out(bands.shape[1:], place_rc, max(3 * size_px, 48))
    here = _cut_out(bands.shape[1:], place_rc, 0.8 * size_px + 6)
    context = bands[(slice(None), *around)].astype(np.float64)
    if not np.isfinite(context).all(0).sum() > 50:
        return out, planted
    like = _neighbourhood(context)
    local = bands[(slice(None), *here)].astype(np.float64)
    rows, cols = np.indices(local.shape[1:], np.float64)
    offset = np.stack([rows + here[0].start - place_rc[0], cols + here[1].start - place_rc[1]])
    pattern, cover = _PATTERNS[kind](local, offset, size_px, like, rng)
    soft = cv2.GaussianBlur(cover.astype(np.float64), (0, 0), like.blur_px)
    mixed = local * (1 - soft) + pattern * soft
    out[(slice(None), *here)] = _as(mixed, bands.dtype)
    planted[here] = soft >= 0.5
    return out, planted


def _as(values: FloatArray, dtype: npt.DTypeLike) -> npt.NDArray[np.generic]:
    kind = np.dtype(dtype)
    if kind.kind in "iu":
        limits = np.iinfo(kind)
        return np.clip(np.round(values), limits.min, limits.max).astype(kind)
    return values.astype(kind)


def _cut_out(shape: tuple[int, ...], place_rc: tuple[float, float], reach: float) -> tuple[slice, slice]:
    low = [min(max(0, math.floor(p - reach)), n - 1) for p, n in zip(place_rc, shape, strict=True)]
    high = [max(min(n, math.ceil(p + reach) + 1), lo + 1) for p, n, lo in zip(place_rc, shape, low, strict=True)]
    return slice(low[0], high[0]), slice(low[1], high[1])


def _neighbourhood(context: FloatArray) -> _Neighbourhood:
    """Palette, sharpness and noise around a place."""
    pixels = context[:, np.isfinite(context).all(0)].T
    grey = pixels.mean(1)
    strength = (pixels.max(1) - pixels.min(1)) / (np.abs(grey) + 1e-9)
    pale = pixels[strength <= np.quantile(strength, 0.65)]
    palette = pale[np.argsort(pale.mean(1), kind="stable")]
    filled = np.where(np.isfinite(context), context, np.nanmedian(context))
    noise = np.array([_noise_of(band) for band in filled])
    return _Neighbourhood(palette, _blur_like(filled.mean(0), float(noise.mean()) / math.sqrt(len(noise))), noise)


def _noise_of(band: FloatArray) -> float:
    """Noise of the flattest tenth of 8 px blocks."""
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float64) / 6
    rough = np.abs(cv2.filter2D(band, -1, kernel, borderType=cv2.BORDER_REFLECT))
    return float(np.quantile(cv2.blur(rough, (8, 8))[4::8, 4::8], 0.1)) * math.sqrt(math.pi / 2)


def _likeness(grey: FloatArray, noise: float) -> float:
    """Structure function at 1 px over that at 2 px, noise taken off: 0.25 very smooth, 1 unrelated pixels."""
    one, two = (
        np.mean((grey[k:] - grey[:-k]) ** 2) + np.mean((grey[:, k:] - grey[:, :-k]) ** 2) - 4 * noise**2 for k in (1, 2)
    )
    return float(max(one, 0.0) / max(two, 1e-12))


def _blur_like(grey: FloatArray, noise: float) -> float:
    """Blur in px that makes a broken-slab pattern as smooth from pixel to pixel as the image around."""
    wanted = _likeness(grey, noise)
    sample = _slabs((96, 96), np.ones((96, 96)), np.random.default_rng(0))
    steps = np.arange(0.3, 2.3, 0.1)
    found = [abs(_likeness(cv2.GaussianBlur(sample, (0, 0), s), 0.0) - wanted) for s in steps]
    return float(steps[int(np.argmin(found))])


def _slabs(shape: tuple[int, int], cover: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Ranks 0..1 of brightness of broken pieces over each other, each 1 to 6 px, with dark gaps."""
    fine = 3
    base = np.clip(0.45 + 0.16 * clouds(rng, shape, 5, 2), 0, 1)
    tone = np.repeat(np.repeat(base, fine, 0), fine, 1).astype(np.float32)
    places = np.argwhere(cover > 0.3)
    for at in places[rng.choice(len(places), max(3, int(len(places) * 0.35)))] if len(places) else []:
        side = np.clip(rng.lognormal(0.65, 0.5), 1.0, 6.0) * fine
        centre = (at + rng.uniform(-0.5, 0.5, 2)) * fine
        ring = cv2.boxPoints((centre[::-1].tolist(), (side, side * rng.uniform(0.25, 0.9)), rng.uniform(0, 180)))
        rank = rng.uniform(0.0, 0.15) if rng.random() < 0.24 else rng.beta(2.6, 1.3)
        cv2.fillConvexPoly(tone, np.round(ring * 16).astype(np.int32), float(rank), shift=4)
        edge = ring[[0, 1]] + [0.4 * fine, 0.4 * fine]  # the shadow that a raised edge throws
        cv2.polylines(tone, [np.round(edge * 16).astype(np.int32)], False, 0.05, 1, shift=4)
    return cv2.resize(tone, shape[::-1], interpolation=cv2.INTER_AREA).astype(np.float64)


def _paint(rank: FloatArray, like: _Neighbourhood, rng: np.random.Generator) -> FloatArray:
    """(bands, rows, cols) values of the palette at ranks 0..1, blurred and noisy as the image is."""
    wander = 0.02 * clouds(rng, rank.shape, 3)
    at = np.clip((np.clip(rank, 0, 1) + wander) * (len(like.palette) - 1), 0, len(like.palette) - 1)
    grey = like.palette.mean(1)
    near = cv2.blur(like.palette, (1, max(3, len(grey) // 40)))  # colours wander along the ranks, not from px to px
    painted = np.stack([cv2.GaussianBlur(b, (0, 0), like.blur_px) for b in np.moveaxis(near[at.astype(int)], -1, 0)])
    return painted + like.noise[:, None, None] * rng.standard_normal(painted.shape)


Pattern = Callable[
    [FloatArray, FloatArray, float, _Neighbourhood, np.random.Generator], tuple[FloatArray, FloatArray]
]


def _ragged(offset: FloatArray, size_px: float, rng: np.random.Generator, wild: float = 0.12) -> FloatArray:
    """Distance from the centre in radii, with a random outline."""
    radius = np.hypot(*offset) / (size_px / 2)
    return radius * (1 + wild * clouds(rng, radius.shape, max(size_px / 3, 2), 3))


def _rectangle(offset: FloatArray, size_px: float, rng: np.random.Generator) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Cover 0..1 of a turned rectangle, and coordinates -1..1 along and across it."""
    t = rng.uniform(0, math.pi)
    u = (offset[0] * math.sin(t) + offset[1] * math.cos(t)) / (size_px / 2)
    v = (offset[0] * math.cos(t) - offset[1] * math.sin(t)) / (size_px / 2 * rng.uniform(0.6, 0.95))
    outside = (np.maximum(np.abs(u), np.abs(v)) - 1) * size_px / 2
    return np.clip(0.5 - outside, 0, 1), u, v


def _rubble(local: FloatArray, offset: FloatArray, size_px: float, like: _Neighbourhood, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    cover = np.clip((1 - _ragged(offset, size_px, rng, 0.15)) * size_px / 2 + 0.5, 0, 1)
    return _paint(_slabs(cover.shape, cover, rng), like, rng), cover


def _roof_loss(local: FloatArray, offset: FloatArray, size_px: float, like: _Neighbourhood, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    cover, u, v = _rectangle(offset, size_px, rng)
    room = np.floor((u + 1) * size_px / rng.uniform(9, 14)) * 7 + np.floor((v + 1) * size_px / rng.uniform(9, 14))
    floors = rng.uniform(0.08, 0.5, 997)[np.abs(room).astype(int) % 997]
    edge = np.maximum(np.abs(np.diff(room, axis=0, prepend=room[:1])), np.abs(np.diff(room, axis=1, prepend=room[:, :1]))) > 0
    rim = np.maximum(np.abs(u), np.abs(v)) > 1 - 2.5 / size_px
    rank = np.where(edge | rim, rng.uniform(0.75, 0.95), floors)
    pieces = _slabs(cover.shape, cover, rng)
    litter = np.clip(clouds(rng, cover.shape, 6, 2), 0, 1)
    return _paint(rank * (1 - litter) + pieces * litter, like, rng), cover


def _crater(local: FloatArray, offset: FloatArray, size_px: float, like: _Neighbourhood, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    radius = _ragged(offset, size_px, rng, 0.07)
    bowl, theta = radius / 0.5, np.arctan2(*offset)
    lit = np.cos(theta - rng.uniform(0, 2 * math.pi)) * np.minimum(bowl, 1)
    rays = sum(rng.normal() * np.cos(k * theta + rng.uniform(0, 6)) for k in range(3, 12)) / 4
    rank = np.where(bowl < 1, 0.18 + 0.28 * lit, 0.8 + 0.08 * clouds(rng, radius.shape, 2))
    thrown = np.clip((1.0 + 0.25 * rays - radius) / 0.3, 0, 1)
    return _paint(rank, like, rng), np.where(bowl < 1, 1.0, thrown)


def _burn(local: FloatArray, offset: FloatArray, size_px: float, like: _Neighbourhood, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    cover = np.clip((1 - _ragged(offset, size_px, rng, 0.22)) * size_px / 2 + 0.5, 0, 1)
    dark = like.palette[len(like.palette) // 50][:, None, None]
    patchy = np.clip(0.22 + 0.12 * clouds(rng, cover.shape, 5, 2), 0.05, 0.7)
    return dark + patchy * (local - dark), cover


def _repaint(local: FloatArray, offset: FloatArray, size_px: float, like: _Neighbourhood, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    cover, _, _ = _rectangle(offset, size_px, rng)
    old = np.nanmean(local[:, cover > 0.5], axis=1) if (cover > 0.5).any() else local.mean((1, 2))
    far = np.abs(like.palette.mean(1) - old.mean())
    new = like.palette[rng.choice(np.argsort(far)[-max(1, len(far) // 4) :])]
    return local + (new * rng.uniform(0.9, 1.1, len(new)) - old)[:, None, None], cover


def _shade(local: FloatArray, offset: FloatArray, size_px: float, like: _Neighbourhood, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    cover, _, _ = _rectangle(offset, size_px, rng)
    dark = like.palette[len(like.palette) // 100][:, None, None]
    return dark + 0.4 * (local - dark), cover


_PATTERNS: dict[str, Pattern] = {
    "rubble": _rubble, "roof loss": _roof_loss, "crater": _crater, "burn": _burn, "repaint": _repaint, "shadow": _shade,
}  # fmt: skip


def warp(image: FloatArray, moving_from_reference: FloatArray, shape: tuple[int, int] | None = None) -> FloatArray:
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
    return np.where(inside, np.stack(pulled), np.nan).astype(np.float32).reshape(*image.shape[:-2], rows, cols)


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
    return (128 + 40 * (smooth - smooth.mean()) / max(float(smooth.std()), 1e-9)).astype(np.float32)
