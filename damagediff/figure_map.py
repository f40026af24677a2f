"""What makes a picture a map: scale bar, north arrow, coordinates at its edges, and where on Earth it is."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Polygon

from . import figure_sheet as sheets
from . import grid as grids
from . import summary, wording
from .figure_sheet import INK, MUTED, Sheet
from .figure_words import length, round_length
from .types import Comparison, FloatArray, Grid

Side = Literal["left", "below"]

BAR_PX, NORTH_PX, GLOBE_PX = 260, 60, 104
"""Longest scale bar, room of the arrow, and diameter of the locator, in px at unit 1."""
TICK_SIZE, WORD_SIZE = 7.0, 8.0
TICK_PX = 8
SAMPLES = 257
"""Points along an edge between which coordinates are taken as straight: a grid bends far less."""
GRATICULE_DEG = 15
"""Between the lines of the locator."""


def ticks(grid: Grid, side: Side, size_px: int, unit: float) -> list[tuple[float, str]]:
    """Round longitudes along the lower edge, or latitudes along the left one.

    Parameters
    ----------
    grid : Grid
        Georeferenced.
    size_px : int
        Length of the edge on the page.
    unit : float
        Size of text on the page.

    Returns
    -------
    list of (float, str)
        Px along the edge, from the left or the top, and words that do not touch one another. Empty where the
        edge is too short for two.
    """
    values = _along(grid, side)
    spread = float(values.max() - values.min())
    if not 0 < spread < 180:  # across the date line a longitude has no order
        return []
    for step in _steps(spread):
        places = math.floor(-math.log10(step) + 1e-9) if step < 1 else 0
        first, last = math.ceil(values.min() / step), math.floor(values.max() / step)
        if last - first > 40:
            continue
        at = np.array([k * step for k in range(first, last + 1)])
        rising = values[0] < values[-1]
        order = slice(None) if rising else slice(None, None, -1)
        px = np.interp(at, values[order], np.linspace(0, size_px, SAMPLES)[order])
        words = [_degrees(value, side == "below", places + (step * 10**places % 1 > 1e-6)) for value in at]
        found = [
            (float(p), word)
            for p, word in zip(px, words, strict=True)
            if _reach(word, unit) / 2 <= p <= size_px - _reach(word, unit) / 2
        ]
        apart = np.diff(sorted(p for p, _ in found))
        if len(found) >= 2 and (apart > max(_reach(word, unit) for _, word in found)).all():
            return found
    return []


def _reach(word: str, unit: float) -> float:
    return sheets.text_width(word, TICK_SIZE * unit) + 24 * unit


def _along(grid: Grid, side: Side) -> FloatArray:
    rows, cols = grid.shape
    t = np.linspace(0, 1, SAMPLES)
    if side == "below":
        rc = np.stack([np.full(SAMPLES, rows - 0.5), t * cols - 0.5], axis=-1)
    else:
        rc = np.stack([t * rows - 0.5, np.full(SAMPLES, -0.5)], axis=-1)
    lonlat = grids.lonlat_from_grid(grid, rc)
    values = lonlat[:, 0 if side == "below" else 1]
    return values if np.isfinite(values).all() else np.zeros(SAMPLES)


def _steps(spread: float) -> list[float]:
    """Round steps, from about twenty in the whole edge to one."""
    power = 10.0 ** math.floor(math.log10(spread))
    return [power * step for step in (0.05, 0.1, 0.2, 0.5, 1, 2, 5)]


def _degrees(value: float, longitude: bool, places: int) -> str:
    letter = ("E" if value >= 0 else "W") if longitude else ("N" if value >= 0 else "S")
    return f"{abs(value):.{places}f}° {letter}"


def draw_ticks(sheet: Sheet, picture: tuple[int, int, int, int], grid: Grid, unit: float) -> None:
    """Short lines outside the lower and the left edge of a picture, with their coordinates."""
    left, top, width, height = picture
    long, thick = round(TICK_PX * unit), max(2, round(2 * unit))
    for x, words in ticks(grid, "below", width, unit):
        sheet.strip((left + x - thick / 2, top + height, thick, long), INK)
        at = (left + x, top + height + long + 2 * unit)
        sheet.text(at, words, TICK_SIZE * unit, color=MUTED, ha="center")
    for y, words in ticks(grid, "left", height, unit):
        sheet.strip((left - long, top + y - thick / 2, long, thick), INK)
        at = (left - long - 2 * unit, top + y)
        style = {"color": MUTED, "ha": "right", "va": "center", "rotation": 90}
        sheet.text(at, words, TICK_SIZE * unit, **style)


def tick_room(unit: float) -> int:
    """Px that lines and words need outside an edge."""
    return round(TICK_PX * unit) + sheets.line_height(TICK_SIZE * unit) + round(6 * unit)


def room(comparison: Comparison, unit: float = 1.0) -> int:
    """Px that coordinates need beside the first picture; 0 where none are known of it."""
    together = comparison.change is not None or summary.placed(comparison)
    return tick_room(unit) if comparison.pair.grid.crs is not None and together else 0


def place_of(comparison: Comparison) -> tuple[float, float, str] | None:
    """Longitude and latitude of the scene in degrees, and who says so; None when it is not known."""
    grid = comparison.pair.grid
    if grid.crs is not None:
        middle = np.array([[grid.shape[0] / 2 - 0.5, grid.shape[1] / 2 - 0.5]])
        lon, lat = (float(value) for value in grids.lonlat_from_grid(grid, middle)[0])
        return lon, lat, ""
    if comparison.case.place is None:
        return None
    lat, lon = comparison.case.place
    return lon, lat, "as stated"


def place_words(place: tuple[float, float, str]) -> list[str]:
    """The coordinates of the locator, and who says so."""
    lon, lat, who = place
    return [_degrees(lat, False, 3), _degrees(lon, True, 3), *([who] if who else [])]


def draw_locator(sheet: Sheet, at: tuple[float, float], place: tuple[float, float, str], unit: float) -> None:
    """A globe with its graticule, equator and prime meridian bold, and a dot; coordinates at its right."""
    lon, lat, _ = place
    radius = GLOBE_PX * unit / 2
    middle = at[0] + radius, at[1] + radius
    # Turned to a whole number of graticule lines, so that the dot shows where between them it lies.
    about = GRATICULE_DEG * round(lon / GRATICULE_DEG), max(-45, min(45, GRATICULE_DEG * round(lat / 30)))
    _disc(sheet, middle, radius, facecolor="#eef2f5", edgecolor=MUTED)
    t = np.linspace(-180, 180, 361)
    lines = [(t, np.full_like(t, k), k == 0) for k in range(-75, 90, GRATICULE_DEG)]
    lines += [(np.full(181, k), np.linspace(-90, 90, 181), k == 0) for k in range(-180, 180, GRATICULE_DEG)]
    for lons, lats, bold in lines:
        x, y, seen = _orthographic(np.asarray(lons, float), np.asarray(lats, float), about)
        xs = np.where(seen, (middle[0] + radius * x) / sheet.width, np.nan)
        ys = np.where(seen, 1 - (middle[1] - radius * y) / sheet.height, np.nan)
        color, width = (INK, 2.5) if bold else ("#9aa5b1", 1.0)
        sheet.figure.add_artist(
            Line2D(
                xs,
                ys,
                color=color,
                linewidth=sheets.points(width * unit),
                zorder=1,
                transform=sheet.figure.transFigure,
            )
        )
    x, y, _ = _orthographic(np.array([lon]), np.array([lat]), about)
    dot = middle[0] + radius * float(x[0]), middle[1] - radius * float(y[0])
    _disc(sheet, dot, 6 * unit, facecolor="#D55E00", edgecolor="#ffffff", zorder=3)
    words = place_words(place)
    top = middle[1] - len(words) * sheets.line_height(TICK_SIZE * unit) / 2
    sheet.lines((at[0] + (GLOBE_PX + 12) * unit, top), words, TICK_SIZE * unit, color=MUTED)


def _disc(sheet: Sheet, middle: tuple[float, float], radius: float, **style: Any) -> None:
    inches = sheet.figure.dpi_scale_trans  # from the lower left: a circle stays one
    dpi = sheet.figure.dpi
    at = middle[0] / dpi, (sheet.height - middle[1]) / dpi
    options: dict[str, Any] = {"linewidth": sheets.points(max(1.5, radius / 30)), "zorder": 1} | style
    sheet.figure.add_artist(Circle(at, radius / dpi, transform=inches, **options))


def _orthographic(
    lon: FloatArray, lat: FloatArray, about: tuple[float, float]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The globe seen from far away above `about`: x right, y up, in radii; and what is on the near side."""
    lam, phi = np.radians(lon - about[0]), np.radians(lat)
    phi0 = math.radians(about[1])
    x = np.cos(phi) * np.sin(lam)
    y = math.cos(phi0) * np.sin(phi) - math.sin(phi0) * np.cos(phi) * np.cos(lam)
    near = math.sin(phi0) * np.sin(phi) + math.cos(phi0) * np.cos(phi) * np.cos(lam)
    return x, y, near > 0


def scale_width(comparison: Comparison, picture_width: int, unit: float, of: str = "") -> tuple[float, str]:
    """Length in px and words of the scale bar, `of` which picture; (0, why there is none) without a scale."""
    grid = comparison.pair.grid
    if grid.gsd_m is None:
        return 0, wording.NO_SCALE
    metres = grid.gsd_m * grid.shape[1] / picture_width
    bar = round_length(metres * min(BAR_PX * unit, picture_width))
    alone = comparison.change is None and comparison.pair.moving_is_file
    of = "before picture" if alone else of
    return bar / metres, length(bar, "m") + (f" ({of})" if of else "")


def draw_scale(sheet: Sheet, at: tuple[float, float], bar: tuple[float, str], unit: float) -> float:
    """A bar with its length above it; returns the width that was used."""
    px, words = bar
    if not px:
        sheet.text(at, words, WORD_SIZE * unit, color=MUTED)
        return sheets.text_width(words, WORD_SIZE * unit)
    x, y = at
    sheet.text((x, y), words, WORD_SIZE * unit)
    thick, below = max(3, round(4 * unit)), y + sheets.line_height(WORD_SIZE * unit) + 18 * unit
    sheet.strip((x, below - thick, px, thick), INK)
    for end in (x, x + px - thick):
        sheet.strip((end, below - 16 * unit, thick, 16 * unit), INK)
    return max(px, sheets.text_width(words, WORD_SIZE * unit))


def draw_north(sheet: Sheet, x: float, top: float, unit: float = 1.0) -> None:
    """An arrow with an N under it, its point at `x`."""
    height, half = 40 * unit, 12 * unit
    points = np.array(
        [[x, top], [x + half, top + height], [x, top + height * 0.72], [x - half, top + height]]
    )
    points = np.stack([points[:, 0] / sheet.width, 1 - points[:, 1] / sheet.height], axis=-1)
    sheet.figure.add_artist(
        Polygon(points, transform=sheet.figure.transFigure, facecolor=INK, edgecolor="none")
    )
    sheet.text((x, top + height + 2 * unit), "N", 7 * unit, bold=True, ha="center")
