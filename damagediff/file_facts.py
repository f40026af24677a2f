"""What a picture file tells of itself: its words, its compression, and the history that its pixels keep.

Words are those of strangers: each becomes one plain line. A field is shown when it is known to tell of the
picture alone; all others, and any in whose words a place, a folder or an address may stand
(`private_words`), are only named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO

import numpy as np

from . import (
    exif_fields,
    file_blocks,
    iptc,
    jpeg_history,
    part,
    pixel_grid,
    private_words,
    raster,
    wording,
    xmp,
)
from .file_blocks import Blocks
from .provenance import FileFacts
from .types import FloatArray, Image, Window

MAX_FIELDS = 200
MAX_VALUE = 300
MAX_PACKETS = 4
"""XMP packets read of one file; a writer leaves one."""
LOOK_PX = 1024
"""Side of the window, in the middle of the picture, whose pixels are asked for their history."""
MIN_SIDE_PX = max(jpeg_history.MIN_SIDE_PX, pixel_grid.MIN_SIDE_PX)
MAX_DECODED_PX = 64_000_000
"""Larger pictures are asked at their top: most files are decoded from there."""

_PNG_PUBLIC = {
    "title",
    "description",
    "copyright",
    "creation time",
    "software",
    "source",
    "disclaimer",
    "warning",
}
_TAG_PUBLIC = re.compile(
    r"(acqui|sensor|satellite|platform|cloud|sun|nadir|azimuth|elevation|incidence|date|time|band|product|process"
    r"|resolution|gsd|orbit|area_or_point|synthetic|software|copyright|licen|credit|provider)",
    re.IGNORECASE,
)
"""Names of tags by which providers of satellite pictures tell of them."""
_TAG_PRIVATE = re.compile(
    r"(user|owner|host|author|artist|creator|path|file|serial|gps|mail|phone|uuid)", re.IGNORECASE
)
_COMMENT_PUBLIC = re.compile(
    r"CREATOR: [\w-]+ v[\d.]+( \(using IJG JPEG v\d+\w?\))?(, (default )?quality( = \d+)?)?"
    r"|Lavc[\d.]*|LEAD Technologies Inc\. V[\d.]+\w?|File written by Adobe Photoshop[\s\w®?¨�.]{0,8}"
    r"|(Created with |Edited with )?(The )?GIMP( [\d.]+)?|Optimized by JPEGmini [\d. \w-]{0,40}"
    r"|Compressed by jpeg-recompress|Intel\(R\) JPEG Library[^A-Za-z]{0,40}|AppleMark",
    re.IGNORECASE,
)
"""What programs write there by themselves. All else was typed by somebody, as in a PNG's comment."""
Told = tuple[str, str, bool]
"""Name, value and whether the field is known to tell of the picture alone."""


def examine(image: Image, show_private: bool = False) -> FileFacts:
    """All that is told by the file of an image that passed the door.

    Parameters
    ----------
    image : Image
        From `raster.inspect`.
    show_private : bool
        Values of fields that may tell of the people who handled the file are given too.

    Raises
    ------
    InputError
        The pixels cannot be decoded.
    """
    blocks = file_blocks.read(image.path, image.driver)
    told = list(_told(image, blocks, show_private))
    shown = [(name, value) for name, value, public in told if show_private or public]
    kept = list(dict.fromkeys(shown))
    withheld = () if show_private else dict.fromkeys(name for name, _, public in told if not public)
    tables = jpeg_history.tables(blocks.of("quantisation"))
    quality = image.jpeg_quality if tables else None
    standard = None if quality is None else jpeg_history.is_standard(tables, quality)
    grey, valid = _middle(image)
    inside = raster.stored_as_jpeg(image)
    if inside:
        blocks.unread.append("the steps of the JPEG inside the TIFF; an earlier one was not looked for")
    return FileFacts(
        fields=tuple(kept[:MAX_FIELDS]),
        withheld=tuple(list(withheld)[:MAX_FIELDS]),
        unread=(*blocks.unread, *((f"fields after the first {MAX_FIELDS}",) * (len(kept) > MAX_FIELDS))),
        credentials=blocks.credentials,
        jpeg_quality=quality,
        jpeg_standard=standard,
        pixels_asked=valid,
        earlier_jpeg=jpeg_history.earlier(grey, tables.get(0)) if valid and not inside else None,
        resampled=pixel_grid.resampled(grey) if valid else None,
        nominal_px=part.whole(image).shape,
    )


def _middle(image: Image) -> tuple[FloatArray, bool]:
    """Grey 0..255 of the middle as delivered, from a corner of the 8 x 8 px grid; whether it can be asked."""
    image = part.whole(image)  # the blocks of a JPEG count from the file's corner, not a panel's
    turned = image.orientation > 4
    shape = image.shape[::-1] if turned else image.shape
    delivered = replace(image, shape=shape, orientation=1)
    first = [max(0, (side - LOOK_PX) // 2) // 16 * 16 for side in shape]
    if image.driver != "GTiff" and shape[0] * shape[1] > MAX_DECODED_PX:
        first[0] = 0  # all rows before a window are decoded for it
    size = [min(LOOK_PX, side - start) for side, start in zip(shape, first, strict=True)]
    with raster.Reader(delivered, ("grey",)) as reader:
        data, valid = reader.read(Window(first[0], first[1], size[0], size[1]))
    eight_bits = image.dtype == "uint8" and "palette" not in image.roles
    usable = eight_bits and min(size) >= MIN_SIDE_PX and bool(valid.mean() > 0.5)
    return np.asarray(data[0]), usable


def _told(image: Image, blocks: Blocks, show_private: bool) -> Iterator[Told]:
    """Every field of the file, cleaned; private whatever its name when its words are."""
    for name, value, public in _raw(image, blocks):
        shown = wording.plain(value, MAX_VALUE)
        if shown:
            hidden = private_words.private(name) and not show_private
            named = f"{name.split()[0]} field whose name is private" if hidden else wording.plain(name, 80)
            yield named, shown, public and not hidden and not private_words.private(value)


def _raw(image: Image, blocks: Blocks) -> Iterator[Told]:
    if image.driver == "GTiff":
        with image.path.open("rb") as file:
            yield from exif_fields.read(file)
    for content in blocks.of("exif"):
        yield from exif_fields.read(BytesIO(content))
    header = raster.header(image) if image.driver in ("GTiff", "JP2OpenJPEG") else None
    yield from _of_tags(header.tags if header else {})
    for content in blocks.of("iptc"):
        yield from iptc.read(content)
    packets = [text.encode("utf-8", "replace") for text in (header.xmp if header else ())]
    for packet in (*blocks.of("xmp"), *packets)[:MAX_PACKETS]:
        yield from _of_xmp(packet, blocks)
    for content in blocks.of("text"):
        keyword, _, text = content.partition(b"\0")
        name = keyword.decode("latin-1")
        yield f"PNG {name}", text.decode("utf-8", "replace"), name.lower() in _PNG_PUBLIC
    for content in blocks.of("comment"):
        words = content.decode("utf-8", "replace")
        yield "JPEG comment", words, bool(_COMMENT_PUBLIC.fullmatch(words.strip("\0 \r\n\t")))


def _of_tags(said: dict[str, str]) -> Iterator[Told]:
    """Tags as GDAL names them, of those files whose own words are not read here."""
    for name, value in said.items():
        if not name.startswith(("TIFFTAG_", "EXIF_")):
            public = bool(_TAG_PUBLIC.search(name)) and not _TAG_PRIVATE.search(name)
            yield f"Tag {name}", value, public


def _of_xmp(packet: bytes, blocks: Blocks) -> Iterator[Told]:
    try:
        found = xmp.read(packet)
    except xmp.Refused as why:
        blocks.unread.append(f"XMP of {len(packet):,} bytes: {why}")
        return
    for name, value in found:
        yield f"XMP {name}", value, name in xmp.PUBLIC
