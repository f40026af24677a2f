"""Tie points at full resolution: where windows are looked up, what is found, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import cv2
import numpy as np
import shapely

from . import align_fields, align_fit
from .align_fields import Matches, Plane
from .settings import AlignSettings
from .types import BoolArray, FloatArray, LocalField, Role, TiePoints, Window

CONTEXT_PX = 24
"""Pixels around a window that its structure field needs to be the one of the whole image."""
GROSS_PX = 3.0
"""A point further from the model is a mismatch, a leaning roof or change: it is rejected, and counted."""
MIN_VALID = 0.9
"""Share of a window that must hold pixels in both images."""
MIN_SPREAD = 2.0
"""Standard deviation in grey levels below which a window holds nothing to recognise."""
MAX_SATURATED = 0.25
"""Share of a window at black or white: what is clipped there has edges of its own."""
HAND_WEIGHT = 0.1
"""Weight of a point marked by hand: that of a match that correlates by .3."""
MOST_WEIGHT = 4.0
"""Weight of the clearest match, that of a correlation of .89: what is left then is not noise."""
MARGIN_PX = 128.0
MARGIN_SHARE = 0.15
"""How far beyond the outermost tie points the model is trusted: this, or that share of their spread."""
BATCH_WINDOWS = 12
"""Lattice places a side that are read together; more costs memory, fewer reads margins twice."""
MIN_QUALITY = 0.10
"""Correlation of structure below which a match is not told from noise (mirrored decoys: median .08)."""
CHECK_EVERY = 5
"""Check windows stand on every fifth row and column of the lattice; their neighbours are left out."""


@dataclass(frozen=True)
class Model:
    """moving_from_reference, with its smooth local part if it has one."""

    kind: str
    matrix: FloatArray
    local: LocalField | None = None

    def moving_from_grid(self, rc: FloatArray) -> FloatArray:
        """(..., 2) working-grid pixels to (..., 2) pixels of the moving frame."""
        mapped = align_fit.apply(self.matrix, rc)
        return mapped if self.local is None else mapped + align_fit.field_at(self.local, rc)


@dataclass(frozen=True)
class Measured:
    """One window looked up at full resolution."""

    centre_rc: FloatArray
    near_rc: FloatArray
    """Where its content was found, on the working grid, through the model of that time."""
    quality: float
    ambiguity: float
    check: bool
    unused: str | None
    """Why it is no tie point; None when it is one."""


@dataclass(frozen=True)
class Site:
    """One window to be looked up, and its place on the lattice."""

    window: Window
    check: bool
    """Held out of the fit, and sharing no pixel with any window of the fit."""


def plan_sites(area: Window, settings: AlignSettings, per_side: int) -> tuple[Site, ...]:
    """Square windows on a lattice of at most `per_side` a side over an area; small areas, small windows.

    Windows may overlap by half. Every fifth one in each direction is a check window; those that overlap
    it are left out, so that the check points share no pixel with the fit.
    """
    side = int(np.clip(np.sqrt(area.rows * area.cols) / 12 // 16 * 16, 32, settings.window_px))
    starts = [
        first + _starts(length, side, per_side) for first, length in ((area[0], area[2]), (area[1], area[3]))
    ]
    sites = []
    for i, row in enumerate(starts[0]):
        for j, col in enumerate(starts[1]):
            check = _is_check(i) and _is_check(j)
            window = Window(int(row), int(col), side, side)
            if check or not any(_overlap(window, w) for w in _checks_near(starts, i, j, side)):
                sites.append(Site(window, check))
    return tuple(sites)


def _starts(length: int, side: int, per_side: int) -> FloatArray:
    room = max(length - side, 0)
    count = min(per_side, 2 * room // side + 1)
    return np.round(np.linspace(0, room, count)).astype(int)


def _checks_near(starts: list[FloatArray], i: int, j: int, side: int) -> list[Window]:
    """The check windows among the neighbours of lattice place (i, j)."""
    near = [
        [n for n in (k - 1, k, k + 1) if _is_check(n) and 0 <= n < len(line)]
        for k, line in zip((i, j), starts, strict=True)
    ]
    return [Window(int(starts[0][r]), int(starts[1][c]), side, side) for r in near[0] for c in near[1]]


def _is_check(n: int) -> bool:
    """Whether lattice row or column `n` holds check windows."""
    return n % CHECK_EVERY == CHECK_EVERY // 2


def _overlap(a: Window, b: Window) -> bool:
    return abs(a.row - b.row) < a.rows and abs(a.col - b.col) < a.cols


def batches(sites: tuple[Site, ...], search: int) -> list[tuple[Site, ...]]:
    """Sites that are read together: blocks of neighbours, or one by one where that reads fewer pixels."""
    block = BATCH_WINDOWS * sites[0].window.rows // 2
    found: dict[tuple[int, int], list[Site]] = {}
    for site in sites:
        found.setdefault((site.window.row // block, site.window.col // block), []).append(site)
    plans: list[list[tuple[Site, ...]]] = [[(site,) for site in sites], [tuple(b) for b in found.values()]]
    return min(plans, key=lambda plan: sum(_pixels(area_of(batch, search)) for batch in plan))


def _pixels(area: Window) -> int:
    return area.rows * area.cols


def area_of(batch: tuple[Site, ...], search: int) -> Window:
    """What must be read of both images to look up a batch of sites within `search` px."""
    top, left = (min(site.window[k] for site in batch) for k in (0, 1))
    bottom, right = (max(site.window[k] for site in batch) + batch[0].window.rows for k in (0, 1))
    return Window(top, left, bottom - top, right - left).padded(CONTEXT_PX + search)


def look_up(batch: tuple[Site, ...], ref: Plane, near: Plane, search: int) -> list[Measured]:
    """Find windows of the reference in the moving image.

    Parameters
    ----------
    batch : tuple of Site
        Windows on the working grid.
    ref, near : Plane
        Reference and moving image over `area_of` the batch, the moving image pulled onto the working grid
        by the model so far.
    search : int
        Largest displacement, px.
    """
    area = area_of(batch, search)
    inner = [s.window._replace(row=s.window.row - area.row, col=s.window.col - area.col) for s in batch]
    empty = [_empty(window, ref, near) for window in inner]
    asked = [window for window, why in zip(inner, empty, strict=True) if why is None]
    fields = [align_fields.structure_field(plane) for plane in (ref, near)]
    matches = align_fields.match_both_ways(fields[0], fields[1], asked, search)
    found = iter(range(len(matches)))
    return [
        _unused(site, why) if why is not None else _measured(site, matches, next(found))
        for site, why in zip(batch, empty, strict=True)
    ]


def _empty(window: Window, ref: Plane, near: Plane) -> str | None:
    if min(ref.valid[window.slices].mean(), near.valid[window.slices].mean()) < MIN_VALID:
        return "not valid"
    if max(_saturated(plane.grey[window.slices]) for plane in (ref, near)) > MAX_SATURATED:
        return "saturated"
    spreads = [float(cv2.meanStdDev(plane.grey[window.slices])[1][0, 0]) for plane in (ref, near)]
    if min(spreads) < MIN_SPREAD:
        return "too little texture"
    return None


def _saturated(grey: FloatArray) -> float:
    """Share of pixels at black or white."""
    return float(((grey < 1) | (grey > 254)).mean())


def _centre(window: Window) -> FloatArray:
    return np.array([window.row + (window.rows - 1) / 2, window.col + (window.cols - 1) / 2])


def _unused(site: Site, why: str) -> Measured:
    centre = _centre(site.window)
    return Measured(centre, centre, 0.0, 1.0, site.check, why)


def _measured(site: Site, matches: Matches, k: int) -> Measured:
    reason = None
    if matches.at_limit[k]:
        reason = "beyond the search"
    elif matches.ambiguity[k] >= align_fields.AMBIGUOUS:
        reason = "fits elsewhere as well"
    elif matches.score[k] < MIN_QUALITY:
        reason = "too little in common"
    centre, half = _centre(site.window), matches.displacement_rc[k] / 2
    near, quality = centre + half, float(matches.score[k])
    return Measured(centre - half, near, quality, float(matches.ambiguity[k]), site.check, reason)


def count_unused(measured: list[Measured]) -> dict[str, int]:
    """How many windows gave no tie point, by reason."""
    reasons = [m.unused for m in measured if m.unused]
    return {reason: reasons.count(reason) for reason in sorted(set(reasons))}


@dataclass(frozen=True)
class Points:
    """Usable matches: reference, moving frame, weight, which are held out, and which somebody marked."""

    reference_rc: FloatArray
    moving_rc: FloatArray
    quality: FloatArray
    weight: FloatArray
    check: BoolArray
    by_hand: BoolArray

    def subset(self, keep: BoolArray) -> Points:
        """Some of the points."""
        return Points(*(getattr(self, f.name)[keep] for f in fields(self)))


def collect(measured: list[Measured], looked_with: Model) -> Points:
    """The matches that are tie points.

    `looked_with` is the model by which the moving image was pulled when the windows were looked up.
    """
    used = [m for m in measured if m.unused is None]
    p = np.array([m.centre_rc for m in used]).reshape(-1, 2)
    near = np.array([m.near_rc for m in used]).reshape(-1, 2)
    quality = np.array([m.quality for m in used])
    return Points(
        p,
        looked_with.moving_from_grid(near),
        quality,
        weight_of(quality),
        np.array([m.check for m in used], bool),
        np.zeros(len(used), bool),
    )


def weight_of(quality: FloatArray) -> FloatArray:
    """Inverse variance of matches, 1 for a correlation of .71: the bound of a delay's variance [1]_.

    References
    ----------
    .. [1] Carter, "Coherence and time delay estimation", Proc. IEEE 75(2), 1987.
           :DOI:`10.1109/PROC.1987.13723`
    """
    shared = np.clip(quality, 0, 0.999) ** 2
    return np.asarray(np.minimum(shared / (1 - shared), MOST_WEIGHT))


def moved(points: Points, full_from_reference: FloatArray, full_from_moving: FloatArray) -> Points:
    """Points of two reduced pictures, in full pixels of both."""
    return replace(
        points,
        reference_rc=align_fit.apply(full_from_reference, points.reference_rc),
        moving_rc=align_fit.apply(full_from_moving, points.moving_rc),
    )


def residuals(model: Model, points: Points) -> FloatArray:
    """(N,) distance of each point from where the model says, in pixels of the working grid."""
    apart = np.hypot(*(model.moving_from_grid(points.reference_rc) - points.moving_rc).T)
    return np.asarray(apart / align_fit.scale_of(model.matrix))


def marked(before_rc: FloatArray, after_rc: FloatArray) -> Points:
    """Places marked by hand: (N, 2) on the working grid and in the moving frame. None is held out."""
    ones = np.ones(len(before_rc))
    return Points(before_rc, after_rc, ones, ones * HAND_WEIGHT, ones == 0, by_hand=ones == 1)


def together(first: Points, second: Points) -> Points:
    """Both sets of points, the second with no more weight in all than the first."""
    most = max(first.weight.sum(), second.weight.sum() * 1e-3)
    second = replace(second, weight=second.weight * min(1.0, most / second.weight.sum()))
    pairs = ((getattr(first, f.name), getattr(second, f.name)) for f in fields(Points))
    return Points(*(np.concatenate(pair) for pair in pairs))


def supported(points: TiePoints) -> tuple[tuple[float, float], ...]:
    """The part of the grid that agreeing tie points support: their convex hull and a margin.

    Only points that were measured count: what somebody marked is no evidence. Within the hull the model
    interpolates. Holes are not cut out: where everything was destroyed no window
    matches, and there of all places the comparison is wanted.
    """
    agreeing = np.array([role != "rejected" for role in points.role], bool)
    if points.by_hand is not None:
        agreeing &= ~points.by_hand
    if not agreeing.any():
        return ()
    places = shapely.MultiPoint(points.reference_rc[agreeing])
    spread = float(np.ptp(points.reference_rc[agreeing], axis=0).max())
    hull = places.convex_hull.buffer(max(MARGIN_PX, MARGIN_SHARE * spread), quad_segs=4)
    return tuple((float(row), float(col)) for row, col in hull.exterior.coords)


def supported_share(ring_rc: tuple[tuple[float, float], ...], shape: tuple[int, int]) -> float:
    """Share of a grid of `shape` inside a ring, 0..1."""
    if not ring_rc:
        return 0.0
    inside = shapely.Polygon(ring_rc).intersection(shapely.box(-0.5, -0.5, shape[0] - 0.5, shape[1] - 0.5))
    return float(inside.area / (shape[0] * shape[1]))


def as_tie_points(points: Points, model: Model) -> TiePoints:
    """The points as they are reported: fit, check, or rejected for lying too far from the model."""
    residual = residuals(model, points)
    roles: list[Role] = [
        "rejected" if far else "check" if held else "fit"
        for far, held in zip(residual > GROSS_PX, points.check, strict=True)
    ]
    return TiePoints(
        points.reference_rc,
        points.moving_rc - points.reference_rc,
        points.quality,
        tuple(roles),
        residual,
        points.check,
        points.by_hand if points.by_hand.any() else None,
    )
