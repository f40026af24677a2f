"""Outlined letters in report.pdf, as text: each is a glyph of a font made for this file, with its characters.

For what an embedded font cannot do here: scripts that join or are written from the right, and letters of a
font that the user gave (which is never embedded). Type 3 fonts, ISO 32000-1 9.6.5; ToUnicode, 9.10.3: what is
copied from the page is what was written.
"""

from __future__ import annotations

from collections.abc import Sequence
from weakref import WeakKeyDictionary

from reportlab.pdfbase.pdfdoc import (
    PDFArray,
    PDFDictionary,
    PDFDocument,
    PDFName,
    PDFObjectReference,
    PDFStream,
    PDFZCompress,
)
from reportlab.pdfgen.canvas import Canvas

from .figure_glyphs import Letter, Step

PER_FONT = 255
"""Codes of one byte, without 0."""
UNIT = 1000
"""Units of a glyph to an em."""

_in_file: WeakKeyDictionary[PDFDocument, Glyphs] = WeakKeyDictionary()


def draw(canvas: Canvas, at: tuple[float, float], letters: Sequence[Letter], size: float) -> None:
    """Write a line of letters with its beginning at `at` (points), in the canvas's own colour."""
    document = canvas._doc
    if document not in _in_file:
        _in_file[document] = Glyphs()
        document.delayedFonts.append(_in_file[document])  # asked for its objects when the file is written
    glyphs = _in_file[document]
    x, y = at
    for font, codes in glyphs.shown(letters):
        begin = x + codes[0][1].left * size
        canvas._code.append(f"BT /{font} {size:g} Tf 1 0 0 1 {begin:.3f} {y:.3f} Tm [{_spaced(codes)}] TJ ET")


def _spaced(codes: Sequence[tuple[int, Letter]]) -> str:
    """Codes with the distance to take back between them, in thousandths of an em."""
    parts = []
    for k, (code, letter) in enumerate(codes):
        parts.append(f"<{code:02X}>")
        if k + 1 < len(codes):
            back = round((letter.left + letter.width - codes[k + 1][1].left) * UNIT)
            parts += [str(back)] if back else []
    return " ".join(parts)


class Glyphs:
    """The outlined letters of one file."""

    def __init__(self) -> None:
        self.numbers: dict[tuple[str, tuple[Step, ...], float], int] = {}

    def shown(self, letters: Sequence[Letter]) -> list[tuple[str, list[tuple[int, Letter]]]]:
        """Name of a font, and letters with their codes in it, in the order of the line."""
        found: list[tuple[str, list[tuple[int, Letter]]]] = []
        for letter in letters:
            key = letter.characters, letter.steps, letter.width
            font, code = divmod(self.numbers.setdefault(key, len(self.numbers)), PER_FONT)
            name = _name(font)
            if not found or found[-1][0] != name:
                found.append((name, []))
            found[-1][1].append((code + 1, letter))
        return found

    def addObjects(self, document: PDFDocument) -> None:
        """Put the fonts into the file; reportlab calls this by its own name for it."""
        keys = list(self.numbers)
        fonts = document.idToObject["BasicFonts"].dict
        for k in range(0, len(keys), PER_FONT):
            name = _name(k // PER_FONT)
            fonts[name] = document.Reference(self._font(document, name, keys[k : k + PER_FONT]), name)

    def _font(
        self, document: PDFDocument, name: str, keys: Sequence[tuple[str, tuple[Step, ...], float]]
    ) -> PDFDictionary:
        def stream(text: str, what: str) -> PDFObjectReference:
            held = PDFStream(PDFDictionary(), text.encode("ascii"), filters=[PDFZCompress])
            return document.Reference(held, f"{name}-{what}")

        procs = {f"g{k}": stream(_proc(steps, w), f"g{k}") for k, (_, steps, w) in enumerate(keys, 1)}
        names = [PDFName(f"g{k}") for k in range(1, len(keys) + 1)]
        return PDFDictionary(
            {
                "Type": PDFName("Font"),
                "Subtype": PDFName("Type3"),
                "FontBBox": PDFArray([0, 0, 0, 0]),  # allowed: no box is known of all of them
                "FontMatrix": PDFArray([1 / UNIT, 0, 0, 1 / UNIT, 0, 0]),
                "CharProcs": PDFDictionary(procs),
                "Encoding": PDFDictionary(
                    {"Type": PDFName("Encoding"), "Differences": PDFArray([1, *names])}
                ),
                "FirstChar": 1,
                "LastChar": len(keys),
                "Widths": PDFArray([round(w * UNIT) for _, _, w in keys]),
                "Resources": PDFDictionary({}),
                "ToUnicode": stream(_to_unicode([characters for characters, _, _ in keys]), "unicode"),
            }
        )


def _name(number: int) -> str:
    return f"outlined{number}"


def _proc(steps: Sequence[Step], width: float) -> str:
    """A glyph: its width, the box around it, its outline, filled."""
    numbers = [[round(n * UNIT) for n in points] for _, points in steps]
    xs = [n for points in numbers for n in points[::2]] or [0]
    ys = [n for points in numbers for n in points[1::2]] or [0]
    box = f"{round(width * UNIT)} 0 {min(xs)} {min(ys)} {max(xs)} {max(ys)} d1"
    drawn = [" ".join([*map(str, points), kind]) for points, (kind, _) in zip(numbers, steps, strict=True)]
    return "\n".join([box, *drawn, *(["f"] if drawn else [])])


def _to_unicode(characters: Sequence[str]) -> str:
    rows = [f"<{k:02X}> <{said.encode('utf-16-be').hex().upper()}>" for k, said in enumerate(characters, 1)]
    blocks = [rows[k : k + 100] for k in range(0, len(rows), 100)]  # no more are allowed in one
    mapped = [line for block in blocks for line in (f"{len(block)} beginbfchar", *block, "endbfchar")]
    return "\n".join(
        [
            "/CIDInit /ProcSet findresource begin",
            "12 dict begin",
            "begincmap",
            "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def",
            "/CMapName /Adobe-Identity-UCS def",
            "/CMapType 2 def",
            "1 begincodespacerange",
            "<00> <FF>",
            "endcodespacerange",
            *mapped,
            "endcmap",
            "CMapName currentdict /CMap defineresource pop",
            "end",
            "end",
        ]
    )
