"""Part of the report: the comparability card, in plain words."""

from __future__ import annotations

from typing import Any

from . import wording
from .doubt import WEIGHT
from .types import Check, Comparison

RESULTS = {
    "deciding": "not passed: decides",
    "reservation": "not passed: reservation",
    "information": "worth knowing",
}
NOT_ASKED = "could not be asked"
AT_MOST = {
    "check points", "steadiness", "resolution", "season", "sun height", "sun direction", "shadows before",
    "shadows after", "view angle", "sharpness", "JPEG blocks", "haze", "clipped pixels", "two pictures",
    "shared part", "repeated part", "cloud",
}  # fmt: skip
"""Checks whose limit is the largest value that passes; of the others it is the least."""
MORE_THAN = {"dates", "event date"}


def card(comparison: Comparison) -> dict[str, Any]:
    """Every check as a row, what did not pass, and how much could not be asked."""
    checks = comparison.trust.checks
    unasked = [check.name for check in checks if check.passed is None]
    counted = f"{len(unasked)} of {wording.count(len(checks), 'question')} could not be asked"
    return {
        "checks": [_row(check) for check in checks],
        "failed": [_failed(check) for check in checks if check.passed is False],
        "unasked": f"{counted}: {', '.join(unasked)}. What was not asked was not passed."
        if unasked
        else None,
        "event": _event(checks),
    }


def _row(check: Check) -> dict[str, str]:
    result = _result(check)
    kind = {True: "passed", None: "could-not-be-asked"}.get(check.passed, "not-passed")
    told = check.passed is False and WEIGHT.get(check.name) == "information"
    return {
        "name": check.name,
        "question": check.question,
        "detail": wording.plain(check.detail, 500),
        "measured": _value(check.measured, "not known"),
        "limit": _limit(check),
        "unit": check.unit or "–",
        "result": result,
        "class": "worth-knowing" if told else kind,
    }


def _result(check: Check) -> str:
    if check.passed is None:
        return NOT_ASKED
    return "passed" if check.passed else RESULTS[WEIGHT.get(check.name, "reservation")]


def _failed(check: Check) -> str:
    """One line of what did not pass, with what was measured."""
    word = "Worth knowing" if WEIGHT.get(check.name) == "information" else "Not passed"
    unit = f" {check.unit}" if isinstance(check.measured, (int, float)) else ""
    if "/" in unit:  # a formula, not a unit: it would read as if it began with the number
        unit = f" ({check.unit})"
    number = "" if check.measured is None else f" Measured {_value(check.measured, '')}{unit}"
    if number and isinstance(check.limit, (int, float)):
        number += f", asked {_limit(check)}"
    number += "." if number else ""
    behind = f" {check.detail[0].upper()}{check.detail[1:]}." if check.detail else ""
    return f"{word}: {wording.plain(check.question + number + behind, 700)}"


def _limit(check: Check) -> str:
    """The limit with the side on which it lies."""
    if not isinstance(check.limit, (int, float)):
        return _value(check.limit, "–")
    side = "at most" if check.name in AT_MOST else "more than" if check.name in MORE_THAN else "at least"
    return f"{side} {_value(check.limit, '')}"


def _event(checks: tuple[Check, ...]) -> str | None:
    """The stated event against the time between the images, where one was stated."""
    check = next((c for c in checks if c.name == "event date"), None)
    if check is None or not check.detail.startswith("stated"):
        return None
    answer = {True: "between the two images", False: "NOT between the two images", None: "cannot be told"}
    return wording.plain(f"Event date: {answer[check.passed]} ({check.detail})", 700)


def _value(value: float | str | None, missing: str) -> str:
    if value is None:
        return missing
    if isinstance(value, str):
        return wording.plain(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
