"""The result files that other people's scripts read; beside it, `folders` for the run folder as a whole.

The formats are the contract of docs/architecture.md: results.json, tie_points.csv, regions.geojson,
buildings.csv and buildings.geojson.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import json
import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from . import grid as grids
from . import summary, wording
from .types import Alignment, Building, Comparison, Grid, Image, Region, Shift, Square, TiePoints

FORMAT = 1
"""Version of results.json and manifest.json: raised when a key that is relied upon changes its meaning."""

SIGNIFICANT_DIGITS = 6
"""Of measured numbers: finer than any of them is known, coarser than rounding differs between machines."""
TRANSFORM_DIGITS = 12
"""Of coordinates and matrices: a micrometre in a UTM northing."""
LONLAT_DECIMALS = 7  # 1 cm
PIXEL_DECIMALS = 2

Ring = Sequence[tuple[float, float]]


def write_results(comparison: Comparison, folder: Path) -> None:
    """Write results.json and the tables: tie points always, regions and buildings when there is a change map.

    Raises
    ------
    OSError
        The disk refuses; `folders.run_folder` turns it into an `OutputError`.
    """
    _write(folder / "results.json", results_json(comparison))
    write_tie_points(comparison.alignment.tie_points, folder / "tie_points.csv")
    if comparison.change is None:
        return
    write_regions(comparison, folder / "regions.geojson")
    if comparison.grid_summary is not None:
        write_squares(comparison, folder / "grid.geojson")
    if comparison.case.footprints is not None:
        write_buildings(comparison, folder)


def results_json(comparison: Comparison) -> str:
    """Text of results.json: sorted, indented, numbers rounded, no NaN. The same input, the same bytes."""
    return to_json(results(comparison))


def evidence_id(comparison: Comparison) -> str:
    """First 12 hex digits of the SHA-256 of results.json: short enough to print, and anyone can check it."""
    return hashlib.sha256(results_json(comparison).encode()).hexdigest()[:12]


def results(comparison: Comparison) -> dict[str, Any]:
    """The content of results.json as plain values."""
    return {
        "format": FORMAT,
        "verdict": comparison.verdict,
        "pair": _pair(comparison),
        "alignment": alignment_results(comparison.alignment, comparison.pair.grid),
        "change": _change(comparison),
        "regions": [_region(region) for region in comparison.regions],
        "buildings": [_building(building, comparison.pair.grid) for building in comparison.buildings],
        "building_classes": summary.building_counts(comparison.buildings),
        "footprint_fit": _footprint_fit(comparison),
        "grid_summary": _grid_summary(comparison),
        "trust": _fields(comparison.trust)
        | {"checks": [_fields(check) for check in comparison.trust.checks]},
        "settings": result_settings(comparison.settings),
        "versions": comparison.versions,
        "notes": list(comparison.notes),
    }


def result_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings without those that only say how the work is cut up: they change no result."""
    return {key: value for key, value in settings.items() if key not in ("workers", "tile_px")}


def _fields(value: Any) -> dict[str, Any]:
    return {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}


def _pair(comparison: Comparison) -> dict[str, Any]:
    pair = comparison.pair
    return {
        "title": summary.title(comparison),
        "before": _image(pair.before),
        "after": _image(pair.after),
        "grid": {
            "rows": pair.grid.shape[0],
            "cols": pair.grid.shape[1],
            "crs": pair.grid.crs,
            "gsd_m": pair.grid.gsd_m,
            "transform": _Exact(tuple(pair.grid.transform)[:6]),
        },
        "bands_compared": pair.roles,
        "identical": pair.identical,
        "between": summary.bracket(comparison),
    }


def _image(image: Image) -> dict[str, Any]:
    acquired = image.acquisition.acquired
    return {
        "name": image.name,
        "sha256": image.sha256,
        "size_bytes": image.size_bytes,
        "driver": image.driver,
        "rows": image.shape[0],
        "cols": image.shape[1],
        "dtype": image.dtype,
        "bands": image.roles,
        "nodata": image.nodata,
        "crs": image.crs,
        "transform": _Exact(tuple(image.transform)[:6]) if image.georeferenced else None,
        "exif_orientation": image.orientation,
        "acquired_utc": acquired,
        "acquired_precision": image.acquisition.precision if acquired else None,
        "acquired_source": image.acquisition.source,
        "credit": image.credit,
        "world_file_sha256": image.world_file_sha256,
        "notes": image.notes,
    }


def alignment_results(alignment: Alignment, grid: Grid) -> dict[str, Any]:
    """The ``alignment`` part of results.json, ready for `to_json`."""
    ce90_m = None if alignment.ce90_px is None or grid.gsd_m is None else alignment.ce90_px * grid.gsd_m
    local = alignment.local
    return {
        "accepted": alignment.accepted,
        "reason": alignment.reason,
        "model": alignment.model,
        "model_reason": alignment.model_reason,
        "moving_from_reference": _Exact(np.asarray(alignment.moving_from_reference).tolist()),
        "local": None
        if local is None
        else {
            "spacing_px": local.spacing_px,
            "displacement_rc": np.asarray(local.displacement_rc).tolist(),
        },
        "rmse_px": alignment.rmse_px,
        "ce90_px": alignment.ce90_px,
        "ce90_m": ce90_m,
        "ce90_held_out_px": alignment.ce90_held_out_px,
        "standard_error_px": alignment.standard_error_px,
        "held_out": int(alignment.tie_points.held_out.sum()),
        "held_out_agreeing": alignment.tie_points.count("check"),
        "tie_points": {role: alignment.tie_points.count(role) for role in wording.ROLES},
        "supported_rc": alignment.supported_rc,
        "supported_share": alignment.supported_share,
        "windows_unused": alignment.windows_unused,
        "lean": None if alignment.lean is None else _fields(alignment.lean),
        "evidence": _fields(alignment.evidence),
    }


def _change(comparison: Comparison) -> dict[str, Any] | None:
    change = comparison.change
    if change is None:
        return None
    seen = summary.amounts(change, comparison.pair.grid)
    return {
        "measure": change.measure,
        "threshold": change.threshold,
        "threshold_rule": change.threshold_rule,
        "sensitivity": [
            _fields(found) | {"changed_area_m2": seen.area_m2(found.changed_px)}
            for found in change.sensitivity
        ],
        "comparability": change.comparability,
        "calibration": change.calibration,
        "cell_px": change.cell_px,
        "min_region_px": change.min_region_px,
        "min_region_m2": summary.min_region_m2(change, comparison.pair.grid),
        "min_region_rule": change.min_region_rule,
        "analysed_share": seen.analysed_share,
        "not_analysed": {reason: px / seen.total_px for reason, px in seen.not_analysed_px.items()},
        "changed_share_of_analysed": seen.share_of_analysed(seen.changed_px),
        "structural_share_of_analysed": seen.share_of_analysed(seen.structural_px),
        "other_share_of_analysed": seen.share_of_analysed(seen.other_px),
        "changed_area_px": seen.changed_px,
        "changed_area_m2": seen.area_m2(seen.changed_px),
        "structural_area_m2": seen.area_m2(seen.structural_px),
        "other_area_m2": seen.area_m2(seen.other_px),
    }


def _region(region: Region) -> dict[str, Any]:
    return {key: value for key, value in _fields(region).items() if key != "outline_rc"}


def _building(building: Building, grid: Grid) -> dict[str, Any]:
    told = {key: value for key, value in _fields(building).items() if key not in ("parts_rc", "properties")}
    return told | {"shift_m": _shift_m(building.shift_rc, grid)}


def _shift_m(shift_rc: tuple[float, float], grid: Grid) -> float | None:
    return None if grid.gsd_m is None else math.hypot(*shift_rc) * grid.gsd_m


def _footprint_fit(comparison: Comparison) -> dict[str, Any] | None:
    fitted, grid = comparison.footprint_fit, comparison.pair.grid
    if fitted is None:
        return None
    return {
        "block_px": fitted.block_px,
        "scene": _shift(fitted.scene, grid),
        "blocks": [_shift(shift, grid) for shift in fitted.blocks],
    }


def _grid_summary(comparison: Comparison) -> dict[str, Any] | None:
    found = comparison.grid_summary
    if found is None:
        return None
    squares = [_square(square, comparison.pair.grid) for square in found.squares]
    return {"side_m": found.side_m, "side_px": found.side_px, "squares": squares}


def _square(square: Square, grid: Grid) -> dict[str, Any]:
    area = grid.pixel_area_m2
    parts = {"analysed": square.analysed_px, "structural": square.structural_px, "other": square.other_px}
    changed, analysed = summary.square_buildings(square)
    return (
        _fields(square)
        | {f"{name}_m2": None if area is None else px * area for name, px in parts.items()}
        | {
            "analysed_share": summary.square_analysed(square),
            "structural_share_of_analysed": summary.square_share(square, square.structural_px),
            "other_share_of_analysed": summary.square_share(square, square.other_px),
            "buildings_analysed": analysed,
            "buildings_changed_share": changed / analysed if analysed else None,
        }
    )


def _shift(shift: Shift, grid: Grid) -> dict[str, Any]:
    return _fields(shift) | {"shift_m": _shift_m(shift.shift_rc, grid)}


class _Exact:
    """Marks coordinates and matrices, which keep more digits than measured numbers."""

    def __init__(self, value: Any) -> None:
        self.value = value


def to_json(value: Any) -> str:
    """`value` as canonical JSON text: sorted keys, rounded numbers, null for what is not finite."""
    plain = _plain(value, SIGNIFICANT_DIGITS)
    return json.dumps(plain, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def _plain(value: Any, digits: int) -> Any:
    if isinstance(value, _Exact):
        return _plain(value.value, TRANSFORM_DIGITS)
    if isinstance(value, dict):
        return {str(key): _plain(item, digits) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist(), digits)
    if isinstance(value, list | tuple):
        return [_plain(item, digits) for item in value]
    if isinstance(value, float):
        return float(f"{value:.{digits}g}") + 0.0 if math.isfinite(value) else None  # + 0.0: no minus zero
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")  # a file name may hold half a character
    return value if value is None or isinstance(value, bool | int) else str(value)


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
    )
    _write(
        path,
        _csv(
            header,
            (
                (*map(_short, (*reference, *displacement, quality)), role, _short(residual), str(int(held)))
                for reference, displacement, quality, role, residual, held in zip(
                    points.reference_rc,
                    points.displacement_rc,
                    points.quality,
                    points.role,
                    points.residual_px,
                    points.held_out,
                    strict=True,
                )
            ),
        ),
    )


def write_regions(comparison: Comparison, path: Path) -> None:
    """regions.geojson: one feature a region, lon/lat when georeferenced, else pixels (x = col, y = row)."""
    grid = comparison.pair.grid
    names, _ = wording.tiers(comparison.change.measure if comparison.change else "")
    features = [
        _feature((region.outline_rc,), grid, _region(region) | {"label": names[region.tier]})
        for region in comparison.regions
    ]
    _write(path, _collection(features, grid))


def write_squares(comparison: Comparison, path: Path) -> None:
    """grid.geojson: one feature a square of the grid summary, row by row."""
    found, grid = comparison.grid_summary, comparison.pair.grid
    assert found is not None
    features = []
    for square in found.squares:
        top, left, bottom, right = (edge - 0.5 for edge in square.bbox_rc)
        ring = ((top, left), (bottom, left), (bottom, right), (top, right), (top, left))
        counts = _square(square, grid)
        counts |= {name.replace(" ", "_"): n for name, n in counts.pop("buildings").items()}
        features.append(_feature(((ring,),), grid, counts))
    _write(path, _collection(features, grid))


def write_buildings(comparison: Comparison, folder: Path) -> None:
    """buildings.csv and buildings.geojson: one row or feature a footprint, in the order of the footprints.

    ``analyst_grade`` and ``analyst`` are left empty for a reader's own grade, in the scale that
    ``grade_scale`` names; the tool never fills them.
    """
    grid = comparison.pair.grid
    grades = {"grade_scale": summary.grade_scale(comparison), "analyst_grade": None, "analyst": None}
    features = [
        _feature(b.parts_rc, grid, _building(b, grid) | grades | {"source": b.properties})
        for b in comparison.buildings
    ]
    _write(folder / "buildings.geojson", _collection(features, grid))
    rows = ((*_building_cells(b, grid), grades["grade_scale"] or "", "", "") for b in comparison.buildings)
    _write(folder / "buildings.csv", _csv((*BUILDING_COLUMNS, *grades), rows))


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
    return (*first, *map(_short, (b.p_value, b.as_high_share, *b.shift_rc, _shift_m(b.shift_rc, grid))))


def _short(value: float | None) -> str:
    return "" if value is None or not math.isfinite(value) else f"{value:.{SIGNIFICANT_DIGITS}g}"


def _csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
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
    return to_json(collection)


def _feature(parts_rc: Sequence[Sequence[Ring]], grid: Grid, properties: dict[str, Any]) -> dict[str, Any]:
    frame = {} if grid.crs is not None else {"crs": None}
    return {"type": "Feature", "geometry": geometry(parts_rc, grid), "properties": properties | frame}


def geometry(parts_rc: Sequence[Sequence[Ring]], grid: Grid) -> dict[str, Any] | None:
    """GeoJSON polygon or multipolygon of parts (outer ring, then holes each); None without any.

    Rings are closed; outer ones run counter-clockwise and holes clockwise, as RFC 7946 asks.
    """
    polygons = [
        [_ring(ring, grid, hole=k > 0) for k, ring in enumerate(rings) if len(ring) >= 3]
        for rings in parts_rc
    ]
    polygons = [rings for rings in polygons if rings]
    if not polygons:
        return None
    if len(polygons) == 1:
        return {"type": "Polygon", "coordinates": _Exact(polygons[0])}
    return {"type": "MultiPolygon", "coordinates": _Exact(polygons)}


def _ring(ring_rc: Ring, grid: Grid, hole: bool) -> list[list[float]]:
    rc = np.asarray(ring_rc, np.float64)
    if grid.crs is None:
        xy = np.round(rc[:, ::-1], PIXEL_DECIMALS)
    else:
        xy = np.round(grids.lonlat_from_grid(grid, rc), LONLAT_DECIMALS)
    if (xy[0] != xy[-1]).any():
        xy = np.concatenate([xy, xy[:1]])
    near = xy - xy[0]  # far from the origin the areas below would drown in rounding
    twice_area = float(np.sum(near[:-1, 0] * near[1:, 1] - near[1:, 0] * near[:-1, 1]))
    counter_clockwise = twice_area > 0
    points: list[list[float]] = (xy[::-1] if counter_clockwise == hole else xy).tolist()
    return points


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", errors="replace", newline="\n")
