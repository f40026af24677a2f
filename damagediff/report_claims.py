"""Part of the report: each claim, quoted, what was measured that bears on it, and what reviewers found."""

from __future__ import annotations

from typing import Any

from . import agreement, claim_facts, wording
from .judged import Judgement
from .types import Claim, Comparison

MAX_CLAIM = 5000
"""Characters of a claim that are shown."""


def claims(comparison: Comparison) -> dict[str, Any] | None:
    """The claims of the case with the facts that all of them are held against; None without any."""
    if not comparison.case.claims:
        return None
    return {
        "can_show": claim_facts.CAN_SHOW,
        "cannot_show": claim_facts.CANNOT_SHOW,
        "facts": list(claim_facts.facts(comparison)),
        "each": [_claim(comparison, n, claim) for n, claim in enumerate(comparison.case.claims, 1)],
    }


def _claim(comparison: Comparison, number: int, claim: Claim) -> dict[str, Any]:
    said = agreement.on(comparison.reviews, "claim", str(number))
    return {
        "number": number,
        "text": wording.plain(claim.text, MAX_CLAIM),
        "source": wording.plain(claim.source, 1000),
        "findings": [{"reviewer": who, **_finding(judgement)} for who, judgement in said],
    }


def _finding(judgement: Judgement) -> dict[str, str]:
    return {
        "finding": judgement.decision,
        "regions": ", ".join(map(str, judgement.regions)),
        "reason": judgement.reason,
    }
