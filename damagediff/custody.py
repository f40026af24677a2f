"""The custody log: a record of each act on a run, each chained to the one before it by its hash.

Whoever holds the folder can write the whole log anew: the chain shows that nothing was changed within it, not
who wrote it. Sign the manifest and the last record for that (docs/evidence.md).
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from . import __version__
from .errors import EvidenceError, OutputError

LOG = "custody.jsonl"
FIRST = "0" * 64
"""What the first record names as the one before it."""
SEALING = ("created", "reviewed")
"""Acts after which the run has a new manifest and SHA256SUMS, whose hash the record names."""


def begin(folder: Path, seal: dict[str, str], operator: str | None) -> None:
    """Write the first record: the run was created, at the time that the manifest says.

    Parameters
    ----------
    folder : Path
        The finished run folder.
    seal : dict
        ``sha256sums``, the SHA-256 of SHA256SUMS, which names every output, and ``manifest_sha256``.
    operator : str or None
        Who ran it, as given.
    """
    record = _record(1, "created", FIRST, seal, operator)
    (folder / LOG).write_text(_line(record), encoding="utf-8", newline="\n")


def append(folder: Path, act: str, details: dict[str, Any], operator: str | None) -> None:
    """Add one record to the log of a run.

    Raises
    ------
    EvidenceError
        The log is missing or broken: nothing is added to it.
    OutputError
        The log cannot be written.
    """
    found = check(folder)
    if found:
        raise EvidenceError(
            f"{folder.name}/{LOG}: {found[0]}. Nothing was added to it; damagediff verify says what else is "
            "wrong"
        )
    when = {"when": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
    try:
        with (folder / LOG).open("r+", encoding="utf-8", newline="\n") as log:
            _wait_for_turn(log)
            lines = log.read().splitlines()
            record = _record(len(lines) + 1, act, _digest(lines[-1]), when | details, operator)
            log.write(_line(record))
            log.flush()
            os.fsync(log.fileno())
    except OSError as error:
        raise OutputError(
            f"{folder.name}/{LOG}: cannot write: {error.strerror or error}. Free some space, or unlock the "
            "folder"
        ) from error


def _wait_for_turn(log: TextIO) -> None:
    """Hold the log until it is closed: of two acts at once, one record follows the other.

    Windows and some network file systems have no such lock; there the chain shows it when two acts met.
    """
    try:
        import fcntl
    except ImportError:
        return
    with suppress(OSError):
        fcntl.flock(log, fcntl.LOCK_EX)


def check(folder: Path) -> list[str]:
    """What is wrong with the log, each in one sentence; empty when every record follows the one before."""
    if (folder / LOG).is_symlink() or ((folder / LOG).exists() and not (folder / LOG).is_file()):
        return ["is not a plain file"]
    try:
        text = (folder / LOG).read_text(encoding="utf-8")
    except FileNotFoundError:
        return ["is missing"]
    except (OSError, UnicodeDecodeError):
        return ["cannot be read"]
    if not text.endswith("\n"):
        return ["its last record is not whole"]
    found, before = [], FIRST
    for n, line in enumerate(text[:-1].split("\n"), start=1):
        found += _broken(n, line, before)
        before = _digest(line)
    return found


def seals(folder: Path) -> list[dict[str, Any]]:
    """The records that seal a state of the run, in order: created, then each review.

    Each names the SHA-256 of the SHA256SUMS of its state. Empty when the log begins otherwise.
    """
    lines = (folder / LOG).read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    if not records or records[0].get("act") != "created":
        return []
    return [record for record in records if record.get("act") in SEALING]


def _broken(n: int, line: str, before: str) -> list[str]:
    try:
        record = json.loads(line)
        own = record.pop("sha256")
        whole = _line(record | {"sha256": _digest(_text(record))}) == line + "\n"
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        return [f"record {n} cannot be read"]
    if not whole or own != _digest(_text(record)):
        return [f"record {n} was changed"]
    if record.get("n") != n or record.get("previous") != before:
        return [f"record {n} does not follow from the one before it"]
    return []


def _record(n: int, act: str, previous: str, details: dict[str, Any], operator: str | None) -> dict[str, Any]:
    record = {"n": n, "act": act, "tool": f"damagediff {__version__}", "previous": previous, **details}
    if operator is not None:
        record["operator"] = operator
    return record | {"sha256": _digest(_text(record))}


def _text(record: dict[str, Any]) -> str:
    return json.dumps(record, sort_keys=True, ensure_ascii=True, separators=(",", ":"))


def _line(record: dict[str, Any]) -> str:
    return _text(record) + "\n"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
