"""The report's part on where the pictures come from: source record, what files tell, places found by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from . import summary, wording
from .provenance import SOURCE_FIELDS
from .types import Acquisition, Comparison, Image, Window


def images(comparison: Comparison) -> list[dict[str, Any]]:
    """Of each image: rows on the file, on its source, and on what the file tells."""
    facts = comparison.file_facts or (None, None)
    pair, older = comparison.pair, comparison.baselines
    named = [("before", pair.before, facts[0]), ("after", pair.after, facts[1])]
    one_file = (pair.before.sha256, pair.before.address) == (pair.after.sha256, pair.after.address) and facts[
        0
    ] == facts[1]
    return [
        {
            "role": role,
            "rows": _file(image),
            "source": list(_source(image)),
            "missing": summary.missing_of_source(image.record),
            "told": () if told is None else summary.file_lines(told),
            "told_above": one_file and role == "after" and told is not None,
        }
        for role, image, told in (*named, *(("baseline", image, None) for image in older))
    ]


def _file(image: Image) -> list[tuple[str, str]]:
    rows, cols = image.shape
    return [
        ("File", wording.plain(image.name)),
        *(() if image.crop is None else (("Part of it", _part(image.crop)),)),
        ("SHA-256", image.sha256 or "not known: read by parts and not kept whole, see the note below"),
        ("Size", f"{image.size_bytes:,} bytes, {cols:,} × {rows:,} px, {image.driver}, {image.dtype}"),
        ("Integrity", wording.plain(image.integrity.words, 1000)),
        ("Bands", ", ".join(image.roles)),
        ("Coordinate system", _crs(image)),
        (
            "Date",
            f"{wording.date_iso(image.acquisition)} (source: {wording.plain(image.acquisition.source)})",
        ),
        ("Credit", summary.credit(image.credit)),
        *(("Note", wording.plain(note, 1000)) for note in image.notes),
    ]


_AS_STATED = {
    True: " (the file given)",
    False: " (another file than the one given)",
    None: " (not compared: the file was read by parts)",
}


def _part(crop: Window) -> str:
    """The rectangle that was cut out of a picture, in words."""
    last_col, last_row = crop.col + crop.cols - 1, crop.row + crop.rows - 1
    return (
        f"columns {crop.col:,} to {last_col:,}, rows {crop.row:,} to {last_row:,} of the picture as shown, "
        "counted from 0"
    )


def _crs(image: Image) -> str:
    if image.crs is None:
        return "none: not georeferenced"
    by = " (stated by the analyst, see below)" if image.placed_by_hand else ""
    return wording.plain(image.crs) + by


def _source(image: Image) -> Iterator[tuple[str, str]]:
    """What is stated, in the order of the record; the credit stands among the facts of the file."""
    record = image.record
    for name, words in SOURCE_FIELDS.items():
        value = getattr(record, name)
        if value is None or name == "credit":
            continue
        if name == "captured_at":
            when = Acquisition(record.captured_at, record.captured_precision, "")
            value = wording.date_iso(when)
        elif name == "original_sha256":
            same = record.is_original(image.sha256)
            value += _AS_STATED[same]
        yield words[0].upper() + words[1:], wording.plain(value, 2000)


def placed_by_hand(comparison: Comparison) -> dict[str, Any] | None:
    """The points of a georeference that the analyst made, and how well they agree; None without one."""
    found = comparison.pair.before.placed_by_hand
    if found is None:
        return None
    return {
        "points": [
            (
                f"{point.xy[0]:g}, {point.xy[1]:g}",
                f"{point.lonlat[1]:.6f}, {point.lonlat[0]:.6f}",
                f"{point.residual_m:,.1f}",
                "–" if point.left_out_m is None else f"{point.left_out_m:,.1f}",
            )
            for point in found.points
        ],
        "rms": f"{found.rms_m:,.1f} m",
        "left_out": None if found.left_out_rms_m is None else f"{found.left_out_rms_m:,.1f} m",
        "turn": f"{found.turn_deg:.1f}°",
        "stretch": f"{100 * (found.stretch - 1):.1f} %",
    }
