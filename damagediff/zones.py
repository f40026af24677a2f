"""Part of `types`: building footprints and the squares of the grid summary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Outline = tuple[tuple[tuple[tuple[float, float], ...], ...], ...]
"""Polygons, each an outer ring and its holes: closed rings of (row, col) in pixel-centre coordinates."""


@dataclass(frozen=True)
class Shift:
    """How far the before image shows footprints from where their file puts them: in a block or the scene."""

    block: tuple[int, int] | None
    """Row and column of the block; None: the whole scene."""
    shift_rc: tuple[float, float]
    """Pixels to add to the footprints; (0, 0) where no shift could be shown."""
    outlines: int
    """How many took part."""
    standard_error_px: float | None
    """Of the shift, by leaving out outlines; None where none was shown."""
    peak_sd: float | None
    """Height of the peak of agreement in robust standard deviations; None with too few outlines."""
    reason: str
    """What was shown and what not, in words."""

    @property
    def length_px(self) -> float:
        """How far the footprints are moved."""
        return float(np.hypot(*self.shift_rc))


@dataclass(frozen=True)
class FootprintFit:
    """The shifts of a set of footprints; a block without an entry has the scene's."""

    scene: Shift
    blocks: tuple[Shift, ...]
    block_px: int
    """Side of a block; blocks count from the first pixel of the working grid."""


@dataclass(frozen=True)
class FootprintCount:
    """How many features of the footprints' file were used, and why others were not."""

    used: int
    not_polygons: int
    """Points, lines, and features without a geometry."""
    off_images: int
    """Polygons that do not touch the working grid; a GeoPackage does not count those it need not read."""
    ids_repeated: int = 0
    """Footprints used whose id another one has as well: ids alone do not tell these apart."""
    without_id: int = 0
    """Footprints used that the file gives no id: their position in the file stands for it."""


@dataclass(frozen=True)
class Building:
    """One building footprint and the change measured inside it."""

    id: str
    """As the file names it, else its number."""
    score: float | None
    """Median score inside the footprint; None when too little of it was analysed."""
    analysed_share: float
    """Of its outline, 0..1."""
    area_m2: float | None
    """Square metres on the ground; None without a ground sample distance."""
    label: str
    """``visible change``, ``possible change``, ``no visible change above the limit`` or ``not analysed``."""
    parts_rc: Outline
    """As measured: moved by `shift_rc`."""
    properties: dict[str, Any]
    """What the footprint file said of it."""
    why: str = ""
    """Why it is in this class, in words."""
    p_value: float | None = None
    """Share of places of like size and texture without structural change that score as high."""
    as_high_share: float | None = None
    """The same share of all places of like size and texture, changed ones among them."""
    shift_rc: tuple[float, float] = (0.0, 0.0)
    """Pixels by which the outline of the file was moved."""
    area_px: float | None = None
    """Of the outline, working-grid pixels; None: not told."""


@dataclass(frozen=True)
class Square:
    """One square of the grid summary: counts of working-grid pixels and of buildings."""

    row: int
    col: int
    bbox_rc: tuple[int, int, int, int]
    """First row, first col, last row + 1, last col + 1 on the working grid; cut at its edges."""
    total_px: int
    analysed_px: int
    structural_px: int
    other_px: int
    buildings: dict[str, int]
    """Number of footprints in each class that have their middle here; empty without footprints."""


@dataclass(frozen=True)
class GridSummary:
    """The scene in squares: every pixel and every footprint is in exactly one."""

    side_m: float | None
    side_px: float
    squares: tuple[Square, ...]
    """Row by row."""
