"""Layers as FlatGeobuf, by way of pyogrio: the one format that needs the extra ``gis``."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import shapely

from . import gis_geopackage
from .errors import SettingsError
from .gis_layers import Kind, Layer
from .types import Grid

TYPES: dict[Kind, str] = {"text": "object", "integer": "int64", "real": "float64"}


def library() -> ModuleType:
    """The module that writes.

    Raises
    ------
    SettingsError
        It is not installed.
    """
    try:
        return import_module("pyogrio.raw")
    except ImportError:
        raise SettingsError(
            "fgb: FlatGeobuf is written with pyogrio, which is not installed. "
            "Try: pip install 'damagediff[gis]'"
        ) from None


def write(path: Path, layer: Layer, grid: Grid) -> None:
    """One layer in the CRS of the grid, with a spatial index.

    Raises
    ------
    OSError
        The disk refuses.
    """
    raw = library()
    shapes = [gis_geopackage.shape_xy(feature, layer, grid) for feature in layer.features]
    names = list(layer.fields)
    columns = list(zip(*(feature.values for feature in layer.features), strict=True)) or [()] * len(names)
    filled = [_column(values, layer.fields[n]) for n, values in zip(names, columns, strict=True)]
    raw.write(
        str(path),
        np.array([shapely.to_wkb(shape, flavor="iso") for shape in shapes], dtype=object),
        [data for data, _ in filled],
        names,
        field_mask=[mask for _, mask in filled],
        layer=layer.name,
        driver="FlatGeobuf",
        geometry_type="Point" if layer.points else "MultiPolygon",
        crs=grid.crs,
        encoding="UTF-8",
    )


def _column(values: Any, kind: Kind) -> tuple[Any, Any]:
    """Values of one field, and where there is none."""
    missing = np.array([value is None for value in values], bool)
    blank: Any = "" if kind == "text" else 0
    data = np.array([blank if value is None else value for value in values], dtype=TYPES[kind])
    return data, missing
