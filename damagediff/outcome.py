"""Part of `types`: why places were not analysed, and what other thresholds would have found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Reason = Literal[
    "outside_area_of_interest",
    "excluded_by_hand",
    "drawn_over",
    "no_picture",
    "outside_tie_points",
    "not_comparable",
]
"""Why a place was not analysed; where several hold, the first of them is told."""
REASONS: tuple[Reason, ...] = get_args(Reason)


@dataclass(frozen=True)
class Sensitivity:
    """What would have been found with another threshold, all else alike."""

    times: float
    """The threshold as a multiple of the one that was used."""
    threshold: float
    changed_px: int
    """Working-grid pixels of both tiers."""
    structural_px: int
    structural_regions: int


@dataclass(frozen=True)
class Sight:
    """Share of what could be measured, 0..1, that each picture may not show; None: not told."""

    cloud_before: float | None = None
    """Likely under cloud or haze, at least; None without colour."""
    cloud_after: float | None = None
    saturated_before: float | None = None
    """At the top of what an 8-bit file can hold; None for other files."""
    saturated_after: float | None = None
