"""Tie points at full resolution, and the simplest model that held-out points support."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from . import align_fields, align_fit
from .align_fields import Plane
from .settings import AlignSettings
from .types import BoolArray, FloatArray, LocalField, Role, TiePoints, Window

CONTEXT_PX = 24
"""Pixels around a window that its structure field needs to be the one of the whole image."""
GROSS_PX = 3.0
"""A point further from the model is a mismatch, a leaning roof or change: it is rejected, and counted."""
MIN_QUALITY = 0.15
"""Correlation of structure below which a match is not told from noise (mirrored decoys: median .08)."""
PENALTIES = (0.3, 3.0, 30.0)
"""Stiffness of the local field tried; cross-validation on the fit points chooses."""
MIN_GAIN = 0.05
"""A richer model must lower the residual of points left out by this share and two standard errors."""
FOLDS = 5


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
    """Where its content was found, on the working grid, as the model of that time brought the moving image."""
    quality: float
    ambiguity: float
    unused: str | None
    """Why it is no tie point; None when it is one."""


def plan_windows(shape: tuple[int, int], settings: AlignSettings, per_side: int) -> tuple[Window, ...]:
    """Square windows on a lattice of at most `per_side` a side; small grids, small windows.

    Windows do not overlap, so that those held out as check points share no pixel with the fit.
    """
    side = int(np.clip(np.sqrt(shape[0] * shape[1]) / 12 // 16 * 16, 32, settings.window_px))
    starts = [_starts(length, side, per_side) for length in shape]
    return tuple(Window(int(r), int(c), side, side) for r in starts[0] for c in starts[1])


def _starts(length: int, side: int, per_side: int) -> FloatArray:
    room = max(length - side, 0)
    count = min(per_side, room // side + 1)
    return np.round(np.linspace(0, room, count)).astype(int)


def look_up(window: Window, ref: Plane, near: Plane, search: int) -> Measured:
    """Find one window of the reference in the moving image.

    Parameters
    ----------
    window : Window
        On the working grid.
    ref, near : Plane
        Reference and moving image around the window, `CONTEXT_PX` + `search` px more on every side, the
        moving image pulled onto the working grid by the model so far.
    search : int
        Largest displacement, px.
    """
    centre = np.array([window.row + (window.rows - 1) / 2, window.col + (window.cols - 1) / 2])
    margin = CONTEXT_PX + search
    inner = Window(margin, margin, window.rows, window.cols)
    if min(ref.valid[inner.slices].mean(), near.valid[inner.slices].mean()) < 0.9:
        return Measured(centre, centre, 0.0, 1.0, "not valid")
    if ref.grey[inner.slices].std() < 2 or near.grey[inner.slices].std() < 2:
        return Measured(centre, centre, 0.0, 1.0, "too little texture")
    fields = [align_fields.structure_field(plane) for plane in (ref, near)]
    found = align_fields.match_windows(fields[0], fields[1], [inner], search)
    reason = None
    if found.at_limit[0]:
        reason = "beyond the search"
    elif found.ambiguity[0] >= 0.98:
        reason = "fits elsewhere as well"
    elif found.score[0] < MIN_QUALITY:
        reason = "too little in common"
    near_rc = centre + found.displacement_rc[0]
    return Measured(centre, near_rc, float(found.score[0]), float(found.ambiguity[0]), reason)


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


def collect(measured: list[Measured], looked_with: Model, settings: AlignSettings) -> Points:
    """The matches that are tie points; a share of them, spread evenly, is held out as check points.

    `looked_with` is the model by which the moving image was pulled when the windows were looked up.
    """
    used = [m for m in measured if m.unused is None]
    p = np.array([m.centre_rc for m in used]).reshape(-1, 2)
    near = np.array([m.near_rc for m in used]).reshape(-1, 2)
    ambiguity = np.array([m.ambiguity for m in used])
    every = max(2, round(1 / settings.check_share))
    row, col = (np.searchsorted(np.unique(c), c) for c in p.T)
    check = (col + 2 * row) % every == 0
    return Points(
        p,
        looked_with.moving_from_grid(near),
        np.array([m.quality for m in used]),
        np.clip(1.02 - ambiguity, 0.02, 0.5),
        np.asarray(check, bool),
    )


def residuals(model: Model, points: Points) -> FloatArray:
    """(N,) distance of each point from where the model says, in pixels of the working grid."""
    apart = np.hypot(*(model.moving_from_grid(points.reference_rc) - points.moving_rc).T)
    return np.asarray(apart / align_fit.scale_of(model.matrix))


def choose(
    points: Points, start: Model, shape: tuple[int, int], ladder: tuple[str, ...]
) -> tuple[Model, str]:
    """Climb the ladder of models while points left out of the fit get better by more than their uncertainty.

    Each fit point is left out once (5-fold cross-validation). The check points take no part, so what they
    say of the model in the end has not chosen it.

    Returns
    -------
    (the model, one sentence that says why none richer was taken)
    """
    fit = points.subset(~points.check)
    consistent = int((residuals(start, fit) < 2 * GROSS_PX).sum())
    best, why = start, "no richer model was allowed"
    best_error = np.minimum(residuals(start, fit), GROSS_PX)
    for kind in ladder:
        if consistent < align_fit.NEEDED[kind]:
            needed = align_fit.NEEDED[kind]
            why = f"{consistent} consistent tie points are too few for {_a(kind)} ({needed} needed)"
            continue
        error = _left_out(kind, fit, best, shape)
        gain, doubt = _mean_and_error(best_error - error)
        refit = kind == best.kind and gain > 0
        if refit or (gain > 2 * doubt and gain > MIN_GAIN * best_error.mean()):
            best, best_error, why = _fit_one(kind, fit, best, shape), error, "no richer model was allowed"
        else:
            why = f"{_a(kind)} changes the residual of points left out by {-gain:+.2f} ± {doubt:.2f} px"
    return best, why


def _a(kind: str) -> str:
    named = "local field" if kind == "local" else kind
    return f"an {named}" if named == "affine" else f"a {named}"


def _left_out(kind: str, points: Points, base: Model, shape: tuple[int, int]) -> FloatArray:
    """(N,) truncated residual of each point under a fit to the other folds."""
    folds = (np.arange(len(points.check)) * 7) % FOLDS
    error = np.zeros(len(folds))
    for fold in range(FOLDS):
        out = folds == fold
        model = _fit_one(kind, points.subset(~out), base, shape)
        error[out] = residuals(model, points.subset(out))
    return np.minimum(error, GROSS_PX)


def _mean_and_error(fall: FloatArray) -> tuple[float, float]:
    return float(fall.mean()), float(fall.std(ddof=1) / np.sqrt(len(fall)))


def _fit_one(kind: str, points: Points, base: Model, shape: tuple[int, int]) -> Model:
    p, q, weight = points.reference_rc, points.moving_rc, points.weight
    if kind == "local":
        return _fit_local(p, q, weight, Model(base.kind, base.matrix), shape)
    start = base.matrix
    if kind == "translation":
        shift = np.median(q - p, axis=0)
        start = np.array([[1, 0, shift[0]], [0, 1, shift[1]], [0, 0, 1.0]])
    size = align_fit.scale_of(base.matrix)
    return Model(kind, align_fit.robust(kind, p, q, weight, start, 4 * size))


def _fit_local(
    p: FloatArray, q: FloatArray, weight: FloatArray, base: Model, shape: tuple[int, int]
) -> Model:
    left = q - base.moving_from_grid(p)
    folds = (np.arange(len(p)) * 3) % FOLDS
    errors = []
    for penalty in PENALTIES:
        error = np.zeros(len(p))
        for fold in range(FOLDS):
            rest = folds != fold
            field = align_fit.fit_local(p[rest], left[rest], weight[rest], shape, penalty)
            error[~rest] = np.hypot(*(align_fit.field_at(field, p[~rest]) - left[~rest]).T)
        errors.append(np.minimum(error, GROSS_PX).mean())
    penalty = PENALTIES[int(np.argmin(errors))]
    return Model("local", base.matrix, align_fit.fit_local(p, left, weight, shape, penalty))


def as_tie_points(points: Points, model: Model) -> TiePoints:
    """The points as they are reported: fit, check, or rejected for lying too far from the model."""
    residual = residuals(model, points)
    roles: list[Role] = [
        "rejected" if far else "check" if held else "fit"
        for far, held in zip(residual > GROSS_PX, points.check, strict=True)
    ]
    return TiePoints(
        points.reference_rc, points.moving_rc - points.reference_rc, points.quality, tuple(roles), residual
    )
