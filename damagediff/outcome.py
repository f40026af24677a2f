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
    other_regions: int = 0


@dataclass(frozen=True)
class Repeated:
    """A part of a picture that the same picture holds a second time."""

    when: Literal["before", "after"]
    share: float
    """Of the picture's windows, those that are found again elsewhere in it."""
    shift_rc: tuple[float, float]
    """From the one place to the other, px of the file as shown."""
    mirrored: str | None
    """``left to right``, ``top to bottom``, or None."""


@dataclass(frozen=True)
class SamePicture:
    """Whether the two files are copies of one picture, as a whole or in part."""

    share: float | None
    """Of the windows asked, those that are the same in both; None when there are too few."""
    windows: int
    whole: bool
    partly: bool
    mirrored: str | None = None
    """How the copy is mirrored: ``left to right``, ``top to bottom``, or None."""
    repeated: tuple[Repeated, ...] = ()


@dataclass(frozen=True)
class Sight:
    """Share of what could be measured, 0..1, that each picture may not show; None: not told."""

    cloud_before: float | None = None
    """Likely under cloud or haze, at least; None without colour."""
    cloud_after: float | None = None
    saturated_before: float | None = None
    """At the top of what an 8-bit file can hold; None for other files."""
    saturated_after: float | None = None


@dataclass(frozen=True)
class LookUp:
    """How the values of one band became grey levels."""

    low: float
    high: float
    """Values below and above are taken as these."""
    grey: tuple[int, ...]
    """Grey level 0..255 at 17 values evenly from `low` to `high`."""


@dataclass(frozen=True)
class EightBit:
    """How the values of both images became 8-bit values to measure and to draw by, band by band."""

    before: tuple[LookUp, ...]
    after: tuple[LookUp, ...]
