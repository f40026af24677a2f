"""A sheet of paper measured in pixels: text, strips and pictures where they are put, nothing resampled twice.

The only room beside `figures` that knows matplotlib. Object-oriented API and the Agg canvas only, so that no
window system, global state or user's matplotlibrc takes part.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import cv2
import matplotlib
import numpy as np
import PIL.Image
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from . import figure_fonts, wording
from .figure_fonts import font as font
from .types import BoolArray, ByteArray

DPI = 200
INK, MUTED, PAPER, STRIP = "#1a1a1a", "#555555", "#ffffff", "#1f2429"
PNG_LEVEL = 3
"""Of 0 to 9. Pictures of places pack as small as at 6, in half the time."""
MISSING = "\u25a1"
"""Drawn for a character that the fonts lack."""


@contextmanager
def defaults() -> Iterator[None]:
    """Matplotlib as it comes, whatever the user's own settings are; those are back afterwards."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams["svg.hashsalt"] = "damagediff"
        yield


def drawable(text: str, bold: bool = False) -> str:
    """`text` with a box for each character that the fonts lack."""
    return _drawable(text, bold, figure_fonts.in_use())


@lru_cache(maxsize=20_000)
def _drawable(text: str, bold: bool, fonts: str | None) -> str:
    return "".join(c if figure_fonts.has(c, bold) else MISSING for c in wording.plain(text, 2000))


def lacks(text: str, bold: bool = False) -> bool:
    """Whether the fonts lack a character of `text`."""
    return drawable(text, bold) != wording.plain(text, 2000)


@lru_cache
def _renderer() -> RendererAgg:
    return RendererAgg(8, 8, DPI)  # type: ignore[no-untyped-call]


def points(px: float) -> float:
    """Pixels as the points in which matplotlib takes line widths."""
    return px * 72 / DPI


def text_width(text: str, size: float, bold: bool = False) -> float:
    """Width in pixels of one line."""
    return _text_width(text, size, bold, figure_fonts.in_use()) if text else 0.0


@lru_cache(maxsize=20_000)
def _text_width(text: str, size: float, bold: bool, fonts: str | None) -> float:
    """The same, remembered for the `fonts` in use: layouts ask for the same words many times."""
    size_px = _renderer().get_text_width_height_descent(  # type: ignore[no-untyped-call]
        text, font(size, bold), ismath=False
    )
    return float(size_px[0])


def line_height(size: float) -> int:
    """Pixels from one line to the next."""
    return round(size / 72 * DPI * 1.35)


def wrap(text: str, size: float, width: float, bold: bool = False) -> list[str]:
    """Lines no wider than `width`; a word that is too long by itself is cut."""
    lines: list[str] = []
    for word in drawable(text, bold).split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size, bold) <= width:
            lines[-1] = longer
        else:
            lines.append(fit(word, size, width, bold))
    return lines


def wrap_parts(parts: Sequence[str], size: float, width: float) -> list[str]:
    """The parts with dots between them, broken into lines only between parts where that is possible."""
    lines: list[str] = []
    for part in parts:
        longer = f"{lines[-1]} · {drawable(part)}" if lines else drawable(part)
        if lines and text_width(longer, size) <= width:
            lines[-1] = longer
        else:
            lines += wrap(part, size, width)
    return lines


def fit(text: str, size: float, width: float, bold: bool = False) -> str:
    """One line, cut with an ellipsis where it would be wider than `width`."""
    shown = drawable(text, bold)
    if text_width(shown, size, bold) <= width:
        return shown
    low, high = 0, len(shown)
    while low < high:
        middle = (low + high + 1) // 2
        fits = text_width(shown[:middle].rstrip() + "…", size, bold) <= width
        low, high = (middle, high) if fits else (low, middle - 1)
    return shown[:low].rstrip() + "…"


class Sheet:
    """A figure of `width` x `height` pixels; positions are pixels from the top left."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor=PAPER)
        FigureCanvasAgg(self.figure)

    def text(self, at: tuple[float, float], text: str, size: float, **style: Any) -> None:
        """One line with its top (or `va`) at `at`; never read as mathematics."""
        bold = style.pop("bold", False)
        x, y = at
        options: dict[str, Any] = {"va": "top", "ha": "left", "color": INK} | style
        shown = Text(
            x / self.width,
            1 - y / self.height,
            drawable(text, bold),
            fontproperties=font(size, bold),
            parse_math=False,
            transform=self.figure.transFigure,
            **options,
        )
        self.figure.add_artist(shown)

    def lines(self, at: tuple[float, float], lines: list[str], size: float, **style: Any) -> None:
        """Several lines below one another."""
        for k, line in enumerate(lines):
            self.text((at[0], at[1] + k * line_height(size)), line, size, **style)

    def entry(self, at: tuple[float, float], text: str) -> float:
        """One entry of a legend; returns where the next one may start."""
        self.text(at, text, 8)
        return at[0] + text_width(drawable(text), 8) + 44

    def strip(self, box: tuple[float, float, float, float], color: str, **style: Any) -> None:
        """A filled rectangle: left, top, width, height."""
        left, top, width, height = box
        options: dict[str, Any] = {"facecolor": color, "edgecolor": "none", "linewidth": 0, "zorder": -1}
        corner = left / self.width, 1 - (top + height) / self.height
        self.figure.add_artist(
            Rectangle(
                corner,
                width / self.width,
                height / self.height,
                transform=self.figure.transFigure,
                **(options | style),
            )
        )

    def picture(self, box: tuple[int, int, int, int], rgb: ByteArray) -> Axes:
        """`rgb` in (left, top, width, height), at the sheet's own pixels, which the axes count."""
        left, top, width, height = box
        axes = self.figure.add_axes(
            (left / self.width, 1 - (top + height) / self.height, width / self.width, height / self.height)
        )
        axes.imshow(
            fitted(rgb, width, height), interpolation="nearest", aspect="auto", extent=(0, width, height, 0)
        )
        axes.set_axis_off()
        axes.set_xlim(0, width)
        axes.set_ylim(height, 0)
        axes.set_autoscale_on(False)
        return axes


def fitted(rgb: ByteArray, width: int, height: int) -> ByteArray:
    """`rgb` at (height, width): averaged when smaller, repeated when larger, so that no pixel is invented."""
    shrinks = width < rgb.shape[1] or height < rgb.shape[0]
    resized = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST)
    return np.asarray(resized, np.uint8)


def hatched(rgb: ByteArray, where: BoolArray, pitch: int = 14, falling: bool = False) -> ByteArray:
    """`rgb` with light and dark diagonal lines where `where` is true: visible on any ground.

    The lines rise to the right or, if `falling`, fall.
    """
    rows, cols = np.indices(where.shape)
    phase = (cols - rows if falling else cols + rows) % pitch
    drawn = rgb.copy()
    drawn[where & (phase < 3)] = 245
    drawn[where & (phase >= 3) & (phase < 5)] = 20
    return drawn


def png(figure: Figure) -> bytes:
    """The figure as PNG, the same bytes whenever it is drawn."""
    target = io.BytesIO()
    packed = {"compress_level": PNG_LEVEL}
    figure.savefig(target, format="png", dpi=DPI, metadata={"Software": None}, pil_kwargs=packed)
    return target.getvalue()


def svg(figure: Figure) -> bytes:
    """The figure as SVG, text as outlines: it looks the same wherever it is opened, in the same bytes."""
    target = io.BytesIO()
    with _packed_like_png():
        figure.savefig(target, format="svg", dpi=DPI, metadata={"Date": None, "Creator": None})
    return target.getvalue()


@contextmanager
def _packed_like_png() -> Iterator[None]:
    """Pictures inside an SVG packed at `PNG_LEVEL`: Matplotlib leaves them at Pillow's own, twice as slow."""
    PIL.Image.preinit()
    plain = PIL.Image.SAVE["PNG"]

    def save(image: PIL.Image.Image, *where: Any) -> None:
        image.encoderinfo.setdefault("compress_level", PNG_LEVEL)
        plain(image, *where)

    PIL.Image.register_save("PNG", save)
    try:
        yield
    finally:
        PIL.Image.register_save("PNG", plain)
