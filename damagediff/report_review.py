"""Part of the report: what reviewers decided, how far they agree, and what the page's own review needs."""

from __future__ import annotations

from collections import Counter
from typing import Any

from . import agreement, outputs, wording
from .judged import Judgement, Kind
from .types import Comparison

DECISIONS = ("accepted", "rejected", "unsure", agreement.DISPUTED)


def review(comparison: Comparison) -> dict[str, Any]:
    """Reviewers, counts and agreement, and what may be exported from the page."""
    reviews = comparison.reviews
    gradable = wording.gradable(comparison.pair.grid.gsd_m)
    return {
        "files": [
            {
                "name": r.name,
                "reviewer": r.reviewer,
                "judged": wording.count(len(r.judgements), "judgement"),
                "scale": r.scale or "",
            }
            for r in reviews
        ],
        "reviewers": list(agreement.latest(reviews)),
        "counts": list(_counts(comparison)),
        "agreements": [_agreement(found) for found in agreement.agreements(reviews)],
        "scales": [
            {"name": name, "words": words.split(":")[0], "grades": "|".join(wording.grades(name))}
            for name, words in wording.GRADE_SCALES.items()
        ]
        if gradable
        else [],
        "chosen": comparison.settings["buildings"]["grade_scale"] or "",
        "no_grades": None if gradable else _no_grades(comparison),
        "evidence_id": outputs.evidence_id(comparison),
        "any": bool(comparison.regions or comparison.buildings or comparison.case.claims),
        "regions": judged(comparison, "region"),
        "buildings": judged(comparison, "building"),
    }


def judged(comparison: Comparison, kind: Kind) -> dict[str, dict[str, Any]]:
    """By id what is said beside a region or a building that anyone judged."""
    states = agreement.states(comparison.reviews, kind)
    return {
        name: {
            "state": state,
            "by": [_words(who, said) for who, said in agreement.on(comparison.reviews, kind, name)],
        }
        for name, state in states.items()
    }


def _words(reviewer: str, judgement: Judgement) -> dict[str, str]:
    return {
        "reviewer": reviewer,
        "decision": judgement.decision,
        "reason": judgement.reason,
        "grade": judgement.grade or "",
    }


def _counts(comparison: Comparison) -> Any:
    """(what, in words how many of each decision) for regions and for buildings."""
    totals = (("region", len(comparison.regions)), ("building", len(comparison.buildings)))
    for kind, total in totals:
        found = Counter(agreement.states(comparison.reviews, kind).values())  # type: ignore[arg-type]
        if total:
            told = [f"{found[word]} {word}" for word in DECISIONS if found[word]]
            left = total - found.total()
            told += [f"{left} not judged"] if left else []
            yield wording.count(total, kind), ", ".join(told)


def _agreement(found: agreement.Agreement) -> dict[str, str]:
    one, other = found.reviewers
    if not found.items:
        words = "no region or building was judged by both"
    elif found.kappa is None:
        words = (
            f"{found.same} of {found.items} judged alike; kappa is not defined, as both gave one and "
            "the same answer to all"
        )
    else:
        words = f"{found.same} of {found.items} judged alike, Cohen's kappa {_signed(found.kappa)}"
    return {"reviewers": f"{one} and {other}", "words": words}


def _signed(kappa: float) -> str:
    return f"{kappa:.2f}".replace("-", "−") if round(kappa, 2) else "0.00"


def _no_grades(comparison: Comparison) -> str:
    if comparison.pair.grid.gsd_m is None:
        return "Grades cannot be given: the size of a pixel is not known."
    return f"Grades cannot be given: pixels are larger than {wording.GRADES_TO_GSD_M:g} m."
