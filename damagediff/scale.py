"""The scale and place of a picture that tells neither: what the user says of them, checked."""

from __future__ import annotations

from dataclasses import replace

from . import grid as grids
from .errors import SettingsError
from .provenance import ScaleBar
from .types import Case, Grid, GsdSource, Image

MAX_RELATIVE_UNCERTAINTY = 0.25
"""A shorter scale bar tells no scale: areas would be wrong by half and more."""
MAX_LENGTH_M = 1e7


def scale_bar(text: str) -> ScaleBar:
    """``x1,y1,x2,y2,METRES[,UNCERTAINTY_PX]`` as a value.

    Raises
    ------
    SettingsError
        Not five or six such numbers, or the bar is too short to tell a scale.
    """
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in (5, 6) or not all(abs(number) < MAX_LENGTH_M for number in numbers):
        raise SettingsError(
            f"--scale-bar {text}: give two points and a length, x1,y1,x2,y2,METRES, and if you like by how "
            "many pixels each end may be misread"
        )
    x1, y1, x2, y2, metres, *doubt = numbers
    bar = ScaleBar(((x1, y1), (x2, y2)), metres, *doubt)
    if not (metres > 0 and bar.uncertainty_px >= 0 and bar.length_px > 0):
        raise SettingsError(f"--scale-bar {text}: length and distance of its ends must be above 0")
    if bar.relative_uncertainty > MAX_RELATIVE_UNCERTAINTY:
        raise SettingsError(
            f"--scale-bar {text}: {bar.length_px:.0f} px read to {bar.uncertainty_px:g} px at each end is "
            f"a scale to {100 * bar.relative_uncertainty:.0f} %, at most "
            f"{100 * MAX_RELATIVE_UNCERTAINTY:.0f} % is taken. Give a longer distance"
        )
    return bar


def check(case: Case) -> None:
    """Refuse what contradicts itself, before any file is opened.

    Raises
    ------
    SettingsError
        More than one scale or georeference is stated.
    """
    stated = {
        "--gsd": case.gsd_m is not None,
        "--scale-bar": case.scale_bar is not None,
        "--georeference": case.before.map_points is not None,
    }
    given = [name for name, used in stated.items() if used]
    if len(given) > 1:
        raise SettingsError(f"{' and '.join(given)}: each tells the scale. Give one of them")
    named = case.before.world_file is not None or case.before.crs is not None
    if case.before.map_points is not None and named:
        raise SettingsError(
            "--georeference and --before-world-file or --before-crs: each tells where the before image lies. "
            "Give one of them"
        )


def working_grid(case: Case, before: Image, after: Image) -> Grid:
    """The common grid, with the scale that the user states and how far it may be wrong.

    Raises
    ------
    InputError, SettingsError
        From `grid.common_grid`; a scale bar that lies outside the before image, or on one that is
        georeferenced.
    """
    bar = case.scale_bar
    if bar is not None:
        return _by_bar(bar, before, after)
    on = grids.common_grid(before, after, case.gsd_m)
    if before.placed_by_hand is not None:
        doubt = before.placed_by_hand.relative_uncertainty
        return replace(on, gsd_source="analyst's georeference", gsd_relative_uncertainty=doubt)
    source: GsdSource | None = None if on.gsd_m is None else "file" if on.crs else "stated"
    return replace(on, gsd_source=source)


def _by_bar(bar: ScaleBar, before: Image, after: Image) -> Grid:
    if before.georeferenced:
        raise SettingsError(
            f"--scale-bar: {before.name} is georeferenced and tells its own pixel size. Leave it out"
        )
    rows, cols = before.shape
    for x, y in bar.ends_xy:
        if not (-0.5 <= x <= cols - 0.5 and -0.5 <= y <= rows - 0.5):
            raise SettingsError(
                f"--scale-bar: ({x:g}, {y:g}) lies outside {before.as_counted}, which has {cols} columns "
                f"and {rows} rows"
                + ("" if before.crop is None else ". Of a bar beside the panels give --gsd, metres by pixels")
            )
    on = grids.common_grid(before, after, bar.gsd_m)
    return replace(on, gsd_source="scale bar", gsd_relative_uncertainty=bar.relative_uncertainty)
