"""A georeference by the ground control points that a file brings: one affine, fitted and judged.

Least squares in metres, in the UTM zone of the points' centre, judged by leaving each point out in turn, as
for points of an analyst (`map_points`). What no affine meets, a picture of hills seen at a slant, is refused.
"""

from __future__ import annotations

import numpy as np
from affine import Affine

from . import grid as grids
from . import map_points
from .errors import InputError

MIN_POINTS = 4
"""Any three points are met by an affine, right or wrong."""
MAX_ERROR_PX, MAX_ERROR_SHARE = 2.0, 0.005
"""RMS of points left out in turn: this many pixels, or this share of the points' extent. Beyond, what the
affine says of lengths and places is wrong by more than a map's reader would expect."""

Points = tuple[tuple[float, float, float, float], ...]


def fit(points: Points, crs: str | None, name: str) -> tuple[Affine, str, str]:
    """The affine through ground control points.

    Parameters
    ----------
    points : tuple of (col, row, x, y)
        Pixels, the corner of the first at (0, 0), and places in `crs`.
    crs : str or None
        ``EPSG:n`` or WKT.
    name : str
        Of the file, for messages.

    Returns
    -------
    transform : Affine
        From pixel corners to metres.
    crs : str
        The UTM zone in which it gives them.
    note : str
        A sentence with the residuals.

    Raises
    ------
    InputError
        Fewer than four points, no CRS, points on one line or not on Earth, or no affine that meets them.
    """
    values = np.array(points, np.float64)
    if len(values) < MIN_POINTS:
        raise _refused(name, len(values), "too few to tell how wrong they are")
    if crs is None:
        raise _refused(name, len(values), "without a CRS. State it with --before-crs or --after-crs")
    pixels, places = values[:, :2], values[:, 2:]
    spread = np.linalg.svd(pixels - pixels.mean(0), compute_uv=False) if np.isfinite(values).all() else [0, 0]
    if spread[1] < map_points.MIN_SPREAD * max(spread[0], 1.0):
        raise _refused(name, len(values), "which lie on one line, or are no numbers")
    lonlat = grids.reproject_xy(crs, "EPSG:4326", places)
    if not (np.isfinite(lonlat).all() and (np.abs(lonlat) <= [540, 90]).all()):
        raise _refused(name, len(values), "of which some do not lie on Earth")
    utm, ground = map_points.metres(lonlat, name)
    fitted = map_points.fit(pixels, ground)
    left_out = [error for error in map_points.leave_one_out(pixels, ground)[0] if error is not None]
    gsd_m = fitted.gsd_m
    if not (left_out and gsd_m > 0):
        raise _refused(name, len(values), "of which all but one lie on one line")
    rms_m = float(np.sqrt(((fitted.world(pixels) - ground) ** 2).sum(1).mean()))
    error_m = float(np.sqrt(np.square(left_out).mean()))
    told = f"RMS {rms_m:,.2f} m, {error_m:,.2f} m ({error_m / gsd_m:,.1f} px) with each left out in turn"
    if error_m > max(MAX_ERROR_PX * gsd_m, MAX_ERROR_SHARE * float(np.hypot(*np.ptp(ground, axis=0)))):
        raise _refused(name, len(values), f"that one affine does not meet ({told})", "gdalwarp -tps")
    (a, b), (d, e) = fitted.matrix.tolist()
    c, f = fitted.offset.tolist()
    note = f"Placed by an affine through its {len(values):,} ground control points: {told}."
    return Affine(a, b, c, d, e, f), utm, note


def _refused(name: str, count: int, why: str, how: str = "gdalwarp -order 1") -> InputError:
    text = f"{name}: placed only by {count:,} ground control points, {why}. Rectify it first: {how}"
    return InputError(text)
