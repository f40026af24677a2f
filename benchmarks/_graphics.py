"""Graphics as people draw them over pictures, with the pixels that they cover.

Text with and without halo, arrows, boxes, circles, markers, lines, logos, scale bars, caption panels; and
half-transparent watermarks, repeated watermarks, logos and panels. Sizes, places, colours, smooth or stepped
edges are drawn by chance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
COLOURS: tuple[Colour, ...] = (
    (255, 255, 255),
    (255, 255, 255),
    (0, 0, 0),
    (255, 0, 0),
    (220, 30, 30),
    (255, 255, 0),
    (255, 204, 0),
    (0, 255, 255),
    (0, 90, 200),
    (255, 0, 255),
    (60, 220, 60),
    (255, 128, 0),
)
WORDS = (
    "Damaged building",
    "Gaza City",
    "17 June 2005",
    "BEFORE",
    "AFTER",
    "35\N{DEGREE SIGN}26'6\"E",
    "Source: example.org",
    "\N{CYRILLIC CAPITAL LETTER GHE}\N{CYRILLIC SMALL LETTER YA}\N{CYRILLIC SMALL LETTER EN}",
    "\N{GREEK CAPITAL LETTER PHI}\N{GREEK SMALL LETTER OMEGA}\N{GREEK SMALL LETTER TAU}",
    "A1",
    "Hospital",
    "500 m",
    "Copyright 2024",
)
OVERSAMPLED = 4
VISIBLE_GREY = 8
"""A pixel that the drawing changes by less in every band shows nothing: white on white."""


@dataclass(frozen=True)
class Drawn:
    """One graphic as it lies on a picture."""

    kind: str
    half: bool
    cover: np.ndarray
    """(rows, cols) 0..1: share of the pixel that is covered, before any transparency."""
    colour: np.ndarray
    """(rows, cols, 3) of what covers it."""
    opacity: float


class Pen:
    """Draws into a picture's cover and colour; at four times the size where edges are to be smooth."""

    def __init__(self, shape: tuple[int, int], smooth: bool) -> None:
        self.scale = OVERSAMPLED if smooth else 1
        self.shape = shape
        size = (shape[1] * self.scale, shape[0] * self.scale)
        self.layer = Image.new("RGBA", size, (0, 0, 0, 0))
        self.draw = ImageDraw.Draw(self.layer)

    def at(self, *numbers: float) -> list[float]:
        """Pixels of the picture in pixels of the layer."""
        return [n * self.scale for n in numbers]

    def width(self, px: float) -> int:
        """A line's width in the layer."""
        return max(1, round(px * self.scale))

    def text(
        self, x: float, y: float, words: str, size: float, colour: Colour, halo: Colour | None = None
    ) -> None:
        """Words with their upper left corner at (x, y)."""
        outline = (
            {}
            if halo is None
            else {"stroke_width": max(1, round(size * self.scale / 12)), "stroke_fill": halo}
        )
        self.draw.text(
            self.at(x, y), words, fill=colour, font=font(round(size * self.scale), words), **outline
        )

    def finish(self) -> tuple[np.ndarray, np.ndarray]:
        """(cover 0..1, colour) at the picture's own size."""
        layer = np.asarray(self.layer, np.float32)
        if self.scale > 1:
            rows, cols = self.shape
            weighed = layer.copy()
            weighed[..., :3] *= layer[..., 3:] / 255
            blocks = weighed.reshape(rows, self.scale, cols, self.scale, 4).mean((1, 3))
            layer = blocks
            layer[..., :3] /= np.maximum(blocks[..., 3:] / 255, 1e-6)
        return layer[..., 3] / 255, layer[..., :3]


def font(size: int, words: str) -> ImageFont.FreeTypeFont:
    """A font that comes with matplotlib; which one depends on the words."""
    names = ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSerif.ttf", "DejaVuSansMono.ttf")
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    return ImageFont.truetype(str(folder / names[len(words) % len(names)]), max(6, size))


@dataclass(frozen=True)
class Box:
    """Where a graphic goes."""

    x: float
    y: float
    wide: float
    high: float


Kind = Callable[[Pen, Box, np.random.Generator], None]


def colour_of(rng: np.random.Generator) -> Colour:
    """One of the usual colours."""
    return COLOURS[int(rng.integers(len(COLOURS)))]


def words_of(rng: np.random.Generator) -> str:
    """One of the usual captions."""
    return WORDS[int(rng.integers(len(WORDS)))]


def fitted(words: str, size: float, wide: float) -> float:
    """A text size at which the words are about as wide as their place."""
    return min(size, 1.6 * wide / max(1, len(words)))


def text(pen: Pen, box: Box, rng: np.random.Generator) -> None:
    """A caption straight on the picture."""
    words = words_of(rng)
    pen.text(box.x, box.y, words, fitted(words, rng.uniform(11, 36), box.wide), colour_of(rng))


def halo_text(pen: Pen, box: Box, rng: np.random.Generator) -> None:
    """A caption with an outline in the opposite tone."""
    colour, words = colour_of(rng), words_of(rng)
    halo = (0, 0, 0) if sum(colour) > 300 else (255, 255, 255)
    pen.text(box.x + 3, box.y + 3, words, fitted(words, rng.uniform(12, 36), box.wide - 6), colour, halo)


def arrow(pen: Pen, box: Box, rng: np.random.Generator) -> None:
    """A shaft and a filled head, in any direction."""
    turn = rng.uniform(0, 2 * np.pi)
    along = np.array([np.cos(turn), np.sin(turn)])
    across, half = np.array([-along[1], along[0]]), min(box.wide, box.high) / 2 - 2
    middle, wide = np.array([box.x + box.wide / 2, box.y + box.high / 2]), rng.uniform(2, 6)
    tip, tail, neck = middle + along * half, middle - along * half, middle + along * half * 0.4
    colour, head = colour_of(rng), max(2.2 * wide, 0.25 * half)
    pen.draw.line(pen.at(*tail, *neck), fill=colour, width=pen.width(wide))
    pen.draw.polygon(pen.at(*tip, *(neck + across * head), *(neck - across * head)), fill=colour)


def box_outline(pen: Pen, box: Box, rng: np.random.Generator) -> None:
    """A rectangle's outline."""
    inner = pen.at(box.x + 1, box.y + 1, box.x + box.wide - 2, box.y + box.high - 2)
    pen.draw.rectangle(inner, outline=colour_of(rng), width=pen.width(rng.integers(1, 6)))


def circle(pen: Pen, box: Box, rng: np.random.Generator) -> None:
    """An ellipse's outline."""
    inner = pen.at(box.x + 1, box.y + 1, box.x + box.wide - 2, box.y + box.high - 2)
    pen.draw.ellipse(inner, outline=colour_of(rng), width=pen.width(rng.integers(1, 6)))


def markers(pen: Pen, box: Box, rng: np.random.Generator) -> None:
    """Small filled squares or discs of one colour, some with an outline."""
    colour, side, outlined = colour_of(rng), rng.uniform(6, 18), rng.random() < 0.6
    shape = pen.draw.rectangle if rng.random() < 0.5 else pen.draw.ellipse
    edge = (
        {"outline": (0, 0, 0) if sum(colour) > 200 else (255, 255, 255), "width": pen.width(1)}
        if outlined
        else {}
    )
    for _ in range(int(rng.integers(3, 9))):
        x, y = (
            box.x + rng.uniform(0, max(1, box.wide - side)),
            box.y + rng.uniform(0, max(1, box.high - side)),
        )
        shape(pen.at(x, y, x + side, y + side), fill=colour, **edge)


def line(pen: Pen, box: Box, rng: np.random.Generator) -> None:
    """A bent line of several parts."""
    points = [(box.x + u * box.wide, box.y + v * box.high) for u, v in rng.uniform(0.05, 0.95, (4, 2))]
    flat = [n for point in points for n in pen.at(*point)]
    pen.draw.line(flat, fill=colour_of(rng), width=pen.width(rng.uniform(1.5, 5)), joint="curve")


def logo(pen: Pen, box: Box, rng: np.random.Generator) -> None:
    """A filled disc or square with letters of another colour in it."""
    side, colour = min(box.wide, box.high) - 2, colour_of(rng)
    other = (255, 255, 255) if sum(colour) < 450 else (0, 0, 0)
    shape = pen.draw.ellipse if rng.random() < 0.6 else pen.draw.rectangle
    shape(pen.at(box.x, box.y, box.x + side, box.y + side), fill=colour)
    pen.text(box.x + 0.2 * side, box.y + 0.3 * side, "TV", 0.36 * side, other)


def scale_bar(pen: Pen, box: Box, rng: np.random.Generator) -> None:
    """A bar with ends and a length, or blocks in turn."""
    white = rng.random() < 0.6
    colour = (255, 255, 255) if white else (0, 0, 0)
    x, y, wide = box.x + 2, box.y + 0.7 * box.high, box.wide - 4
    if rng.random() < 0.5:
        for a, b in (((x, y), (x + wide, y)), ((x, y - 6), (x, y)), ((x + wide, y - 6), (x + wide, y))):
            pen.draw.line(pen.at(*a, *b), fill=colour, width=pen.width(2))
    else:
        for k in range(4):
            fill = ((0, 0, 0), (255, 255, 255))[k % 2]
            pen.draw.rectangle(pen.at(x + k * wide / 4, y, x + (k + 1) * wide / 4, y + 5), fill=fill)
    pen.text(x + wide / 2 - 12, y - 18, "100 m", 12, colour)


def panel(pen: Pen, box: Box, rng: np.random.Generator) -> None:
    """A filled field with words in it."""
    colour = colour_of(rng)
    other, words = (255, 255, 255) if sum(colour) < 400 else (0, 0, 0), words_of(rng)
    size = fitted(words, 0.6 * box.high, 0.9 * box.wide)
    pen.draw.rectangle(pen.at(box.x, box.y, box.x + box.wide - 1, box.y + box.high - 1), fill=colour)
    pen.text(box.x + 4, box.y + (box.high - 1.2 * size) / 2, words, size, other)


def watermark(pen: Pen, box: Box, rng: np.random.Generator) -> None:
    """Large words, level or turned."""
    words, level = ("SAMPLE", "planet.", "Example News")[int(rng.integers(3))], rng.random() < 0.6
    size = min(box.high * 0.8, 1.5 * box.wide / len(words))
    if level:
        pen.text(box.x, box.y, words, size, (255, 255, 255))
        return
    patch = Image.new("RGBA", (pen.width(box.wide), pen.width(box.wide)), (0, 0, 0, 0))
    ImageDraw.Draw(patch).text(
        (0, patch.height // 2), words, fill=(255, 255, 255), font=font(pen.width(size), words)
    )
    patch = patch.rotate(float(rng.uniform(15, 45)), resample=Image.Resampling.BICUBIC)
    pen.layer.alpha_composite(
        patch, (pen.width(box.x), max(0, pen.width(box.y + box.high / 2 - box.wide / 2)))
    )


def repeated(pen: Pen, box: Box, rng: np.random.Generator) -> None:
    """The same small words in rows over the place."""
    size = rng.uniform(14, 26)
    for k, y in enumerate(np.arange(box.y, box.y + box.high - size, 2.2 * size)):
        for x in np.arange(box.x + (k % 2) * size, box.x + box.wide - 2.5 * size, 4.5 * size):
            pen.text(x, y, "news", size, (255, 255, 255))


def half_panel(pen: Pen, box: Box, rng: np.random.Generator) -> None:
    """A field of black or white."""
    fill = (0, 0, 0) if rng.random() < 0.6 else (255, 255, 255)
    pen.draw.rectangle(pen.at(box.x, box.y, box.x + box.wide - 1, box.y + box.high - 1), fill=fill)


OPAQUE: dict[str, Kind] = {
    "text": text,
    "text with halo": halo_text,
    "arrow": arrow,
    "box": box_outline,
    "circle": circle,
    "markers": markers,
    "line": line,
    "logo": logo,
    "scale bar": scale_bar,
    "panel": panel,
}
HALF: dict[str, Kind] = {
    "half watermark": watermark,
    "half repeated": repeated,
    "half logo": logo,
    "half panel": half_panel,
}
WIDE = {"text", "text with halo", "panel", "scale bar", "half watermark", "half repeated", "half panel"}


def place(taken: np.ndarray, kind: str, rng: np.random.Generator) -> Box | None:
    """A free place of a usual size; None where none was met in 40 tries."""
    rows, cols = taken.shape
    for _ in range(40):
        wide = (
            min(cols * 0.7, rng.uniform(90, 320)) if kind in WIDE else min(cols * 0.4, rng.uniform(28, 120))
        )
        high = (
            min(rows * 0.3, wide * rng.uniform(0.18, 0.4)) if kind in WIDE else wide * rng.uniform(0.6, 1.2)
        )
        high = max(high, 24.0)
        if wide >= cols - 8 or high >= rows - 8:
            continue
        x, y = round(rng.uniform(4, cols - wide - 4)), round(rng.uniform(4, rows - high - 4))
        here = np.s_[max(y - 12, 0) : round(y + high) + 12, max(x - 12, 0) : round(x + wide) + 12]
        if not taken[here].any():
            taken[here] = True
            return Box(x, y, round(wide), round(high))
    return None


def draw(kind: str, shape: tuple[int, int], box: Box, rng: np.random.Generator) -> Drawn:
    """One graphic of a kind on a picture of `shape`."""
    half = kind in HALF
    pen = Pen(shape, smooth=bool(rng.random() < 0.6))
    (HALF if half else OPAQUE)[kind](pen, box, rng)
    cover, colour = pen.finish()
    return Drawn(kind, half, cover, colour, float(rng.uniform(0.3, 0.7)) if half else 1.0)


def laid(picture: np.ndarray, drawn: list[Drawn]) -> np.ndarray:
    """(rows, cols, 3) uint8 with the graphics over it."""
    out = picture.astype(np.float32)
    for one in drawn:
        share = (one.cover * one.opacity)[..., None]
        out = out * (1 - share) + one.colour * share
    return np.clip(np.rint(out), 0, 255).astype(np.uint8)


def visible(picture: np.ndarray, one: Drawn) -> np.ndarray:
    """(rows, cols) bool: pixels that this graphic covers at least half, and that it changes."""
    apart = np.abs(laid(picture, [one]).astype(np.int16) - picture).max(-1)
    return (one.cover >= 0.5) & (apart >= VISIBLE_GREY)
