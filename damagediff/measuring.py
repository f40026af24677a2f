"""What is learnt and measured of an aligned pair, window by window: shared by the run and its self-tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from . import diff, filling, radar, raster, reference_measures, resample, tiles
from .diff import Measures, Radiometry
from .errors import InputError
from .reference_measures import Reference
from .scene import Scene
from .types import BoolArray, ByteArray, FloatArray, Image, Lean, Window

OVERVIEW_PX = 1024
"""Longest side of the aligned overviews that radiometry is learnt from."""
RADAR_LOOK_PX = 256
MAX_COLOUR = 0.02
"""Of a picture's range, by which its bands may differ in the mean and still be one band three times."""


def check_one_band(image: Image) -> None:
    """Refuse a picture in colour as radar: its grey is no backscatter."""
    colours = ("red", "green", "blue")
    if not set(colours) <= set(image.roles):
        return
    with raster.Reader(image, colours) as reader:
        data, valid, _ = reader.read_reduced(RADAR_LOOK_PX)
    seen = data[:, valid]
    if seen.size and np.ptp(seen, axis=0).mean() > MAX_COLOUR * np.ptp(seen):
        raise InputError(
            f"{image.name}: in colour, so no radar backscatter. Leave out --sensor sar, or give the band"
        )


def learn(scene: Scene) -> tuple[Radiometry, Reference | None]:
    """What is learnt from the whole scene reduced: radiometry, and the measure if a reference is chosen."""
    shape = scene.pair.grid.shape
    factor = max(1, -(-max(shape) // OVERVIEW_PX))
    before, before_valid = scene.before.overview(factor, shape)
    after, after_valid = scene.after.overview(factor, shape)
    both = before_valid & after_valid
    usable = scene.areas.usable_reduced(factor)
    both = both if usable is None else both & usable
    if not both.any():
        raise InputError(
            f"{scene.pair.before.name} and {scene.pair.after.name}: no pixel is valid in both. "
            "Check nodata, alpha, the extents and what was excluded"
        )
    if scene.settings.sensor == "sar":
        first, second = (
            np.dtype(image.dtype).kind in "iu" for image in (scene.pair.before, scene.pair.after)
        )
        return radar.log_coded(before, after, both, (first, second), scene.settings.radar)
    radiometry = diff.fit_radiometry(before, after, both, scene.pair.roles)
    prepare = reference_measures.PREPARE.get(scene.settings.diff.measure)
    if prepare is None:
        return radiometry, None
    return radiometry, prepare(radiometry.before_8bit(before), radiometry.after_8bit(after), both)


def read_pair(scene: Scene, window: Window) -> tuple[FloatArray, FloatArray, BoolArray, BoolArray]:
    """Both images on a window of the grid, mirrored at its edges; each with its validity."""
    before, before_valid = scene.before.read_mirrored(window, scene.pair.grid.shape)
    after, after_valid = scene.after.read_mirrored(window, scene.pair.grid.shape)
    return before, after, before_valid, after_valid


Learnt = tuple[Radiometry, Reference | None]
"""Of `learn`."""


def parts(scene: Scene, cores: Sequence[Window], learnt: Learnt, lean: Lean | None) -> Iterator[Measures]:
    """The measures of some windows of the grid, each as `part` gives it, in their order."""
    return tiles.map_ordered(partial(_part, scene, learnt, lean), cores, scene.executor, ahead=16)


def _part(scene: Scene, learnt: Learnt, lean: Lean | None, core: Window) -> Measures:
    return part(scene, core, learnt, lean)


def part(scene: Scene, core: Window, learnt: Learnt, lean: Lean | None) -> Measures:
    """The measures of a window of the grid, bit for bit those of the one pass over the scene.

    Parameters
    ----------
    core : Window
        Its origin in whole cells.
    learnt : (Radiometry, Reference or None)
        Of `learn`.
    """
    before, after, before_valid, after_valid = read_pair(scene, core.padded(diff.halo(lean)))
    both = learnt[0].before_8bit(before), learnt[0].after_8bit(after)
    return measured(scene, core, both, before_valid & after_valid, (learnt[1], lean))


def measured(
    scene: Scene,
    core: Window,
    both: tuple[ByteArray, ByteArray],
    valid: BoolArray,
    by: tuple[Reference | None, Lean | None],
) -> Measures:
    """The measures of pictures that were read; what is drawn over either is filled for its neighbours' sake.

    Parameters
    ----------
    core : Window
        Of the grid.
    both : (before, after), each (bands, rows, cols) uint8
        Of `Radiometry`, on the core with `diff.halo` of the lean around it.
    valid : (rows, cols) bool
        Where both pictures may be used.
    by : (Reference or None, Lean or None)
    """
    reference, lean = by
    halo = diff.halo(lean)
    window, roles = core.padded(halo), scene.pair.roles
    usable = scene.areas.usable(window)
    hidden = None if scene.filling is None else _hidden(scene, window) & ~valid
    if scene.filling is None or hidden is None or not hidden.any():
        return diff.measure(*both, valid & usable, roles, lean, reference)
    shape = scene.pair.grid.shape
    at_rc = (
        resample.mirrored(window.row, window.rows, shape[0]),
        resample.mirrored(window.col, window.cols, shape[1]),
    )
    filled = scene.filling.put(both, hidden, at_rc)
    found = diff.measure(*filled, (valid | hidden) & usable, roles, lean, reference)
    return filling.without_hidden(found, hidden, halo)


def _hidden(scene: Scene, window: Window) -> BoolArray:
    """Pixels of which both pictures would have something, were nothing drawn over them."""
    bare = [
        feed.bare().read_mirrored(window, scene.pair.grid.shape)[1] for feed in (scene.before, scene.after)
    ]
    return bare[0] & bare[1]


def with_filling(scene: Scene, radiometry: Radiometry) -> Scene:
    """The scene with what is to stand in place of graphics, where there are any."""
    feeds = scene.before, scene.after
    if all(feed.reduced.drawn is None or not feed.reduced.drawn.any() for feed in feeds):
        return scene
    factor = max(1, -(-max(scene.pair.grid.shape) // OVERVIEW_PX))
    (before, first), (after, second) = (feed.overview(factor, scene.pair.grid.shape) for feed in feeds)
    if not (first & second).any():
        return scene
    return replace(scene, filling=filling.learn((before, after), first & second, factor, radiometry))


def ceiling(scene: Scene, radiometry: Radiometry, reference: Reference | None) -> list[Measures]:
    """The measures where the two images show unrelated content."""
    windows = diff.ceiling_windows(scene.pair.grid.shape, scene.settings.seed)
    work = partial(_unrelated, scene, radiometry, reference)
    return list(tiles.map_ordered(work, windows, scene.executor, ahead=8))


def _unrelated(
    scene: Scene, radiometry: Radiometry, reference: Reference | None, pair: tuple[Window, Window]
) -> Measures:
    """The measures of one window of the before image against another window of the after image."""
    before, before_valid = scene.before.read(pair[0])
    after, after_valid = scene.after.read(pair[1])
    return diff.measure(
        radiometry.before_8bit(before),
        radiometry.after_8bit(after),
        before_valid & after_valid & scene.areas.usable(pair[0]) & scene.areas.usable(pair[1]),
        scene.pair.roles,
        reference=reference,
    )
