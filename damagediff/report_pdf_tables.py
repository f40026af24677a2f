"""Tables of report.pdf: column widths from what stands in them, and no row that is higher than a page."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from reportlab.platypus import CondPageBreak, Flowable, Spacer, Table

from . import figure_glyphs
from . import report_pdf_lines as lines
from . import report_pdf_text as words
from .report_elements import Element

PAD = 4.0
"""Points between a cell's text and its edge, left and right."""
MOST_LINES = 35
"""Of a cell, if its words filled every line; a row with a longer one is set as paragraphs, which may break
over pages. Twice as many lines still fit on a page: words that do not break well take more."""
MIN_FACTS = 50.0
"""Points that must be left on a page for a list of facts to begin there, and not one row of it alone."""
FACT_NAME = 0.27
"""Share of the width for the names of a list of facts."""

Row = list[Element]


def table(element: Element, room: float) -> Iterator[Flowable]:
    """A table of the page, `room` points wide, its head repeated on every page."""
    heads = [list(row.elements) for part in element.all("thead") for row in part.all("tr")]
    rows = [list(row.elements) for row in element.all("tr") if row.text or any(row.all("img"))]
    for caption in element.all("caption"):
        yield lines.of(caption, words.style("caption"))
    if rows:
        widths = _widths(rows, max(map(len, rows)), room)
        if "n" not in rows[0][-1].classes:  # numbers at the far right would be away from what they are of
            widths[-1] += room - sum(widths)
        yield from _parts(heads, rows[len(heads) :], widths)
    yield Spacer(1, 6)


def facts(element: Element, room: float) -> Iterator[Flowable]:
    """A list of names and what is said of each, in two columns."""
    rows: list[Row] = []
    for part in element.all("dt", "dd"):
        if part.tag == "dd" and rows and len(rows[-1]) == 1:
            rows[-1].append(part)
        else:
            rows.append([part] if part.tag == "dt" else [Element("dt"), part])
    first = room * FACT_NAME
    yield CondPageBreak(MIN_FACTS)
    yield from _parts([], rows, [first, room - first])
    yield Spacer(1, 4)


def _parts(heads: list[Row], body: list[Row], widths: list[float]) -> Iterator[Flowable]:
    """One table, or several with paragraphs between them where rows are too long for one."""
    for long, rows in itertools.groupby(body, key=lambda row: _too_long(row, widths)):
        if long:
            yield from (line for row in rows for line in _written_out(heads[-1] if heads else [], row))
            continue
        cells = [[_cell(cell, widths, row) for cell in row] for row in (*heads, *rows)]
        yield _ruled(cells, len(heads), widths, heads[-1] if heads else [])


def _too_long(row: Row, widths: list[float]) -> bool:
    rooms = widths if len(row) == len(widths) else [sum(widths)] * len(row)
    asked = [
        words.width(words.drawable(cell.text), words.style("head")) / (room - 2 * PAD)
        for cell, room in zip(row, rooms, strict=True)
    ]
    return max(asked) > MOST_LINES


def _written_out(head: Row, row: Row) -> Iterator[Flowable]:
    names: list[list[Element | str]] = [[Element("b", {}, [*cell.inside, ":"]), " "] for cell in head]
    for name, cell in itertools.zip_longest(names, row):
        if cell is not None:
            yield lines.paragraph([*(name or ()), *cell.inside], words.style("p"))


def _ruled(cells: list[list[Any]], heads: int, widths: list[float], head: Row) -> Table:
    style: list[tuple[Any, ...]] = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), PAD),
        ("RIGHTPADDING", (0, 0), (-1, -1), PAD),
        ("TOPPADDING", (0, 0), (-1, -1), 2),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2.5),
        ("LINEBELOW", (0, 0), (-1, -1), 0.4, words.LINE),
        ("FONT", (0, 0), (-1, -1), words.REGULAR, words.style("cell").fontSize, words.style("cell").leading),
    ]
    style += [("ALIGN", (k, 0), (k, -1), "RIGHT") for k, cell in enumerate(head) if "n" in cell.classes]
    padded = [row + [""] * (len(widths) - len(row)) for row in cells]
    style += [("SPAN", (0, k), (-1, k)) for k, row in enumerate(cells) if len(row) == 1]
    return Table(padded, widths, repeatRows=heads, style=style, hAlign="LEFT")


def _cell(cell: Element, widths: list[float], row: Row) -> Flowable | str:
    """Words that fit on one line are a plain string, which is much faster to set than a paragraph."""
    bold = cell.tag in ("th", "dt")
    style = words.style("head" if bold and (len(row) == 2 or all(c.tag == "th" for c in row)) else "cell")
    plain = not any(isinstance(part, Element) for part in cell.inside)
    place = next(k for k, other in enumerate(row) if other is cell)
    room = widths[place] - 2 * PAD if len(row) == len(widths) else sum(widths)
    if plain and style.name == "cell":
        line = words.drawable(cell.text)
        if not figure_glyphs.needed(line) and words.width(line, style) <= room:
            return line
    right = style if "n" not in cell.classes else words.right(style.name)
    return lines.of(cell, right)


def _widths(rows: list[Row], columns: int, room: float) -> list[float]:
    """Columns that ask for little get it; the others share what is left by how much they ask for."""
    style = words.style("head")  # bold: never too narrow
    asked = [0.0] * columns
    for row in rows:
        if len(row) == columns:
            for k, cell in enumerate(row):
                asked[k] = max(asked[k], words.width(words.drawable(cell.text), style) + 2 * PAD + 1)
    return _shared(asked, room)


def _shared(asked: Sequence[float], room: float) -> list[float]:
    found: dict[int, float] = {}
    left = room
    for k in sorted(range(len(asked)), key=lambda k: asked[k]):
        if asked[k] > left / (len(asked) - len(found)):
            break
        found[k] = asked[k]
        left -= asked[k]
    wide = {k: asked[k] ** 0.5 for k in range(len(asked)) if k not in found}
    for k, weight in wide.items():
        found[k] = left * weight / sum(wide.values())
    return [found[k] for k in range(len(asked))]
