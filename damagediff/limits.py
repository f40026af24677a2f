"""What is refused at the header, before any pixel is decoded: each refusal names its limit, and a way out."""

from __future__ import annotations

import numpy as np

from .errors import InputError
from .file_header import Layout
from .settings import ReadSettings

DTYPES = ("uint8", "uint16", "int16", "uint32", "int32", "float16", "float32", "float64")

MAX_BLOCKS = 1_000_000
"""Internal blocks of one file; each is asked for by name. 2.5 Gpx in tiles of 64 x 64 px are 610,000."""

_BYTES_PER_PIXEL = 4
"""`ReadSettings.max_block_px` counts pixels of at most so many bytes."""

_DECODED_WHOLE = ("WEBP",)
"""Kinds of which GDAL decodes all for any window: the whole picture is one block."""


def check(layout: Layout, size_bytes: int, name: str, settings: ReadSettings) -> None:
    """Refuse what is too large to decode, or of a type that is not read.

    Raises
    ------
    InputError
        One line: the limit, and the setting that raises it or what to do instead.
    """
    _check_pixels(layout, size_bytes, name, settings)
    if layout.count > settings.max_bands:
        raise InputError(
            f"{name}: {layout.count:,} bands, at most {settings.max_bands} are read. "
            "Keep those you need: gdal_translate -b 1 -b 2 -b 3, or raise read.max_bands"
        )
    kinds = set(layout.dtypes)
    if len(kinds) != 1 or not kinds <= set(DTYPES):
        found, known = ", ".join(sorted(kinds)), ", ".join(DTYPES)
        advice = (
            "its amplitude: gdal_calc --calc='abs(A)'" if "complex" in found else "gdal_translate -ot Float32"
        )
        raise InputError(f"{name}: pixels of type {found} are not read, only {known}. Convert it: {advice}")
    _check_blocks(layout, name, settings)


def check_directories(found: int, name: str, settings: ReadSettings) -> None:
    """Refuse a TIFF with too many directories, before it is opened: each of them is visited then.

    Raises
    ------
    InputError
        More than `ReadSettings.max_directories`.
    """
    if found > settings.max_directories:
        raise InputError(
            f"{name}: more than the {settings.max_directories:,} directories that are read of one TIFF. "
            "Keep its first picture: gdal_translate, or raise read.max_directories"
        )


def _check_pixels(layout: Layout, size_bytes: int, name: str, settings: ReadSettings) -> None:
    rows, cols = layout.shape
    if rows * cols > settings.max_pixels:
        raise InputError(
            f"{name}: {rows:,} x {cols:,} px is more than the {settings.max_pixels:,} px that are read. "
            "Cut out the place, or raise read.max_pixels"
        )
    if rows * cols > settings.max_pixels_per_byte * size_bytes:
        raise InputError(
            f"{name}: {rows:,} x {cols:,} px in {size_bytes:,} bytes cannot be a picture: more than "
            f"{settings.max_pixels_per_byte:,} px a byte. If it is one, raise read.max_pixels_per_byte"
        )


def _check_blocks(layout: Layout, name: str, settings: ReadSettings) -> None:
    rows, cols = layout.shape
    block_rows, block_cols = layout.shape if layout.driver in _DECODED_WHOLE else layout.block
    sample_bytes = np.dtype(layout.dtypes[0]).itemsize * (1 if layout.band_interleaved else layout.count)
    if block_rows * block_cols * max(1.0, sample_bytes / _BYTES_PER_PIXEL) > settings.max_block_px:
        advice = "Convert it to a tiled GeoTIFF" if layout.driver in _DECODED_WHOLE else "Write it tiled"
        raise InputError(
            f"{name}: one internal block has {block_rows:,} x {block_cols:,} px of {sample_bytes} bytes, "
            f"too large to decode (read.max_block_px = {settings.max_block_px:,}). "
            f"{advice}: gdal_translate -co TILED=YES, or raise read.max_block_px"
        )
    blocks = -(-rows // block_rows) * -(-cols // block_cols)
    if layout.driver == "GTiff" and blocks > MAX_BLOCKS:
        raise InputError(
            f"{name}: {blocks:,} internal blocks of {block_rows} x {block_cols} px are more than the "
            f"{MAX_BLOCKS:,} that are read. Write it tiled: gdal_translate -co TILED=YES"
        )
