"""Paragraphs of report.pdf: reportlab's own, or set line by line where letters join or run from the right."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.styles import ParagraphStyle
from reportlab.platypus import Flowable, Paragraph

from . import figure_glyphs
from . import report_pdf_text as words
from .report_elements import Element
from .report_pdf_text import Span

PAD = 2.5
"""Points left and right of a word on a coloured ground."""


def paragraph(parts: Iterable[Element | str], style: ParagraphStyle, bullet: str | None = None) -> Flowable:
    """Inline elements and words as one paragraph."""
    spans = list(words.spans(parts))
    if any(figure_glyphs.needed(span.text) for span in spans):
        return Lines(list(_atoms(spans)), style, bullet)
    return Paragraph(words.written(spans), style, bulletText=bullet)


def of(element: Element, style: ParagraphStyle, bullet: str | None = None) -> Flowable:
    """What stands in an element as one paragraph."""
    own = element.attributes.get("dir") == "auto"
    parts = [Element("bdi", {}, element.inside)] if own else element.inside
    return paragraph(parts, style, bullet)


@dataclass(frozen=True)
class Atom:
    """What stands on one line: a word of one or more spans, or one letter of a script without spaces."""

    pieces: tuple[Span, ...]
    space: bool = False
    """Before it, unless it begins a line."""
    turned: bool = False
    """It begins a line."""


def _atoms(spans: Sequence[Span]) -> Iterator[Atom]:
    """Words and wide letters of all spans, with what stands before each."""
    pieces: list[Span] = []
    space = turned = False
    for span in spans:
        for character, same in groupby(span.text, key=_kind):
            text = "".join(same)
            if character == "word":
                pieces.append(replace(span, text=text))
                continue
            if pieces:
                yield Atom(tuple(pieces), space, turned)
                pieces, space, turned = [], False, False
            if character == "wide":
                for letter in text:
                    yield Atom((replace(span, text=letter),), space, turned)
                    space = turned = False
            space, turned = space or character == "space", turned or character == "turn"
    if pieces:
        yield Atom(tuple(pieces), space, turned)


def _kind(character: str) -> str:
    if character == "\n":
        return "turn"
    if character == " ":
        return "space"
    return "wide" if unicodedata.east_asian_width(character) in ("W", "F") else "word"


class Lines(Flowable):  # type: ignore[misc]
    """A paragraph that may hold any script; breaks between words, and over pages between lines.

    A paragraph runs from the right where all of it may (``dir="auto"`` on the page) and its first letter is.
    """

    def __init__(self, atoms: Sequence[Atom], style: ParagraphStyle, bullet: str | None = None) -> None:
        super().__init__()
        self.atoms, self.style, self.bullet = list(atoms), style, bullet
        letters = [c for atom in atoms for piece in atom.pieces for c in piece.text]
        strong = [c for c in letters if unicodedata.bidirectional(c) in ("L", "R", "AL")]
        own = all(piece.own_direction for atom in atoms for piece in atom.pieces)
        self.from_right = own and bool(strong) and figure_glyphs.right_to_left(strong[0])
        self.lines: list[list[Atom]] = []

    def wrap(self, width: float, height: float) -> tuple[float, float]:
        """Break into lines no wider than `width`; what they take."""
        self.width = width
        self.lines = _broken(self.atoms, self.style, width - self.style.leftIndent)
        self.height = len(self.lines) * self.style.leading
        return width, self.height

    def split(self, width: float, height: float) -> list[Flowable]:
        """The lines that fit, and the others."""
        self.wrap(width, height)
        fit = int(height // self.style.leading)
        if not 0 < fit < len(self.lines):
            return [] if fit < 1 else [self]
        rest = [atom for line in self.lines[fit:] for atom in line]
        first = Lines([atom for line in self.lines[:fit] for atom in line], self.style, self.bullet)
        other = Lines([replace(rest[0], turned=False), *rest[1:]], self.style)
        first.from_right = other.from_right = self.from_right
        return [first, other]

    def draw(self) -> None:
        """Every line from its left end, on paper."""
        style = self.style
        if self.bullet:
            self.canv.setFont(style.bulletFontName, style.bulletFontSize)
            self.canv.setFillColor(style.textColor)
            self.canv.drawString(style.bulletIndent, self.height - style.fontSize, self.bullet)
        for k, line in enumerate(self.lines):
            runs = _runs(line)
            widths = [_width(run, style) for run in runs]
            to_right = self.from_right or style.alignment == TA_RIGHT
            x = self.width - sum(widths) if to_right else style.leftIndent
            order = list(zip(runs, widths, strict=True))
            for run, width in reversed(order) if self.from_right else order:
                self._run(run, (x, self.height - style.fontSize - k * style.leading), width)
                x += width

    def _run(self, run: Span, at: tuple[float, float], width: float) -> None:
        style = _style(run, self.style)
        if run.ground is not None:
            self.canv.setFillColor(run.ground)
            self.canv.rect(at[0], at[1] - 0.25 * style.fontSize, width, 1.2 * style.fontSize, 0, 1)
            at = at[0] + PAD, at[1]
        self.canv.setFillColor(style.textColor)
        words.draw(self.canv, at, run.text, style, run.own_direction)


def _runs(line: Sequence[Atom]) -> list[Span]:
    """The line's words with the spaces between them, those alike together."""
    pieces: list[Span] = []
    for atom in line:
        if pieces and atom.space:
            between = pieces[-1] if pieces[-1].ground is None else replace(atom.pieces[0], ground=None)
            pieces.append(replace(between, text=" "))
        pieces += atom.pieces
    runs = []
    for _, group in groupby(pieces, key=lambda piece: replace(piece, text="")):
        alike = list(group)
        runs.append(replace(alike[0], text="".join(piece.text for piece in alike)))
    return runs


def _style(run: Span, style: ParagraphStyle) -> ParagraphStyle:
    return words.varied(style, run.bold, run.color)


def _width(run: Span, style: ParagraphStyle) -> float:
    return words.width(run.text, _style(run, style)) + 2 * PAD * (run.ground is not None)


def _broken(atoms: Iterable[Atom], style: ParagraphStyle, room: float) -> list[list[Atom]]:
    lines: list[list[Atom]] = []
    used = 0.0
    space = words.width(" ", style)
    for whole in atoms:
        for atom in _cut(whole, style, room):
            wide = sum(_width(piece, style) for piece in atom.pieces)
            needs = wide + space * atom.space
            if not lines or atom.turned or used + needs > room:
                lines.append([])
                used, needs = 0.0, wide
            lines[-1].append(atom)
            used += needs
    return lines


def _cut(atom: Atom, style: ParagraphStyle, room: float) -> Iterator[Atom]:
    """The word, in parts if no line holds it."""
    if sum(_width(piece, style) for piece in atom.pieces) <= room:
        yield atom
        return
    first = True
    for piece in atom.pieces:
        rest = piece.text
        while rest:
            fit = next(
                (n for n in range(len(rest), 1, -1) if _width(replace(piece, text=rest[:n]), style) <= room),
                1,
            )
            yield Atom((replace(piece, text=rest[:fit]),), atom.space and first, atom.turned and first)
            rest, first = rest[fit:], False
