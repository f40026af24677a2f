"""Structural or other change: whether built structure stood where something changed, and was lost."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from . import cells
from .calibration import BUILT_SIGMA_CELLS, histogram, quantile
from .cells import CELL, IntArray, Maps, Measures
from .types import BoolArray, FloatArray

SMOOTH_CELLS = 2.0
"""Sigma of the blur before a region may start: 8 px."""
MIN_BUILT = 0.10
"""Share of edges on two perpendicular directions, sigma 10 px, from which there was built structure."""
RUIN_WEIGHTS = {"rougher": 1.0, "lost": 2.5, "green": -20.0, "changed": 2.25}
"""What tells ruins from gardens, shadows and traffic: a linear discriminant, rounded, of planted rubble
and a tornado track against undamaged cities and floods, each host judged by the others (docs/method.md)."""
RUIN_LEVEL = 1.45
ROUGHNESS_NOISE = 20.0
"""Mean gradient, Sobel units, below which a ratio of roughness says nothing."""
ROUGH_SIGMA_CELLS = 1.0
APART_CELLS = 3
"""Cells around structural change that the blur before the threshold reaches strongly."""
COLOUR_SPREADS = 8.0
"""Colour differences stand out when they exceed the median by this many robust spreads ..."""
MIN_COLOUR_GREY = 15.0
"""... and this many grey levels."""


def split(measures: Maps, smooth: FloatArray, begun: BoolArray, least: int) -> tuple[BoolArray, BoolArray]:
    """Cells of structural change, and of other change, from those above the threshold."""
    labels, count = cells.components(cells.keep_large(begun, least))
    lost = cells.look_up(_structure_was_lost(measures, smooth, labels, count), labels)
    recoloured = cells.keep_large(_colour_stands_out(measures), least)
    return lost, cells.keep_large(((labels > 0) | recoloured) & ~lost, least)


def quiet(measures: Maps, smooth: FloatArray, threshold: float, least: int) -> BoolArray:
    """Cells of built structure that most likely stands unchanged: the pair's own null.

    Where edges lay on two perpendicular directions before, outside of what would be structural change at
    `threshold` and 12 px around it.
    """
    structural, _ = split(measures, smooth, (smooth > threshold) & measures.valid, least)
    near = cv2.dilate(structural.astype(np.uint8), np.ones((2 * APART_CELLS + 1,) * 2, np.uint8)) > 0
    return np.asarray(built(measures) & ~near & measures.valid)


def built(measures: Maps) -> BoolArray:
    """Cells where edges lay on two perpendicular directions before."""

    def stood(m: Measures) -> BoolArray:
        return np.asarray(cells.coherence(m.edges_before, BUILT_SIGMA_CELLS) >= MIN_BUILT)

    return cells.computed(measures, ["edges_before"], cells.reach(BUILT_SIGMA_CELLS), stood)


def _structure_was_lost(measures: Maps, smooth: FloatArray, labels: IntArray, count: int) -> BoolArray:
    """(count + 1,) whether built structure stood in each component and was lost; False for background.

    Built structure stood where edges lay on two perpendicular directions. That it was lost is weighed from
    four things: how much rougher the component has become than the scene (log of the ratio of gradients, less
    the scene's median), how much of its right angles it lost, how green it is afterwards, and how high its
    score rises.
    """
    cast = cells.casts(measures)

    def evidence(m: Measures) -> FloatArray:
        before, after = (cells.coherence(e, BUILT_SIGMA_CELLS) for e in (m.edges_before, m.edges_after))
        return np.stack([before, before - after, _rougher(m), cells.greenness(m, cast)[1]])

    names, halo = ["edges_before", "edges_after", "green"], cells.reach(BUILT_SIGMA_CELLS)
    found = cells.each(measures, names, halo, evidence)
    stood, lost, rougher, green = cells.component_means(labels, count, found)
    usual = cells.median(cells.gathered(measures, names[:2], cells.reach(ROUGH_SIGMA_CELLS), _rougher))
    weighed = {
        "rougher": rougher - usual,
        "lost": lost,
        "green": green,
        "changed": cells.component_peaks(labels, count, smooth),
    }
    total = sum(weight * weighed[name] for name, weight in RUIN_WEIGHTS.items())
    verdict: BoolArray = (stood >= MIN_BUILT) & (lost >= 0) & (total >= RUIN_LEVEL)  # new buildings are other
    verdict[0] = False
    return verdict


def _rougher(measures: Measures) -> FloatArray:
    """Log of the ratio of mean gradients around each cell, after to before."""
    before, after = (
        cells.smooth(edges[0].astype(np.float32) / np.float32(CELL * CELL), measures.valid, ROUGH_SIGMA_CELLS)
        for edges in (measures.edges_before, measures.edges_after)
    )
    return _log_ratio(before, after)


def _log_ratio(before: FloatArray, after: FloatArray) -> FloatArray:
    noise = np.float32(ROUGHNESS_NOISE)
    return np.asarray(np.log((after + noise) / (before + noise)))


def _colour_stands_out(measures: Maps) -> BoolArray:
    """Cells whose smoothed colour difference is large in grey levels and against the rest of the scene."""
    if not measures.valid.any():
        return measures.valid
    colour = cells.computed(
        measures,
        ["colour"],
        cells.reach(SMOOTH_CELLS),
        lambda m: cells.smooth(m.colour, m.valid, SMOOTH_CELLS),
    )

    def middle_of(values: Callable[[FloatArray], FloatArray]) -> float:
        parts = ((part, measures.valid[band.core]) for band, part in cells.in_bands(colour))
        counts = sum(histogram(values(part)[valid], 256.0) for part, valid in parts)
        return quantile(np.asarray(counts), 0.5, 256.0)

    middle = middle_of(lambda part: part)
    spread = 1.4826 * middle_of(lambda part: np.abs(part - middle))
    return (colour > max(MIN_COLOUR_GREY, middle + COLOUR_SPREADS * spread)) & measures.valid
