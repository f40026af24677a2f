"""How far the result can be trusted on this very pair: checks with their limits, and the verdict they give.

The detection limit comes from `selftest`, the false-alarm rate from `false_alarms`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from . import align_points, card, grid, same_picture, wording
from .detection import Detection, DetectionCurve
from .doubt import WEIGHT
from .types import Alignment, ChangeMap, Check, Grid, Pair, Trust, Verdict

MIN_ANALYSED = 0.5
"""Share of the overlap below which what was seen may not stand for the place."""
MAX_GSD_RATIO = 2.0
"""Beyond it the coarser image cannot show what the finer one does."""
MAX_CE90_PX = 2.0
"""Half of the search that the structure measure makes around each place."""
MAX_STANDARD_ERROR_PX = 1.0
"""Beyond it the alignment itself moves edges by a pixel when other windows are asked."""
RESERVED_COMPARABILITY = 0.16
"""Twice the limit: a pair between the two is compared with reservations."""

MIN_CHECKING = 8
"""Held-out points that agree, below which their residuals say little."""
MIN_AGREEING = 0.7
"""Share of the held-out points that should lie near the model; the others are not in its RMSE and CE90."""


def judge(
    pair: Pair,
    alignment: Alignment,
    change: ChangeMap | None,
    overlap_share: float | None,
    limit: float,
    facts: card.Facts | None = None,
) -> Trust:
    """Ask every question that can be asked of this pair.

    Parameters
    ----------
    overlap_share : float or None
        Share of the working grid on which the change was analysed.
    limit : float
        Comparability below which nothing can be said.
    facts : Facts or None
        What the comparability card holds against its limits; None: nothing beyond the files' own word.
    """
    checks = (
        _alignment(alignment),
        _comparability(change, limit),
        _residual(alignment),
        _agreement(alignment),
        _enough(alignment),
        _steadiness(alignment),
        _room_above(change),
        _analysed(overlap_share),
        _resolution(pair, alignment),
        _dates(pair),
        _different(pair),
        *same_picture.checks(facts.same if facts else None),
        *card.checks(pair, change, facts or card.Facts()),
    )
    return Trust(verdict=verdict(checks), checks=checks)


def with_detection(found: Trust, detection: Detection, on: Grid) -> Trust:
    """The same with what the self-test found: the limit is that of rubble, of a collapsed building."""
    curve = detection.curve("rubble")
    size = None if curve is None else curve.found.size_90_px
    size_m = None if size is None or on.gsd_m is None else size * on.gsd_m
    checks = (*found.checks, _planted(curve))
    return replace(
        found,
        verdict=verdict(checks),
        checks=checks,
        detection_limit_px=size,
        detection_limit_m=size_m,
        detection=detection,
    )


def _planted(curve: DetectionCurve | None) -> Check:
    question = (
        "Would a building turned to rubble be found with nine tenths of probability at any size tested?"
    )
    if curve is None or not curve.found.curve:
        return Check("planted change", question, None, None, "px", None)
    size = curve.found.size_90_px
    largest = float(curve.tallies[-1].size_px)
    measured: float | str = "at none" if size is None else size
    return Check("planted change", question, measured, largest, "px", size is not None)


def verdict(checks: Iterable[Check]) -> Verdict:
    """By `WEIGHT` of the checks that did not pass; a check that could not be asked changes nothing."""
    failed = {WEIGHT[check.name] for check in checks if check.passed is False}
    if "deciding" in failed:
        return "not comparable"
    return "comparable with reservations" if "reservation" in failed else "comparable"


def _alignment(alignment: Alignment) -> Check:
    e = alignment.evidence
    question = "Do the two images show the same place, beyond chance?"
    measured: float | str = round(e.score, 2)
    if e.score >= e.limit and not alignment.accepted:
        measured = f"{e.score:.1f}, but refused for another reason: see Alignment"
    return Check("alignment", question, measured, e.limit, "evidence", alignment.accepted)


def _residual(alignment: Alignment) -> Check:
    question = "Do held-out places that agree with the alignment lie close to where it says?"
    measured = alignment.ce90_px
    passed = None if measured is None else measured <= MAX_CE90_PX
    return Check("check points", question, measured, MAX_CE90_PX, "px (CE90)", passed)


def _agreement(alignment: Alignment) -> Check:
    held = int(alignment.tie_points.held_out.sum())
    question = "Do most of the held-out places agree with the alignment?"
    share = alignment.tie_points.count("check") / held if held else None
    passed = None if share is None else share >= MIN_AGREEING
    unit = f"share within {align_points.GROSS_PX:g} px"
    return Check("held-out agreement", question, share, MIN_AGREEING, unit, passed)


def _enough(alignment: Alignment) -> Check:
    question = "Are there enough held-out places that agree, to judge the alignment by them?"
    count = alignment.tie_points.count("check") if alignment.accepted else None
    passed = None if count is None else count >= MIN_CHECKING
    return Check("number of check points", question, count, float(MIN_CHECKING), "points", passed)


def _steadiness(alignment: Alignment) -> Check:
    question = "Does the alignment stay where it is when part of its tie points is left out?"
    error, most = alignment.standard_error_px, MAX_STANDARD_ERROR_PX
    return Check(
        "steadiness", question, error, most, "px (standard error)", None if error is None else error <= most
    )


def _comparability(change: ChangeMap | None, limit: float) -> Check:
    question = "Do the images resemble each other more than unrelated places do?"
    if change is None:
        return Check("comparability", question, None, limit, "1 - median / ceiling", None)
    passed = change.comparability >= limit
    return Check("comparability", question, change.comparability, limit, "1 - median / ceiling", passed)


def _room_above(change: ChangeMap | None) -> Check:
    question = "Is that resemblance strong enough for small changes to stand out?"
    measured = None if change is None else change.comparability
    passed = None if measured is None else measured >= RESERVED_COMPARABILITY
    return Check(
        "contrast of change", question, measured, RESERVED_COMPARABILITY, "1 - median / ceiling", passed
    )


def _analysed(share: float | None) -> Check:
    question = "Was enough of what was asked about analysed?"
    passed = None if share is None else share >= MIN_ANALYSED
    return Check(
        "analysed share",
        question,
        share,
        MIN_ANALYSED,
        "share of the grid, or of the area of interest",
        passed,
    )


def _resolution(pair: Pair, alignment: Alignment) -> Check:
    question = "Are the two images about equally fine?"
    ratio = _pixel_ratio(pair, alignment)
    passed = None if ratio is None else ratio <= MAX_GSD_RATIO
    return Check("resolution", question, ratio, MAX_GSD_RATIO, "ratio of pixel sizes", passed)


def _pixel_ratio(pair: Pair, alignment: Alignment) -> float | None:
    """Larger over smaller pixel: by the georeferences, else by the scale of the accepted alignment.

    To two decimals: reprojection turns 2 into 2.0003.
    """
    if not pair.moving_is_file and pair.grid.crs is not None:
        sizes = [grid.ground_sample_distance(image, pair.grid.crs) for image in (pair.before, pair.after)]
        return round(max(sizes) / min(sizes), 2)
    if not alignment.accepted:
        return None
    (a, b), (c, d) = alignment.moving_from_reference[:2, :2]
    scale = abs(float(a * d - b * c)) ** 0.5
    return round(max(scale, 1 / scale), 2)


def _dates(pair: Pair) -> Check:
    question = "Was the before image taken before the after image?"
    time = wording.apart(pair.before.acquisition, pair.after.acquisition)
    if time is None:
        return Check("dates", question, None, 0.0, "days between", None)
    if not time:
        same = wording.coarser(pair.before.acquisition, pair.after.acquisition)
        return Check("dates", question, f"same {same}: order not known", 0.0, "days between", None)
    days = round(time.total_seconds() / 86400, 6)
    if days < 0:
        question += " The before image is dated after the after image: were they swapped?"
    return Check("dates", question, days, 0.0, "days between", days > 0)


def _different(pair: Pair) -> Check:
    question = "Are the two files different files?"
    measured = "identical bytes" if pair.identical else "different"
    return Check("two files", question, measured, None, "", not pair.identical)
