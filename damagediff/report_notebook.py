"""A comparison as a cell of a notebook shows it: a piece of HTML that loads nothing and runs nothing.

The swipe needs no script: a row of radio buttons lies over the pictures, each as wide as one step, and the
style says where the after picture is cut for each. They answer to pointer, touch and arrow keys.
"""

from __future__ import annotations

from typing import Any

from . import (
    outputs,
    report_card,
    report_cards,
    report_change,
    report_layers,
    report_pages,
    report_pictures,
    report_review,
    report_viewer,
    summary,
    wording,
)
from .types import Comparison

SIDE_PX = 800
"""Longest side of the pictures: a notebook keeps every output, and is passed on with them."""
QUALITY = 82
MAX_LISTED = 10
"""Regions in the table and on the pictures."""
STEPS = 50
"""Places at which the swipe can stand, from one side to the other."""
HALFWAY = STEPS // 2


def html(comparison: Comparison) -> str:
    """The piece of HTML, with its style and pictures inside; every word of users and files is escaped.

    The same comparison gives the same text. Several of them in one page do not disturb each other.
    """
    return report_pages.fragment("notebook.html.j2", {"style": _style(), **_context(comparison)})


def _style() -> str:
    """Our style, with one rule for each place of the swipe; the one pointed at goes before the chosen one."""
    text = (report_pages.STATIC / "notebook.css").read_text(encoding="utf-8")
    rules = (
        f".dd-nb .dd-stage input:nth-of-type({step + 1}):{state} ~ * {{ --at: {100 * step / STEPS:g}%; }}\n"
        for state in ("checked", "hover")
        for step in range(STEPS + 1)
    )
    return text + "".join(rules)


def _context(comparison: Comparison) -> dict[str, Any]:
    accepted = comparison.change is not None
    told = summary.told(comparison)
    card = report_card.card(comparison)
    return {
        "title": summary.title(comparison),
        "bracket": summary.bracket(comparison),
        "event": card["event"],
        "verdict": comparison.verdict,
        "verdict_class": comparison.verdict.replace(" ", "-"),
        "verdict_meaning": wording.VERDICT_MEANING[comparison.verdict],
        "finding": summary.finding(comparison),
        "ordinary": report_change.ordinary(comparison)["sentence"] if told else None,
        "limits": summary.limits(comparison),
        "notes": [wording.plain(note, 1000) for note in comparison.notes],
        "synthetic": summary.synthetic(comparison),
        "damaged_file": summary.damaged(comparison),
        "checks": card["checks"],
        "failed": card["failed"],
        "unasked": card["unasked"],
        "accepted": accepted,
        **_pictures(comparison, accepted),
        "amounts": _amounts(comparison),
        "regions": report_cards.listed(comparison)[:MAX_LISTED],
        "unlisted": max(0, len(comparison.regions) - MAX_LISTED),
        **_reviews(comparison),
        "evidence_id": outputs.evidence_id(comparison),
        "version": comparison.versions.get("damagediff", ""),
    }


def _reviews(comparison: Comparison) -> dict[str, Any]:
    """Who reviewed the run, and the state of each region that was judged."""
    found = report_review.review(comparison)
    return {
        "reviewers": found["reviewers"],
        "review_counts": found["counts"],
        "judged": {name: said["state"] for name, said in found["regions"].items()},
    }


def _pictures(comparison: Comparison, accepted: bool) -> dict[str, Any]:
    """Both pictures, and the boxes over them."""
    rows, cols = comparison.pictures.before.shape[:2]
    sides = (
        ("before", comparison.pair.before, comparison.pictures.before),
        ("after", comparison.pair.after, comparison.pictures.after),
    )
    return {
        "panes": [
            report_viewer.pane(role, image, report_pictures.fitted(rgb, SIDE_PX), QUALITY)
            for role, image, rgb in sides
        ],
        "rows": rows,
        "cols": cols,
        "steps": [round(100 * step / STEPS) for step in range(STEPS + 1)],
        "halfway": HALFWAY,
        "boxes": report_layers.boxes(comparison, MAX_LISTED) if accepted else [],
        "label_px": round(max(rows, cols) / 45, 1),
        "scale": wording.scale(comparison.pair.grid),
    }


def _amounts(comparison: Comparison) -> list[tuple[str, str, str, str]]:
    """(what, how many, area, share and of what) of each tier, and of what was and was not analysed."""
    change, grid = comparison.change, comparison.pair.grid
    if change is None:
        return []
    seen = summary.amounts(change, grid)
    by_tier = {"structural": seen.structural_px, "other": seen.other_px}
    rows = [
        (
            name,
            wording.count(len(summary.tier_regions(comparison, tier)), "region"),
            seen.area(by_tier[tier]),
            f"{wording.share(seen.share_of_analysed(by_tier[tier]))} of what was analysed",
        )
        for tier, name in wording.tiers(change.measure)[0].items()
        if summary.told(comparison)
    ]
    parts = {"analysed": seen.analysed_px, "not analysed": seen.total_px - seen.analysed_px}
    parts |= {f"– {wording.REASONS[why]}": px for why, px in seen.not_analysed_px.items() if px}
    rows += [
        (name, "", seen.area(px), f"{wording.share(px / seen.total_px)} of the scene")
        for name, px in parts.items()
    ]
    buildings = summary.building_counts(comparison.buildings) if comparison.buildings else {}
    return rows + [(f"buildings: {name}", f"{count:,}", "", "") for name, count in buildings.items()]
