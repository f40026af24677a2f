"""The report's part where both pictures are looked at: their words, the scale bar, the marks on them."""

from __future__ import annotations

from typing import Any

from . import figures, report_layers, report_pictures, summary, wording
from .types import ByteArray, Comparison, Image, Pictures

QUALITY = 86
"""JPEG quality: what is looked at here is not what was measured; before.tif and after_aligned.tif are."""


def viewer(comparison: Comparison) -> dict[str, Any]:
    """Both pictures with their words, the marks over them, and how large a pixel is."""
    pictures, pair = comparison.pictures, comparison.pair
    rows, cols = pictures.before.shape[:2]
    panes = [
        pane(role, image, rgb, QUALITY)
        for role, image, rgb in (
            ("before", pair.before, pictures.before),
            ("after", pair.after, pictures.after),
        )
    ]
    return {
        "panes": panes,
        "rows": rows,
        "cols": cols,
        "reduced": _reduced(pictures),
        "scale_words": _scale(comparison),
        **_bar(comparison),
        **report_layers.layers(comparison),
    }


def _scale(comparison: Comparison) -> str:
    """How metres are known; of a refused pair without georeference, only for the before picture."""
    grid = comparison.pair.grid
    one = comparison.change is None and not summary.placed(comparison) and grid.gsd_m is not None
    return wording.scale(grid) + (" (before picture)" if one else "")


def _reduced(pictures: Pictures) -> str:
    """At what resolution the pictures of the page are shown."""
    before, after = (
        f"reduced {wording.number(times, 3)} times" if times > 1 else "at full resolution"
        for times in (pictures.reduction, pictures.after_reduction or pictures.reduction)
    )
    return f"pictures {before}" if before == after else f"before {before}, after {after}"


def pane(role: str, image: Image, rgb: ByteArray, quality: int) -> dict[str, Any]:
    """One picture with its words, as a JPEG of this quality."""
    date, credit = wording.date(image.acquisition), summary.credit(image.credit)
    return {
        "role": role,
        "date": date,
        "credit": credit,
        "rows": rgb.shape[0],
        "cols": rgb.shape[1],
        "data": report_pictures.jpeg(rgb, quality),
        "alt": f"The place {role}: {wording.plain(image.name)}, {date}, {credit}",
    }


def _bar(comparison: Comparison) -> dict[str, Any]:
    """A scale bar: its length in words and as a share of the picture's width; none without a scale."""
    grid = comparison.pair.grid
    if grid.gsd_m is None:
        return {"bar": None}
    width_m = grid.gsd_m * grid.shape[1]
    length_m = figures.round_length(width_m / 5)
    words = f"{length_m / 1000:g} km" if length_m >= 1000 else f"{length_m:g} m"
    return {"bar": {"words": words, "share": round(100 * length_m / width_m, 3)}}
