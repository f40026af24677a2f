"""Co-registration over a scene: reduced pictures, judgement, then windows at full resolution."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from . import align, align_fit, align_points, hand_points, tiles
from .align_candidates import Candidate
from .align_fields import Plane
from .align_points import Measured, Model, Points, Site
from .feed import Feed
from .scene import Scene
from .settings import AlignSettings
from .types import Alignment, FloatArray

FIRST_LOOK = 16
"""Windows a side of the first, sparse look, which may search far."""
SEARCH_PX = 8
"""Search of the second, dense look: what the first one's model may still be wrong by, relief included."""
MAX_SEARCH_PX = 48


def register(scene: Scene) -> tuple[Alignment, Model]:
    """Find, judge and refine the alignment of a pair.

    Returns
    -------
    (what is reported, the model to read the after image with; the best guess when refused)
    """
    pair, settings = scene.pair, scene.settings.align
    scene.progress("aligning", 0.0)
    hand = _marked(scene)
    coarse, matrix, reach = _find(scene, hand)
    model = Model(coarse.model, matrix)
    why = align.refusal(coarse, matrix, (np.array(pair.grid.shape) - 1) / 2, settings)
    if why is not None:
        return align.refused(coarse.evidence, matrix, why), model
    looks = (
        _Look(FIRST_LOOK, reach, settings.local),
        _Look(settings.windows_per_side, SEARCH_PX, settings.local),
    )
    for look in looks:
        found = _refine(scene, model, hand, look)
        model = found.model
    chance, why = align.disagreement(found.points, found.model, looks[-1].search)
    evidence = replace(coarse.evidence, log10_chance_full=chance)
    if why is not None:
        return align.refused(evidence, found.model.matrix, why), found.model
    alignment = align.accepted(evidence, found.points, found.model, found.reason, found.unused)
    share = align_points.supported_share(alignment.supported_rc, pair.grid.shape)
    return replace(alignment, supported_share=share), found.model


def _find(scene: Scene, hand: Points | None) -> tuple[align.Coarse, FloatArray, int]:
    """The coarse result, its map at full resolution, and how far a first look must search around it."""
    settings = scene.settings.align
    ref, ref_scale = _plane(scene.before, scene.pair.grid.shape, settings)
    mov, mov_scale = _plane(scene.after, _moving_shape(scene), settings)
    rng = np.random.default_rng(scene.settings.seed)
    hints = [] if hand is None else _hints(hand, ref_scale, mov_scale)
    coarse = align.find(ref, mov, settings, rng, hints)
    matrix = mov_scale @ coarse.moving_from_reference @ np.linalg.inv(ref_scale)
    reach = np.clip(np.ceil(align.AGREE_PX * ref_scale[0, 0] * 1.5), 2 * SEARCH_PX, MAX_SEARCH_PX)
    return coarse, matrix, int(reach)


def _marked(scene: Scene) -> Points | None:
    """The places marked by hand, on the grid and in the moving frame."""
    if scene.case.tie_points is None:
        return None
    hand = hand_points.read(scene.case.tie_points, scene.pair.before, scene.pair.after)
    before = scene.before.placement.frame_from_file(hand.before_rc)
    return align_points.marked(before, scene.after.placement.frame_from_file(hand.after_rc))


def _hints(hand: Points, ref_scale: FloatArray, mov_scale: FloatArray) -> list[Candidate]:
    """The similarity through the places marked by hand, in pixels of the reduced planes."""
    matrix = align_fit.least_squares("similarity", hand.reference_rc, hand.moving_rc, hand.weight)
    return [Candidate("marked by hand", np.linalg.inv(mov_scale) @ matrix @ ref_scale)]


def _moving_shape(scene: Scene) -> tuple[int, int]:
    return scene.pair.after.shape if scene.pair.moving_is_file else scene.pair.grid.shape


def _plane(feed: Feed, shape: tuple[int, int], settings: AlignSettings) -> tuple[Plane, FloatArray]:
    """The reduced picture in its frame, and full_from_reduced."""
    factor = max(1, int(np.ceil(max(shape) / (2 * settings.coarse_px))))
    data, valid = feed.overview(factor, shape)
    half = (factor - 1) / 2
    return feed.plane(data, valid), np.array([[factor, 0, half], [0, factor, half], [0, 0, 1.0]])


@dataclass(frozen=True)
class _Look:
    """How windows are looked up: how many a side, how far, and whether a local field may follow."""

    per_side: int
    search: int
    local: bool


@dataclass(frozen=True)
class _Refined:
    model: Model
    reason: str
    points: Points
    unused: dict[str, int]


def _refine(scene: Scene, model: Model, hand: Points | None, look: _Look) -> _Refined:
    """Look windows up through `model`, and fit it anew to what they say."""
    shape, settings = scene.pair.grid.shape, scene.settings.align
    sites = align_points.plan_sites(shape, settings, look.per_side)
    measured = _look(scene, model, sites, look.search)
    points = align_points.collect(measured, model)
    if hand is not None:
        points = align_points.together(points, hand)
    fitted, reason = align.fit(points, model, shape, settings, look.local)
    return _Refined(fitted, reason, points, align_points.count_unused(measured))


def _look(scene: Scene, model: Model, sites: tuple[Site, ...], search: int) -> list[Measured]:
    before, after = scene.before, scene.after.aligned(model)
    batches = align_points.batches(sites)

    def one(batch: tuple[Site, ...]) -> list[Measured]:
        area = align_points.area_of(batch, search)
        return align_points.look_up(batch, before.read_plane(area), after.read_plane(area), search)

    found: list[Measured] = []
    for done, measured in enumerate(tiles.map_ordered(one, batches, scene.executor, ahead=8), start=1):
        found += measured
        scene.progress("aligning", done / len(batches))
    return found
