"""Writes report.pdf: the words and pictures of report.html, set on A4 pages.

The page itself is read and set anew, so that nothing can stand in one and not in the other, whatever is added
to the page. Nothing is loaded: pictures come from the page, links are plain words. The same page gives the
same bytes: reportlab's invariant mode leaves out the time and the random id.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager

from reportlab import rl_config
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfbase.pdfdoc import PDFDictionary, PDFDocument, PDFInfo, PDFString
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BaseDocTemplate, Flowable, Frame, PageTemplate

from . import report_elements, wording
from . import report_pdf_blocks as blocks
from . import report_pdf_pictures as pictures
from . import report_pdf_text as words
from .report_elements import Element

SIDE, TOP, BOTTOM = 17 * mm, 18 * mm, 17 * mm
ROOM = A4[0] - 2 * SIDE
TOTAL = "pages"
"""Name of the form that is filled with the number of pages once that is known."""
FIGURE_WORDS = "The comparison with its marks, as in figure.png."


def pdf(html: str, evidence_id: str, figure: bytes | None = None) -> bytes:
    """The report as PDF.

    Parameters
    ----------
    html : str
        The page, as `report.html` wrote it.
    evidence_id : str
        Stands on every page.
    figure : bytes, optional
        figure.png, shown after the two pictures.

    Returns
    -------
    bytes
        A4, selectable text in an embedded subset of DejaVu Sans, an outline, language and title; no author,
        no time, no name of a machine. Scripts that join or run from the right, and characters of the font
        given (see `figures.fonts`), are outlines that copy as text. What has no glyph is a box, and named.
    """
    body = report_elements.read(html)
    target = io.BytesIO()
    with _compact():
        Document(target, body, evidence_id).build(list(_story(body, figure)), canvasmaker=Numbered)
    return target.getvalue()


@contextmanager
def _compact() -> Iterator[None]:
    """Streams as bytes, not as text of five letters for four bytes; as it was afterwards."""
    before = rl_config.useA85
    rl_config.useA85 = 0
    try:
        yield
    finally:
        rl_config.useA85 = before


class Info(PDFInfo):  # type: ignore[misc]
    """What the file says of itself: no author, and no date, which could only be a wrong one."""

    def format(self, document: PDFDocument) -> bytes:
        """The entries, as PDF."""
        told = {
            "Title": self.title,
            "Subject": self.subject,
            "Creator": self.creator,
            "Producer": self.producer,
        }
        entries = {name: PDFString(text) for name, text in told.items()}
        return PDFDictionary(entries).format(document)


class Numbered(Canvas):  # type: ignore[misc]
    """A canvas that writes down at its end how many pages there are."""

    total_at = A4[0] - SIDE - 14, 9 * mm

    def save(self) -> None:
        """Fill in the number of pages and finish the file."""
        style = words.style("foot")
        self.beginForm(TOTAL)
        self.setFont(style.fontName, style.fontSize)
        self.setFillColor(style.textColor)
        self.drawString(*self.total_at, str(self._pageNumber - 1))
        self.endForm()
        super().save()


class Document(BaseDocTemplate):  # type: ignore[misc]
    """A4 pages with a running head, the evidence id and the page's number; headings go into the outline."""

    def __init__(self, target: io.BytesIO, body: Element, evidence_id: str) -> None:
        self.head = " · ".join(part.text for part in _head(body))
        self.evidence_id = evidence_id
        self.entered, self.level = 0, -1
        self.marked = next((part.text for part in body.of_class("synthetic")), "")
        super().__init__(
            target, pagesize=A4, invariant=1, lang="en", pageCompression=1, initialFontName=words.REGULAR
        )
        frame = Frame(SIDE, BOTTOM, ROOM, A4[1] - TOP - BOTTOM, 0, 0, 0, 0)
        self.addPageTemplates([PageTemplate("page", [frame], onPageEnd=self.margins)])

    def beforeDocument(self) -> None:
        """What a viewer shows of the file: its title and language, and nothing of who made it where."""
        words.fonts()
        info = self.canv._doc.info = Info()
        info.title, info.subject = wording.plain(self.head, 1000), f"evidence id {self.evidence_id}"
        info.creator, info.producer = "damagediff", "ReportLab"
        self.canv.setViewerPreference("DisplayDocTitle", "true")
        self.canv.showOutline()

    def margins(self, canvas: Canvas, document: BaseDocTemplate) -> None:
        """Head and foot of a page."""
        style = words.style("foot")
        canvas.setFont(style.fontName, style.fontSize)
        canvas.setFillColor(style.textColor)
        marked = f"{words.drawable(self.marked)} · " if self.marked else ""
        if document.page > 1:
            room = ROOM - words.width(marked, style)
            head = marked + words.fit(self.head, style, room)
            words.draw(canvas, (SIDE, A4[1] - 11 * mm), head, style)
            canvas.setFont(style.fontName, style.fontSize)
        right, low = Numbered.total_at
        canvas.drawString(SIDE, low, f"{marked}damagediff · evidence id {self.evidence_id}")
        canvas.drawRightString(right - 2, low, f"page {document.page} of")
        canvas.doForm(TOTAL)

    def afterFlowable(self, flowable: Flowable) -> None:
        """Enter a heading into the outline; one level at a time, as readers of PDF ask."""
        level, text = getattr(flowable, "outline", (None, ""))
        if level is not None:
            self.entered += 1
            self.level = min(level, self.level + 1)
            key = f"heading-{self.entered}"
            self.canv.bookmarkHorizontal(key, 0, flowable.height)
            self.canv.addOutlineEntry(text, key, self.level, closed=False)


def _story(body: Element, figure: bytes | None) -> Iterator[Flowable]:
    """The blocks of the page, with notes on letters in its header and the figure behind the pictures."""
    for header in body.all("header"):
        header.inside += [Element("p", {"class": "note"}, [note]) for note in words.notes(body.text)]
    for flowable in blocks.blocks(body, ROOM):
        yield flowable
        if figure is not None and getattr(flowable, "shows_the_pair", False):
            yield pictures.alone(figure, ROOM, FIGURE_WORDS)


def _head(body: Element) -> Iterator[Element]:
    """The title and the verdict."""
    yield from list(body.all("h1"))[:1]
    yield from list(body.of_class("chip"))[:1]
