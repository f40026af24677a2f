"""A review goes into a run: kept, sealed and drawn, in one step, and nothing that was there is taken back."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import (
    __version__,
    custody,
    digests,
    drawing,
    evidence,
    figures,
    folders,
    review_files,
    signatures,
    states,
    verify,
)
from . import outputs as results
from .errors import EvidenceError, OutputError
from .judged import Review


def add(folder: Path, path: Path, operator: str | None = None, font: Path | None = None) -> Review:
    """Put a review into a run, and draw figures and report again with it; nothing is computed.

    The new state is built beside the run and takes its place in one step. It keeps every file but what is
    drawn; the manifest before, with its signatures, is kept under a number.

    Parameters
    ----------
    folder : Path
        A run that verifies.
    path : Path
        The review; its bytes are kept as they are.
    operator : str or None
        Who adds it, for the custody log.
    font : Path or None
        For characters that the bundled font lacks: a run keeps none, and is drawn again.

    Raises
    ------
    InputError
        The review or the font cannot be read; of a review, the message names the item.
    EvidenceError
        The run does not verify, or the review is of another one.
    OutputError
        The disk refuses, or the run changed meanwhile. The run is then as it was.
    """
    when = evidence.created(datetime.now(UTC))
    figures.check((), (None, None), font)
    found = verify.check_sound(folder, "Nothing was reviewed")
    comparison = drawing.of_run(folder)
    if results.evidence_id(comparison) != found.manifest["evidence_id"]:
        made = found.manifest.get("versions", {}).get("damagediff", "another version")
        raise EvidenceError(f"{folder.name}: was made by damagediff {made}. Review it with that version")
    number = len(comparison.reviews) + 1
    if number > states.MOST:
        raise OutputError(
            f"{folder.name}: has {states.MOST} reviews, which is all that a run can hold. Make the run anew "
            "to review it again"
        )
    data = review_files.load(path)
    review = review_files.parse(data, comparison, states.review_name(number), path.name)
    log = (folder / custody.LOG).read_bytes()
    with folders.next_state(folder, lambda old: (old / custody.LOG).read_bytes() == log) as new:
        (new / review.name).write_bytes(data)
        drawing.draw(replace(comparison, reviews=(*comparison.reviews, review)), new, drawing.More(font=font))
        (new / custody.LOG).write_bytes(log)
        _keep(folder, new, states.kept_name(number - 1))
        added = _added(found.manifest, review, digests.entry(new / review.name), when)
        seal = evidence.seal_again(new, found.manifest, added)
        told = {"review": added["reviews"][-1], "reviewer": review.reviewer}
        custody.append(new, "reviewed", told | seal, operator)
    return review


def font_left_out(folder: Path, font: Path | None) -> str | None:
    """Name of the font that a run was made with, when none is given to draw it again; None: nothing lost."""
    manifest, _ = verify.read_manifest(folder)
    fonts = [item["name"] for item in manifest["inputs"] if item.get("field") == "font"]
    return fonts[0] if fonts and font is None else None


def _added(manifest: dict[str, Any], review: Review, entry: dict[str, Any], when: str) -> dict[str, Any]:
    """What the new manifest says beside what the one before said."""
    told = entry | {"reviewer": review.reviewer, "when": when, "drawn_by": f"damagediff {__version__}"}
    before = states.kept_name(len(manifest.get("reviews", ())))
    return {
        "reviews": [*manifest.get("reviews", ()), told],
        states.FOLLOWS: {"name": before, digests.OWN_DIGEST: manifest[digests.OWN_DIGEST]},
    }


def _keep(folder: Path, new: Path, manifest: str) -> None:
    """Take over every file that was not drawn again; the manifest and its signatures get another name."""
    names = {folders.MANIFEST: manifest}
    made_anew = set(digests.BESIDE) - set(names)
    names |= dict(zip(signatures.names(), signatures.names(manifest), strict=True))
    for path in folder.iterdir():
        target = new / names.get(path.name, path.name)
        if path.name not in made_anew and not target.exists():
            _link(path, target)


def _link(path: Path, target: Path) -> None:
    """The same file under another name: a scene's rasters are gigabytes, and nothing writes into them."""
    try:
        os.link(path, target)
    except OSError:  # a file system without links
        shutil.copyfile(path, target)
