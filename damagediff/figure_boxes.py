"""Numbered boxes around regions: colours that can be told apart on any ground, labels that cover nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from . import figure_labels as labels
from . import figure_sheet as sheets
from .types import Grid, Region, Tier

Mark = Tier | Literal["rejected"]
"""How a region is drawn: by its tier, or as one that reviewers rejected."""
COLORS: dict[Mark, str] = {"structural": "#E69F00", "other": "#0072B2", "rejected": "#c4c4c4"}
"""Okabe and Ito's orange and blue: told apart by every kind of colour vision, and in grey."""
HALO: dict[Mark, str] = {"structural": "#000000", "other": "#ffffff", "rejected": "#000000"}
RIM: dict[Mark, str] = {"structural": "#ffffff", "other": "#000000", "rejected": "#ffffff"}
"""Around the halo. Blue with a white halo alone falls to a contrast of 2.2 on middling grey, and orange with
a black one to 2.9 as people without red cones see it; with the rim it is 4.6 on every ground."""
ON_LABEL: dict[Mark, str] = {"structural": "#000000", "other": "#ffffff", "rejected": "#000000"}
DASHES: dict[Mark, tuple[float, tuple[float, ...] | None]] = {
    "structural": (0, None),
    "other": (0, (3, 1)),
    "rejected": (0, (1, 2)),
}
"""The second difference, for print in grey. The number of a rejected region is struck through, the third."""
REJECTED = "rejected in review"
LINE, HALO_LINE, RIM_LINE = 4.0, 8.0, 11.0
"""Widths in px at unit 1."""
BOX_MARGIN = 7
"""Between a region and its box: the box must not cover what it shows."""
LABEL_SIZE, LABEL_HEIGHT, LABEL_GAP = 7.5, 32.0, 6.0


def layout(
    shown: Sequence[Region], grid: Grid, size: tuple[int, int], unit: float = 1.0
) -> list[tuple[labels.Box, labels.Label | None]]:
    """Boxes around the regions and their labels, in px of a panel of `size` (width, height).

    `unit` is the size of text and lines, 1 on a sheet 2,400 px wide. A label is None where no free place is
    left: such a box is not drawn, but counted.
    """
    width, height = size
    sx, sy = width / grid.shape[1], height / grid.shape[0]
    frame, margin, edge = labels.Box(0, 0, width, height), BOX_MARGIN * unit, 3 * unit
    around = [
        labels.Box(
            max(left * sx - margin, edge),
            max(top * sy - margin, edge),
            min(right * sx + margin, width - edge),
            min(bottom * sy + margin, height - edge),
        )
        for top, left, bottom, right in (region.bbox_rc for region in shown)
    ]
    sizes = [
        (16 * unit + sheets.text_width(str(region.id), LABEL_SIZE * unit, bold=True), LABEL_HEIGHT * unit)
        for region in shown
    ]
    return list(zip(around, labels.place(around, sizes, frame, gap=LABEL_GAP * unit), strict=True))


def mark(region: Region, rejected: frozenset[int]) -> Mark:
    """How a region is drawn; `rejected` holds ids."""
    return "rejected" if region.id in rejected else region.tier


def draw(
    axes: Axes,
    shown: Sequence[Region],
    grid: Grid,
    size: tuple[int, int],
    unit: float = 1.0,
    rejected: frozenset[int] = frozenset(),
) -> None:
    """Draw every box that has a label, then leaders, then labels, in the px that `axes` count."""
    placed = [
        (region.id, mark(region, rejected), box, label)
        for region, (box, label) in zip(shown, layout(shown, grid, size, unit), strict=True)
        if label is not None
    ]
    for _, how, box, label in placed:
        _box(axes, how, box, unit)
        if label.leader:
            _leader(axes, how, label.leader, unit)
    for number, how, _, label in placed:
        _label(axes, (number, how), label.box, unit)


def strokes(tier: Mark, unit: float, thin: float = 1.0) -> list[dict[str, object]]:
    """Colour, width in px and dashes of the rim, the halo and the line on it, in the order of drawing."""
    lines = (RIM[tier], RIM_LINE), (HALO[tier], HALO_LINE), (COLORS[tier], LINE * thin)
    return [
        {"color": color, "width_px": width * unit, "dashes": DASHES[tier] if k == 2 else (0, None)}
        for k, (color, width) in enumerate(lines)
    ]


def _box(axes: Axes, tier: Mark, box: labels.Box, unit: float) -> None:
    for stroke in strokes(tier, unit):
        axes.add_patch(
            Rectangle(
                (box.left, box.top),
                box.right - box.left,
                box.bottom - box.top,
                fill=False,
                edgecolor=stroke["color"],
                linewidth=sheets.points(stroke["width_px"]),  # type: ignore[arg-type]
                linestyle=stroke["dashes"],
            )
        )


def draw_swatch(sheet: sheets.Sheet, at: tuple[int, int, int, int], tier: Mark, unit: float) -> None:
    """The line of a tier for a legend, on the grey of a picture."""
    _, _, width, height = at
    axes = sheet.picture(at, np.full((height, width, 3), 128, np.uint8))
    _box(axes, tier, labels.Box(width * 0.2, height * 0.25, width * 0.8, height * 0.75), unit * 0.6)


def _leader(axes: Axes, tier: Mark, line: labels.Line, unit: float) -> None:
    for stroke in strokes(tier, unit, 0.75):
        axes.plot(
            *zip(*line, strict=True),
            color=stroke["color"],
            linewidth=sheets.points(stroke["width_px"]),  # type: ignore[arg-type]
            solid_capstyle="butt",
        )


def _label(axes: Axes, what: tuple[int, Mark], box: labels.Box, unit: float) -> None:
    number, how = what
    axes.add_patch(
        Rectangle(
            (box.left, box.top),
            box.right - box.left,
            box.bottom - box.top,
            facecolor=COLORS[how],
            edgecolor=HALO[how],
            linewidth=sheets.points(2 * unit),
        )
    )
    axes.add_artist(
        Text(
            *box.centre,
            str(number),
            fontproperties=sheets.font(LABEL_SIZE * unit, bold=True),
            ha="center",
            va="center_baseline",
            color=ON_LABEL[how],
            parse_math=False,
        )
    )
    if how == "rejected":
        across, (_, y) = (box.left + 4 * unit, box.right - 4 * unit), box.centre
        axes.plot(across, (y, y), color=ON_LABEL[how], linewidth=sheets.points(2.5 * unit))
