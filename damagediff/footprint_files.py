"""The files that footprints come in, each as a list of features as GeoJSON has them.

Told apart by their content: GeoJSON, GeoJSON one feature a line (as Microsoft ships it), CSV with a column of
well-known text (as Google ships it), any of them packed by gzip, and GeoPackage.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import shapely
import shapely.geometry

from . import geopackage
from .errors import InputError
from .types import Grid

MAX_BYTES = 500_000_000
"""A larger file, packed or unpacked, is not read into memory."""
GZIP = b"\x1f\x8b"
LONLAT = "EPSG:4326"
GEOMETRY_COLUMNS = ("geometry", "wkt", "geom", "wkt_geom")
KINDS = "GeoJSON (whole or a feature a line), CSV with a geometry column of WKT, each also .gz, or GeoPackage"


def features(path: Path, on: Grid) -> tuple[str | None, Iterable[dict[str, Any]]]:
    """CRS of the coordinates (None: pixels, or not said) and the features of a file.

    Raises
    ------
    InputError
        The file is missing, too large, or none of the formats; while iterating, a feature is broken.
    """
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path.name}: not a regular file. Give one file: {KINDS}")
        with path.open("rb") as file:
            packed = file.read(2) == GZIP
            file.seek(0)
            if file.read(len(geopackage.MAGIC)) == geopackage.MAGIC:
                return geopackage.features(path, on)
            file.seek(0)
            content = _unpacked(path, file) if packed else _read(path, file, path.stat().st_size)
        text = content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError, EOFError, zlib.error) as error:
        raise InputError(
            f"{path.name}: not a readable GeoJSON file: {error}. What can be read: {KINDS}"
        ) from None
    return _of_text(path, text, on)


def _read(path: Path, file: io.BufferedReader, size: int) -> bytes:
    if size > MAX_BYTES:
        raise InputError(
            f"{path.name}: {size:,} bytes, more than the {MAX_BYTES:,} allowed. Cut out the part that the "
            "images show"
        )
    return file.read()


def _unpacked(path: Path, file: io.BufferedReader) -> bytes:
    with gzip.open(file) as stream:
        content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise InputError(
            f"{path.name}: unpacked more than the {MAX_BYTES:,} bytes allowed. Cut out the part that the "
            "images show"
        )
    if content.startswith(geopackage.MAGIC):
        raise InputError(f"{path.name}: a packed GeoPackage. Unpack it first")
    return content


def _of_text(path: Path, text: str, on: Grid) -> tuple[str | None, Iterable[dict[str, Any]]]:
    lonlat = LONLAT if on.crs else None
    head = text[:10_000].split("\n", 1)[0].lower()
    if set(re.split(r'[",;\t\r ]+', head)) & set(GEOMETRY_COLUMNS) and not text.lstrip().startswith(
        ("{", "[")
    ):
        return lonlat, _of_csv(path, text)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        # ValueError: not JSON, an endless number, or a feature a line
        if re.match(r"[\s\x1e]*\{", text) and ("Extra data" in str(error) or "\x1e" in text[:100]):
            return lonlat, _of_lines(path, text)
        raise InputError(
            f"{path.name}: not a readable GeoJSON file: {error}. What can be read: {KINDS}"
        ) from None
    if isinstance(content, dict) and content.get("type") == "Feature":
        content = {"features": [content]}
    found = content.get("features") if isinstance(content, dict) else None
    if not isinstance(found, list) or not all(isinstance(feature, dict) for feature in found):
        raise InputError(f"{path.name}: not a GeoJSON FeatureCollection. What can be read: {KINDS}")
    return _named_crs(path, content, on) or lonlat, found


def _named_crs(path: Path, content: dict[str, Any], on: Grid) -> str | None:
    """What a ``crs`` member says, as GeoJSON had before RFC 7946; None: longitude and latitude, or pixels."""
    member = content.get("crs")
    if not isinstance(member, dict) or on.crs is None:
        return None
    properties = member.get("properties")
    name = str(properties.get("name", "")) if isinstance(properties, dict) else ""
    code = re.search(r"EPSG:+(?:[\d.]*:)?(\d{4,6})$", name)
    if code:
        return f"EPSG:{code[1]}"
    if name.endswith("CRS84"):
        return None
    raise InputError(f"{path.name}: its CRS {name[:60]!r} is not known. Save it in longitude and latitude")


def _of_lines(path: Path, text: str) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip(" \t\x1e,")
        if not stripped:
            continue
        try:
            feature = json.loads(stripped)
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"{path.name}: line {number} is not a GeoJSON feature: {error}. Save it again, or remove "
                "that line"
            ) from None
        if not isinstance(feature, dict):
            raise InputError(
                f"{path.name}: line {number} is not a GeoJSON feature. Save it again, or remove that line"
            )
        yield feature


def _of_csv(path: Path, text: str) -> Iterator[dict[str, Any]]:
    try:
        for number, row in enumerate(csv.DictReader(io.StringIO(text, newline="")), start=1):
            values = {str(key).strip().lower(): value for key, value in row.items() if isinstance(value, str)}
            name = next((name for name in GEOMETRY_COLUMNS if name in values), None)
            wkt = values.pop(name) if name else ""
            yield {"type": "Feature", "geometry": _of_wkt(path, number, wkt), "properties": values}
    except csv.Error as error:
        raise InputError(f"{path.name}: not a readable CSV file: {error}. Save it as CSV in UTF-8") from None


def _of_wkt(path: Path, number: int, wkt: str) -> dict[str, Any] | None:
    if not wkt.strip():
        return None
    try:
        shape = shapely.force_2d(shapely.from_wkt(wkt))
    except (shapely.errors.ShapelyError, ValueError):
        raise InputError(
            f"{path.name}: feature {number} has a geometry that is no well-known text. Write it as POLYGON "
            "((x y, ...)), or leave it out"
        ) from None
    return None if shape.is_empty else shapely.geometry.mapping(shape)
