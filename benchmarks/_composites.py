"""Composites of known layout, made from two pictures of one place: for the benchmark `split`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import cv2
import numpy as np
from matplotlib import font_manager
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

from damagediff.types import Window

SCRIPTS = (
    "Before the strike: 4 October 2020",
    "До удара: 4 октября 2020 года",
    "Πριν και μετά, 13 Οκτωβρίου",
    "Գանձակ, հոկտեմբերի 11",
    "განჯა, 11 ოქტომბერი",
    "قبل وبعد القصف",
    "Gəncə şəhəri: əvvəl və sonra",
)
"""What captions say; the font draws each of these scripts."""
LAYOUTS = ("gutter", "touching", "line", "framed", "titled", "captioned", "boxed captions", "map sheet")
NOT_COMPOSITES = ("single", "titled single", "slider", "two places", "three dates")
DARK, LIGHT = ((16, 18, 22), (34, 40, 52)), ((255, 255, 255), (246, 245, 242), (226, 230, 236))


@dataclass(frozen=True)
class Composite:
    """One picture and where its panels are, before first; None for what is no composite."""

    layout: str
    sheet: np.ndarray
    """(rows, cols, 3) uint8."""
    panels: tuple[Window, Window] | None


def make(
    layout: str, before: np.ndarray, after: np.ndarray, other: np.ndarray, rng: np.random.Generator
) -> Composite:
    """A composite of one layout, with random sizes, colours, words and JPEG quality.

    Parameters
    ----------
    before, after : (rows, cols, 3) uint8
        One place, in the same frame.
    other : (rows, cols, 3) uint8
        Another place.
    """
    stacked = bool(rng.random() < 0.35)
    before, after = _sized(before, after, rng)
    if layout in LAYOUTS:
        if layout == "map sheet":
            stacked = False
        before, after = _unequal(before, after, stacked, layout, rng)
        made = _pasted(layout, (before, after), stacked, other, rng)
    elif layout == "slider":
        at = int(rng.uniform(0.3, 0.7) * before.shape[1])
        made = Composite(layout, _slider(before, after, at, rng), None)
    elif layout == "two places":
        other = cv2.resize(other, before.shape[1::-1], interpolation=cv2.INTER_AREA)
        inner = str(rng.choice(("gutter", "touching", "captioned")))
        made = _pasted(inner, (before, other), stacked, other, rng)
    elif layout == "three dates":
        third = np.clip(after * 0.8 + 20, 0, 255).astype(np.uint8)
        third = np.roll(cv2.GaussianBlur(third, (0, 0), 0.7), (3, -4), (0, 1))
        gap = int(rng.integers(6, 24))
        made = Composite(layout, _row((before, after, third), gap, stacked), None)
    else:
        made = Composite(layout, before, None)
        if layout == "titled single":
            made = _with_title(made, rng)
    made = replace(made, layout=layout, panels=made.panels if layout in LAYOUTS else None)
    return _published(made, rng)


def _sized(before: np.ndarray, after: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Both cut alike and brought to a random size, as an editor does."""
    rows, cols = before.shape[:2]
    ratio = float(rng.choice([0.75, 1.0, 1.0, 1.33]))
    side = min(rows, cols / ratio)
    height, width = int(side), int(side * ratio)
    top, left = (rows - height) // 2, (cols - width) // 2
    scale = min(1.6, float(rng.uniform(420, 1000)) / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    first, second = (
        cv2.resize(p[top : top + height, left : left + width], size, interpolation=method)
        for p in (before, after)
    )
    return first, second


def _unequal(
    before: np.ndarray, after: np.ndarray, stacked: bool, layout: str, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """In one of three layouts the after panel shows less, or is drawn smaller."""
    if rng.random() > 0.35:
        return before, after
    rows, cols = after.shape[:2]
    if layout == "touching" or rng.random() < 0.6:  # panels that touch have one height
        share = float(rng.uniform(0.75, 0.95))
        if stacked:
            return before, after[: int(share * rows)]
        return before, after[:, : int(share * cols)]
    share = float(rng.uniform(0.7, 0.9))
    return before, cv2.resize(after, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)


def _pasted(
    layout: str,
    both: tuple[np.ndarray, np.ndarray],
    stacked: bool,
    other: np.ndarray,
    rng: np.random.Generator,
) -> Composite:
    """Both panels on a page of one layout."""
    gap = {"touching": 0, "line": int(rng.integers(1, 5))}.get(layout, int(rng.integers(6, 40)))
    bare = layout in ("touching", "line") and rng.random() < 0.6
    margin = 0 if bare else int(rng.integers(0, 40))
    margin = max(margin, 8) if layout == "map sheet" else margin
    caption = int(rng.integers(22, 40)) if layout == "captioned" else 0
    if caption:
        gap, margin = (caption + 6 if stacked else gap), max(margin, 6)
    page = (LIGHT + DARK)[rng.integers(5)]
    if layout == "line":
        page = ((255, 255, 255), (0, 0, 0), (230, 30, 30))[rng.integers(3)]
    step = [s + gap for s in both[0].shape[:2]]
    places = [(margin, margin), (margin + stacked * step[0], margin + (not stacked) * step[1])]
    if not stacked and layout != "touching" and rng.random() < 0.3:
        places[1] = (margin + int(rng.integers(0, 12)), places[1][1])
    boxes = [Window(*place, *p.shape[:2]) for place, p in zip(places, both, strict=True)]
    rows, cols = (max(b[k] + b[k + 2] for b in boxes) + margin for k in (0, 1))
    sheet = np.full((rows + caption, cols, 3), page, np.uint8)
    for box, panel in zip(boxes, both, strict=True):
        sheet[box.slices] = panel
    made = Composite(layout, sheet, (boxes[0], boxes[1]))
    made = _drawn(made, page, caption, rng)
    if layout == "map sheet":
        made = _with_legend(made, other, rng)
    if layout in ("titled", "map sheet") or (not bare and rng.random() < 0.3):
        made = _with_title(made, rng)
    return made


def _drawn(made: Composite, page: tuple[int, ...], caption: int, rng: np.random.Generator) -> Composite:
    """Frames, captions, boxes with words, and now and then a badge over the gutter."""
    assert made.panels is not None
    image = PillowImage.fromarray(made.sheet)
    pen = ImageDraw.Draw(image)
    words = rng.choice(SCRIPTS, 2)
    for box, text in zip(made.panels, words, strict=True):
        right, bottom = box.col + box.cols, box.row + box.rows
        if made.layout == "framed":
            width = int(rng.integers(1, 4))
            edge = (box.col - width, box.row - width, right + width - 1, bottom + width - 1)
            pen.rectangle(edge, outline=(0, 0, 0) if sum(page) > 380 else (200, 200, 200), width=width)
        if made.layout == "captioned":
            ink = (30, 30, 30) if sum(page) > 380 else (235, 235, 235)
            pen.text((box.col, bottom + 3), text, fill=ink, font=font(int(0.6 * caption)))
        if made.layout == "boxed captions":
            size = max(12, box.rows // 24)
            length = pen.textlength(text, font(size))
            size = max(8, int(size * min(1, 0.6 * box.cols / length)))  # not a strip across the whole panel
            length = pen.textlength(text, font(size))
            pen.rectangle((box.col, box.row, box.col + length + size, box.row + 2 * size), fill=(20, 60, 160))
            pen.text((box.col + size // 2, box.row + size // 3), text, fill=(255, 255, 255), font=font(size))
    if made.layout == "gutter" and rng.random() < 0.4:
        first, second = made.panels
        x = (first.col + first.cols + second.col) // 2 if second.col > first.col else first.cols // 2
        y = (first.row + first.rows + second.row) // 2 if second.row > first.row else first.rows // 2
        pen.ellipse((x - 22, y - 22, x + 22, y + 22), fill=(230, 30, 30))
        pen.text((x, y), ">", fill=(255, 255, 255), font=font(24), anchor="mm")
    return replace(made, sheet=np.asarray(image))


def _with_title(made: Composite, rng: np.random.Generator) -> Composite:
    """A bar with a headline above everything."""
    rows, cols = made.sheet.shape[:2]
    bar = int(rng.integers(36, 90))
    colour = (*LIGHT, *DARK, (0, 80, 170))[rng.integers(6)]
    image = PillowImage.new("RGB", (cols, rows + bar), colour)
    image.paste(PillowImage.fromarray(made.sheet), (0, bar))
    ink = (20, 20, 20) if sum(colour) > 380 else (250, 250, 250)
    text = str(rng.choice(SCRIPTS))
    ImageDraw.Draw(image).text((12, bar // 2), text, fill=ink, font=font(int(0.45 * bar)), anchor="lm")
    return _moved(replace(made, sheet=np.asarray(image)), bar, 0)


def _with_legend(made: Composite, other: np.ndarray, rng: np.random.Generator) -> Composite:
    """A column on the right with a locator map, words and a scale bar."""
    rows, cols = made.sheet.shape[:2]
    width = int(cols * rng.uniform(0.14, 0.22))
    image = PillowImage.new("RGB", (cols + width + 12, rows), (255, 255, 255))
    image.paste(PillowImage.fromarray(made.sheet), (0, 0))
    side = width - 12
    locator = cv2.resize(other, (side, min(side, rows // 3)), interpolation=cv2.INTER_AREA)
    cols += 6
    image.paste(PillowImage.fromarray(locator), (cols, 8))
    pen = ImageDraw.Draw(image)
    y = locator.shape[0] + 30
    while y < rows - 60:
        pen.text((cols, y), str(rng.choice(SCRIPTS)), fill=(30, 30, 30), font=font(11))
        y += int(rng.integers(16, 34))
    pen.rectangle((cols, rows - 30, cols + side // 2, rows - 24), fill=(0, 0, 0))
    return replace(made, sheet=np.asarray(image))


def _slider(before: np.ndarray, after: np.ndarray, at: int, rng: np.random.Generator) -> np.ndarray:
    """One scene: the left part from before, the rest from after, with a line and a handle."""
    sheet = np.concatenate([before[:, :at], after[:, at:]], 1)
    image = PillowImage.fromarray(np.ascontiguousarray(sheet))
    pen, middle = ImageDraw.Draw(image), sheet.shape[0] // 2
    width = int(rng.integers(2, 6))
    pen.rectangle((at - width // 2, 0, at - width // 2 + width, sheet.shape[0]), fill=(255, 255, 255))
    radius = int(rng.integers(14, 30))
    pen.ellipse((at - radius, middle - radius, at + radius, middle + radius), fill=(255, 255, 255))
    pen.text((at, middle), "< >", fill=(60, 60, 60), font=font(radius), anchor="mm")
    return np.asarray(image)


def _row(panels: tuple[np.ndarray, ...], gap: int, stacked: bool) -> np.ndarray:
    """Panels beside each other, or one above the other, a white bar of `gap` pixels between them."""
    axis = 0 if stacked else 1
    shape = list(panels[0].shape)
    shape[axis] = gap
    bar = np.full(shape, 255, np.uint8)
    pieces = [piece for panel in panels for piece in (panel, bar)]
    return np.concatenate(pieces[:-1], axis)


def _published(made: Composite, rng: np.random.Generator) -> Composite:
    """Resized as a whole by an editor in one case of three, and saved as JPEG."""
    sheet, panels = made.sheet, made.panels
    if rng.random() < 0.33:
        scale = float(rng.uniform(0.7, 1.3))
        rows, cols = (round(n * scale) for n in sheet.shape[:2])
        factor = np.array([rows / sheet.shape[0], cols / sheet.shape[1]] * 2)
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        sheet = cv2.resize(np.ascontiguousarray(sheet), (cols, rows), interpolation=method)
        if panels is not None:
            panels = tuple(Window(*np.round(np.array(p) * factor).astype(int).tolist()) for p in panels)
    target = BytesIO()
    quality, fine = int(rng.integers(70, 96)), int(rng.choice([0, 2]))
    PillowImage.fromarray(sheet).save(target, "JPEG", quality=quality, subsampling=fine)
    return replace(made, sheet=np.asarray(PillowImage.open(target)), panels=panels)


def _moved(made: Composite, rows: int, cols: int) -> Composite:
    """The same composite with its panels this far down and right."""
    if made.panels is None:
        return made
    first, second = (Window(p.row + rows, p.col + cols, p.rows, p.cols) for p in made.panels)
    return replace(made, panels=(first, second))


def font(size: int) -> Any:
    """DejaVu Sans, which comes with matplotlib and draws all of `SCRIPTS`."""
    return ImageFont.truetype(font_manager.findfont("DejaVu Sans"), size)
