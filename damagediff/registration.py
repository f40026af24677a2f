"""Co-registration over a scene: reduced pictures, judgement, then windows at full resolution."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from . import (
    align,
    align_fit,
    align_judge,
    align_lean,
    align_points,
    align_result,
    hand_points,
    resample,
    tiles,
)
from .align_candidates import Candidate
from .align_fields import Plane
from .align_judge import Refusal
from .align_models import Fitted
from .align_points import Measured, Model, Points, Site
from .feed import Feed
from .scene import Scene
from .settings import AlignSettings
from .types import Alignment, BoolArray, Evidence, FloatArray, Lean, Window

FIRST_LOOK = 16
"""Windows a side of the first look, on the reduced pictures."""
FIRST_SEARCH_PX = 16
"""Search of the first look, in reduced pixels: the coarse result and relief may be wrong by less."""
MUCH_SMALLER = 0.7
"""Share of the before image's pixels below which the after image is the one that is looked for."""
SEARCH_PX = 8
"""Search of the second look, at full resolution: what the first one's model may still be wrong by."""

DELIVERED_PX = 4.0
"""Radar: a smaller motion is not applied. Less than half a window of the log-ratio; on the two real pairs,
whose truth lies on the images as delivered, applying it costs .003 and .035 of AUC."""


def register(scene: Scene) -> tuple[Alignment, Model]:
    """Find, judge and refine the alignment of a pair.

    Returns
    -------
    (what is reported, the model to read the after image with; the best guess when refused)
    """
    pair, settings = scene.pair, scene.settings.align
    scene.progress("aligning", 0.0)
    hand = _marked(scene)
    reduced = _reduced(scene)
    coarse, matrix = _find(scene, reduced, hand)
    model = Model(coarse.model, matrix)
    why = align_judge.refusal(coarse.evidence, settings) or _too_far(scene, model)
    if why is not None:
        why = _mirrored(scene, reduced, coarse.evidence, why) or why
        return align_result.refused(coarse.evidence, matrix, why), model
    model = _first_look(scene, reduced, coarse, hand)
    found = _second_look(scene, model, hand)
    evidence = align.with_full(coarse.evidence, found.evident, found.fitted.model, SEARCH_PX)
    why = align_judge.disagreement(evidence, found.evident, found.fitted.model, found.unused, settings)
    if scene.settings.sensor == "sar" and hand is None:
        found = _as_delivered(found, pair.grid.shape)
    model = found.fitted.model
    why = _mirrored(scene, reduced, evidence, why or _too_far(scene, model))
    if why is not None:
        return align_result.refused(evidence, model.matrix, why, found.unused), model
    alignment = align_result.accepted(evidence, found.points, found.fitted, found.unused)
    share = align_points.supported_share(alignment.supported_rc, pair.grid.shape)
    return replace(alignment, supported_share=share), model


def _too_far(scene: Scene, model: Model) -> Refusal | None:
    """Whether the model moves the centre by more than was allowed."""
    moving = (np.array(_moving_shape(scene)) - 1) / 2 if scene.pair.moving_is_file else None
    return align_judge.too_far(model, (np.array(scene.pair.grid.shape) - 1) / 2, moving, scene.settings.align)


def _mirrored(scene: Scene, reduced: _Reduced, evidence: Evidence, why: Refusal | None) -> Refusal | None:
    """That one image is mirrored, where it is, in place of `why`, which a mirrored image may bring about."""
    if why is not None and not why.may_be_mirrored:
        return why
    rng = np.random.default_rng(scene.settings.seed)
    return align.mirrored(reduced.ref, reduced.mov, evidence, scene.settings.align, rng) or why


def _as_delivered(found: _Refined, shape: tuple[int, int]) -> _Refined:
    """No motion, where the model moves no corner of the frame by more than `DELIVERED_PX`."""
    rows, cols = shape[0] - 1.0, shape[1] - 1.0
    corners = np.array([[0, 0], [0, cols], [rows, 0], [rows, cols]])
    moved = np.hypot(*(found.fitted.model.moving_from_grid(corners) - corners).T).max()
    if moved > DELIVERED_PX:
        return found
    reason = (
        f"radar pairs come co-registered, and the tie points ask for {moved:.1f} px at most, "
        f"no more than speckle may ({DELIVERED_PX:g} px)"
    )
    return replace(found, fitted=Fitted(Model("none", np.eye(3)), reason, found.fitted.standard_error_px))


@dataclass(frozen=True)
class _Reduced:
    """Both pictures reduced, in their own frames, and full_from_reduced of each."""

    ref: Plane
    mov: Plane
    ref_scale: FloatArray
    mov_scale: FloatArray


def _reduced(scene: Scene) -> _Reduced:
    settings = scene.settings.align
    ref, ref_scale = _plane(scene.before, scene.pair.grid.shape, settings)
    usable = scene.areas.usable_reduced(int(ref_scale[0, 0]))
    if usable is not None:  # it is enough to leave a place out of the reference: nothing is looked up there
        ref = _without(ref, usable)
    mov, mov_scale = _plane(scene.after, _moving_shape(scene), settings)
    return _Reduced(ref, mov, ref_scale, mov_scale)


def _find(scene: Scene, reduced: _Reduced, hand: Points | None) -> tuple[align.Coarse, FloatArray]:
    """The coarse result, and its map at full resolution.

    The windows are the smaller picture's when the other one is much larger: it would hold few of them.
    """
    rng, settings = np.random.default_rng(scene.settings.seed), scene.settings.align
    settings = replace(settings, model=align.richest_allowed(settings, not scene.pair.moving_is_file))
    hints = [] if hand is None else _hints(hand, reduced)
    zoom = reduced.mov_scale[0, 0] / reduced.ref_scale[0, 0]
    sizes = np.prod(_moving_shape(scene)), np.prod(scene.pair.grid.shape)
    if sizes[0] < MUCH_SMALLER * sizes[1]:
        back = [replace(h, moving_from_reference=np.linalg.inv(h.moving_from_reference)) for h in hints]
        coarse = align.find(reduced.mov, reduced.ref, settings, rng, back, 1 / zoom)
        coarse = replace(coarse, moving_from_reference=np.linalg.inv(coarse.moving_from_reference))
    else:
        coarse = align.find(reduced.ref, reduced.mov, settings, rng, hints, zoom)
    matrix = reduced.mov_scale @ coarse.moving_from_reference @ np.linalg.inv(reduced.ref_scale)
    return coarse, matrix


def _marked(scene: Scene) -> Points | None:
    """The places marked by hand, on the grid and in the moving frame."""
    if scene.case.tie_points is None:
        return None
    hand = hand_points.read(scene.case.tie_points, scene.pair.before, scene.pair.after)
    before = scene.before.placement.frame_from_file(hand.before_rc)
    return align_points.marked(before, scene.after.placement.frame_from_file(hand.after_rc))


def _hints(hand: Points, reduced: _Reduced) -> list[Candidate]:
    """The similarity through the places marked by hand, in reduced pixels; none if it is absurd."""
    if not np.isfinite(hand.reference_rc).all() or not np.isfinite(hand.moving_rc).all():
        return []
    matrix = align_fit.least_squares("similarity", hand.reference_rc, hand.moving_rc, hand.weight)
    matrix = np.linalg.inv(reduced.mov_scale) @ matrix @ reduced.ref_scale
    if not align_fit.plausible(matrix, reduced.ref.shape):  # one that collapses has no inverse either
        return []
    return [Candidate("marked by hand", matrix)]


def _moving_shape(scene: Scene) -> tuple[int, int]:
    return scene.pair.after.shape if scene.pair.moving_is_file else scene.pair.grid.shape


def _plane(feed: Feed, shape: tuple[int, int], settings: AlignSettings) -> tuple[Plane, FloatArray]:
    """The reduced picture in its frame, and full_from_reduced."""
    factor = max(1, int(np.ceil(max(shape) / (2 * settings.coarse_px))))
    data, valid = feed.overview(factor, shape)
    half = (factor - 1) / 2
    return feed.plane(data, valid), np.array([[factor, 0, half], [0, factor, half], [0, 0, 1.0]])


def _searched(matrix: FloatArray, ref: tuple[int, int], mov: tuple[int, int]) -> Window:
    """Where windows are laid: on the overlap where it is much smaller than the frame, else on all of it."""
    overlap = align_fit.overlap(matrix, ref, mov)
    small = overlap.rows * overlap.cols < MUCH_SMALLER * ref[0] * ref[1]
    return overlap if small else Window(0, 0, *ref)


@dataclass(frozen=True)
class _Refined:
    fitted: Fitted
    points: Points
    """Those measured, and those marked by hand."""
    evident: Points
    """Those measured: what somebody marked is no evidence."""
    unused: dict[str, int]


def _first_look(scene: Scene, reduced: _Reduced, coarse: align.Coarse, hand: Points | None) -> Model:
    """Windows looked up on the reduced pictures, which are in memory, and the model they give."""
    ref, mov = reduced.ref, reduced.mov
    looked_with = Model(coarse.model, coarse.moving_from_reference)
    overlap = _searched(looked_with.matrix, ref.shape, mov.shape)
    sites = align_points.plan_sites(overlap, scene.settings.align, FIRST_LOOK)

    def planes(area: Window) -> tuple[Plane, Plane]:
        node_rc = looked_with.moving_from_grid(resample.nodes(area))
        grey, valid = resample.pull_quickly(mov.grey, mov.valid, node_rc, area)
        return _cut(ref, area), Plane(grey, valid)

    measured = _look_up(replace(scene, executor=scene.home), sites, planes, FIRST_SEARCH_PX)
    points = align_points.moved(
        align_points.collect(measured, looked_with), reduced.ref_scale, reduced.mov_scale
    )
    matrix = reduced.mov_scale @ coarse.moving_from_reference @ np.linalg.inv(reduced.ref_scale)
    return _refine(scene, Model(coarse.model, matrix), points, measured, hand).fitted.model


def _without(plane: Plane, usable: BoolArray) -> Plane:
    """A plane without what is not usable: as dark as nodata, so that no blur carries it out."""
    if usable.all():
        return plane
    return Plane(np.where(usable, plane.grey, np.float32(0)), plane.valid & usable)


def _cut(plane: Plane, area: Window) -> Plane:
    """A window of a plane; not valid beyond its edges."""
    grey, valid = np.zeros(area[2:], np.float32), np.zeros(area[2:], bool)
    top, left = max(area.row, 0), max(area.col, 0)
    bottom, right = min(area.row + area.rows, plane.shape[0]), min(area.col + area.cols, plane.shape[1])
    place = np.s_[top - area.row : bottom - area.row, left - area.col : right - area.col]
    grey[place], valid[place] = plane.grey[top:bottom, left:right], plane.valid[top:bottom, left:right]
    return Plane(grey, valid)


def _second_look(scene: Scene, model: Model, hand: Points | None) -> _Refined:
    """More windows at full resolution, looked up through `model`."""
    settings = scene.settings.align
    overlap = _searched(model.matrix, scene.pair.grid.shape, _moving_shape(scene))
    sites = align_points.plan_sites(overlap, settings, settings.windows_per_side)
    through = replace(scene, after=scene.after.aligned(model))
    measured = _look_up(scene, sites, partial(_planes, through), SEARCH_PX)
    return _refine(scene, model, align_points.collect(measured, model), measured, hand)


def _planes(scene: Scene, area: Window) -> tuple[Plane, Plane]:
    """Both images at full resolution on a window of the grid."""
    usable = scene.areas.usable(area)
    return (
        _without(scene.before.read_plane(area), usable),
        _without(scene.after.read_plane(area), usable),
    )


def _refine(
    scene: Scene, model: Model, points: Points, measured: list[Measured], hand: Points | None
) -> _Refined:
    """The model fitted anew to what was measured, and to the places marked by hand."""
    settings = scene.settings.align
    measured_points = points
    if hand is not None:
        points = align_points.together(points, hand)
    simplest = "similarity" if scene.pair.moving_is_file else "translation"
    fitted = align.fit(points, model, scene.pair.grid.shape, settings, simplest)
    return _Refined(fitted, points, measured_points, align_points.count_unused(measured))


def _look_up(
    scene: Scene,
    sites: tuple[Site, ...],
    planes: Callable[[Window], tuple[Plane, Plane]],
    search: int,
) -> list[Measured]:
    """Look up all sites; `planes` gives the reference and the moving image brought near it, on a window."""
    batches = align_points.batches(sites, search)
    work = partial(_looked_up, planes, search)
    found: list[Measured] = []
    for done, measured in enumerate(tiles.map_ordered(work, batches, scene.executor, ahead=8), start=1):
        found += measured
        scene.progress("aligning", done / len(batches))
    return found


def _looked_up(
    planes: Callable[[Window], tuple[Plane, Plane]], search: int, batch: tuple[Site, ...]
) -> list[Measured]:
    return align_points.look_up(batch, *planes(align_points.area_of(batch, search)), search)


def lean(scene: Scene) -> Lean | None:
    """Along which direction the pair's view angles displace what is tall; `scene.after` is aligned."""
    windows = align_lean.plan(scene.pair.grid.shape)
    found = tiles.map_ordered(partial(_surface, scene), windows, scene.executor, ahead=8)
    return align_lean.direction([surface for surface in found if surface is not None])


def _surface(scene: Scene, window: Window) -> FloatArray | None:
    area = window.padded(align_lean.CONTEXT_PX + align_lean.SEARCH_PX)
    return align_lean.surface(scene.before.read_plane(area), scene.after.read_plane(area))
