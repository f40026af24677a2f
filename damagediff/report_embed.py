"""For a news page: a fragment of HTML with a slider and both pictures, and the markup of JuxtaposeJS."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

from . import outputs, report_pages, report_pictures, summary, wording
from .errors import SettingsError
from .types import Comparison, Grid, Image

SIDES = (1600, 1280, 1024, 800, 640, 480)
"""Longest side of the pictures in px: the first with which both keep to `MAX_BYTES`, else the last."""
MAX_BYTES = 1_500_000
"""Of both pictures together: a page must open on a telephone."""
QUALITY = 82


def check(before_credit: str | None, after_credit: str | None) -> None:
    """Refuse what is made to be published when an image has no credit.

    Raises
    ------
    SettingsError
        Names the image.
    """
    sides = (("before", before_credit), ("after", after_credit))
    lacking = [f"--{side}-credit" for side, credit in sides if not wording.plain(credit or "")]
    if lacking:
        raise SettingsError(
            f"--embed: made to be published, so each image must be credited. Give {' and '.join(lacking)}"
        )


def write(comparison: Comparison, folder: Path) -> bool:
    """Write embed.html, embed_juxtapose.html, embed_before.jpg and embed_after.jpg into `folder`.

    The same comparison gives the same bytes. Pictures are without marks.

    Returns
    -------
    bool
        False: nothing is written, because nothing may be said about change from this pair.
    """
    if not summary.told(comparison):
        return False
    both = _both(comparison)
    for role, (data, _) in both.items():
        (folder / f"embed_{role}.jpg").write_bytes(data)
    words = _words(comparison, both)
    for template in ("embed.html", "embed_juxtapose.html"):
        text = report_pages.fragment(f"{template}.j2", words)
        # The page that it is put into may be of any encoding.
        (folder / template).write_bytes(text.encode("ascii", "xmlcharrefreplace"))
    return True


def _both(comparison: Comparison) -> dict[str, tuple[bytes, tuple[int, ...]]]:
    """Each picture as JPEG, with its rows and columns."""
    for side in SIDES:
        small = {
            "before": report_pictures.fitted(comparison.pictures.before, side),
            "after": report_pictures.fitted(comparison.pictures.after, side),
        }
        both = {
            role: (report_pictures.jpeg_bytes(rgb, QUALITY), rgb.shape[:2]) for role, rgb in small.items()
        }
        if sum(len(data) for data, _ in both.values()) <= MAX_BYTES:
            break
    return both


def _words(comparison: Comparison, both: dict[str, tuple[bytes, tuple[int, ...]]]) -> dict[str, Any]:
    pair = comparison.pair
    sides = ("before", pair.before), ("after", pair.after)
    panes = [_pane(comparison, role, image, both[role]) for role, image in sides]
    return {
        "title": _title(comparison),
        "synthetic": summary.synthetic(comparison),
        "panes": panes,
        "said": _said(comparison),
    }


def _title(comparison: Comparison) -> str:
    """What the user called it; names of files are no title for readers."""
    return summary.title(comparison) if comparison.case.title else "One place, seen twice"


def _pane(
    comparison: Comparison, role: str, image: Image, picture: tuple[bytes, tuple[int, ...]]
) -> dict[str, Any]:
    data, (rows, cols) = picture
    date, credit = wording.date(image.acquisition), summary.credit(image.credit)
    return {
        "role": role,
        "date": date,
        "credit": credit,
        # JuxtaposeJS takes this attribute for markup.
        "credit_markup": html.escape(credit),
        "alt": f"{_title(comparison)}: {role}, {date}",
        "file": f"embed_{role}.jpg",
        "data": report_pictures.jpeg_address(data),
        "rows": rows,
        "cols": cols,
    }


def _said(comparison: Comparison) -> list[str]:
    """What must stand below: how far the pair can be trusted, what was done to it, its scale, and by what."""
    version = f"damagediff {comparison.versions.get('damagediff', '')}".strip()
    verdict = summary.verdict_line(comparison)
    return [
        *([verdict] if verdict else []),
        "images processed: co-registered, contrast stretched p2\u2013p98, both alike",
        _scale(comparison.pair.grid),
        f"{version}, id {outputs.evidence_id(comparison)}",
    ]


def _scale(grid: Grid) -> str:
    """How wide the pictures are on the ground."""
    if grid.gsd_m is None:
        return wording.NO_SCALE
    width_m = grid.gsd_m * grid.shape[1]
    words = f"{wording.number(width_m / 1000)} km" if width_m >= 1000 else f"{wording.number(width_m)} m"
    return f"{words} from left to right"
