"""Maps of yes and no as few bytes, for the way to another process: eight a byte, then deflated."""

from __future__ import annotations

import zlib

import numpy as np

from .types import BoolArray

Packed = tuple[tuple[int, ...], bytes]
"""Shape, and what it holds."""


def packed(flags: BoolArray | None) -> Packed | None:
    """A map of any shape; None stays None."""
    return None if flags is None else (flags.shape, zlib.compress(np.packbits(flags).tobytes(), 1))


def unpacked(held: Packed | None) -> BoolArray | None:
    """The same map again."""
    if held is None:
        return None
    shape, content = held
    count = int(np.prod(shape))
    bits = np.frombuffer(zlib.decompress(content), np.uint8)
    return np.unpackbits(bits, count=count).astype(bool).reshape(shape)
