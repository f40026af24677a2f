"""Co-registration: candidates, one vote, refinement, evidence; then tie points at full resolution.

The story, in the order in which `pipeline` calls it:

1. `find` looks at both images reduced: rough candidates from several ways (`align_candidates`), one vote
   over small windows for all of them, refinement of the best two, and the evidence by which the result is
   accepted or refused. A small residual is not evidence: a wrong alignment on few windows has one too.
2. `align_points` looks windows up at full resolution, brought near by what is known so far.
3. `fit` takes the model that tie points left out of it support (`align_models`), up to a smooth local field.

Everything maps the reference (before, on the working grid) to the moving frame (after) and acts on
(row, col, 1). See docs/method.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, get_args

import cv2
import numpy as np

from . import align_candidates, align_fields, align_fit, align_judge, align_models, align_points, align_rival
from .align_candidates import Candidate
from .align_fields import Matches, Plane
from .align_judge import Refusal
from .align_models import Fitted
from .align_points import Model, Points
from .settings import AlignSettings
from .types import BoolArray, Evidence, FloatArray

AGREE_PX = 3.0
"""Windows agree when they lie within this of one map, at the resolution at which they are compared."""
VOTE_PX = 512
"""Longest side of the images on which candidates are voted on."""
SURE = -14.0
"""A vote with a log10 chance below this makes the search over all rotations unnecessary."""
BEYOND_MIRRORS = 30.0
"""Evidence that no picture has with the mirror image of its place."""
MIRRORED = -8.0
"""A vote with a log10 chance below this says that a picture is mirrored, if it says more than as it is."""
RIVAL_COST = 6.0
"""Evidence that another position takes away which explains the pair as well; a share of it for a share."""
CERTAIN = -30.0
"""A vote with a log10 chance below this needs no second candidate, and no costlier way to find one."""
OBVIOUS = -80.0
"""A vote with a log10 chance below this (half of all windows agree) needs no wide search to be refined."""
RIVAL_PX = 48
"""How far another position is sought that explains the pair as well."""
GlobalModel = Literal["translation", "similarity", "affine", "homography"]
LADDER: tuple[GlobalModel, ...] = get_args(GlobalModel)


@dataclass(frozen=True)
class Coarse:
    """What the reduced images say."""

    moving_from_reference: FloatArray
    """(3, 3) in pixels of the two planes given."""
    evidence: Evidence
    model: str
    origin: str
    """Which candidate it grew from."""


@dataclass(frozen=True)
class _Bench:
    """Both planes at one working resolution, with the reference's fields computed once."""

    ref: Plane
    mov: Plane
    fields: tuple[FloatArray, FloatArray]
    small_from_full_ref: FloatArray
    small_from_full_mov: FloatArray
    side: int
    """Window side, px."""
    zoom: float = 1.0
    """How many times more the moving image was reduced than the reference."""

    def small(self, matrix: FloatArray) -> FloatArray:
        """A full-resolution map in this bench's pixels."""
        return self.small_from_full_mov @ matrix @ np.linalg.inv(self.small_from_full_ref)

    def full(self, matrix: FloatArray) -> FloatArray:
        """A map in this bench's pixels at full resolution."""
        return np.linalg.inv(self.small_from_full_mov) @ matrix @ self.small_from_full_ref

    def match(self, matrix: FloatArray, search: int, step: int) -> Matches:
        """Windows of the reference looked up in the moving plane as `matrix` (bench pixels) brings it."""
        near = align_fields.warp(self.mov, matrix, self.ref.shape)
        windows = align_fields.lattice(self.ref.valid, near.valid, self.side, step)
        if not windows:
            return align_fields.NO_MATCHES
        return align_fields.match_windows(self.fields, align_fields.structure_field(near), windows, search)


def _bench(ref: Plane, mov: Plane, side_px: int, zoom: float) -> _Bench:
    scale = min(1.0, side_px / max(ref.shape))
    small_ref, small_mov = align_fields.shrink(ref, scale), align_fields.shrink(mov, scale)
    side = int(np.clip(round(np.sqrt(small_ref.grey.size) / 44) * 4, 32, 64))
    return _Bench(
        small_ref,
        small_mov,
        align_fields.structure_field(small_ref),
        align_fields.scaling(small_ref, ref),
        align_fields.scaling(small_mov, mov),
        side,
        zoom,
    )


def find(
    ref: Plane,
    mov: Plane,
    settings: AlignSettings,
    rng: np.random.Generator,
    hints: list[Candidate] | None = None,
    zoom: float = 1.0,
) -> Coarse:
    """Find the map between two planes, and the evidence for it.

    Parameters
    ----------
    ref, mov : Plane
        Reference and moving image, at any size; pixels of the returned map are theirs.
    settings : AlignSettings
        Reads ``coarse_px``, the limits of evidence, and ``model``: no map is richer than that. (A similarity
        at least is tried: without one, turned pictures would not be found at all.)
    rng : numpy.random.Generator
        Draws hypotheses for the consensus: the same state, the same answer.
    hints : list of Candidate, optional
        Maps somebody proposes; they stand for election like all others.
    zoom : float
        How many times more the moving image was reduced than the reference, to know a true change of scale.

    Returns
    -------
    Coarse
        The best map whatever its evidence; `align_judge` says whether it may be used.
    """
    bench = _bench(ref, mov, min(VOTE_PX, settings.coarse_px), zoom)
    ranked: list[tuple[float, Candidate]] = []
    for limit, proposed in _ways(ref, mov, hints or []):
        if ranked and ranked[0][0] < limit:
            continue
        voted = [vote(bench, candidate, rng) for candidate in proposed()]
        ranked = sorted(ranked + voted, key=lambda item: item[0])
    fine = _bench(ref, mov, settings.coarse_px, zoom)
    certain = ranked[0][0] < CERTAIN
    searches = (16, 8) if ranked[0][0] < OBVIOUS else (max(16, fine.side // 2), 12, 8)
    stand = ranked[: 1 if certain else 2]
    refined = [_refine(fine, c, searches, settings, rng) for chance, c in stand if chance < 0]
    best = max(refined, key=lambda r: r.evidence.score, default=_nothing(settings))
    if best.evidence.score < best.evidence.limit - align_judge.PROMISE:
        return best
    far = align_rival.elsewhere(ref, mov, best.moving_from_reference)
    return replace(best, evidence=replace(best.evidence, rival_far=far))


def _ways(
    ref: Plane, mov: Plane, hints: list[Candidate]
) -> tuple[tuple[float, Callable[[], list[Candidate]]], ...]:
    """Ways to candidates, cheap to costly, each with the vote below which it is not needed any more."""

    def correlated(rotations_deg: FloatArray, scales: FloatArray, side_px: int, most: int) -> list[Candidate]:
        return align_candidates.correlation(ref, mov, rotations_deg, scales, side_px, most)

    return (
        (CERTAIN, lambda: hints + align_candidates.identity(ref, mov)),
        (CERTAIN, lambda: correlated(np.arange(-4.0, 5, 2), np.array([0.95, 1, 1.05]), 192, 2)),
        (CERTAIN, lambda: align_candidates.keypoints(ref, mov)),
        (SURE, lambda: correlated(np.arange(0.0, 360, 4), 1.12 ** np.arange(-6.0, 7), 112, 6)),
    )


def _nothing(settings: AlignSettings) -> Coarse:
    return Coarse(np.eye(3), Evidence(0.0, 0.0, 0.0, 0, 0, 0.0, settings.evidence_limit), "none", "none")


def vote(bench: _Bench, candidate: Candidate, rng: np.random.Generator) -> tuple[float, Candidate]:
    """How surprising it would be that so many windows agree if the images had nothing in common.

    Returns
    -------
    (log10 of the chance, the candidate improved by the windows that agree)
    """
    if not align_fit.plausible(candidate.moving_from_reference, bench.ref.shape):
        return 0.0, candidate
    matrix = bench.small(candidate.moving_from_reference)
    search = bench.side // 2
    matches = bench.match(matrix, search, bench.side)
    if len(matches) < 4:
        return 0.0, candidate
    p, q = matches.centre_rc, matches.centre_rc + matches.displacement_rc
    agreeing, correction = align_fit.consensus(p, q, matches.distinct.astype(float), AGREE_PX, rng)
    chance = _log10_chance(round(agreeing), len(matches), AGREE_PX, search)
    return chance, Candidate(candidate.origin, bench.full(matrix @ correction))


def _log10_chance(agreeing: int, windows: int, radius: float, search: int) -> float:
    """log10 of the binomial chance that unrelated windows agree within `radius` as often or more."""
    if not agreeing or not windows:
        return 0.0
    single = np.pi * radius**2 / (2 * search + 1) ** 2
    return log10_binomial_tail(agreeing, windows, single)


def log10_binomial_tail(least: int, trials: int, single: float) -> float:
    """log10 of the probability of `least` or more successes; its terms are summed as logarithms.

    So it stays exact where the probability itself is too small for a float.
    """
    log_factorial = np.array([math.lgamma(n + 1) for n in range(trials + 1)])
    k = np.arange(least, trials + 1)
    ways = log_factorial[trials] - log_factorial[k] - log_factorial[trials - k]
    terms = ways + k * math.log(single) + (trials - k) * math.log1p(-single)
    return min(0.0, float(np.logaddexp.reduce(terms)) / math.log(10))


def _refine(
    bench: _Bench,
    candidate: Candidate,
    searches: tuple[int, ...],
    settings: AlignSettings,
    rng: np.random.Generator,
) -> Coarse:
    """Re-match and re-fit with a shrinking search, then weigh the evidence."""
    richest = _sought(settings)[-1]
    matrix, model = (
        align_fit.reduced(richest, bench.small(candidate.moving_from_reference), bench.ref.shape),
        "none",
    )
    for search in searches:
        found = _refit(bench, matrix, search, settings, rng)
        if found is None or not align_fit.plausible(found[1], bench.ref.shape):
            break
        model, matrix = found
    evidence = _weigh(bench, matrix, settings)
    return Coarse(bench.full(matrix), evidence, model, candidate.origin)


def _refit(
    bench: _Bench, matrix: FloatArray, search: int, settings: AlignSettings, rng: np.random.Generator
) -> tuple[str, FloatArray] | None:
    matches = bench.match(matrix, search, round(bench.side * 0.75))
    held_out = _lattice_quarter(matches.centre_rc)
    weight = np.clip(1.02 - matches.ambiguity, 0.02, 0.5) * matches.distinct
    use = ~held_out & (weight > 0)
    if len(matches) < 6 or use.sum() < 4:
        return None
    p = matches.centre_rc[use]
    near = p + matches.displacement_rc[use]
    _, correction = align_fit.consensus(p, near, np.ones(len(p)), AGREE_PX, rng)
    start = matrix @ correction
    q = align_fit.apply(matrix, near)
    return _choose_global(p, q, weight[use], start, bench.ref.shape, _sought(settings))


def _sought(settings: AlignSettings) -> tuple[str, ...]:
    """Models that may be found on the reduced images: up to the one allowed, a similarity at least."""
    richest = max(LADDER.index(richest_allowed(settings, georeferenced=False)), LADDER.index("similarity"))
    return LADDER[: richest + 1]


def _choose_global(
    p: FloatArray,
    q: FloatArray,
    weight: FloatArray,
    start: FloatArray,
    shape: tuple[int, int],
    ladder: tuple[str, ...],
) -> tuple[str, FloatArray]:
    """The simplest model that a 5-fold cross-validation does not improve on by 8 %."""
    size = align_fit.scale_of(start)
    consistent = int((np.hypot(*(align_fit.apply(start, p) - q).T) < (AGREE_PX + 1) * size).sum())
    folds = (np.arange(len(p)) * 7) % 5
    best, gain = ("similarity", start), -np.inf
    for model in ladder:
        if consistent < align_fit.NEEDED[model] or (model == "translation" and not _upright(start, shape)):
            continue
        begin = _as_translation(p, q, start) if model == "translation" else start
        error = np.zeros(len(p))
        for fold in range(5):
            rest = folds != fold
            trial = align_fit.robust(model, p[rest], q[rest], weight[rest], begin, 6 * size)
            error[~rest] = np.hypot(*(align_fit.apply(trial, p[~rest]) - q[~rest]).T) / size
        explained = AGREE_PX - float(np.minimum(error, AGREE_PX).mean())
        if explained > 1.08 * gain + 0.02:
            best, gain = (model, align_fit.robust(model, p, q, weight, begin, 6 * size)), explained
    return best


def _upright(matrix: FloatArray, shape: tuple[int, int]) -> bool:
    """Whether a map is near enough to a pure shift for a translation to be tried."""
    corners = np.array([[0, 0], [0, shape[1]], [shape[0], 0], list(shape)], float)
    return bool(np.ptp(align_fit.apply(matrix, corners) - corners, axis=0).max() < 0.06 * max(shape))


def _as_translation(p: FloatArray, q: FloatArray, start: FloatArray) -> FloatArray:
    near = np.hypot(*(align_fit.apply(start, p) - q).T) < AGREE_PX + 1
    shift = np.median((q - p)[near] if near.any() else q - p, axis=0)
    return np.array([[1, 0, shift[0]], [0, 1, shift[1]], [0, 0, 1.0]])


def _lattice_quarter(centre_rc: FloatArray) -> BoolArray:
    """Every fourth place of a lattice, the same whatever was found there: these are held out."""
    row, col = (np.searchsorted(np.unique(c), c) for c in centre_rc.T)
    return np.asarray((col + 2 * row) % 4 == 0)


def _weigh(bench: _Bench, matrix: FloatArray, settings: AlignSettings, search: int = 12) -> Evidence:
    everywhere = bench.match(matrix, RIVAL_PX, bench.side)
    matches = align_fields.within(everywhere, bench.side, search)
    turned = (
        abs(align_fit.rotation_deg(matrix)) > 6 or abs(np.log(align_fit.scale_of(matrix) * bench.zoom)) > 0.12
    )
    limit = settings.evidence_limit_turned if turned else settings.evidence_limit
    if len(matches) < 4:
        return Evidence(0.0, 0.0, 0.0, len(matches), 0, 0.0, limit)
    agree = (np.hypot(*matches.displacement_rc.T) < AGREE_PX) & matches.distinct
    chance = _log10_chance(int(agree.sum()), len(matches), AGREE_PX, search)
    height, offset = _stacked_peak(bench, matrix)
    rival = _rival(everywhere)
    stack = max(0.0, height - 5) if offset <= AGREE_PX else 0.0
    score = -chance + stack - RIVAL_COST * min(rival, 1.0)
    coverage = _coverage(matches.centre_rc, agree, bench.ref.shape)
    return Evidence(chance, height, coverage, len(matches), int(agree.sum()), score, limit, rival=rival)


def _mean_surface(matches: Matches, search: int) -> tuple[FloatArray, FloatArray]:
    """Mean correlation surface of all windows, a little smoothed, and the length of each lag."""
    row, col = np.mgrid[-search : search + 1, -search : search + 1]
    if len(matches) < 2:
        return np.zeros(row.shape), np.hypot(row, col)
    mean = (matches.surfaces - matches.surfaces.mean((1, 2), keepdims=True)).mean(0)
    return cv2.GaussianBlur(mean.astype(np.float32), (0, 0), 1.2), np.hypot(row, col)


def _rival(everywhere: Matches) -> float:
    """How well another position explains the pair, against this one: about 1 on a lattice of like houses."""
    mean, lag = _mean_surface(everywhere, RIVAL_PX)
    here = float(mean[lag <= AGREE_PX].max())
    return float(mean[lag > 8].max()) / here if here > 0 else 1.0


def _stacked_peak(bench: _Bench, matrix: FloatArray, search: int = 24) -> tuple[float, float]:
    """Height of the mean surface near zero lag, in standard deviations of far lags, and its peak's lag."""
    mean, lag = _mean_surface(bench.match(matrix, search, round(bench.side * 0.75)), search)
    far = mean[lag > 8]
    height = (mean[lag <= AGREE_PX].max() - far.mean()) / (far.std() + 1e-9)
    return float(height), float(lag.flat[int(mean.argmax())])


def _coverage(centre_rc: FloatArray, agree: BoolArray, shape: tuple[int, int]) -> float:
    """Share of the cells of a 4 x 4 grid that hold windows in which a fifth of them agree."""
    cell = np.clip((centre_rc * 4 / np.array(shape)).astype(int), 0, 3)
    held, agreeing = np.zeros((4, 4)), np.zeros((4, 4))
    np.add.at(held, tuple(cell.T), 1)
    np.add.at(agreeing, tuple(cell.T), agree)
    good = (held > 0) & (agreeing >= np.maximum(1, held * 0.2))
    return float(good.sum() / max(1, (held > 0).sum()))


def fit(
    points: Points, model: Model, shape: tuple[int, int], settings: AlignSettings, simplest: str
) -> Fitted:
    """The model that tie points left out of the fit support, starting from the map so far.

    Parameters
    ----------
    points : Points
        Of `align_points.collect`.
    shape : (rows, cols)
        Of the working grid.
    settings : AlignSettings
        Reads ``model`` and ``local``.
    simplest : str
        Where the ladder begins: ``translation`` when georeferences already say how the images are turned
        and scaled, else ``similarity``. (A translation between pictures without georeference would claim to
        know that; it is taken only when there are too few points for more.)
    """
    ladder = _ladder(settings, simplest)
    if (~points.check).sum() < align_fit.NEEDED["similarity"]:
        few = f"{len(points.check)} tie points at full resolution are too few to refine the model"
        if model.kind in LADDER[LADDER.index(ladder[-1]) + 1 :]:
            model = Model(ladder[-1], align_fit.reduced(ladder[-1], model.matrix, shape))
        return Fitted(model, few, None)
    return align_models.choose(points, model, shape, ladder, settings.local)


def _ladder(settings: AlignSettings, simplest: str) -> tuple[str, ...]:
    """Global models that may be tried, simple to rich."""
    last = LADDER.index(richest_allowed(settings, simplest == "translation")) + 1
    return LADDER[min(LADDER.index(simplest), last - 1) : last]


def richest_allowed(settings: AlignSettings, georeferenced: bool) -> GlobalModel:
    """The richest global model: the one asked for, else a homography only where no georeference denies it."""
    if settings.model != "auto":
        return settings.model
    return "affine" if georeferenced else "homography"


def with_full(evidence: Evidence, points: Points, model: Model, search: int) -> Evidence:
    """The evidence with what the tie points at full resolution add: the chance that as many agree at random.

    Their windows overlap by half in each direction, so a quarter of its logarithm counts.
    """
    agreeing = int((align_points.residuals(model, points) <= align_points.GROSS_PX).sum())
    chance = _log10_chance(agreeing, len(points.check), align_points.GROSS_PX, search)
    return replace(evidence, log10_chance_full=chance, score=evidence.score - chance / 4)


def mirrored(
    ref: Plane, mov: Plane, evidence: Evidence, settings: AlignSettings, rng: np.random.Generator
) -> Refusal | None:
    """Why the pair must be refused when one image is the mirror image of the other; else None.

    A street in the middle of a picture agrees with its own mirror image, so pairs that would be accepted are
    asked too. Not asked where the evidence leaves no room for it.
    """
    if evidence.score >= BEYOND_MIRRORS:
        return None
    for axis, how in ((1, "left to right"), (0, "top to bottom")):
        turned = Plane(
            np.ascontiguousarray(np.flip(mov.grey, axis)), np.ascontiguousarray(np.flip(mov.valid, axis))
        )
        bench = _bench(ref, turned, min(VOTE_PX, settings.coarse_px), 1.0)
        chance = min(vote(bench, c, rng)[0] for c in align_candidates.identity(ref, turned))
        if chance < min(MIRRORED, evidence.log10_chance):
            return Refusal(
                f"the images agree better when the after image is mirrored {how}", "Turn it back first"
            )
    return None
