"""Part of `types`: what people say of a place, and what reviewers decided about what the tool found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["region", "building", "claim"]
Decision = Literal["accepted", "rejected", "unsure"]
Finding = Literal["supports", "contradicts", "cannot tell"]
GradeScale = Literal["copernicus", "unosat", "xbd"]


@dataclass(frozen=True)
class Claim:
    """What somebody said happened: quoted, never the tool's own words."""

    text: str
    source: str = ""
    """Who said it, and where, as stated; empty: not stated."""


@dataclass(frozen=True)
class Judgement:
    """What one reviewer decided about one region, building or claim."""

    kind: Kind
    id: str
    """Of the region (its number), the building, or the claim (its number, counted from 1)."""
    decision: Decision | Finding
    """`Decision` of a region or a building, `Finding` of a claim."""
    reason: str = ""
    grade: str | None = None
    """One of the scale that the review names; None: not graded."""
    regions: tuple[int, ...] = ()
    """Of a claim: the regions that the reviewer bases it on."""


@dataclass(frozen=True)
class Review:
    """One review of one run by one person."""

    name: str
    """Of its file in the run folder."""
    reviewer: str
    """Initials, as stated."""
    scale: GradeScale | None
    judgements: tuple[Judgement, ...]
