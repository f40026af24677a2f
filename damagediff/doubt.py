"""Part of `types`: what was asked of this very pair, and how far its result can be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .detection import Detection
from .ordinary import Ordinary

Verdict = Literal["comparable", "comparable with reservations", "not comparable"]


Weight = Literal["deciding", "reservation", "information"]
WEIGHT: dict[str, Weight] = {
    "alignment": "deciding",
    "comparability": "deciding",
    "check points": "reservation",
    "held-out agreement": "reservation",
    "number of check points": "reservation",
    "steadiness": "reservation",
    "contrast of change": "reservation",
    "analysed share": "reservation",
    "resolution": "reservation",
    "dates": "reservation",
    "two files": "reservation",
    "two pictures": "deciding",
    "shared part": "reservation",
    "repeated part": "reservation",
    "event date": "reservation",
    "season": "information",
    "sun height": "reservation",
    "sun direction": "reservation",
    "shadows before": "reservation",
    "shadows after": "reservation",
    "view angle": "reservation",
    "sharpness": "reservation",
    "JPEG quality": "reservation",
    "JPEG blocks": "reservation",
    "haze": "information",
    "cloud": "reservation",
    "clipped pixels": "reservation",
    "planted change": "reservation",
}
"""What follows when a check does not pass: the table from which every verdict is derived, and which
docs/reading-a-report.md prints."""


@dataclass(frozen=True)
class Check:
    """One question asked of this pair, what was measured, and the limit it is held against."""

    name: str
    question: str
    measured: float | str | None
    limit: float | str | None
    unit: str
    passed: bool | None
    """None: could not be asked of this pair."""
    detail: str = ""
    """What lies behind the number, or why the question could not be asked; may be empty."""


@dataclass(frozen=True)
class Trust:
    """How far the result can be trusted on this very pair."""

    verdict: Verdict
    checks: tuple[Check, ...]
    false_alarms_per_megapixel: float | None = None
    false_alarms_per_megapixel_interval: tuple[float, float] | None = None
    false_alarms_per_km2: float | None = None
    false_alarms_per_km2_interval: tuple[float, float] | None = None
    detection_limit_px: float | None = None
    """Size of a collapsed building found with 90 % probability; None: cannot be said, see `detection`."""
    detection_limit_m: float | None = None
    detection: Detection = Detection()
    """The self-test that the limit comes from."""
    ordinary: Ordinary = Ordinary()
    """Ordinary change counted on this pair, which the rates of false alarms come from."""
