"""The page's elements as blocks of report.pdf, in the page's own order."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from reportlab.platypus import CondPageBreak, Flowable, KeepTogether, Spacer

from . import report_pdf_lines as lines
from . import report_pdf_pictures as pictures
from . import report_pdf_tables as tables
from . import report_pdf_text as words
from . import wording
from .report_elements import Element

LEAST_BELOW = {"h1": 0.0, "h2": 110.0, "h3": 70.0}
"""Points that must be left on a page for a heading to stand there: no heading ends a page."""
MOST_IN_OUTLINE = 300
"""Characters of a heading."""
LEVEL = {"h1": 0, "h2": 0, "h3": 1}
"""Of the outline."""

Blocks = Iterator[Flowable]


def blocks(element: Element, room: float) -> Blocks:
    """One element of the page as flowables, `room` points wide; an unknown one is what stands in it."""
    named = [make for name, make in BY_CLASS.items() if name in element.classes]
    make = named[0] if named else BY_TAG.get(element.tag, _inside)
    yield from make(element, room)


def _inside(element: Element, room: float) -> Blocks:
    for part in element.inside:
        if isinstance(part, Element) and part.printed:
            yield from blocks(part, room)
        elif isinstance(part, str) and part.strip():
            yield lines.paragraph([part], words.style("p"))


def _paragraph(element: Element, room: float) -> Blocks:
    style = next((name for name in ("finding", "note") if name in element.classes), "p")
    if element.classes & words.CHIPS.keys():
        yield lines.paragraph([element], words.style(style))
    elif words.markup(element.inside):
        yield lines.of(element, words.style(style))


def heading(element: Element, room: float) -> Blocks:
    """A heading with room below it; the document puts it into the outline."""
    tag = "h3" if element.tag == "summary" else element.tag
    yield CondPageBreak(LEAST_BELOW[tag])
    shown = lines.of(element, words.style(tag))
    shown.outline = LEVEL[tag], wording.plain(element.text, MOST_IN_OUTLINE)
    yield shown


def _items(element: Element, room: float) -> Blocks:
    for number, item in enumerate((part for part in element.elements if part.tag == "li"), 1):
        mark = f"{number}." if element.tag == "ol" else "•"
        yield lines.of(item, words.style("list"), mark)
    yield Spacer(1, 3)


def _figure(element: Element, room: float) -> Blocks:
    yield pictures.figure(element, room)


def _image(element: Element, room: float) -> Blocks:
    yield pictures.image(pictures.data_of(element), room, pictures.TALLEST_PAIR)


def _viewer(element: Element, room: float) -> Blocks:
    """Both pictures side by side, each with its date and credit, then what else is said of them."""
    images = [image for stage in element.of_class("stage") for image in stage.all("img")]
    under = [part for part in element.elements if "under" in part.classes]
    captions = [line for part in under for line in part.all("p")]
    shown: list[Flowable] = [Spacer(1, 4), pictures.pair(images, captions, room)]
    width = pictures.first_width(images, room)
    for part in element.elements:
        if "stage" not in part.classes and part not in under:
            shown += blocks(part, width)
    together = KeepTogether(shown)
    together.shows_the_pair = True
    yield together


def _bar(element: Element, room: float) -> Blocks:
    yield pictures.Bar(room * float(element.attributes["data-share"]) / 100, element.text)


def _card(element: Element, room: float) -> Blocks:
    """One region: its crops, and what is said of it beside them."""
    crops = list(element.all("figure"))
    said = [
        flowable
        for part in element.elements
        if not list(part.all("figure"))
        for flowable in blocks(part, room)
        if not isinstance(flowable, CondPageBreak)
    ]
    yield from pictures.beside(crops, said, room)


def _quote(element: Element, room: float) -> Blocks:
    yield lines.of(element, words.style("quote"))


BY_CLASS: dict[str, Callable[[Element, float], Blocks]] = {
    "viewer": _viewer,
    "bar": _bar,
    "region-card": _card,
}
BY_TAG: dict[str, Callable[[Element, float], Blocks]] = {
    **dict.fromkeys(("h1", "h2", "h3", "summary"), heading),
    "p": _paragraph,
    "blockquote": _quote,
    **dict.fromkeys(("ul", "ol"), _items),
    "dl": tables.facts,
    "table": tables.table,
    "figure": _figure,
    "img": _image,
}
