"""A pair's own scale: what unchanged structure scores here, what unrelated content scores, and the score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import bands, cells, reference_measures
from .cells import CELL, IntArray, Maps, Measures
from .structure import HALO
from .types import BoolArray, FloatArray, Window

CEILING_WINDOWS = 32
"""Places where unrelated content is compared; 16 are as good as 64 (docs/method.md)."""
CEILING_SIDE_PX = 136
"""Side of such a place, halo included."""
CEILING_SHIFT_PX = (40, 24)
"""How far the unrelated content lies away, before jitter: beyond the search and the size of a roof."""
CEILING_JITTER_PX = 8
"""On a lattice the displacement aliases with regular rows of houses."""
FLOOR_QUANTILE = 0.2
"""The floor is what the best-kept fifth scores: holds in scenes of which four fifths are destroyed."""
MIN_GAP = 0.1
"""Floor and ceiling closer than this are normalised as if they were this far apart."""
STEPS = 2000
"""Histogram steps per unit of a measure: integer counts, the same in any order."""
MAX_MEASURE = 3.0
MIDPOINT = 0.85
"""Normalised measure with score .5: a seventh short of what unrelated places score."""
STEEPNESS = 6.0
"""Logistic slope: the best-kept fifth of a pair scores below .01, unrelated places .71."""
TAIL = 6.0
"""Logistic argument beyond which it grows by its logarithm: float32 would round to 1 and lose ranks."""
BUILT_WEIGHT = 1.0
"""Of the loss of built structure, -1 to 1, against the mean of the calibrated measures."""
BUILT_SIGMA_CELLS = 2.5
SCORED = ("structure", "pattern", "orientation")


@dataclass(frozen=True)
class Calibration:
    """The pair's own scale for each measure."""

    floor: dict[str, float]
    """What the best-kept fifth of the textured cells scores, by measure."""
    ceiling: dict[str, float]
    """What unrelated content scores (median), by measure."""
    comparability: float
    """1 - median / ceiling of the structure measure; 0 when there was nothing to calibrate on."""
    median_structure: float
    """What the typical textured cell scores in the structure measure."""
    texture_floor: float
    """Variance of the before image above which a cell counts as textured."""

    def to_dict(self) -> dict[str, float]:
        """Flat, ready for JSON and `ChangeMap.calibration`."""
        named = {f"floor_{k}": v for k, v in self.floor.items()}
        named |= {f"ceiling_{k}": v for k, v in self.ceiling.items()}
        return named | {
            "median_structure": self.median_structure,
            "texture_floor_grey2": self.texture_floor,
        }


def ceiling_windows(shape: tuple[int, int], seed: int) -> tuple[tuple[Window, Window], ...]:
    """Places of the before image, and where in the after image unrelated content lies for each.

    Both windows include `HALO` px on every side and lie inside the scene; `measure` takes them as a tile.
    The displacement is about (40, 24) px, its signs and up to 8 px of each part drawn at random.

    Returns
    -------
    tuple of (Window, Window)
        Up to 32 pairs, fewer in small scenes, none when a side is below about 110 px.
    """
    rng = np.random.default_rng(seed)
    reach = np.array(CEILING_SHIFT_PX) + CEILING_JITTER_PX
    side = min(CEILING_SIDE_PX, (min(shape) - int(reach.max())) // CELL * CELL)
    if side < 2 * HALO + 4 * CELL:
        return ()
    count = min(CEILING_WINDOWS, max(8, shape[0] * shape[1] // (3 * side**2)))
    return tuple(_displaced_windows(shape, side, rng) for _ in range(count))


def _displaced_windows(shape: tuple[int, int], side: int, rng: np.random.Generator) -> tuple[Window, Window]:
    shift = np.array(CEILING_SHIFT_PX) + rng.integers(-CEILING_JITTER_PX, CEILING_JITTER_PX + 1, 2)
    shift *= rng.choice([-1, 1], 2)
    first = rng.integers(np.maximum(0, -shift), np.array(shape) - side - np.maximum(0, shift) + 1)
    (r, c), (dr, dc) = first.tolist(), shift.tolist()
    return Window(r, c, side, side), Window(r + dr, c + dc, side, side)


def calibrate(measures: Maps, ceiling: list[Measures]) -> Calibration:
    """Floor and ceiling of each measure on this very pair.

    A measure's *floor* is its .2 quantile over the scene's textured cells, which even a mostly destroyed
    scene reaches where it was spared; its *ceiling* is the median over unrelated content. Both come from
    integer histograms, so they do not depend on tiles or order. The comparability uses the median instead
    of the floor: it asks whether the typical cell is any more alike than unrelated places are.

    Parameters
    ----------
    measures : Maps
        Of the whole scene.
    ceiling : list of Measures
        Of the `ceiling_windows`; empty when the scene is too small: comparability is then 0.
    """
    texture_floor = float(quantile(_deviations(measures), 0.5, 128))

    def textured(m: Measures) -> BoolArray:
        return m.valid & (_deviation(m.texture) > texture_floor)

    other = [textured(m) for m in ceiling]
    floor, top, median = {}, {}, 0.0
    for name in SCORED:
        own = _counts(measures, name, MAX_MEASURE, textured)
        counts = [histogram(getattr(m, name)[t], MAX_MEASURE) for m, t in zip(ceiling, other, strict=True)]
        unrelated = np.sum(counts, axis=0) if counts else np.zeros_like(own)
        floor[name] = quantile(own, FLOOR_QUANTILE, MAX_MEASURE)
        top[name] = quantile(unrelated, 0.5, MAX_MEASURE)
        median = quantile(own, 0.5, MAX_MEASURE) if name == "structure" else median
    ratio = median / top["structure"] if top["structure"] > 0 else 1.0
    if "reference" in measures.known:
        usual = reference_measures.chosen(measures, textured)
        floor, top = reference_measures.scale(usual, ceiling, other, FLOOR_QUANTILE)
    return Calibration(floor, top, max(0.0, 1 - ratio), median, texture_floor**2)


def _counts(measures: Maps, name: str, top: float, where: Callable[[Measures], BoolArray]) -> IntArray:
    """The scene's `histogram` of one measure in the cells that count by their texture and validity."""
    parts = (measures.rows(*band.outer, [name, "texture"]) for band in bands.of(measures.shape))
    return np.asarray(sum(histogram(getattr(part, name)[where(part)], top) for part in parts))


def _deviations(measures: Maps) -> IntArray:
    parts = (measures.rows(*band.outer, ["texture"]) for band in bands.of(measures.shape))
    return np.asarray(sum(histogram(_deviation(part.texture)[part.valid], 128) for part in parts))


def _deviation(variance: FloatArray) -> FloatArray:
    return np.sqrt(variance)


def histogram(values: FloatArray, top: float) -> IntArray:
    """Counts of values over 0..top, larger ones in the last step."""
    count = int(STEPS * MAX_MEASURE)
    index = np.minimum(values * np.float32(count / top), count - 1).astype(np.int64)
    return np.bincount(index, minlength=count)


def quantile(counts: IntArray, p: float, top: float) -> float:
    """Lower end of the step that holds the quantile; 0 when there are no counts."""
    total = int(counts.sum())
    step = np.searchsorted(np.cumsum(counts), p * total, side="right") if total else 0
    return float(step / len(counts) * top)


def score(measures: Maps, calibration: Calibration) -> FloatArray:
    """The score of each cell, 0 to 1, with one meaning in every scene.

    Each measure is taken from the pair's floor (0) to its ceiling (1). To the mean of the three comes what
    built structure was lost: the share of edges on two perpendicular directions before, less that after,
    which is as often positive as negative between unrelated places. The sum goes through a logistic curve,
    which is strictly monotone and clips nothing: the best-kept fifth of a pair scores below .01, unrelated
    content .71, and .5 is the shipped threshold.

    Returns
    -------
    (rows, cols) float32
        On cells; NaN where not valid.
    """
    names = [*calibration.floor, "edges_before", "edges_after"]
    halo = cells.reach(BUILT_SIGMA_CELLS)
    return cells.computed(measures, names, halo, lambda m: _score(m, calibration))


def _score(measures: Measures, calibration: Calibration) -> FloatArray:
    total: FloatArray = np.zeros(measures.shape, np.float32)
    for name, floor in calibration.floor.items():
        gap = max(calibration.ceiling[name] - floor, MIN_GAP)
        total += (getattr(measures, name) - np.float32(floor)) / np.float32(gap)
    total = total / len(calibration.floor)
    if measures.reference is None:
        before, after = (
            cells.coherence(e, BUILT_SIGMA_CELLS) for e in (measures.edges_before, measures.edges_after)
        )
        total = total + np.float32(BUILT_WEIGHT) * (before - after)
    return np.where(measures.valid, curve(total), np.float32(np.nan)).astype(np.float32)


def curve(normalised: FloatArray) -> FloatArray:
    """Measures on the scale from floor (0) to ceiling (1) to scores."""
    steps = np.float32(STEEPNESS) * (normalised - np.float32(MIDPOINT))
    far = np.maximum(np.abs(steps) - np.float32(TAIL), 0)
    steps = np.sign(steps) * (np.minimum(np.abs(steps), np.float32(TAIL)) + np.log1p(far))
    return np.asarray(1 / (1 + np.exp(-steps)))
