"""Letters as outlines, joined and ordered as their script asks, for what is printed by other means.

Matplotlib (from 3.11 on) shapes text with HarfBuzz and orders it by the Unicode rules. Its list of placed
glyphs is not public: `setup.cfg` allows the versions that have it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.font_manager import get_font
from matplotlib.ft2font import LoadFlags
from matplotlib.path import Path

from . import figure_fonts

EM_PX = 100
"""Size at which glyphs are laid out."""
FROM_LEFT = "\u200e"
"""Before a line: it is one of a script written from the left, whatever its first letter."""
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})
_MARKS = frozenset({"Mn", "Mc", "Me"})

Step = tuple[str, tuple[float, ...]]


@dataclass(frozen=True)
class Letter:
    """Glyphs that stand together for some characters, and where they stand in their line.

    Where such characters run from the right, each is a letter of its own, which shares the width: readers of
    PDF do not agree on the order of two letters of one glyph there. The leftmost has all of the outline.
    """

    characters: str
    """In the order in which they are read."""
    steps: tuple[Step, ...]
    """Outline in em, y upwards: m(ove) and l(ine) with x, y, c(urve) with three points, h closes."""
    left: float
    """In em from the beginning of the line."""
    width: float
    """In em."""


def needed(text: str) -> bool:
    """Whether letters one after another from left to right, of the bundled font, would set `text` wrongly."""
    return not text.isascii() and any(map(_asks, set(text)))


def _asks(character: str) -> bool:
    return (
        right_to_left(character)
        or unicodedata.category(character) in _MARKS
        or not figure_fonts.bundled(character)
    )


def right_to_left(character: str) -> bool:
    """Whether a character belongs to a script that is written from the right."""
    return unicodedata.bidirectional(character) in _RIGHT_TO_LEFT


def line(text: str, bold: bool = False) -> tuple[Letter, ...]:
    """`text` as letters from left to right on paper; its first strong letter says where reading begins.

    Parameters
    ----------
    text : str
        One line in which the fonts in use lack nothing.
    """
    font = get_font(figure_fonts.files(bold))
    font.set_size(EM_PX, 72)
    glyphs = font._layout(text, LoadFlags.NO_HINTING)
    letters = [part for group in _groups([_glyph(item) for item in glyphs]) for part in _letters(text, group)]
    return tuple(letter for letter in letters if letter.characters != FROM_LEFT)


def width(letters: Sequence[Letter]) -> float:
    """Of a line in em."""
    return max((letter.left + letter.width for letter in letters), default=0.0)


@dataclass(frozen=True)
class _Glyph:
    characters: str
    steps: tuple[Step, ...]
    x: float
    advance: float


def _glyph(item: Any) -> _Glyph:
    found = item.ft_object.load_glyph(item.glyph_index, flags=LoadFlags.NO_HINTING)
    unseen = unicodedata.category(item.char[0]) == "Cf"  # joiners: the font has a width for them, a line none
    advance = 0.0 if unseen else found.linearHoriAdvance / 65536 / EM_PX
    steps = tuple(_moved(item.ft_object.get_path(), item.x, item.y))
    if any(
        abs(value) > figure_fonts.MAX_EM for _, numbers in _at(steps, -item.x / EM_PX) for value in numbers
    ):
        steps = ()
    return _Glyph(item.char, steps, item.x / EM_PX, advance)


def _moved(path: Any, x: float, y: float) -> Iterator[Step]:
    """A glyph's outline at its place in the line, its curves with two handles."""
    last = [0.0, 0.0]
    for points, code in Path(*path).iter_segments(simplify=False, curves=True):
        numbers = [(n + (y if k % 2 else x)) / EM_PX for k, n in enumerate(points)]
        if code == Path.CURVE3:
            (x0, y0), (x1, y1, x2, y2) = last, numbers
            numbers = [(x0 + 2 * x1) / 3, (y0 + 2 * y1) / 3, (x2 + 2 * x1) / 3, (y2 + 2 * y1) / 3, x2, y2]
        if code == Path.CLOSEPOLY:
            yield "h", ()
            continue
        last = numbers[-2:]
        yield {Path.MOVETO: "m", Path.LINETO: "l"}.get(code, "c"), tuple(numbers)


def _at(steps: Sequence[Step], left: float) -> Iterator[Step]:
    for kind, numbers in steps:
        yield kind, tuple(round(n + (0 if k % 2 else left), 4) for k, n in enumerate(numbers))


def _groups(glyphs: list[_Glyph]) -> Iterator[list[_Glyph]]:
    """Glyphs that stand for the same characters: a letter with its marks, or one letter in parts."""
    group: list[_Glyph] = []
    for glyph in glyphs:
        together = group and glyph.characters == group[-1].characters
        if group and not (
            together and (len(glyph.characters) > 1 or not glyph.advance or not group[-1].advance)
        ):
            yield group
            group = []
        group.append(glyph)
    if group:
        yield group


def _letters(text: str, group: list[_Glyph]) -> Iterator[Letter]:
    characters = group[0].characters
    # A letter with marks, twice in a row, is one group: it stands for as many as the line has.
    wide = sum(glyph.advance > 0 for glyph in group)
    times = 1 if len(characters) == 1 else _times(text, characters, wide)
    left = min((glyph.x for glyph in group if glyph.advance), default=group[0].x)
    right = max((glyph.x + glyph.advance for glyph in group if glyph.advance), default=left)
    steps = tuple(_at([step for glyph in group for step in glyph.steps], -left))
    said = characters * times
    if len(said) == 1 or not right_to_left(said[0]):
        yield Letter(said, steps, left, right - left)
        return
    share = (right - left) / len(said)
    for k, character in enumerate(reversed(said)):
        yield Letter(character, steps if k == 0 else (), left + k * share, share)


def _times(text: str, characters: str, most: int) -> int:
    """The longest row of `characters` in `text`, at most so many."""
    return max((n for n in range(1, most + 1) if characters * n in text), default=1)
