"""Co-registration over a scene: reduced pictures, judgement, then windows at full resolution."""

from __future__ import annotations

import numpy as np

from . import align, align_points, tiles
from .align_fields import Plane
from .align_points import Measured, Model, Site
from .feed import Feed
from .scene import Scene
from .settings import AlignSettings
from .types import Alignment, FloatArray

FIRST_LOOK = 12
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
    ref, ref_scale = _plane(scene.before, pair.grid.shape, settings)
    mov, mov_scale = _plane(scene.after, _moving_shape(scene), settings)
    coarse = align.find(ref, mov, settings, np.random.default_rng(scene.settings.seed))
    matrix = mov_scale @ coarse.moving_from_reference @ np.linalg.inv(ref_scale)
    model = Model(coarse.model, matrix)
    why = align.refusal(coarse, matrix, (np.array(pair.grid.shape) - 1) / 2, settings)
    if why is not None:
        return align.refused(coarse, matrix, why), model
    reach = np.clip(np.ceil(align.AGREE_PX * ref_scale[0, 0] * 1.5), 2 * SEARCH_PX, MAX_SEARCH_PX)
    model, _, _, _ = _refine(scene, model, FIRST_LOOK, int(reach), local=False)
    model, reason, points, unused = _refine(
        scene, model, settings.windows_per_side, SEARCH_PX, local=settings.model in ("auto", "local")
    )
    return align.accepted(coarse, points, model, reason, unused), model


def _moving_shape(scene: Scene) -> tuple[int, int]:
    return scene.pair.after.shape if scene.pair.moving_is_file else scene.pair.grid.shape


def _plane(feed: Feed, shape: tuple[int, int], settings: AlignSettings) -> tuple[Plane, FloatArray]:
    """The reduced picture in its frame, and full_from_reduced."""
    factor = max(1, int(np.ceil(max(shape) / (2 * settings.coarse_px))))
    data, valid = feed.overview(factor, shape)
    half = (factor - 1) / 2
    return feed.plane(data, valid), np.array([[factor, 0, half], [0, factor, half], [0, 0, 1.0]])


def _refine(
    scene: Scene, model: Model, per_side: int, search: int, local: bool
) -> tuple[Model, str, align_points.Points, dict[str, int]]:
    """Look windows up through `model`, and fit it anew to what they say."""
    shape, settings = scene.pair.grid.shape, scene.settings.align
    measured = _look(scene, model, align_points.plan_sites(shape, settings, per_side), search)
    points = align_points.collect(measured, model)
    fitted, reason = align.fit(points, model, shape, settings, local)
    return fitted, reason, points, align_points.count_unused(measured)


def _look(scene: Scene, model: Model, sites: tuple[Site, ...], search: int) -> list[Measured]:
    before, after = scene.before, scene.after.aligned(model)
    batches = align_points.batches(sites)

    def one(batch: tuple[Site, ...]) -> list[Measured]:
        area = align_points.area_of(batch, search)
        ref, near = before.plane(*before.read(area)), after.plane(*after.read(area))
        return align_points.look_up(batch, ref, near, search)

    found: list[Measured] = []
    for done, measured in enumerate(tiles.map_ordered(one, batches, scene.executor, ahead=8), start=1):
        found += measured
        scene.progress("aligning", done / len(batches))
    return found
