"""Where a picture was found, by whom and when: from options and from a TOML file, checked, never looked up.

What to record follows the Berkeley Protocol on Digital Open Source Investigations (OHCHR and Human Rights
Center, 2022), paragraphs 153 to 155 and 167: what a picture needs that may become evidence.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from . import wording
from .errors import InputError, SettingsError
from .provenance import SOURCE_FIELDS, Precision, SourceRecord

MAX_TEXT, MAX_URL = 300, 2000
MAX_BYTES = 1_000_000
SIDES = ("before", "after")


def stated(side: str, given: Mapping[str, Any], record: SourceRecord) -> SourceRecord:
    """`record` with what the options ``--SIDE-url``, ``--SIDE-publisher`` and so on say in its place.

    Parameters
    ----------
    side : str
        ``before`` or ``after``.
    given : mapping
        Text by ``SIDE_field``; None and missing ones say nothing.

    Raises
    ------
    SettingsError
        A value is not what its option asks for.
    """
    values = {name: given.get(f"{side}_{name}") for name in SOURCE_FIELDS}
    for name, value in values.items():
        if value is None:
            continue
        try:
            record = _with(record, name, value)
        except ValueError as error:
            option = f"--{side}-{name.replace('_', '-')}"
            raise SettingsError(f"{option} {wording.plain(str(value), 80)}: {error}") from None
    return record


def read(path: Path) -> dict[str, SourceRecord]:
    """The records in the tables ``[before]`` and ``[after]`` of a TOML file; empty ones where it has none.

    Raises
    ------
    InputError
        The file is missing, not TOML, or says something else than a source record.
    """
    name = wording.plain(path.name)
    tables = _tables(path, name)
    strange = sorted(set(tables) - set(SIDES))
    if strange:
        raise InputError(
            f"{name}: {wording.plain(strange[0], 80)} is not known. Give the tables [before] and [after]"
        )
    records = dict.fromkeys(SIDES, SourceRecord())
    for side, table in tables.items():
        if not isinstance(table, dict):
            raise InputError(f"{name}: {side} must be a table: [{side}]")
        for key, value in table.items():
            records[side] = _from_table(name, side, records[side], (key, value))
    return records


def _tables(path: Path, name: str) -> dict[str, Any]:
    if path.exists() and not path.is_file():
        raise InputError(f"{name}: not a regular file. Give a TOML file")
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise InputError(
                f"{name}: not a TOML file of at most {MAX_BYTES:,} bytes. Give the tables [before] and "
                "[after] alone"
            )
        return tomllib.loads(content.decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError(
            f"{name}: not a readable TOML file: {wording.plain(text, 120)}. Texts stand in quotes: "
            'publisher = "Name"'
        ) from None


def _from_table(file: str, side: str, record: SourceRecord, entry: tuple[str, Any]) -> SourceRecord:
    key, value = entry
    if key not in SOURCE_FIELDS:
        raise InputError(
            f"{file}: [{side}] {wording.plain(key, 80)} is not known. Known are {', '.join(SOURCE_FIELDS)}"
        )
    try:
        return _with(record, key, value)
    except ValueError as error:
        raise InputError(f"{file}: [{side}] {key} = {wording.plain(str(value), 80)}: {error}") from None


def _with(record: SourceRecord, name: str, value: Any) -> SourceRecord:
    """The record with one more value, checked; ValueError says what is wrong."""
    if name == "captured_at":
        when, precision = moment(value)
        return replace(record, captured_at=when, captured_precision=precision)
    if not isinstance(value, str):
        raise ValueError("must be a text in quotation marks")
    told: dict[str, Any] = {name: CHECKS.get(name, text)(value)}
    return replace(record, **told)


def text(value: str) -> str:
    """One line without characters that steer; ValueError when nothing is left, or too much."""
    shown = wording.plain(value, len(value) + 1)
    if not shown:
        raise ValueError("empty. Leave it out when it is not known")
    if len(shown) > MAX_TEXT:
        raise ValueError(f"longer than {MAX_TEXT} characters")
    return shown


def link(value: str) -> str:
    """An address that begins with http:// or https:// and tells no password; ValueError otherwise."""
    shown = value.strip()
    if len(shown) > MAX_URL:
        raise ValueError(f"longer than {MAX_URL:,} characters")
    parts = urlsplit(shown)
    if parts.scheme not in ("http", "https") or not parts.hostname or wording.plain(shown, MAX_URL) != shown:
        raise ValueError("not an address that begins with https:// or http://")
    if re.search(r"\s", shown):
        raise ValueError("holds a space. Write it as %20")
    if parts.username is not None or parts.password is not None:
        raise ValueError("holds a user name or password. Leave it out")
    return shown


def sha256(value: str) -> str:
    """64 hex digits in small letters; ValueError otherwise."""
    shown = value.strip().lower()
    if not re.fullmatch(r"[0-9a-f]{64}", shown):
        raise ValueError("not a SHA-256: 64 hexadecimal digits")
    return shown


CHECKS = {"url": link, "archive": link, "original_sha256": sha256}
"""What a value must be; text where nothing else is said."""


def moment(value: Any) -> tuple[datetime, Precision]:
    """A date or a time in UTC, and how precise it is; one without a zone is taken as UTC."""
    if isinstance(value, datetime):
        when, precision = value, _precision(value.isoformat())
    elif isinstance(value, date):
        when, precision = datetime.combine(value, time()), "day"
    else:
        try:
            when, precision = datetime.fromisoformat(str(value).strip()), _precision(str(value).strip())
        except ValueError:
            raise ValueError("not a date like 2020-10-14 or 2020-10-14T09:30Z") from None
    try:
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(UTC), precision
    except OverflowError:
        raise ValueError("not a date like 2020-10-14 or 2020-10-14T09:30Z") from None


def _precision(iso: str) -> Precision:
    if len(iso) <= len("2020-10-14"):
        return "day"
    clock = re.split(r"[+\-Z]", iso[11:])[0]
    return "second" if clock.count(":") > 1 else "minute"
