"""Part of the report: what was measured that bears on a claim; what follows is for the analyst to say."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from . import bracket, summary, wording
from . import grid as grids
from .types import NOT_ANALYSED, Comparison, Region

MAX_NAMED = 30
"""Ids of regions in one line."""
CAN_SHOW = (
    "whether built structure looks different after than before, where, and over what area",
    "that a place was looked at and no region was found there, with the size that would have been found",
)
CANNOT_SHOW = "who or what caused a change, why, or at what moment between the two images"


def facts(comparison: Comparison) -> Iterator[tuple[str, str]]:
    """(name, words) of each measured thing that any claim about this place can be held against."""
    yield "Dates", _dates(comparison)
    if comparison.case.place is not None:
        yield "Stated place", _place(comparison, comparison.case.place)
    yield "Change", summary.finding(comparison)
    if summary.told(comparison):
        for words, found in _tiers(comparison):
            yield words, named(found)
    if comparison.buildings:
        counts = summary.building_counts(comparison.buildings)
        yield "Buildings", "; ".join(f"{n} {label}" for label, n in counts.items())


def _dates(comparison: Comparison) -> str:
    """The time between the images, and whether it holds the stated event."""
    held = next((check for check in comparison.trust.checks if check.name == bracket.NAME), None)
    between = wording.sentence(summary.bracket(comparison))
    if held is None or comparison.case.event is None:
        return f"{between} No event date was stated (--event-date) to hold against them."
    answer = {True: "lies between the images", False: "does NOT lie between the images"}
    told = answer.get(held.passed, "can neither be placed between the images nor outside them")  # type: ignore[arg-type]
    return f"{between} The event date {told}: {held.detail}."


def _tiers(comparison: Comparison) -> Iterator[tuple[str, tuple[Region, ...]]]:
    measure = comparison.change.measure if comparison.change else ""
    for tier, words in wording.tiers(measure)[0].items():
        yield f"Regions of {words}", summary.tier_regions(comparison, tier)


def named(found: tuple[Region, ...]) -> str:
    """How many regions, and their numbers."""
    if not found:
        return "none"
    ids = ", ".join(str(region.id) for region in found[:MAX_NAMED])
    return f"{len(found)}: {ids}{' and more' if found[MAX_NAMED:] else ''}"


def _place(comparison: Comparison, place: tuple[float, float]) -> str:
    """What was found where the user says it happened, or next to it."""
    lat, lon = place
    at = f"{abs(lat):.5f}° {'N' if lat >= 0 else 'S'}, {abs(lon):.5f}° {'E' if lon >= 0 else 'W'}"
    grid, change = comparison.pair.grid, comparison.change
    if grid.crs is None:
        return f"{at}; the pictures are not georeferenced, so it cannot be found in them."
    with np.errstate(invalid="ignore"):
        row, col = grids.grid_from_lonlat(grid, np.array([[lon, lat]]))[0]
    inside = -0.5 <= row < grid.shape[0] - 0.5 and -0.5 <= col < grid.shape[1] - 0.5
    if not inside:
        return f"{at}; it lies outside the part that both pictures show."
    if change is None or not summary.told(comparison):
        return f"{at}; it lies inside the pictures, but nothing is said about change from this pair."
    cell = int(row + 0.5) // change.cell_px, int(col + 0.5) // change.cell_px
    if change.changed[cell] == NOT_ANALYSED:
        return f"{at}; it lies inside the pictures, but was not analysed."
    return f"{at}; {_nearest(comparison, (row, col))}"


def _nearest(comparison: Comparison, rc: tuple[float, float]) -> str:
    """The region at a place, or how far the nearest one lies from it, both by their boxes."""
    if not comparison.regions:
        return "it was analysed, and no region was found anywhere."
    away = [(_away_px(region, rc), region.id) for region in comparison.regions]
    distance, nearest = min(away)
    if distance == 0:
        inside = [str(number) for px, number in sorted(away) if px == 0]
        return f"it lies in the box of region {', '.join(inside)}."
    apart = wording.error(distance, comparison.pair.grid)
    return (
        f"it was analysed, and lies in no region; the box of the nearest, region {nearest}, is {apart} away."
    )


def _away_px(region: Region, rc: tuple[float, float]) -> float:
    top, left, bottom, right = region.bbox_rc
    down = max(top - 0.5 - rc[0], rc[0] - (bottom - 0.5), 0.0)
    across = max(left - 0.5 - rc[1], rc[1] - (right - 0.5), 0.0)
    return float(np.hypot(down, across))
