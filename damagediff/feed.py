"""One image as the working grid sees it: read, placed and resampled in one go.

The chain from a grid pixel to the file is: model of the alignment (moving image only), georeference,
pixels as shown. It is composed as coordinates, so the pixels are interpolated once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from . import bits, grid, masks, raster, resample
from .align_fields import Plane
from .align_points import Model
from .types import BoolArray, FloatArray, Grid, Image, Window


@dataclass(frozen=True)
class Reduced:
    """The whole image, block-averaged by a whole factor, in its own frame."""

    data: FloatArray
    valid: BoolArray
    factor: int
    stretch: tuple[float, float]
    """Values taken as 0 and 255 where a grey picture is needed."""
    drawn: BoolArray | None = None
    """Where something is drawn over the picture, and so not valid; None: nowhere."""

    def __getstate__(self) -> dict[str, Any]:
        """As it goes to another process, which reads windows and needs no overview: without the picture."""
        flags = {name: bits.packed(getattr(self, name)) for name in ("valid", "drawn")}
        return self.__dict__ | flags | {"data": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state | {name: bits.unpacked(state[name]) for name in ("valid", "drawn")})


@dataclass(frozen=True)
class Patch:
    """Pixels that a self-test puts in place of those of the file."""

    window: Window
    """In the file as shown."""
    data: FloatArray
    """(bands, rows, cols) in the file's units."""

    def put(self, data: FloatArray, window: Window) -> None:
        """Write into what was read of a window, in place; nothing where both do not meet."""
        own, there = self.window, window
        top, left = max(own.row, there.row), max(own.col, there.col)
        bottom = min(own.row + own.rows, there.row + there.rows)
        right = min(own.col + own.cols, there.col + there.cols)
        if bottom > top and right > left:
            size = bottom - top, right - left
            to = Window(top - there.row, left - there.col, *size).slices
            data[:, *to] = self.data[:, *Window(top - own.row, left - own.col, *size).slices]


@dataclass(frozen=True)
class Feed:
    """Reads one image on the working grid."""

    image: Image
    reader: raster.Reader
    placement: grid.Placement
    reduced: Reduced
    reduction: int
    """Whole file pixels a grid pixel is wide, at least 1."""
    model: Model | None = None
    """moving_from_reference; None for the reference itself and before anything is known."""
    marks: BoolArray | None = None
    """(rows, cols) of the file as shown: where something is drawn over it; None: nowhere known."""
    planted: tuple[Patch, ...] = ()
    """What `read` gives in place of the file's pixels: for self-tests only, never for what is written."""

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"marks": bits.packed(self.marks)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state | {"marks": bits.unpacked(state["marks"])})

    def aligned(self, model: Model) -> Feed:
        """The same image read through an alignment."""
        return replace(self, model=model)

    def as_found(self) -> Feed:
        """The same image with what is drawn over it, which is left out of comparisons, and is part of it."""
        drawn = self.reduced.drawn
        if drawn is None:
            return self
        reduced = replace(self.reduced, valid=self.reduced.valid | drawn, drawn=None)
        return replace(self, marks=None, reduced=reduced)

    def file_from_grid(self, rc: FloatArray) -> FloatArray:
        """(..., 2) grid pixels to (..., 2) pixels of the file as shown."""
        moved = rc if self.model is None else self.model.moving_from_grid(rc)
        return self.placement.file_from_frame(moved)

    def read(self, window: Window) -> tuple[FloatArray, BoolArray]:
        """Bands and validity of a window of the working grid."""
        grid_rc = resample.nodes(window)
        node_rc = self.file_from_grid(grid_rc)
        shift = self._whole_shift(grid_rc, node_rc)
        if shift is not None:
            return self._stored(window, shift, None)
        needed = resample.source_window(node_rc, self.image.shape, self.reduction)
        if needed is None:
            empty = np.zeros((len(self.reader.roles), window.rows, window.cols), np.float32)
            return empty, np.zeros((window.rows, window.cols), bool)
        data, valid = self._pixels(needed)
        valid = valid & self._not_excluded(needed)
        at = resample.positions(node_rc, window)
        exact = self.reduction == 1 and all(bool((rows == np.round(rows)).all()) for rows in at)
        return resample.pull(data, valid, needed, at, self.reduction, exact)

    def read_plane(self, window: Window) -> Plane:
        """Grey 0..255 of a window of the working grid, for alignment."""
        mix = luma(self.reader.roles)
        grid_rc = resample.nodes(window)
        node_rc = self.file_from_grid(grid_rc)
        shift = self._whole_shift(grid_rc, node_rc)
        if shift is not None:
            data, valid = self._stored(window, shift, mix)
            return Plane(self._stretched(data[0]), valid)
        needed = resample.source_window(node_rc, self.image.shape, self.reduction)
        if needed is None:
            shape = (window.rows, window.cols)
            return Plane(np.zeros(shape, np.float32), np.zeros(shape, bool))
        data, valid = self.reader.read(needed, mix)
        valid = valid & self._not_excluded(needed)
        reduced, valid = resample.reduce_exactly(data, valid, self.reduction)
        local = (node_rc - [needed.row, needed.col] - (self.reduction - 1) / 2) / self.reduction
        grey, valid = resample.pull_quickly(reduced[0], valid, local, window)
        return Plane(self._stretched(grey), valid)

    def _whole_shift(self, grid_rc: FloatArray, node_rc: FloatArray) -> tuple[int, int] | None:
        """By how many pixels the file lies off the grid, where that is a whole number and all there is."""
        apart = node_rc - grid_rc
        first = np.round(apart[0, 0])
        if self.reduction > 1 or not (apart == first).all():
            return None
        return int(first[0]), int(first[1])

    def _stored(
        self, window: Window, shift: tuple[int, int], mix: dict[str, float] | None
    ) -> tuple[FloatArray, BoolArray]:
        """What the file holds, for a window that needs no resampling."""
        there = window._replace(row=window.row + shift[0], col=window.col + shift[1])
        data, valid = self._pixels(there) if mix is None else self.reader.read(there, mix)
        return data, valid & self._not_excluded(there)

    def _pixels(self, window: Window) -> tuple[FloatArray, BoolArray]:
        """What the file holds in a window of its own, and what was planted there."""
        data, valid = self.reader.read(window)
        for patch in self.planted:
            patch.put(data, window)
        return data, valid

    def read_file(self, window: Window) -> tuple[FloatArray, BoolArray]:
        """Bands and validity of a window of the file as shown, not of the grid."""
        return self._stored(window, (0, 0), None)

    def _not_excluded(self, window: Window) -> BoolArray:
        usable = self._not_excluded_blocks(window)
        if self.marks is None:
            return usable
        inside = (np.arange(window.rows) + window.row, np.arange(window.cols) + window.col)
        at = [np.clip(index, 0, size - 1) for index, size in zip(inside, self.marks.shape, strict=True)]
        return usable & ~self.marks[np.ix_(*at)]

    def _not_excluded_blocks(self, window: Window) -> BoolArray:
        rows, cols = (
            np.clip((np.arange(count) + first) // self.reduced.factor, 0, size - 1)
            for first, count, size in zip(window[:2], window[2:], self.reduced.valid.shape, strict=True)
        )
        if self.reduced.valid[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1].all():
            return np.ones((window.rows, window.cols), bool)
        return self.reduced.valid[np.ix_(rows, cols)]

    def read_mirrored(self, window: Window, shape: tuple[int, int]) -> tuple[FloatArray, BoolArray]:
        """Like `read`, with what lies outside the grid of `shape` mirrored back into it."""
        if window.row >= 0 <= window.col and (
            window.row + window.rows <= shape[0] and window.col + window.cols <= shape[1]
        ):
            return self.read(window)
        rows = resample.mirrored(window.row, window.rows, shape[0])
        cols = resample.mirrored(window.col, window.cols, shape[1])
        inside = Window(int(rows.min()), int(cols.min()), int(np.ptp(rows)) + 1, int(np.ptp(cols)) + 1)
        data, valid = self.read(inside)
        above, left = max(0, -window.row), max(0, -window.col)
        below, right = window.rows - inside.rows - above, window.cols - inside.cols - left
        if max(above, below) < inside.rows and max(left, right) < inside.cols and min(below, right) >= 0:
            around = above, below, left, right, cv2.BORDER_REFLECT_101
            bands = [cv2.copyMakeBorder(band, *around) for band in data]
            return np.stack(bands), cv2.copyMakeBorder(valid.view(np.uint8), *around).view(np.bool_)
        index = np.ix_(rows - inside.row, cols - inside.col)
        return data[:, index[0], index[1]], valid[index]

    def overview(self, factor: int, shape: tuple[int, int]) -> tuple[FloatArray, BoolArray]:
        """Bands and validity of the whole grid of `shape`, reduced by a whole factor, bilinear."""
        at = self._reduced_from_grid(factor, shape)
        if at is None:
            return self.reduced.data, self.reduced.valid
        bands = [resample.remap(b, at, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE) for b in self.reduced.data]
        weight = self.reduced.valid.astype(np.float32)
        share = resample.remap(weight, at, cv2.INTER_LINEAR, cv2.BORDER_CONSTANT)
        return np.stack(bands), share > 0.99

    def _reduced_from_grid(self, factor: int, shape: tuple[int, int]) -> FloatArray | None:
        """(rows, cols, 2) places (x, y) in the reduced picture of the reduced grid's; None: the same ones."""
        rows, cols = (-(-n // factor) for n in shape)
        all_of_it = Window(0, 0, rows, cols)
        node_rc = resample.nodes(all_of_it)
        k = self.reduced.factor
        local = (self.file_from_grid(node_rc * factor + (factor - 1) / 2) - (k - 1) / 2) / k
        if self.reduced.valid.shape == (rows, cols) and (local == node_rc).all():
            return None
        if np.isfinite(local).all():
            return resample.quick_positions(local, all_of_it)
        exact = np.stack(np.meshgrid(np.arange(rows), np.arange(cols), indexing="ij"), -1)
        local = (self.file_from_grid(exact * factor + (factor - 1) / 2) - (k - 1) / 2) / k
        return np.where(np.isfinite(local), local, -1e6)[..., ::-1].astype(np.float32)

    def drawn_over(self, factor: int, shape: tuple[int, int]) -> BoolArray:
        """(rows, cols) of the grid reduced by a whole factor: where something is drawn over this picture."""
        at = self._reduced_from_grid(factor, shape)
        if self.reduced.drawn is None:
            return np.zeros([-(-n // factor) for n in shape], bool)
        if at is None:
            return self.reduced.drawn
        flags = self.reduced.drawn.astype(np.float32)
        return np.asarray(resample.remap(flags, at, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT) > 0)

    def plane(self, data: FloatArray, valid: BoolArray) -> Plane:
        """Grey 0..255 for alignment, from bands on any grid."""
        return Plane(self._stretched(luminance(data, self.reader.roles)), valid)

    def without(self, drawn: BoolArray) -> Feed:
        """The same image with what is drawn over its reduced picture taken as not valid, in all reads."""
        return replace(self, reduced=replace(self.reduced, valid=self.reduced.valid & ~drawn, drawn=drawn))

    def bare(self) -> Feed:
        """The same image with what is drawn over it taken as picture."""
        drawn = self.reduced.drawn
        if drawn is None:
            return self
        return replace(
            self, reduced=replace(self.reduced, valid=self.reduced.valid | drawn, drawn=None), marks=None
        )

    def without_marks(self, marks: BoolArray) -> Feed:
        """The same image with what is drawn over it, (rows, cols) of the file as shown, taken as not valid.

        Of the reduced picture, the pixels that hold any of it.
        """
        if not marks.any():
            return self
        blocks = [np.arange(0, n, self.reduced.factor) for n in marks.shape]
        found = np.maximum.reduceat(np.maximum.reduceat(marks, blocks[0], 0), blocks[1], 1)
        rows, cols = self.reduced.valid.shape
        drawn = np.zeros((rows, cols), bool)
        found = found[:rows, :cols]
        drawn[: found.shape[0], : found.shape[1]] = found
        drawn = drawn if self.reduced.drawn is None else drawn | self.reduced.drawn
        return replace(self.without(drawn), marks=marks)

    def grey(self) -> FloatArray:
        """(rows, cols) 0..255 of the whole reduced picture, as delivered."""
        return self._stretched(luminance(self.reduced.data, self.reader.roles))

    def _stretched(self, grey: FloatArray) -> FloatArray:
        low, high = self.reduced.stretch
        return np.clip((grey - low) * (255 / (high - low)), 0, 255).astype(np.float32)


def luma(roles: tuple[str, ...]) -> dict[str, float]:
    """Shares of the bands in a grey picture: luma of red, green and blue, or the only band."""
    return raster.GREY_WEIGHTS if set(raster.GREY_WEIGHTS) <= set(roles) else {roles[0]: 1.0}


def luminance(data: FloatArray, roles: tuple[str, ...]) -> FloatArray:
    """(rows, cols) weighted mean of red, green and blue; the only band otherwise."""
    if not set(raster.GREY_WEIGHTS) <= set(roles):
        return data[0]
    return sum(np.float32(w) * data[roles.index(role)] for role, w in raster.GREY_WEIGHTS.items())


def open_feed(
    image: Image, reader: raster.Reader, on: Grid, by_georeference: bool, max_px: int, blank: bool = True
) -> Feed:
    """Read the image once, reduced to about `max_px` a side on the grid, and place it.

    `blank`: large constant black or white areas are no picture. To radar they are calm water.

    Raises
    ------
    InputError
        The pixels cannot be decoded, or hold nothing to compare.
    """
    placement = grid.placement(on, image, by_georeference)
    step = _file_pixels_per_grid_pixel(placement, on)
    factor = max(1, int(np.ceil(max(on.shape) / max_px)))
    data, valid, factor = reader.read_reduced(int(np.ceil(max(image.shape) / max(1, int(factor * step)))))
    raster.check_usable(image, data, valid)
    grey = luminance(data, reader.roles)
    stretch = _stretch(grey, valid, image.dtype)
    level = np.clip((grey - stretch[0]) * (255 / (stretch[1] - stretch[0])), 0, 255).astype(np.float32)
    if blank:
        valid = valid & ~masks.constant_blocks(level, valid)
    reduced = Reduced(data, valid, factor, stretch)
    return Feed(image, reader, placement, reduced, max(1, int(step + 0.25)))


def _file_pixels_per_grid_pixel(placement: grid.Placement, on: Grid) -> float:
    centre = np.array([on.shape[0] / 2, on.shape[1] / 2])
    at = placement.file_from_frame(np.stack([centre, centre + [1, 0], centre + [0, 1]]))
    (a, b), (c, d) = at[1] - at[0], at[2] - at[0]
    return float(np.sqrt(abs(a * d - b * c)))


def _stretch(grey: FloatArray, valid: BoolArray, dtype: str) -> tuple[float, float]:
    """What counts as black and white: 0 and 255 for 8-bit pictures, else the .5 and 99.5 percentiles."""
    if dtype == "uint8":
        return 0.0, 255.0
    low, high = np.percentile(grey[valid], [0.5, 99.5])
    return float(low), float(max(high, low + 1e-6 * max(1.0, abs(low))))
