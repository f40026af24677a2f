"""Layers under the field names of Copernicus EMS and UNOSAT, so that their templates and joins work.

Names as read in published products of both; neither service defines what a tool like this may write, and a
map with these names is no product of theirs. The field of a grade stays empty: grades are for analysts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from . import gis_layers as layers
from . import summary
from .gis_layers import Feature, Kind, Layer, Value
from .types import Comparison

Schema = Literal["copernicus", "unosat"]

OR_SRC, DMG_SRC = 1, 2
"""Numbers of the before and the after image, as ``src_id`` of the footprints has them."""


def rename(found: tuple[Layer, ...], comparison: Comparison, schema: Schema | None) -> tuple[Layer, ...]:
    """The same layers with the fields of `schema` in front, and what they stand for left out."""
    if schema is None:
        return found
    table = SCHEMAS[schema]
    return tuple(
        _with(layer, comparison, *table[layer.name]) if layer.name in table else layer for layer in found
    )


Values = dict[str, Value]
Fill = Callable[[Values, Comparison], Values]


def _with(layer: Layer, comparison: Comparison, fields: dict[str, Kind], fill: Fill) -> Layer:
    """`fields` filled from each feature, then the layer's own that have no other name now."""
    gone = {"label", "name", "method"} & set(layer.fields) if "role" not in layer.fields else {"name"}
    kept = {name: kind for name, kind in layer.fields.items() if name not in gone and name not in fields}
    features = []
    for feature in layer.features:
        own = dict(zip(layer.fields, feature.values, strict=True))
        made = fill(own, comparison)
        values = (*(made[name] for name in fields), *(own[name] for name in kept))
        features.append(Feature(feature.parts_rc, values))
    label = next((name for name in ("notation", "Notes") if name in fields), layer.label)
    return replace(layer, fields=fields | kept, features=tuple(features), label=label)


def _copernicus(own: Values, comparison: Comparison) -> Values:
    return {
        "event_type": None,
        "obj_type": None,
        "obj_desc": None,
        "name": own.get("id"),
        "info": own.get("why"),
        "damage_gra": None,
        "det_method": layers.METHOD,
        "notation": own["label"],
        "or_src_id": None if "why" in own else OR_SRC,  # outlines of buildings are not of the before image
        "dmg_src_id": DMG_SRC,
    }


def _copernicus_source(own: Values, comparison: Comparison) -> Values:
    day, _, clock = str(own["acquired"] or "").partition("T")
    is_after = own["role"] == "after"
    return {
        "src_id": DMG_SRC if is_after else OR_SRC,
        "source_nam": own["name"],
        "src_date": day or None,
        "source_tm": clock or None,
    }


def _unosat(own: Values, comparison: Comparison) -> Values:
    after = comparison.pair.after
    return {
        "SiteID": str(own["id"]),
        "SensorDate": own["date_after"],
        "SensorID": layers.text(summary.credit(after.credit)),
        "Main_Damage_Site_Class": None,
        "Damage_Status": None,
        "FieldValidation": "Not yet field validated",
        "Method": layers.METHOD,
        "Notes": own["label"],
    }


OBSERVED: dict[str, Kind] = {
    "event_type": "text",
    "obj_desc": "text",
    "det_method": "text",
    "notation": "text",
    "or_src_id": "integer",
    "dmg_src_id": "integer",
}
BUILT_UP: dict[str, Kind] = {
    "obj_type": "text",
    "name": "text",
    "info": "text",
    "damage_gra": "text",
    "det_method": "text",
    "notation": "text",
    "or_src_id": "integer",
    "dmg_src_id": "integer",
}
SOURCE: dict[str, Kind] = {
    "src_id": "integer",
    "source_nam": "text",
    "src_date": "text",
    "source_tm": "text",
}
UNOSAT: dict[str, Kind] = {
    "SiteID": "text",
    "SensorDate": "text",
    "SensorID": "text",
    "Main_Damage_Site_Class": "integer",
    "Damage_Status": "text",
    "FieldValidation": "text",
    "Method": "text",
    "Notes": "text",
}
SCHEMAS: dict[Schema, dict[str, tuple[dict[str, Kind], Fill]]] = {
    "copernicus": {
        "regions": (OBSERVED, _copernicus),
        "buildings": (BUILT_UP, _copernicus),
        "image_footprints": (SOURCE, _copernicus_source),
    },
    "unosat": {"regions": (UNOSAT, _unosat), "buildings": (UNOSAT, _unosat)},
}
