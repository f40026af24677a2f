"""A small moving picture, before and after in turn, with dates and credits burnt in, for messengers."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image as PillowImage

from . import figure_sheet as sheets
from . import figure_words, outputs, summary, wording
from .figure_sheet import PAPER, STRIP, Sheet
from .types import ByteArray, Comparison, Image

Kind = Literal["gif", "webp"]

MAX_BYTES = 5_000_000
"""What messengers pass on without making it smaller themselves."""
SIDES = (1280, 1080, 900, 720, 600, 480, 360)
"""Longest side of the picture in px: the first that keeps to `MAX_BYTES`, else the last."""
FRAME_MS = 1200
COLORS = 256
WEBP_QUALITY = 82
LEAST_WIDTH = 360
UNIT = 1 / 1100
"""Size of text for each px of width: small print is 22 px high in 1,100."""


def write(comparison: Comparison, folder: Path, kind: Kind) -> bool:
    """Write figure_animation.gif or .webp; the same comparison gives the same bytes.

    Returns
    -------
    bool
        False: nothing is written, because nothing may be said about change from this pair; two pictures that
        are not aligned would seem to move.
    """
    if not summary.told(comparison):
        return False
    with sheets.defaults():
        for side in SIDES:
            data = encoded([frame(comparison, after, side) for after in (False, True)], kind)
            if len(data) <= MAX_BYTES:
                break
    (folder / f"figure_animation.{kind}").write_bytes(data)
    return True


def encoded(frames: list[ByteArray], kind: Kind) -> bytes:
    """(rows, cols, 3) frames of one shape as a file that repeats for ever."""
    target = io.BytesIO()
    images = [PillowImage.fromarray(frame) for frame in frames]
    if kind == "gif":
        # One palette for both, so that what did not change keeps its colour.
        both = PillowImage.fromarray(np.concatenate(frames)).quantize(COLORS, PillowImage.Quantize.MEDIANCUT)
        images = [image.quantize(palette=both, dither=PillowImage.Dither.FLOYDSTEINBERG) for image in images]
    options = {"optimize": False, "disposal": 1} if kind == "gif" else {"quality": WEBP_QUALITY, "method": 4}
    images[0].save(
        target,
        kind.upper(),
        save_all=True,
        append_images=images[1:],
        duration=FRAME_MS,
        loop=0,
        **options,
    )
    return target.getvalue()


def frame(comparison: Comparison, after: bool, side: int) -> ByteArray:
    """(rows, cols, 3) one picture with its words above and below, its longest side at most `side` px."""
    pictures = comparison.pictures
    rgb = pictures.after if after else pictures.before
    scale = min(side / max(rgb.shape[:2]), 4)
    height, width = (max(1, round(n * scale)) for n in rgb.shape[:2])
    page = max(width, LEAST_WIDTH)
    unit = page * UNIT
    heads, feet = zip(*(_words(comparison, k, page, unit) for k in (False, True)), strict=True)
    step, small, pad = sheets.line_height(11 * unit), sheets.line_height(8 * unit), round(14 * unit)
    head, foot = max(map(len, heads)) * step + 2 * pad, max(map(len, feet)) * small + 2 * pad
    sheet = Sheet(page, head + height + foot)
    sheet.strip((0, 0, page, head), STRIP)
    sheet.lines((pad, pad), heads[after], 11 * unit, bold=True, color=PAPER)
    sheet.picture(((page - width) // 2, head, width, height), rgb)
    sheet.lines((pad, head + height + pad), feet[after], 8 * unit)
    return _pixels(sheet)


def _words(comparison: Comparison, after: bool, page: int, unit: float) -> tuple[list[str], list[str]]:
    """Lines above and below one frame: name and date; credit, what was done, verdict."""
    image: Image = comparison.pair.after if after else comparison.pair.before
    marks = "SYNTHETIC · " if summary.synthetic(comparison) else ""
    head = f"{marks}{'AFTER' if after else 'BEFORE'} · {wording.date(image.acquisition)}"
    version = f"damagediff {comparison.versions.get('damagediff', '')}".strip()
    grid = comparison.pair.grid
    parts = (
        summary.credit(image.credit),
        *((figure_words.SYNTHETIC,) if marks else ()),
        *((verdict,) if (verdict := summary.verdict_line(comparison)) else ()),
        "images processed: co-registered, contrast stretched p2–p98, both alike",
        wording.NO_SCALE
        if grid.gsd_m is None
        else f"{_across(grid.gsd_m * grid.shape[1])} from left to right",
        f"{version}, id {outputs.evidence_id(comparison)}",
    )
    inner = page - round(28 * unit)
    return sheets.wrap(head, 11 * unit, inner, True), sheets.wrap_parts(parts, 8 * unit, inner)


def _across(metres: float) -> str:
    """A width in words, as precise as a picture can be read."""
    return f"{wording.number(metres / 1000)} km" if metres >= 1000 else f"{wording.number(metres)} m"


def _pixels(sheet: Sheet) -> ByteArray:
    canvas = sheet.figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    canvas.draw()  # type: ignore[no-untyped-call]
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()  # type: ignore[no-untyped-call]
