"""Which model the tie points support: a ladder of global maps, then a local field as far as evidence goes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from . import align_fit, align_local, align_points
from .align_local import Blend
from .align_points import GROSS_PX, Model, Points
from .types import FloatArray

MIN_GAIN = 0.05
"""A richer global model must lower the residual of points left out by this share and two standard errors."""
MIN_FIELD_PX = 0.02
"""A local field that betters points left out by less is not taken: it would only bend copies of one file."""
RICHEST = "no richer global model is allowed"
FOLDS = 5
FOLD_BLOCKS = 12
"""Blocks along the longer side; all points of a block are left out together."""


@dataclass(frozen=True)
class Fitted:
    """A model, and what the points that were left out of it say."""

    model: Model
    reason: str
    """Why this global model, why not the next richer one, and how far a local field was taken."""
    standard_error_px: float | None
    """Median over the frame; None when there were too few points to tell."""


@dataclass(frozen=True)
class _Rung:
    """One global model fitted to all points, and to all but each fold."""

    whole: Model
    without: tuple[Model, ...]
    left_out_px: FloatArray
    """(N,) truncated residual of each point under the model fitted without it."""


def choose(
    points: Points, start: Model, shape: tuple[int, int], ladder: tuple[str, ...], local: bool
) -> Fitted:
    """Climb the ladder while points left out of the fit get better by more than their uncertainty.

    Every fit point is left out once (cross-validation by blocks); check points take no part at all.

    Parameters
    ----------
    points : Points
        Those that are not held out are fitted.
    start : Model
        The map so far: where the robust fits begin.
    shape : (rows, cols)
        Of the working grid.
    ladder : tuple of str
        Global models that may be taken, simple to rich.
    local : bool
        Whether a local field may be added.
    """
    fit = points.subset(~points.check)
    folds = _folds(fit.reference_rc, shape)
    consistent = int((align_points.residuals(start, fit) < 2 * GROSS_PX).sum())
    best, why, not_richer = _rung(ladder[0], fit, folds, start), _first(ladder), ""
    for kind in ladder[1:]:
        if consistent < align_fit.NEEDED[kind]:
            not_richer = not_richer or _too_few(consistent, kind)
            break
        trial = _rung(kind, fit, folds, start)
        gain, doubt = _mean_and_error(best.left_out_px - trial.left_out_px)
        said = f"{_a(kind)} changes the residual of points left out by {-gain:+.2f} ± {doubt:.2f} px"
        if gain > max(2 * doubt, MIN_GAIN * best.left_out_px.mean()):
            best, why, not_richer = trial, f"{said} against {_a(best.whole.kind)}", ""
        else:
            not_richer = not_richer or said
    why = f"{why}; {not_richer or RICHEST}"
    if local and consistent >= align_fit.NEEDED["local"]:
        fitted = _with_field(best, fit, folds, shape)
        return replace(fitted, reason=f"{why}; {fitted.reason}")
    if local:
        why = f"{why}; {_too_few(consistent, 'local')}"
    return Fitted(best.whole, why, _standard_error([_at(m, shape) for m in best.without], best.whole))


def _first(ladder: tuple[str, ...]) -> str:
    """Why the simplest model is taken, as long as no richer one is."""
    return f"{_a(ladder[0])} is the simplest that is tried"


def _rung(kind: str, fit: Points, folds: npt.NDArray[np.int64], base: Model) -> _Rung:
    without = tuple(fit_one(kind, fit.subset(folds != k), base) for k in range(FOLDS))
    left = np.array([align_points.residuals(model, fit) for model in without])
    own = left[folds, np.arange(len(folds))]
    return _Rung(fit_one(kind, fit, base), without, np.minimum(own, GROSS_PX))


def fit_one(kind: str, points: Points, base: Model) -> Model:
    """One kind of global model through all the points given, starting from `base`."""
    p, q = points.reference_rc, points.moving_rc
    start = base.matrix
    if kind == "translation":
        shift = np.median(q - p, axis=0)
        start = np.array([[1, 0, shift[0]], [0, 1, shift[1]], [0, 0, 1.0]])
    size = align_fit.scale_of(base.matrix)
    return Model(kind, align_fit.robust(kind, p, q, points.weight, start, 4 * size))


def _with_field(best: _Rung, fit: Points, folds: npt.NDArray[np.int64], shape: tuple[int, int]) -> Fitted:
    """The global model with a local field, as far as points left out of both support it.

    The field is not taken at all when they get better by no more than the standard error of that.
    """
    size = align_fit.scale_of(best.whole.matrix)
    left = _left(best.whole, fit) / size
    left_without = np.array([_left(model, fit) / size for model in best.without])
    found = align_local.blend(fit.reference_rc, left, left_without, fit.weight, folds, shape)
    gain, doubt = _mean_and_error(best.left_out_px - found.left_out_px)
    said = f"changes the residual of points left out by {-gain:+.3f} ± {doubt:.3f} px"
    if gain <= max(doubt, MIN_FIELD_PX):
        error = _standard_error([_at(m, shape) for m in best.without], best.whole)
        asked = f"at least its own error and {MIN_FIELD_PX:g} px are asked"
        return Fitted(best.whole, f"a local field {said}; {asked}", error)
    model = Model("local", best.whole.matrix, found.field.sampled(size))
    error = _standard_error(_with_fields(best, found, shape), best.whole)
    return Fitted(model, f"a local field, taken at {found.share:.0%}, {said}", error)


def _left(model: Model, fit: Points) -> FloatArray:
    return fit.moving_rc - model.moving_from_grid(fit.reference_rc)


def _with_fields(best: _Rung, found: Blend, shape: tuple[int, int]) -> list[FloatArray]:
    size = align_fit.scale_of(best.whole.matrix)
    places = _places(shape)
    return [
        model.moving_from_grid(places) + size * field.at(places)
        for model, field in zip(best.without, found.without, strict=True)
    ]


def _places(shape: tuple[int, int]) -> FloatArray:
    rows, cols = (np.linspace(0, n - 1, 9) for n in shape)
    return np.stack(np.meshgrid(rows, cols, indexing="ij"), -1).reshape(-1, 2)


def _at(model: Model, shape: tuple[int, int]) -> FloatArray:
    return model.moving_from_grid(_places(shape))


def _standard_error(maps: list[FloatArray], model: Model) -> float:
    """Median over the frame of the standard error, px, from fits without each block of points [1]_.

    References
    ----------
    .. [1] Künsch, "The jackknife and the bootstrap for general stationary observations", Annals of
           Statistics 17(3), 1989. :DOI:`10.1214/aos/1176347265`
    """
    apart = np.array(maps) - np.mean(maps, axis=0)
    variance = (len(maps) - 1) / len(maps) * (apart**2).sum((0, 2))
    return float(np.median(np.sqrt(variance)) / align_fit.scale_of(model.matrix))


def _folds(rc: FloatArray, shape: tuple[int, int]) -> npt.NDArray[np.int64]:
    """(N,) fold of each point: neighbours, which share pixels, mostly go together."""
    row, col = (rc * (FOLD_BLOCKS / max(shape))).astype(int).T
    return np.asarray((row + 2 * col) % FOLDS)


def _mean_and_error(fall: FloatArray) -> tuple[float, float]:
    return float(fall.mean()), float(fall.std(ddof=1) / np.sqrt(len(fall)))


def _too_few(consistent: int, kind: str) -> str:
    needed = align_fit.NEEDED[kind]
    return f"{consistent} consistent tie points are too few for {_a(kind)} ({needed} needed)"


def _a(kind: str) -> str:
    named = "local field" if kind == "local" else kind
    return f"an {named}" if named == "affine" else f"a {named}"
