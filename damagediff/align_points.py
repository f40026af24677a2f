"""Tie points at full resolution, and the simplest model that held-out points support."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import cv2
import numpy as np
import numpy.typing as npt
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
HAND_WEIGHT = 0.5
"""Weight of a point marked by hand: that of the least ambiguous match."""
MARGIN_PX = 128.0
MARGIN_SHARE = 0.15
"""How far beyond the outermost tie points the model is trusted: this, or that share of their spread."""
BATCH_WINDOWS = 12
"""Lattice places a side that are read together; more costs memory, fewer reads margins twice."""
MIN_QUALITY = 0.10
"""Correlation of structure below which a match is not told from noise (mirrored decoys: median .08)."""
CHECK_EVERY = 5
"""Check windows stand on every fifth row and column of the lattice; their neighbours are left out."""
BACK_PX = 1.0
"""A match looked up the other way round must lead back to within this."""
CLEAR = 0.4
"""Ambiguity below which that is not asked: none of 215 such matches in 14 real pairs led elsewhere."""
PENALTIES = (0.001, 0.003, 0.01, 0.03, 0.3, 3.0, 30.0)
"""Stiffness of the local field tried; cross-validation on the fit points chooses."""
MIN_GAIN = 0.05
"""A richer model must lower the residual of points left out by this share and two standard errors."""
RICHEST = "it is the richest model allowed"
FOLDS = 5
FOLD_BLOCKS = 12
"""Blocks along the longer side; all points of a block are left out together."""


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


def plan_sites(shape: tuple[int, int], settings: AlignSettings, per_side: int) -> tuple[Site, ...]:
    """Square windows on a lattice of at most `per_side` a side; small grids, small windows.

    Windows may overlap by half. Every fifth one in each direction is a check window; those that overlap
    it are left out, so that the check points share no pixel with the fit.
    """
    side = int(np.clip(np.sqrt(shape[0] * shape[1]) / 12 // 16 * 16, 32, settings.window_px))
    starts = [_starts(length, side, per_side) for length in shape]
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
    matches = align_fields.match_windows(fields[0], fields[1], asked, search)
    off = _off_way_back(fields, asked, matches, search)
    found = iter(range(len(matches)))
    return [
        _unused(site, why) if why is not None else _measured(site, matches, off, next(found))
        for site, why in zip(batch, empty, strict=True)
    ]


def _off_way_back(
    fields: list[align_fields.Fields], asked: list[Window], matches: Matches, search: int
) -> FloatArray:
    """(N,) distance between each match and the same looked up from the moving image, px; 0 if it is clear."""
    doubtful = np.flatnonzero(matches.ambiguity >= CLEAR)
    off = np.zeros(len(matches))
    there = [
        asked[k]._replace(row=asked[k].row + round(float(d[0])), col=asked[k].col + round(float(d[1])))
        for k, d in zip(doubtful, matches.displacement_rc[doubtful], strict=True)
    ]
    back = align_fields.match_windows(fields[1], fields[0], there, search)
    off[doubtful] = np.hypot(*(back.displacement_rc + matches.displacement_rc[doubtful]).T)
    return off


def _empty(window: Window, ref: Plane, near: Plane) -> str | None:
    if min(ref.valid[window.slices].mean(), near.valid[window.slices].mean()) < MIN_VALID:
        return "not valid"
    spreads = [float(cv2.meanStdDev(plane.grey[window.slices])[1][0, 0]) for plane in (ref, near)]
    if min(spreads) < MIN_SPREAD:
        return "too little texture"
    return None


def _centre(window: Window) -> FloatArray:
    return np.array([window.row + (window.rows - 1) / 2, window.col + (window.cols - 1) / 2])


def _unused(site: Site, why: str) -> Measured:
    centre = _centre(site.window)
    return Measured(centre, centre, 0.0, 1.0, site.check, why)


def _measured(site: Site, matches: Matches, off_way_back: FloatArray, k: int) -> Measured:
    reason = None
    if matches.at_limit[k]:
        reason = "beyond the search"
    elif matches.ambiguity[k] >= align_fields.AMBIGUOUS:
        reason = "fits elsewhere as well"
    elif matches.score[k] < MIN_QUALITY:
        reason = "too little in common"
    elif off_way_back[k] > BACK_PX:
        reason = "does not match back"
    centre = _centre(site.window)
    near = centre + matches.displacement_rc[k]
    return Measured(centre, near, float(matches.score[k]), float(matches.ambiguity[k]), site.check, reason)


def count_unused(measured: list[Measured]) -> dict[str, int]:
    """How many windows gave no tie point, by reason."""
    reasons = [m.unused for m in measured if m.unused]
    return {reason: reasons.count(reason) for reason in sorted(set(reasons))}


@dataclass(frozen=True)
class Points:
    """Usable matches: reference, moving frame, weight, and which are held out."""

    reference_rc: FloatArray
    moving_rc: FloatArray
    quality: FloatArray
    weight: FloatArray
    check: BoolArray

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
    ambiguity = np.array([m.ambiguity for m in used])
    return Points(
        p,
        looked_with.moving_from_grid(near),
        np.array([m.quality for m in used]),
        np.clip(1.02 - ambiguity, 0.02, 0.5),
        np.array([m.check for m in used], bool),
    )


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


def choose(
    points: Points, start: Model, shape: tuple[int, int], ladder: tuple[str, ...]
) -> tuple[Model, str]:
    """Climb the ladder of models while points left out of the fit get better by more than their uncertainty.

    Each fit point is left out once (5-fold cross-validation by blocks). The check points then have a veto:
    a model under which they get worse is not taken, whatever the fit points say.

    Returns
    -------
    (the model, one sentence that says why none richer was taken)
    """
    fit, check = points.subset(~points.check), points.subset(points.check)
    consistent = int((residuals(start, fit) < 2 * GROSS_PX).sum())
    best, best_error, why = start, _truncated(start, fit), RICHEST
    for kind in ladder:
        needed = align_fit.NEEDED[kind]
        if consistent < needed:
            why = f"{consistent} consistent tie points are too few for {_a(kind)} ({needed} needed)"
            continue
        stiffness, error = _left_out(kind, fit, best, shape)
        gain, doubt = _mean_and_error(best_error - error)
        trial = fit_one(kind, fit, best, shape, stiffness)
        better = gain > 0 if kind == best.kind else gain > max(2 * doubt, MIN_GAIN * best_error.mean())
        if not better:
            why = f"{_a(kind)} changes the residual of points left out by {-gain:+.2f} ± {doubt:.2f} px"
        elif len(check.check) and _truncated(trial, check).mean() > _truncated(best, check).mean():
            why = f"under {_a(kind)} the check points would lie further off"
        else:
            best, best_error, why = trial, error, RICHEST
    return best, why


def _truncated(model: Model, points: Points) -> FloatArray:
    return np.minimum(residuals(model, points), GROSS_PX)


def _a(kind: str) -> str:
    named = "local field" if kind == "local" else kind
    return f"an {named}" if named == "affine" else f"a {named}"


def _left_out(kind: str, points: Points, base: Model, shape: tuple[int, int]) -> tuple[float, FloatArray]:
    """The best stiffness of a local field, and (N,) truncated residual of each point under the rest."""
    folds = _folds(points.reference_rc, shape)
    errors = {}
    for stiffness in PENALTIES if kind == "local" else (0.0,):
        errors[stiffness] = np.zeros(len(folds))
        for fold in np.unique(folds):
            out = folds == fold
            model = fit_one(kind, points.subset(~out), base, shape, stiffness)
            errors[stiffness][out] = _truncated(model, points.subset(out))
    best = min(errors, key=lambda stiffness: float(errors[stiffness].mean()))
    return best, errors[best]


def _folds(rc: FloatArray, shape: tuple[int, int]) -> npt.NDArray[np.int64]:
    """(N,) fold of each point: neighbours, which share pixels, mostly go together."""
    row, col = (rc * (FOLD_BLOCKS / max(shape))).astype(int).T
    return np.asarray((row + 2 * col) % FOLDS)


def _mean_and_error(fall: FloatArray) -> tuple[float, float]:
    return float(fall.mean()), float(fall.std(ddof=1) / np.sqrt(len(fall)))


def fit_one(kind: str, points: Points, base: Model, shape: tuple[int, int], stiffness: float = 0.0) -> Model:
    """One kind of model through all the points given, starting from `base`."""
    p, q, weight = points.reference_rc, points.moving_rc, points.weight
    if kind == "local":
        left = q - align_fit.apply(base.matrix, p)
        spline = align_fit.fit_local(p, left, weight, shape, stiffness)
        return Model("local", base.matrix, spline.sampled())
    start = base.matrix
    if kind == "translation":
        shift = np.median(q - p, axis=0)
        start = np.array([[1, 0, shift[0]], [0, 1, shift[1]], [0, 0, 1.0]])
    size = align_fit.scale_of(base.matrix)
    return Model(kind, align_fit.robust(kind, p, q, weight, start, 4 * size))


def marked(before_rc: FloatArray, after_rc: FloatArray) -> Points:
    """Places marked by hand: (N, 2) on the working grid and in the moving frame. None is held out."""
    count = len(before_rc)
    return Points(before_rc, after_rc, np.ones(count), np.full(count, HAND_WEIGHT), np.zeros(count, bool))


def together(first: Points, second: Points) -> Points:
    """Both sets of points."""
    pairs = ((getattr(first, f.name), getattr(second, f.name)) for f in fields(Points))
    return Points(*(np.concatenate(pair) for pair in pairs))


def supported(points: TiePoints) -> tuple[tuple[float, float], ...]:
    """The part of the grid that agreeing tie points support: their convex hull and a margin.

    Within it the model interpolates. Holes are not cut out: where everything was destroyed no window
    matches, and there of all places the comparison is wanted.
    """
    agreeing = np.array([role != "rejected" for role in points.role], bool)
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
    )
