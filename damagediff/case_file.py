"""``case.toml``: one comparison written down, with its sources, its claims and its settings.

Every key is the option of the command line of that name; docs/case.schema.json is made from these tables.
"""

from __future__ import annotations

import dataclasses
import datetime
import tomllib
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Literal

from . import wording
from .errors import InputError, SettingsError
from .types import Claim

MAX_BYTES = 4_000_000
SUFFIX = ".toml"
BESIDE = ("georeference", "footprints", "tie_points", "exclude", "aoi", "stable", "font")
PATHS = ("file", "world_file", "output", *BESIDE)
"""Keys that name files: inside the folder of the case, so that a case can be moved and passed on."""


@dataclass(frozen=True)
class ImageTable:
    """One image: its file, and what is known of it."""

    __pydantic_config__ = {"extra": "forbid"}

    file: str
    """Path from the case file's folder."""
    date: str | None = None
    """When it was taken, UTC: 2020-10-04 or 2020-10-04T07:52Z."""
    credit: str | None = None
    """Who is to be credited."""
    url: str | None = None
    """Where it was found."""
    publisher: str | None = None
    licence: str | None = None
    captured_by: str | None = None
    """Who saved it."""
    captured_at: str | None = None
    """When it was saved, UTC."""
    archive: str | None = None
    """Where a copy of the page is archived."""
    original_sha256: str | None = None
    """SHA-256 of the file as it was saved."""
    bands: str | None = None
    """Role of each band, such as blue,green,red,nir."""
    crs: str | None = None
    """EPSG:n, for a file that names none."""
    world_file: str | None = None


@dataclass(frozen=True)
class BaselineTable:
    """A further, older image of the place."""

    __pydantic_config__ = {"extra": "forbid"}

    file: str
    date: str | None = None


@dataclass(frozen=True)
class ClaimTable:
    """What somebody says about the place, quoted, and where."""

    __pydantic_config__ = {"extra": "forbid"}

    text: str
    source: str | None = None


@dataclass(frozen=True)
class CaseTable:
    """The whole file."""

    __pydantic_config__ = {"extra": "forbid"}

    before: ImageTable
    after: ImageTable | None = None
    """Left out when the before image is one picture that holds both."""
    format: Literal[1] = 1
    """Version of this layout."""
    title: str = ""
    event_date: str | None = None
    """When what is asked about happened, as stated: the images are never dated by it."""
    place: str | None = None
    """Latitude and longitude in degrees, such as 40.68,46.36: for the sun, nothing is measured by it."""
    gsd: float | None = None
    """Pixel size of a before image without georeference, metres."""
    scale_bar: str | None = None
    """X1,Y1,X2,Y2,METRES[,PX]: two points of the before image and their distance."""
    georeference: str | None = None
    """CSV of places of the before image found on a map."""
    order: Literal["before-first", "after-first"] | None = None
    """Of the panels of one picture that holds both."""
    panels: tuple[str, str] | None = None
    """x,y,w,h of both panels of one picture, in pixels."""
    footprints: str | None = None
    tie_points: str | None = None
    exclude: str | None = None
    aoi: str | None = None
    stable: str | None = None
    """Places where only ordinary change can be."""
    font: str | None = None
    """TrueType or OpenType font for characters of the figures that the bundled one lacks."""
    baseline: tuple[BaselineTable, ...] = ()
    claim: tuple[ClaimTable, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    """As in a settings file: `damagediff settings` lists them."""
    output: str | None = None
    """Run folder to write."""


def read(path: Path) -> CaseTable:
    """Read and check a case file.

    Raises
    ------
    InputError
        The file is missing, too large, or no TOML.
    SettingsError
        A key is unknown, of the wrong type, or names a file outside the case's folder; the message names it.
    """
    name = wording.plain(path.name)
    try:
        if path.stat().st_size > MAX_BYTES or not path.is_file():
            raise InputError(
                f"{name}: not a case file: no regular file of at most {MAX_BYTES:,} bytes. damagediff init "
                "writes one"
            )
        values = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise InputError(
            f"{name}: cannot be read: {error.strerror or error}. Check its name and its permissions"
        ) from None
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{name}: not a TOML file: {wording.plain(str(error), 300)}. Texts stand in quotes; damagediff "
            "init writes an example"
        ) from None
    return checked(name, _dates_as_text(values))


def _dates_as_text(value: Any) -> Any:
    """Dates may be written as TOML's own or as text."""
    if isinstance(value, dict):
        return {key: _dates_as_text(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_dates_as_text(item) for item in value]
    return value.isoformat() if isinstance(value, datetime.date | datetime.datetime) else value


def checked(name: str, values: dict[str, Any]) -> CaseTable:
    """The values of a case, each of the right type, its paths inside the folder.

    Raises
    ------
    SettingsError
        They are not; the message begins with `name`, of the file, and names the key.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        table = TypeAdapter(CaseTable).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise SettingsError(_wrong(name, first["type"], first["loc"], _why(dict(first)))) from None
    for key, value in _paths(table, ""):
        _check_inside(name, key, value)
    return table


def _wrong(name: str, kind: str, place: tuple[int | str, ...], why: str) -> str:
    key = wording.plain(".".join(str(part) for part in place), 200)
    if kind in ("unexpected_keyword_argument", "extra_forbidden"):
        return f"{name}: unknown key {key}; `damagediff init` writes a file with all of them"
    return f"{name}: {key}: {wording.plain(why, 300)}"


_WHY = {
    "missing": "is missing",
    "string_type": "must be a text in quotation marks",
    "dataclass_type": "must be a table of keys",
    "dict_type": "must be a table of keys",
    "tuple_type": "must be a list",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "too_long": "holds too many values",
}
"""What is wrong with a value, by the kind of error."""


def _why(error: dict[str, Any]) -> str:
    """In words of the file and not of the library that checks it."""
    if error["type"] == "literal_error":
        return f"must be {error['ctx']['expected']}"
    return _WHY.get(error["type"], str(error["msg"]).replace("Input should", "must"))


def _paths(table: Any, before: str) -> list[tuple[str, str]]:
    found = []
    for each in dataclasses.fields(table):
        value, key = getattr(table, each.name), f"{before}{each.name}"
        if dataclasses.is_dataclass(value):
            found += _paths(value, f"{key}.")
        elif isinstance(value, tuple):
            for k, item in enumerate(value):
                found += _paths(item, f"{key}[{k}].") if dataclasses.is_dataclass(item) else []
        elif each.name in PATHS and value is not None:
            found.append((key, value))
    return found


def _check_inside(name: str, key: str, value: str) -> None:
    """Refuse a path that leads out of the case's folder, written for any system."""
    posix, windows = PurePosixPath(value), PureWindowsPath(value)
    out = posix.is_absolute() or windows.is_absolute() or windows.drive or ".." in windows.parts
    if out or not value.strip() or value.startswith("~") or "\0" in value:
        shown = wording.plain(value, 200)
        raise SettingsError(
            f"{name}: {key} = {shown!r}: must be a path inside the folder of the case file, without .."
        )


def check_links(table: CaseTable, folder: Path) -> None:
    """Refuse a file that is inside the folder by its name, and outside by a symbolic link.

    Raises
    ------
    SettingsError
        With the key.
    """
    real = folder.resolve()
    for key, value in _paths(table, ""):
        if not (folder / value).resolve().is_relative_to(real):
            shown = wording.plain(value, 200)
            raise SettingsError(
                f"{key} = {shown!r}: leads out of the folder of the case by a link. Copy the file into it"
            )


def given(table: CaseTable, folder: Path) -> dict[str, Any]:
    """The values of a case by the names of the command line's options, with paths in `folder`."""

    def path(value: str | None) -> Path | None:
        return None if value is None else folder / value

    told: dict[str, Any] = {}
    for side in ("before", "after"):
        image = getattr(table, side) or ImageTable("")
        told |= {f"{side}_{each.name}": getattr(image, each.name) for each in dataclasses.fields(image)}
        told[f"{side}_world_file"] = path(image.world_file)
    for key in ("title", "event_date", "place", "gsd", "scale_bar", "order"):
        told[key] = getattr(table, key)
    for key in BESIDE:
        told[key] = path(getattr(table, key))
    told["panels"] = table.panels or ()
    told["baselines"] = tuple(folder / each.file for each in table.baseline)
    dates = tuple(each.date for each in table.baseline if each.date is not None)
    if dates and len(dates) != len(table.baseline):
        raise SettingsError("baseline: give each of them a date, or none")
    told["baseline_dates"] = dates
    told["claims"] = tuple(Claim(each.text, each.source or "") for each in table.claim)
    return told


def schema() -> dict[str, Any]:
    """The JSON Schema of a case file, for editors and other programs."""
    from pydantic import TypeAdapter

    found: dict[str, Any] = TypeAdapter(CaseTable).json_schema()
    draft = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": draft} | found | {"title": "damagediff case file"}
