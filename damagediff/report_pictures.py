"""Pictures of the report as data addresses."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageFile

from .types import ByteArray


def jpeg(rgb: ByteArray, quality: int) -> str:
    """`rgb` as a data address, colours at full resolution."""
    return jpeg_address(jpeg_bytes(rgb, quality))


def jpeg_address(data: bytes) -> str:
    """A JPEG file as a data address."""
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()


def jpeg_bytes(rgb: ByteArray, quality: int) -> bytes:
    """`rgb` as a JPEG file, colours at full resolution."""
    target = io.BytesIO()
    # Optimised tables need the whole file in one buffer, and Pillow's is too small for pictures of noise.
    # Its size is given back at once: a PNG that is written later is cut into chunks of it.
    usual = ImageFile.MAXBLOCK
    ImageFile.MAXBLOCK = max(usual, 2 * rgb.size)
    try:
        PillowImage.fromarray(np.ascontiguousarray(rgb)).save(
            target, "JPEG", quality=quality, subsampling=0, optimize=True
        )
    finally:
        ImageFile.MAXBLOCK = usual
    return target.getvalue()


def fitted(rgb: ByteArray, side: int) -> ByteArray:
    """(rows, cols, 3) at most `side` px long, each pixel the mean of those it stands for."""
    times = min(1.0, side / max(rgb.shape[:2]))
    rows, cols = (max(1, round(n * times)) for n in rgb.shape[:2])
    drawn = PillowImage.fromarray(np.ascontiguousarray(rgb))
    return np.asarray(drawn.resize((cols, rows), PillowImage.Resampling.BOX)) if times < 1 else rgb


def png(data: bytes) -> str:
    """A PNG file as a data address."""
    return "data:image/png;base64," + base64.b64encode(data).decode()
