"""Many cases: a failing one never stops the others, a finished one is verified and not made again.

Each case runs in a process of its own, so that not even a crash of a decoder reaches another one.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import case_file, case_files, digests, json_text, outputs, report_batch, tables, verify, wording
from . import settings as options
from .errors import EvidenceError, InputError, OutputError
from .settings import Settings
from .types import Case

MAX_ROWS = 100_000
COLUMNS = (
    "name",
    "outcome",
    "verdict",
    "exit_code",
    "ce90_m",
    "ce90_px",
    "changed_area_m2",
    "changed_share_of_analysed",
    "structural_regions",
    "detection_limit_m",
    "detection_limit_px",
    "report",
    "message",
)
"""Of summary.csv and summary.json, one line a case."""


@dataclass(frozen=True)
class Item:
    """One case of a batch."""

    name: str
    """Of its run folder."""
    arguments: tuple[str, ...]
    """Of ``damagediff compare``, without the run folder."""
    asked: tuple[Case, Settings] | None
    """None when it cannot be read."""
    error: tuple[int, str] | None = None
    """Exit code and message of a case that cannot be read."""


def names(wished: Sequence[str]) -> list[str]:
    """Folder names without what leads elsewhere, each once: a number is added to those that come again."""
    found: list[str] = []
    for wish in wished:
        name = wording.slug(wish) or "case"
        count = 1
        while (name if count == 1 else f"{name}-{count}") in found:
            count += 1
        found.append(name if count == 1 else f"{name}-{count}")
    return found


def rows(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """(name, cells by column) of each line of a CSV of pairs.

    Its header names the columns: ``before`` and ``after`` are files in the folder of the CSV; ``name``,
    ``title``, ``gsd``, ``before_date`` and so on are optional, as in a case file.

    Raises
    ------
    InputError
        The file cannot be read as such a table.
    """
    name = wording.plain(path.name)
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{name}: not a regular file. Give a CSV file")
        with path.open(encoding="utf-8-sig", newline="") as file:
            read = csv.DictReader(file)
            if not {"before"} <= set(read.fieldnames or ()):
                raise InputError(f"{name}: its first line must name the columns, before and after among them")
            for number, row in enumerate(read, start=2):
                if number > MAX_ROWS:
                    raise InputError(f"{name}: more than {MAX_ROWS:,} lines. Cut it into several")
                if None in row:
                    raise InputError(
                        f"{name}: line {number} has more cells than the first line names. Put texts with "
                        "commas in quotes"
                    )
                told = {key: value for key, value in row.items() if value}
                yield told.pop("name", f"{path.stem}-{number - 1}"), told
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{name}: cannot be read as CSV: {wording.plain(str(error), 200)}. Save it as CSV in UTF-8"
        ) from None


def as_table(row: dict[str, str]) -> dict[str, Any]:
    """A line of a CSV as the table of a case file: ``before_date`` becomes ``date`` of ``[before]``."""
    table: dict[str, Any] = {}
    for key, value in row.items():
        side, _, name = key.partition("_")
        if side in ("before", "after"):
            table.setdefault(side, {})[name or "file"] = value
        else:
            table[key] = value
    return table


def arguments(row: dict[str, str], folder: Path) -> tuple[str, ...]:
    """A line of a CSV as arguments of ``damagediff compare``."""
    files = [str(folder / row[side]) for side in ("before", "after") if row.get(side)]
    rest = {key: value for key, value in row.items() if key not in ("before", "after")}
    paths = {key: str(folder / value) for key, value in rest.items() if key.endswith(case_file.PATHS)}
    return (*files, *(f"--{key.replace('_', '-')}={value}" for key, value in (rest | paths).items()))


def run(
    items: Sequence[Item],
    out: Path,
    pool: Executor,
    tell: Callable[[str], None] = lambda words: None,
) -> list[dict[str, Any]]:
    """Run what is not finished yet, and write summary.json, summary.csv and index.html into `out`.

    Returns
    -------
    list of dict
        One a case, in the order given, with the keys `COLUMNS`.

    Raises
    ------
    OutputError
        The summary cannot be written.
    """
    lines: dict[str, dict[str, Any]] = {}
    notes: dict[str, str] = {}
    left = []
    for item in items:
        if item.error is not None:
            lines[item.name] = _failed(item.name, *item.error)
            tell(f"{item.name}: {item.error[1]}")
        elif item.asked is not None and is_finished(out / item.name, *item.asked):
            lines[item.name] = _line(item.name, out, "verified", 0, "")
            tell(f"{item.name}: finished before, verified")
        else:
            left.append(item)
            if (why := replaced(out / item.name)) is not None:
                notes[item.name] = why
                tell(f"{item.name}: {why}")
    asked = {pool.submit(compare, item.arguments, str(out / item.name)): item for item in left}
    for done in as_completed(asked):
        name = asked[done].name
        code, message = done.result()
        lines[name] = _line(name, out, "made", code, message or notes.get(name, ""))
        tell(f"{name}: {lines[name]['verdict'] or message}")
    ordered = [lines[item.name] for item in items]
    _write(ordered, out)
    return ordered


def compare(arguments: Sequence[str], folder: str) -> tuple[int, str]:
    """One comparison in a process of its own: its exit code, and the last line that it said."""
    command = [sys.executable, "-m", "damagediff", "compare", *arguments, "-o", folder, "-q", "--overwrite"]
    done = subprocess.run(command, capture_output=True, check=False)
    said = [line for line in done.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    return done.returncode, wording.plain(said[-1], 500) if said and done.returncode else ""


def replaced(folder: Path) -> str | None:
    """What a reader must know of a run that is made again: that it was not as it was made; else None."""
    try:
        findings = verify.run(folder).findings
    except EvidenceError:
        return None
    if not findings:
        return None
    return f"the run that was there did not verify ({findings[0].name}: {findings[0].what}): made again"


def is_finished(folder: Path, case: Case, settings: Settings) -> bool:
    """Whether a run folder is sound, and of the same inputs, case, settings and version as asked for now."""
    from . import __version__

    try:
        found = verify.run(folder)
        hashes = {field: digests.entry(path)["sha256"] for field, path in case_files.named(case)}
    except (EvidenceError, OSError):
        return False
    said = found.manifest
    wanted = outputs.result_settings(options.to_dict(settings))
    here = json.loads(json_text.to_json(json_text.Exact([case_files.to_values(case), wanted])))
    return (
        found.sound
        and [_without_cut(said.get("case")), said.get("settings")] == [_without_cut(here[0]), here[1]]
        and {item.get("field"): item["sha256"] for item in said["inputs"]} == hashes
        and said["versions"].get("damagediff") == __version__
    )


def _without_cut(case: Any) -> Any:
    """A case without where its panels were found: that is a result, not a wish."""
    if not isinstance(case, dict):
        return case
    kept = {key: value for key, value in case.items() if key != "split"}
    images = {key: value for key, value in kept.items() if isinstance(value, dict)}
    return kept | {
        key: {name: item for name, item in image.items() if name != "crop"} for key, image in images.items()
    }


def _failed(name: str, code: int, message: str) -> dict[str, Any]:
    told = {"name": name, "outcome": "failed", "exit_code": code, "message": message}
    return dict.fromkeys(COLUMNS) | told


def _line(name: str, out: Path, outcome: str, code: int, message: str) -> dict[str, Any]:
    """What the summary says of one case."""
    if code not in (0, 4):
        return _failed(name, code, message)
    try:
        found = json.loads((out / name / "results.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return _failed(name, code, "its results cannot be read")
    change, trust = found["change"] or {}, found["trust"]
    return dict.fromkeys(COLUMNS) | {
        "name": name,
        "outcome": outcome,
        "message": message,
        "verdict": found["verdict"],
        "exit_code": 0 if found["alignment"]["accepted"] else 4,
        "ce90_m": found["alignment"]["ce90_m"],
        "ce90_px": found["alignment"]["ce90_px"],
        "changed_area_m2": change.get("changed_area_m2"),
        "changed_share_of_analysed": change.get("changed_share_of_analysed"),
        "structural_regions": sum(region["tier"] == "structural" for region in found["regions"]),
        "detection_limit_m": trust.get("detection_limit_m"),
        "detection_limit_px": trust.get("detection_limit_px"),
        "report": f"{name}/report.html",
    }


def _write(lines: list[dict[str, Any]], out: Path) -> None:
    cells = [tuple("" if line[key] is None else str(line[key]) for key in COLUMNS) for line in lines]
    try:
        out.mkdir(parents=True, exist_ok=True)
        tables.write_text(out / "summary.json", json_text.to_json({"format": 1, "cases": lines}))
        tables.write_text(out / "summary.csv", tables.csv_text(COLUMNS, cells))
        tables.write_text(out / "index.html", report_batch.html(lines))
    except OSError as error:
        raise OutputError(
            f"{out}: cannot write: {error.strerror or error}. Free some space, or choose another folder "
            "with -o"
        ) from error
