"""The tables and vectors of a run: tie points, regions, squares and buildings as CSV and GeoJSON."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import json_text, lonlat, summary, wording
from .detection import Detection, Recall
from .types import Building, Comparison, Grid, Region, Square, TiePoints


def region_fields(region: Region) -> dict[str, Any]:
    """One region of results.json."""
    return {key: value for key, value in json_text.fields(region).items() if key != "outline_rc"}


def building_fields(building: Building, grid: Grid) -> dict[str, Any]:
    """One building of results.json."""
    told = {
        key: value
        for key, value in json_text.fields(building).items()
        if key not in ("parts_rc", "properties")
    }
    return told | {"shift_m": shift_m(building.shift_rc, grid)}


def shift_m(shift_rc: tuple[float, float], grid: Grid) -> float | None:
    """Length of a shift in metres; None without a ground sample distance."""
    return None if grid.gsd_m is None else math.hypot(*shift_rc) * grid.gsd_m


def detection_fields(found: Detection, grid: Grid) -> dict[str, Any]:
    """The self-test in results.json: counts, fits and reasons; none of its pictures."""
    return {
        "reason": found.reason or None,
        "places": found.places or None,
        "curves": [
            {
                "kind": curve.kind,
                "harmless": curve.harmless,
                "tallies": [json_text.fields(tally) for tally in curve.tallies],
            }
            | {
                name: _recall(getattr(curve, name), grid)
                for name in ("found", "structural", "outlined")
                if not curve.harmless
            }
            for curve in found.curves
        ],
    }


def _recall(found: Recall, grid: Grid) -> dict[str, Any]:
    size, metre = found.size_90_px, grid.gsd_m
    names = ("size_px", "share", "share_low", "share_high")
    return {
        "size_90_px": size,
        "size_90_m": None if size is None or metre is None else size * metre,
        "interval_90_px": found.interval_px,
        "reason": found.reason or None,
        "curve": [dict(zip(names, point, strict=True)) for point in found.curve[::4]],
    }


def square_fields(square: Square, grid: Grid) -> dict[str, Any]:
    """One square of results.json."""
    area = grid.pixel_area_m2
    parts = {"analysed": square.analysed_px, "structural": square.structural_px, "other": square.other_px}
    changed, analysed = summary.square_buildings(square)
    return (
        json_text.fields(square)
        | {f"{name}_m2": None if area is None else px * area for name, px in parts.items()}
        | {
            "analysed_share": summary.square_analysed(square),
            "structural_share_of_analysed": summary.square_share(square, square.structural_px),
            "other_share_of_analysed": summary.square_share(square, square.other_px),
            "buildings_analysed": analysed,
            "buildings_changed_share": changed / analysed if analysed else None,
        }
    )


def write_tie_points(points: TiePoints, path: Path) -> None:
    """tie_points.csv: one row a point, in the order in which they were found."""
    header = (
        "reference_row_px",
        "reference_col_px",
        "displacement_row_px",
        "displacement_col_px",
        "quality",
        "role",
        "residual_px",
        "held_out",
        "origin",
    )
    by_hand = np.zeros(len(points), bool) if points.by_hand is None else points.by_hand
    write_text(
        path,
        csv_text(
            header,
            (
                (
                    *map(_short, (*reference, *displacement, quality)),
                    role,
                    _short(residual),
                    str(int(held)),
                    "hand" if by else "measured",
                )
                for reference, displacement, quality, role, residual, held, by in zip(
                    points.reference_rc,
                    points.displacement_rc,
                    points.quality,
                    points.role,
                    points.residual_px,
                    points.held_out,
                    by_hand,
                    strict=True,
                )
            ),
        ),
    )


def write_regions(comparison: Comparison, path: Path) -> None:
    """regions.geojson: see `regions_json`."""
    write_text(path, regions_json(comparison))


def regions_json(comparison: Comparison) -> str:
    """One feature a region, lon/lat when georeferenced, else pixels (x = col, y = row), as GeoJSON text."""
    grid = comparison.pair.grid
    names, _ = wording.tiers(comparison.change.measure if comparison.change else "")
    features = [
        _feature((region.outline_rc,), grid, region_fields(region) | {"label": names[region.tier]})
        for region in comparison.regions
    ]
    return _collection(features, grid)


def write_squares(comparison: Comparison, path: Path) -> None:
    """grid.geojson: one feature a square of the grid summary, row by row."""
    found, grid = comparison.grid_summary, comparison.pair.grid
    assert found is not None
    features = []
    for square in found.squares:
        top, left, bottom, right = (edge - 0.5 for edge in square.bbox_rc)
        ring = ((top, left), (bottom, left), (bottom, right), (top, right), (top, left))
        counts = square_fields(square, grid)
        counts |= {name.replace(" ", "_"): n for name, n in counts.pop("buildings").items()}
        features.append(_feature(((ring,),), grid, counts))
    write_text(path, _collection(features, grid))


def write_buildings(comparison: Comparison, folder: Path) -> None:
    """buildings.csv and buildings.geojson: one row or feature a footprint, in the order of the footprints.

    ``analyst_grade`` and ``analyst`` are left empty for a reader's own grade, in the scale that
    ``grade_scale`` names; the tool never fills them.
    """
    grid = comparison.pair.grid
    grades = {"grade_scale": summary.grade_scale(comparison), "analyst_grade": None, "analyst": None}
    features = [
        _feature(b.parts_rc, grid, building_fields(b, grid) | grades | {"source": b.properties})
        for b in comparison.buildings
    ]
    write_text(folder / "buildings.geojson", _collection(features, grid))
    rows = (
        (*_building_cells(b, grid), grades["grade_scale"] or "", "", "", _short(b.area_px))
        for b in comparison.buildings
    )
    write_text(folder / "buildings.csv", csv_text((*BUILDING_COLUMNS, *grades, "area_px"), rows))


BUILDING_COLUMNS = (
    "id",
    "label",
    "score",
    "analysed_share",
    "area_m2",
    "why",
    "p_value",
    "as_high_share",
    "shift_row_px",
    "shift_col_px",
    "shift_m",
)


def _building_cells(b: Building, grid: Grid) -> tuple[str, ...]:
    first = (b.id, b.label, _short(b.score), _short(b.analysed_share), _short(b.area_m2), b.why)
    return (*first, *map(_short, (b.p_value, b.as_high_share, *b.shift_rc, shift_m(b.shift_rc, grid))))


def _short(value: float | None) -> str:
    return "" if value is None or not math.isfinite(value) else f"{value:.{json_text.SIGNIFICANT_DIGITS}g}"


def csv_text(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table as CSV in which no cell is taken for a formula."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_cell(cell) for cell in row] for row in rows)
    return text.getvalue()


def _cell(text: str) -> str:
    """A cell that no spreadsheet takes for a formula; numbers stay numbers."""
    if not text.startswith(("=", "+", "-", "@", "\t", "\r")):
        return text
    try:
        float(text)
    except ValueError:
        return "'" + text
    return text


def _collection(features: list[dict[str, Any]], grid: Grid) -> str:
    collection: dict[str, Any] = {"type": "FeatureCollection", "features": features}
    if grid.crs is None:
        collection["properties"] = {
            "crs": None,
            "note": "pixel coordinates of the before image: x = column, y = row",
        }
    return json_text.to_json(collection)


def _feature(
    parts_rc: Sequence[Sequence[lonlat.Ring]], grid: Grid, properties: dict[str, Any]
) -> dict[str, Any]:
    frame = {} if grid.crs is not None else {"crs": None}
    return {"type": "Feature", "geometry": lonlat.geometry(parts_rc, grid), "properties": properties | frame}


def write_text(path: Path, text: str) -> None:
    """Text as UTF-8 with plain line ends, on every system."""
    path.write_text(text, encoding="utf-8", errors="replace", newline="\n")
