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
    """A key of `WEIGHT`, which says what follows when it does not pass."""
    question: str
    """In one sentence, so that passing is a yes."""
    measured: float | str | None
    """The answer in `unit`; None: not known."""
    limit: float | str | None
    """What is asked, in `unit`."""
    unit: str
    """Empty for what has none."""
    passed: bool | None
    """None: could not be asked of this pair."""
    detail: str = ""
    """What lies behind the number, or why the question could not be asked; may be empty."""


@dataclass(frozen=True)
class Trust:
    """How far the result can be trusted on this very pair."""

    verdict: Verdict
    """By the checks alone."""
    checks: tuple[Check, ...]
    """Every question, also those that could not be asked."""
    false_alarms_per_megapixel: float | None = None
    """Regions of ordinary change to expect in a megapixel; None: not measured."""
    false_alarms_per_megapixel_interval: tuple[float, float] | None = None
    """(low, high), with 90 % probability."""
    false_alarms_per_km2: float | None = None
    """The same in a square kilometre; None without a ground sample distance."""
    false_alarms_per_km2_interval: tuple[float, float] | None = None
    """(low, high), with 90 % probability."""
    detection_limit_px: float | None = None
    """Size of a collapsed building found with 90 % probability; None: cannot be said, see `detection`."""
    detection_limit_m: float | None = None
    """The same in metres; None without a ground sample distance."""
    detection: Detection = Detection()
    """The self-test that the limit comes from."""
    ordinary: Ordinary = Ordinary()
    """Ordinary change counted on this pair, which the rates of false alarms come from."""
