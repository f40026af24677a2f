"""What a comparison has to show on a map, as layers: shapes on the working grid, each with its fields."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import rasterio.features
import shapely
from affine import Affine

from . import grid as grids
from . import json_text, summary, tables, wording
from .outcome import REASONS
from .types import NOT_ANALYSED, Comparison, FloatArray, Image, Outline

Kind = Literal["text", "integer", "real"]
Value = str | int | float | None
METHOD = "automatic change detection"
"""How every change came to be on the map. Never a grade: grades are an analyst's."""
SIDE_POINTS = 9
"""Points along each side of a footprint: straight in one projection is bent in another."""
LONGEST_TEXT = 4000


@dataclass(frozen=True)
class Feature:
    """One shape and the values of its fields, in their order."""

    parts_rc: Outline
    """Polygons in (row, col) of the working grid; of a point layer one ring of one point."""
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Layer:
    """Features of one kind."""

    name: str
    """Of the table or file: letters and underscores."""
    title: str
    fields: dict[str, Kind]
    features: tuple[Feature, ...]
    points: bool = False
    label: str | None = None
    """The field by which it is coloured."""


def of(comparison: Comparison) -> tuple[Layer, ...]:
    """All layers that this comparison has, from the top of a map down.

    Regions, tie points, footprints of the images and what was not analysed always; buildings and grid squares
    where the run has them.
    """
    found = [_regions(comparison)]
    if comparison.buildings:
        found.append(_buildings(comparison))
    found.append(_tie_points(comparison))
    if comparison.grid_summary is not None:
        found.append(_squares(comparison))
    return (*found, _not_analysed(comparison), _image_footprints(comparison))


def about(comparison: Comparison, evidence_id: str) -> tuple[tuple[str, str], ...]:
    """Name and words of what must stand beside the layers: the finding, its doubts, sources and credits."""
    pair = comparison.pair
    rows = [
        ("title", summary.title(comparison)),
        ("finding", summary.finding(comparison)),
        ("verdict", comparison.verdict),
        ("verdict_meaning", wording.VERDICT_MEANING[comparison.verdict]),
        ("between", summary.bracket(comparison)),
        ("method", f"{METHOD}; not verified on the ground"),
        *((f"limit_{k}", words) for k, words in enumerate(summary.limits(comparison), 1)),
    ]
    for role, image in (("before", pair.before), ("after", pair.after)):
        rows += [
            (f"{role}_image", image.name),
            (f"{role}_date", wording.date_iso(image.acquisition)),
            (f"{role}_credit", summary.credit(image.credit)),
            (f"{role}_sha256", image.sha256 or f"not known: read by parts from {image.address}"),
        ]
    rows += [(f"note_{k}", words) for k, words in enumerate(comparison.notes, 1)]
    rows += [
        ("evidence_id", evidence_id),
        ("made_with", f"damagediff {comparison.versions.get('damagediff', '')}"),
    ]
    return tuple((name, text(words)) for name, words in rows)


def text(words: str) -> str:
    """`words` without control characters, as every text leaves this room."""
    return wording.plain(words, LONGEST_TEXT)


def dates(comparison: Comparison) -> tuple[str | None, str | None]:
    """Dates of both images as precisely as they are known; None where they are not."""
    pair = comparison.pair.before, comparison.pair.after
    first, second = (when(image) for image in pair)
    return first, second


def when(image: Image) -> str | None:
    """``2020-10-04`` or ``2020-10-04T07:52Z``; None: not known."""
    taken = image.acquisition
    if taken.acquired is None:
        return None
    pattern = {"day": "%Y-%m-%d", "minute": "%Y-%m-%dT%H:%MZ", "second": "%Y-%m-%dT%H:%M:%SZ"}
    return taken.acquired.strftime(pattern[taken.precision])


def _number(value: float | None) -> float | None:
    """To as many digits as everywhere; None of what is not finite."""
    if value is None or not np.isfinite(value):
        return None
    return float(f"{value:.{json_text.SIGNIFICANT_DIGITS}g}")


REGION_FIELDS: dict[str, Kind] = {
    "id": "integer",
    "label": "text",
    "area_px": "integer",
    "area_m2": "real",
    "score_mean": "real",
    "score_max": "real",
    "flags": "text",
    "ordinary_chance": "real",
    "date_before": "text",
    "date_after": "text",
    "method": "text",
    "review": "text",
}


def _regions(comparison: Comparison) -> Layer:
    names, _ = wording.tiers(comparison.change.measure if comparison.change else "")
    said = _reviewed(comparison, "region")
    features = (
        Feature(
            (region.outline_rc,),
            (
                region.id,
                names[region.tier],
                region.area_px,
                _number(region.area_m2),
                _number(region.score_mean),
                _number(region.score_max),
                "; ".join(region.flags),
                _number(region.ordinary_chance),
                *dates(comparison),
                METHOD,
                said.get(str(region.id)),
            ),
        )
        for region in comparison.regions
    )
    return Layer("regions", "Regions of change", REGION_FIELDS, tuple(features), label="label")


def _reviewed(comparison: Comparison, kind: str) -> dict[str, str]:
    """By id what reviewers decided, each with initials; a reviewer's later word replaces the earlier one."""
    told: dict[str, dict[str, str]] = {}
    for review in comparison.reviews:
        for item in review.judgements:
            if item.kind == kind:
                words = ", ".join(word for word in (item.decision, item.grade, item.reason) if word)
                told.setdefault(item.id, {})[review.reviewer] = words
    return {key: text("; ".join(f"{who}: {words}" for who, words in by.items())) for key, by in told.items()}


BUILDING_FIELDS: dict[str, Kind] = {
    "id": "text",
    "label": "text",
    "score": "real",
    "analysed_share": "real",
    "area_m2": "real",
    "why": "text",
    "p_value": "real",
    "as_high_share": "real",
    "shift_m": "real",
    "date_before": "text",
    "date_after": "text",
    "method": "text",
    "grade_scale": "text",
    "analyst_grade": "text",
    "analyst": "text",
    "review": "text",
}


def _buildings(comparison: Comparison) -> Layer:
    said, scale, grid = (
        _reviewed(comparison, "building"),
        summary.grade_scale(comparison),
        comparison.pair.grid,
    )
    features = (
        Feature(
            building.parts_rc,
            (
                text(building.id),
                building.label,
                *map(_number, (building.score, building.analysed_share, building.area_m2)),
                building.why,
                *map(_number, (building.p_value, building.as_high_share)),
                _number(tables.shift_m(building.shift_rc, grid)),
                *dates(comparison),
                METHOD,
                scale,
                None,
                None,
                said.get(building.id),
            ),
        )
        for building in comparison.buildings
    )
    return Layer("buildings", "Buildings", BUILDING_FIELDS, tuple(features), label="label")


def _tie_points(comparison: Comparison) -> Layer:
    points = comparison.alignment.tie_points
    by_hand = np.zeros(len(points), bool) if points.by_hand is None else points.by_hand
    fields: dict[str, Kind] = {
        "role": "text",
        "quality": "real",
        "residual_px": "real",
        "displacement_row_px": "real",
        "displacement_col_px": "real",
        "held_out": "integer",
        "origin": "text",
    }
    features = (
        Feature(
            ((((float(row), float(col)),),),),
            (
                points.role[k],
                *map(_number, (points.quality[k], points.residual_px[k], *points.displacement_rc[k])),
                int(points.held_out[k]),
                "hand" if by_hand[k] else "measured",
            ),
        )
        for k, (row, col) in enumerate(points.reference_rc)
    )
    return Layer("tie_points", "Tie points", fields, tuple(features), points=True, label="role")


def _squares(comparison: Comparison) -> Layer:
    found = comparison.grid_summary
    assert found is not None
    fields: dict[str, Kind] = {
        "row": "integer",
        "col": "integer",
        "analysed_share": "real",
        "structural_share_of_analysed": "real",
        "other_share_of_analysed": "real",
        "structural_m2": "real",
        "other_m2": "real",
        "buildings_analysed": "integer",
        "buildings_changed_share": "real",
        "method": "text",
    }
    features = []
    for square in found.squares:
        told = tables.square_fields(square, comparison.pair.grid) | {"method": METHOD}
        values = (_number(told[n]) if kind == "real" else told[n] for n, kind in fields.items())
        top, left, bottom, right = (edge - 0.5 for edge in square.bbox_rc)
        features.append(Feature(((_box(top, left, bottom, right),),), tuple(values)))
    return Layer("grid", "Squares", fields, tuple(features))


def _box(top: float, left: float, bottom: float, right: float) -> tuple[tuple[float, float], ...]:
    return ((top, left), (bottom, left), (bottom, right), (top, right), (top, left))


def _not_analysed(comparison: Comparison) -> Layer:
    fields: dict[str, Kind] = {"reason": "text", "words": "text", "area_px": "real", "area_m2": "real"}
    features = []
    for reason, words, outline in _blind(comparison):
        area = sum(shapely.Polygon(rings[0], rings[1:]).area for rings in outline)
        pixel = comparison.pair.grid.pixel_area_m2
        in_m2 = None if pixel is None else area * pixel
        features.append(Feature(outline, (reason, words, _number(area), _number(in_m2))))
    return Layer("not_analysed", "Not analysed", fields, tuple(features))


def _blind(comparison: Comparison) -> Iterator[tuple[str, str, Outline]]:
    """Reason, the same in words, and the cells, joined and cut at the edge of the grid."""
    change, (rows, cols) = comparison.change, comparison.pair.grid.shape
    assert change is not None
    frame = shapely.box(-0.5, -0.5, cols - 0.5, rows - 0.5)
    side = Affine(change.cell_px, 0, -0.5, 0, change.cell_px, -0.5)
    for code, reason in enumerate(REASONS, 1):
        blind = change.changed == NOT_ANALYSED
        here = (
            blind & (change.why == code) if change.why is not None else blind & (reason == "not_comparable")
        )
        if not here.any():
            continue
        traced = rasterio.features.shapes(here.astype(np.uint8), here, connectivity=4, transform=side)
        shapes = (shapely.Polygon(s["coordinates"][0], s["coordinates"][1:]) for s, _ in traced)
        cut = (part for shape in shapes for part in shapely.get_parts(shapely.intersection(shape, frame)))
        polygons = [part for part in cut if part.geom_type == "Polygon"]
        known = (reason, wording.REASONS[reason]) if change.why is not None else ("not_told", "not told")
        yield *known, tuple(_rings(polygon) for polygon in polygons)


def _rings(polygon: shapely.Polygon) -> tuple[tuple[tuple[float, float], ...], ...]:
    lines = (polygon.exterior, *polygon.interiors)
    return tuple(tuple((float(y), float(x)) for x, y in line.coords) for line in lines)


def _image_footprints(comparison: Comparison) -> Layer:
    fields: dict[str, Kind] = {
        "role": "text",
        "name": "text",
        "acquired": "text",
        "credit": "text",
        "licence": "text",
        "url": "text",
        "sha256": "text",
        "off_nadir_deg": "real",
        "placed_by": "text",
    }
    pair, model = comparison.pair, comparison.alignment.model
    images = (
        ("before", pair.before, "its georeference"),
        ("after", pair.after, f"the alignment ({model}; without its local part)"),
    )
    features = (
        Feature(
            ((footprint_rc(comparison, image),),),
            (
                role,
                text(image.name),
                when(image),
                *(None if words is None else text(words) for words in _stated(image)),
                image.sha256,
                _number(image.off_nadir_deg),
                placed,
            ),
        )
        for role, image, placed in images
    )
    return Layer("image_footprints", "Footprints of the images", fields, tuple(features), label="role")


def _stated(image: Image) -> tuple[str | None, str | None, str | None]:
    return image.credit, image.record.licence, image.record.url


def footprint_rc(comparison: Comparison, image: Image) -> tuple[tuple[float, float], ...]:
    """Closed ring of (row, col) on the working grid: the edge of an image's picture, where it was laid."""
    pair = comparison.pair
    rows, cols = image.shape
    t = np.linspace(0, 1, SIDE_POINTS)[:-1]
    zero, one = np.zeros_like(t), np.ones_like(t)
    sides = ((zero, t), (t, one), (one, 1 - t), (1 - t, zero))
    edge = np.concatenate([np.stack(side, -1) for side in sides]) * (rows, cols) - 0.5
    is_after = image is pair.after
    placed = grids.placement(pair.grid, image, not (is_after and pair.moving_is_file))
    ring = placed.frame_from_file(edge)
    if is_after:
        ring = _back(ring, np.asarray(comparison.alignment.moving_from_reference))
    closed = np.concatenate([ring, ring[:1]])
    return tuple((float(row), float(col)) for row, col in closed)


def _back(rc: FloatArray, moving_from_reference: FloatArray) -> FloatArray:
    """(N, 2) of the moving frame to the reference, by the global model."""
    moved = np.column_stack([rc, np.ones(len(rc))]) @ np.linalg.inv(moving_from_reference).T
    return np.asarray(moved[:, :2] / moved[:, 2:])
