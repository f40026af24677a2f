"""Draws the map of tie points and their residuals, for the report's section on alignment."""

from __future__ import annotations

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from . import align_points, wording
from . import figure_sheet as sheets
from .figure_sheet import INK, Sheet
from .types import Alignment, Comparison, FloatArray

WIDTH = 1200
COLORS = {"fit": "#0072B2", "check": "#E69F00", "rejected": "#999999"}


def png(comparison: Comparison) -> bytes:
    """The map of tie-point residuals as PNG."""
    with sheets.defaults():
        return sheets.png(draw_residuals(comparison))


def draw_residuals(comparison: Comparison) -> Figure:
    """Where tie points lie and by how much each misses the model, as arrows over a pale before image.

    Arrows point from where the model puts a point to where it was found, drawn to the scale of the arrow
    below the picture. Without an accepted alignment only the places are drawn.
    """
    rgb = comparison.pictures.before
    height = round(WIDTH * rgb.shape[0] / rgb.shape[1])
    sheet = Sheet(WIDTH, height + 100)
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    pale = np.repeat((150 + grey * (105 / 255)).astype(np.uint8)[..., None], 3, axis=2)
    axes = sheet.picture((0, 0, WIDTH, height), pale)
    scale = WIDTH / comparison.pair.grid.shape[1]
    arrow_px = _draw_arrows(axes, comparison, scale)
    x: float = 8
    points = comparison.alignment.tie_points
    for role, meaning in wording.ROLES.items():
        sheet.strip((x, height + 20, 22, 22), COLORS[role])
        x = sheet.entry((x + 30, height + 17), f"{points.count(role):,} {meaning}")
    if arrow_px:
        sheet.strip((8, height + 70, arrow_px, 4), INK)
        sheet.text(
            (arrow_px + 20, height + 56),
            "an arrow of this length: 1 px from where the model puts the point",
            8,
        )
    return sheet.figure


def residual_rc(alignment: Alignment) -> FloatArray:
    """(N, 2) px from where the model puts each tie point to where it was found, in the moving frame."""
    points = alignment.tie_points
    model = align_points.Model(alignment.model, alignment.moving_from_reference, alignment.local)
    return points.reference_rc + points.displacement_rc - model.moving_from_grid(points.reference_rc)


def _draw_arrows(axes: Axes, comparison: Comparison, scale: float) -> float:
    """Draw every tie point; returns the drawn length of one working-grid pixel, 0 without arrows."""
    alignment = comparison.alignment
    points = alignment.tie_points
    if not len(points):
        return 0
    apart = residual_rc(alignment)
    length = 30.0 / max(0.5, float(np.median(points.residual_px))) if alignment.accepted else 0.0
    x, y = (points.reference_rc[:, 1] + 0.5) * scale, (points.reference_rc[:, 0] + 0.5) * scale
    for role, color in COLORS.items():
        chosen = np.array([r == role for r in points.role])
        axes.plot(
            x[chosen],
            y[chosen],
            "o",
            color=color,
            markersize=sheets.points(9),
            markeredgecolor=INK,
            markeredgewidth=sheets.points(1),
        )
        if length and role != "rejected":
            axes.quiver(
                x[chosen],
                y[chosen],
                apart[chosen, 1] * length,
                apart[chosen, 0] * length,
                color=color,
                angles="xy",
                scale_units="xy",
                scale=1,
                width=0.0028,
            )
    return length
