"""Part of `api`: what a program gives, as a case and settings."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path, PurePosixPath
from typing import Any, TypedDict

import numpy as np

from . import array_file, source_record
from . import settings as options
from .array_file import Raster
from .errors import InputError, OutputError, SettingsError
from .settings import Settings
from .types import Array, Case, DatePrecision, Source

FilePath = str | os.PathLike[str]
Picture = FilePath | Source | Raster | Array
"""One image: a file, a file with what is known of it, an array with its place, an array of plain pixels."""
Asked = Settings | Mapping[str, Any] | FilePath | None
"""Settings: made, as nested values, as a TOML file, or those that are shipped."""


class About(TypedDict, total=False):
    """What may be told of a pair beside its two images, each by its name; all of it is optional."""

    title: str
    """What is compared."""
    before_date: str | date | datetime
    """When the before image was taken, UTC: ``2020-10-04``, ``2020-10-04T07:52Z``, a date or a datetime."""
    after_date: str | date | datetime
    """The same of the after image."""
    event_date: str | date | datetime
    """When what is asked about happened, as stated: no image is dated by it."""
    before_credit: str
    """Who is to be credited."""
    after_credit: str
    """The same of the after image."""
    gsd_m: float
    """Metres on the ground of one pixel of a before image without georeference."""
    place: tuple[float, float]
    """(latitude, longitude) in degrees, for the sun; nothing is measured by it."""
    footprints: FilePath
    """Building outlines: GeoJSON, CSV with WKT, GeoPackage."""
    tie_points: FilePath
    """CSV of places marked by hand in both images."""
    exclude: FilePath
    """Polygons or raster of places that are not to be looked at."""
    aoi: FilePath
    """Polygons or raster of the area of interest."""
    stable: FilePath
    """Polygons or raster of places where only ordinary change can be."""
    baselines: Sequence[FilePath | Source]
    """Further, older images of the place."""
    font: FilePath
    """TrueType or OpenType font for characters that the bundled one lacks."""


_FILES = ("footprints", "tie_points", "exclude", "aoi", "stable", "font")


def settings_of(asked: Asked) -> Settings:
    """Settings from what was given.

    Raises
    ------
    SettingsError
        It is none of those kinds, or not accepted.
    """
    if asked is None:
        return Settings()
    if isinstance(asked, Settings):
        return asked
    if isinstance(asked, Mapping):
        return options.from_dict(dict(asked))
    if isinstance(asked, str | os.PathLike):
        return options.load(Path(asked))
    raise SettingsError(
        f"settings: expected Settings, a mapping or the path of a TOML file, got {type(asked).__name__}"
    )


def case_of(before: Picture, after: Picture | None, about: About, folder: Path) -> Case:
    """The case of two images; arrays are written into `folder` first.

    Raises
    ------
    InputError, OutputError
        An array is no image, or cannot be written.
    SettingsError
        What is told of the pair cannot be so.
    TypeError
        There is no such keyword.
    """
    unknown = sorted(set(about) - set(About.__annotations__))
    if unknown:
        raise TypeError(
            f"compare() has no keyword {unknown[0]!r}; known are {', '.join(About.__annotations__)}"
        )
    event, event_precision = _moment("event_date", about)
    given: Mapping[str, Any] = about
    files: dict[str, Any] = {key: _path(key, given[key]) for key in _FILES if given.get(key) is not None}
    return Case(
        before=_source("before", before, about, folder),
        after=_source("after", after, about, folder),
        title=_title(given.get("title")),
        event=event,
        event_precision=event_precision,
        gsd_m=_gsd_m(given.get("gsd_m")),
        place=_place(given.get("place")),
        baselines=_baselines(given.get("baselines")),
        taken_for_utc=tuple(
            words
            for words, key in (
                ("the before image", "before_date"),
                ("the after image", "after_date"),
                ("the event", "event_date"),
            )
            if _without_zone(given.get(key))
        ),
        **files,
    )


def checked(case: Case) -> Case:
    """A case that a program made, with paths where it has texts.

    Raises
    ------
    SettingsError
        What should be an image, a file or a title is none.
    """
    sides = {side: _as_source(side, getattr(case, side)) for side in ("before", "after")}
    files = {key: _path(key, getattr(case, key)) for key in _FILES if getattr(case, key) is not None}
    told: dict[str, Any] = {**sides, **files, "title": _title(case.title)}
    return dataclasses.replace(case, **told, baselines=_baselines(case.baselines))


def _as_source(key: str, given: Any) -> Source:
    """One file with what is known of it."""
    if isinstance(given, Source):
        return dataclasses.replace(given, path=_path(key, given.path))
    return Source(_path(key, given))


def _path(key: str, given: Any) -> Path:
    if not isinstance(given, str | os.PathLike):
        raise SettingsError(f"{key}: a {type(given).__name__} is no file. Give its path")
    return Path(given)


def folder(given: FilePath) -> Path:
    """A run folder that is to be made.

    Raises
    ------
    OutputError
        No folder can have that name.
    """
    if not isinstance(given, str | os.PathLike) or "\0" in os.fspath(given):
        raise OutputError(f"{str(given)[:60]!r}: no name for a run folder. Give the path of a new one")
    return Path(given)


def _title(given: Any) -> str:
    if not isinstance(given, str | None):
        raise SettingsError(f"title = {str(given)[:40]!r}: must be a text")
    return given or ""


def _is_number(given: Any) -> bool:
    return isinstance(given, int | float | np.integer | np.floating) and not isinstance(given, bool)


def _gsd_m(given: Any) -> float | None:
    if given is None:
        return None
    if not _is_number(given) or not 0 < given < 1e5:
        raise SettingsError(
            f"gsd_m = {str(given)[:40]}: a pixel size must be a number of metres above 0 and below 100,000"
        )
    return float(given)


def _place(given: Any) -> tuple[float, float] | None:
    if given is None:
        return None
    pair = tuple(given) if isinstance(given, Sequence | np.ndarray) else ()
    if not (len(pair) == 2 and all(map(_is_number, pair)) and abs(pair[0]) <= 90 and abs(pair[1]) <= 180):
        raise SettingsError(
            f"place = {str(given)[:40]}: latitude comes first, -90 to 90, then longitude, -180 to 180 degrees"
        )
    return float(pair[0]), float(pair[1])


def _baselines(given: Any) -> tuple[Source, ...]:
    if not isinstance(given, list | tuple | None):
        raise SettingsError(f"baselines: a {type(given).__name__} is no list of files. Give [path, path]")
    return tuple(_as_source("baselines", each) for each in given or ())


def _source(side: str, picture: Picture | None, about: About, folder: Path) -> Source:
    """One image as a file, with what is told of it."""
    given: Mapping[str, Any] = about
    if isinstance(picture, Source):
        source = _as_source(side, picture)
    elif isinstance(picture, Raster | np.ndarray):
        raster = picture if isinstance(picture, Raster) else Raster(picture)
        place = folder / side
        place.mkdir()
        source = Source(raster.save(place / _file_name(side if raster.name is None else raster.name)))
    elif isinstance(picture, str | os.PathLike):
        source = Source(Path(picture))
    else:
        raise InputError(
            f"{side}: a {type(picture).__name__} is no image: give a path, a Source, a Raster or an array"
        )
    if given.get(f"{side}_date") is not None:
        acquired, precision = _moment(f"{side}_date", about)
        source = dataclasses.replace(source, acquired=acquired, acquired_precision=precision)
    if given.get(f"{side}_credit") is not None:
        record = source_record.stated(side, {f"{side}_credit": given[f"{side}_credit"]}, source.record)
        source = dataclasses.replace(source, credit=record.credit, record=record)
    return source


def _file_name(name: str) -> str:
    """The name of an array as that of a file, which reports show."""
    long = not isinstance(name, str) or len(os.fsencode(name)) > array_file.MAX_NAME_BYTES
    if long or not name.strip(" .") or PurePosixPath(name).name != name or any(c in name for c in "\\\0"):
        raise InputError(
            f"{str(name)[:60]!r}: no name for an array: it must be that of a file, without folders"
        )
    return f"{name}.tif"


def _moment(key: str, about: About) -> tuple[datetime | None, DatePrecision]:
    value = about.get(key)
    if value is None:
        return None, "day"
    try:
        return source_record.moment(value)
    except ValueError as error:
        raise SettingsError(f"{key} = {str(value)[:40]!r}: {error}") from None


def _without_zone(value: str | date | datetime | None) -> bool:
    """Whether it is a time of day without its zone, one that `_moment` takes: it is taken for UTC."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value.strip()) if len(value.strip()) > len("2020-10-04") else None
    return isinstance(value, datetime) and value.tzinfo is None
