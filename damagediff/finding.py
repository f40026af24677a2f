"""From measures to change and regions, at the threshold of the settings and at some beside it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from . import analysed, cells, diff, radar, regions, summary, tiles
from .cells import Maps, Measures
from .radiometry import Radiometry
from .scene import Scene
from .types import (
    NO_CHANGE,
    NOT_ANALYSED,
    OTHER_CHANGE,
    STRUCTURAL_CHANGE,
    BoolArray,
    ChangeMap,
    Region,
    Window,
)

SENSITIVITY = (0.8, 1.0, 1.2)
"""Multiples of the threshold at which the result is counted again, where the score reaches so high."""

Scale = diff.Calibration | list[Measures]
"""What the measures are held against; of a radar pair, the measures of unrelated content."""


def find(
    scene: Scene, measures: Maps, scale: Scale, radiometry: Radiometry
) -> tuple[ChangeMap, tuple[Region, ...]]:
    """The change map and its regions, at the threshold of the scene's settings."""
    change, measures = _change(scene, measures, scale)
    return _without_lean(scene, change, regions.find(change, measures, scene.pair.grid), radiometry)


def find_at(
    scene: Scene, measures: Maps, scale: Scale, radiometry: Radiometry, where: BoolArray
) -> ChangeMap:
    """The same change map with only the regions that touch `where`, (rows, cols) on cells."""
    change, measures = _change(scene, measures, scale)
    changed = change.changed.copy()
    for code in (STRUCTURAL_CHANGE, OTHER_CHANGE):
        labels, count = cells.components(changed == code)
        left = np.bincount(labels[where], minlength=count + 1) == 0
        left[0] = False
        changed[cells.look_up(left, labels)] = NO_CHANGE
    change = replace(change, changed=changed)
    return _without_lean(scene, change, regions.find(change, measures, scene.pair.grid), radiometry)[0]


def _change(scene: Scene, measures: Maps, scale: Scale) -> tuple[ChangeMap, Maps]:
    """The change map before anything leans, and the measures that its regions are flagged by."""
    on, settings = scene.pair.grid, scene.settings
    if isinstance(scale, list):
        least_px, rule = diff.min_region(on, settings)
        change = replace(radar.change_map(measures, scale, least_px, settings), min_region_rule=rule)
        measures = radar.without_optics(measures)
    else:
        change = diff.change_map(measures, scale, on, settings)
    return analysed.within(change, scene.areas.asked_cells()), measures


def with_sensitivity(
    scene: Scene,
    measures: Maps,
    scale: Scale,
    radiometry: Radiometry,
    found: tuple[ChangeMap, tuple[Region, ...]],
) -> ChangeMap:
    """The change map with what a lower and a higher threshold would have found, made in the same way."""
    used, counted = found[0], []
    if (used.changed == NOT_ANALYSED).all():
        return used
    for times in SENSITIVITY:
        threshold = times * used.threshold
        if times > 1 and threshold > 1:  # no score is above 1: nothing to count, and no such multiple
            continue
        if times != 1:
            fixed = replace(scene.settings, diff=replace(scene.settings.diff, threshold=threshold))
            again = find(replace(scene, settings=fixed), measures, scale, radiometry)
        counted.append(summary.sensitivity(times, *(found if times == 1 else again), scene.pair.grid))
    return replace(used, sensitivity=tuple(counted))


def _without_lean(
    scene: Scene, change: ChangeMap, found: tuple[Region, ...], radiometry: Radiometry
) -> tuple[ChangeMap, tuple[Region, ...]]:
    """Regions whose structure is found again some pixels away, moved to the second tier."""
    windows = regions.lean_windows(found, scene.pair.grid)
    asked = [region for region in found if region.id in windows]
    places = [(region.bbox_rc, windows[region.id]) for region in asked]
    answers = tiles.map_ordered(partial(_leans, scene, radiometry), places, scene.executor, ahead=16)
    leaning = {region.id for region, lean in zip(asked, answers, strict=True) if lean}
    return regions.with_lean(change, found, leaning)


def _leans(scene: Scene, radiometry: Radiometry, place: tuple[tuple[int, int, int, int], Window]) -> bool:
    """Whether the structure within a box is found again beside it, in a window around it."""
    (top, left, bottom, right), window = place
    before = radiometry.before_8bit(scene.before.read(window)[0])
    after = radiometry.after_8bit(scene.after.read(window)[0])
    inside = np.zeros((window.rows, window.cols), bool)
    inside[top - window.row : bottom - window.row, left - window.col : right - window.col] = True
    roles = scene.pair.roles
    return regions.is_lean(diff.luminance(before, roles), diff.luminance(after, roles), inside)
