"""Structural or other change: whether built structure stood where something changed, and was lost."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from . import cells
from .calibration import BUILT_SIGMA_CELLS, histogram, quantile
from .cells import CELL, IntArray, Measures
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
APART_CELLS = 3
"""Cells around structural change that the blur before the threshold reaches strongly."""
COLOUR_SPREADS = 8.0
"""Colour differences stand out when they exceed the median by this many robust spreads ..."""
MIN_COLOUR_GREY = 15.0
"""... and this many grey levels."""


def split(
    measures: Measures, smooth: FloatArray, begun: BoolArray, least: int
) -> tuple[BoolArray, BoolArray]:
    """Cells of structural change, and of other change, from those above the threshold."""
    labels, count = cells.components(cells.keep_large(begun, least))
    lost = _structure_was_lost(measures, smooth, labels, count)[labels]
    recoloured = cells.keep_large(_colour_stands_out(measures), least)
    return lost, cells.keep_large(((labels > 0) | recoloured) & ~lost, least)


def quiet(measures: Measures, smooth: FloatArray, threshold: float, least: int) -> BoolArray:
    """Cells of built structure that most likely stands unchanged: the pair's own null.

    Where edges lay on two perpendicular directions before, outside of what would be structural change at
    `threshold` and 12 px around it.
    """
    structural, _ = split(measures, smooth, (smooth > threshold) & measures.valid, least)
    near = cv2.dilate(structural.astype(np.uint8), np.ones((2 * APART_CELLS + 1,) * 2, np.uint8)) > 0
    built = cells.coherence(measures.edges_before, BUILT_SIGMA_CELLS) >= MIN_BUILT
    return np.asarray(built & ~near & measures.valid)


def _structure_was_lost(measures: Measures, smooth: FloatArray, labels: IntArray, count: int) -> BoolArray:
    """(count + 1,) whether built structure stood in each component and was lost; False for background.

    Built structure stood where edges lay on two perpendicular directions. That it was lost is weighed from
    four things: how much rougher the component has become than the scene (log of the ratio of gradients, less
    the scene's median), how much of its right angles it lost, how green it is afterwards, and how high its
    score rises.
    """

    def mean(values: npt.NDArray[Any]) -> FloatArray:
        return cells.component_means(labels, count, values)

    before, after = (
        cells.coherence(e, BUILT_SIGMA_CELLS) for e in (measures.edges_before, measures.edges_after)
    )
    rougher = _log_ratio(*(_roughness(measures, e[0]) for e in (measures.edges_before, measures.edges_after)))
    usual = float(np.median(rougher[measures.valid])) if measures.valid.any() else 0.0
    evidence = {
        "rougher": mean(rougher) - usual,
        "lost": mean(before - after),
        "green": mean(cells.greenness(measures)[1]),
        "changed": cells.component_peaks(labels, count, smooth),
    }
    total = sum(weight * evidence[name] for name, weight in RUIN_WEIGHTS.items())
    stood, fell = mean(before) >= MIN_BUILT, evidence["lost"] >= 0  # new buildings are other change
    verdict: BoolArray = stood & fell & (total >= RUIN_LEVEL)
    verdict[0] = False
    return verdict


def _roughness(measures: Measures, edges: IntArray) -> FloatArray:
    """Mean gradient around each cell."""
    return cells.smooth(edges.astype(np.float32) / np.float32(CELL * CELL), measures.valid, 1.0)


def _log_ratio(before: FloatArray, after: FloatArray) -> FloatArray:
    noise = np.float32(ROUGHNESS_NOISE)
    return np.asarray(np.log((after + noise) / (before + noise)))


def _colour_stands_out(measures: Measures) -> BoolArray:
    """Cells whose smoothed colour difference is large in grey levels and against the rest of the scene."""
    if not measures.valid.any():
        return measures.valid
    colour = cells.smooth(measures.colour, measures.valid, SMOOTH_CELLS)
    counts = histogram(colour[measures.valid], 256.0)
    middle = quantile(counts, 0.5, 256.0)
    spread = 1.4826 * quantile(histogram(np.abs(colour - middle)[measures.valid], 256.0), 0.5, 256.0)
    return (colour > max(MIN_COLOUR_GREY, middle + COLOUR_SPREADS * spread)) & measures.valid
