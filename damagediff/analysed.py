"""Which cells of a scene are analysed, and why the others are not."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import shapely

from . import cells, diff
from . import grid as grids
from .cells import Maps
from .outcome import REASONS
from .scene import Scene
from .types import (
    NO_CHANGE,
    NOT_ANALYSED,
    OTHER_CHANGE,
    STRUCTURAL_CHANGE,
    Alignment,
    BoolArray,
    ByteArray,
    ChangeMap,
    Pair,
)


def supported(measures: Maps, alignment: Alignment) -> BoolArray:
    """(rows, cols) cells inside the part of the grid that tie points support."""
    rows, cols = (np.arange(n) * diff.CELL + (diff.CELL - 1) / 2 for n in measures.shape)
    ring = shapely.Polygon(alignment.supported_rc)
    shapely.prepare(ring)
    return np.asarray(shapely.contains_xy(ring, rows[:, None], cols[None, :]))


def pictured_share(pair: Pair) -> float:
    """Share of the working grid that the before image can show: a turned picture leaves the corners empty."""
    grid = pair.grid
    if grid.crs is None or pair.before.crs is None:
        return 1.0
    rows, cols = pair.before.shape
    corners = np.array([[0, 0], [0, cols], [rows, cols], [rows, 0]]) - 0.5
    xy = grids.reproject_xy(pair.before.crs, grid.crs, grids.world_from_pixel(pair.before.transform, corners))
    picture = shapely.Polygon(grids.pixel_from_world(grid.transform, xy))
    frame = shapely.box(-0.5, -0.5, grid.shape[0] - 0.5, grid.shape[1] - 0.5)
    return min(1.0, float(picture.intersection(frame).area / frame.area)) or 1.0


def within(change: ChangeMap, asked: BoolArray | None) -> ChangeMap:
    """The same map with nothing said outside the cells asked about.

    What the border cuts to less than the smallest region is no region any more.
    """
    if asked is None:
        return change
    changed = np.where(asked, change.changed, np.uint8(NOT_ANALYSED))
    for code in (STRUCTURAL_CHANGE, OTHER_CHANGE):
        labels, count = cells.components(changed == code)
        small = cells.sizes(labels, count) * change.cell_px**2 < change.min_region_px
        small[0] = False
        changed[cells.look_up(small, labels)] = NO_CHANGE
    score = np.where(asked, change.score, np.float32(np.nan))
    return replace(change, score=score, changed=changed, valid=change.valid & asked)


def with_reasons(scene: Scene, change: ChangeMap, measured: BoolArray, supported: BoolArray) -> ChangeMap:
    """The same map with the reason for each cell that was not analysed.

    Parameters
    ----------
    measured : (rows, cols) bool
        Cells on which both pictures could be measured.
    supported : (rows, cols) bool
        Cells inside the part that tie points support.
    """
    shape = scene.pair.grid.shape
    asked, excluded = scene.areas.asked_cells(), scene.areas.excluded_cells()
    drawn = scene.before.drawn_over(diff.CELL, shape) | scene.after.drawn_over(diff.CELL, shape)
    holds = {
        "outside_area_of_interest": None if asked is None else ~asked,
        "excluded_by_hand": None if excluded is None else _reached(excluded) & ~measured,
        "drawn_over": _reached(drawn) & ~measured,
        "no_picture": ~measured,
        "outside_tie_points": ~supported,
        "not_comparable": change.changed == NOT_ANALYSED,
    }
    why: ByteArray = np.zeros(change.changed.shape, np.uint8)
    for code, reason in enumerate(REASONS, 1):
        here = holds[reason]
        if here is not None:
            why[here & (why == 0)] = code
    assert ((why > 0) == (change.changed == NOT_ANALYSED)).all()
    return replace(change, why=why)


def _reached(flags: BoolArray) -> BoolArray:
    """Cells whose measures see a flagged one."""
    reach = np.ones((2 * diff.INVALID_REACH + 1,) * 2, np.uint8)
    return np.asarray(cv2.dilate(flags.astype(np.uint8), reach) > 0)
