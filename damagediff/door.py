"""How a raster file is opened when its maker may be hostile, and what is refused at the header.

A file is opened with exactly one driver, chosen by its first bytes, with everything switched off by which
a raster can lead GDAL to other files, to the network, or to other pixels than its own.
"""

from __future__ import annotations

import os
import sys

SCAN_CACHE_MIB, BLOCK_CACHE_MIB = 256, 64
"""Decoded pixels that GDAL keeps, in one process: of formats that are decoded from their top, so that it does
not begin there for each window; of blocks, two rows of a picture 16,384 px wide, read or written."""

HARDENED = {
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".none",
    # Elsewhere than on Linux this process decodes all formats itself.
    "GDAL_CACHEMAX": str(BLOCK_CACHE_MIB if sys.platform == "linux" else SCAN_CACHE_MIB),
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
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio._err import CPLE_BaseError
from rasterio.enums import MaskFlags
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window as FileWindow

from . import bitmap, tags
from .errors import InputError
from .file_header import File
from .types import BoolArray, Window

GDAL_ERRORS = (RasterioError, CPLE_BaseError, OSError)
"""What rasterio raises; the second is GDAL's own error, which some of its calls let through."""

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
        raise InputError(f"{tags.printable(path)}: no such file. Check its name and folder")
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


def open_one(path: Path, driver: str, name: str, tolerant: bool = False) -> Any:
    """A dataset for pixels, that consists of this one file, without overviews; the caller closes it."""
    with input_errors(name, f"cannot be opened as {driver}", tolerant), quiet():
        _check_kind(path, driver, name)
        dataset = rasterio.open(path, driver=driver, overview_level="NONE")
    # A tag can name other files as overviews; at level NONE they are neither listed nor read.
    if dataset.driver != driver or [os.path.realpath(file) for file in dataset.files] != [str(path)]:
        dataset.close()
        raise InputError(f"{name}: it leads to other files, which are not read. Try gdal_translate first")
    return dataset


def _check_kind(path: Path, driver: str, name: str) -> None:
    """Refuse what a driver would misread, or refuse in words that mislead."""
    if driver == "BMP":
        bitmap.check_header(path, name)
    if driver == "WEBP":
        with path.open("rb") as file:
            head = file.read(21)
        if head[12:16] == b"VP8X" and head[20:] and head[20] & 2:
            raise InputError(f"{name}: an animated WebP is not read. Save the picture that you mean as PNG")


@contextmanager
def header(path: Path, driver: str, name: str) -> Iterator[Any]:
    """A dataset for tags, and never for pixels, overviews or ``files``, by which a tag can name other files.

    At overview level NONE, GDAL 3.10 forgets band descriptions, and rasterio returns uninitialised memory as
    the transform of a file that has none.
    """
    with input_errors(name, f"cannot be opened as {driver}"), quiet():
        _check_kind(path, driver, name)
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
def input_errors(name: str, what: str = "damaged or not readable", tolerant: bool = False) -> Iterator[None]:
    """Whatever the operating system, GDAL or memory objects to becomes one line with the file's name.

    Inside ``rasterio.Env`` GDAL's own lines go to the log; outside it, to stderr. Tolerant: complaints of
    libjpeg are lines there, not errors.
    """
    try:
        with rasterio.Env(**({"GDAL_ERROR_ON_LIBJPEG_WARNING": "NO"} if tolerant else {})):
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


def band_interleaved(dataset: Any) -> bool:
    """Whether each band lies in blocks of its own."""
    return dataset.interleaving is not None and dataset.interleaving.value == "BAND"


def full_scale(dataset: Any) -> int | None:
    """What white is stored as, where grey has 1, 2 or 4 bits; GDAL leaves such values as they are."""
    if dataset.driver not in ("PNG", "GTiff") or dataset.dtypes[0] != "uint8":
        return None
    if "palette" in [colour.name for colour in dataset.colorinterp]:
        return None
    bits = dataset.tags(1, ns="IMAGE_STRUCTURE").get("NBITS")
    return {"1": 1, "2": 3, "4": 15}.get(bits)


Pixels = np.ndarray[Any, Any]


def read_pixels(
    dataset: Any, bands: list[int], window: Window, of: File, into: Pixels | None = None
) -> Pixels:
    """(bands, rows, cols) as stored, at full resolution; written into `into` where that is given."""
    with input_errors(of.name, tolerant=of.tolerant):
        pixels: Pixels = dataset.read(bands, window=_file_window(window), out=into)
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


def crs_of(dataset: Any) -> str | None:
    """``EPSG:n`` where the CRS has such a code, else WKT; None for none and for those not tied to Earth."""
    return crs_words(dataset.crs)


def crs_words(crs: Any) -> str | None:
    """The same of a CRS of rasterio."""
    if not crs or not (crs.is_geographic or crs.is_projected):
        return None
    code = crs.to_epsg(confidence_threshold=100)
    return f"EPSG:{code}" if code else str(crs.to_wkt())


def absent_blocks(dataset: Any) -> BoolArray:
    """(block rows, block cols) as delivered: True where a TIFF has no bytes, which GDAL reads as zeros."""
    rows, cols = dataset.block_shapes[0]
    counts = -(-dataset.height // rows), -(-dataset.width // cols)
    absent = np.zeros(counts, np.bool_)
    if dataset.driver != "GTiff":
        return absent
    for band in dataset.indexes if band_interleaved(dataset) else (1,):
        for y, x in np.ndindex(*counts):
            if dataset.get_tag_item(f"BLOCK_OFFSET_{x}_{y}", "TIFF", bidx=band) is None:
                absent[y, x] = True
    return absent
