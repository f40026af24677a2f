"""How layers and rasters look in QGIS: the same for ``.qml`` files, GeoPackage styles and projects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from . import wording
from .gis_layers import Layer
from .gis_xml import Element, document, element, parent

VERSION = "3.22.16"
"""Of QGIS, whose format this is; later ones read it."""
DOCTYPE = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>"
ORANGE, BLUE, GREY, INK = (230, 159, 0), (0, 114, 178), (110, 110, 110), (26, 26, 26)
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Look:
    """One entry of a legend."""

    value: str
    """Of the field; empty for the only entry of a layer."""
    colour: Colour
    fill: int = 0
    """0 (an outline alone) to 255."""
    dashed: bool = False
    width_mm: float = 0.7


LOOKS: dict[str, tuple[Look, ...]] = {
    "regions": (
        Look(wording.TIERS["structural"], ORANGE, 45),
        Look(wording.TIERS["other"], BLUE, 30),
        Look(wording.RADAR_TIERS["other"], BLUE, 30),
    ),
    "buildings": (
        Look(wording.VISIBLE, ORANGE, 160, width_mm=0.3),
        Look(wording.POSSIBLE, (240, 228, 66), 120, width_mm=0.3),
        Look(wording.NO_CHANGE, (86, 180, 233), 40, width_mm=0.2),
        Look(wording.NOT_ANALYSED, GREY, 60, dashed=True, width_mm=0.2),
    ),
    "tie_points": (
        Look("fit", (0, 158, 115), 255),
        Look("check", (86, 180, 233), 255),
        Look("rejected", (204, 121, 167), 255),
    ),
    "grid": (Look("", INK, 0, width_mm=0.2),),
    "not_analysed": (Look("", INK, 255, width_mm=0.3),),
    "image_footprints": (
        Look("before", (0, 158, 115), width_mm=0.5),
        Look("after", (204, 121, 167), dashed=True, width_mm=0.5),
    ),
}
"""Okabe and Ito's colours, told apart by all eyes; the orange and blue of the figures."""
SCORE_RAMP: tuple[tuple[float, Colour], ...] = (
    (0.0, (0, 34, 78)),
    (0.25, (67, 78, 108)),
    (0.5, (125, 124, 120)),
    (0.75, (188, 175, 111)),
    (1.0, (254, 232, 56)),
)
"""Five colours of cividis."""
MASK: tuple[tuple[int, Colour, int, str], ...] = (
    (0, (0, 0, 0), 0, wording.NO_CHANGE),
    (1, ORANGE, 255, "structural change"),
    (2, BLUE, 255, "other change"),
)


def vector(layer: Layer) -> tuple[Element, ...]:
    """Renderer and labels of a layer."""
    used = {
        str(value)
        for feature in layer.features
        for name, value in zip(layer.fields, feature.values, strict=True)
        if name == layer.label
    }
    looks = [look for look in LOOKS[layer.name] if not look.value or look.value in used]
    symbols = parent("symbols", *(_symbol(layer, look, str(k)) for k, look in enumerate(looks)))
    if layer.label is None:
        drawn = parent("renderer-v2", symbols, type="singleSymbol", forceraster="0", symbollevels="0")
    else:
        listed = (
            element("category", value=look.value, symbol=str(k), label=look.value, render="true")
            for k, look in enumerate(looks)
        )
        drawn = parent(
            "renderer-v2", parent("categories", *listed), symbols,
            type="categorizedSymbol", attr=layer.label, forceraster="0", symbollevels="0",
        )  # fmt: skip
    return (drawn, *([_labels()] if layer.name == "regions" else []))


def _rgba(colour: Colour, alpha: int = 255) -> str:
    return ",".join(map(str, (*colour, alpha)))


def _symbol(layer: Layer, look: Look, name: str) -> Element:
    line = "dash" if look.dashed else "solid"
    if layer.points:
        kind, made = "marker", {"name": "cross2", "color": _rgba(look.colour), "size": "2.2"}
        made |= {"outline_color": _rgba(look.colour), "outline_width": "0.5"}
        symbol = "SimpleMarker"
    else:
        kind, symbol = "fill", "SimpleFill"
        made = {
            "color": _rgba(look.colour, look.fill),
            "style": "solid" if look.fill else "no",
            "outline_color": _rgba(look.colour),
            "outline_style": line,
            "outline_width": f"{look.width_mm:g}",
            "outline_width_unit": "MM",
        }
        if layer.name == "not_analysed":
            made["style"] = "b_diagonal"
    options = parent("Option", *(_option(key, value) for key, value in made.items()), type="Map")
    older = (element("prop", k=key, v=value) for key, value in made.items())
    inner = parent("layer", options, *older, **{"class": symbol}, enabled="1", locked="0", **{"pass": "0"})
    return parent("symbol", inner, type=kind, name=name, alpha="1", clip_to_extent="1", force_rhr="0")


def _option(name: str, value: str) -> Element:
    return element("Option", type="QString", name=name, value=value)


def _labels() -> Element:
    """The number of each region, with a halo."""
    white = "255,255,255,255"
    halo = element("text-buffer", bufferDraw="1", bufferSize="0.8", bufferColor=white, bufferOpacity="1")
    style = parent(
        "text-style", halo, fieldName="id", isExpression="0",
        fontSize="9", fontSizeUnit="Point", namedStyle="Bold", textColor=_rgba(INK),
    )  # fmt: skip
    place = element("placement", placement="1", centroidWhole="1", dist="1", quadOffset="4")
    shown = element("rendering", drawLabels="1", obstacle="1", upsidedownLabels="0")
    return parent("labeling", parent("settings", style, place, shown, calloutType="simple"), type="simple")


# ---- rasters ------------------------------------------------------------------------------------


def picture(limits: Sequence[tuple[float, float]]) -> Element:
    """A picture of three bands or one, each stretched between its own black and white."""
    if len(limits) >= 3:
        names = ("red", "green", "blue")
        stretched = [_contrast(f"{name}ContrastEnhancement", limits[k]) for k, name in enumerate(names)]
        bands = {f"{name}Band": str(k) for k, name in enumerate(names, 1)}
        drawn = parent(
            "rasterrenderer", *stretched, type="multibandcolor", opacity="1", alphaBand="-1", **bands
        )
    else:
        stretched = [_contrast("contrastEnhancement", limits[0])]
        drawn = parent(
            "rasterrenderer", *stretched,
            type="singlebandgray", opacity="1", alphaBand="-1", grayBand="1", gradient="BlackToWhite",
        )  # fmt: skip
    return _pipe(drawn)


def _contrast(tag: str, limits: tuple[float, float]) -> Element:
    low, high = (
        element(name, f"{value:g}") for name, value in zip(("minValue", "maxValue"), limits, strict=True)
    )
    return parent(tag, low, high, element("algorithm", "StretchToMinimumMaximum"))


def score() -> Element:
    """The score from 0 to 1."""
    items = (
        element("item", value=f"{value:g}", label=f"{value:g}", color=_hex(colour), alpha="255")
        for value, colour in SCORE_RAMP
    )
    ramp = parent(
        "colorrampshader", *items,
        colorRampType="INTERPOLATED", classificationMode="1", clip="0", minimumValue="0", maximumValue="1",
    )  # fmt: skip
    return _pipe(
        parent(
            "rasterrenderer",
            parent("rastershader", ramp),
            type="singlebandpseudocolor",
            band="1",
            opacity="1",
            alphaBand="-1",
            classificationMin="0",
            classificationMax="1",
        )  # fmt: skip
    )


def mask() -> Element:
    """The classes of the mask; no change is clear."""
    entries = (
        element("paletteEntry", value=str(value), color=_hex(colour), alpha=str(alpha), label=words)
        for value, colour, alpha, words in MASK
    )
    palette = parent("colorPalette", *entries)
    return _pipe(parent("rasterrenderer", palette, type="paletted", band="1", opacity="1", alphaBand="-1"))


def _hex(colour: Colour) -> str:
    return "#" + "".join(f"{part:02x}" for part in colour)


def _pipe(drawn: Element) -> Element:
    none = element(
        "resampling", enabled="false", zoomedInResamplingMethod="nearestNeighbour", maxOversampling="2"
    )
    return parent("pipe", parent("provider", none), drawn)


def qml(*parts: Element) -> str:
    """The text of a style file."""
    return document(
        parent("qgis", *parts, version=VERSION, styleCategories="Symbology|Labeling"), DOCTYPE
    ).decode()
