"""The scene in squares: how much of each was analysed and has changed, and the buildings in it by class."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from . import wording
from .cells import IntArray
from .errors import SettingsError
from .settings import SummarySettings
from .types import (
    NOT_ANALYSED,
    OTHER_CHANGE,
    STRUCTURAL_CHANGE,
    BoolArray,
    Building,
    ChangeMap,
    FloatArray,
    Grid,
    GridSummary,
    Square,
)

LEAST_PX = 16
"""Smaller squares hold less than a place that can be measured."""
MOST = 100_000
"""More squares are no summary."""


def side_px(grid: Grid, settings: SummarySettings) -> float | None:
    """Side of a square in pixels; None when no squares are asked for.

    Raises
    ------
    SettingsError
        Metres are asked for and the size of a pixel is not known; or squares would be too small or too many.
    """
    if settings.cell_m is None and settings.cell_px is None:
        return None
    if settings.cell_m is None:
        side = float(settings.cell_px or 0)
    elif grid.gsd_m is None:
        raise SettingsError(
            f"--cell {settings.cell_m:g}: the pictures have no georeference, so metres are not known. State "
            "--gsd METRES, or ask for squares in pixels: --set summary.cell_px=256"
        )
    else:
        side = settings.cell_m / grid.gsd_m
    if side < LEAST_PX:
        raise SettingsError(
            f"a square of {side:.3g} px is too small: at least {LEAST_PX} px are needed. Ask for larger ones"
        )
    count = math.prod(math.ceil(n / side) + 1 for n in grid.shape)
    if count > MOST:
        raise SettingsError(f"{count:,} squares of {side:.4g} px: at most {MOST:,}. Ask for larger ones")
    return side


def count(
    change: ChangeMap, buildings: Sequence[Building], grid: Grid, settings: SummarySettings
) -> GridSummary | None:
    """Pixels and buildings of each square.

    Squares are as large as asked and begin at whole multiples of their side in the map projection, or at the
    first pixel without georeference; their edges are rounded to whole pixels, and those at the edge of the
    images are cut. A footprint counts where the middle of its box lies.

    Parameters
    ----------
    change : ChangeMap
        What was analysed and what changed, on cells.
    buildings : sequence of Building
    grid : Grid
        The working grid.
    settings : SummarySettings

    Returns
    -------
    GridSummary or None
        None when no squares are asked for. Sums over squares are those of the scene, exactly.

    Raises
    ------
    SettingsError
        As `side_px`.
    """
    side = side_px(grid, settings)
    if side is None:
        return None
    rows, cols = (_edges(grid, axis, side, settings.cell_m) for axis in (0, 1))
    overlaps = [
        _overlaps(e, n, change.cell_px) for e, n in zip((rows, cols), change.changed.shape, strict=True)
    ]

    def pixels(chosen: BoolArray) -> IntArray:
        return np.asarray(overlaps[0] @ chosen.astype(np.int64) @ overlaps[1].T)

    total, analysed, structural, other = (
        pixels(chosen)
        for chosen in (
            np.ones(change.changed.shape, bool),
            change.changed != NOT_ANALYSED,
            change.changed == STRUCTURAL_CHANGE,
            change.changed == OTHER_CHANGE,
        )
    )
    inside = _buildings(buildings, rows, cols)
    squares = tuple(
        Square(
            row=row,
            col=col,
            bbox_rc=(int(rows[row]), int(cols[col]), int(rows[row + 1]), int(cols[col + 1])),
            total_px=int(total[row, col]),
            analysed_px=int(analysed[row, col]),
            structural_px=int(structural[row, col]),
            other_px=int(other[row, col]),
            buildings=inside.get((row, col), _none(buildings)),
        )
        for row in range(len(rows) - 1)
        for col in range(len(cols) - 1)
    )
    side_m = None if grid.gsd_m is None else settings.cell_m or side * grid.gsd_m
    return GridSummary(side_m, side, squares)


def _edges(grid: Grid, axis: int, side: float, side_m: float | None) -> IntArray:
    """First pixels of the squares along one axis, and the number of pixels at the end."""
    first = 0.0
    if grid.crs is not None and side_m is not None:
        t = grid.transform
        from_origin = t.f if axis == 0 else t.c  # rows count down from the north, columns up from the west
        beyond = from_origin % side_m if axis == 1 else -from_origin % side_m
        first = -beyond / side_m * side
    steps = np.arange(math.ceil((grid.shape[axis] - first) / side) + 1)
    inner = np.rint(first + steps * side).astype(np.int64)
    return np.unique(np.clip(inner, 0, grid.shape[axis]))


def _overlaps(edges: IntArray, cells: int, cell_px: int) -> IntArray:
    """(squares, cells) pixels along one axis that each square shares with each cell."""
    first = np.arange(cells, dtype=np.int64) * cell_px
    low = np.maximum(edges[:-1, None], first)
    high = np.minimum(edges[1:, None], first + cell_px)
    return np.maximum(high - low, 0)


def _none(buildings: Sequence[Building]) -> dict[str, int]:
    return dict.fromkeys(wording.BUILDING_CLASSES, 0) if buildings else {}


def _buildings(
    buildings: Sequence[Building], rows: IntArray, cols: IntArray
) -> dict[tuple[int, int], dict[str, int]]:
    """Footprints by class in the squares that hold any."""
    found: dict[tuple[int, int], dict[str, int]] = {}
    for building in buildings:
        middle = _middle(building)
        at = [
            int(np.clip(np.searchsorted(e, x + 0.5, side="right") - 1, 0, len(e) - 2))
            for e, x in zip((rows, cols), middle, strict=True)
        ]
        inside = found.setdefault((at[0], at[1]), _none(buildings))
        inside[building.label] += 1
    return found


def _middle(building: Building) -> FloatArray:
    """Of the box around an outline, (row, col)."""
    rc = np.concatenate([np.array(part[0]) for part in building.parts_rc])
    return np.asarray((rc.min(0) + rc.max(0)) / 2)
