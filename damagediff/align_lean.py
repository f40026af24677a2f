"""How tall things lean: another view angle displaces roofs and crowns along one direction of the picture.

The taller a thing, the further it is displaced, and all along the same line. So windows that are not found
where the ground model puts them are looked up all around; when far more of them are found along one
direction than along any other, that is the direction of the lean. In a pair seen from like angles, or
without tall things, no direction stands out.
"""

from __future__ import annotations

import cv2
import numpy as np

from . import align_fields
from .align_fields import Plane
from .types import BoolArray, FloatArray, Lean, Window

SIDE_PX = 48
"""Side of a window: about a house."""
SEARCH_PX = 40
"""How far a window is looked up: a roof 20 m high seen from 40 degrees apart at .4 m."""
CONTEXT_PX = 16
"""What the structure field of a window needs around it."""
MOST_WINDOWS = 256
HOME_PX = 4
"""Displacement that the change measure tolerates anyway."""
NEAREST_PX = 6
HOME_HEIGHT = 4.0
"""Peak in standard deviations of its surface from which a window is where the ground model puts it."""
FOUND_HEIGHT = 3.0
"""What lies above it counts as found along a direction: a few hundred lags of noise reach 3."""
STEP_DEG = 3
APART_DEG = 25
"""Directions nearer than this are the same one."""
LEAST_HEIGHT = 12.0
"""Robust deviations by which the direction must stand out; six pairs in which lean is seen: 13.8 to 31.8."""
LEAST_SPREAD = 0.3
REACH_SHARE = 0.9
MARGIN_PX = 4
MIN_WINDOWS = 24


def plan(shape: tuple[int, int]) -> tuple[Window, ...]:
    """Windows on a lattice, about 256 at most, no nearer to the edges of the grid than the search."""
    room = [n - SIDE_PX - 2 * SEARCH_PX for n in shape]
    if min(room) < 0:
        return ()
    step = max(SIDE_PX // 2, int(np.ceil(np.sqrt(room[0] * room[1] / MOST_WINDOWS))))
    return tuple(
        Window(SEARCH_PX + row, SEARCH_PX + col, SIDE_PX, SIDE_PX)
        for row in range(0, room[0] + 1, step)
        for col in range(0, room[1] + 1, step)
    )


def surface(ref: Plane, near: Plane) -> FloatArray | None:
    """Correlation of one window over all displacements within the search.

    Parameters
    ----------
    ref, near : Plane
        Reference and moving image over the window and `CONTEXT_PX` + `SEARCH_PX` on every side, the moving
        image pulled onto the working grid by the ground model.

    Returns
    -------
    (81, 81) or None
        None where part of it is not valid, or where nothing is seen.
    """
    start = CONTEXT_PX + SEARCH_PX
    window = Window(start, start, SIDE_PX, SIDE_PX)
    if not (ref.valid[window.slices].all() and near.valid.mean() > 0.9):
        return None
    fields = [align_fields.structure_field(plane) for plane in (ref, near)]
    found = align_fields.match_windows(fields[0], fields[1], [window], SEARCH_PX).surfaces[0]
    smooth = cv2.GaussianBlur(np.asarray(found, np.float32), (0, 0), 1.0)
    spread = float(smooth.std())
    return None if spread < 1e-6 else np.asarray((smooth - smooth.mean()) / spread)


def direction(surfaces: list[FloatArray]) -> Lean | None:
    """The direction along which windows are displaced, when one stands out.

    Parameters
    ----------
    surfaces : list of (81, 81)
        Of `surface`, in standard deviations.

    Returns
    -------
    Lean or None
        None when no direction stands out by twelve robust deviations of all other directions.
    """
    if len(surfaces) < MIN_WINDOWS:
        return None
    heights = np.stack(surfaces)
    row, col = np.mgrid[-SEARCH_PX : SEARCH_PX + 1, -SEARCH_PX : SEARCH_PX + 1]
    away = heights[:, np.hypot(row, col) <= HOME_PX].max(1) < HOME_HEIGHT
    angles = np.deg2rad(np.arange(0, 360, STEP_DEG))
    far = np.arange(NEAREST_PX, SEARCH_PX + 1)
    at_row, at_col = (np.rint(SEARCH_PX + np.outer(f(angles), far)).astype(int) for f in (np.sin, np.cos))
    rays = heights[away][:, at_row, at_col] - FOUND_HEIGHT
    found = np.maximum(rays.max(2), 0)
    total = found.sum(0)
    best = int(total.argmax())
    elsewhere = total[~_near(angles, angles[best])]
    middle = float(np.median(elsewhere))
    spread = 1.4826 * float(np.median(np.abs(elsewhere - middle))) + LEAST_SPREAD
    height = float((total[best] - middle) / spread)
    if height < LEAST_HEIGHT:
        return None
    reach = _weighted_quantile(far[rays[:, best].argmax(1)], found[:, best], REACH_SHARE)
    unit = float(np.sin(angles[best])), float(np.cos(angles[best]))
    return Lean(unit, min(float(SEARCH_PX), reach + MARGIN_PX), height)


def _near(angles: FloatArray, angle: float) -> BoolArray:
    apart = np.abs((angles - angle + np.pi) % (2 * np.pi) - np.pi)
    return np.asarray(apart <= np.deg2rad(APART_DEG))


def _weighted_quantile(values: FloatArray, weight: FloatArray, p: float) -> float:
    order = np.argsort(values, kind="stable")
    mass = np.cumsum(weight[order])
    return float(values[order][np.searchsorted(mass, p * mass[-1])])
