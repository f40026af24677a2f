"""``--dry-run``: what a run would read, decide and write, told and not done."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from . import batches, case_file, cli_cases, cli_terminal, cli_values, dry_run, wording
from .cut import Wish
from .errors import DamagediffError
from .settings import Settings
from .types import Case

Tell = Callable[[str], None]


def compare(case: Case, settings: Settings, out: Path, given: dict[str, Any], wish: Wish | None) -> None:
    """Print what one run would do."""
    told = dry_run.look(case, settings, dry_run.Asked(out, given["overwrite"], wish))
    if given["as_json"]:
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    for line in lines(told):
        click.echo(line)


def batch(paths: tuple[Path, ...], out: Path, given: dict[str, Any]) -> None:
    """Print what each run of a batch would do, and raise when a case could not be compared."""
    found = []
    for name, path, row in cli_cases.named(paths):
        told: dict[str, Any] = {"name": name}
        try:
            told |= _one(name, path, row, out, given)
        except DamagediffError as error:
            told |= {"exit_code": error.exit_code, "message": str(error)}
        found.append(told)
        if not given["as_json"]:
            time = told.get("time")
            words = told["message"] if time is None else f"about {cli_terminal.duration(time['processor_s'])}"
            click.echo(f"{wording.plain(name)}: {wording.plain(words)}")
    if given["as_json"]:
        click.echo(json.dumps({"format": dry_run.FORMAT, "dry_run": True, "cases": found}, indent=2))
    failed = [told for told in found if "message" in told]
    if failed:
        first = f"{failed[0]['name']}: {failed[0]['message']}"
        raise DamagediffError(f"{len(failed)} of {len(found)} cases cannot be compared; first {first}")
    if not given["as_json"]:
        whole = sum(told["time"]["processor_s"] for told in found)
        click.echo(f"{len(found)} cases, about {cli_terminal.duration(whole)} of one core's time in all")


def _one(
    name: str, path: Path, row: dict[str, str] | None, out: Path, given: dict[str, Any]
) -> dict[str, Any]:
    table = case_file.read(path) if row is None else case_file.checked(path.name, batches.as_table(row))
    with cli_cases.in_keys(path.name):
        case, settings, told = cli_cases.from_table(table, path.parent, given)
        wish = cli_values.wish(told, told["one_picture"])
        return dry_run.look(case, settings, dry_run.Asked(out / name, True, wish))


def lines(told: dict[str, Any]) -> Iterator[str]:
    """The same for people."""
    yield "Nothing is computed or written: this is what a run would do."
    yield "\nRead"
    for each in told["read"]:
        yield f"  {_read(each)}"
    if told["grid"] is not None:
        yield "\nGrid"
        yield f"  {_grid(told['grid'])}"
    yield "\nDecided"
    for key, value in told["decided"].items():
        if key != "settings" and value is not None:
            yield f"  {key.replace('_', ' '):18} {wording.plain(str(value))}"
    for key, value in told["decided"]["settings"].items():
        yield f"  set by you          {key} = {wording.plain(str(value))}"
    if told["written"]:
        whole = sum(each["about_bytes"] for each in told["written"])
        yield f"\nWritten, about {_size(whole)} in all"
        for each in told["written"]:
            yield f"  {each['name']:24} about {_size(each['about_bytes'])}"
    time = told["time"]
    low, high = (time["processor_s"] * (1 + sign * time["error_share"]) for sign in (-1, 1))
    yield "\nTime"
    yield (
        f"  about {cli_terminal.duration(time['processor_s'])} ({cli_terminal.duration(low)} to "
        f"{cli_terminal.duration(high)}): {time['is']}"
    )
    for note in told["notes"]:
        yield f"note: {note}"


def _read(each: dict[str, Any]) -> str:
    if "driver" not in each:
        return f"{each['role']}: {each['name']}, {_size(each['size_bytes'])}"
    place = "no georeference" if each["crs"] is None else f"{wording.plain(each['crs'], 60)}"
    size = "" if each["gsd_m"] is None else f", {wording.number(each['gsd_m'])} m a pixel"
    pixels = f"{each['rows']:,} rows x {each['cols']:,} columns"
    bands = f"{each['dtype']} bands {', '.join(each['bands'])}"
    file = f"{each['name']}, {each['driver']}, {_size(each['size_bytes'])}, {each['integrity']}"
    return f"{each['role']}: {file}, {pixels}, {bands}, {place}{size}, {each['taken']}"


def _grid(on: dict[str, Any]) -> str:
    size = "pixel size not known" if on["gsd_m"] is None else f"{wording.number(on['gsd_m'])} m a pixel"
    parts = [
        f"{on['rows']:,} rows x {on['cols']:,} columns ({on['megapixels']:.1f} megapixels), {size}",
        on["crs"] and wording.plain(on["crs"], 60),
        f"bands {', '.join(on['bands'])}",
        f"laid by {on['laid_by']}",
    ]
    for side in ("before", "after"):
        if on[f"{side}_share"] is not None:
            parts.append(f"{wording.share(on[f'{side}_share'])} of the {side} image")
    return ", ".join(part for part in parts if part)


def _size(size: float) -> str:
    """``12 MB``, ``340 kB``."""
    if size >= 1e6:
        return f"{size / 1e6:,.1f} MB" if size < 1e7 else f"{size / 1e6:,.0f} MB"
    return f"{max(1, round(size / 1e3)):,} kB"
