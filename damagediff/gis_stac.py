"""A run as one item of a SpatioTemporal Asset Catalog [1]_, as JSON: where, when, from what, by what.

References
----------
.. [1] "SpatioTemporal Asset Catalog specification", version 1.1.0, stacspec.org; Holmes et al.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pyproj

from . import gis_layers as layers
from . import grid as grids
from . import json_text, lonlat, summary, sun, wording
from .types import Comparison, FloatArray, Image

VERSION = "1.1.0"
FILE = "item.json"
HOME = "https://stac-extensions.github.io"
EXTENSIONS = {
    "proj": f"{HOME}/projection/v2.0.0/schema.json",
    "raster": f"{HOME}/raster/v1.1.0/schema.json",
    "file": f"{HOME}/file/v2.1.0/schema.json",
    "processing": f"{HOME}/processing/v1.1.0/schema.json",
    "view": f"{HOME}/view/v1.0.0/schema.json",
}
COG = "image/tiff; application=geotiff; profile=cloud-optimized"
KINDS = {
    ".gpkg": "application/geopackage+sqlite3",
    ".kmz": "application/vnd.google-earth.kmz",
    ".geojson": "application/geo+json",
    ".csv": "text/csv",
    ".fgb": "application/vnd.flatgeobuf",
    ".qgz": "application/zip",
}
ROLES = {
    "before": ["data", "visual", "reference"],
    "after_aligned": ["data", "visual"],
    "change_score": ["data"],
    "change_mask": ["data"],
}
ANY_TIME = {"start_datetime": "0001-01-01T00:00:00Z", "end_datetime": "9999-12-31T23:59:59Z"}
"""The format has no word for an unknown time: this is the least that it accepts and that is not wrong."""
SPAN = {"day": timedelta(days=1), "minute": timedelta(minutes=1), "second": timedelta(seconds=1)}


@dataclass(frozen=True)
class Raster:
    """What an asset tells of one raster beside its name."""

    dtype: str
    nodata: float | None
    descriptions: tuple[str | None, ...]
    statistics: tuple[dict[str, float], ...]
    """Of each band: minimum, maximum, mean, stddev, valid_percent; empty where nothing is valid."""


def text(
    comparison: Comparison,
    rasters: Mapping[str, Raster],
    files: Sequence[Mapping[str, Any]],
    evidence_id: str,
) -> str:
    """The item, as JSON text: the same run, the same bytes.

    Parameters
    ----------
    comparison : Comparison
        Georeferenced.
    rasters : mapping
        By name without the ending.
    files : sequence of mapping
        ``name``, ``sha256`` and ``bytes`` of every file beside the item that it lists.
    evidence_id : str
        Of the run.
    """
    pair, grid = comparison.pair, comparison.pair.grid
    rows, cols = grid.shape
    frame = ((-0.5, -0.5), (rows - 0.5, -0.5), (rows - 0.5, cols - 0.5), (-0.5, cols - 0.5), (-0.5, -0.5))
    seen = _view(comparison)
    used = {name: url for name, url in EXTENSIONS.items() if name != "view" or seen}
    return json_text.to_json(
        {
            "type": "Feature",
            "stac_version": VERSION,
            "stac_extensions": sorted(used.values()),
            "id": f"damagediff-{evidence_id}",
            "geometry": lonlat.geometry(((frame,),), grid),
            "bbox": json_text.Exact(_bbox(comparison)),
            "properties": _times(comparison)
            | _projection(comparison)
            | _about(comparison, evidence_id)
            | seen,
            "links": [_source("before", pair.before), _source("after", pair.after)],
            "assets": {
                _key(item["name"]): _asset(item, rasters.get(PurePosixPath(item["name"]).stem))
                for item in files
            },
        }
    )


def _key(name: str) -> str:
    """Of an asset: rasters by their names, all else with its ending."""
    return name.removesuffix(".tif").replace(".", "_")


def _bbox(comparison: Comparison) -> list[float]:
    """West, south, east, north; west is larger where the 180th meridian is within."""
    grid = comparison.pair.grid
    t = np.linspace(0, 1, 21)
    sides = [np.stack(np.broadcast_arrays(a, b), -1) for a, b in ((t, 0), (t, 1), (0, t), (1, t))]
    found: FloatArray = grids.lonlat_from_grid(grid, np.concatenate(sides) * grid.shape - 0.5)
    lon = (found[:, 0] - found[0, 0] + 180) % 360 - 180
    sides_deg = ((found[0, 0] + end + 180) % 360 - 180 for end in (lon.min(), lon.max()))
    west, east = (float(side) for side in sides_deg)
    south, north = float(found[:, 1].min()), float(found[:, 1].max())
    return [round(value, lonlat.LONLAT_DECIMALS) for value in (west, south, east, north)]


def _times(comparison: Comparison) -> dict[str, Any]:
    """The time that both images enclose, as far as it is known; any time where no date is."""
    images = comparison.pair.before, comparison.pair.after
    known = [
        (i.acquisition.acquired, SPAN[i.acquisition.precision]) for i in images if i.acquisition.acquired
    ]
    if not known:
        return {"datetime": None, "damagediff:dates": wording.NOT_KNOWN_DATE} | ANY_TIME
    first = min(when for when, _ in known)
    last = max(when + span for when, span in known) - timedelta(seconds=1)
    both = {"start_datetime": _utc(first), "end_datetime": _utc(last)} if len(known) == 2 else {}
    return {"datetime": None if both else _utc(first)} | both


def _utc(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def _projection(comparison: Comparison) -> dict[str, Any]:
    grid = comparison.pair.grid
    assert grid.crs is not None
    code = grid.crs.upper() if grid.crs.upper().startswith("EPSG:") else None
    corners = np.array([[grid.shape[0] - 0.5, -0.5], [-0.5, grid.shape[1] - 0.5]])
    return {
        "proj:code": code,
        "proj:wkt2": None if code else pyproj.CRS.from_user_input(grid.crs).to_wkt("WKT2_2019"),
        "proj:shape": list(grid.shape),
        "proj:transform": json_text.Exact(tuple(grid.transform)[:6]),
        "proj:bbox": json_text.Exact(grids.world_from_pixel(grid.transform, corners).ravel().tolist()),
        "gsd": grid.gsd_m,
    }


def _about(comparison: Comparison, evidence_id: str) -> dict[str, Any]:
    pair = comparison.pair
    credits_ = {layers.text(i.credit): None for i in (pair.before, pair.after) if i.credit}
    change = comparison.change
    assert change is not None
    how = (
        f"{layers.METHOD}: after image co-registered to the before image ({comparison.alignment.model}); "
        f"{wording.MEASURES[change.measure]}; regions above a score of {wording.score(change.threshold)}. "
        "Not verified on the ground."
    )
    return {
        "title": summary.title(comparison),
        "description": layers.text(" ".join((summary.finding(comparison), *summary.limits(comparison)))),
        "providers": [{"name": name, "roles": ["producer"]} for name in credits_],
        "processing:lineage": how,
        "processing:software": {name: str(version) for name, version in comparison.versions.items()},
        "damagediff:verdict": comparison.verdict,
        "damagediff:between": summary.bracket(comparison),
        "damagediff:evidence_id": evidence_id,
        "damagediff:notes": [layers.text(note) for note in comparison.notes],
    }


def _view(comparison: Comparison) -> dict[str, Any]:
    """How the after image was taken: view angle where a tag tells it, sun where its time is known."""
    image, grid = comparison.pair.after, comparison.pair.grid
    told: dict[str, Any] = {}
    if image.off_nadir_deg is not None and 0 <= image.off_nadir_deg <= 90:
        told["view:off_nadir"] = image.off_nadir_deg
    taken = image.acquisition
    if taken.acquired is not None and taken.precision != "day":
        middle = grids.lonlat_from_grid(grid, (np.array([grid.shape]) - 1) / 2)[0]
        at = sun.position(taken.acquired, *map(float, middle))
        told |= {"view:sun_azimuth": at.azimuth_deg, "view:sun_elevation": at.elevation_deg}
    return told


def _source(role: str, image: Image) -> dict[str, Any]:
    """Where an image comes from: its address as stated, else its hash as a name (RFC 6920).

    One that was read by parts has no hash, and always an address.
    """
    url = image.record.url or ""
    by_hash = base64.urlsafe_b64encode(bytes.fromhex(image.sha256 or "")).decode().rstrip("=")
    words = f"{role}: {image.name}, {wording.date_iso(image.acquisition)}, {summary.credit(image.credit)}"
    return {
        "rel": "derived_from",
        "href": url if _is_address(url) else f"ni:///sha-256;{by_hash}",
        "title": layers.text(words),
        "damagediff:sha256": image.sha256,
    }


def _is_address(url: str) -> bool:
    if not url.isascii() or not url.isprintable() or set(url) & set(' <>"{}|\\^`'):
        return False
    try:
        found = urlsplit(url)
    except ValueError:
        return False
    return found.scheme in ("http", "https") and bool(found.netloc)


def _asset(item: Mapping[str, Any], raster: Raster | None) -> dict[str, Any]:
    name = str(item["name"])
    made: dict[str, Any] = {
        "href": f"./{name}",
        "title": name,
        "file:size": item["bytes"],
        "file:checksum": f"1220{item['sha256']}",
    }
    if raster is None:
        kind = KINDS.get(PurePosixPath(name).suffix, "application/octet-stream")
        return made | {"type": kind, "roles": ["metadata" if name.endswith(".qgz") else "data"]}
    return made | {
        "type": COG,
        "roles": ROLES[PurePosixPath(name).stem],
        "bands": [{"description": layers.text(words or "")} for words in raster.descriptions],
        "raster:bands": [_band(raster, k) for k in range(len(raster.descriptions))],
    }


def _band(raster: Raster, k: int) -> dict[str, Any]:
    nodata = "nan" if raster.nodata is not None and math.isnan(raster.nodata) else raster.nodata
    return (
        {"data_type": raster.dtype}
        | ({} if nodata is None else {"nodata": nodata})
        | ({"statistics": raster.statistics[k]} if raster.statistics[k] else {})
    )
