"""Checks a run folder, or an unpacked bundle, against its manifest: changed, missing and added files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from . import __version__, crate, digests, folders, json_text, outputs, saved, signatures, states, wording
from .errors import EvidenceError

LEFT_OUT = "left_out.json"
"""In a bundle without pictures: what was left out of the run, and what was put in its place."""
BARE_REPORT = "report_without_pictures.html"
"""What such a bundle holds in place of the report: the only file that may take the place of another."""
PICTURES = (".tif", ".png", ".pdf", ".svg", ".webp", ".gif", ".jpg")
MEASURES = ("change_score.tif", "change_mask.tif", "geometry.tif")
"""Rasters that hold measures, not pictures."""
MAX_MANIFEST_BYTES = 64_000_000


@dataclass(frozen=True)
class Finding:
    """One thing that is not as the manifest says."""

    name: str
    """Of the file."""
    what: str
    """In one sentence."""


@dataclass(frozen=True)
class Verification:
    """What was checked of a run, and what was wrong."""

    manifest: dict[str, Any]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    """What a reader should know and is no fault: what was left out, signatures, another version."""

    @property
    def sound(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


def run(folder: Path, trusted: Sequence[Path] = ()) -> Verification:
    """Hash every file of a run again, and hold it against manifest, sums and custody log.

    Parameters
    ----------
    trusted : sequence of Path
        Whose signatures and time stamps count; see `signatures.look`.

    Raises
    ------
    EvidenceError
        There is no readable manifest, or a file of `trusted` cannot be read.
    """
    manifest, text = read_manifest(folder)
    signed = [
        each
        for name in (*states.kept(folder), folders.MANIFEST)
        for each in signatures.look(folder, name, trusted)
    ]
    left_out = _left_out(folder)
    findings = [
        *_manifest(text, manifest, folder),
        *_crate(manifest, folder),
        *_listed(manifest, folder, left_out),
        *_replaced(manifest, folder, left_out),
        *_unlisted(manifest, folder, left_out),
        *(Finding(name, what) for name, what in states.check(manifest, folder)),
        *(Finding(name, state.words) for name, state in signed if not state.good),
        *(Finding(name, what) for name, what in signatures.lacking(folder, trusted, signed)),
    ]
    told = [f"{name}: {state.words}" for name, state in signed if state.good]
    return Verification(manifest, tuple(findings), tuple(_notes(manifest, told, left_out)))


def check_sound(folder: Path, undone: str) -> Verification:
    """What `run` finds of a run that is to be used; `undone` ends the message when it is not sound.

    Raises
    ------
    EvidenceError
        The run does not agree with its manifest, or has none that can be read.
    """
    found = run(folder)
    if not found.sound:
        first = found.findings[0]
        raise EvidenceError(f"{folder.name}/{first.name}: {first.what}. {undone}")
    return found


def read_manifest(folder: Path) -> tuple[dict[str, Any], str]:
    """The manifest of a run, and its text.

    Raises
    ------
    EvidenceError
        It is missing, or no manifest.
    """
    path = folder / folders.MANIFEST
    if not folder.is_dir():
        raise EvidenceError(f"{folder}: is not a folder. Name the run folder, or unpack the bundle first")
    try:
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise EvidenceError(f"{path}: is not a plain file: no manifest of a run. Name the run folder")
        if path.stat().st_size > MAX_MANIFEST_BYTES:
            raise EvidenceError(
                f"{path}: larger than {MAX_MANIFEST_BYTES:,} bytes: no manifest of a run. Name the run folder"
            )
        text = path.read_bytes().decode("utf-8")
        manifest = json_text.once(text)
        _check_form(manifest)
    except FileNotFoundError:
        raise EvidenceError(
            f"{folder}: holds no {folders.MANIFEST}: not a run of damagediff. Name the run folder"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise EvidenceError(
            f"{path}: not a readable manifest: {error}. Ask for the run again where it came from"
        ) from None
    return manifest, text


def _check_form(manifest: dict[str, Any]) -> None:
    if manifest["format"] != outputs.FORMAT:
        raise ValueError(f"its format is {manifest['format']!r}, this version reads {outputs.FORMAT}")
    for item in (*manifest["outputs"], *manifest["inputs"]):
        name, digest, size = item["name"], item["sha256"], item["bytes"]
        if not isinstance(name, str) or not isinstance(digest, str) or not isinstance(size, int):
            raise ValueError("an entry has no name, hash or size")
        os.fsencode(name + digest)  # a lone surrogate is in no name that was ever written
    for item in manifest["outputs"]:
        if PurePosixPath(item["name"]).name != item["name"] or "\\" in item["name"]:
            raise ValueError(f"an output is named {item['name']!r}, which leads out of the folder")
    if not isinstance(manifest.get("versions", {}), dict):
        raise ValueError("its versions are no table")
    if not isinstance(manifest["evidence_id"], str):
        raise ValueError("it has no evidence id")
    states.check_form(manifest)


def _manifest(text: str, manifest: dict[str, Any], folder: Path) -> Iterator[Finding]:
    """The manifest against its own hash, and what is derived from it."""
    if manifest.get(digests.OWN_DIGEST) != digests.own_digest(text):
        yield Finding(folders.MANIFEST, "was changed: it does not have the hash that it names")
    sums = folder / digests.SUMS
    if not sums.is_file() or sums.is_symlink():
        yield Finding(digests.SUMS, "is missing")
    elif sums.read_bytes() != digests.sums(manifest["outputs"]).encode():
        yield Finding(digests.SUMS, "was changed: it does not list what the manifest lists")
    ids = [item["sha256"] for item in manifest["outputs"] if item["name"] == "results.json"]
    if not ids or not ids[0].startswith(manifest["evidence_id"]) or len(manifest["evidence_id"]) != 12:
        yield Finding(folders.MANIFEST, "names an evidence id that is not that of results.json")


def _crate(manifest: dict[str, Any], folder: Path) -> Iterator[Finding]:
    """The description for archives: by its hash; without one, by what this version makes."""
    path = folder / crate.FILE
    if not path.is_file() or path.is_symlink():
        yield Finding(crate.FILE, "is missing")
    elif digests.CRATE_DIGEST in manifest:
        if digests.entry(path)["sha256"] != manifest[digests.CRATE_DIGEST]:
            yield Finding(crate.FILE, "was changed: its SHA-256 is another one")
    elif manifest.get("versions", {}).get("damagediff") == __version__:
        if path.read_bytes() != crate.text(manifest).encode("utf-8", "replace"):
            yield Finding(crate.FILE, "was changed: it does not say what the manifest says")


def _listed(manifest: dict[str, Any], folder: Path, left_out: Mapping[str, Any]) -> Iterator[Finding]:
    for item in manifest["outputs"]:
        if item["name"] not in left_out["left_out"] or os.path.lexists(folder / item["name"]):
            yield from _one(item, folder)


def _one(item: Mapping[str, Any], folder: Path) -> Iterator[Finding]:
    """One file against what is said of it."""
    path = folder / item["name"]
    if os.path.islink(path) or (os.path.exists(path) and not path.is_file()):
        yield Finding(item["name"], "is not a plain file")
    elif not os.path.exists(path):
        yield Finding(item["name"], "is missing")
    else:
        try:
            found = digests.entry(path)
        except OSError as error:
            yield Finding(item["name"], f"cannot be read: {error.strerror or error}")
            return
        if found["bytes"] != item["bytes"]:
            yield Finding(
                item["name"], f"was changed: it has {found['bytes']:,} bytes, not {item['bytes']:,}"
            )
        elif found["sha256"] != item["sha256"]:
            yield Finding(item["name"], "was changed: its SHA-256 is another one")


def _left_out(folder: Path) -> dict[str, Any]:
    """What a bundle without pictures says it lacks; nothing for a run folder."""
    path = folder / LEFT_OUT
    nothing: dict[str, Any] = {"left_out": [], "in_its_place": []}
    if not path.is_file() or path.is_symlink():
        return nothing
    try:
        said = json.loads(path.read_bytes().decode("utf-8"))
        names = [str(name) for name in said["left_out"]]
        placed = [
            {"name": str(i["name"]), "sha256": str(i["sha256"]), "bytes": int(i["bytes"])}
            for i in said["in_its_place"]
        ]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return nothing
    placed = [item for item in placed if PurePosixPath(str(item["name"])).name == item["name"]]
    return {"left_out": names, "in_its_place": placed}


def is_picture(name: str) -> bool:
    """Whether a file of a run holds pictures, and so may be left out of a bundle."""
    drawn = name in ("report.html", "embed.html", saved.FILE)
    return drawn or (name.lower().endswith(PICTURES) and name not in MEASURES)


def _replaced(manifest: dict[str, Any], folder: Path, left_out: Mapping[str, Any]) -> Iterator[Finding]:
    """What a bundle says that it lacks: pictures of this run and nothing else, whoever wrote that list."""
    listed = {item["name"] for item in manifest["outputs"]}
    for name in left_out["left_out"]:
        if name not in listed or not is_picture(name):
            yield Finding(LEFT_OUT, f"leaves out {wording.plain(name, 100)}, which no bundle leaves out")
    for item in left_out["in_its_place"]:
        if item["name"] == BARE_REPORT:
            yield from _one(item, folder)
        else:
            yield Finding(item["name"], "is in the place of another file, and is none that a bundle makes")


def _unlisted(manifest: dict[str, Any], folder: Path, left_out: Mapping[str, Any]) -> Iterator[Finding]:
    known = {item["name"] for item in (*manifest["outputs"], *left_out["in_its_place"])}
    known |= {*digests.BESIDE, *signatures.names(), *({LEFT_OUT} if left_out["left_out"] else ())}
    for path in sorted(folder.iterdir()):
        if path.name not in known:
            yield Finding(path.name, "is not listed in the manifest")


def _notes(manifest: dict[str, Any], signed: list[str], left_out: Mapping[str, Any]) -> Iterator[str]:
    if left_out["left_out"]:
        yield f"left out of this bundle, and so not checked: {', '.join(sorted(left_out['left_out']))}"
    if left_out["in_its_place"]:
        yield (
            f"{BARE_REPORT} is a copy that the manifest does not list: no hash or signature of the run "
            "covers it: results.json has what counts"
        )
    yield from signed
    for told in manifest.get("reviews", ()):
        yield f"reviewed by {told['reviewer']}: {told['name']}, {told['when']}"


def inputs(manifest: dict[str, Any], folder: Path) -> tuple[dict[str, Path], tuple[Finding, ...]]:
    """Find the inputs of a run in a folder, by their hashes.

    Parameters
    ----------
    manifest : dict
        Of the run.
    folder : Path
        Where the originals are; folders within it are not searched. Names need not be those of the run.

    Returns
    -------
    (path of each field of the case, what was not found)

    Raises
    ------
    EvidenceError
        `folder` cannot be listed.
    """
    try:
        files = sorted(path for path in folder.iterdir() if path.is_file())
    except OSError as error:
        raise EvidenceError(
            f"{folder}: cannot be listed: {error.strerror or error}. Check its permissions"
        ) from None
    sizes = {item["bytes"] for item in manifest["inputs"]}
    by_hash: dict[str, Path] = {}
    for path in files:
        if path.stat().st_size in sizes:
            by_hash.setdefault(digests.entry(path)["sha256"], path)
    found, findings = {}, []
    for item in manifest["inputs"]:
        if item["sha256"] in by_hash:
            found[str(item.get("field", item.get("role")))] = by_hash[item["sha256"]]
        else:
            there = (folder / PurePosixPath(item["name"]).name).exists()
            what = "is another file than the one that was compared" if there else "was not found"
            findings.append(Finding(item["name"], f"input {what}, by its SHA-256"))
    return found, tuple(findings)
