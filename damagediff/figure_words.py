"""What every figure says in words, and which regions it shows."""

from __future__ import annotations

import numpy as np

from . import agreement, outputs, summary
from . import figure_sheet as sheets
from .types import Comparison, Region

MAX_BOXES = 30
KEPT_FOR_OTHER = 6
SYNTHETIC = "SYNTHETIC · not pictures of a real place"


def boxes(comparison: Comparison, most: int = MAX_BOXES) -> tuple[Region, ...]:
    """The regions that get a box, at most so many: structural ones first, with room for some others."""
    other = summary.tier_regions(comparison, "other")
    kept = min(len(other), most * KEPT_FOR_OTHER // MAX_BOXES)
    structural = summary.tier_regions(comparison, "structural")[: most - kept]
    return (*structural, *other[: most - len(structural)])


def footer(comparison: Comparison, annotated: bool = True) -> tuple[str, ...]:
    """What was done to the pictures, with what, and the id by which this result can be found again."""
    aligned = comparison.change is not None
    radar = comparison.change is not None and comparison.change.measure == "log_ratio"
    what = "changed radar backscatter" if radar else "visible change"
    outlines = f"outlines: {what} found automatically, not verified on the ground"
    return (
        *((outlines,) if annotated and summary.told(comparison) else ()),
        f"image processed: {f'co-registered, {summary.held_out(comparison)}' if aligned else 'not aligned'}",
        f"contrast stretched p2–p98, {'both alike' if aligned else 'each by itself'}",
        f"damagediff {comparison.versions.get('damagediff', '')}".strip(),
        f"id {outputs.evidence_id(comparison)}",
        *((reviewed,) if annotated and (reviewed := agreement.line(comparison.reviews)) else ()),
        *((f"{lacking} here: see report.html",) if (lacking := not_drawable(comparison)) else ()),
    )


def not_drawable(comparison: Comparison) -> str:
    """Which words of the figures hold characters that their font lacks; empty if none does."""
    credits_ = (summary.credit(image.credit) for image in (comparison.pair.before, comparison.pair.after))
    lacking = {
        "the title": sheets.lacks(summary.title(comparison), bold=True),
        "the credits": any(map(sheets.lacks, credits_)),
    }
    named = " and ".join(name for name, lacks in lacking.items() if lacks)
    return f"some characters of {named} cannot be drawn" if named else ""


def rejected(comparison: Comparison) -> frozenset[int]:
    """Ids of the regions that all who judged them rejected: drawn apart, never left out."""
    states = agreement.states(comparison.reviews, "region")
    return frozenset(int(name) for name, state in states.items() if state == "rejected")


def round_length(longest: float) -> float:
    """The longest of 1, 2, 5, 10, ... that is not longer than `longest`, in the same unit."""
    power = 10.0 ** np.floor(np.log10(longest))
    return float(max(step * power for step in (1, 2, 5) if step * power <= longest))


def length(value: float, unit: str) -> str:
    """A round length in words: metres, or kilometres."""
    return f"{value / 1000:g} km" if value >= 1000 else f"{value:g} {unit}"
