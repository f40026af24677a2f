"""Part of `summary`: what reviewers decided, taken together, and how far two of them agree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from .judged import Judgement, Kind, Review

DISPUTED = "disputed"
"""What is said of a thing on which the reviewers' last decisions differ."""

MAX_NAMED = 12
"""Regions named on a figure."""
Key = tuple[Kind, str]
"""What was judged."""


@dataclass(frozen=True)
class Agreement:
    """How far two reviewers agree on the regions and buildings that both judged."""

    reviewers: tuple[str, str]
    items: int
    """How many both judged."""
    same: int
    """Of these, how many they decided alike."""
    kappa: float | None
    """Cohen's kappa, -1..1: 0 is what chance gives; None where chance alone would agree on everything."""


def latest(reviews: Sequence[Review]) -> dict[str, dict[Key, Judgement]]:
    """The last judgement of each reviewer on each thing; reviewers in the order in which they came.

    Initials in small and capital letters are one reviewer.
    """
    found: dict[str, dict[Key, Judgement]] = {}
    spelled: dict[str, str] = {}
    for review in reviews:
        own = found.setdefault(spelled.setdefault(review.reviewer.casefold(), review.reviewer), {})
        own.update({(judgement.kind, judgement.id): judgement for judgement in review.judgements})
    return found


def on(reviews: Sequence[Review], kind: Kind, name: str) -> list[tuple[str, Judgement]]:
    """(reviewer, last judgement) of everyone who judged this thing."""
    return [(reviewer, own[kind, name]) for reviewer, own in latest(reviews).items() if (kind, name) in own]


def states(reviews: Sequence[Review], kind: Kind) -> dict[str, str]:
    """By id what all who judged it decided, or `DISPUTED`; without what nobody judged."""
    found: dict[str, set[str]] = {}
    for own in latest(reviews).values():
        for (of, name), judgement in own.items():
            if of == kind:
                found.setdefault(name, set()).add(judgement.decision)
    return {name: said.pop() if len(said) == 1 else DISPUTED for name, said in found.items()}


def line(reviews: Sequence[Review]) -> str | None:
    """Which regions were rejected or are disputed, in few words for a figure; None without a review."""
    if not reviews:
        return None
    found = states(reviews, "region")
    told = []
    for word in ("rejected", DISPUTED):
        ids = sorted(int(name) for name, state in found.items() if state == word)
        if ids:
            shown = ", ".join(map(str, ids[:MAX_NAMED]))
            told.append(f"{word} {shown}{' and more' if ids[MAX_NAMED:] else ''}")
    return f"regions by review: {'; '.join(told)}" if told else "reviewed: no region rejected"


def agreements(reviews: Sequence[Review]) -> Iterator[Agreement]:
    """Of each two reviewers; claims are left out, their findings are no decisions."""
    for (one, first), (other, second) in combinations(latest(reviews).items(), 2):
        both = [key for key in first if key in second and key[0] != "claim"]
        pairs = [(first[key].decision, second[key].decision) for key in both]
        same = sum(a == b for a, b in pairs)
        yield Agreement((one, other), len(pairs), same, kappa(pairs))


def kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Agreement of two raters beyond chance [1]_.

    Parameters
    ----------
    pairs : sequence of (str, str)
        What the first and the second said of one thing.

    Returns
    -------
    float or None
        (observed - expected) / (1 - expected); None without pairs, and where both gave everything one and the
        same answer, so that chance would agree as well.

    References
    ----------
    .. [1] Cohen, "A coefficient of agreement for nominal scales", Educational and Psychological
           Measurement 20(1), 1960. :DOI:`10.1177/001316446002000104`
    """
    n = len(pairs)
    same = sum(a == b for a, b in pairs)
    answers = {answer for pair in pairs for answer in pair}
    by_chance = sum(sum(a == x for a, _ in pairs) * sum(b == x for _, b in pairs) for x in answers)
    if not n or by_chance == n * n:
        return None
    return (n * same - by_chance) / (n * n - by_chance)  # both times n squared: whole numbers until here
