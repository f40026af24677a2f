"""The manifest: what went in, what came out, with what, so that others can check it."""

from __future__ import annotations

import hashlib
import os
import platform
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from . import outputs
from .errors import EvidenceError
from .types import Comparison, Image


def write_manifest(folder: Path, comparison: Comparison, command: list[str], started: datetime) -> None:
    """Write manifest.json, which lists every other file in `folder`: the last file of a run.

    Holds no absolute path, user or host. All but ``created`` is the same when the run is repeated.

    Parameters
    ----------
    folder : Path
        The finished run folder.
    comparison : Comparison
        Gives inputs, settings and versions.
    command : list of str
        Arguments as typed. Paths that start outside the working folder are reduced to their last part.
    started : datetime
        Aware. ``SOURCE_DATE_EPOCH``, when set, is written instead.

    Raises
    ------
    EvidenceError
        ``SOURCE_DATE_EPOCH`` is not a number of seconds.
    """
    manifest = {
        "format": outputs.FORMAT,
        "created": _created(started),
        "evidence_id": outputs.evidence_id(comparison),
        "command": [public(argument) for argument in command],
        "inputs": _inputs(comparison),
        "outputs": [_entry(path) for path in sorted(folder.iterdir()) if path.name != outputs.MANIFEST],
        "settings": comparison.settings,
        "versions": comparison.versions,
        "environment": {"system": platform.system(), "machine": platform.machine()},
    }
    (folder / outputs.MANIFEST).write_text(outputs.to_json(manifest), encoding="utf-8", newline="\n")


def _created(started: datetime) -> str:
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch is not None:
        try:
            started = datetime.fromtimestamp(int(epoch), UTC)
        except (ValueError, OverflowError, OSError):
            raise EvidenceError(f"SOURCE_DATE_EPOCH = {epoch!r}: must be whole seconds since 1970") from None
    return started.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def public(argument: str) -> str:
    """One argument of a command without what a path tells of the machine: only its last part stays."""
    option, equals, value = argument.partition("=")
    if equals and option.startswith("-"):
        return f"{option}={public(value)}"
    private = PurePosixPath(argument).is_absolute() or PureWindowsPath(argument).is_absolute()
    private = private or argument.startswith("~") or ".." in PureWindowsPath(argument).parts
    return PureWindowsPath(argument).name or "." if private else argument


def _inputs(comparison: Comparison) -> list[dict[str, Any]]:
    pair, case = comparison.pair, comparison.case
    found = _image("before", pair.before) + _image("after", pair.after)
    for role, source in (("before world file", case.before), ("after world file", case.after)):
        if source.world_file is not None:
            found.append({"role": role} | _entry(source.world_file))
    if case.footprints is not None:
        found.append({"role": "footprints"} | _entry(case.footprints))
    return found


def _image(role: str, image: Image) -> list[dict[str, Any]]:
    return [{"role": role, "name": image.name, "sha256": image.sha256, "bytes": image.size_bytes}]


def _entry(path: Path) -> dict[str, Any]:
    """Name, hash and size of one file.

    SHA-256 only: fast enough to hash everything, and what courts and other tools expect.
    """
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"name": path.name, "sha256": digest, "bytes": path.stat().st_size}
