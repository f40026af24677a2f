"""A georeference made by hand: an affine through places of a picture that an analyst found on a map.

They are no ground control points: nobody surveyed them. The affine is fitted by least squares in metres, in
the UTM zone of their centre, and judged by leaving each point out in turn.
"""

from __future__ import annotations

import csv
import hashlib
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from affine import Affine

from . import door, tags
from . import grid as grids
from .errors import InputError, SettingsError
from .provenance import HandGeoreference, MapPoint
from .types import FloatArray, Image

COLUMNS = {
    "x": ("before_col", "x", "col", "column"),
    "y": ("before_row", "y", "row"),
    "lon": ("lon", "longitude"),
    "lat": ("lat", "latitude"),
}
"""What each column may be called, the first name first."""

MIN_POINTS, MAX_POINTS = 3, 1000
MAX_BYTES = 1_000_000
MIN_SPREAD = 0.05
"""Of the points, across over along: nearer to one line, they tell nothing of the second direction."""
MAX_DISAGREEMENT = 0.05
"""Of the points' extent, by which they may disagree before all are refused: a wrong digit, or a picture that
is not seen from above. Points read to 20 px in a picture of 1,000 px disagree by .02."""
MAX_STRETCH = 2.0
"""Longest over shortest ground size of a pixel: viewed 60 degrees off the vertical, where no affine holds."""
MAX_EXTENT_M = 500_000.0
"""Beyond, one affine in one UTM zone is wrong by more than a screenshot's own projection."""


@dataclass(frozen=True)
class AffineFit:
    """World metres of a pixel's centre: ``matrix @ (x, y) + offset``."""

    matrix: FloatArray
    offset: FloatArray

    def world(self, xy: FloatArray) -> FloatArray:
        """(N, 2) metres of (N, 2) pixels (x, y)."""
        return xy @ self.matrix.T + self.offset

    @property
    def gsd_m(self) -> float:
        """Ground size of a pixel: the root of its area."""
        return math.sqrt(abs(float(np.linalg.det(self.matrix))))


def place(image: Image, path: Path) -> Image:
    """The same image with the georeference that a CSV of points gives it.

    Columns ``before_col, before_row`` or ``x, y`` (pixels as shown, the centre of the first at (0, 0)) and
    ``lon, lat`` (degrees, WGS 84); at least three points, not on one line.

    Raises
    ------
    SettingsError
        The image is georeferenced itself.
    InputError
        The file is no such table, or its points make no georeference.
    """
    if image.georeferenced:
        raise SettingsError(f"--georeference: {image.name} is georeferenced itself. Leave --georeference out")
    name = tags.printable(path.name)
    xy, lonlat, digest = _read(path, name)
    _check_pixels(image, xy, name)
    crs, east_north = metres(lonlat, name)
    fitted = fit(xy, east_north)
    _check_fit(fitted, name, _odd_one(xy, east_north))
    found = _judged(xy, lonlat, east_north, fitted)
    _check_agreement(found, xy, east_north, name)
    a, b, d, e = fitted.matrix.ravel().tolist()
    c, f = (fitted.offset - fitted.matrix.sum(1) / 2).tolist()  # corners: half a pixel before the centres
    note = f"Its georeference is the analyst's, not the file's: {words(found)}."
    if image.crop is not None:
        x, y = image.crop.col, image.crop.row
        note += (
            f" Its pixels are counted from the corner of its panel, at column {x}, row {y} of the picture."
        )
    return replace(
        image,
        transform=Affine(a, b, c, d, e, f),
        crs=crs,
        placed_by_hand=replace(found, sha256=digest),
        notes=(*image.notes, note),
    )


def words(found: HandGeoreference) -> str:
    """How the georeference was made, and its error as far as it is known."""
    first = f"an affine through {len(found.points)} points found on a map"
    if found.left_out_rms_m is None:
        return f"{first}, which any three points allow: its error is not known"
    error = f"RMS {found.rms_m:,.1f} m, {found.left_out_rms_m:,.1f} m with each point left out in turn"
    return f"{first}, {error}"


def _read(path: Path, name: str) -> tuple[FloatArray, FloatArray, str]:
    """(N, 2) pixels, (N, 2) lon/lat and SHA-256 of the file."""
    real = door.regular_file(path, name)
    try:
        with real.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise InputError(f"{name}: not a CSV file of at most {MAX_BYTES:,} bytes. Give a table of points")
        rows = list(csv.reader(content.decode("utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{name}: not a readable CSV file: {door.reason(error)}. Save it as CSV in UTF-8"
        ) from None
    at = _columns(rows[0] if rows else [], name)
    lines = [
        (number, row) for number, row in enumerate(rows[1:], start=2) if any(cell.strip() for cell in row)
    ]
    if not MIN_POINTS <= len(lines) <= MAX_POINTS:
        raise InputError(
            f"{name}: holds {len(lines)} points, {MIN_POINTS} to {MAX_POINTS:,} needed. Find more, or fewer"
        )
    values = np.array([_numbers(row, at, name, number) for number, row in lines])
    return values[:, :2], values[:, 2:], hashlib.sha256(content).hexdigest()


def _columns(header: list[str], name: str) -> list[int]:
    """Where x, y, lon and lat stand."""
    told = [cell.strip().lower() for cell in header]
    found = [next((told.index(word) for word in known if word in told), None) for known in COLUMNS.values()]
    if None in found:
        how = ". Save it with commas between the columns and points in the numbers"
        other = any(mark in cell for cell in header for mark in ";\t")
        raise InputError(
            f"{name}: needs the columns before_col, before_row (or x, y), lon and lat in its first line"
            + (how if other else "")
        )
    return [place for place in found if place is not None]


def _numbers(row: list[str], at: list[int], name: str, line: int) -> list[float]:
    try:
        values = [float(row[place]) for place in at]
    except (IndexError, ValueError):
        values = [math.nan]
    if not all(map(math.isfinite, values)):
        raise InputError(
            f"{name}: line {line}: a number such as 46.36 is needed in each of {', '.join(COLUMNS)}"
        )
    if not (abs(values[2]) <= 180 and abs(values[3]) <= 90):
        raise InputError(
            f"{name}: line {line}: lon {values[2]:g}, lat {values[3]:g} is not on Earth, "
            "in degrees -180 to 180 and -90 to 90. Check whether lon and lat are exchanged"
        )
    return values


def _check_pixels(image: Image, xy: FloatArray, name: str) -> None:
    outside = ~((xy >= -0.5) & (xy <= np.array(image.shape[::-1]) - 0.5)).all(1)
    if outside.any():
        x, y = xy[int(np.flatnonzero(outside)[0])]
        raise InputError(
            f"{name}: the point at column {x:g}, row {y:g} lies outside {image.as_counted}, which has "
            f"{image.shape[1]} columns and {image.shape[0]} rows. Check whether x and y are exchanged"
        )
    spread = np.linalg.svd(xy - xy.mean(0), compute_uv=False)
    if spread[1] < MIN_SPREAD * max(spread[0], 1.0):
        raise InputError(
            f"{name}: its points lie on one line of the picture, or on one spot. Add one well beside it"
        )


def metres(lonlat: FloatArray, name: str) -> tuple[str, FloatArray]:
    """The UTM zone of the centre, and the points in it."""
    lon = lonlat[0, 0] + (lonlat[:, 0] - lonlat[0, 0] + 180) % 360 - 180  # across the date line
    centre = (float(lon.mean()) + 180) % 360 - 180, float(lonlat[:, 1].mean())
    crs = grids.utm_zone(*centre)
    east_north = grids.reproject_xy("EPSG:4326", crs, lonlat)
    if not np.isfinite(east_north).all() or _extent(east_north) > MAX_EXTENT_M:
        raise InputError(
            f"{name}: its points lie more than {MAX_EXTENT_M / 1000:g} km apart, where one affine does not "
            f"hold. Check the longitudes and latitudes{_far_one(lonlat)}"
        )
    return crs, east_north


def _far_one(lonlat: FloatArray) -> str:
    """In words, the point that lies far from all others, which lie close together; empty without one."""
    apart = np.abs(lonlat - np.median(lonlat, axis=0)).max(1)
    order = np.argsort(apart)
    if len(lonlat) == MIN_POINTS or apart[order[-1]] < 10 * apart[order[-2]]:
        return ""
    lon, lat = lonlat[order[-1]]
    return f", first of all of the point at lon {lon:g}, lat {lat:g}, far from the others"


def _extent(points: FloatArray) -> float:
    return float(np.hypot(*np.ptp(points, axis=0)))


def fit(xy: FloatArray, east_north: FloatArray) -> AffineFit:
    """Least squares, about the centres: a northing has seven digits."""
    middle, ground = xy.mean(0), east_north.mean(0)
    solved, *_ = np.linalg.lstsq(xy - middle, east_north - ground, rcond=None)
    return AffineFit(solved.T, ground - solved.T @ middle)


def _check_fit(fitted: AffineFit, name: str, odd: FloatArray | None) -> None:
    """Rows run down and columns to the right on any picture; a map has north up and east to the right.

    `odd`: the pixel of the one point without which the others make sense; None without one.
    """
    longest, shortest = np.linalg.svd(fitted.matrix, compute_uv=False)
    if not shortest > longest * 1e-6:
        raise InputError(
            f"{name}: its points lie on one line of the ground, or on one spot. Add one beside it"
        )
    wrong = None
    if np.linalg.det(fitted.matrix) > 0:
        wrong = "the picture is a mirror image"
    elif longest > MAX_STRETCH * shortest:
        wrong = f"a pixel is {longest / shortest:.1f} times as long as wide on the ground"
    if wrong is None:
        return
    if odd is not None:
        raise InputError(
            f"{name}: by its points {wrong}; without the one at column {odd[0]:g}, row {odd[1]:g} it is not. "
            "Check the digits of that point"
        )
    if np.linalg.det(fitted.matrix) > 0:
        raise InputError(
            f"{name}: by its points {wrong}. Check whether lon and lat, or x and y, are exchanged"
        )
    raise InputError(
        f"{name}: by its points {wrong}. Check the points; a picture that is not seen from above has no "
        "affine georeference"
    )


def _odd_one(xy: FloatArray, east_north: FloatArray) -> FloatArray | None:
    """(2,) the pixel of the only point without which the others are a picture seen from above.

    Among five points and more they must also agree, within `MAX_DISAGREEMENT` and four times better than
    with it; four that remain three are met by any affine, so that only the shape of a pixel tells.
    """
    every = _misses(fit(xy, east_north), xy, east_north)
    found = []
    for left in range(len(xy) if len(xy) > MIN_POINTS else 0):
        others = np.arange(len(xy)) != left
        rest = fit(xy[others], east_north[others])
        longest, shortest = np.linalg.svd(rest.matrix, compute_uv=False)
        upright = np.linalg.det(rest.matrix) < 0 and longest <= MAX_STRETCH * shortest
        miss = _misses(rest, xy[others], east_north[others])
        if upright and miss <= MAX_DISAGREEMENT * _extent(east_north[others]) and 4 * miss < every:
            found.append(left)
    return xy[found[0]] if len(found) == 1 else None


def _misses(fitted: AffineFit, xy: FloatArray, east_north: FloatArray) -> float:
    """Root mean square distance in metres."""
    return float(np.sqrt(((fitted.world(xy) - east_north) ** 2).sum(1).mean()))


def _judged(
    xy: FloatArray, lonlat: FloatArray, east_north: FloatArray, fitted: AffineFit
) -> HandGeoreference:
    residuals = np.hypot(*(fitted.world(xy) - east_north).T)
    left_out, scales = leave_one_out(xy, east_north)
    points = tuple(
        MapPoint(tuple(p), tuple(q), float(r), o)
        for p, q, r, o in zip(xy.tolist(), lonlat.tolist(), residuals, left_out, strict=True)
    )
    known = [value for value in left_out if value is not None]
    longest, shortest = np.linalg.svd(fitted.matrix, compute_uv=False)
    up = -fitted.matrix[:, 1]
    return HandGeoreference(
        points=points,
        rms_m=float(np.sqrt((residuals**2).mean())),
        left_out_rms_m=float(np.sqrt(np.square(known).mean())) if known else None,
        relative_uncertainty=max(abs(s / fitted.gsd_m - 1) for s in scales) if scales else None,
        turn_deg=math.degrees(math.atan2(up[0], up[1])),
        stretch=float(longest / shortest),
        sha256="",
    )


def leave_one_out(xy: FloatArray, east_north: FloatArray) -> tuple[list[float | None], list[float]]:
    """Each point's distance from a fit without it, and the pixel sizes of those fits.

    A point without which the others lie on one line cannot be judged so: None.
    """
    errors: list[float | None] = []
    scales = []
    for left in range(len(xy)):
        others = np.arange(len(xy)) != left
        spread = np.linalg.svd(xy[others] - xy[others].mean(0), compute_uv=False)
        if len(xy) == MIN_POINTS or spread[1] < MIN_SPREAD * max(spread[0], 1.0):
            errors.append(None)
            continue
        fitted = fit(xy[others], east_north[others])
        errors.append(float(np.hypot(*(fitted.world(xy[left]) - east_north[left]))))
        scales.append(fitted.gsd_m)
    return errors, scales


def _check_agreement(found: HandGeoreference, xy: FloatArray, east_north: FloatArray, name: str) -> None:
    """Refuse points of which one contradicts the others, or that no affine meets."""
    most = MAX_DISAGREEMENT * _extent(east_north)
    suspect, rest_m = _suspect(xy, east_north)
    point = found.points[suspect]
    if found.rms_m > most or ((point.left_out_m or 0.0) > most and 4 * rest_m < found.rms_m):
        alone = len(xy) > MIN_POINTS + 1 and 4 * rest_m < found.rms_m
        whose = f", most of all that at column {point.xy[0]:g}, row {point.xy[1]:g}" if alone else ""
        raise InputError(
            f"{name}: its points disagree by {found.rms_m:,.1f} m (RMS) over {_extent(east_north):,.0f} m"
            f"{whose}. Check the digits; a picture not seen from above has no affine georeference"
        )


def _suspect(xy: FloatArray, east_north: FloatArray) -> tuple[int, float]:
    """The point without which the others agree best, and their RMS then."""
    rest = []
    for left in range(len(xy)):
        others = np.arange(len(xy)) != left
        rest.append(_misses(fit(xy[others], east_north[others]), xy[others], east_north[others]))
    suspect = int(np.argmin(rest))
    return suspect, rest[suspect]
