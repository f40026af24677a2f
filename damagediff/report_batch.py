"""The page that lists the cases of a batch, sortable by any column."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from . import report_pages, wording

HEADS = (
    ("name", "Case"),
    ("verdict", "Verdict"),
    ("ce90_m", "CE90, m"),
    ("ce90_px", "CE90, px"),
    ("structural_regions", "Regions of visible change"),
    ("changed_area_m2", "Changed, m²"),
    ("changed_share_of_analysed", "Changed, share of the area analysed"),
    ("detection_limit_m", "Detection limit, m"),
    ("detection_limit_px", "Detection limit, px"),
    ("message", "Why not"),
)


def html(lines: list[dict[str, Any]]) -> str:
    """The page, with its style and script inside.

    Parameters
    ----------
    lines : list of dict
        One a case, with the keys of `batches.COLUMNS`.
    """
    context = {
        "heads": [words for _, words in HEADS],
        "rows": [[_cell(line, key) for key, _ in HEADS] for line in lines],
        "count": wording.count(len(lines), "comparison"),
        "failed": sum(line["outcome"] == "failed" for line in lines),
    }
    return report_pages.render("batch.html.j2", "batch.js", context)


def _cell(line: dict[str, Any], key: str) -> dict[str, Any]:
    """Words of a cell, what it is sorted by, and where it leads."""
    value = line[key]
    if key == "verdict" and value is None:
        value = "could not be compared"
    number = isinstance(value, int | float)
    if value is None:
        words = "–"
    elif key == "changed_share_of_analysed":
        words = wording.share(value)
    elif key == "structural_regions":
        words = f"{value:,}"
    else:
        words = wording.number(value) if number else wording.plain(str(value), 300)
    link = line["report"] if key == "name" else None
    return {
        "words": words,
        "number": value if number else None,
        "link": None if link is None else quote(link),
    }
