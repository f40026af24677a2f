"""Marks over the report's pictures: regions, what was not analysed, buildings, tie points.

All of it is drawn in pixels of the reduced picture, which one scene of SVG shares with both pictures.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from PIL import Image as PillowImage

from . import figure_residuals, report_pictures, wording
from .outcome import REASONS, Reason
from .report_buildings import MAX_LISTED
from .types import NOT_ANALYSED, BoolArray, Building, ChangeMap, Comparison, FloatArray, Region, Role

STRIPES = 95
"""Stripes of a hatch across the picture: far enough apart to see the ground between them."""
ARROW_SHARE = 0.012
"""Length of the median residual's line, as a share of the picture's width."""
HATCHES: dict[str, tuple[str, tuple[Reason, ...], tuple[int, int, int], int]] = {
    "excluded": (
        "left out",
        ("outside_area_of_interest", "excluded_by_hand", "drawn_over"),
        (204, 121, 167),
        1,
    ),
    "unsupported": ("not supported by tie points", ("outside_tie_points",), (240, 228, 66), -1),
    "blank": ("no picture, or not comparable", ("no_picture", "not_comparable"), (0, 158, 115), -1),
}
"""By layer: its name, the reasons it stands for, its colour (Okabe and Ito), which way its stripes fall."""
CLASSES = {
    wording.VISIBLE: "changed",
    wording.POSSIBLE: "possible",
    wording.NO_CHANGE: "unchanged",
}
"""Of buildings, by their label; any other was not analysed."""


def layers(comparison: Comparison) -> dict[str, Any]:
    """Every layer that has something to show, and the switches for them in their order."""
    rows, cols = comparison.pictures.before.shape[:2]
    scale = np.array([rows, cols]) / comparison.pair.grid.shape
    found: dict[str, Any] = {
        "places": [_place(building, scale) for building in comparison.buildings],
        "boxes": boxes(comparison, MAX_LISTED),
        "hatches": list(_hatches(comparison.change, scale)),
        "footprints": _footprints(comparison, scale),
        "ties": _ties(comparison, scale),
    }
    return {**found, "switches": list(_switches(found))}


def _switches(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Name, words and first state of each layer."""
    if found["boxes"]:
        yield {"name": "regions", "words": "regions", "on": True}
    for hatch in found["hatches"]:
        yield {"name": hatch["name"], "words": hatch["words"], "on": True}
    if found["footprints"]:
        yield {"name": "buildings", "words": "buildings", "on": False}
    if found["ties"]:
        words = f"tie points, their residuals {found['ties']['times']} times as long"
        yield {"name": "ties", "words": words, "on": False}


def boxes(comparison: Comparison, count: int) -> list[dict[str, Any]]:
    """The first regions' boxes and outlines, in pixels of the before picture."""
    scale = np.array(comparison.pictures.before.shape[:2]) / comparison.pair.grid.shape
    return [_box(region, scale) for region in comparison.regions[:count]]


def _box(region: Region, scale: FloatArray) -> dict[str, Any]:
    top, left, bottom, right = (np.array(region.bbox_rc) * np.tile(scale, 2)).tolist()
    return {
        "id": region.id,
        "tier": region.tier,
        "x": _short(left),
        "y": _short(top),
        "width": _short(right - left),
        "height": _short(bottom - top),
        "outline": _path(region.outline_rc, scale),
    }


def _place(building: Building, scale: FloatArray) -> str:
    """Left, top, width and height of a building, for the page to go to; empty without an outline."""
    points = [point for part in building.parts_rc for ring in part for point in ring]
    if not points:
        return ""
    placed = (np.array(points) + 0.5) * scale
    (top, left), (bottom, right) = placed.min(axis=0).tolist(), placed.max(axis=0).tolist()
    return " ".join(_short(value) for value in (left, top, right - left, bottom - top))


def _path(rings: Iterable[Iterable[tuple[float, float]]], scale: FloatArray) -> str:
    """Closed rings of (row, col) pixel centres as the path of an SVG."""
    parts = []
    for ring in rings:
        points = ((np.array(list(ring)) + 0.5) * scale)[:, ::-1]
        if len(points) > 1:
            parts.append("M" + "L".join(f"{_short(x)} {_short(y)}" for x, y in points[:-1].tolist()) + "Z")
    return "".join(parts)


def _short(value: float) -> str:
    """A tenth of a pixel is less than a line is wide."""
    return f"{value:.1f}".removesuffix(".0")


def _hatches(change: ChangeMap | None, scale: FloatArray) -> Iterator[dict[str, Any]]:
    """One picture of stripes, a pixel a cell, for each kind of place that was not analysed."""
    if change is None:
        return
    height, width = (_short(n * change.cell_px * k) for n, k in zip(change.changed.shape, scale, strict=True))
    for name, (words, reasons, color, fall) in HATCHES.items():
        chosen = _chosen(change, reasons)
        if chosen.any():
            data = report_pictures.png(_striped(chosen, color, fall))
            yield {"name": name, "words": words, "data": data, "width": width, "height": height}


def _chosen(change: ChangeMap, reasons: tuple[Reason, ...]) -> BoolArray:
    """Cells not analysed for these reasons; a map that tells no reason has none but the last kind."""
    hidden = change.changed == NOT_ANALYSED
    if change.why is None:
        return hidden if "no_picture" in reasons else np.zeros_like(hidden)
    return hidden & np.isin(change.why, [REASONS.index(reason) + 1 for reason in reasons])


def _striped(chosen: BoolArray, color: tuple[int, int, int], fall: int) -> bytes:
    """(rows, cols) cells as a PNG of two colours: `color` on the stripes among them, nothing else."""
    rows, cols = np.indices(chosen.shape)
    pitch = max(3, round(max(chosen.shape) / STRIPES))
    drawn = chosen & ((rows + fall * cols) % pitch < max(1, pitch // 3))
    image = PillowImage.fromarray(drawn.astype(np.uint8)).convert("P")
    image.putpalette([0, 0, 0, *color])
    target = io.BytesIO()
    image.save(target, "PNG", transparency=bytes([0, 190]), bits=1, optimize=True)
    return target.getvalue()


def _footprints(comparison: Comparison, scale: FloatArray) -> list[dict[str, str]]:
    """One path for all buildings of a class."""
    paths: dict[str, list[str]] = {}
    for building in comparison.buildings:
        kind = CLASSES.get(building.label, "unseen")
        paths.setdefault(kind, []).extend(_path(part, scale) for part in building.parts_rc)
    order = ("unseen", "unchanged", "possible", "changed")
    return [{"kind": kind, "path": "".join(paths[kind])} for kind in order if kind in paths]


def _ties(comparison: Comparison, scale: FloatArray) -> dict[str, Any] | None:
    """Dots where tie points lie, lines along their residuals, by role; None without an accepted alignment."""
    alignment, points = comparison.alignment, comparison.alignment.tie_points
    if not alignment.accepted or not len(points):
        return None
    at = (points.reference_rc + 0.5) * scale
    apart = figure_residuals.residual_rc(alignment) * scale
    asked = ARROW_SHARE * comparison.pictures.before.shape[1]
    times = max(1, round(asked / max(0.05, float(np.median(points.residual_px)) * scale[1])))
    return {"times": times, "roles": [_role(role, points.role, at, apart * times) for role in wording.ROLES]}


def _role(role: Role, roles: tuple[Role, ...], at: FloatArray, apart: FloatArray) -> dict[str, str]:
    chosen = [n for n, each in enumerate(roles) if each == role]
    starts = [f"M{_short(x)} {_short(y)}" for y, x in at[chosen].tolist()]
    lines = [] if role == "rejected" else [f"l{_short(x)} {_short(y)}" for y, x in apart[chosen].tolist()]
    return {
        "role": role,
        "dots": "".join(start + "h0" for start in starts),
        "lines": "".join(start + line for start, line in zip(starts, lines, strict=False)),
    }
