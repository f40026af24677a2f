"""The report's part on the self-test: what was drawn into a copy of the after image, and what was found."""

from __future__ import annotations

from typing import Any

from . import figure_detection, missed, summary
from .types import Comparison


def detection(comparison: Comparison) -> dict[str, Any] | None:
    """Words, rows and the figure as PNG; None where nothing is said about change at all."""
    if not summary.told(comparison):
        return None
    found, grid = comparison.trust.detection, comparison.pair.grid
    return {
        "headline": missed.headline(comparison.trust, grid),
        "lead": missed.lead(found),
        "note": missed.note(found, grid),
        "rows": [
            {
                "name": missed.ONE_OF[curve.kind][1],
                "harmless": curve.harmless,
                "planted": curve.planted,
                "limit": "none should be" if curve.harmless else missed.limit(curve.found, grid),
                "words": " ".join(missed.sentences(curve, grid)),
            }
            for curve in found.curves
        ],
        "png": figure_detection.png(comparison) if found.curves else None,
    }
