"""What changed: radiometry -> measures -> calibration -> score -> threshold. Pure arrays, no files.

The story, in the order in which the pipeline calls it:

1. `fit_radiometry` on reduced images; its look-ups turn every tile into comparable 8-bit values.
2. `measure` each tile (with `halo` px of neighbours) into maps on cells of `CELL` px; `assemble` them.
3. `measure` the `ceiling_windows`, where unrelated content meets: what "as different as can be" scores here.
4. `calibrate`: the pair's own floor and ceiling, and with them its comparability.
5. `change_map`: score, threshold, tiers. `to_pixels` brings its maps back to pixels.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from . import cells, displaced, reference_measures, structure, thresholds, tiers
from .calibration import (
    MIN_GAP,
    SCORED,
    Calibration,
    calibrate,
    ceiling_windows,
    curve,
    score,
)
from .cells import CELL, IntArray, Maps, Measures
from .errors import SettingsError
from .radiometry import Radiometry, fit_radiometry, luminance
from .reference_measures import Reference
from .settings import DiffSettings, Settings
from .structure import HALO
from .survey import Survey, assemble
from .types import (
    NO_CHANGE,
    NOT_ANALYSED,
    OTHER_CHANGE,
    STRUCTURAL_CHANGE,
    BoolArray,
    ByteArray,
    ChangeMap,
    FloatArray,
    Grid,
    Lean,
    Window,
)

__all__ = [
    "CELL",
    "HALO",
    "Calibration",
    "Measures",
    "Radiometry",
    "Survey",
    "assemble",
    "calibrate",
    "ceiling_windows",
    "change_map",
    "fit_radiometry",
    "halo",
    "luminance",
    "measure",
    "min_region_px",
    "score",
    "to_pixels",
]

INVALID_REACH = 3
"""Cells around an invalid pixel that are not analysed: search and windows of the measures look into them."""
THRESHOLDS = (0.3, 0.5)
"""Least and greatest automatic threshold: the greatest serves scenes in which much differs anyway."""
USUAL_SHARE = 0.95
CLEARANCE = 0.1
"""Where this share of a scene stays clear of the threshold by this much, a lower one shows more and costs
nothing: undamaged scenes of dense cities keep .5, very alike pairs come down to .3 (docs/method.md)."""
FALSE_ALARM_THRESHOLDS = (0.3, 0.9)
"""Least and greatest threshold from a share of false alarms."""
MIN_FALSE_CELLS = 12
"""Cells that must lie above such a threshold, or it rests on the chance of one place."""
MIN_RESOLVED_PX = 200
"""Smaller regions lie below the measures' windows, whatever the ground sample distance."""
Cell = TypeVar("Cell", bound=np.generic)
RGB = ("red", "green", "blue")


def halo(lean: Lean | None) -> int:
    """Pixels of neighbours that `measure` needs on every side of a tile."""
    return HALO + displaced.reach(lean)


def measure(
    before8: ByteArray,
    after8: ByteArray,
    valid: BoolArray,
    roles: tuple[str, ...],
    lean: Lean | None = None,
    reference: Reference | None = None,
) -> Measures:
    """All measures of one tile.

    Parameters
    ----------
    before8, after8 : (bands, rows, cols) uint8
        Of `Radiometry`, with `halo` px of neighbours on every side. A core that is no multiple of `CELL`
        (at the scene's lower or right edge) is completed from the halo.
    valid : (rows, cols) bool
        True where both images have pixels.
    roles : tuple of str
        One for each band.
    lean : Lean, optional
        Structure that is found again along it is measured there.
    reference : callable, optional
        Of `reference_measures`: measures beside the others what the score is to be made of instead.

    Returns
    -------
    Measures
        On ``ceil(core / CELL)`` cells, bit for bit those of the whole scene.
    """
    before8, after8, valid = _whole_cells(before8, after8, valid)
    a, b = luminance(before8, roles), luminance(after8, roles)
    edges = structure.gradient_sums(a), structure.gradient_sums(b)
    near = _without(displaced.reach(lean))
    loss, pattern, texture = structure.decorrelation(a[near(1)], b[near(1)])
    edges_near = edges[0][near(CELL)], edges[1][near(CELL)]
    usable = _usable_cells(valid[near(1)])
    built, along = (slice(0, 1), slice(3, 5)), (slice(1, 3),)
    kept, lines = ([_kept(e, parts, usable) for e in edges_near] for parts in (built, along))
    bands = [x[near(1)] for x in (before8, after8)]
    sums = [np.stack([structure.cell_sums(band.astype(np.float32)) for band in x]) for x in bands]
    colours = _colours(sums, roles)
    found = Measures(
        structure=loss,
        pattern=pattern,
        orientation=structure.orientation_distance(*edges_near),
        texture=texture,
        colour=_colour_difference(*sums),
        edges_before=kept[0],
        edges_after=kept[1],
        lines=np.concatenate(lines),
        colours=colours,
        darkest=np.stack([_core(_cell_minima(x)) for x in bands]),
        green=_green(colours, roles),
        light=np.stack([_core(structure.cell_sums(x[near(1)].astype(np.float32))) for x in (a, b)]) / CELL**2,
        leaning=np.zeros(usable.shape, np.uint8),
        valid=usable,
    )
    if reference is not None:
        found = replace(found, reference=_core(reference(before8[near(1)], after8[near(1)], roles)))
    return found if lean is None else _at_the_lean(found, displaced.look_up(a, b, edges, lean))


def _without(margin_px: int) -> Callable[[int], tuple[Any, ...]]:
    """Index that takes so many px, given in units of so many, off every side of the last two axes."""

    def index(unit_px: int) -> tuple[Any, ...]:
        inner = slice(margin_px // unit_px, -(margin_px // unit_px) or None)
        return (..., inner, inner)

    return index


def _at_the_lean(found: Measures, there: displaced.Displaced) -> Measures:
    """The measures with those of cells that are found again along the lean, where they are lower there."""
    leaning = np.where(found.valid, there.distance_px, np.uint8(0))
    lower = {
        name: np.where(
            leaning > 0, np.minimum(getattr(found, name), getattr(there, name)), getattr(found, name)
        )
        for name in SCORED
    }
    return replace(found, leaning=leaning, **lower)


def _whole_cells(
    before8: ByteArray, after8: ByteArray, valid: BoolArray
) -> tuple[ByteArray, ByteArray, BoolArray]:
    """Sides completed to whole cells, and one value in both images where there is none to compare."""
    short = [(0, -n % CELL) for n in valid.shape]  # at most 3 px, in the part of the halo nothing looks into
    valid = np.pad(valid, short, mode="edge")
    bands = [np.pad(x, [(0, 0), *short], mode="edge") * valid for x in (before8, after8)]
    return bands[0], bands[1], valid


def _core(maps: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The cells without their margin; the last two axes are rows and columns."""
    m = structure.MARGIN
    return maps[..., m:-m, m:-m]


def _usable_cells(valid: BoolArray) -> BoolArray:
    """Cells whose measures see valid pixels only."""
    full = structure.cell_sums(valid.astype(np.float32)) == CELL * CELL
    reach = np.ones((2 * INVALID_REACH + 1,) * 2, np.uint8)
    inner = cv2.erode(full.astype(np.uint8), reach, borderType=cv2.BORDER_REPLICATE)
    return _core(inner) > 0


def _kept(edges: FloatArray, parts: tuple[slice, ...], usable: BoolArray) -> IntArray:
    """Some channels of `structure.gradient_sums`, 0 where not usable."""
    chosen = np.concatenate([_core(edges[k]) for k in parts]) * usable
    return chosen.astype(np.int16)


def _colour_difference(before: FloatArray, after: FloatArray) -> FloatArray:
    """Root mean square over bands of the difference of means, the smallest of five displacements.

    From (bands, rows, cols) sums over cells; exact up to the last division.
    """
    a, b = _core(_window_means(before)), _window_means(after)
    best: FloatArray | None = None
    for dy, dx in structure.CROSS:
        d = a - _core(np.roll(b, (-dy, -dx), (1, 2)))  # what rolls over the edge stays in the margin
        square = (d * d).sum(0) / np.float32(len(d))
        best = square if best is None else np.minimum(best, square)
    assert best is not None
    return np.sqrt(best)


def _window_means(sums: FloatArray) -> FloatArray:
    return np.stack([structure.window_means(x) for x in sums])


def _cell_minima(bands: ByteArray) -> ByteArray:
    """The darkest band of the darkest pixel of each cell."""
    darkest = functools.reduce(cv2.min, bands)
    rows = functools.reduce(cv2.min, (darkest[k::CELL] for k in range(CELL)))
    return np.asarray(functools.reduce(np.minimum, (rows[:, k::CELL] for k in range(CELL))), np.uint8)


def _colours(sums: list[FloatArray], roles: tuple[str, ...]) -> IntArray:
    """(2, 3, rows, cols) sums of red, green and blue over cells; 0 without them."""
    if not set(RGB) <= set(roles):
        return np.zeros((2, 3, *_core(sums[0]).shape[1:]), np.uint16)
    chosen = [roles.index(role) for role in RGB]
    return np.stack([_core(x[chosen]) for x in sums]).astype(np.uint16)


def _green(colours: IntArray, roles: tuple[str, ...]) -> FloatArray:
    """(2, rows, cols) excess green of each image, exact up to the division."""
    if not set(RGB) <= set(roles):
        return np.full((2, *colours.shape[2:]), cells.NO_COLOUR, np.float32)
    red, green, blue = (colours[:, k].astype(np.float32) for k in range(3))
    return (2 * green - red - blue) / np.maximum(red + green + blue, 1)


def min_region_px(grid: Grid, settings: Settings) -> int:
    """The minimum mapping unit in pixels, by `min_region`."""
    return min_region(grid, settings)[0]


def min_region(grid: Grid, settings: Settings) -> tuple[int, str]:
    """The minimum mapping unit in pixels, and where it comes from, in words.

    From square metres where they are asked for, or, as a default, where the ground sample distance is known.

    Raises
    ------
    SettingsError
        Square metres are asked for and the ground sample distance is not known.
    """
    unit, area_m2 = settings.regions.min_region_unit, grid.pixel_area_m2
    if unit == "px" or (unit == "auto" and area_m2 is None):
        least = settings.regions.min_region_px
        rule = f"{least:,} px by the settings, in whole cells of {CELL} x {CELL} px"
        if least < MIN_RESOLVED_PX:
            rule += f"; below {MIN_RESOLVED_PX} px is below what can be resolved: such regions may be noise"
        return least, rule
    if area_m2 is None:
        raise SettingsError(
            "regions.min_region_unit = m2: the ground size of a pixel is not known. State it (--gsd), or "
            "give the smallest region in pixels"
        )
    asked_m2 = settings.regions.min_region_m2
    rule = f"{asked_m2:g} m² by the settings, at least the {MIN_RESOLVED_PX} px that can be resolved"
    return max(MIN_RESOLVED_PX, math.ceil(asked_m2 / area_m2)), rule


def change_map(measures: Maps, calibration: Calibration, grid: Grid, settings: Settings) -> ChangeMap:
    """Score, threshold and tier of every cell.

    A region starts where the score, blurred by 8 px, exceeds the threshold, and must reach the minimum
    mapping unit. It is *structural* where built structure stood before (edges on two perpendicular
    directions) and was lost (`_structure_was_lost`); else it is *other* change, as is a strong change of
    colour without one of structure (burn, paint, water). Below the least comparability nothing is analysed.

    Returns
    -------
    ChangeMap
        On cells of `CELL` px.
    """
    values = score(measures, calibration)
    smooth = cells.smoothed(values, measures.valid, tiers.SMOOTH_CELLS)
    analysed = measures.valid & (calibration.comparability >= settings.diff.min_comparability)
    least_px, least_rule = min_region(grid, settings)
    least = math.ceil(least_px / CELL**2)
    threshold, rule = _threshold(measures, calibration, smooth, least, settings.diff)
    low = threshold * settings.diff.hysteresis
    begun = thresholds.above(smooth, measures.valid, threshold, low)
    structural, other = tiers.split(measures, smooth, begun, least)
    changed = np.full(measures.shape, NO_CHANGE, np.uint8)
    changed[other] = OTHER_CHANGE
    changed[structural] = STRUCTURAL_CHANGE
    changed[~analysed] = NOT_ANALYSED
    return ChangeMap(
        score=values,
        changed=changed,
        valid=measures.valid,
        cell_px=CELL,
        threshold=threshold,
        threshold_rule=rule,
        comparability=calibration.comparability,
        calibration=calibration.to_dict(),
        min_region_px=least * CELL**2,
        measure=settings.diff.measure,
        low_threshold=low if low < threshold else None,
        min_region_rule=f"{least_rule}; threads thinner than 3 cells are taken off before",
    )


AUTOMATIC_RULE = (
    f"{THRESHOLDS[1]:g} on the score calibrated between the pair's own floor and ceiling, or less, down to "
    f"{THRESHOLDS[0]:g}, where {USUAL_SHARE:.0%} of the scene stay below it by {CLEARANCE:g}; "
    "the score is blurred by 8 px before it is compared"
)
FIXED_RULE = "fixed by the settings; the score is blurred by 8 px before it is compared"
OTSU_RULE = "Otsu's, on the cells of the measure; the score is blurred by 8 px before it is compared"


def _threshold(
    measures: Maps, calibration: Calibration, smooth: FloatArray, least: int, settings: DiffSettings
) -> tuple[float, str]:
    """The threshold on the score, and its rule."""
    if settings.threshold == "far":
        return _with_hysteresis(*_false_alarm_threshold(measures, smooth, least, settings), settings)
    if "reference" not in measures.known or settings.threshold != "auto":
        return threshold_of(smooth[measures.valid], settings)
    at = reference_measures.otsu(reference_measures.chosen(measures, lambda m: m.valid))
    gap = max(calibration.ceiling["reference"] - calibration.floor["reference"], MIN_GAP)
    threshold = float(curve(np.array((at - calibration.floor["reference"]) / gap)))
    return _with_hysteresis(threshold, OTSU_RULE, settings)


def threshold_of(smooth: FloatArray, settings: DiffSettings) -> tuple[float, str]:
    """The threshold on the smoothed scores of a scene's valid cells, and the rule it comes from, in words."""
    asked = settings.threshold
    if not isinstance(asked, str):
        threshold, rule = asked, FIXED_RULE
    elif asked == "auto":
        threshold, rule = automatic_threshold(smooth), AUTOMATIC_RULE
    else:
        found = thresholds.from_histogram(asked, smooth)
        words = f"{thresholds.WORDS[asked]}, on {thresholds.BINS} steps of the score, blurred by 8 px"
        threshold = automatic_threshold(smooth) if found is None else found
        rule = f"automatic: all scores are alike, so there is none by {words}" if found is None else words
    return _with_hysteresis(threshold, rule, settings)


def _with_hysteresis(threshold: float, rule: str, settings: DiffSettings) -> tuple[float, str]:
    if settings.hysteresis < 1:
        rule += f"; regions grow from there down to {threshold * settings.hysteresis:.3g} (hysteresis)"
    return threshold, rule


def _false_alarm_threshold(
    measures: Maps, smooth: FloatArray, least: int, settings: DiffSettings
) -> tuple[float, str]:
    """The score that a stated share of the pair's own unchanged structure exceeds, and the rule in words."""
    start, share = automatic_threshold(smooth[measures.valid]), settings.false_alarm_share
    null = smooth[tiers.quiet(measures, smooth, start, least)]
    if len(null) * share < MIN_FALSE_CELLS:
        return start, f"automatic: too little unchanged structure for a share of {share:g}; {AUTOMATIC_RULE}"
    at = float(np.clip(float(np.quantile(null, 1 - share)), *FALSE_ALARM_THRESHOLDS))
    return at, (
        f"what {share:.3g} of the pair's own unchanged structure exceed, within "
        f"{FALSE_ALARM_THRESHOLDS[0]:g} and {FALSE_ALARM_THRESHOLDS[1]:g}; unchanged is what was built "
        "before, 12 px and more from structural change by the automatic rule; the score is blurred by 8 px "
        "before it is compared"
    )


def automatic_threshold(smooth: FloatArray) -> float:
    """The threshold on the smoothed scores of a scene's valid cells, by `AUTOMATIC_RULE`."""
    usual = float(np.quantile(smooth, USUAL_SHARE)) if len(smooth) else 0.0
    return float(np.clip(usual + CLEARANCE, *THRESHOLDS))


def to_pixels(values: npt.NDArray[Cell], window: Window) -> npt.NDArray[Cell]:
    """A cell map on the pixels of a window, each pixel the value of its cell; the same bits in any window.

    Parameters
    ----------
    values : (cell rows, cell cols)
        Of any type.
    window : Window
        Inside the working grid.
    """
    rows = (window.row + np.arange(window.rows)) // CELL
    cols = (window.col + np.arange(window.cols)) // CELL
    return values[np.ix_(rows, cols)]
