"""What the benchmarks of buildings share: labelled outlines on the before image, and a file of them."""

from __future__ import annotations

import json
from pathlib import Path

import _pairs
import cv2
import numpy as np

from damagediff import footprints, json_text, lonlat
from damagediff.types import Grid, Outline

MIN_PX = 16
"""A building smaller than one cell of the measure has no measurement of its own."""
CLASSES = (1, 2, 3, 4)
"""No damage, minor, major, destroyed: the Joint Damage Scale of xBD."""


def drawn(pair: Path, on: Grid) -> list[tuple[int, Outline]]:
    """(class, outline) on a grid: from a file, or from painted labels with their sides straightened."""
    if (pair / "buildings.geojson").exists():
        given = footprints.read(pair / "buildings.geojson", on)
        return [(int(f.properties["damage_model"]), f.parts_rc) for f in given]
    labels = _pairs.pixels(pair / "damage.png")[0][:, :, 0]
    found: list[tuple[int, Outline]] = []
    for kind in CLASSES:
        mask = (labels == kind).astype(np.uint8)
        for line in cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]:
            corners = cv2.approxPolyDP(line, 1.0, True)[:, 0, ::-1].astype(float)
            if len(corners) >= 3 and cv2.contourArea(line) >= MIN_PX:
                ring = tuple((float(r), float(c)) for r, c in (*corners, corners[0]))
                found.append((kind, ((ring,),)))
    return found


def moved(outline: Outline, shift_rc: np.ndarray) -> Outline:
    """An outline displaced by (rows, cols)."""
    dr, dc = (float(x) for x in shift_rc)
    return tuple(tuple(tuple((r + dr, c + dc) for r, c in ring) for ring in part) for part in outline)


def write(path: Path, outlines: list[tuple[int, Outline]], on: Grid) -> Path:
    """GeoJSON of the outlines, each with its class as a property."""
    features = [
        {"type": "Feature", "properties": {"class": kind}, "geometry": lonlat.geometry(outline, on)}
        for kind, outline in outlines
    ]
    content = {"type": "FeatureCollection", "features": features}
    path.write_text(json.dumps(json.loads(json_text.to_json(content))), encoding="utf-8")
    return path
