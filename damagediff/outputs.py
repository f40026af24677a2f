"""The result files that other people's scripts read; beside it, `folders` for the run folder as a whole.

The formats are the contract of docs/architecture.md: results.json, tie_points.csv, regions.geojson,
buildings.csv and buildings.geojson.
"""

from __future__ import annotations

import hashlib
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from . import cut, json_text, summary, tables, wording
from .provenance import FileFacts, HandGeoreference, Resampled
from .types import Alignment, Comparison, Grid, Image, Shift, Trust

FORMAT = 1
"""Version of results.json and manifest.json: raised when a key that is relied upon changes its meaning."""


HOW = ("workers", "tile_px", "max_memory_mib")
"""Settings that only say how the work is cut up."""


def write_results(comparison: Comparison, folder: Path) -> None:
    """Write results.json and the tables: tie points always, regions and buildings when there is a change map.

    Raises
    ------
    OSError
        The disk refuses; `folders.run_folder` turns it into an `OutputError`.
    """
    tables.write_text(folder / "results.json", results_json(comparison))
    tables.write_tie_points(comparison.alignment.tie_points, folder / "tie_points.csv")
    if comparison.change is None:
        return
    tables.write_regions(comparison, folder / "regions.geojson")
    if comparison.grid_summary is not None:
        tables.write_squares(comparison, folder / "grid.geojson")
    if comparison.case.footprints is not None:
        tables.write_buildings(comparison, folder)


def results_json(comparison: Comparison) -> str:
    """Text of results.json: sorted, indented, numbers rounded, no NaN. The same input, the same bytes."""
    return json_text.to_json(results(comparison))


def evidence_id(comparison: Comparison) -> str:
    """First 12 hex digits of the SHA-256 of results.json: short enough to print, and anyone can check it."""
    global _last
    of, found = _last
    if of() is not comparison:
        found = hashlib.sha256(results_json(comparison).encode()).hexdigest()[:12]
        _last = weakref.ref(comparison), found
    return found


def _nothing() -> None:
    """No comparison had its id asked for yet."""


_last: tuple[Callable[[], Comparison | None], str] = _nothing, ""
"""The comparison whose id was asked for last, and the id: figures, report and manifest all print it."""


def results(comparison: Comparison) -> dict[str, Any]:
    """The content of results.json as plain values."""
    return {
        "format": FORMAT,
        "verdict": comparison.verdict,
        "pair": _pair(comparison),
        "alignment": alignment_results(comparison.alignment, comparison.pair.grid),
        "change": _change(comparison),
        "regions": [tables.region_fields(region) for region in comparison.regions],
        "buildings": [
            tables.building_fields(building, comparison.pair.grid) for building in comparison.buildings
        ],
        "building_classes": summary.building_counts(comparison.buildings),
        "footprints": None
        if comparison.footprint_count is None
        else json_text.fields(comparison.footprint_count),
        "footprint_fit": _footprint_fit(comparison),
        "grid_summary": _grid_summary(comparison),
        "trust": _trust(comparison.trust)
        | {"ordinary": _ordinary(comparison)}
        | {"detection": tables.detection_fields(comparison.trust.detection, comparison.pair.grid)},
        "settings": result_settings(comparison.settings),
        "versions": comparison.versions,
        "notes": list(comparison.notes),
    }


def _trust(trust: Trust) -> dict[str, Any]:
    """Checks by the keys that others rely on; what lies behind their numbers beside them, by name."""
    checks = [json_text.fields(check) for check in trust.checks]
    details = {check["name"]: detail for check in checks if (detail := check.pop("detail"))}
    return json_text.fields(trust) | {"checks": checks, "details": details}


def result_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings without those that only say how the work is cut up: they change no result."""
    return {key: value for key, value in settings.items() if key not in HOW}


def _pair(comparison: Comparison) -> dict[str, Any]:
    pair = comparison.pair
    return {
        "title": summary.title(comparison),
        "before": _image(pair.before),
        "after": _image(pair.after),
        "baselines": [_image(image) for image in comparison.baselines],
        "grid": {
            "rows": pair.grid.shape[0],
            "cols": pair.grid.shape[1],
            "crs": pair.grid.crs,
            "gsd_m": pair.grid.gsd_m,
            "gsd_source": pair.grid.gsd_source,
            "gsd_relative_uncertainty": pair.grid.gsd_relative_uncertainty,
            "transform": json_text.Exact(tuple(pair.grid.transform)[:6]),
        },
        "bands_compared": pair.roles,
        "identical": pair.identical,
        "place": _place(comparison.case.place),
        "split": None if comparison.case.split is None else comparison.case.split.facts(),
        "between": summary.bracket(comparison),
        "event_utc": comparison.case.event,
        "event_precision": comparison.case.event_precision if comparison.case.event else None,
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
        "transform": json_text.Exact(tuple(image.transform)[:6]) if image.georeferenced else None,
        "exif_orientation": image.orientation,
        "acquired_utc": acquired,
        "acquired_precision": image.acquisition.precision if acquired else None,
        "acquired_source": image.acquisition.source,
        "credit": image.credit,
        "jpeg_quality": image.jpeg_quality,
        "off_nadir_deg": image.off_nadir_deg,
        "world_file_sha256": image.world_file_sha256,
        "integrity": integrity_fields(image),
        "crop": None if image.crop is None else cut.xywh(image.crop),
        "notes": image.notes,
        "source": source_fields(image),
        "georeference_by_hand": _by_hand(image.placed_by_hand),
    }


def integrity_fields(image: Image) -> dict[str, Any]:
    """Whether the file is whole."""
    return {"state": image.integrity.state, "findings": list(image.integrity.findings)}


def file_fields(facts: FileFacts) -> dict[str, Any]:
    """What a file tells of itself, as plain values."""
    earlier, again = facts.earlier_jpeg, facts.resampled
    return json_text.fields(facts) | {
        "fields": [list(field) for field in facts.fields],
        "withheld": list(facts.withheld),
        "unread": list(facts.unread),
        "earlier_jpeg": None if earlier is None else json_text.fields(earlier),
        "resampled": None if again is None else _resampled(again, facts.nominal_px),
    }


def _resampled(found: Resampled, nominal_px: tuple[int, int] | None) -> dict[str, Any]:
    """Effective against nominal resolution: as a share of a side, and as (rows, cols), least and most."""
    sides = [found.effective_px(side) for side in nominal_px or ()]
    return json_text.fields(found) | {
        "enlarged": list(found.enlarged),
        "effective_share": list(found.effective_share),
        "effective_px": [list(shape) for shape in zip(*sides, strict=True)] or None,
    }


def _place(place: tuple[float, float] | None) -> dict[str, Any] | None:
    return (
        None
        if place is None
        else dict(zip(("latitude", "longitude"), map(json_text.Exact, place), strict=True))
    )


def source_fields(image: Image) -> dict[str, Any]:
    """What is stated of where the file was found; null where it is not."""
    record = json_text.fields(image.record)
    when = record.pop("captured_at")
    precision = record.pop("captured_precision")
    return record | {
        "captured_at_utc": when,
        "captured_precision": precision if when else None,
        "missing": list(image.record.missing),
        "is_original": image.record.is_original(image.sha256),
    }


def _by_hand(found: HandGeoreference | None) -> dict[str, Any] | None:
    """The points of a georeference that the analyst made, and how well they agree."""
    if found is None:
        return None
    points = [
        json_text.fields(point) | {"xy": json_text.Exact(point.xy), "lonlat": json_text.Exact(point.lonlat)}
        for point in found.points
    ]
    return json_text.fields(found) | {"points": points}


def alignment_results(alignment: Alignment, grid: Grid) -> dict[str, Any]:
    """The ``alignment`` part of results.json, ready for `json_text.to_json`."""
    ce90_m = None if alignment.ce90_px is None or grid.gsd_m is None else alignment.ce90_px * grid.gsd_m
    local = alignment.local
    return {
        "accepted": alignment.accepted,
        "reason": alignment.reason,
        "model": alignment.model,
        "model_reason": alignment.model_reason,
        "moving_from_reference": json_text.Exact(np.asarray(alignment.moving_from_reference).tolist()),
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
        "lean": None if alignment.lean is None else json_text.fields(alignment.lean),
        "evidence": json_text.fields(alignment.evidence),
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
            json_text.fields(found) | {"changed_area_m2": seen.area_m2(found.changed_px)}
            for found in change.sensitivity
        ],
        "comparability": change.comparability,
        "calibration": change.calibration,
        "cell_px": change.cell_px,
        "min_region_px": change.min_region_px,
        "min_region_m2": summary.min_region_m2(change, comparison.pair.grid),
        "min_region_rule": change.min_region_rule,
        "cloud_share_before": change.sight.cloud_before,
        "cloud_share_after": change.sight.cloud_after,
        "saturated_share_before": change.sight.saturated_before,
        "saturated_share_after": change.sight.saturated_after,
        "analysed_share": seen.analysed_share,
        "not_analysed": {reason: px / seen.total_px for reason, px in seen.not_analysed_px.items()},
        "changed_share_of_analysed": seen.share_of_analysed(seen.changed_px),
        "structural_share_of_analysed": seen.share_of_analysed(seen.structural_px),
        "other_share_of_analysed": seen.share_of_analysed(seen.other_px),
        "changed_area_px": seen.changed_px,
        "changed_area_m2": seen.area_m2(seen.changed_px),
        "area_relative_uncertainty": seen.area_doubt,
        "structural_area_m2": seen.area_m2(seen.structural_px),
        "other_area_m2": seen.area_m2(seen.other_px),
    }


def _ordinary(comparison: Comparison) -> dict[str, Any]:
    """How ordinary change was counted, one entry a way, and which of them the rates come from."""
    ordinary = comparison.trust.ordinary
    nulls = [
        {key: value for key, value in json_text.fields(null).items() if key != "masses"}
        for null in ordinary.nulls
    ]
    by = ordinary.headline
    return json_text.fields(ordinary) | {"nulls": nulls, "source": None if by is None else by.name}


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
    squares = [tables.square_fields(square, comparison.pair.grid) for square in found.squares]
    return {"side_m": found.side_m, "side_px": found.side_px, "squares": squares}


def _shift(shift: Shift, grid: Grid) -> dict[str, Any]:
    return json_text.fields(shift) | {"shift_m": tables.shift_m(shift.shift_rc, grid)}
