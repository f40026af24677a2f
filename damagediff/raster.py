"""The only room that opens, reads or writes rasters: what a file says, its pixels by window, and `Writer`.

Beside it, and part of it: `door` (how a file is opened when its maker may be hostile), `decoding` (in which
process), `inspection` (what is asked of a file that is let in), `integrity` (whether it is whole), `limits`,
`tags` (what a file says of itself), `georeference`, `cog` (writing).
"""

from __future__ import annotations

import math
import threading
import weakref
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import cv2
import numpy as np

from . import block_means, cog, decoder, decoding, inspection, passing, remote, tags
from . import grid as grids
from .errors import InputError
from .file_header import Header
from .types import BoolArray, FloatArray, Image, Window

Writer = cog.Writer
write_png = cog.write_png
"""Part of this room; see `cog`."""

MIN_SIDE_PX = 64
"""A smaller image holds less than one window of the change measure."""

STRIP_PX = 4_000_000
"""Pixels that `read_reduced` holds at once."""

MAX_WAITING = 3
"""Threads that wait for a decoder before another one is opened: a new process costs more than they wait, as
decoding is a small part of what each tile takes."""

MAX_REDUCED_PX = 64_000_000
"""Pixels of a reduced picture, however many were asked for: one picture may be far larger than the other."""

GREY_WEIGHTS = {"red": 0.299, "green": 0.587, "blue": 0.114}
"""Luma of ITU-R BT.601."""

_RGB = ("red", "green", "blue")


# ---- the door -----------------------------------------------------------------------------------

inspect = inspection.inspect
"""Open one image the safe way and tell what it says of itself; part of this room, see `inspection`."""


def header(image: Image) -> Header:
    """What the file says of itself, as GDAL reads it."""
    with closing(decoding.open_file(inspection.file_of(image))) as one:
        return decoder.header(one.ask("header"))


opened, fetched_again, hurried = remote.opened, remote.bring_again, remote.let_go_when_stopped
"""Addresses as files that are filled by parts, where that is allowed, and anew; see `remote`."""


def fetched(image: Image) -> remote.Fetched:
    """What was read of an image that lies at an address."""
    return remote.fetched(image.path)


def stored_as_jpeg(image: Image) -> bool:
    """Whether the pixels of a GeoTIFF are JPEG inside."""
    return image.driver == "GTiff" and "JPEG" in header(image).structure.get("COMPRESSION", "").upper()


def sandbox() -> str:
    """What held the decoders of this process back: ``process, landlock 7, seccomp``, less, or ``none``."""
    return decoding.described()


def describe(image: Image) -> dict[str, Any]:
    """Facts of one image for people and JSON: no path, units in the names, None where not known."""
    acquired = image.acquisition.acquired
    facts: dict[str, Any] = {
        "name": image.name,
        "driver": image.driver,
        "size_bytes": image.size_bytes,
        "sha256": image.sha256,
        "integrity": image.integrity.words,
        "rows": image.shape[0],
        "cols": image.shape[1],
        "dtype": image.dtype,
        "bands": list(image.roles),
        "nodata": image.nodata if image.nodata is None or math.isfinite(image.nodata) else str(image.nodata),
        "orientation": image.orientation,
        "crs": image.crs,
        "gsd_m": None,
        "bounds_lonlat": None,
        "acquired": acquired.isoformat() if acquired else None,
        "acquired_precision": image.acquisition.precision if acquired else None,
        "acquired_source": image.acquisition.source,
        "credit": image.credit,
        "notes": list(image.notes),
        "world_file_sha256": image.world_file_sha256,
        "address": image.address,
    }
    if image.georeferenced:
        lonlat = grids.outline_xy(image, "EPSG:4326")
        facts["gsd_m"] = grids.ground_sample_distance(image, grids.working_crs(image))
        facts["bounds_lonlat"] = _bounds(lonlat)
    return facts


def _bounds(lonlat: FloatArray) -> list[float]:
    """West, south, east, north in degrees; west is larger where the 180th meridian is within (RFC 7946)."""
    first = lonlat[0, 0]
    east_of_first = (lonlat[:, 0] - first + 180) % 360 - 180
    sides = (first + east_of_first.min(), first + east_of_first.max())
    west, east = (side if abs(side) <= 180 else (side + 180) % 360 - 180 for side in sides)
    return [round(float(v), 7) for v in (west, lonlat[:, 1].min(), east, lonlat[:, 1].max())]


def delivered_from_shown(image: Image, rc: FloatArray) -> FloatArray:
    """(..., 2) pixels (row, col) as shown to those of the file as delivered, before its EXIF turn."""
    if image.crop is not None:
        rc = rc + np.array([image.crop.row, image.crop.col], np.float64)
    return tags.delivered_rc(rc, image.whole_shape or image.shape, image.orientation)


def common_roles(before: Image, after: Image) -> tuple[str, ...]:
    """Bands to compare: red, green, blue (and nir) when both images have them, else grey."""
    if not all("palette" in image.roles or set(_RGB) <= set(image.roles) for image in (before, after)):
        return ("grey",)
    nir = all("nir" in image.roles for image in (before, after))
    return (*_RGB, "nir") if nir else _RGB


def check_usable(image: Image, data: FloatArray, valid: BoolArray) -> None:
    """Refuse an image in which there is nothing to compare.

    Parameters
    ----------
    image : Image
        Gives name and size.
    data, valid : (bands, rows, cols) and (rows, cols)
        All of it, or the whole at a reduced size.

    Raises
    ------
    InputError
        Smaller than 64 px a side, no valid pixel, or the same value everywhere.
    """
    rows, cols = image.shape
    if min(rows, cols) < MIN_SIDE_PX:
        raise InputError(
            f"{image.name}: {rows} x {cols} px is too small, at least {MIN_SIDE_PX} px a side are needed. "
            "Take a larger part"
        )
    if not valid.any():
        raise InputError(
            f"{image.name}: no valid pixel: all of it is nodata, transparent or not a number. Check what it "
            "says of nodata"
        )
    mask = valid.astype(np.uint8)
    ranges = [cv2.minMaxLoc(band, mask)[:2] for band in data]
    if all(low == high for low, high in ranges):
        raise InputError(
            f"{image.name}: all its valid pixels have the value {ranges[0][0]:g}, nothing to compare. Give "
            "the picture itself"
        )


# ---- reading ------------------------------------------------------------------------------------


class Reader:
    """Pixels of one image as shown, by window; may be used by many threads at once.

    Threads share a decoder, and another one is opened where many wait; all are closed when the block ends.
    Pickled, it is opened again by the process that unpickles it, once for all that use it there, and closed
    when none does.

    Parameters
    ----------
    image : Image
        From `inspect`.
    roles : tuple of str
        Bands to give. Grey is made from red, green and blue (ITU-R BT.601), or is the first band when
        there is neither; red, green and blue of a grey image are all that grey.

    Raises
    ------
    InputError
        The image has no such band, or is damaged; from `read` and `read_reduced` too.
    """

    def __init__(self, image: Image, roles: tuple[str, ...]) -> None:
        self.image = image
        self.roles = roles
        self._palette: FloatArray | None = None
        if "palette" in image.roles:
            self._bands = [image.roles.index("palette") + 1]
            self._weights = _weights(image, _RGB, roles)
        else:
            weights = _weights(image, image.roles, roles)
            used = np.flatnonzero(weights.any(axis=0))
            self._bands = [int(band) + 1 for band in used]
            self._weights = weights[:, used]
        self._alpha = image.roles.index("alpha") + 1 if "alpha" in image.roles else None
        self._absent: BoolArray | None = None
        self._block = (1, 1)
        self._lock = threading.Lock()
        self._opened: list[decoding.Local | decoding.Worker] = []
        self._free: list[decoding.Local | decoding.Worker] = []
        self._changed = threading.Condition(self._lock)
        self._count = self._waiting = 0
        self._not_seen_here: tuple[passing.Stamp | None] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (self.image, self.roles, passing.stamp(self.image))

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *exc: object) -> None:
        with self._lock:
            for one in self._opened:
                one.close()
            self._opened.clear()
            self._free.clear()
            self._count = 0

    @contextmanager
    def _decoder(self) -> Iterator[decoding.Local | decoding.Worker]:
        """A decoder that no other thread uses until the block ends; what it read holds until then."""
        with self._changed:
            if not self._free and (self._count == 0 or self._waiting >= MAX_WAITING):
                self._count += 1
                one = None
            else:
                self._waiting += 1
                self._changed.wait_for(lambda: self._free or not self._count)
                self._waiting -= 1
                one = self._free.pop() if self._free else None
                self._count += one is None
        try:
            one = self._another() if one is None else one
            yield one
        finally:
            with self._changed:
                if one is None:
                    self._count -= 1  # it could not be opened
                else:
                    self._free.append(one)
                self._changed.notify_all()

    def _another(self) -> decoding.Local | decoding.Worker:
        """One more decoder."""
        image = self.image
        if self._not_seen_here is not None:
            passing.check(image, *self._not_seen_here)
            self._not_seen_here = None
        one = decoding.open_file(
            inspection.file_of(image), math.prod(image.whole_shape or image.shape) * len(image.roles)
        )
        with self._lock:
            self._opened.append(one)
        if tags.shown_shape(decoder.layout(one.ask("layout")).shape, image.orientation) != (
            image.whole_shape or image.shape
        ):
            raise InputError(f"{image.name}: changed while it was being used. Run again")
        damaged = image.integrity.state == "damaged"  # then each decoder has to find what is
        if self._absent is None or damaged:
            absent, block = decoder.unpacked(one.ask("absent"))
            palette = _palette(one.ask("palette"), image.dtype) if "palette" in image.roles else None
            with self._lock:
                self._absent, self._block, self._palette = absent, block, palette
        return one

    def read(self, window: Window, mix: dict[str, float] | None = None) -> tuple[FloatArray, BoolArray]:
        """Pixels in `window` at full resolution; it may reach outside the image.

        Parameters
        ----------
        window : Window
            In pixels as shown.
        mix : dict of str to float, optional
            Shares of roles: their weighted sum is given as the only band.

        Returns
        -------
        data : (roles, rows, cols) float32
            In the file's units; 0 where not valid.
        valid : (rows, cols) bool
            False outside, where the file says nodata or transparent (alpha 0), where a value is not finite,
            and where a TIFF holds no data. Integer pixels of several bands are nodata only when all bands
            used are: a black roof edge with one zero band is still an observation.
        """
        rows, cols = self.image.shape
        weights = self._weights if mix is None else self._mixed_weights(mix)
        top, left = max(window.row, 0), max(window.col, 0)
        bottom, right = min(window.row + window.rows, rows), min(window.col + window.cols, cols)
        inside = Window(top, left, bottom - top, right - left)
        if inside == window:
            return self._read_inside(window, weights)
        data = np.zeros((len(weights), window.rows, window.cols), np.float32)
        valid = np.zeros((window.rows, window.cols), np.bool_)
        if bottom > top and right > left:
            place = Window(top - window.row, left - window.col, inside.rows, inside.cols).slices
            data[:, *place], valid[place] = self._read_inside(inside, weights)
        return data, valid

    def _mixed_weights(self, mix: dict[str, float]) -> FloatArray:
        """(1, bands) what share each band of the file has in a mixture of roles."""
        shares = np.array([mix.get(role, 0.0) for role in self.roles], np.float32)
        return shares[None] @ self._weights

    def _read_inside(self, window: Window, weights: FloatArray) -> tuple[FloatArray, BoolArray]:
        delivered = self._delivered(window)
        with self._decoder() as one:
            data, valid = self._usable(
                one.read(self._read_bands, delivered, self.image.dtype), delivered, weights
            )
        return tags.shown(data, self.image.orientation), tags.shown(valid, self.image.orientation)

    def _usable(
        self, stored: tuple[np.ndarray[Any, Any], BoolArray | None], delivered: Window, weights: FloatArray
    ) -> tuple[FloatArray, BoolArray]:
        """Bands as asked for, and where they are valid, of what a decoder gave; none of its own memory."""
        image, (raw, mask) = self.image, stored
        raw, alpha = (raw[:-1], raw[-1]) if self._alpha else (raw, None)
        valid = _has_data(raw, image.nodata)
        if alpha is not None:
            valid &= alpha > 0  # even a faint pixel has its own colour; only at 0 is it the writer's fill
        if mask is not None:
            valid &= mask
        assert self._absent is not None
        if self._absent.any():
            valid &= ~self._absent_in(delivered)
        if self._palette is not None:
            entries = self._palette[raw[0]]
            valid &= entries[..., 3] > 0
            raw = np.moveaxis(entries[..., :3], -1, 0)
        return _mixed(raw, weights, valid), valid

    @property
    def _read_bands(self) -> list[int]:
        return [*self._bands, self._alpha] if self._alpha else self._bands

    def _delivered(self, window: Window) -> Window:
        """A window inside the image as the file delivers it."""
        image = self.image
        if image.crop is not None:
            window = window._replace(row=window.row + image.crop.row, col=window.col + image.crop.col)
        return tags.delivered_window(window, image.whole_shape or image.shape, image.orientation)

    def _bring(self, window: Window) -> None:
        """Fetch what will be read, as far as it lies inside the image."""
        rows, cols = self.image.shape
        inside = window._replace(
            rows=min(window.rows, rows - window.row), cols=min(window.cols, cols - window.col)
        )
        if min(inside.rows, inside.cols) > 0:
            remote.bring(self.image.path, self._read_bands, self._delivered(inside))

    def _absent_in(self, window: Window) -> BoolArray:
        assert self._absent is not None
        block = self._block
        y = np.arange(window.row, window.row + window.rows) // block[0]
        x = np.arange(window.col, window.col + window.cols) // block[1]
        return self._absent[np.ix_(y, x)]

    def read_reduced(self, max_px: int, within: Window | None = None) -> tuple[FloatArray, BoolArray, int]:
        """The whole image at most `max_px` a side, each pixel the mean of k x k pixels as read.

        Never from overviews, which may hold another picture. Every pixel is read, so damage shows here.

        Parameters
        ----------
        max_px : int
            Longest side of the reduced picture.
        within : Window, optional
            Only what this window of the image touches is read; what lies outside it is not valid.

        Returns
        -------
        data : (roles, rows, cols) float32
            Mean of the valid pixels of each block; 0 where not valid.
        valid : (rows, cols) bool
            At least half of the block is valid; what would lie beyond the edge is not.
        factor : int
            k: the centre of reduced pixel r lies at r * k + (k - 1) / 2.
        """
        rows, cols = self.image.shape
        k = max(1, math.ceil(max(rows, cols) / max_px), math.ceil(math.sqrt(rows * cols / MAX_REDUCED_PX)))
        shape = (-(-rows // k), -(-cols // k))
        data = np.zeros((len(self.roles), *shape), np.float32)
        valid = np.zeros(shape, np.bool_)
        wanted = block_means.lattice(Window(0, 0, rows, cols) if within is None else within, k, (rows, cols))
        if self.image.address is not None:  # all at once: by strips, each would wait for its own answers
            self._bring(wanted)
        for strip in self._strips(k, wanted):
            place = Window(strip.row // k, strip.col // k, strip.rows // k, strip.cols // k).slices
            data[:, *place], valid[place] = block_means.block_means(*self.read(strip), k)
        return data, valid, k

    def _strips(self, k: int, of: Window) -> Iterator[Window]:
        """Windows of whole k x k blocks, in the order in which a scan-line file is decoded."""
        turn = tags.TURNS[self.image.orientation]
        first, along, across = (of.col, of.cols, of.rows) if turn.transposed else (of.row, of.rows, of.cols)
        step = max(1, STRIP_PX // (max(1, across) * k)) * k
        starts = range(0, along, step)
        backwards = turn.cols_reversed if turn.transposed else turn.rows_reversed
        for start in reversed(starts) if backwards else starts:
            size = min(step, along - start)
            yield (
                Window(of.row, first + start, of.rows, size)
                if turn.transposed
                else Window(first + start, of.col, size, of.cols)
            )


_passed_on: weakref.WeakValueDictionary[tuple[Any, ...], Reader] = weakref.WeakValueDictionary()
_passing_on = threading.Lock()


def _again(image: Image, roles: tuple[str, ...], theirs: passing.Stamp | None) -> Reader:
    """The one reader of this process for an image that another process let in."""
    key = image.path, image.sha256, image.crop, roles, theirs
    with _passing_on:
        one = _passed_on.get(key)
        if one is None:
            one = _passed_on[key] = Reader(image, roles)
            one._not_seen_here = (theirs,)
            weakref.finalize(one, _closed, one._opened)
        return one


def _closed(opened: list[decoding.Local | decoding.Worker]) -> None:
    """End what a reader that nobody uses any more had opened."""
    for one in opened:
        one.close()
    opened.clear()
    decoding.end_idle()


def _weights(image: Image, sources: tuple[str, ...], roles: tuple[str, ...]) -> FloatArray:
    """(roles, bands) what share each band of the file has in each role asked for."""
    weights = np.zeros((len(roles), len(sources)), np.float32)
    for row, role in zip(weights, roles, strict=True):
        if role in sources:
            row[sources.index(role)] = 1
        elif role == "grey" and set(_RGB) <= set(sources):
            row[[sources.index(colour) for colour in _RGB]] = list(GREY_WEIGHTS.values())
        elif role == "grey":
            row[next(i for i, kind in enumerate(sources) if kind != "alpha")] = 1
        elif role in _RGB and "grey" in sources:
            row[sources.index("grey")] = 1
        else:
            known = ", ".join(sources)
            raise InputError(
                f"{image.name}: no {role} band among {known}. Name them: --before-bands, --after-bands"
            )
    return weights


def _palette(answer: dict[str, Any], dtype: str) -> FloatArray:
    """(every index, 4) red, green, blue, alpha; alpha 0 where the file gives no colour."""
    table = np.zeros((np.iinfo(dtype).max + 1, 4), np.float32)
    for index, *colour in answer["colours"]:
        table[int(index)] = colour
    return table


def _has_data(raw: np.ndarray[Any, Any], nodata: float | None) -> BoolArray:
    """(bands, rows, cols) as stored to (rows, cols); see `Reader.read`."""
    floating = raw.dtype.kind == "f"
    if not floating:
        return np.ones(raw.shape[1:], np.bool_) if nodata is None else np.asarray((raw != nodata).any(0))
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite, and is not valid
        valid = np.isfinite(raw.astype(np.float32)).all(0)
        return valid if nodata is None else np.asarray(valid & (raw != raw.dtype.type(nodata)).all(0))


def _mixed(raw: np.ndarray[Any, Any], weights: FloatArray, valid: BoolArray) -> FloatArray:
    """(roles, rows, cols) float32: bands summed by weight in file order, 0 where not valid."""
    if not valid.all():
        raw = np.where(valid, raw, 0)
    if raw.dtype != np.uint8:  # whose products with the weights are made in float32 anyway
        with np.errstate(over="ignore"):
            raw = raw.astype(np.float32)
    data = np.empty((len(weights), *valid.shape), np.float32)
    for out, shares in zip(data, weights, strict=True):
        first, *others = np.flatnonzero(shares)
        if shares[first] == 1:
            out[:] = raw[first]
        else:
            np.multiply(raw[first], shares[first], out=out)
        for other in others:
            out += raw[other] * shares[other]
    return data
