"""Words of report.pdf: its font, what that font lacks, and markup in which only our own tags can act."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from xml.sax.saxutils import escape

from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

from . import figure_fonts, figure_sheet
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
_RIGHT_TO_LEFT = ("R", "AL")


@lru_cache
def fonts() -> frozenset[int]:
    """Make the bundled DejaVu Sans known to reportlab; code points that both of its weights can draw."""
    known = []
    for name, bold in ((REGULAR, False), (BOLD, True)):
        font = TTFont(name, figure_fonts.file_of(bold))
        pdfmetrics.registerFont(font)
        known.append(frozenset(font.face.charToGlyph))
    pdfmetrics.registerFontFamily(REGULAR, normal=REGULAR, bold=BOLD, italic=REGULAR, boldItalic=BOLD)
    return known[0] & known[1]


def drawable(text: str) -> str:
    """`text` as one line: a box for each character without a glyph, nothing for those that only steer."""
    known = fonts()
    return " ".join("".join(_drawn(character, known) for character in text).split())


def _drawn(character: str, known: frozenset[int]) -> str:
    if character.isspace():
        return " "
    if unicodedata.category(character) in _NOT_SEEN:
        return ""
    return character if ord(character) in known else figure_sheet.MISSING


def lacking(text: str) -> list[str]:
    """Characters of `text` that are drawn as a box, each once, in order of their code."""
    known = fonts()
    return sorted(c for c in set(text) if _drawn(c, known) == figure_sheet.MISSING != c)


def notes(text: str) -> Iterator[str]:
    """What a reader of the PDF must know of its letters."""
    missing = lacking(text)
    if missing:
        named = ", ".join(f"U+{ord(character):04X}" for character in missing[:MAX_NAMED])
        more = f" and {len(missing) - MAX_NAMED} more" if len(missing) > MAX_NAMED else ""
        yield (
            f"Characters that the font of this PDF lacks, a box stands for each: {named}{more}. "
            "report.html shows them."
        )
    if any(unicodedata.bidirectional(character) in _RIGHT_TO_LEFT for character in set(text)):
        yield (
            "Words in scripts written from right to left are set from left to right and unjoined in this "
            "PDF, so that they read and copy wrongly: take them from report.html."
        )


def markup(parts: Iterable[Element | str]) -> str:
    """Inline elements and words as reportlab's markup; every word is escaped, so that none is markup."""
    written = "".join(_markup(part) for part in parts)
    return re.sub(r"\s+", " ", written).strip()


def _markup(part: Element | str) -> str:
    if isinstance(part, str):
        edge = " " if part[:1].isspace() else "", " " if part[-1:].isspace() else ""
        return f"{edge[0]}{escape(drawable(part))}{edge[1]}"
    if part.tag == "br":
        return "<br/>"
    if not part.printed:
        return ""
    inside = "".join(_markup(inner) for inner in part.inside)
    for name in sorted(part.classes & CHIPS.keys()):
        ground, ink = CHIPS[name]
        return f'<font backColor="{ground}" color="{ink}">&nbsp;{inside.strip()}&nbsp;</font>'
    if part.tag in ("b", "strong", "button"):
        return f"<b>{inside}</b>"
    if part.tag == "small" or "detail" in part.classes:
        return f'<font color="{MUTED}">{inside}</font>'
    return inside


def width(text: str, style: ParagraphStyle) -> float:
    """Points that one line of drawable `text` takes."""
    return float(pdfmetrics.stringWidth(text, style.fontName, style.fontSize))


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
