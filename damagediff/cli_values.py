"""What was given on the command line, as settings and values."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from . import settings as options
from .cut import Wish
from .errors import InputError, SettingsError
from .provenance import ScaleBar, SourceRecord
from .types import Case, DatePrecision, Source, Window


def settings(given: dict[str, Any]) -> options.Settings:
    """Settings of the command line over those of a file over the defaults."""
    keys = {
        "seed": "seed",
        "workers": "workers",
        "max_memory": "max_memory_mib",
        "model": "align.model",
        "max_shift": "align.max_shift_px",
        "grade_scale": "buildings.grade_scale",
        "cell": "summary.cell_m",
        "measure": "diff.measure",
        "sensor": "sensor",
        "hysteresis": "diff.hysteresis",
        "animate": "report.animate",
    }
    named = [f"{key}={given[name]}" for name, key in keys.items() if given.get(name) is not None]
    named += threshold(given.get("threshold"))
    named += min_region(given.get("min_region"))
    if given.get("figures"):
        named.append(f"report.figures={json.dumps(given['figures'])}")
    if given.get("no_local"):
        named.append("align.local=false")
    if given.get("no_graphics"):
        named.append("masks.graphics=false")
    if given.get("show_private"):
        named.append("report.show_private=true")
    if given.get("accept_damaged"):
        named.append("read.accept_damaged=true")
    if given.get("no_footprint_fit"):
        named.append("buildings.fit=false")
    if given.get("no_pdf"):
        named.append("report.pdf=false")
    if given.get("embed"):
        named.append("report.embed=true")
    if given.get("no_selftest"):
        named.append("trust.selftest=false")
    return options.load(given["settings_file"], (*given["overrides"], *named), given.get("settings_values"))


def threshold(text: str | None) -> list[str]:
    """Settings that say the same as a rule, ``far:0.02`` or a score."""
    if text is None:
        return []
    rule, colon, share = text.partition(":")
    if not colon:
        return [f"diff.threshold={rule}"]
    if rule != "far":
        raise SettingsError(f"--threshold {text}: only far takes a share, as in far:0.02")
    return ["diff.threshold=far", f"diff.false_alarm_share={share}"]


def min_region(text: str | None) -> list[str]:
    """Settings that say the same as ``80m2``, ``80 m²`` or ``400px``."""
    if text is None:
        return []
    number, unit = re.fullmatch(r"\s*([0-9.]*)\s*(.*?)\s*", text, re.DOTALL).groups()  # type: ignore[union-attr]
    kind = {"m2": "m2", "m²": "m2", "px": "px"}.get(unit)
    if kind is None or not number:
        raise SettingsError(f"--min-region {text}: give an area with its unit, such as 80m2 or 400px")
    return [f"regions.min_region_unit={kind}", f"regions.min_region_{kind}={number}"]


def case(before: Path, after: Path, given: dict[str, Any]) -> Case:
    """The case of two files, or of one picture given twice, with all that was said of it."""
    event, event_precision = date("--event-date", given["event_date"])
    sources = source("before", before, given), source("after", after, given)
    if before == after:
        records = [one.record.of_one_file(other.record) for one, other in (sources, sources[::-1])]
        sources = replace(sources[0], record=records[0]), replace(sources[1], record=records[1])
    return Case(
        before=sources[0],
        after=sources[1],
        title=given["title"],
        footprints=given["footprints"],
        tie_points=given["tie_points"],
        exclude=given["exclude"],
        aoi=given["aoi"],
        gsd_m=positive("--gsd", given["gsd"]),
        event=event,
        event_precision=event_precision,
        scale_bar=scale_bar(given["scale_bar"]),
        place=place(given["place"]),
        stable=given["stable"],
        font=given.get("font"),
        baselines=baselines(given["baselines"], given["baseline_dates"]),
        claims=given.get("claims", ()),
        taken_for_utc=tuple(
            f"the {what}"
            for what, key in (
                ("before image", "before_date"),
                ("after image", "after_date"),
                ("event", "event_date"),
            )
            if _without_zone(given[key])
        ),
    )


def source(side: str, path: Path, given: dict[str, Any]) -> Source:
    """One image with what was said of it."""
    from . import source_record

    acquired, precision = date(f"--{side}-date", given[f"{side}_date"])
    file = given.get("sources")
    written = SourceRecord() if file is None else source_record.read(file)[side]
    record = source_record.stated(side, given, written)
    bands = given[f"{side}_bands"]
    return Source(
        path=path,
        acquired=acquired,
        acquired_precision=precision,
        credit=record.credit,
        bands=tuple(name.strip() for name in bands.split(",")) if bands else None,
        world_file=given[f"{side}_world_file"],
        crs=given[f"{side}_crs"],
        map_points=given.get("georeference") if side == "before" else None,
        record=record,
    )


def baselines(paths: tuple[Path, ...], dates: tuple[str, ...]) -> tuple[Source, ...]:
    """The further images from before, each with its date if dates are given."""
    if dates and len(dates) != len(paths):
        raise SettingsError(
            f"--baseline-date: {len(dates)} given for {len(paths)} baselines. Give one for each, in order"
        )
    if not dates:
        return tuple(Source(path) for path in paths)
    told = [date("--baseline-date", text) for text in dates]
    return tuple(Source(path, *when) for path, when in zip(paths, told, strict=True))


def wish(given: dict[str, Any], one_picture: bool) -> Wish | None:
    """What was said of a picture that holds both images; None when there are two files."""
    texts = given["panels"] or None
    if not one_picture:
        if texts or given["order"]:
            raise SettingsError("--panels and --order are for one picture with two panels: give one file")
        return None
    return Wish(None if texts is None else (_rectangle(texts[0]), _rectangle(texts[1])), given["order"])


def _rectangle(text: str) -> Window:
    numbers = re.fullmatch(r"\s*(\d{1,9}),(\d{1,9}),(\d{1,9}),(\d{1,9})\s*", text, re.ASCII)
    if numbers is None:
        raise SettingsError(f"--panels {text}: give x,y,w,h in whole pixels, such as 14,58,760,760")
    x, y, w, h = map(int, numbers.groups())
    return Window(y, x, h, w)


def date(option: str, text: str | None) -> tuple[datetime | None, DatePrecision]:
    """A date or a time in UTC, and how precise it was given."""
    if text is None:
        return None, "day"
    try:
        when = datetime.fromisoformat(text)
        when = (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise SettingsError(f"{option} {text}: not a date like 2020-10-04 or 2020-10-04T07:52Z") from None
    if len(text.strip()) <= len("2020-10-04"):
        return when, "day"
    clock = text[10:].split("+")[0].split("-")[0]
    return when, "second" if clock.count(":") > 1 else "minute"


def _without_zone(text: str | None) -> bool:
    """Whether a text is a time of day without its zone; it is one that `date` takes."""
    if text is None or len(text.strip()) <= len("2020-10-04"):
        return False
    return datetime.fromisoformat(text).tzinfo is None


def positive(option: str, value: float | None) -> float | None:
    """A pixel size in metres, or SettingsError."""
    if value is not None and not 0 < value < 1e5:
        raise SettingsError(f"{option} {value:g}: a pixel size in metres must be above 0 and below 100,000")
    return value


def place(text: str | None) -> tuple[float, float] | None:
    """(latitude, longitude) in degrees of ``40.68,46.36``, or SettingsError."""
    if text is None:
        return None
    parts = text.split(",")
    try:
        latitude, longitude = (float(part) for part in parts)
    except ValueError:
        raise SettingsError(
            f"--place {text}: give latitude and longitude in degrees, like 40.68,46.36"
        ) from None
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):
        raise SettingsError(
            f"--place {text}: latitude comes first, -90 to 90, then longitude, -180 to 180 degrees"
        )
    return latitude, longitude


def scale_bar(text: str | None) -> ScaleBar | None:
    """Two points and a length, or SettingsError."""
    from . import scale

    return None if text is None else scale.scale_bar(text)


def samples() -> Path:
    """The sample images: beside the package in a checkout, where the wheel put them, or in this folder."""
    name = "sample_images/ganja_before.tif"
    places = [Path(__file__).resolve().parents[1] / name]
    with suppress(metadata.PackageNotFoundError):
        listed = metadata.files("damagediff") or ()
        places += [Path(str(each.locate())) for each in listed if str(each).endswith(name)]
    for path in (*places, Path.cwd() / name):
        if path.is_file():
            return path.resolve().parent
    raise InputError(f"{name}: not found. Run this in a checkout of the repository, or install the wheel")
