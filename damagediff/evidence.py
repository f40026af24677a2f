"""The manifest: what went in, what came out, with what, so that others can check it.

Beside it lie ``SHA256SUMS``, which every system can check, a description for archives, and the custody log.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from . import (
    case_files,
    crate,
    custody,
    digests,
    environment,
    folders,
    json_text,
    outputs,
    raster,
    transformations,
)
from .errors import InputError, SettingsError
from .provenance import FileFacts
from .types import Case, Comparison, Image


def write_manifest(
    folder: Path,
    comparison: Comparison,
    command: list[str],
    started: datetime,
    operator: str | None = None,
    elsewhere: Sequence[str] | None = None,
) -> None:
    """Write manifest.json, which lists every other file in `folder`; then sums, RO-Crate and custody log.

    Holds no absolute path, user or host, but `operator` if given. All but ``created``, which the crate
    repeats, and the manifest's own hash is the same when the run is repeated.

    Parameters
    ----------
    folder : Path
        The finished run folder.
    comparison : Comparison
        Gives inputs, settings and versions.
    command : list of str
        Arguments as typed. Of paths only the last part stays.
    started : datetime
        Aware. ``SOURCE_DATE_EPOCH``, when set, is written instead.
    operator : str or None
        Who ran it, as given.
    elsewhere : sequence of str or None
        Each sandbox that decoders of other processes had, where such processes took part.

    Raises
    ------
    SettingsError
        ``SOURCE_DATE_EPOCH`` is not a number of seconds.
    """
    content = {
        "evidence_id": outputs.evidence_id(comparison),
        "case": json_text.Exact(case_files.to_values(comparison.case)),
        "inputs": _inputs(comparison),
        "transformations": list(transformations.steps(comparison)),
        "settings": json_text.Exact(outputs.result_settings(comparison.settings)),
        "versions": comparison.versions,
    } | ({} if elsewhere is None else {"sandboxes_of_workers": list(elsewhere)})
    seal_folder(folder, content, command, started, operator)


def seal_folder(
    folder: Path, content: dict[str, Any], command: list[str], started: datetime, operator: str | None = None
) -> None:
    """Write manifest.json with `content` and what every manifest has; see `write_manifest`."""
    listed = _outputs(folder)
    manifest = (
        content
        | {
            "format": outputs.FORMAT,
            "created": created(started),
            "command": [public(argument) for argument in telling(command)],
            "outputs": listed,
            "environment": environment.describe() | {"sandbox": raster.sandbox()},
            digests.OWN_DIGEST: digests.NO_DIGEST,
        }
        | ({} if operator is None else {"operator": operator})
    )
    custody.begin(folder, _write_seal(folder, manifest, listed), operator)


def seal_again(folder: Path, earlier: dict[str, Any], added: dict[str, Any]) -> dict[str, str]:
    """Write manifest.json and SHA256SUMS of a run that got a further act; the custody log is left alone.

    Parameters
    ----------
    folder : Path
        The new state of the run, which holds the earlier manifest under another name.
    earlier : dict
        That manifest: all that it says stays, but for its outputs.
    added : dict
        What the new one says besides.

    Returns
    -------
    dict
        ``sha256sums`` and ``manifest_sha256`` of the new state, for the record of the act.
    """
    listed = _outputs(folder)
    manifest = earlier | added | {"outputs": listed, digests.OWN_DIGEST: digests.NO_DIGEST}
    exact = {key: json_text.Exact(value) for key, value in manifest.items()}
    return _write_seal(folder, exact, listed)


def _outputs(folder: Path) -> list[dict[str, Any]]:
    return [digests.entry(path) for path in sorted(folder.iterdir()) if path.name not in digests.BESIDE]


def _write_seal(folder: Path, manifest: dict[str, Any], listed: list[dict[str, Any]]) -> dict[str, str]:
    """Write the manifest, with its own hash, SHA256SUMS and the crate; what the record of the act names."""
    write = {"encoding": "utf-8", "errors": "replace", "newline": "\n"}
    if "evidence_id" in manifest:
        text = crate.text(json.loads(json_text.to_json(manifest)))
        manifest = manifest | {digests.CRATE_DIGEST: digests.of_text(text)}
        (folder / crate.FILE).write_text(text, **write)
    text = digests.sealed(json_text.to_json(manifest))
    (folder / folders.MANIFEST).write_text(text, **write)
    (folder / digests.SUMS).write_text(digests.sums(listed), **write)
    return {
        "sha256sums": digests.of_text(digests.sums(listed)),
        digests.OWN_DIGEST: digests.own_digest(text),
    }


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
            raise SettingsError(
                f"SOURCE_DATE_EPOCH = {epoch!r}: must be whole seconds since 1970, or not set"
            ) from None
    return started.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def public(argument: str) -> str:
    """One argument of a command without what a path tells of the machine: only its last part stays."""
    option, equals, value = argument.partition("=")
    if equals and option.startswith("-"):
        return f"{option}={public(value)}"
    path = PureWindowsPath(argument)
    private = PurePosixPath(argument).is_absolute() or path.is_absolute()
    private = private or argument.startswith("~") or ".." in path.parts or _is_file(argument)
    return path.name or "." if private else argument


def _is_file(argument: str) -> bool:
    """Whether an argument names something in a folder: a folder may be called after a person."""
    try:
        return len(PureWindowsPath(argument).parts) > 1 and Path(argument).exists()
    except (OSError, ValueError):
        return False


def telling(command: list[str]) -> list[str]:
    """The arguments without those that only say how the work is cut up: they change no result."""
    kept: list[str] = []
    rest = iter(command)
    for argument in rest:
        option, equals, value = argument.partition("=")
        if option not in ("--workers", "--max-memory", "--dask", "--set"):
            kept.append(argument)
            continue
        value = value if equals else next(rest, "")
        if option == "--set" and value.partition("=")[0].strip() not in outputs.HOW:
            kept += [argument] if equals else [argument, value]
    return kept


def _inputs(comparison: Comparison) -> list[dict[str, Any]]:
    pair = comparison.pair
    told = comparison.file_facts or (None, None)
    found = _image("before", pair.before, told[0]) + _image("after", pair.after, told[1])
    beside = ((field, path) for field, path in case_files.named(comparison.case) if field not in IMAGES)
    return found + [
        {"field": field, "role": case_files.role(field)} | digests.entry(path) for field, path in beside
    ]


IMAGES = ("before.path", "after.path")
"""Hashed when they were let in."""

Seal = dict[str, str]
"""SHA-256 of inputs by field of the case."""


def seal(case: Case) -> Seal:
    """Hashes of the files beside the images, taken before they are read; an unreadable one has none."""
    return {
        field: digests.entry(path)["sha256"]
        for field, path in case_files.named(case)
        if field not in IMAGES and path.is_file() and os.access(path, os.R_OK)
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
    pair = comparison.pair  # of an image that is read from an address, each answer tells its version
    images = [(image.path, image.sha256) for image in (pair.before, pair.after) if image.address is None]
    named = case_files.named(comparison.case)
    beside = [(path, sealed.get(field)) for field, path in named if field not in IMAGES]
    for path, digest in images + beside:
        try:
            same = digests.entry(path)["sha256"] == digest
        except OSError:
            same = False
        if not same:
            raise InputError(
                f"{path.name}: changed while it was read. Run again on a copy that stays as it is"
            )


def _image(role: str, image: Image, facts: FileFacts | None) -> list[dict[str, Any]]:
    """One image: what it is, where it was found as stated, and what its file tells."""
    remote = {}
    if image.address is not None:
        fetched = raster.fetched(image)
        remote = {"remote": json_text.fields(fetched) | {"fetched_bytes": fetched.fetched_bytes}}
    return [
        {
            "field": f"{role}.path",
            "role": role,
            "name": image.name,
            "sha256": image.sha256,
            "bytes": image.size_bytes,
            **remote,
            "integrity": outputs.integrity_fields(image),
            "source": outputs.source_fields(image),
            "file": None if facts is None else outputs.file_fields(facts),
        }
    ]
