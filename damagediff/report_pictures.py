"""Pictures of the report as data addresses."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image as PillowImage

from .types import ByteArray


def jpeg(rgb: ByteArray, quality: int) -> str:
    """`rgb` as a data address, colours at full resolution."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg_bytes(rgb, quality)).decode()


def jpeg_bytes(rgb: ByteArray, quality: int) -> bytes:
    """`rgb` as a JPEG file, colours at full resolution."""
    target = io.BytesIO()
    PillowImage.fromarray(np.ascontiguousarray(rgb)).save(
        target, "JPEG", quality=quality, subsampling=0, optimize=True
    )
    return target.getvalue()


def png(data: bytes) -> str:
    """A PNG file as a data address."""
    return "data:image/png;base64," + base64.b64encode(data).decode()
