"""Pictures of report.pdf: the page's own, side by side or alone, no larger than the paper."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from reportlab.lib.utils import ImageReader
from reportlab.platypus import Flowable, KeepTogether, Table
from reportlab.platypus import Image as Picture

from . import report_pdf_lines as lines
from . import report_pdf_text as words
from . import report_pictures
from .report_elements import Element

GAP = 8.0
TALLEST_PAIR, TALLEST = 360.0, 640.0
"""Points: what a pair or a figure of the page, and what figure.png by itself, may take of a page's height."""
CROP = 104.0
"""Points: side of the square into which a crop of a region is laid."""
FIGURE_QUALITY = 90
"""JPEG quality of figures: a quarter of their size as PNG, the same on paper; figure.png is exact."""
ENLARGED = 6.0
"""Most points a pixel may take: crops of few pixels stay recognisable as such."""


def image(data: bytes, width: float, height: float) -> Flowable:
    """A JPEG as it is, or a PNG turned into one, as large as (width, height) points allow."""
    source = io.BytesIO(data)
    cols, rows = ImageReader(source).getSize()
    scale = min(width / cols, height / rows, ENLARGED)
    source.seek(0)
    return Picture(source, cols * scale, rows * scale, hAlign="LEFT")


def data_of(element: Element) -> bytes:
    """The bytes behind an image's data address."""
    kind, _, coded = element.attributes["src"].partition(";base64,")
    data = base64.b64decode(coded, validate=True)
    return as_jpeg(data) if kind == "data:image/png" else data


def as_jpeg(png: bytes) -> bytes:
    """A figure that `figures` drew, as JPEG."""
    reader = ImageReader(io.BytesIO(png))
    cols, rows = reader.getSize()
    rgb = np.frombuffer(reader.getRGBData(), np.uint8).reshape(rows, cols, 3)
    return report_pictures.jpeg_bytes(rgb, FIGURE_QUALITY)


def figure(element: Element, room: float) -> Flowable:
    """A figure with its caption, kept together."""
    shown: list[Flowable] = [image(data_of(part), room, TALLEST_PAIR) for part in element.all("img")]
    style = words.style("caption")
    captions = [lines.of(caption, style) for caption in element.all("figcaption")]
    return KeepTogether([*shown, *captions])


def alone(png: bytes, room: float, caption: str) -> Flowable:
    """A figure that is not of the page, with its caption."""
    said = lines.paragraph([caption], words.style("caption"))
    return KeepTogether([image(as_jpeg(png), room, TALLEST), said])


def first_width(pictures: Sequence[Element], room: float) -> float:
    """Points that the first of the pictures of `pair` is wide."""
    side = (room - GAP * (len(pictures) - 1)) / len(pictures)
    return float(image(data_of(pictures[0]), side, TALLEST_PAIR).drawWidth)


def pair(pictures: Sequence[Element], captions: Sequence[Element], room: float) -> Flowable:
    """Pictures side by side, and below each its words."""
    side = (room - GAP * (len(pictures) - 1)) / len(pictures)
    style = words.style("caption")
    said = [lines.of(caption, style) for caption in captions]
    cells: list[list[Any]] = [[image(data_of(part), side, TALLEST_PAIR) for part in pictures]]
    cells += [said[k : k + len(pictures)] for k in range(0, len(said), len(pictures))]
    return _laid(cells, [side] * len(pictures))


def beside(crops: Sequence[Element], said: Sequence[Flowable], room: float) -> Iterator[Flowable]:
    """Crops with their captions, and text to the right of them, or above them where it is long."""
    text = room - len(crops) * (CROP + GAP)
    if not crops or sum(part.wrap(text, TALLEST)[1] for part in said) > TALLEST_PAIR:
        yield from said
        said = ()
    row: list[Any] = []
    for crop in crops:
        shown: list[Flowable] = [image(data_of(part), CROP, CROP) for part in crop.all("img")]
        named = [lines.of(c, words.style("caption")) for c in crop.all("figcaption")]
        row.append([*shown, *named])
    if row:
        yield _laid([[*row, list(said)]], [*[CROP] * len(row), text])


def _laid(cells: list[list[Any]], widths: list[float]) -> Table:
    """A table without lines, a gap to the right of all but the last column."""
    wide = [width + (GAP if k < len(widths) - 1 else 0) for k, width in enumerate(widths)]
    padded = [[*row, *[""] * (len(widths) - len(row))] for row in cells]
    style: list[tuple[Any, ...]] = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("FONT", (0, 0), (-1, -1), words.REGULAR),  # else the file names a font that it does not hold
        ("LEFTPADDING", (0, 0), (-1, -1), 0),
        ("RIGHTPADDING", (0, 0), (-1, -1), 0),
        ("RIGHTPADDING", (0, 0), (-2, -1), GAP),
        ("TOPPADDING", (0, 0), (-1, -1), 1),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 1),
    ]
    return Table(padded, wide, style=style, hAlign="LEFT")


class Bar(Flowable):  # type: ignore[misc]
    """A scale bar: a line that is a share of the picture above it, and its length in words."""

    def __init__(self, length: float, text: str) -> None:
        super().__init__()
        self.length, self.said = length, text
        self.width, self.height = length, 10.0

    def wrap(self, *room: float) -> tuple[float, float]:
        """Its size, whatever the room."""
        return self.width, self.height

    def draw(self) -> None:
        """The line with its ends, and the words beside it."""
        style = words.style("caption")
        self.canv.setLineWidth(1.2)
        self.canv.lines([(0, 4, self.length, 4), (0, 2, 0, 6), (self.length, 2, self.length, 6)])
        words.draw(self.canv, (self.length + 5, 2), words.drawable(self.said), style)
