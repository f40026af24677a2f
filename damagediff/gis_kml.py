"""A run for Google Earth and other globes: KML 2.2 [1]_ with pictures, in one KMZ file.

References
----------
.. [1] Open Geospatial Consortium, "OGC KML", version 2.2.0, OGC 07-147r2.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from . import figure_legend, gis_overlay, lonlat, summary, wording
from . import gis_layers as layers
from . import gis_styles as styles
from . import gis_xml as xml
from .gis_layers import Feature, Layer, Value
from .gis_styles import Colour, Look
from .gis_xml import Element, element, parent
from .types import Comparison, Grid, Image

SPACE = "http://www.opengis.net/kml/2.2"
SHOWN = ("regions", "buildings", "not_analysed", "image_footprints")
OPEN = ("regions",)
"""Layers that are switched on when the file is opened."""
LEGEND = "files/legend.png"


def write(
    path: Path, found: Sequence[Layer], comparison: Comparison, evidence_id: str, pictures: bool = True
) -> None:
    """A KMZ file.

    Parameters
    ----------
    path : Path
        The file to write.
    found : sequence of Layer
        Those in `SHOWN` are drawn.
    comparison : Comparison
        Georeferenced; gives pictures, dates and credits.
    evidence_id : str
        Of the run.
    pictures : bool
        False: without the two images.

    Raises
    ------
    OSError
        The disk refuses.
    """
    overlays, files = _overlays(comparison) if pictures else ([], {})
    legend = figure_legend.png(comparison, evidence_id)
    drawn = [_folder(layer, comparison) for layer in found if layer.name in SHOWN]
    about = layers.about(comparison, evidence_id)
    images = (
        [parent("Folder", element("name", "Images"), element("open", "1"), *overlays)] if overlays else []
    )
    root = parent(
        "kml",
        parent(
            "Document",
            element("name", summary.title(comparison)),
            element("open", "1"),
            _html(about),
            *(_style(name, look) for name, look in _looks(found)),
            _screen(),
            *images,
            *drawn,
        ),
        xmlns=SPACE,
    )
    xml.pack(path, {"doc.kml": xml.document(root), LEGEND: legend} | files)


def _html(rows: Sequence[tuple[str, Any]]) -> Element:
    """A table as the HTML that a globe shows in a balloon; nothing in it is taken for HTML."""
    cells = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{html.escape(layers.text(str(value)))}</td></tr>"
        for name, value in rows
        if value not in (None, "")
    )
    made = element("description")
    made.text = f"<table>{cells}</table>"
    return made


def _looks(found: Sequence[Layer]) -> Iterator[tuple[str, Look]]:
    for layer in found:
        if layer.name in SHOWN:
            for number, look in enumerate(styles.LOOKS[layer.name]):
                yield f"{layer.name}-{number}", look


def _style(name: str, look: Look) -> Element:
    line = parent("LineStyle", element("color", _colour(look.colour, 255)), element("width", "2.5"))
    fill = parent("PolyStyle", element("color", _colour(look.colour, look.fill)))
    return parent("Style", line, fill, id=name)


def _colour(colour: Colour, alpha: int) -> str:
    """Alpha, blue, green, red in hexadecimal, as KML wants it."""
    return "".join(f"{part:02x}" for part in (alpha, *reversed(colour)))


def _screen() -> Element:
    """The legend in the upper left corner."""
    at = {"xunits": "fraction", "yunits": "fraction"}
    return parent(
        "ScreenOverlay",
        element("name", "Legend"),
        parent("Icon", element("href", LEGEND)),
        element("overlayXY", x="0", y="1", **at),
        element("screenXY", x="0.01", y="0.99", **at),
        element("size", x="0.3", y="0", **at),
    )


def _overlays(comparison: Comparison) -> tuple[list[Element], dict[str, bytes]]:
    """Both images on the ground, the after image on top, and their files."""
    shown, grid, pair = comparison.pictures, comparison.pair.grid, comparison.pair
    box = gis_overlay.frame(grid, shown.reduction)
    made, files = [], {}
    for order, (role, picture, image) in enumerate(
        (("before", shown.before, pair.before), ("after", shown.after, pair.after))
    ):
        name = f"files/{role}.png"
        files[name] = gis_overlay.png(picture, shown.after_valid, shown.reduction, box)
        sides = (element(side, f"{degrees:.8f}") for side, degrees in box.sides.items())
        made.append(
            parent(
                "GroundOverlay",
                element("name", f"{role.capitalize()}: {wording.date(image.acquisition)}"),
                _html((("image", image.name), ("credit", summary.credit(image.credit)))),
                *_stamp(image),
                element("drawOrder", str(order)),
                parent("Icon", element("href", name)),
                parent("LatLonBox", *sides),
            )
        )
    return made, files


def _stamp(image: Image) -> list[Element]:
    when = layers.when(image)
    return [] if when is None else [parent("TimeStamp", element("when", _xsd(when)))]


def _xsd(when: str) -> str:
    """A time as XML Schema writes it, which has no times without seconds."""
    return when if "T" not in when or len(when) > len("2020-10-04T07:52Z") else when.replace("Z", ":00Z")


def _span(comparison: Comparison) -> list[Element]:
    """Between the two dates, where both are known and in order: when a change came about."""
    first, second = layers.dates(comparison)
    apart = wording.apart(comparison.pair.before.acquisition, comparison.pair.after.acquisition)
    if first is None or second is None or apart is None or apart.total_seconds() <= 0:
        return []
    return [parent("TimeSpan", element("begin", _xsd(first)), element("end", _xsd(second)))]


def _folder(layer: Layer, comparison: Comparison) -> Element:
    spans = layer.name in ("regions", "buildings")
    visible = "1" if layer.name in OPEN else "0"
    placemarks = (
        _placemark(layer, feature, comparison.pair.grid, [visible, *(_span(comparison) if spans else [])])
        for feature in layer.features
    )
    drawn = [one for one in placemarks if one is not None]
    return parent(
        "Folder", element("name", layer.title), element("visibility", visible), element("open", "0"), *drawn
    )


def _placemark(layer: Layer, feature: Feature, grid: Grid, rest: list[Any]) -> Element | None:
    """One shape with its fields; None of an empty one. `rest` is its visibility, then its times."""
    shape = lonlat.geometry(feature.parts_rc, grid)
    if shape is None:
        return None
    fields = dict(zip(layer.fields, feature.values, strict=True))
    visible, *times = rest
    label = str(fields.get(layer.label or "", ""))
    number = next((k for k, look in enumerate(styles.LOOKS[layer.name]) if look.value == label), 0)
    data = (
        parent("Data", element("value", _words(value)), name=name)
        for name, value in fields.items()
        if value is not None
    )
    polygons = shape["coordinates"].value
    parts = [_polygon(rings) for rings in (polygons if shape["type"] == "MultiPolygon" else [polygons])]
    return parent(
        "Placemark",
        element("name", _name(layer, fields, label)),
        element("visibility", visible),
        _html(tuple(fields.items())),
        *times,
        element("styleUrl", f"#{layer.name}-{number}"),
        parent("ExtendedData", *data),
        parts[0] if len(parts) == 1 else parent("MultiGeometry", *parts),
    )


def _name(layer: Layer, fields: dict[str, Value], label: str) -> str:
    """What a list of places shows: the number of a region with its kind, else its kind alone."""
    number = fields.get("id")
    words = label or str(fields.get("words", layer.title))
    return words if number is None else f"{number}: {words}"


def _words(value: Value) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _polygon(rings: Sequence[Sequence[Sequence[float]]]) -> Element:
    edges = (
        parent("outerBoundaryIs" if k == 0 else "innerBoundaryIs", _ring(ring))
        for k, ring in enumerate(rings)
    )
    return parent("Polygon", element("tessellate", "1"), *edges)


def _ring(ring: Sequence[Sequence[float]]) -> Element:
    coordinates: Element = ElementTree.Element("coordinates")
    coordinates.text = " ".join(f"{x:.7f},{y:.7f}" for x, y in ring)  # longer than other texts may be
    return parent("LinearRing", coordinates)
