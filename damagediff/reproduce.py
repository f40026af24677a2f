"""Computes a run again and compares file by file: identical, equal within a tolerance, or different."""

from __future__ import annotations

import csv
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from . import digests, environment, json_text, raster, saved, tiles, versions, wording
from .errors import EvidenceError, InputError
from .settings import ReadSettings
from .types import Array, Source

Outcome = Literal["identical", "equal within the tolerance", "different"]

NUMBER_TOLERANCE = 1e-4
"""Relative, absolute near zero: what another processor or library may change in the last digits of sums."""
RANK_TOLERANCE = 0.01
RANKS = ("p_value", "as_high_share")
"""Numbers that are ranks among some hundred places: they jump where a score changes in its last digit."""
ROUNDED = ("measured",)
"""Numbers that are written with few digits, and may differ by one in the last of them."""
RASTER_TOLERANCE = {"change_score.tif": 1e-3, "change_mask.tif": 0.0, "geometry.tif": 1e-2}
"""Largest difference of the score, of classes, and of places in pixels; images may differ by a grey level."""
GREY_LEVELS = 1.0
PLACE_TOLERANCE = 1e-6
"""Of each number of a raster's transform, in its units."""
RASTER_SHARE = 1e-3
"""Share of pixels that may differ by more, where a value lies on an edge."""
ARRAY_SHARE = 1e-3
"""The same of the arrays in comparison.zip, whose values may differ as images do."""
MAX_SHOWN = 5
"""Differences that are named; the others are counted."""
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
    by_kind = {".tif": _rasters, ".json": _texts, ".geojson": _texts, ".csv": _tables, ".zip": _saved}
    if path.suffix in by_kind:
        try:
            return by_kind[path.suffix](folder / name, path)
        except (ValueError, KeyError, RecursionError, zipfile.BadZipFile, EvidenceError, InputError) as error:
            return Compared(name, "different", f"cannot be read to be compared: {error}")
    if name.endswith(DRAWN):
        return Compared(name, "equal within the tolerance", OTHER_BYTES)
    return Compared(name, "different", "other bytes")


OTHER_BYTES = "other bytes, not compared: drawn here from results that agree"
FORGED = "other bytes, though its results, the versions and the kind of machine are the same"
EQUAL: Outcome = "equal within the tolerance"
RESULTS = ("results.json", saved.FILE)
"""What everything drawn is drawn from."""


def added(compared: Sequence[Compared], again: Path) -> Iterator[Compared]:
    """What is made again and is not in the run: somebody may have taken it out of the manifest."""
    names = {item.name for item in compared}
    for path in sorted(again.iterdir()):
        if path.name not in names:
            yield Compared(path.name, "different", "is made here, and the run does not list it")


def steps(manifest: dict[str, Any], again: Any) -> Iterator[Compared]:
    """What the manifest says was done to the pixels, where that is not what was done now."""
    now = json_text.once(json_text.to_json({"transformations": again}))
    said = {"transformations": manifest.get("transformations", now["transformations"])}
    found = _judged("manifest.json", _differences(said, now, ""))
    if found.outcome == "different":
        yield found


def alike(manifest: dict[str, Any]) -> bool:
    """Whether a run says that it was made by these versions on this kind of machine."""
    said, here = manifest.get("environment"), environment.describe()
    known = isinstance(said, dict) and all(said.get(key) == value for key, value in here.items())
    return known and not other_versions(manifest)


def together(compared: Sequence[Compared], exact: bool = False) -> tuple[Compared, ...]:
    """The same of a whole run: what is drawn from results that differ is not called equal.

    Parameters
    ----------
    exact : bool
        Versions and machine are those of the run: from the same results the same bytes must come, or
        somebody drew something else.
    """
    same = {item.name for item in compared if item.outcome == "identical"}
    if exact and same.issuperset(RESULTS):
        return tuple(
            replace(item, outcome="different", words=FORGED) if item.outcome == EQUAL else item
            for item in compared
        )
    measured = [item.name for item in compared if item.outcome == "different"]
    if not measured:
        return tuple(compared)
    words = f"other bytes, drawn from results that differ ({measured[0]})"
    return tuple(
        replace(item, outcome="different", words=words) if item.words == OTHER_BYTES else item
        for item in compared
    )


def _rasters(old: Path, new: Path) -> Compared:
    """Two rasters of a run, block by block."""
    first, second = (raster.inspect(Source(path), ReadSettings()) for path in (old, new))
    if (first.shape, first.roles, first.crs) != (second.shape, second.roles, second.crs):
        return Compared(old.name, "different", "another size, other bands or another coordinate system")
    if not first.transform.almost_equals(second.transform, PLACE_TOLERANCE):
        return Compared(old.name, "different", "lies at another place")
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


def _texts(old: Path, new: Path) -> Compared:
    """Two result files: the same keys and words, and numbers that differ in their last digits only."""
    first, second = (json_text.once(path.read_text(encoding="utf-8")) for path in (old, new))
    return _judged(old.name, _differences(first, second, ""))


def _tables(old: Path, new: Path) -> Compared:
    """Two tables: the same, cell by cell, named by line and column."""
    first, second = (_cells(path) for path in (old, new))
    return _judged(old.name, _differences(first, second, ""))


def _cells(path: Path) -> dict[str, Any]:
    """The cells of a table by line and column, numbers as numbers."""
    with path.open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    named = {
        f"line {n}": dict(zip(head, map(_number, row), strict=True)) for n, row in enumerate(rows, start=2)
    }
    return {"columns": ", ".join(head)} | named


def _number(cell: str) -> float | str:
    try:
        return float(cell)
    except ValueError:
        return cell


def _saved(old: Path, new: Path) -> Compared:
    """Two saved comparisons: the same words and numbers, and arrays that differ as rasters may."""
    with zipfile.ZipFile(old) as first, zipfile.ZipFile(new) as second:
        if first.namelist() != second.namelist():
            return Compared(old.name, "different", "other arrays")
        old_text, new_text = (json_text.once(saved.text(archive).decode()) for archive in (first, second))
        found = list(_differences(old_text, new_text, ""))
        for name in first.namelist():
            if name != saved.TEXT:
                found += _arrays(name, saved.array(first, name), saved.array(second, name))
    return _judged(old.name, found)


def _arrays(name: str, first: Array, second: Array) -> Iterator[Difference]:
    """How far two arrays are apart, as one difference of their worst values."""
    if first.shape != second.shape or first.dtype != second.dtype:
        yield Difference(name, f"{first.dtype}{first.shape}", f"{second.dtype}{second.shape}", None)
        return
    if first.dtype.kind not in "fiu":
        if not np.array_equal(first, second):
            yield Difference(name, "", f"{np.mean(first != second):.2%} of its values are others", None)
        return
    one, other = first.astype(np.float64), second.astype(np.float64)
    apart = np.nan_to_num(np.abs(one - other), posinf=0.0)
    apart[np.isfinite(one) != np.isfinite(other)] = np.inf
    whole = first.dtype.kind in "iu"
    allowed = GREY_LEVELS if whole else NUMBER_TOLERANCE * np.maximum(1.0, np.nan_to_num(np.abs(one)))
    beyond = float(np.mean(apart > allowed)) if apart.size else 0.0
    if beyond > ARRAY_SHARE:
        yield Difference(name, "", f"{beyond:.2%} of its values by more than is allowed", None)
    elif apart.any():
        finite = apart[np.isfinite(apart)]
        yield Difference(name, 0.0, 0.0, float(finite.max()) if finite.size else 0.0)


@dataclass(frozen=True)
class Difference:
    """One value that is another one now."""

    key: str
    old: Any
    new: Any
    within: float | None
    """How far apart, absolute below 1 and relative above; None: more than the tolerance, or no number."""


def _judged(name: str, found: Iterable[Difference]) -> Compared:
    """What the differences of one file come to, with the numbers."""
    told = [each for each in found if VERSIONS.match(each.key) is None]
    beyond = [each for each in told if each.within is None]
    if beyond:
        shown = ", ".join(
            f"{each.key} {_short(each.old)} → {_short(each.new)}" for each in beyond[:MAX_SHOWN]
        )
        more = " ..." if beyond[MAX_SHOWN:] else ""
        return Compared(name, "different", f"{len(beyond)} values differ: {shown}{more}")
    largest = max(told, key=lambda each: each.within or 0.0, default=None)
    if largest is None:
        return Compared(name, "equal within the tolerance", "only versions differ")
    words = f"{len(told)} numbers differ, by {largest.within:.1g} at most ({largest.key})"
    return Compared(name, "equal within the tolerance", words)


VERSIONS = re.compile(r"(comparison\.\$Comparison\.)?versions\.")
"""Keys of what is told of versions: those are listed apart."""


def _short(value: Any) -> str:
    """A value in a few characters; a whole table is only counted."""
    if isinstance(value, dict | list):
        return f"{len(value)} entries"
    return wording.plain("nothing" if value is None else str(value), 40)


def _differences(first: Any, second: Any, key: str) -> Iterator[Difference]:
    if isinstance(first, dict) and isinstance(second, dict):
        for name in sorted({*first, *second}):
            yield from _differences(first.get(name), second.get(name), f"{key}.{name}".lstrip("."))
    elif isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        for k, pair in enumerate(zip(first, second, strict=True)):
            yield from _differences(*pair, f"{key}[{k}]")
    elif first != second and not (first != first and second != second):  # NaN is what it was
        yield Difference(key, first, second, _within(first, second, key.rpartition(".")[2]))


def _within(first: Any, second: Any, name: str) -> float | None:
    """How far two numbers are apart where the tolerance allows it."""
    if not (_is_number(first) and _is_number(second)):
        return None
    apart = abs(first - second) / max(1.0, abs(first), abs(second))
    rounded = name in ROUNDED and abs(first - second) < 1.5 * _last_digit(first, second)
    allowed = RANK_TOLERANCE if name in RANKS else NUMBER_TOLERANCE
    return apart if apart <= allowed or rounded else None


def _last_digit(first: float, second: float) -> float:
    """What one is worth in the last written digit of two numbers, 0 for whole ones."""
    digits = max(len(repr(value).partition(".")[2].rstrip("0")) for value in (first, second))
    return 10.0**-digits if digits else 0.0


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
