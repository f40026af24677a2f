"""The report's regions: their lines in the table, and a card each with crops, place, area and doubts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image as PillowImage

from . import grid as grids
from . import regions, report_change, report_pictures, summary, summary_ordinary, wording
from .report_buildings import MAX_LISTED
from .types import ByteArray, Comparison, Crop, Region

QUALITY = 92
SIDES = (1024, 768, 512, 384, 256, 160, 96)
"""Longest side of a crop in the page, px: the first with which all of them fit into their room."""


def listed(comparison: Comparison) -> list[dict[str, Any]]:
    """The first regions, as their lines in the table say them."""
    return [_region(comparison, region) for region in comparison.regions[:MAX_LISTED]]


def flags(comparison: Comparison) -> list[tuple[str, str]]:
    """Name and meaning of every flag in use."""
    used = sorted({name for region in comparison.regions for name in region.flags})
    return [(name, _flag(name)) for name in used]


def cards(comparison: Comparison, room: int) -> list[dict[str, Any]]:
    """A card for each region with crops; all their pictures together take at most about `room` bytes."""
    by_id = {region.id: region for region in comparison.regions}
    crops = [crop for crop in comparison.pictures.crops if crop.region_id in by_id]
    for side in SIDES:
        drawn = [_halves(crop, side) for crop in crops]
        if sum(len(half["data"]) for halves in drawn for half in halves) <= room:
            break
    return [
        {
            "region": _region(comparison, by_id[crop.region_id]),
            "halves": halves,
            "coordinates": _coordinates(comparison, by_id[crop.region_id]),
            "reduced": _reduced(crop, halves),
        }
        for crop, halves in zip(crops, drawn, strict=True)
    ]


def _halves(crop: Crop, side: int) -> list[dict[str, Any]]:
    return [
        {
            "word": word,
            "data": report_pictures.jpeg(small, QUALITY),
            "width": small.shape[1],
            "height": small.shape[0],
            "alt": f"Region {crop.region_id} {word}",
        }
        for word, rgb in (("before", crop.before), ("after", crop.after))
        for small in (_fitted(rgb, side),)
    ]


def _fitted(rgb: ByteArray, side: int) -> ByteArray:
    """The crop, or means of its blocks if it is larger than `side`."""
    times = -(-max(rgb.shape[:2]) // side)
    if times == 1:
        return rgb
    return np.asarray(PillowImage.fromarray(np.ascontiguousarray(rgb)).reduce(times))


def _reduced(crop: Crop, halves: Sequence[dict[str, Any]]) -> str:
    """How many times the crops are smaller than what they were cut from; empty when they are not."""
    times = round(max(crop.before.shape[:2]) / max(halves[0]["width"], halves[0]["height"]))
    return f"reduced {times} times" if times > 1 else ""


def _region(comparison: Comparison, region: Region) -> dict[str, Any]:
    return {
        "id": region.id,
        "tier": region.tier,
        "tier_words": wording.tiers(report_change.measure(comparison))[0][region.tier],
        "area": wording.area(region.area_px, region.area_m2),
        "area_doubt": _area_doubt(comparison, region),
        "score_mean": wording.score(region.score_mean),
        "score_max": wording.score(region.score_max),
        "flags": [{"name": name, "words": _flag(name)} for name in region.flags],
        "chance": summary_ordinary.chance(region.ordinary_chance),
        "chance_words": summary_ordinary.chance_words(region.ordinary_chance),
    }


def _area_doubt(comparison: Comparison, region: Region) -> str:
    """How far its area may be off by its outline, and by the scale where that is doubted, in words."""
    grid, change = comparison.pair.grid, comparison.change
    if change is None:
        return ""
    doubt_px = summary.outline_doubt_px(region, change.cell_px)
    doubt_m2 = None if grid.pixel_area_m2 is None else doubt_px * grid.pixel_area_m2
    scale = wording.within(grid.area_relative_uncertainty)
    area, doubt = wording.area(region.area_px, region.area_m2), wording.area(doubt_px, doubt_m2)
    by_scale = f", and by the scale{scale}" if scale else ""
    return f"Area {area} ± {doubt}: half a cell of {change.cell_px} px all along the outline{by_scale}"


def _flag(name: str) -> str:
    return regions.FLAGS.get(name, name)


def _coordinates(comparison: Comparison, region: Region) -> list[dict[str, str]]:
    """Its centre in degrees and in metres of its UTM zone, or as a pixel; in words, and plain to copy."""
    grid = comparison.pair.grid
    row, col = region.centroid_rc
    if grid.crs is None:
        return [
            {
                "name": "pixel",
                "words": f"row {row:.0f}, column {col:.0f}",
                "plain": f"{row:.0f}, {col:.0f}",
            }
        ]
    ((lon, lat),) = grids.lonlat_from_grid(grid, np.array([region.centroid_rc])).tolist()
    degrees = f"{abs(lat):.5f}° {'N' if lat >= 0 else 'S'}, {abs(lon):.5f}° {'E' if lon >= 0 else 'W'}"
    return [
        {"name": "latitude and longitude", "words": degrees, "plain": f"{lat:.5f}, {lon:.5f}"},
        metric(lon, lat),
    ]


def metric(lon: float, lat: float) -> dict[str, str]:
    """The place in its UTM zone, or near a pole in the polar projection, to a metre."""
    crs = grids.utm_zone(lon, lat)
    ((x, y),) = grids.reproject_xy("EPSG:4326", crs, np.array([[lon, lat]])).tolist()
    code = int(crs.removeprefix("EPSG:"))
    zone = f"UTM {code % 100}{'N' if code < 32700 else 'S'}" if code > 32600 else "polar stereographic"
    return {
        "name": zone,
        "words": f"{zone}: {x:.0f} m E, {y:.0f} m N ({crs})",
        "plain": f"{crs} {x:.0f} {y:.0f}",
    }
