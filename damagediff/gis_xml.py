"""XML and archives for QGIS and Google Earth: text that cannot break out, the same bytes every time."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

from . import gis_layers as layers

Element = ElementTree.Element
OLDEST = (1980, 1, 1, 0, 0, 0)
"""The time that every entry of an archive gets."""


def element(tag: str, words: str | None = None, **attributes: str) -> Element:
    """An element with text and attributes, both without control characters."""
    made = Element(tag, {name: layers.text(value) for name, value in attributes.items()})
    made.text = None if words is None else layers.text(words)
    return made


def parent(tag: str, *children: Element, **attributes: str) -> Element:
    """An element around others."""
    made = element(tag, **attributes)
    made.extend(children)
    return made


def document(root: Element, doctype: str = "") -> bytes:
    """The text of a file, indented."""
    ElementTree.indent(root)
    head = '<?xml version="1.0" encoding="UTF-8"?>\n' if not doctype else f"{doctype}\n"
    return (head + ElementTree.tostring(root, encoding="unicode") + "\n").encode()


def pack(path: Path, entries: Mapping[str, bytes]) -> None:
    """A ZIP file with the same bytes every time, its entries in their order.

    Raises
    ------
    OSError
        The disk refuses.
    """
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries.items():
            info = zipfile.ZipInfo(name, OLDEST)
            info.create_system, info.external_attr = 3, 0o644 << 16
            is_picture = name.endswith((".png", ".jpg"))
            archive.writestr(info, data, zipfile.ZIP_STORED if is_picture else zipfile.ZIP_DEFLATED)
