"""How far the result can be trusted on this very pair: checks with their limits, and the verdict they give.

In this version the detection limit and the false-alarm rate are not measured; the report says so.
"""

from __future__ import annotations

from collections.abc import Iterable

from .types import Alignment, ChangeMap, Check, Pair, Trust, Verdict

MIN_ANALYSED = 0.5
"""Share of the overlap below which what was seen may not stand for the place."""
MAX_GSD_RATIO = 2.0
"""Beyond it the coarser image cannot show what the finer one does."""
MAX_CE90_PX = 2.0
"""Half of the search that the structure measure makes around each place."""
RESERVED_COMPARABILITY = 0.16
"""Twice the limit: a pair between the two is compared with reservations."""

DECIDING = ("alignment", "comparability")
"""Checks without which nothing may be said; failing any other one is a reservation."""


def judge(
    pair: Pair, alignment: Alignment, change: ChangeMap | None, overlap_share: float | None, limit: float
) -> Trust:
    """Ask every question that can be asked of this pair.

    Parameters
    ----------
    overlap_share : float or None
        Share of the working grid on which the change was analysed.
    limit : float
        Comparability below which nothing can be said.
    """
    checks = (
        _alignment(alignment),
        _residual(alignment),
        _comparability(change, limit),
        _room_above(change),
        _analysed(overlap_share),
        _resolution(pair),
        _dates(pair),
        _different(pair),
    )
    return Trust(verdict=verdict(checks), checks=checks)


def verdict(checks: Iterable[Check]) -> Verdict:
    """Not comparable if a deciding check failed, with reservations if any other did."""
    failed = {check.name for check in checks if check.passed is False}
    if failed & set(DECIDING):
        return "not comparable"
    return "comparable with reservations" if failed else "comparable"


def _alignment(alignment: Alignment) -> Check:
    e = alignment.evidence
    question = "Do the two images show the same place, beyond chance?"
    return Check("alignment", question, round(e.score, 2), e.limit, "evidence", alignment.accepted)


def _residual(alignment: Alignment) -> Check:
    question = "Do places held out of the fit lie where the alignment says?"
    measured = alignment.ce90_px
    passed = None if measured is None else measured <= MAX_CE90_PX
    return Check("check points", question, measured, MAX_CE90_PX, "px (CE90)", passed)


def _comparability(change: ChangeMap | None, limit: float) -> Check:
    question = "Do the images resemble each other more than unrelated places do?"
    if change is None:
        return Check("comparability", question, None, limit, "1 - floor / ceiling", None)
    passed = change.comparability >= limit
    return Check("comparability", question, change.comparability, limit, "1 - floor / ceiling", passed)


def _room_above(change: ChangeMap | None) -> Check:
    question = "Is that resemblance strong enough for small changes to stand out?"
    measured = None if change is None else change.comparability
    passed = None if measured is None else measured >= RESERVED_COMPARABILITY
    return Check(
        "contrast of change", question, measured, RESERVED_COMPARABILITY, "1 - floor / ceiling", passed
    )


def _analysed(share: float | None) -> Check:
    question = "Was enough of the overlap analysed?"
    passed = None if share is None else share >= MIN_ANALYSED
    return Check("analysed share", question, share, MIN_ANALYSED, "share of the working grid", passed)


def _resolution(pair: Pair) -> Check:
    question = "Are the two images about equally fine?"
    ratio = _gsd_ratio(pair)
    passed = None if ratio is None else ratio <= MAX_GSD_RATIO
    return Check("resolution", question, ratio, MAX_GSD_RATIO, "ratio of pixel sizes", passed)


def _gsd_ratio(pair: Pair) -> float | None:
    sizes = [abs(image.transform.determinant) ** 0.5 for image in (pair.before, pair.after)]
    if not (pair.before.georeferenced and pair.before.crs == pair.after.crs) or min(sizes) <= 0:
        return None
    return max(sizes) / min(sizes)


def _dates(pair: Pair) -> Check:
    question = "Was the before image taken before the after image?"
    first, second = pair.before.acquisition.acquired, pair.after.acquisition.acquired
    if first is None or second is None:
        return Check("dates", question, None, 0.0, "days between", None)
    days = (second - first).total_seconds() / 86400
    return Check("dates", question, round(days, 2), 0.0, "days between", days > 0)


def _different(pair: Pair) -> Check:
    question = "Are the two files different files?"
    measured = "identical bytes" if pair.identical else "different"
    return Check("two files", question, measured, None, "", not pair.identical)
