"""How a raster file is opened when its maker may be hostile, and what is refused at the header.

A file is opened with exactly one driver, chosen by its first bytes, with everything switched off by which
a raster can lead GDAL to other files, to the network, or to other pixels than its own.
"""

from __future__ import annotations

import os

HARDENED = {
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".none",
    "GDAL_CACHEMAX": "256",
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_ERROR_ON_LIBJPEG_WARNING": "YES",
    "GDAL_HTTP_PROXY": "127.0.0.1:9",
    "GDAL_NUM_THREADS": "1",
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_PNG_WHOLE_IMAGE_OPTIM": "NO",
    "GDAL_TIFF_INTERNAL_MASK": "YES",
    "GDAL_VRT_ENABLE_PYTHON": "NO",
    "GDAL_VRT_ENABLE_RAWRASTERBAND": "NO",
    "PROJ_NETWORK": "OFF",
}
"""What GDAL may not do. Set for the whole process before GDAL starts, over whatever the user's shell says."""

os.environ.update(HARDENED)

# ruff: noqa: E402 - GDAL must not start before the lines above
import hashlib
import math
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import rasterio
from affine import Affine
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.enums import MaskFlags
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window as FileWindow

from . import bitmap, tags
from .errors import InputError, SettingsError
from .settings import ReadSettings
from .types import BoolArray, Source, Window

MAX_PIXELS_PER_BYTE = 1_000_000
"""More pixels for each byte of the file than any picture has; all black and deflated reaches 1,000."""

DTYPES = ("uint8", "uint16", "int16", "uint32", "int32", "float32", "float64")

MAX_BLOCKS = 1_000_000
"""Internal blocks of one file; each is asked for by name. 2.5 Gpx in tiles of 64 x 64 px are 610,000."""

GDAL_ERRORS = (RasterioError, CPLE_BaseError, OSError)
"""What rasterio raises; the second is GDAL's own error, which some of its calls let through."""

_BYTES_PER_PIXEL = 4
"""`ReadSettings.max_block_px` counts pixels of at most so many bytes."""

_warning_filter = threading.Lock()


def regular_file(path: Path, name: str) -> Path:
    """The real absolute path: with it no prefix, URL or inline document can reach GDAL."""
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", str(path)) or str(path).startswith("/vsi"):
        shown = tags.printable(path)
        raise InputError(f"{shown}: only files on this machine are read. Download it, then give the file")
    with input_errors(name):
        real = Path(os.path.realpath(path))
        exists, regular = real.exists(), real.is_file()
    if not exists:
        raise InputError(f"{tags.printable(path)}: no such file")
    if not regular or str(real).startswith("/vsi"):
        what = "a directory" if real.is_dir() else "not a regular file"
        raise InputError(f"{tags.printable(path)}: {what}. Give one image file")
    return real


def driver_of(path: Path, name: str) -> str:
    """GDAL's name of the one driver with which this file may be opened."""
    with input_errors(name), path.open("rb") as file:
        head = file.read(16)
    driver = tags.driver_from(head)
    if driver is None:
        begins = repr(head[:8]) if head else "nothing: it is empty"
        raise InputError(
            f"{name}: not an image type we read (it begins with {begins}). "
            "GeoTIFF, PNG, JPEG, WebP, JPEG 2000 and plain BMP are read"
        )
    return driver


def open_one(path: Path, driver: str, name: str) -> Any:
    """A dataset for pixels, that consists of this one file, without overviews; the caller closes it."""
    with input_errors(name, f"cannot be opened as {driver}"), quiet():
        if driver == "BMP":
            bitmap.check_header(path, name)
        dataset = rasterio.open(path, driver=driver, overview_level="NONE")
    # A tag can name other files as overviews; at level NONE they are neither listed nor read.
    if dataset.driver != driver or [os.path.realpath(file) for file in dataset.files] != [str(path)]:
        dataset.close()
        raise InputError(f"{name}: it leads to other files, which are not read. Try gdal_translate first")
    return dataset


@contextmanager
def header(path: Path, driver: str, name: str) -> Iterator[Any]:
    """A dataset for tags, and never for pixels, overviews or ``files``, by which a tag can name other files.

    At overview level NONE, GDAL 3.10 forgets band descriptions, and rasterio returns uninitialised memory as
    the transform of a file that has none.
    """
    with input_errors(name, f"cannot be opened as {driver}"), quiet():
        if driver == "BMP":
            bitmap.check_header(path, name)
        dataset = rasterio.open(path, driver=driver)
    try:
        with input_errors(name):
            yield dataset
    finally:
        dataset.close()


@contextmanager
def quiet() -> Iterator[None]:
    """No warning that a picture has no georeference: most have none, and `Image.crs` tells it."""
    with _warning_filter, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield


@contextmanager
def input_errors(name: str, what: str = "damaged or not readable") -> Iterator[None]:
    """Whatever the operating system, GDAL or memory objects to becomes one line with the file's name.

    Inside ``rasterio.Env`` GDAL's own lines go to the log; outside it, to stderr.
    """
    try:
        with rasterio.Env():
            yield
    except (*GDAL_ERRORS, ValueError, MemoryError) as error:
        text = f"{name}: {what} ({reason(error)}). Get the file again from where it came"
        raise InputError(text) from error


def reason(error: BaseException) -> str:
    """The innermost cause in one line, without folders."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    text = re.sub(r"(?:/[^\s/:]+)+/", "", text)  # a message may hold private paths
    return tags.printable(" ".join(text.split()) or type(error).__name__).rstrip(".")


def check_limits(dataset: Any, size_bytes: int, name: str, settings: ReadSettings) -> None:
    """Refuse what is too large to decode, or of a type that is not read; the header tells."""
    rows, cols = dataset.shape
    if rows * cols > settings.max_pixels:
        raise InputError(
            f"{name}: {rows:,} x {cols:,} px is more than the {settings.max_pixels:,} px that are read. "
            "Cut out the place, or raise read.max_pixels"
        )
    if rows * cols > MAX_PIXELS_PER_BYTE * size_bytes:
        raise InputError(f"{name}: {rows:,} x {cols:,} px in {size_bytes:,} bytes cannot be a picture")
    if dataset.count > settings.max_bands:
        raise InputError(
            f"{name}: {dataset.count:,} bands, at most {settings.max_bands} are read. "
            "Keep those you need: gdal_translate -b 1 -b 2 -b 3, or raise read.max_bands"
        )
    _check_types(dataset, name)
    block_rows, block_cols = dataset.block_shapes[0]
    sample_bytes = np.dtype(dataset.dtypes[0]).itemsize * (1 if _band_interleaved(dataset) else dataset.count)
    if block_rows * block_cols * max(1.0, sample_bytes / _BYTES_PER_PIXEL) > settings.max_block_px:
        raise InputError(
            f"{name}: one internal block has {block_rows:,} x {block_cols:,} px of {sample_bytes} bytes, "
            "too large to decode. Write it tiled: gdal_translate -co TILED=YES"
        )
    blocks = -(-rows // block_rows) * -(-cols // block_cols)
    if dataset.driver == "GTiff" and blocks > MAX_BLOCKS:
        raise InputError(
            f"{name}: {blocks:,} internal blocks of {block_rows} x {block_cols} px are more than the "
            f"{MAX_BLOCKS:,} that are read. Write it tiled: gdal_translate -co TILED=YES"
        )


def _check_types(dataset: Any, name: str) -> None:
    kinds = set(dataset.dtypes)
    if len(kinds) != 1 or not kinds <= set(DTYPES):
        found, known = ", ".join(sorted(kinds)), ", ".join(DTYPES)
        raise InputError(f"{name}: pixels of type {found} are not read, only {known}")


def _band_interleaved(dataset: Any) -> bool:
    return dataset.interleaving is not None and dataset.interleaving.value == "BAND"


def read_pixels(dataset: Any, bands: list[int], window: Window, name: str) -> np.ndarray[Any, Any]:
    """(bands, rows, cols) as stored, at full resolution."""
    with input_errors(name):
        pixels: np.ndarray[Any, Any] = dataset.read(bands, window=_file_window(window))
    return pixels


def read_mask(dataset: Any, window: Window, name: str) -> BoolArray | None:
    """(rows, cols) where the file's own mask says valid; None when it has none, or only alpha or nodata."""
    flags = dataset.mask_flag_enums[0]
    if MaskFlags.per_dataset not in flags or MaskFlags.alpha in flags:
        return None
    with input_errors(name):
        return np.asarray(dataset.read_masks(1, window=_file_window(window)) > 0)


def _file_window(window: Window) -> FileWindow:
    return FileWindow(window.col, window.row, window.cols, window.rows)


# ---- where it lies ------------------------------------------------------------------------------


class Place(NamedTuple):
    """Where a file says it lies; identity and None when it does not say."""

    transform: Affine
    crs: str | None
    world_file_sha256: str | None
    notes: tuple[str, ...]


def georeference(dataset: Any, source: Source, name: str) -> Place:
    """Where the image lies, by its own tags or by the world file that the user names.

    Raises
    ------
    InputError
        Only ground control points or a camera model; a CRS without transform; a transform that turns
        areas into nothing.
    """
    crs, transform, digest = _crs(dataset), dataset.transform, None
    own = not transform.is_identity
    stated = None if source.crs is None else stated_crs(source.crs)
    if source.world_file is not None:
        transform, digest = _read_world_file(source.world_file)
    elif not own and (dataset.gcps[0] or dataset.rpcs):
        _refuse_points(dataset, name)
    if crs is None and stated is None:
        return Place(Affine.identity(), None, digest, _why_nowhere(source, own))
    if transform.is_identity:
        raise InputError(
            f"{name}: a CRS but no transform. Give its world file, or assign one: "
            "gdal_edit.py -a_ullr ULX ULY LRX LRY"
        )
    determinant = transform.a * transform.e - transform.b * transform.d
    if not (all(map(math.isfinite, transform[:6])) and determinant != 0):
        numbers = ", ".join(f"{value:g}" for value in transform[:6])
        raise InputError(f"{name}: its transform ({numbers}) has no inverse. Assign a right one")
    notes = ("The world file is used in place of its own transform.",) * (digest is not None and own)
    if stated is not None and crs is not None and stated != crs:
        notes += (f"{stated}, as stated, is used in place of its own CRS.",)
    elif stated is not None and crs is None:
        notes += (f"Its CRS {stated} is as stated by the user.",)
    return Place(transform, stated or crs, digest, notes)


def stated_crs(text: str) -> str:
    """A CRS as a user states it, checked.

    Raises
    ------
    SettingsError
        Not ``EPSG:n``, or not a code of a CRS on Earth.
    """
    if not re.fullmatch(r"EPSG:[0-9]{4,6}", text, re.IGNORECASE):
        raise SettingsError(f"CRS {tags.printable(text)}: give a code like EPSG:32638")
    try:
        with rasterio.Env():
            crs = CRS.from_epsg(int(text[5:]))
    except (*GDAL_ERRORS, ValueError) as error:
        raise SettingsError(f"CRS {text}: not known ({reason(error)})") from error
    if not (crs.is_geographic or crs.is_projected):
        raise SettingsError(f"CRS {text}: neither geographic nor projected, so it places no image")
    return text.upper()


def _why_nowhere(source: Source, own: bool) -> tuple[str, ...]:
    if source.world_file is not None:
        return (
            "A world file names no CRS and the image has none: used without georeference. "
            "State it with --before-crs or --after-crs.",
        )
    return ("It has a transform but no CRS on Earth: used without georeference.",) * own


def _refuse_points(dataset: Any, name: str) -> None:
    what = f"{len(dataset.gcps[0])} ground control points" if dataset.gcps[0] else "a camera model (RPC)"
    advice = "gdalwarp -order 1" if dataset.gcps[0] else "gdalwarp -rpc with a terrain model"
    raise InputError(f"{name}: placed only by {what}. Rectify it first: {advice}")


def _crs(dataset: Any) -> str | None:
    """``EPSG:n`` where the CRS has such a code, else WKT; None for none and for those not tied to Earth."""
    crs = dataset.crs
    if not crs or not (crs.is_geographic or crs.is_projected):
        return None
    code = crs.to_epsg(confidence_threshold=100)
    return f"EPSG:{code}" if code else str(crs.to_wkt())


def _read_world_file(path: Path) -> tuple[Affine, str]:
    """Transform of pixel corners, and SHA-256, of a world file, which tells the centre of the first pixel."""
    name = tags.printable(path.name)
    real = regular_file(path, name)
    with input_errors(name, "not a world file"), real.open("rb") as file:
        content = file.read(4096)
        a, d, b, e, x, y = (float(word) for word in content.decode("ascii").split())
        if not (all(map(math.isfinite, (a, b, d, e, x, y))) and a * e - b * d):
            raise ValueError("its pixels have no size")
    corner = Affine(a, b, x - (a + b) / 2, d, e, y - (d + e) / 2)
    return corner, hashlib.sha256(content).hexdigest()


def absent_blocks(dataset: Any) -> BoolArray:
    """(block rows, block cols) as delivered: True where a TIFF has no bytes, which GDAL reads as zeros."""
    rows, cols = dataset.block_shapes[0]
    counts = -(-dataset.height // rows), -(-dataset.width // cols)
    absent = np.zeros(counts, np.bool_)
    if dataset.driver != "GTiff":
        return absent
    for band in dataset.indexes if _band_interleaved(dataset) else (1,):
        for y, x in np.ndindex(*counts):
            if dataset.get_tag_item(f"BLOCK_OFFSET_{x}_{y}", "TIFF", bidx=band) is None:
                absent[y, x] = True
    return absent
