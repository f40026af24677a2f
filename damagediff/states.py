"""The states of a run: as it was made, and after each review, each sealed by a manifest of its own.

A review is added, nothing is taken back: the manifest of the state before is kept under a number, the new one
names its hash, and the custody log has a record of every seal. results.json is the same in all states.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import custody, digests, folders, review_files

FOLLOWS = "follows"
"""In a manifest: name and own hash of the one of the state before."""
KEPT = re.compile(r"manifest-\d{3}\.json")
MOST = 999
"""Reviews of one run: the numbers have three digits."""


def kept_name(reviews: int) -> str:
    """What the manifest of the state with so many reviews is called, once another follows."""
    return f"manifest-{reviews:03d}.json"


def review_name(number: int) -> str:
    """What the file of a review is called, counted from 1."""
    return f"review-{number:03d}.json"


def kept(folder: Path) -> list[str]:
    """Names of the manifests of earlier states, in their order."""
    return sorted(path.name for path in folder.iterdir() if KEPT.fullmatch(path.name))


def added(name: str) -> bool:
    """Whether a file of a run was given or kept, and is not made by the comparison."""
    return bool(review_files.NAME.fullmatch(name) or KEPT.match(name))


def check_form(manifest: dict[str, Any]) -> None:
    """Raise ValueError, KeyError or TypeError when what a manifest says of reviews has no form."""
    for told in manifest.get("reviews", ()):
        for key in ("name", "sha256", "reviewer", "when"):
            if not isinstance(told[key], str):
                raise ValueError(f"a review has no {key}")
    follows = manifest.get(FOLLOWS)
    if follows is not None and not isinstance(follows[digests.OWN_DIGEST], str):
        raise ValueError("it does not name the hash of the manifest that it follows")


def check(manifest: dict[str, Any], folder: Path) -> Iterator[tuple[str, str]]:
    """(file, what is wrong with it) of the log, and of the seals that follow each other.

    Parameters
    ----------
    manifest : dict
        The last one, whose form was checked.
    folder : Path
        Of the run.
    """
    broken = custody.check(folder)
    if broken:
        yield from ((custody.LOG, what) for what in broken)
        return
    earlier = list(_earlier(folder))
    for name, text, _ in earlier:
        if text is None:
            yield name, "is no readable manifest"
            return
    manifests = [*(found for _, _, found in earlier), manifest]
    seals = custody.seals(folder)
    if not seals or _sums(manifests[0]) != seals[0].get("sha256sums"):
        yield custody.LOG, "begins with another run: its SHA256SUMS is another one"
    elif [_sums(each) for each in manifests] != [seal.get("sha256sums") for seal in seals]:
        yield custody.LOG, f"has {len(seals)} seals that are not those of the {len(manifests)} manifests"
    else:
        names = [*(name for name, _, _ in earlier), folders.MANIFEST]
        for name, each, seal in zip(names, manifests, seals, strict=True):
            if seal.get(digests.OWN_DIGEST, own := each.get(digests.OWN_DIGEST)) != own:
                yield name, "is another manifest than the one that the custody log names"
    yield from _follow(earlier, manifests)
    yield from _reviews(manifest, seals, len(earlier))


def _earlier(folder: Path) -> Iterator[tuple[str, str | None, dict[str, Any]]]:
    """Name, text and content of each kept manifest; no text where it cannot be read."""
    for name in kept(folder):
        try:
            text = (folder / name).read_bytes().decode("utf-8")
            found = json.loads(text)
            check_form(found)
            yield name, text if _sums(found) else None, found
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            yield name, None, {}


def _sums(manifest: dict[str, Any]) -> str:
    return digests.of_text(digests.sums(manifest["outputs"]))


def _follow(
    earlier: list[tuple[str, str | None, dict[str, Any]]], manifests: list[dict[str, Any]]
) -> Iterator[tuple[str, str]]:
    """Each manifest names the hash of the one before, and says what that said."""
    names = [name for name, _, _ in earlier] + [folders.MANIFEST]
    if manifests[0].get(FOLLOWS) is not None:
        yield names[0], "follows a manifest that is not here"
    for number, (name, text, before) in enumerate(earlier):
        after, where = manifests[number + 1], names[number + 1]
        own = before.get(digests.OWN_DIGEST)
        if name != kept_name(number) or own != digests.own_digest(text or ""):
            yield name, "was changed: it does not have the hash or the number that it should"
        if after.get(FOLLOWS) != {"name": name, digests.OWN_DIGEST: own}:
            yield where, f"does not follow {name}"
        if any(before.get(key) != after.get(key) for key in before if key not in CHANGES):
            yield where, f"says other things of the run than {name}, which it follows"


CHANGES = ("outputs", digests.OWN_DIGEST, digests.CRATE_DIGEST, FOLLOWS, "reviews")
"""Keys of a manifest that a review changes."""


def _reviews(
    manifest: dict[str, Any], seals: list[dict[str, Any]], earlier: int
) -> Iterator[tuple[str, str]]:
    """As many reviews as states, each file with the hash that manifest and log name."""
    listed = {item["name"]: item["sha256"] for item in manifest["outputs"]}
    told = {each["name"]: each["sha256"] for each in manifest.get("reviews", ())}
    files = {name: digest for name, digest in listed.items() if review_files.NAME.fullmatch(name)}
    logged = [named if isinstance(named := seal.get("review"), dict) else {} for seal in seals[1:]]
    expected = [review_name(number) for number in range(1, earlier + 1)]
    if not (list(told) == expected == sorted(files)) or told != files:
        yield folders.MANIFEST, "does not list the reviews that belong to its states"
    elif [(each.get("name"), each.get("sha256")) for each in logged] != list(told.items()):
        yield custody.LOG, "names other reviews than the manifest"
