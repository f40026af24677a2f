"""The manifest: what went in, what came out, with what, so that others can check it."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from . import folders, json_text, outputs
from .errors import InputError, SettingsError
from .provenance import FileFacts
from .types import Case, Comparison, Image


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
    SettingsError
        ``SOURCE_DATE_EPOCH`` is not a number of seconds.
    """
    manifest = {
        "format": outputs.FORMAT,
        "created": created(started),
        "evidence_id": outputs.evidence_id(comparison),
        "command": [public(argument) for argument in command],
        "inputs": _inputs(comparison),
        "outputs": [_entry(path) for path in sorted(folder.iterdir()) if path.name != folders.MANIFEST],
        "settings": comparison.settings,
        "versions": comparison.versions,
        "environment": {"system": platform.system(), "machine": platform.machine()},
    }
    (folder / folders.MANIFEST).write_text(
        json_text.to_json(manifest), encoding="utf-8", errors="replace", newline="\n"
    )


def created(started: datetime) -> str:
    """When a run was made: `started`, or ``SOURCE_DATE_EPOCH`` when that is set.

    Raises
    ------
    SettingsError
        ``SOURCE_DATE_EPOCH`` is not a number of seconds.
    """
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch is not None:
        try:
            started = datetime.fromtimestamp(int(epoch), UTC)
        except (ValueError, OverflowError, OSError):
            raise SettingsError(f"SOURCE_DATE_EPOCH = {epoch!r}: must be whole seconds since 1970") from None
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
    pair = comparison.pair
    told = comparison.file_facts or (None, None)
    found = _image("before", pair.before, told[0]) + _image("after", pair.after, told[1])
    return found + [{"role": role} | _entry(path) for role, path in _beside(comparison.case)]


def _beside(case: Case) -> Iterator[tuple[str, Path]]:
    """(role, path) of the inputs beside the two images."""
    paths = {
        "before world file": case.before.world_file,
        "after world file": case.after.world_file,
        "points of the georeference": case.before.map_points,
        "footprints": case.footprints,
        "tie points": case.tie_points,
        "excluded places": case.exclude,
        "area of interest": case.aoi,
    }
    yield from ((role, path) for role, path in paths.items() if path is not None)


Seal = dict[str, str]
"""SHA-256 of inputs by role."""


def seal(case: Case) -> Seal:
    """Hashes of the files beside the images, taken before they are read; an unreadable one has none."""
    return {
        role: _entry(path)["sha256"]
        for role, path in _beside(case)
        if path.is_file() and os.access(path, os.R_OK)
    }


def check_unchanged(comparison: Comparison, sealed: Seal) -> None:
    """Hash all inputs again: a run on a file that changed meanwhile is evidence of neither version.

    Parameters
    ----------
    comparison : Comparison
        Gives the images as they were let in.
    sealed : dict
        What `seal` said before the run.

    Raises
    ------
    InputError
        A file changed, or is gone.
    """
    images = [(image.path, image.sha256) for image in (comparison.pair.before, comparison.pair.after)]
    beside = [(path, sealed.get(role)) for role, path in _beside(comparison.case)]
    for path, digest in images + beside:
        try:
            same = _entry(path)["sha256"] == digest
        except OSError:
            same = False
        if not same:
            raise InputError(
                f"{path.name}: changed while it was read. Run again on a copy that stays as it is"
            )


def _image(role: str, image: Image, facts: FileFacts | None) -> list[dict[str, Any]]:
    """One image: what it is, where it was found as stated, and what its file tells."""
    entry = {"role": role, "name": image.name, "sha256": image.sha256, "bytes": image.size_bytes}
    told = None if facts is None else outputs.file_fields(facts)
    return [entry | {"source": outputs.source_fields(image), "file": told}]


def _entry(path: Path) -> dict[str, Any]:
    """Name, hash and size of one file.

    SHA-256 only: fast enough to hash everything, and what courts and other tools expect.
    """
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"name": path.name, "sha256": digest, "bytes": path.stat().st_size}
