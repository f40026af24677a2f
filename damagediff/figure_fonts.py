"""The fonts of the figures: the one that comes with matplotlib, and one more that a user may give.

A font file is hostile input. It is read by FreeType alone, limits are checked before any text is set, and
a character is only taken from it when its drawn size is sane. Matplotlib (from 3.11 on) shapes text with
HarfBuzz and orders it by the Unicode rules, so Arabic joins and Hebrew runs from right to left.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path

import matplotlib
from matplotlib.font_manager import FontEntry, FontProperties, findSystemFonts, fontManager, get_font

from .errors import InputError

MAX_BYTES = 64_000_000
"""The largest Noto font for Chinese, Japanese and Korean has about 20 MB."""
KINDS = (b"\x00\x01\x00\x00", b"OTTO", b"true")
"""First bytes of TrueType and OpenType fonts; collections and packed web fonts are not read."""
MAX_EM = 4.0
"""A character larger than this many times the size of the text is not drawn: it would cover the figure."""
_TRIAL_PT = 16
JOINERS = "\u200c\u200d"
"""Have no picture of their own: they say how their neighbours join."""

_given: ContextVar[str | None] = ContextVar("font given by the user", default=None)


def check(path: Path) -> None:
    """Read a user's font and its limits, before anything is computed.

    Raises
    ------
    InputError
        Not there, too large, not a TrueType or OpenType font, or one that cannot be read.
    """
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"--font {path}: not a regular file. Give one .ttf or .otf file")
        size = path.stat().st_size
        with path.open("rb") as file:
            kind = file.read(4)
    except OSError as error:
        raise InputError(
            f"--font {path}: cannot be read: {error.strerror}. Check its name and its permissions"
        ) from None
    if size > MAX_BYTES:
        raise InputError(f"--font {path}: {size:,} bytes, at most {MAX_BYTES:,} are read. Give a smaller one")
    if kind not in KINDS:
        raise InputError(f"--font {path}: not a TrueType or OpenType font. Give one .ttf or .otf file")
    try:
        found = get_font(str(path))
        found.set_size(_TRIAL_PT, 72)
        usable = found.scalable and 16 <= found.units_per_EM <= 16_384 and found.num_glyphs > 1
    except (RuntimeError, ValueError, OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"--font {path}: a damaged font: {' '.join(str(error).split())[:120]}. Give another"
        ) from None
    if not usable:
        raise InputError(f"--font {path}: holds no outlines that can be drawn at any size. Give another")


@contextmanager
def fonts(path: Path | None) -> Iterator[None]:
    """Take characters that the bundled font lacks from this one, as long as the context lasts."""
    if path is None:
        yield
        return
    check(path)
    added = [_entry(file_of(bold)) for bold in (False, True)] + [_entry(str(path))]
    fontManager.ttflist.extend(added)
    token = _given.set(str(path))
    try:
        yield
    finally:
        _given.reset(token)
        for entry in added:
            fontManager.ttflist.remove(entry)


def _entry(file: str) -> FontEntry:
    """A font under a name that no installed font has, so that nothing else can be found for it."""
    return FontEntry(fname=file, name=f"damagediff {file}", style="normal", weight=400)


@lru_cache
def file_of(bold: bool) -> str:
    """Path of the bundled font."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return str(Path(matplotlib.get_data_path(), "fonts", "ttf", name))


def font(size: float, bold: bool = False) -> FontProperties:
    """The DejaVu Sans that is bundled with matplotlib, then the user's, never what is installed."""
    given = _given.get()
    if given is None:
        return FontProperties(fname=file_of(bold), size=size)
    return FontProperties(family=[f"damagediff {file}" for file in (file_of(bold), given)], size=size)


def files(bold: bool = False) -> list[str]:
    """Paths of the fonts in use, in the order in which they are asked for a character."""
    given = _given.get()
    return [file_of(bold), *([given] if given is not None else [])]


def bundled(character: str) -> bool:
    """Whether the bundled font has this character in both of its weights."""
    return character in JOINERS or all(ord(character) in _bundled(bold) for bold in (False, True))


def installed(wanted: dict[str, str], most: int) -> dict[str, str]:
    """Files of installed fonts that have one character each; no file is drawn with unless a user gives it.

    Parameters
    ----------
    wanted : dict
        Script to a character of it.
    most : int
        Fonts that are looked into, those named Noto first.

    Returns
    -------
    dict
        Script to the path of a font that `check` would take, for those that were found.
    """
    found: dict[str, str] = {}
    files_ = [Path(name) for name in findSystemFonts() if name.lower().endswith((".ttf", ".otf"))]
    noto_first = sorted(files_, key=lambda file: (not file.name.startswith("Noto"), file.name, file))
    usual = [file for file in noto_first if not re.search("bold|italic|oblique|light|thin", file.name, re.I)]
    for file in map(str, usual[:most]):
        left = {script: character for script, character in wanted.items() if script not in found}
        if not left:
            break
        try:
            font_ = get_font(file)
            found |= {script: file for script, one in left.items() if font_.get_char_index(ord(one))}
        except (RuntimeError, OSError, ValueError):
            continue  # a damaged font of somebody else's
    return found


def in_use() -> str | None:
    """The user's font, if there is one."""
    return _given.get()


@lru_cache
def _bundled(bold: bool) -> frozenset[int]:
    return frozenset(get_font(file_of(bold)).get_charmap())


def has(character: str, bold: bool = False) -> bool:
    """Whether one of the fonts in use can draw this character."""
    given = _given.get()
    code = ord(character)
    return code in _bundled(bold) or character in JOINERS or (given is not None and _sane(given, code))


@lru_cache(maxsize=4096)
def _sane(file: str, code: int) -> bool:
    """Whether a font of a user has this character, at a size that text can have.

    Asked character by character: a table that claims every code is never walked through.
    """
    found = get_font(file)
    try:
        if not found.get_char_index(code):
            return False
        found.set_size(_TRIAL_PT, 72)
        with warnings.catch_warnings(action="error"):  # a table that promises a character without a picture
            glyph = found.load_char(code)
    except (RuntimeError, ValueError, OverflowError, UserWarning):
        return False
    em = _TRIAL_PT * 64  # FreeType counts in 64ths of a pixel
    left, low, right, high = glyph.bbox
    return max(abs(left), abs(low), abs(right), abs(high), abs(glyph.horiAdvance)) <= MAX_EM * em
