"""A comparison as a file, and back: so that a run can be drawn again without being computed again.

A ZIP file with one JSON text and plain arrays. It is read as untrusted: only the frozen nouns of `types` are
made from it, of parts of their announced types, nothing is unpickled, and its size is limited before anything
is unpacked.
"""

from __future__ import annotations

import dataclasses
import io
import json
import types
import typing
import zipfile
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from affine import Affine

from .errors import EvidenceError
from .types import Comparison, Window

FILE = "comparison.zip"
TEXT = "comparison.json"
VERSION = 1
OLDEST = (1980, 1, 1, 0, 0, 0)
"""The time that every entry gets: a ZIP file knows none before."""
MAX_BYTES = 4_000_000_000
"""Of everything unpacked."""
LARGEST = 2**53
"""Of the whole numbers, those that are also floats."""
LEVEL = 2
"""Smaller than at 6, on pictures and scores, in less time (docs/performance.md)."""


@cache
def nouns() -> dict[str, type]:
    """Every frozen dataclass that a `Comparison` may hold, by name."""
    found: dict[str, type] = {}
    left: list[Any] = [Comparison]
    while left:
        kind = left.pop()
        left += typing.get_args(kind)
        if dataclasses.is_dataclass(kind) and isinstance(kind, type) and kind.__name__ not in found:
            found[kind.__name__] = kind
            left += typing.get_type_hints(kind).values()
    return found


def write(comparison: Comparison, folder: Path) -> None:
    """Write `FILE` into a run folder. The same comparison gives the same bytes.

    Of the paths in it only the names are kept.

    Raises
    ------
    OSError
        The disk refuses.
    """
    arrays: list[np.ndarray[Any, Any]] = []
    said = json.dumps({"version": VERSION, "comparison": _plain(comparison, arrays)}, sort_keys=True)
    with zipfile.ZipFile(folder / FILE, "w") as archive:
        for name, data in ((TEXT, said.encode()), *_files(arrays)):
            info = zipfile.ZipInfo(name, OLDEST)
            info.create_system, info.external_attr = 3, 0o644 << 16
            archive.writestr(info, data, zipfile.ZIP_DEFLATED, LEVEL)


def _files(arrays: list[np.ndarray[Any, Any]]) -> Iterator[tuple[str, bytes]]:
    for number, array in enumerate(arrays):
        target = io.BytesIO()
        np.lib.format.write_array(target, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
        yield f"{number}.npy", target.getvalue()


def _plain(value: Any, arrays: list[np.ndarray[Any, Any]]) -> Any:
    """A value as JSON: what JSON has no word for is an object with one key that begins with a dollar sign."""
    if isinstance(value, np.ndarray):
        arrays.append(value)
        return {"$array": len(arrays) - 1}
    if isinstance(value, Window):
        return {"$window": [int(n) for n in value]}
    if isinstance(value, Affine):
        return {"$affine": [float(n) for n in tuple(value)[:6]]}
    if isinstance(value, Path):
        return {"$path": value.name}
    if isinstance(value, datetime):
        return {"$time": value.isoformat()}
    if dataclasses.is_dataclass(value):
        kept = {f.name: _plain(getattr(value, f.name), arrays) for f in dataclasses.fields(value)}
        return {"$" + type(value).__name__: kept}
    if isinstance(value, tuple):
        return {"$tuple": [_plain(item, arrays) for item in value]}
    if isinstance(value, list):
        return [_plain(item, arrays) for item in value]
    if isinstance(value, dict):
        return {"$dict": [[_plain(key, arrays), _plain(item, arrays)] for key, item in value.items()]}
    return value.item() if isinstance(value, np.generic) else value


def read(folder: Path) -> Comparison:
    """The comparison of a run.

    Raises
    ------
    EvidenceError
        The file is missing, damaged, or not one that this version can read.
    """
    path = folder / FILE
    try:
        with zipfile.ZipFile(path) as archive:
            said = json.loads(text(archive))
            if said["version"] != VERSION:
                raise ValueError(f"its version is {said['version']!r}, this one reads {VERSION}")
            found = _value(said["comparison"], archive)
    except FileNotFoundError:
        raise EvidenceError(
            f"{folder}: holds no {FILE}: not a run that can be drawn again. Compare the images again"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError, zipfile.BadZipFile) as error:
        raise EvidenceError(
            f"{path}: cannot be read: {error}. damagediff verify says whether it was changed"
        ) from None
    if not isinstance(found, Comparison):
        raise EvidenceError(f"{path}: holds no comparison. Compare the images again")
    return found


def text(archive: zipfile.ZipFile) -> bytes:
    """The JSON text of a saved comparison; ValueError when the archive unpacks to more than `MAX_BYTES`."""
    if sum(info.file_size for info in archive.infolist()) > MAX_BYTES:
        raise ValueError(f"it unpacks to more than {MAX_BYTES:,} bytes")
    return archive.read(TEXT)


def array(archive: zipfile.ZipFile, name: str) -> np.ndarray[Any, Any]:
    """One of its arrays, whose size `text` has limited; ValueError when it is none."""
    found: np.ndarray[Any, Any] = np.lib.format.read_array(io.BytesIO(archive.read(name)), allow_pickle=False)
    return found


def _value(said: Any, archive: zipfile.ZipFile) -> Any:
    if isinstance(said, list):
        return [_value(item, archive) for item in said]
    if not isinstance(said, dict):
        return said
    ((name, held),) = said.items()
    match name:
        case "$array":
            return array(archive, f"{int(held)}.npy")
        case "$window":
            return Window(*map(int, held))
        case "$affine":
            return Affine(*map(float, held))
        case "$path":
            return Path(PurePosixPath(held).name)
        case "$time":
            return datetime.fromisoformat(held)
        case "$tuple":
            return tuple(_value(item, archive) for item in held)
        case "$dict":
            return {_value(key, archive): _value(item, archive) for key, item in held}
    kind = nouns()[name.removeprefix("$")]
    parts = {key: _value(item, archive) for key, item in held.items()}
    hints = _hints(kind)
    for key, part in parts.items():
        if key in hints and not _fits(part, hints[key]):
            raise TypeError(f"{kind.__name__}.{key} is {str(part)[:40]!r}")
    return kind(**parts)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value may stand where a type is announced; types that are not known here take all."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, part) for part in parts)
    if origin is typing.Literal:
        return any(type(value) is type(part) and value == part for part in parts)
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        kinds = [parts[0]] * len(value) if parts[1:] == (...,) else list(parts)
        return len(kinds) == len(value) and all(map(_fits, value, kinds))
    if origin is dict:
        return isinstance(value, dict) and all(
            _fits(key, parts[0]) and _fits(item, parts[1]) for key, item in value.items()
        )
    if hint is Any:
        return True
    if hint is float:
        return isinstance(value, float) or (_fits(value, int) and abs(value) < LARGEST)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    kind = origin or hint
    return isinstance(value, kind) if isinstance(kind, type) else True
