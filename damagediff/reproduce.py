"""Computes a run again and compares file by file: identical, equal within a tolerance, or different."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from . import digests, raster, tiles, versions
from .settings import ReadSettings
from .types import Source

Outcome = Literal["identical", "equal within the tolerance", "different"]

NUMBER_TOLERANCE = 1e-4
"""Relative: what another processor or library may change in the last digits of sums."""
RASTER_TOLERANCE = {"change_score.tif": 1e-3, "geometry.tif": 1e-2}
"""Largest difference of the score, and of places in pixels; images may differ by a grey level."""
GREY_LEVELS = 1.0
RASTER_SHARE = 1e-3
"""Share of pixels that may differ by more, where a value lies on an edge."""
DRAWN = (".png", ".html", ".pdf", ".svg", ".webp", ".gif")
"""Drawn from the results: their bytes depend on the versions that draw them."""


@dataclass(frozen=True)
class Compared:
    """One file of a run against the same file made again."""

    name: str
    outcome: Outcome
    words: str


def compare(item: dict[str, Any], folder: Path, again: Path) -> Compared:
    """One output of a run, as its manifest lists it, against the file of the same name in `again`."""
    name = item["name"]
    path = again / name
    if not path.is_file():
        return Compared(name, "different", "is not made by this version")
    if digests.entry(path)["sha256"] == item["sha256"]:
        return Compared(name, "identical", "the same bytes")
    if not (folder / name).is_file():
        return Compared(name, "different", "other bytes, and the file of the run is not here to compare with")
    if name.endswith(".tif"):
        return _rasters(folder / name, path)
    if name.endswith((".json", ".geojson")):
        return _numbers(folder / name, path)
    if name.endswith(DRAWN):
        return Compared(
            name, "equal within the tolerance", "other bytes, drawn from the results compared here"
        )
    return Compared(name, "different", "other bytes")


def _rasters(old: Path, new: Path) -> Compared:
    """Two rasters of a run, block by block."""
    first, second = (raster.inspect(Source(path), ReadSettings()) for path in (old, new))
    if (first.shape, first.roles, first.crs) != (second.shape, second.roles, second.crs):
        return Compared(old.name, "different", "another size, other bands or another coordinate system")
    allowed = RASTER_TOLERANCE.get(old.name, GREY_LEVELS)
    beyond, largest = 0, 0.0
    roles = ("red", "green", "blue") if "palette" in first.roles else first.roles
    with raster.Reader(first, roles) as a, raster.Reader(second, roles) as b:
        for window in tiles.plan(first.shape, 1024):
            (data, valid), (other, other_valid) = a.read(window), b.read(window)
            apart = np.abs(data - other).max(axis=0, where=valid & other_valid, initial=0.0)
            beyond += int((apart > allowed).sum() + (valid != other_valid).sum())
            largest = max(largest, float(apart.max()))
    share = beyond / (first.shape[0] * first.shape[1])
    words = f"largest difference {largest:.3g}, {share:.2%} of its pixels by more than {allowed:g}"
    return Compared(old.name, "different" if share > RASTER_SHARE else "equal within the tolerance", words)


def _numbers(old: Path, new: Path) -> Compared:
    """Two result files: the same keys and words, and numbers that differ in their last digits only."""
    first, second = (json.loads(path.read_text(encoding="utf-8")) for path in (old, new))
    others = [key for key in _differences(first, second, "") if not key.startswith("versions.")]
    if not others:
        return Compared(
            old.name, "equal within the tolerance", "numbers differ in their last digits, or versions"
        )
    shown = ", ".join(others[:5])
    return Compared(
        old.name, "different", f"{len(others)} values differ: {shown}{' ...' if others[5:] else ''}"
    )


def _differences(first: Any, second: Any, key: str) -> Iterator[str]:
    if isinstance(first, dict) and isinstance(second, dict):
        for name in sorted({*first, *second}):
            yield from _differences(first.get(name), second.get(name), f"{key}.{name}".lstrip("."))
    elif isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        for k, pair in enumerate(zip(first, second, strict=True)):
            yield from _differences(*pair, f"{key}[{k}]")
    elif _is_number(first) and _is_number(second):
        if not math.isclose(first, second, rel_tol=NUMBER_TOLERANCE, abs_tol=NUMBER_TOLERANCE):
            yield key
    elif first != second:
        yield key


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def other_versions(manifest: dict[str, Any]) -> tuple[str, ...]:
    """What has another version here than in the run, one sentence each."""
    here = versions.versions()
    said = manifest.get("versions", {})
    names = sorted({*here, *said})
    return tuple(
        f"{name} {said.get(name, 'not there')} in the run, {here.get(name, 'not there')} here"
        for name in names
        if said.get(name) != here.get(name)
    )
