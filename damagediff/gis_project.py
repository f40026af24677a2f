"""A project for QGIS that shows a run: groups, styles and relative paths, in one small ``.qgz`` file."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyproj

from . import gis_styles as styles
from . import gis_xml as xml
from . import grid as grids
from .gis_layers import Layer
from .gis_xml import Element, element, parent
from .types import Grid

PROJECT = "damagediff.qgs"
GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Change", ("regions", "buildings")),
    ("Where and how well", ("grid", "tie_points", "not_analysed", "image_footprints")),
    ("Measured", ("change_mask", "change_score")),
    ("Pictures", ("after_aligned", "before")),
)
HIDDEN = {"grid", "tie_points", "image_footprints", "change_mask", "change_score", "buildings"}
"""Switched off when the project is opened: what is left shows what was found, on the after picture."""


@dataclass(frozen=True)
class Shown:
    """One layer of the project."""

    key: str
    title: str
    source: str
    """Relative to the project."""
    looks: tuple[Element, ...]
    points: bool | None = None
    """None: a raster."""


def write(
    path: Path, layers: Sequence[Layer], rasters: dict[str, tuple[Element, str]], grid: Grid, title: str
) -> None:
    """A ``.qgz`` project beside the files that it shows.

    Parameters
    ----------
    path : Path
        The project to write.
    layers : sequence of Layer
        In ``damagediff.gpkg``, in the same folder.
    rasters : dict
        By name without its ending: how it looks, and its title.
    grid : Grid
        Gives the CRS and what is in view.
    title : str
        Of the project.

    Raises
    ------
    OSError
        The disk refuses.
    """
    shown = {
        layer.name: Shown(
            layer.name,
            layer.title,
            f"./damagediff.gpkg|layername={layer.name}",
            styles.vector(layer),
            layer.points,
        )
        for layer in layers
    } | {name: Shown(name, told, f"./{name}.tif", (looks,)) for name, (looks, told) in rasters.items()}
    listed = [(group, [shown[name] for name in names if name in shown]) for group, names in GROUPS]
    root = _project([(group, found) for group, found in listed if found], grid, title)
    xml.pack(path, {PROJECT: xml.document(root, styles.DOCTYPE)})


def _project(groups: Sequence[tuple[str, Sequence[Shown]]], grid: Grid, title: str) -> Element:
    crs = _crs(grid)
    tree = parent("layer-tree-group", *(_group(group, found) for group, found in groups))
    flat = [layer for _, found in groups for layer in found]
    return parent(
        "qgis",
        parent("homePath", path=""),
        element("title", title),
        parent("projectCrs", crs),
        tree,
        _canvas(grid, copy.deepcopy(crs)),
        parent("projectlayers", *(_layer(layer, copy.deepcopy(crs)) for layer in flat)),
        parent("layerorder", *(element("layer", id=_id(layer)) for layer in flat)),
        parent(
            "properties",
            parent("Paths", element("Absolute", "false", type="bool")),
            parent("SpatialRefSys", element("ProjectionsEnabled", "1", type="int")),
        ),
        projectname=title,
        version=styles.VERSION,
    )


def _id(layer: Shown) -> str:
    return f"damagediff_{layer.key}"


def _group(name: str, found: Sequence[Shown]) -> Element:
    leaves = (
        element(
            "layer-tree-layer",
            id=_id(layer),
            name=layer.title,
            source=layer.source,
            providerKey=_provider(layer),
            checked="Qt::Unchecked" if layer.key in HIDDEN else "Qt::Checked",
            expanded="1" if layer.key == "regions" else "0",
        )
        for layer in found
    )
    return parent("layer-tree-group", *leaves, name=name, checked="Qt::Checked", expanded="1")


def _provider(layer: Shown) -> str:
    return "gdal" if layer.points is None else "ogr"


def _canvas(grid: Grid, crs: Element) -> Element:
    rows, cols = grid.shape
    corners = grids.world_from_pixel(grid.transform, [[rows - 0.5, -0.5], [-0.5, cols - 0.5]])  # type: ignore[arg-type]
    names = ("xmin", "ymin", "xmax", "ymax")
    extent = parent("extent", *(element(n, f"{v:.3f}") for n, v in zip(names, corners.ravel(), strict=True)))
    where = parent("destinationsrs", crs)
    return parent(
        "mapcanvas", element("units", "meters"), extent, element("rotation", "0"), where, name="theMapCanvas"
    )


def _crs(grid: Grid) -> Element:
    crs = pyproj.CRS.from_user_input(grid.crs)
    whole = element("wkt")
    whole.text = crs.to_wkt("WKT2_2019")  # longer than other texts may be
    known = str(grid.crs).upper().startswith("EPSG:")
    named = [element("authid", str(grid.crs).upper())] if known else []
    rest = element("description", crs.name), element("geographicflag", "false")
    return parent("spatialrefsys", whole, *named, *rest)


def _layer(layer: Shown, crs: Element) -> Element:
    is_raster = layer.points is None
    kind = {"type": "raster"} if is_raster else {
        "type": "vector", "geometry": "Point" if layer.points else "Polygon"
    }  # fmt: skip
    return parent(
        "maplayer",
        element("id", _id(layer)),
        element("datasource", layer.source),
        element("layername", layer.title),
        parent("srs", crs),
        element("provider", _provider(layer), **({} if is_raster else {"encoding": "UTF-8"})),
        *layer.looks,
        **kind,
    )
