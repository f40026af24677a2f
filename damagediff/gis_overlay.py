"""The reduced pictures of a run turned so that north is up and meridians are upright: for a globe."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image as PillowImage

from . import grid as grids
from .types import BoolArray, ByteArray, FloatArray, Grid

NODE_PX = 32
"""Distance of the places that are transformed; over it map projections are straight to a thousandth px."""
EDGE_POINTS = 21
METRES_PER_DEGREE = 111_320.0
PNG_LEVEL = 6


@dataclass(frozen=True)
class Frame:
    """A box of longitudes and latitudes with the grid's picture in it."""

    west: float
    """Degrees; `east` is larger, beyond 180 where the box crosses that meridian."""
    south: float
    east: float
    north: float
    shape: tuple[int, int]
    at_rc: FloatArray
    """(rows, cols, 2) where each of its pixels lies on the working grid, in pixels."""

    @property
    def sides(self) -> dict[str, float]:
        """North, south, east, west, each of the latter in -180..180."""
        east, west = (
            (side + 180) % 360 - 180 if abs(side) > 180 else side for side in (self.east, self.west)
        )
        return {"north": self.north, "south": self.south, "east": east, "west": west}


def frame(grid: Grid, reduction: float) -> Frame:
    """The box around a georeferenced grid, its pixels as large as those of a picture so reduced."""
    rows, cols = grid.shape
    t = np.linspace(0, 1, EDGE_POINTS)
    zero, one = np.zeros_like(t), np.ones_like(t)
    sides = ((zero, t), (one, t), (t, zero), (t, one))
    edge = np.concatenate([np.stack(side, -1) for side in sides]) * (rows, cols) - 0.5
    lonlat = grids.lonlat_from_grid(grid, edge)
    lon = lonlat[0, 0] + (lonlat[:, 0] - lonlat[0, 0] + 180) % 360 - 180
    west, east = float(lon.min()), float(lon.max())
    south, north = float(lonlat[:, 1].min()), float(lonlat[:, 1].max())
    assert grid.gsd_m is not None  # as every georeferenced grid has
    pixel = grid.gsd_m * reduction / METRES_PER_DEGREE
    flat = math.cos(math.radians((south + north) / 2))
    shape = max(1, round((north - south) / pixel)), max(1, round((east - west) * flat / pixel))
    nodes = [np.arange(-(-n // NODE_PX) + 1) * float(NODE_PX) for n in shape]
    latitude = north - (nodes[0] + 0.5) * (north - south) / shape[0]
    longitude = west + (nodes[1] + 0.5) * (east - west) / shape[1]
    lonlat_at = np.stack(np.meshgrid(longitude, latitude), -1)
    at_nodes = grids.grid_from_lonlat(grid, lonlat_at.reshape(-1, 2)).reshape(lonlat_at.shape)
    return Frame(west, south, east, north, shape, _between(at_nodes, shape))


def _between(nodes: FloatArray, shape: tuple[int, int]) -> FloatArray:
    """Bilinear between nodes."""
    (u, row), (v, col) = (np.modf(np.arange(n) / NODE_PX) for n in shape)
    r, c = row.astype(int), col.astype(int)
    down = nodes[r] * (1 - u)[:, None, None] + nodes[r + 1] * u[:, None, None]
    return np.asarray(down[:, c] * (1 - v)[None, :, None] + down[:, c + 1] * v[None, :, None])


def png(picture: ByteArray, valid: BoolArray, reduction: float, box: Frame) -> bytes:
    """A picture of the grid in `box` as a PNG; clear where there is no picture.

    Parameters
    ----------
    picture : (rows, cols, 3) uint8
        The grid reduced by `reduction`.
    valid : (rows, cols) bool
        Where it shows something.
    """
    at = ((box.at_rc + 0.5) / reduction - 0.5).astype(np.float32)
    across, down = np.ascontiguousarray(at[..., 1]), np.ascontiguousarray(at[..., 0])
    colour = cv2.remap(picture, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    seen = cv2.remap(valid.astype(np.uint8), across, down, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT)
    whole = np.dstack([colour, np.where(seen > 0, 255, 0).astype(np.uint8)])
    target = io.BytesIO()
    PillowImage.fromarray(whole).save(target, "PNG", compress_level=PNG_LEVEL)
    return target.getvalue()
