"""XMP as (name, value) texts: XML of strangers, read with nothing that XML can do beyond elements.

A packet with a document type is refused: without one there are no entities but the five of XML itself, so
nothing can expand or lead to another file. XMP is ISO 16684-1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.parsers import expat

MAX_BYTES = 1 << 20
MAX_DEPTH, MAX_PROPERTIES, MAX_TEXT = 64, 300, 4096

_PREFIX = {
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://ns.adobe.com/xap/1.0/": "xmp",
    "http://ns.adobe.com/xap/1.0/rights/": "xmpRights",
    "http://ns.adobe.com/photoshop/1.0/": "photoshop",
    "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#": "stEvt",
    "http://iptc.org/std/Iptc4xmpExt/2008-02-29/": "Iptc4xmpExt",
    "http://ns.adobe.com/tiff/1.0/": "tiff",
    "http://ns.adobe.com/exif/1.0/": "exif",
    "http://ns.adobe.com/xap/1.0/mm/": "xmpMM",
}
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_SKIPPED = (_RDF, "adobe:ns:meta/", "http://www.w3.org/XML/1998/namespace")

PUBLIC = {
    "dc:description",
    "dc:format",
    "dc:rights",
    "dc:source",
    "dc:title",
    "Iptc4xmpExt:DigitalSourceType",
    "photoshop:Credit",
    "photoshop:DateCreated",
    "photoshop:Headline",
    "photoshop:Source",
    "stEvt:action",
    "stEvt:softwareAgent",
    "stEvt:when",
    "tiff:Make",
    "tiff:Model",
    "tiff:Software",
    "xmp:CreateDate",
    "xmp:CreatorTool",
    "xmp:MetadataDate",
    "xmp:ModifyDate",
    "xmpRights:Marked",
    "xmpRights:UsageTerms",
    "xmpRights:WebStatement",
}
"""What tells of the picture and its editing; all else is taken as private."""


class Refused(ValueError):
    """The packet is not read, and why."""


@dataclass
class _Walk:
    """Where in the packet the parser is, and what it found."""

    open: list[str | None] = field(default_factory=list)
    """Name of the property in force at each depth; None: not inside one."""
    text: str = ""
    found: list[tuple[str, str]] = field(default_factory=list)

    def begin(self, tag: str, attributes: dict[str, str]) -> None:
        if len(self.open) >= MAX_DEPTH:
            raise Refused("nested too deep")
        self.end_text()
        named = _name(tag)
        self.open.append(named or (self.open[-1] if self.open else None))
        for key, value in attributes.items():
            if attribute := _name(key):
                self.tell(attribute, value)

    def end(self, tag: str) -> None:
        self.end_text()
        self.open.pop()

    def characters(self, text: str) -> None:
        if len(self.text) < MAX_TEXT:
            self.text += text

    def end_text(self) -> None:
        inside, text, self.text = self.open[-1] if self.open else None, self.text.strip(), ""
        if inside and text:
            self.tell(inside, text)

    def tell(self, name: str, value: str) -> None:
        if len(self.found) >= MAX_PROPERTIES:
            raise Refused(f"more than {MAX_PROPERTIES} properties")
        self.found.append((name, value[:MAX_TEXT]))


def read(packet: bytes) -> list[tuple[str, str]]:
    """(name, value) of each property, in order; of a list once for each entry.

    Raises
    ------
    Refused
        Too long, too deep, not well-formed, or with a document type.
    """
    if len(packet) > MAX_BYTES:
        raise Refused(f"longer than {MAX_BYTES:,} bytes")
    walk = _Walk()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = walk.begin
    parser.EndElementHandler = walk.end
    parser.CharacterDataHandler = walk.characters
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(packet.strip(b"\0 \t\r\n"), True)
    except (expat.ExpatError, UnicodeError, LookupError):
        raise Refused("not well-formed") from None
    return walk.found


def _refuse_doctype(*_: object) -> None:
    raise Refused("it has a document type")


def _name(tag: str) -> str | None:
    """``prefix:name``; None for what only holds others together."""
    space, _, local = tag.rpartition(" ")
    if not space or space in _SKIPPED:
        return None
    return f"{_PREFIX.get(space, 'other')}:{local[:60]}"
