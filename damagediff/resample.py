"""Resampling: one interpolation from the pixels as read, the same bits for every tiling.

Positions are exact at nodes 16 px apart and interpolated between them. They are then rounded to 1/512 px:
in float32 that stays exact whatever window they are counted from, so tiles and the whole agree to the bit.
"""

from __future__ import annotations

import cv2
import numpy as np

from .types import Array, BoolArray, FloatArray, Window

NODE_PX = 16
"""Distance of the nodes; over it a relief or lens displacement is straight to a hundredth of a pixel."""
STEPS = 512
"""Positions are rounded to 1/STEPS px."""
STRIP_ROWS = 32
"""Rows worked on at once: their numbers stay in the processor's cache."""
MARGIN_PX = 4
"""Pixels around the sampled positions that a cubic kernel and the erosion of validity reach for."""


def nodes(window: Window) -> FloatArray:
    """(node rows, node cols, 2) grid pixels of the nodes around a window, on a lattice fixed to the grid."""
    rows, cols = (
        np.arange(first // NODE_PX, -(-(first + count) // NODE_PX) + 1) * float(NODE_PX)
        for first, count in ((window.row, window.rows), (window.col, window.cols))
    )
    return np.stack(np.meshgrid(rows, cols, indexing="ij"), -1)


def positions(node_rc: FloatArray, window: Window) -> FloatArray:
    """(rows, cols, 2) file positions of a window's pixels, bilinear between those of its nodes, rounded."""
    first_row, first_col = window.row % NODE_PX, window.col % NODE_PX
    u, row = np.modf((np.arange(window.rows) + first_row) / NODE_PX)
    r, v = row.astype(int), np.arange(NODE_PX) / NODE_PX
    down = node_rc[r] * (1 - u)[:, None, None] + node_rc[r + 1] * u[:, None, None]
    planes = np.empty((2, window.rows, window.cols))
    for start in range(0, window.rows, STRIP_ROWS):
        strip = np.s_[start : start + STRIP_ROWS]
        for plane, nodes_ in zip(planes, np.moveaxis(down[strip], -1, 0), strict=True):
            both = nodes_[:, :-1, None] * (1 - v)
            both += nodes_[:, 1:, None] * v
            both *= STEPS
            np.rint(both, out=both)
            both /= STEPS
            plane[strip] = both.reshape(len(both), -1)[:, first_col : first_col + window.cols]
    return np.moveaxis(planes, 0, -1)


def source_window(at_rc: FloatArray, shape: tuple[int, int], reduction: int) -> Window | None:
    """The pixels that sampling at these positions needs, on a lattice of `reduction`; None if there are none.

    `at_rc`, (rows, cols, 2), holds file positions at `nodes`, between which all others lie; `shape` is the
    file's.
    """
    low = np.floor(at_rc.min((0, 1))) - MARGIN_PX * reduction
    high = np.ceil(at_rc.max((0, 1))) + MARGIN_PX * reduction + 1
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        return None
    low = np.maximum(low, -MARGIN_PX * reduction)
    high = np.minimum(high, np.array(shape) + MARGIN_PX * reduction)
    first = np.floor(low / reduction).astype(int) * reduction
    last = -(-high // reduction).astype(int) * reduction
    if (last <= first).any():
        return None
    return Window(int(first[0]), int(first[1]), int(last[0] - first[0]), int(last[1] - first[1]))


def reduce_exactly(data: FloatArray, valid: BoolArray, factor: int) -> tuple[FloatArray, BoolArray]:
    """Means of factor x factor blocks, valid when all of a block is. Sides are multiples of `factor`."""
    if factor == 1:
        return data, valid
    bands, rows, cols = data.shape
    blocks = data.reshape(bands, rows // factor, factor, cols // factor, factor)
    whole = np.asarray(valid.reshape(rows // factor, factor, cols // factor, factor).all((1, 3)))
    return blocks.mean((2, 4), dtype=np.float64).astype(np.float32), whole


def pull(
    data: FloatArray, valid: BoolArray, origin: Window, at_rc: FloatArray, reduction: int, exact: bool
) -> tuple[FloatArray, BoolArray]:
    """Sample bands at positions of the file, cubic; valid where the whole kernel saw valid pixels.

    Parameters
    ----------
    data, valid : (bands, rows, cols) float32 and (rows, cols)
        What was read of the file for the window `origin`.
    at_rc : (rows, cols, 2)
        File positions, a multiple of 1/512 px each.
    reduction : int
        Average blocks of this many file pixels first: the file is finer than the grid by about this much.
    exact : bool
        The positions are whole pixels: nothing is interpolated, and validity is taken as it is.
    """
    data, valid = reduce_exactly(data, valid, reduction)
    across, down = (
        _local(at_rc[..., k], first, reduction) for k, first in ((1, origin.col), (0, origin.row))
    )
    kernel = cv2.INTER_NEAREST if exact else cv2.INTER_CUBIC
    pulled = np.empty((len(data), *across.shape), np.float32)
    for band, out in zip(data, pulled, strict=True):
        cv2.remap(band, across, down, kernel, dst=out, borderMode=cv2.BORDER_REPLICATE)
    if valid.all() and _within(across, valid.shape[1]) and _within(down, valid.shape[0]):
        return pulled, np.ones(across.shape, np.bool_)
    share = valid.astype(np.uint8) if exact else cv2.erode(valid.astype(np.uint8), np.ones((3, 3), np.uint8))
    kernel = cv2.INTER_NEAREST if exact else cv2.INTER_LINEAR
    inside = cv2.remap(share.astype(np.float32), across, down, kernel, borderMode=cv2.BORDER_CONSTANT)
    return pulled, np.asarray(inside > 0.999)


def _local(at: FloatArray, first: int, reduction: int) -> FloatArray:
    """File positions as those of a window that begins at `first`, in blocks of `reduction` px; float32."""
    if reduction == 1:  # multiples of 1/STEPS stay what they are
        found = np.empty(at.shape, np.float32)
        np.subtract(at, first, out=found, dtype=np.float64, casting="same_kind")
        return found
    local = (at - first - (reduction - 1) / 2) * STEPS / reduction
    return (np.round(local) / STEPS).astype(np.float32)


def _within(at: FloatArray, length: int) -> bool:
    """Whether all positions lie between the first and the last pixel."""
    low, high = cv2.minMaxLoc(at)[:2]
    return low >= 0 and high <= length - 1


def quick_positions(node_rc: FloatArray, window: Window) -> FloatArray:
    """(rows, cols, 2) float32 positions (x, y) of a window's pixels, bilinear between its `nodes`."""
    node_xy = np.ascontiguousarray(node_rc[..., ::-1], np.float32)
    first_row, first_col = window.row % NODE_PX / NODE_PX, window.col % NODE_PX / NODE_PX
    nodes_from_window = np.array([[1 / NODE_PX, 0, first_col], [0, 1 / NODE_PX, first_row]])
    size, flags = (window.cols, window.rows), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(node_xy, nodes_from_window, size, flags=flags))


def pull_quickly(
    band: FloatArray, valid: BoolArray, node_rc: FloatArray, window: Window
) -> tuple[FloatArray, BoolArray]:
    """Like `pull` for one band, in float32 throughout: for looking windows up, not for what is written.

    `node_rc`, (node rows, node cols, 2), holds the positions in `band` of the `nodes` of `window`.
    """
    at = quick_positions(node_rc, window)
    pulled = remap(band, at, cv2.INTER_CUBIC, cv2.BORDER_REPLICATE)
    if valid.all():
        return pulled, np.ones(pulled.shape, np.bool_)
    share = cv2.erode(valid.astype(np.uint8), np.ones((3, 3), np.uint8))
    inside = remap(share.astype(np.float32), at, cv2.INTER_LINEAR, cv2.BORDER_CONSTANT)
    return pulled, np.asarray(inside > 0.999)


def remap(band: FloatArray, at_xy: FloatArray, kernel: int, border: int) -> FloatArray:
    """OpenCV's remap with both coordinates in one map, which its stubs do not know."""
    return np.asarray(cv2.remap(band, at_xy, None, kernel, borderMode=border))  # type: ignore[call-overload]


def mirrored(first: int, count: int, length: int) -> Array:
    """Indices of `count` pixels from `first` on, mirrored back into 0..length without repeating the edge."""
    if length == 1:
        return np.zeros(count, np.int64)
    folded = np.abs(np.arange(first, first + count)) % (2 * (length - 1))
    return np.minimum(folded, 2 * (length - 1) - folded)
