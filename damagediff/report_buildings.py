"""The report's words on buildings and on squares of the grid summary."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from . import missed, summary, wording
from .types import Building, Comparison, FootprintCount

MAX_LISTED = 500
"""Regions, buildings or squares in a table of the page; all are in the files beside it."""


def buildings(comparison: Comparison) -> dict[str, Any] | None:
    """Counts by class, where the footprints were laid, and a row for each; None without footprints."""
    if comparison.case.footprints is None or comparison.change is None:
        return None
    numbered = enumerate(comparison.buildings)
    ranked = sorted(numbered, key=lambda item: (item[1].score is None, -(item[1].score or 0.0)))
    counts = summary.building_counts(comparison.buildings)
    return {
        "total": len(ranked),
        "counts": [
            (
                label,
                n,
                wording.share(n / len(ranked)) if ranked else "–",
                _meaning(label, comparison),
            )
            for label, n in counts.items()
        ],
        "placed": list(_placed(comparison)),
        "left_out": _left_out(comparison.footprint_count),
        "scale": summary.grade_scale(comparison),
        "rows": [_building(*item, comparison) for item in ranked[:MAX_LISTED]],
        "unlisted": max(0, len(ranked) - MAX_LISTED),
    }


def _meaning(label: str, comparison: Comparison) -> str:
    """What a class means; of no visible change, also what could have been missed."""
    meaning = wording.BUILDING_CLASSES.get(label, "")
    if label != wording.NO_CHANGE:
        return meaning
    return f"{meaning}; {missed.beside(comparison.trust, comparison.pair.grid)}"


def _left_out(count: FootprintCount | None) -> str | None:
    """How many features of the file are no footprint on the images, and what ids lack; None: nothing."""
    if count is None:
        return None
    why = (count.not_polygons, "without a polygon"), (count.off_images, "off the images")
    told = " and ".join(f"{wording.count(n, 'feature')} {words}" for n, words in why if n)
    said = [f"Not counted: {told}."] if told else []
    if count.ids_repeated:
        said.append(f"{wording.count(count.ids_repeated, 'footprint')} share an id with another one.")
    if count.without_id:
        named = "named by their position in the file"
        said.append(f"{wording.count(count.without_id, 'footprint')} without an id: {named}.")
    return " ".join(said) or None


def _building(number: int, building: Building, comparison: Comparison) -> dict[str, Any]:
    """A row; `number` counts the comparison's buildings from 0, as ids need not differ."""
    p_value, area_m2 = building.p_value, building.area_m2
    return {
        "number": number,
        "key": building.id,
        "id": wording.plain(building.id, 80),
        "label": building.label,
        "missed": missed.beside(comparison.trust, comparison.pair.grid)
        if building.label == wording.NO_CHANGE
        else "",
        "score": "not known" if building.score is None else wording.score(building.score),
        "p_value": "not known" if p_value is None else wording.number(p_value),
        "analysed": wording.share(building.analysed_share),
        "area": "not known" if area_m2 is None else wording.area(0, area_m2),
        "why": wording.plain(building.why),
    }


def squares(comparison: Comparison) -> dict[str, Any] | None:
    """The grid summary, squares with change by falling share; None when it was not asked for."""
    found, grid = comparison.grid_summary, comparison.pair.grid
    if found is None:
        return None
    side = f"{found.side_px:.0f} px" if found.side_m is None else f"{wording.number(found.side_m, 3)} m"
    with_share = [(summary.square_share(s, s.structural_px), s) for s in found.squares]
    changed = [(share, s) for share, s in with_share if share]
    changed.sort(key=lambda pair: (-pair[0], pair[1].row, pair[1].col))
    return {
        "side": side,
        "total": len(found.squares),
        "blank": sum(share is None for share, _ in with_share),
        "changed": len(changed),
        "rows": [
            {
                "place": f"row {s.row + 1}, column {s.col + 1}",
                "share": wording.share(share),
                "area": wording.area(
                    s.structural_px,
                    None if grid.pixel_area_m2 is None else s.structural_px * grid.pixel_area_m2,
                ),
                "analysed": wording.share(summary.square_analysed(s)),
                "buildings": "{} of {}".format(*summary.square_buildings(s)) if s.buildings else "–",
            }
            for share, s in changed[:MAX_LISTED]
        ],
    }


def _placed(comparison: Comparison) -> Iterator[tuple[str, str]]:
    """How the footprints were laid on the before image: the scene, then each block that differs from it."""
    fitted, grid = comparison.footprint_fit, comparison.pair.grid
    if fitted is None:
        yield "Footprints", "taken where their file puts them"
        return
    yield (
        f"Whole scene ({wording.count(fitted.scene.outlines, 'outline')})",
        summary.shift(fitted.scene, grid),
    )
    own = [shift for shift in fitted.blocks if shift.shift_rc != fitted.scene.shift_rc]
    for shift in own[:MAX_LISTED]:
        row, col = shift.block or (0, 0)
        where = f"Block in row {row + 1}, column {col + 1} ({wording.count(shift.outlines, 'outline')})"
        yield where, summary.shift(shift, grid)
