"""The quality at which a JPEG file was written, from the quantisation tables in its head."""

from __future__ import annotations

import struct
from pathlib import Path

LUMINANCE = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
"""Table K.1 of ITU-T T.81, which quality 50 of the IJG library writes as it is."""

MAX_SEGMENTS = 1000
"""Segments looked at before the picture begins: real files have a few dozen."""


def quality(path: Path) -> int | None:
    """Quality 1 to 100 on the scale of the IJG library, None where the file has no such table.

    Other programs use tables of their own; the answer is then the quality whose mean step is theirs. Only
    the sum of the steps is used, so their order in the file does not matter.
    """
    with path.open("rb") as file:
        try:
            if file.read(2) != b"\xff\xd8":
                return None
            for _ in range(MAX_SEGMENTS):
                marker, length = struct.unpack(">HH", file.read(4))
                if marker in (0xFFDA, 0xFFD9) or marker < 0xFF01 or length < 2:
                    return None
                body = file.read(length - 2)
                if len(body) < length - 2:
                    return None
                if marker == 0xFFDB and (steps := _first_table(body)):
                    return _from_steps(steps)
        except (struct.error, OSError):
            return None
    return None


def _first_table(body: bytes) -> tuple[int, ...] | None:
    """The table with number 0, which brightness uses; 8 or 16 bits a step."""
    while body:
        wide, number = body[0] >> 4, body[0] & 15
        size = 128 if wide else 64
        if len(body) < 1 + size or wide > 1:
            return None
        if number == 0:
            steps = struct.unpack(">64H" if wide else ">64B", body[1 : 1 + size])
            return steps if min(steps) > 0 else None
        body = body[1 + size :]
    return None


def _from_steps(steps: tuple[int, ...]) -> int:
    """The quality whose table, clipped to 1..255 as the library does, has the nearest sum."""

    def total(quality: int) -> int:
        scale = 5000 // quality if quality < 50 else 200 - 2 * quality
        return sum(min(max((step * scale + 50) // 100, 1), 255) for step in LUMINANCE)

    return min(range(100, 0, -1), key=lambda q: abs(total(q) - sum(steps)))
