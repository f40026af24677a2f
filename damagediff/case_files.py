"""The files that a case names, and the case as plain values: what it takes to repeat a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from .errors import EvidenceError
from .types import Case

ROLES = {
    "before.path": "before",
    "after.path": "after",
    "before.map_points": "points of the georeference",
    "exclude": "excluded places",
    "aoi": "area of interest",
    "stable": "stable places",
}
"""What a reader calls a file, where the name of the field does not say it."""


def named(case: Case) -> Iterator[tuple[str, Path]]:
    """(field, path) of every file that a case names, by its fields: ``before.path`` and so on."""
    yield from _paths(case, "")


def _paths(value: Any, field: str) -> Iterator[tuple[str, Path]]:
    if isinstance(value, Path):
        yield field, value
    elif dataclasses.is_dataclass(value):
        for each in dataclasses.fields(value):
            yield from _paths(getattr(value, each.name), f"{field}.{each.name}".lstrip("."))
    elif isinstance(value, tuple):
        for k, item in enumerate(value):
            yield from _paths(item, f"{field}.{k}")


def role(field: str) -> str:
    """How a reader calls the file of a field."""
    if field.startswith("baselines."):
        return "baseline" if field.endswith(".path") else "baseline world file"
    return ROLES.get(field, field.replace("_", " ").replace(".", " "))


def to_values(case: Case) -> dict[str, Any]:
    """The case without its files, as values that JSON can hold."""
    plain: dict[str, Any] = _plain(case)
    return plain


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        kept = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return {name: _plain(item) for name, item in kept.items() if not _holds_paths(item)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, datetime) else value


def _holds_paths(value: Any) -> bool:
    return isinstance(value, Path) or (
        isinstance(value, tuple) and bool(value) and all(isinstance(item, Path) for item in value)
    )


def from_values(values: Mapping[str, Any], files: Mapping[str, Path]) -> Case:
    """The case again, with its files where they are now.

    Parameters
    ----------
    values : mapping
        Of `to_values`.
    files : mapping
        Path of each field, as `named` calls it.

    Raises
    ------
    EvidenceError
        The values are not those of a case, or name a file themselves.
    """
    from pydantic import TypeAdapter, ValidationError

    whole = _copy(values)
    lists: dict[tuple[str, ...], list[Path]] = {}
    for field, path in files.items():
        *tables, name = field.split(".")
        if name.isdigit():
            lists.setdefault(tuple(tables), []).append(path)
        else:
            _table(whole, tables)[name] = path
    for (*tables, name), paths in lists.items():
        _table(whole, tables)[name] = paths
    try:
        case = TypeAdapter(Case).validate_python(whole)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise EvidenceError(
            f"the manifest's case cannot be read: {key}: {first['msg']}. Make the run anew"
        ) from None
    stray = [field for field, _ in named(case) if field not in files]
    if stray:  # else whoever sends a run could have any file, or host with shared folders, opened
        raise EvidenceError(
            f"the manifest's case cannot be read: it says itself where {stray[0]} lies. Make the run anew"
        )
    return case


def _copy(values: Any) -> Any:
    if isinstance(values, Mapping):
        return {key: _copy(item) for key, item in values.items()}
    return [_copy(item) for item in values] if isinstance(values, list) else values


def _table(values: Any, names: list[str]) -> dict[str, Any]:
    """The table under these names; numbers count in a list."""
    found = values
    for name in names:
        try:
            found = found[int(name)] if isinstance(found, list) else found.setdefault(name, {})
        except (ValueError, IndexError, AttributeError):
            raise EvidenceError(
                f"the manifest's case cannot be read: it holds no {'.'.join(names)}. Make the run anew"
            ) from None
    if not isinstance(found, dict):
        raise EvidenceError(
            f"the manifest's case cannot be read: {'.'.join(names)} is no table. Make the run anew"
        )
    return found
