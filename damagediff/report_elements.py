"""The page as a tree of elements, for what is printed from it.

report.pdf is set from report.html itself, so that the two cannot say different things. Only pages that this
tool wrote are read; what a user or a file said is text in them and stays text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = frozenset({"br", "hr", "image", "img", "input", "link", "meta", "path", "rect", "use", "wbr"})
SCREEN_TAGS = frozenset(
    {"script", "style", "head", "svg", "canvas", "form", "fieldset", "select", "textarea", "dialog"}
    | {"template", "noscript", "nav", "label", "input"}
)
"""Elements that make sense on a screen only."""
SCREEN_CLASSES = frozenset({"skip", "status", "buttons", "how", "copy", "to-review"})
"""What report.css leaves out in print too."""


@dataclass(eq=False)
class Element:
    """One element with its attributes and, in order, the elements and texts in it."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    inside: list[Element | str] = field(default_factory=list)

    @property
    def classes(self) -> frozenset[str]:
        """Words of its class attribute."""
        return frozenset(self.attributes.get("class", "").split())

    @property
    def printed(self) -> bool:
        """Whether it belongs on paper."""
        hidden = "hidden" in self.attributes or self.attributes.get("aria-hidden") == "true"
        return not (hidden or self.tag in SCREEN_TAGS or self.classes & SCREEN_CLASSES)

    @property
    def elements(self) -> Iterator[Element]:
        """The elements directly in it that belong on paper."""
        return (part for part in self.inside if isinstance(part, Element) and part.printed)

    def all(self, *tags: str) -> Iterator[Element]:
        """Every printed element of these tags below it, in the order of the page."""
        for part in self.elements:
            if part.tag in tags:
                yield part
            yield from part.all(*tags)

    def of_class(self, name: str) -> Iterator[Element]:
        """Every printed element of a class below it."""
        for part in self.elements:
            if name in part.classes:
                yield part
            yield from part.of_class(name)

    @property
    def text(self) -> str:
        """Its printed words on one line."""
        return " ".join("".join(self._texts()).split())

    def _texts(self) -> Iterator[str]:
        for part in self.inside:
            if isinstance(part, str):
                yield part
            elif part.tag == "br":
                yield " "
            elif part.printed:
                yield from part._texts()


class _Reader(HTMLParser):
    """Builds the tree; every element but the void ones is closed in our pages."""

    def __init__(self) -> None:
        super().__init__()
        self.open = [Element("page")]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].inside.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].inside.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].inside.append(data)


def read(html: str) -> Element:
    """The body of a page that `report.html` wrote."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    (page,) = (part for part in reader.open[0].inside if isinstance(part, Element))
    return next(part for part in page.elements if part.tag == "body")
