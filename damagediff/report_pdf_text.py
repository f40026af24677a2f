"""Words of report.pdf: its font, what that font lacks, and markup in which only our own tags can act."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from xml.sax.saxutils import escape

from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from . import figure_fonts, figure_glyphs, figure_sheet, report_pdf_glyphs
from .report_elements import Element

REGULAR, BOLD = "damagediff-sans", "damagediff-sans-bold"
MAX_NAMED = 12
"""Characters named one by one in the note on those that cannot be drawn."""
INK, MUTED, LINE = "#1a1a1a", "#555555", "#cccccc"
CHIPS = {
    "comparable": ("#1b5e3a", "#ffffff"),
    "comparable-with-reservations": ("#8a5a00", "#ffffff"),
    "not-comparable": ("#1a1a1a", "#ffffff"),
    "passed": ("#e3f0e8", INK),
    "not-passed": ("#f7dede", INK),
    "could-not-be-asked": ("#eeeeee", INK),
    "worth-knowing": ("#fdf0d5", INK),
    "synthetic": ("#b00020", "#ffffff"),
}
"""Ground and ink of short marks, by class; what they say stands in them as words."""
_NOT_SEEN = ("Cc", "Cf", "Cs", "Co", "Cn")


@lru_cache
def fonts() -> None:
    """Make the bundled DejaVu Sans known to reportlab."""
    for name, bold in ((REGULAR, False), (BOLD, True)):
        pdfmetrics.registerFont(TTFont(name, figure_fonts.file_of(bold)))
    pdfmetrics.registerFontFamily(REGULAR, normal=REGULAR, bold=BOLD, italic=REGULAR, boldItalic=BOLD)


def drawable(text: str) -> str:
    """`text` as one line: a box for each character without a glyph, nothing for those that only steer."""
    shown = " ".join("".join(map(_drawn, text)).split())
    if shown.isascii() or figure_glyphs.needed(shown):
        return shown
    return "".join(c for c in shown if c not in figure_fonts.JOINERS)


def _drawn(character: str) -> str:
    if character.isspace():
        return " "
    if character.isascii() and character.isprintable() or character in figure_fonts.JOINERS:
        return character
    if unicodedata.category(character) in _NOT_SEEN:
        return ""
    has = figure_fonts.has(character) and figure_fonts.has(character, bold=True)
    return character if has else figure_sheet.MISSING


def lacking(text: str) -> list[str]:
    """Characters of `text` that are drawn as a box, each once, in order of their code."""
    return sorted(c for c in set(text) if _drawn(c) == figure_sheet.MISSING != c)


def notes(text: str) -> Iterator[str]:
    """What a reader of the PDF must know of its letters."""
    missing = lacking(text)
    if missing:
        named = ", ".join(f"U+{ord(character):04X}" for character in missing[:MAX_NAMED])
        more = f" and {len(missing) - MAX_NAMED} more" if len(missing) > MAX_NAMED else ""
        given = figure_fonts.in_use()
        names = "DejaVu Sans lacks" if given is None else "DejaVu Sans and the font given lack"
        yield (
            f"Characters that {names}, a box stands for each: {named}{more}. report.html shows them; "
            f"--font FILE takes them from {'a' if given is None else 'another'} font."
        )


@dataclass(frozen=True)
class Span:
    """Words in one style. A line feed in `text` begins a new line."""

    text: str
    bold: bool = False
    color: str | None = None
    """Of the letters; None: the paragraph's."""
    ground: str | None = None
    own_direction: bool = False
    """Whether they may run from the right as a whole (``dir="auto"``)."""


def spans(parts: Iterable[Element | str], at: Span = Span("")) -> Iterator[Span]:  # noqa: B008
    """Inline elements and words as spans of what can be drawn, in their order."""
    for part in parts:
        if isinstance(part, str):
            edge = " " if part[:1].isspace() else "", " " if part[-1:].isspace() else ""
            yield replace(at, text=f"{edge[0]}{drawable(part)}{edge[1]}")
        elif part.tag == "br":
            yield replace(at, text="\n")
        elif part.printed:
            yield from _inside(part, at)


def _inside(part: Element, at: Span) -> Iterator[Span]:
    own = at.own_direction or part.attributes.get("dir") == "auto" or part.tag == "bdi"
    at = replace(at, own_direction=own)
    for name in sorted(part.classes & CHIPS.keys()):
        ground, ink = CHIPS[name]
        yield replace(at, text=drawable(part.text), color=ink, ground=ground)
        return
    if part.tag in ("b", "strong", "button"):
        at = replace(at, bold=True)
    elif part.tag == "small" or "detail" in part.classes:
        at = replace(at, color=MUTED)
    yield from spans(part.inside, at)


def markup(parts: Iterable[Element | str]) -> str:
    """Inline elements and words as reportlab's markup; every word is escaped, so that none is markup."""
    return written(spans(parts))


def written(spans: Iterable[Span]) -> str:
    """Spans as reportlab's markup."""
    return re.sub(r"\s+", " ", "".join(map(_written, spans))).strip()


def _written(span: Span) -> str:
    if span.text == "\n":
        return "<br/>"
    text = escape(span.text)
    if span.ground is not None:
        text = f'<font backColor="{span.ground}" color="{span.color}">&nbsp;{text}&nbsp;</font>'
    elif span.color is not None:
        text = f'<font color="{span.color}">{text}</font>'
    return f"<b>{text}</b>" if span.bold else text


def width(text: str, style: ParagraphStyle) -> float:
    """Points that one line of drawable `text` takes."""
    if figure_glyphs.needed(text):
        return figure_glyphs.width(_letters(text, style, False)) * float(style.fontSize)
    return float(pdfmetrics.stringWidth(text, style.fontName, style.fontSize))


def _letters(text: str, style: ParagraphStyle, own_direction: bool) -> tuple[figure_glyphs.Letter, ...]:
    begins = "" if own_direction else figure_glyphs.FROM_LEFT
    return figure_glyphs.line(begins + text, style.fontName == BOLD)


def draw(
    canvas: Canvas, at: tuple[float, float], text: str, style: ParagraphStyle, own_direction: bool = False
) -> None:
    """One line of drawable `text` in the canvas's own colour, its left end at `at` (points)."""
    if figure_glyphs.needed(text):
        report_pdf_glyphs.draw(canvas, at, _letters(text, style, own_direction), style.fontSize)
        return
    canvas.setFont(style.fontName, style.fontSize)
    canvas.drawString(*at, text)


def fit(text: str, style: ParagraphStyle, room: float) -> str:
    """One line of at most `room` points, cut with an ellipsis."""
    shown = drawable(text)
    if width(shown, style) <= room:
        return shown
    while shown and width(shown + "…", style) > room:
        shown = shown[:-1].rstrip()
    return shown + "…"


@lru_cache
def style(name: str) -> ParagraphStyle:
    """A named style of paragraph; see `_STYLES`."""
    fonts()
    size, leading, bold, color, before, after = _STYLES[name]
    return ParagraphStyle(
        name,
        fontName=BOLD if bold else REGULAR,
        fontSize=size,
        leading=leading,
        textColor=color,
        spaceBefore=before,
        spaceAfter=after,
        allowWidows=0,
        allowOrphans=0,
        splitLongWords=1,
        shaping=0,
        leftIndent=12 if name in ("list", "quote") else 0,
        bulletFontName=REGULAR,
        bulletFontSize=size,
    )


@lru_cache
def varied(style: ParagraphStyle, bold: bool, color: str | None) -> ParagraphStyle:
    """The same in bold, or in another colour."""
    name = BOLD if bold else style.fontName
    return ParagraphStyle(style.name, style, fontName=name, textColor=color or style.textColor)


@lru_cache
def right(name: str) -> ParagraphStyle:
    """The same, set to the right: for numbers."""
    return ParagraphStyle(f"{name}-right", style(name), alignment=TA_RIGHT)


_STYLES: dict[str, tuple[float, float, bool, str, float, float]] = {
    "h1": (17, 21, True, INK, 0, 3),
    "h2": (12.5, 16, True, INK, 12, 4),
    "h3": (9.5, 12.5, True, INK, 8, 3),
    "p": (8.5, 11.6, False, INK, 0, 4),
    "finding": (10.5, 14, True, INK, 4, 4),
    "note": (8, 10.8, False, MUTED, 0, 3),
    "quote": (8.5, 11.6, False, INK, 2, 4),
    "list": (8.5, 11.6, False, INK, 0, 2),
    "cell": (7.3, 9.4, False, INK, 0, 0),
    "head": (7.3, 9.4, True, MUTED, 0, 0),
    "caption": (7.3, 9.6, False, MUTED, 2, 6),
    "foot": (7, 9, False, MUTED, 0, 0),
}
"""Size, leading, bold, colour, space before and after, in points."""
