"""Ordinary change in words: how many of the regions listed may be nothing else, and how it was counted."""

from __future__ import annotations

from . import wording
from .ordinary import Null, NullName, Ordinary
from .types import Grid

ORDINARY = "building works, season, light, another view angle, or a small error of the alignment"
COUNTED_IN: dict[NullName, str] = {
    "baselines": "Between earlier images and the before image",
    "stable": "In the places that the user calls stable",
    "reversed": "Searched backwards in time",
    "displaced": "After image moved within its error",
}
WHY: dict[NullName, str] = {
    "baselines": "Nothing of the event can be in what changed between two earlier dates",
    "stable": "What was found there is ordinary change, if the user is right",
    "reversed": "An event takes built structure apart and puts none together, so what is found backwards is "
    "ordinary change, which is about as frequent in both directions of time",
    "displaced": "Regions that appear by this alone; they are a part of ordinary change only",
}
RARE, FREQUENT = 0.05, 0.9


def kind(ordinary: Ordinary) -> str:
    """The regions asked about, by the name of their tier."""
    names, _ = wording.tiers("log_ratio" if ordinary.tier == "other" else "structure")
    return names[ordinary.tier]


def brief(ordinary: Ordinary) -> str:
    """One short sentence: how many of the regions listed may be ordinary change."""
    by, listed, name = ordinary.headline, ordinary.listed, kind(ordinary)
    if by is None:
        return f"How many regions may be ordinary change was not measured: {ordinary.why_not}."
    (low, high), about = by.interval, by.expected
    if not listed:
        return (
            f"Ordinary change alone gives {_between(about, low, high)} regions of {name} in an area of this "
            "size; how much of other change is ordinary was not counted."
        )
    if listed == 1:
        return (
            f"The one region of {name} may or may not be ordinary change, which alone gives "
            f"{_between(about, low, high)} such regions in an area of this size."
        )
    of = f"the {listed:,} regions of {name}"
    if about >= listed:
        every = f"between {low:,} and all of {of}" if 0 < low < listed else f"all of {of}"
        return f"{every[0].upper()}{every[1:]} may be ordinary change."
    told = _between(about, low, min(high, listed))
    return f"{told[0].upper()}{told[1:]} of {of} may be ordinary change."


def sentence(ordinary: Ordinary) -> str:
    """The same for a reader without training: what ordinary change is, and how much an area like this has."""
    by = ordinary.headline
    if by is None:
        return brief(ordinary)
    size = (
        ""
        if ordinary.listed < 2
        else (
            f" In an area of this size ordinary change alone gives {_between(by.expected, *by.interval)} "
            "regions by the rules of this run."
        )
    )
    return (
        f"{brief(ordinary)}{size} Ordinary change is {ORDINARY}; the numbers in brackets hold the true one "
        "with 90 % probability."
    )


def _between(about: int, low: int, high: int) -> str:
    return f"about {about:,}" if low == high else f"about {about:,} ({low:,} to {high:,})"


def row(null: Null, ordinary: Ordinary, grid: Grid) -> tuple[str, str]:
    """(how ordinary change was counted, what was found and what it lets expect) in words."""
    area_m2 = None if grid.pixel_area_m2 is None else null.counted_px * grid.pixel_area_m2
    detail = f" ({wording.plain(null.words)})" if null.words else ""
    low, high = null.interval
    used = "; the one that this report goes by" if null is ordinary.headline else ""
    return (
        COUNTED_IN[null.name],
        f"{wording.count(null.regions, 'region')} in {wording.area(null.counted_px, area_m2)}{detail}, so "
        f"{_between(null.expected, low, high)} to expect in the area analysed{used}. {WHY[null.name]}.",
    )


def rate(value: float | None, interval: tuple[float, float] | None) -> str:
    """A rate with its interval."""
    if value is None or interval is None:
        return "not known"
    return f"{wording.number(value)} ({wording.number(interval[0])} to {wording.number(interval[1])})"


def chance(value: float | None) -> str:
    """The chance of one region to be ordinary change, no finer than it is known."""
    if value is None:
        return "–"
    if value < RARE:
        return f"under {100 * RARE:.0f} %"
    return f"over {100 * FREQUENT:.0f} %" if value >= FREQUENT else f"about {round(20 * value) * 5} %"


def chance_words(value: float | None) -> str | None:
    """The same as a sentence; None where it was not counted."""
    if value is None:
        return None
    likely = "unlikely" if value < 0.2 else "possible" if value < 0.5 else "likely"
    return f"Ordinary change is {likely} here: {chance(value)} by what was counted on this pair."
