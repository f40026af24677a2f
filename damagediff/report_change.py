"""The report's part on measured change, and on how small and how false it may be."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import missed, summary, summary_ordinary, wording
from .outcome import Sight
from .types import Comparison


def measured(comparison: Comparison) -> list[tuple[str, str]]:
    """The detection limit, or plainly that it was not measured."""
    trust, grid = comparison.trust, comparison.pair.grid
    return [("What could have been missed", missed.headline(trust, grid))]


def ordinary(comparison: Comparison) -> dict[str, Any]:
    """The part on ordinary change: a sentence, the rates, and every way in which it was counted."""
    trust, grid = comparison.trust, comparison.pair.grid
    rates = [
        (words, summary_ordinary.rate(value, interval))
        for words, value, interval in (
            (
                "Ordinary regions a megapixel (90 % interval)",
                trust.false_alarms_per_megapixel,
                trust.false_alarms_per_megapixel_interval,
            ),
            (
                "The same a km²",
                trust.false_alarms_per_km2,
                trust.false_alarms_per_km2_interval,
            ),
        )
        if value is not None
    ]
    ways = [summary_ordinary.row(null, trust.ordinary, grid) for null in trust.ordinary.nulls]
    return {"sentence": summary_ordinary.sentence(trust.ordinary), "rows": [*rates, *ways]}


def measure(comparison: Comparison) -> str:
    """What the score was made of."""
    return "structure" if comparison.change is None else comparison.change.measure


def tiers(comparison: Comparison) -> list[tuple[str, str, str]]:
    """(name, meaning, tier) of the tiers that this run can give."""
    names, meanings = wording.tiers(measure(comparison))
    return [(names[tier], meaning, tier) for tier, meaning in meanings.items()]


def change_part(comparison: Comparison) -> list[tuple[str, str]]:
    """Rows of name and value: how change was measured, and how much of it."""
    change = comparison.change
    if change is None:
        return []
    seen = summary.amounts(change, comparison.pair.grid)
    return [
        ("Measure", wording.MEASURES[change.measure]),
        ("Analysed", f"{wording.share(seen.analysed_share)} of the scene, {seen.area(seen.analysed_px)}"),
        *(
            (f"Not analysed: {wording.REASONS[reason]}", f"{wording.share(px / seen.total_px)} of the scene")
            for reason, px in seen.not_analysed_px.items()
            if px
        ),
        *(
            (
                name[0].upper() + name[1:],
                _part(seen, {"structural": seen.structural_px}.get(tier, seen.other_px)),
            )
            for tier, name in wording.tiers(change.measure)[0].items()
        ),
        (
            "Threshold of the score",
            f"{wording.number(change.threshold, 3)} ({wording.plain(change.threshold_rule, 500)})",
        ),
        (
            "Comparability",
            f"{wording.number(change.comparability, 3)}: 1 - median / ceiling of the "
            f"{'log-ratio' if change.measure == 'log_ratio' else 'structure measure'} "
            "(0: as different as unrelated pictures)",
        ),
        *_sight(change.sight),
        *summary.sensitivity_lines(change, comparison.pair.grid),
        (
            "Smallest region reported",
            f"{summary.min_region(change, comparison.pair.grid)} ({change.min_region_rule})"
            if change.min_region_rule
            else summary.min_region(change, comparison.pair.grid),
        ),
        *(
            (
                f"Calibration: {name.replace('_', ' ')}",
                wording.number(value, 3) if np.isfinite(value) else "not known",
            )
            for name, value in sorted(change.calibration.items())
        ),
    ]


def _sight(sight: Sight) -> list[tuple[str, str]]:
    """What looks like cloud or is saturated in each picture, where that is told."""
    rows = []
    for name, *both in (
        ("Looks like cloud or haze, at least", sight.cloud_before, sight.cloud_after),
        ("As bright as the file allows", sight.saturated_before, sight.saturated_after),
    ):
        told = [
            f"{wording.share(share)} of the {when} image"
            for when, share in zip(("before", "after"), both, strict=True)
            if share is not None
        ]
        if told:
            rows.append((name, f"{', '.join(told)}; nothing was left out for it"))
    return rows


def _part(seen: summary.Amounts, part_px: int) -> str:
    return f"{seen.area(part_px)}, {wording.share(seen.share_of_analysed(part_px))} of the area analysed"
