"""What a georeferenced comparison gives to geographic information systems: files of several formats."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

import shapely

from . import (
    digests,
    gis_flatgeobuf,
    gis_geopackage,
    gis_kml,
    gis_layers,
    gis_project,
    gis_schemas,
    gis_stac,
    gis_styles,
    json_text,
    lonlat,
    outputs,
    raster,
    summary,
    tables,
    wording,
)
from .errors import InputError, OutputError
from .gis_layers import Feature, Layer
from .gis_schemas import Schema
from .gis_stac import Raster
from .gis_xml import Element
from .settings import ReadSettings
from .types import Comparison, Grid, Source

Format = Literal["gpkg", "kmz", "geojson", "csv", "fgb", "stac", "qgis"]
FORMATS: tuple[Format, ...] = get_args(Format)
USUAL: tuple[Format, ...] = ("gpkg", "kmz", "geojson", "csv", "stac", "qgis")
"""All that needs nothing but damagediff itself."""
PICTURES, MEASURES = ("before", "after_aligned"), ("change_score", "change_mask")
"""Rasters that are copied beside a project or an item: images, and what was measured on them."""
STATISTICS = ("minimum", "maximum", "mean", "stddev", "valid_percent")


@dataclass(frozen=True)
class Wanted:
    """What to write."""

    formats: tuple[Format, ...] = USUAL
    schema: Schema | None = None
    """Whose names of fields; None: damagediff's own."""
    pictures: bool = True
    """False: without the two images, whose licence may not allow them to be shared."""


@dataclass
class _Job:
    """One export: what is shown, from where to where, and what is known of the rasters copied so far."""

    comparison: Comparison
    run: Path
    out: Path
    wanted: Wanted
    layers: tuple[Layer, ...]
    evidence_id: str
    rasters: dict[str, Raster] = field(default_factory=dict)

    @property
    def grid(self) -> Grid:
        """The working grid."""
        return self.comparison.pair.grid


def check(wanted: Wanted) -> None:
    """Refuse what cannot be written here.

    Raises
    ------
    SettingsError
        A format needs a library that is not installed.
    """
    if "fgb" in wanted.formats:
        gis_flatgeobuf.library()


def check_has_place(comparison: Comparison) -> None:
    """Refuse a comparison that has nothing for a map.

    Raises
    ------
    InputError
        Its pictures are not georeferenced, or it says nothing about change.
    """
    if comparison.pair.grid.crs is None:
        raise InputError(
            "no GIS files: the pictures are not georeferenced, so nothing has a place on a map. Compare them "
            "again with --georeference, or with files that tell where they lie"
        )
    if not summary.told(comparison):
        raise InputError(f"no GIS files: the pair is not comparable. {summary.finding(comparison)}")


def write(comparison: Comparison, run: Path, out: Path, wanted: Wanted) -> None:
    """Write all formats wanted into an existing folder; the same run gives the same bytes.

    Parameters
    ----------
    comparison : Comparison
        As saved in `run`, with its reviews.
    run : Path
        Its folder, for the rasters.
    out : Path
        The folder to fill.

    Raises
    ------
    InputError
        As `check_has_place`.
    SettingsError
        As `check`.
    OSError, OutputError
        The disk refuses.
    """
    check_has_place(comparison)
    check(wanted)
    layers = gis_schemas.rename(gis_layers.of(comparison), comparison, wanted.schema)
    job = _Job(comparison, run, out, wanted, layers, outputs.evidence_id(comparison))
    needed = set(wanted.formats) | ({"gpkg"} if "qgis" in wanted.formats else set())
    for name, make in WRITERS.items():  # the catalogue item last: it lists what is there
        if name in needed:
            make(job)


def _geopackage(job: _Job) -> None:
    looks = {layer.name: gis_styles.qml(*gis_styles.vector(layer)) for layer in job.layers}
    about = gis_layers.about(job.comparison, job.evidence_id)
    gis_geopackage.write(job.out / "damagediff.gpkg", job.layers, job.grid, about, looks)


def _kmz(job: _Job) -> None:
    path = job.out / "damagediff.kmz"
    gis_kml.write(path, job.layers, job.comparison, job.evidence_id, job.wanted.pictures)


def _geojson(job: _Job) -> None:
    about = dict(gis_layers.about(job.comparison, job.evidence_id))
    for layer in job.layers:
        features = [
            {
                "type": "Feature",
                "geometry": _geometry(feature, layer, job.grid),
                "properties": dict(zip(layer.fields, feature.values, strict=True)),
            }
            for feature in layer.features
        ]
        told = {"type": "FeatureCollection", "title": layer.title, "about": about, "features": features}
        tables.write_text(job.out / f"{layer.name}.geojson", json_text.to_json(told))


def _geometry(feature: Feature, layer: Layer, grid: Grid) -> dict[str, object] | None:
    if layer.points:
        return lonlat.point(feature.parts_rc[0][0][0], grid)
    return lonlat.geometry(feature.parts_rc, grid)


def _csv(job: _Job) -> None:
    """Fields, then a point within each shape and the shape itself, in degrees."""
    for layer in job.layers:
        header = (*layer.fields, "lon", "lat", "wkt_lonlat")
        rows = (
            (*map(_cell, feature.values), *_place(feature, layer, job.grid)) for feature in layer.features
        )
        tables.write_text(job.out / f"{layer.name}.csv", tables.csv_text(header, rows))


def _cell(value: gis_layers.Value) -> str:
    return "" if value is None else str(value)


def _place(feature: Feature, layer: Layer, grid: Grid) -> tuple[str, str, str]:
    found = _geometry(feature, layer, grid)
    if found is None:
        return "", "", ""
    plain = {"type": found["type"], "coordinates": found["coordinates"].value}  # type: ignore[attr-defined]
    shape = shapely.geometry.shape(plain)
    inside = shape.representative_point()
    wkt = shapely.to_wkt(shape, rounding_precision=lonlat.LONLAT_DECIMALS)
    return f"{inside.x:.7f}", f"{inside.y:.7f}", wkt


def _flatgeobuf(job: _Job) -> None:
    for layer in job.layers:
        gis_flatgeobuf.write(job.out / f"{layer.name}.fgb", layer, job.grid)


def _rasters(job: _Job) -> dict[str, tuple[Element, str]]:
    """Copy the rasters of the run, each with its ``.qml``; how each looks, and its title."""
    names = (*MEASURES, *(PICTURES if job.wanted.pictures else ()))
    shown = {}
    for name in names:
        if name not in job.rasters:
            _copy(job, f"{name}.tif")
            job.rasters[name] = _described(job.out / f"{name}.tif")
        looks = _looks(name, job.rasters[name])
        tables.write_text(job.out / f"{name}.qml", gis_styles.qml(looks))
        shown[name] = (_looks(name, job.rasters[name]), _title(name, job.comparison))
    return shown


def _copy(job: _Job, name: str) -> None:
    needed = (job.run / name).stat().st_size
    if shutil.disk_usage(job.out).free < needed:
        raise OutputError(f"{name}: {needed / 1e6:,.1f} MB do not fit on that disk. Free some space")
    shutil.copyfile(job.run / name, job.out / name)


def _described(path: Path) -> Raster:
    """What a raster of a run says of itself, asked through the door that strangers' files go through."""
    image = raster.inspect(Source(path), ReadSettings())
    said = raster.header(image)
    statistics = tuple(_statistics(tags) for tags in said.band_tags)
    return Raster(image.dtype, said.nodata, said.descriptions, statistics)


def _statistics(tags: dict[str, str]) -> dict[str, float]:
    found = {}
    for name in STATISTICS:
        try:
            value = float(tags[f"STATISTICS_{name.upper()}"])
        except (KeyError, ValueError):
            continue
        if math.isfinite(value):
            found[name] = value
    return found


def _looks(name: str, known: Raster) -> Element:
    if name == "change_mask":
        return gis_styles.mask()
    if name == "change_score":
        return gis_styles.score()
    return gis_styles.picture([_limits(band) for band in known.statistics])


def _limits(band: dict[str, float]) -> tuple[float, float]:
    """Two standard deviations to either side of the mean, no further than there are values."""
    middle, spread = band.get("mean", 128.0), 2 * band.get("stddev", 64.0)
    low = max(middle - spread, band.get("minimum", 0.0))
    high = min(middle + spread, band.get("maximum", 255.0))
    return low, max(high, low + 1e-6)


def _title(name: str, comparison: Comparison) -> str:
    pair = comparison.pair
    images = {"before": ("Before", pair.before), "after_aligned": ("After, aligned", pair.after)}
    if name not in images:
        return {"change_mask": "Mask of change", "change_score": "Change score, 0 to 1"}[name]
    words, image = images[name]
    return f"{words} · {wording.date(image.acquisition)} · {summary.credit(image.credit)}"


def _project(job: _Job) -> None:
    title = summary.title(job.comparison)
    gis_project.write(job.out / "damagediff.qgz", job.layers, _rasters(job), job.grid, title)


def _stac(job: _Job) -> None:
    _rasters(job)
    listed = [digests.entry(path) for path in sorted(job.out.iterdir()) if path.suffix != ".qml"]
    item = gis_stac.text(job.comparison, job.rasters, listed, job.evidence_id)
    tables.write_text(job.out / gis_stac.FILE, item)


WRITERS: dict[Format, Callable[[_Job], None]] = {
    "gpkg": _geopackage,
    "kmz": _kmz,
    "geojson": _geojson,
    "csv": _csv,
    "fgb": _flatgeobuf,
    "qgis": _project,
    "stac": _stac,
}
