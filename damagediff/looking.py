"""Windows of both images read for what the comparability card asks of them: sharpness, tones, shadows."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pyproj

from . import grid, shadows, sharpness, sun, tiles, tones
from .card import Facts
from .feed import Feed
from .looks import Look, Looks, Shadows
from .scene import Scene
from .sun import Sun
from .types import Acquisition, BoolArray, FloatArray, Image, Window

FILE_WINDOWS, SHARP_WINDOWS, SHADOW_WINDOWS = 25, 64, 144
"""At most so many windows, evenly over the picture: more change no figure of the card, and cost time."""
MIN_VALID, MIN_LINE_VALID, MIN_SHARP_PX = 0.98, 0.9, 80
"""Of a window, of a row or column of it, and its least side: small pictures do not overlap to their edges."""
SHADOW_GSD_M = (0.15, 1.5)
"""Pixels in which shadows of houses and trees are a few pixels long."""


def facts(scene: Scene, aligned: bool) -> Facts:
    """What the card needs to know of a pair; what compares both pictures only when they are aligned."""
    case, on = scene.case, scene.pair.grid
    event = None if case.event is None else Acquisition(case.event, case.event_precision, "command line")
    place = _lonlat(scene)
    images = scene.pair.before, scene.pair.after
    suns = tuple(None if place is None else _sun(image, place) for image in images)
    north = None if on.crs is None or place is None else _north_deg(scene, place)
    looks = Looks() if scene.settings.sensor == "sar" else _looks(scene, aligned)
    return Facts(looks, (suns[0], suns[1]), north, event, scene.same)


def _lonlat(scene: Scene) -> tuple[float, float] | None:
    """Longitude and latitude of the middle of the working grid, else of the place as the user states it."""
    on, stated = scene.pair.grid, scene.case.place
    if on.crs is None:
        return None if stated is None else (stated[1], stated[0])
    lon, lat = grid.lonlat_from_grid(on, (np.array([on.shape]) - 1) / 2)[0]
    return float(lon), float(lat)


def _sun(image: Image, place: tuple[float, float]) -> Sun | None:
    """The sun over the place when the image was taken; None unless that is known to the minute."""
    when = image.acquisition
    return None if when.acquired is None or when.precision == "day" else sun.position(when.acquired, *place)


def _north_deg(scene: Scene, place: tuple[float, float]) -> float:
    """True azimuth of the working grid's up."""
    on = scene.pair.grid
    middle = (np.array([on.shape]) - 1) / 2
    lon, lat = grid.lonlat_from_grid(on, middle - [[100.0, 0.0]])[0]
    return float(pyproj.Geod(ellps="WGS84").inv(*place, lon, lat)[0])


def _looks(scene: Scene, aligned: bool) -> Looks:
    before, after = (_look(feed, scene) for feed in (scene.before, scene.after))
    if not aligned:
        return Looks(before, after)
    return Looks(
        replace(before, shadows=_shadows(scene.before, scene)),
        replace(after, shadows=_shadows(scene.after, scene)),
        _blur_px(scene),
    )


def _lattice(shape: tuple[int, int], side: int, at_most: int, step: int = 1) -> list[Window]:
    """Windows evenly over a frame, none over another, each beginning at a multiple of `step`."""
    counts = [max(1, n // side) for n in shape]
    while counts[0] * counts[1] > at_most:
        counts[int(np.argmax(counts))] -= 1
    firsts = [
        np.unique((np.linspace(0, max(n - side, 0), k) // step * step).astype(int))
        for n, k in zip(shape, counts, strict=True)
    ]
    size = min(side, shape[0]) // step * step, min(side, shape[1]) // step * step
    return [Window(int(row), int(col), *size) for row in firsts[0] for col in firsts[1]]


def _look(feed: Feed, scene: Scene) -> Look:
    """Haze, clipping and blocks of one file, in its own pixels."""
    windows = _lattice(feed.image.shape, tones.SIDE_PX, FILE_WINDOWS, tones.BLOCK_PX)
    answers = tiles.map_ordered(partial(_tones, feed), windows, scene.executor, ahead=4)
    found = [t for t in answers if t is not None]
    return tones.look(found, np.dtype(feed.image.dtype).kind in "iu")


def _tones(feed: Feed, window: Window) -> tones.Tones | None:
    data, valid = feed.read_file(window)
    return tones.gather(data, valid, feed.plane(data, valid).grey)


def _blur_px(scene: Scene) -> float | None:
    """How much softer the after image is, on the working grid."""
    windows = _lattice(scene.pair.grid.shape, sharpness.SIDE_PX, SHARP_WINDOWS)
    found = tiles.map_ordered(partial(_softer, scene), windows, scene.executor, ahead=4)
    return sharpness.together([blur for blur in found if blur is not None])


def _softer(scene: Scene, window: Window) -> float | None:
    both = [feed.plane(*feed.read(window)) for feed in (scene.before, scene.after)]
    part = _usable(both[0].valid & both[1].valid)
    return None if part is None else sharpness.relative(both[0].grey[part], both[1].grey[part])


def _usable(valid: BoolArray) -> tuple[slice, slice] | None:
    """The part of a window without its hardly valid rows and columns; None when it is small or has holes."""
    rows, cols = (np.flatnonzero(valid.mean(axis) > MIN_LINE_VALID) for axis in (1, 0))
    if min(len(rows), len(cols)) < MIN_SHARP_PX:
        return None
    part = slice(rows[0], rows[-1] + 1), slice(cols[0], cols[-1] + 1)
    return part if valid[part].mean() >= MIN_VALID else None


def _shadows(feed: Feed, scene: Scene) -> Shadows | None:
    """Where shadows fall in one picture on the working grid; colour pictures of fitting pixels only."""
    gsd = scene.pair.grid.gsd_m
    bands = [feed.reader.roles.index(role) for role in ("red", "green", "blue") if role in feed.reader.roles]
    if gsd is None or not SHADOW_GSD_M[0] <= gsd <= SHADOW_GSD_M[1] or len(bands) < 3:
        return None
    windows = _lattice(scene.pair.grid.shape, shadows.SIDE_PX, SHADOW_WINDOWS)
    found = tiles.map_ordered(partial(_votes, feed, bands), windows, scene.executor, ahead=4)
    return shadows.direction([vote for vote in found if vote is not None])


def _votes(feed: Feed, bands: list[int], window: Window) -> FloatArray | None:
    data, valid = feed.read(window)
    return shadows.votes(np.maximum(data[bands], 0), valid)
