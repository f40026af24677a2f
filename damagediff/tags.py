"""What a file says of itself, read with suspicion: kind, band roles, dates, EXIF and the turn it asks for.

Pure functions over bytes, tags and numbers. No pixels, no libraries that decode pictures.
"""

from __future__ import annotations

import re
import struct
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from . import containers, private_words
from .types import Acquisition, DatePrecision, FloatArray, Source, Window

MAX_TEXT = 200
"""Characters kept of any text that a file says of itself."""

MAX_EXIF_BYTES = 1 << 20
"""A longer EXIF block is not read: a JPEG segment holds 64 kB, and what is wanted is in the first few."""

ROLES = ("red", "green", "blue", "nir", "grey", "alpha", "other")
"""What a user may call a band."""

_MAGIC = (
    (rb"II\*\0|MM\0\*|II\+\0|MM\0\+", "GTiff"),
    (rb"\x89PNG\r\n\x1a\n", "PNG"),
    (rb"\xff\xd8\xff", "JPEG"),
    (rb"RIFF.{4}WEBP", "WEBP"),
    (rb"BM", "BMP"),
    (rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51", "JP2OpenJPEG"),
)


def driver_from(head: bytes) -> str | None:
    """GDAL's name of the one driver for a file that begins with `head` (16 bytes), None for all else."""
    return next((driver for magic, driver in _MAGIC if re.match(magic, head, re.DOTALL)), None)


def printable(text: object) -> str:
    """One line that cannot steer a terminal or a page: no control, direction or broken characters."""
    shown = "".join("\ufffd" if unicodedata.category(c)[0] == "C" else c for c in str(text))
    return shown if len(shown) <= MAX_TEXT else shown[: MAX_TEXT - 1] + "…"


# ---- bands --------------------------------------------------------------------------------------

_DESCRIBED = {
    "nir": r"\b(nir|near.?infra.?red|infrared)\b",
    "red": r"\bred\b(?!.?edge)",
    "green": r"\bgreen\b",
    "blue": r"\bblue\b",
    "grey": r"\b(gr[ae]y|pan|panchromatic)\b",
    "alpha": r"\balpha\b",
}
"""Words in a band's description. Numbers (B4) say nothing: red to one satellite, near infrared to another."""

_INTERPRETED = {"gray": "grey", "pan": "grey"} | {
    name: name for name in ("red", "green", "blue", "nir", "palette", "alpha")
}


def band_roles(
    colours: Sequence[str], descriptions: Sequence[str | None]
) -> tuple[tuple[str, ...], str | None]:
    """Role of each band, and a sentence when it was guessed.

    A band's description wins over the file's colour interpretation, because writers leave the latter at
    its default. Near infrared is only believed when it is said. Of two bands with one role the first has it.

    Parameters
    ----------
    colours : sequence of str
        GDAL colour interpretation of each band: red, gray, palette, undefined, ...
    descriptions : sequence of str or None
        The file's own name of each band.
    """
    if len(colours) == 1:
        return ("palette" if colours[0] == "palette" else "grey",), None
    if tuple(colours) == ("palette", "alpha"):
        return ("palette", "alpha"), None
    found = [
        _described(text or "") or _INTERPRETED.get(colour, "other")
        for colour, text in zip(colours, descriptions, strict=True)
    ]
    roles = [role if role not in found[:i] else "other" for i, role in enumerate(found)]
    return _unnamed(tuple("other" if role == "palette" else role for role in roles))


def _described(text: str) -> str | None:
    return next((role for role, words in _DESCRIBED.items() if re.search(words, text, re.IGNORECASE)), None)


def _unnamed(roles: tuple[str, ...]) -> tuple[tuple[str, ...], str | None]:
    """Three bands without names are taken as a colour picture; of any other number the first is used."""
    picture = [i for i, role in enumerate(roles) if role != "alpha"]
    if {"red", "green", "blue"} <= set(roles) or len(picture) < 2:
        return roles, None
    if len(picture) == 3 and all(roles[i] in ("grey", "other") for i in picture):
        names = dict(zip(picture, ("red", "green", "blue"), strict=True))
        guessed = tuple(names.get(i, role) for i, role in enumerate(roles))
        return guessed, "Its three bands are not named: taken as red, green and blue."
    if "grey" in roles or not set(roles) & {"red", "green", "blue"}:
        return roles, "Its bands are not named: only the first is used, as grey. Name them with --bands."
    return roles, "It has no red, green and blue together: one band is used, as grey."


# ---- dates --------------------------------------------------------------------------------------

_DATE = re.compile(
    r"(\d{4})[-:/.]?(\d\d)[-:/.]?(\d\d)"
    r"(?:[T _]?(\d\d):?(\d\d)(?::?(\d\d)(?:\.\d+)?)?)?\s*(Z|UTC|GMT|[+-]\d\d:?\d\d)?",
    re.IGNORECASE,
)
_ACQUIRED_TAGS = (
    "ACQUISITIONDATETIME",
    "ACQUISITION_DATETIME",
    "ACQUISITION_DATE",
    "ACQUISITIONDATE",
    "ACQUIRED",
    "DATE_ACQUIRED",
    "FIRSTLINETIME",
    "NITF_IDATIM",
    "EXIF_DATETIMEORIGINAL",
    "DATETIME",
    "TIFFTAG_DATETIME",
)
"""Tags by which providers tell the time of acquisition, best first."""

_OFTEN_PROCESSING = ("EXIF_DATETIMEORIGINAL", "DATETIME", "TIFFTAG_DATETIME")
"""Of these, tags that editors and screenshot tools fill too."""

_ALWAYS_UTC = ("NITF_IDATIM",)
"""Of these, tags whose format allows no other zone (MIL-STD-2500C, Zulu time)."""


def parse_date(text: str) -> tuple[datetime, DatePrecision, bool] | None:
    """UTC time, its precision, and whether the text named its zone; None when it is not a date.

    Understands ISO 8601, EXIF (``2017:05:01 10:20:30``) and NITF (``20170501102030``).
    """
    match = _DATE.fullmatch(text.strip().strip('"'))
    if match is None:
        return None
    *parts, zone = match.groups()
    offset = "+0000" if zone is None or zone[0] not in "+-" else zone.replace(":", "")
    precision: DatePrecision = "second" if parts[5] else "minute" if parts[3] else "day"
    digits = "".join(part or "00" for part in parts)
    try:
        when = datetime.strptime(digits + offset, "%Y%m%d%H%M%S%z").astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return when, precision, zone is not None


def acquisition(source: Source, said: Mapping[str, str]) -> tuple[Acquisition, tuple[str, ...]]:
    """When the image was taken and who says so, with what the reader should know about that.

    The user's word wins; then a tag that names the acquisition; last those that programs also fill with
    the time of processing, which is then said. Of a time without a zone only the day is kept: a camera's
    clock may be 14 hours off UTC, and a sun by such a time would be anywhere. A panel is not dated by the
    file that it is cut from: somebody made that later, of two images of different days.

    Parameters
    ----------
    source : Source
        Reads ``acquired``, ``acquired_precision`` and ``crop``.
    said : mapping
        Tags of the file by name in capitals.
    """
    tag = next((name for name in _ACQUIRED_TAGS if parse_date(said.get(name, ""))), None)
    told = parse_date(said[tag]) if tag else None
    panel = source.crop is not None
    if source.acquired is not None:
        stated = Acquisition(source.acquired.astimezone(UTC), source.acquired_precision, "command line")
        return stated, () if panel else _disagreement(stated, tag, told[0] if told else None)
    if tag is None or told is None:
        return Acquisition(None, "day", "not known"), ()
    when, precision, zoned = told
    if panel:
        of_both = f"The date in its tag {tag}, {when:%Y-%m-%d}, is that of the picture that holds both images"
        return Acquisition(None, "day", "not known"), (f"{of_both}, and is taken for neither.",)
    notes, sure = [], True
    if not zoned and precision != "day" and tag not in _ALWAYS_UTC:
        notes.append(
            f"The time in its tag {tag}, {when:%Y-%m-%d %H:%M}, names no zone and is not taken for UTC: only "
            "its day is used, which in UTC may be the one before or after. State the time with its zone if "
            "it is known."
        )
        when, precision, sure = when.replace(hour=0, minute=0, second=0), "day", False
    if tag in _OFTEN_PROCESSING:
        notes.append(f"Its date is from {tag}, which may be the time of processing, not of acquisition.")
    return Acquisition(when, precision, tag, sure, tag in _OFTEN_PROCESSING), tuple(notes)


def _disagreement(stated: Acquisition, tag: str | None, when: datetime | None) -> tuple[str, ...]:
    if stated.acquired is None or when is None or abs((stated.acquired - when).total_seconds()) < 86400:
        return ()
    said = f"Its tag {tag} says {when:%Y-%m-%d}, the command line {stated.acquired:%Y-%m-%d}"
    return (f"{said}: the command line is believed.",)


_OFF_NADIR = re.compile(
    r"(MEAN|SATELLITE|VIEW|NITF|CSEXRA|[_:. ])*OFF[_ -]?NADIR([_ ]?(VIEW)?[_ ]?(ANGLE)?)?(_DEG)?"
)
"""Names by which providers tell the angle of view from straight down, without what stands around them."""


def off_nadir_deg(said: Mapping[str, str]) -> float | None:
    """Angle of view from straight down in degrees, 0 to 90; None where no tag tells it.

    Parameters
    ----------
    said : mapping
        Tags of the file by name in capitals.
    """
    for name in sorted(said):
        if _OFF_NADIR.fullmatch(name) and re.fullmatch(r"\s*[+-]?\d{1,3}(\.\d{1,20})?\s*", said[name]):
            angle = abs(float(said[name]))
            return angle if angle <= 90 else None
    return None


def synthetic(said: Mapping[str, str]) -> str | None:
    """What a made-up image says of itself, None for all others; without the rest of what may be private."""
    names = ("EXIF_IMAGEDESCRIPTION", "TIFFTAG_IMAGEDESCRIPTION", "DESCRIPTION")
    texts = [said.get(name, "").strip() for name in names]
    told = [said.get("DAMAGEDIFF_SYNTHETIC", ""), *(text for text in texts if text.startswith("SYNTHETIC"))]
    first = next((text for text in told if text), None)
    return "SYNTHETIC" if first and private_words.private(first) else first and printable(first)


# ---- EXIF ---------------------------------------------------------------------------------------

_NAMES = {270: "EXIF_IMAGEDESCRIPTION", 274: "ORIENTATION", 36867: "EXIF_DATETIMEORIGINAL", 36881: "OFFSET"}
_SIZES = {2: 1, 3: 2, 4: 4, 13: 4, 16: 8}


def read_exif(path: Path, driver: str) -> dict[str, str]:
    """ORIENTATION ("1" to "8"), EXIF_DATETIMEORIGINAL and EXIF_IMAGEDESCRIPTION, those that the file has.

    GDAL tells EXIF of JPEG only and Pillow will not open very large files, so the few bytes are read here.
    A broken block is no reason to refuse a picture: it then says nothing.
    """
    with path.open("rb") as file:
        try:
            tiff = file if driver == "GTiff" else BytesIO(_exif_block(file, driver))
            found = {_NAMES[tag]: text for tag, text in _entries(tiff) if tag in _NAMES}
        except (struct.error, OverflowError, OSError):
            return {}
    zone = found.pop("OFFSET", "")
    if "EXIF_DATETIMEORIGINAL" in found and re.fullmatch(r"[+-]\d\d:\d\d", zone):
        found["EXIF_DATETIMEORIGINAL"] += zone
    if found.get("ORIENTATION") not in _TURNS_BY_NAME:
        found.pop("ORIENTATION", None)
    return found


def _exif_block(file: BinaryIO, driver: str) -> bytes:
    """The TIFF structure inside a JPEG, PNG or WebP; empty when there is none."""
    walk = {"JPEG": _jpeg_segments, "PNG": _png_chunks, "WEBP": _webp_chunks}.get(driver)
    blocks = walk(file) if walk else iter(())
    return next((block.removeprefix(b"Exif\0\0") for block in blocks), b"")


def _jpeg_segments(file: BinaryIO) -> Iterator[bytes]:
    for kind, _, length in containers.jpeg_segments(file):
        if kind == b"\xff\xda":
            return
        if kind == b"\xff\xe1" and (data := file.read(length)).startswith(b"Exif\0\0"):
            yield data


def _png_chunks(file: BinaryIO) -> Iterator[bytes]:
    for kind, _, length in containers.png_chunks(file):
        if kind == b"eXIf" and length <= MAX_EXIF_BYTES:
            yield file.read(length)
            return


def _webp_chunks(file: BinaryIO) -> Iterator[bytes]:
    for kind, _, length in containers.riff_chunks(file):
        if kind == b"EXIF" and length <= MAX_EXIF_BYTES:
            yield file.read(length)
            return


def _entries(file: BinaryIO) -> Iterator[tuple[int, str]]:
    """(tag, value as text) of the first directory and of the EXIF directory that it points to."""
    head = file.read(16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None:
        return
    big = struct.unpack(order + "H", head[2:4])[0] == 43
    (first,) = struct.unpack(order + ("Q" if big else "I"), head[8:16] if big else head[4:8])
    offsets = [first]
    for offset in offsets:
        for tag, value in _directory(file, offset, order, big):
            if tag == 34665 and len(offsets) == 1:
                offsets.append(int(value))
            elif tag in _NAMES:
                yield tag, value


def _directory(file: BinaryIO, offset: int, order: str, big: bool) -> Iterator[tuple[int, str]]:
    file.seek(offset)
    (count,) = struct.unpack(order + ("Q" if big else "H"), file.read(8 if big else 2))
    layout, inline = (order + "HHQ8s", 8) if big else (order + "HHI4s", 4)
    size = struct.calcsize(layout)
    table = file.read(min(count, 4096) * size)
    for tag, kind, number, value in struct.iter_unpack(layout, table[: len(table) // size * size]):
        if tag not in _NAMES and tag != 34665:
            continue
        length = min(number * _SIZES.get(kind, 0), 64 * MAX_TEXT)
        if length > inline:
            file.seek(struct.unpack(order + ("Q" if big else "I"), value)[0])
            value = file.read(length)
        yield tag, _text(value[:length], kind, order)


def _text(value: bytes, kind: int, order: str) -> str:
    if kind == 2:
        return value.split(b"\0")[0].decode("utf-8", "replace").strip()
    code = {1: "B", 2: "H", 4: "I", 8: "Q"}[_SIZES.get(kind, 1)]
    return str(struct.unpack_from(order + code, value)[0])


# ---- the turn that EXIF asks for ----------------------------------------------------------------


class Turn(NamedTuple):
    """Delivered to shown: exchange rows and columns first, then reverse rows, then columns."""

    transposed: bool
    rows_reversed: bool
    cols_reversed: bool


TURNS = {
    1: Turn(False, False, False),
    2: Turn(False, False, True),
    3: Turn(False, True, True),
    4: Turn(False, True, False),
    5: Turn(True, False, False),
    6: Turn(True, False, True),
    7: Turn(True, True, True),
    8: Turn(True, True, False),
}
"""EXIF orientation to turn."""

_TURNS_BY_NAME = {str(orientation) for orientation in TURNS}


def shown_shape(delivered: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Rows and columns after the turn."""
    return delivered[::-1] if TURNS[orientation].transposed else delivered


def shown(array: np.ndarray[Any, Any], orientation: int) -> np.ndarray[Any, Any]:
    """``(..., rows, cols)`` as delivered to the same as shown; a view."""
    turn = TURNS[orientation]
    if turn.transposed:
        array = np.swapaxes(array, -1, -2)
    return array[..., :: -1 if turn.rows_reversed else 1, :: -1 if turn.cols_reversed else 1]


def delivered_rc(rc: FloatArray, shape: tuple[int, int], orientation: int) -> FloatArray:
    """(..., 2) pixels as shown to pixels as delivered; `shape` is that of the picture as shown."""
    turn = TURNS[orientation]
    rc = np.asarray(rc, np.float64)
    row = shape[0] - 1 - rc[..., 0] if turn.rows_reversed else rc[..., 0]
    col = shape[1] - 1 - rc[..., 1] if turn.cols_reversed else rc[..., 1]
    return np.stack([col, row] if turn.transposed else [row, col], axis=-1)


def delivered_window(window: Window, shape: tuple[int, int], orientation: int) -> Window:
    """The window of the delivered pixels that are shown in `window`."""
    first = np.array([window.row, window.col])
    corners = np.stack([first, first + [window.rows - 1, window.cols - 1]])
    moved = delivered_rc(corners, shape, orientation).astype(int)
    low, high = moved.min(0), moved.max(0)
    return Window(int(low[0]), int(low[1]), int(high[0] - low[0] + 1), int(high[1] - low[1] + 1))
