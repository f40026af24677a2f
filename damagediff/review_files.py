"""Reads review.json: one reviewer's decisions on one run. The file is untrusted, like every file.

Format 1::

    {"format": 1, "evidence_id": "0123456789ab", "reviewer": "A.B.", "scale": "copernicus" or null,
     "items": [
       {"kind": "region", "id": 3, "decision": "accepted", "reason": "...", "grade": null},
       {"kind": "building", "id": "w12", "decision": "rejected", "reason": "...", "grade": null},
       {"kind": "claim", "id": 1, "finding": "supports", "regions": [3], "reason": "..."}]}
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast, get_args

from . import outputs, wording
from .errors import EvidenceError, InputError
from .judged import Decision, Finding, GradeScale, Judgement, Kind, Review
from .types import Comparison

FORMAT = 1
MAX_BYTES = 4_000_000
MAX_ITEMS = 20_000
MAX_REASON, MAX_REVIEWER = 2000, 40
"""Characters."""
NAME = re.compile(r"review-\d{3}\.json")
HEAD = {"format", "evidence_id", "reviewer", "scale", "items"}
KEYS = {
    "region": {"kind", "id", "decision", "reason", "grade"},
    "building": {"kind", "id", "decision", "reason", "grade"},
    "claim": {"kind", "id", "finding", "regions", "reason"},
}
"""Keys that an item of each kind may have; others are refused, so that no word is silently left out."""


def load(path: Path) -> bytes:
    """The bytes of a review, not looked at yet.

    Raises
    ------
    InputError
        The file cannot be read, or is too large for a review.
    """
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path.name}: not a regular file. Give the review.json that a report exported")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(
            f"{path.name}: cannot be read: {error.strerror or error}. Check its name and its permissions"
        ) from None
    if len(data) > MAX_BYTES:
        raise InputError(
            f"{path.name}: larger than {MAX_BYTES:,} bytes: no review. Give the review.json that a report "
            "exported"
        )
    return data


def read_all(folder: Path, comparison: Comparison) -> tuple[Review, ...]:
    """The reviews that lie in a run folder, in their order.

    Raises
    ------
    InputError, EvidenceError
        As `parse`.
    """
    names = sorted(path.name for path in folder.iterdir() if NAME.fullmatch(path.name))
    return tuple(parse(load(folder / name), comparison, name) for name in names)


def parse(data: bytes, comparison: Comparison, name: str, called: str = "") -> Review:
    """One review of this comparison, checked.

    Parameters
    ----------
    data : bytes
        Of the file.
    comparison : Comparison
        Of the run: has the regions, buildings and claims that may be judged.
    name : str
        What the file is called in the run.
    called : str
        What messages call it; empty: the same.

    Raises
    ------
    InputError
        The file breaks the format; the message names the item.
    EvidenceError
        It is a review of another run.
    """
    called = called or name
    try:
        said = _json(data)
        _check_head(said)
        own = outputs.evidence_id(comparison)
        if said["evidence_id"] != own:
            raise EvidenceError(
                f"{called}: is a review of another run: it names the evidence id "
                f"{_shown(said['evidence_id'])}, this run has {own}. Put it into its own run"
            )
        reviewer = _text(said["reviewer"], "reviewer", MAX_REVIEWER)
        if not reviewer:
            raise ValueError("reviewer is empty: state initials")
        scale = said.get("scale")
        judgements = tuple(_items(said["items"], comparison, scale))
        return Review(name, reviewer, cast("GradeScale | None", scale), judgements)
    except ValueError as error:
        raise InputError(f"{called}: {error}. Nothing was written") from None


def _check_head(said: Any) -> None:
    if not isinstance(said, dict) or not {"format", "evidence_id", "reviewer", "items"} <= said.keys():
        raise ValueError("no review: it must have format, evidence_id, reviewer and items")
    _no_others(said, HEAD, "the review")
    if type(said["format"]) is not int or said["format"] != FORMAT:
        raise ValueError(f"its format is {_shown(said['format'])}, this version reads {FORMAT}")
    scale = said.get("scale")
    if scale is not None and scale not in get_args(GradeScale):
        raise ValueError(f"scale is {_shown(scale)}: must be {_or(get_args(GradeScale))}, or null")


def _json(data: bytes) -> Any:
    try:
        text = data.decode("utf-8-sig")
        return json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
    except UnicodeDecodeError:
        raise ValueError("not UTF-8 text") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} in line {error.lineno}") from None
    except RecursionError:
        raise ValueError("not a review: nested too deeply") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; of a key that stands twice, two readers would take two values."""
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(key for key, _ in pairs if sum(key == other for other, _ in pairs) > 1)
        raise ValueError(f"the key {_shown(twice)} stands twice in one object")
    return found


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is no number of JSON")


def _items(said: Any, comparison: Comparison, scale: str | None) -> Iterator[Judgement]:
    if not isinstance(said, list):
        raise ValueError("items is no list")
    if len(said) > MAX_ITEMS:
        raise ValueError(f"{len(said):,} items, at most {MAX_ITEMS:,} are read")
    known = {
        "region": {str(region.id) for region in comparison.regions},
        "building": {building.id for building in comparison.buildings},
        "claim": {str(number) for number in range(1, len(comparison.case.claims) + 1)},
    }
    seen = set()
    for number, item in enumerate(said, 1):
        where = f"item {number}"
        kind = item.get("kind") if isinstance(item, dict) else None
        if not isinstance(kind, str) or kind not in KEYS:
            raise ValueError(f"{where}: kind must be {_or(KEYS)}")
        name = _id(item.get("id"), where)
        where = f"item {number} ({kind} {_shown(name)})"
        if name not in known[kind]:
            raise ValueError(f"{where}: this run has no such {kind}")
        if (kind, name) in seen:
            raise ValueError(f"{where}: stands twice")
        seen.add((kind, name))
        _no_others(item, KEYS[kind], where)
        judge = _claim if kind == "claim" else _decided
        yield judge(item, name, where, (known["region"], scale, comparison.pair.grid.gsd_m))


def _id(said: Any, where: str) -> str:
    if isinstance(said, str) or type(said) is int:
        return str(said)
    raise ValueError(f"{where}: id must be a number or a text")


Context = tuple[set[str], str | None, float | None]
"""Known regions, the scale of the review, the size of a pixel in metres."""


def _decided(item: dict[str, Any], name: str, where: str, given: Context) -> Judgement:
    """One item on a region or a building."""
    decision = item.get("decision")
    if decision not in get_args(Decision):
        raise ValueError(f"{where}: decision is {_shown(decision)}: must be {_or(get_args(Decision))}")
    reason = _text(item.get("reason", ""), f"{where}: reason", MAX_REASON)
    grade = _grade(item.get("grade"), where, given)
    return Judgement(cast(Kind, item["kind"]), name, cast(Decision, decision), reason, grade)


def _grade(said: Any, where: str, given: Context) -> str | None:
    if said is None:
        return None
    _, scale, gsd_m = given
    if not wording.gradable(gsd_m):
        raise ValueError(
            f"{where}: has a grade, but grades are for pixels of at most {wording.GRADES_TO_GSD_M:g} m"
        )
    if scale is None:
        raise ValueError(f"{where}: has a grade, but the review names no scale")
    if said not in wording.grades(scale):
        raise ValueError(f"{where}: grade is {_shown(said)}: {scale} has {_or(wording.grades(scale))}")
    return str(said)


def _claim(item: dict[str, Any], name: str, where: str, given: Context) -> Judgement:
    """One item on a claim."""
    finding, regions = item.get("finding"), item.get("regions", [])
    if finding not in get_args(Finding):
        raise ValueError(f"{where}: finding is {_shown(finding)}: must be {_or(get_args(Finding))}")
    if not isinstance(regions, list):
        raise ValueError(f"{where}: regions is no list")
    for each in regions:
        if type(each) is not int or str(each) not in given[0]:
            raise ValueError(f"{where}: regions names {_shown(each)}, which this run does not have")
    reason = _text(item.get("reason", ""), f"{where}: reason", MAX_REASON)
    return Judgement("claim", name, cast(Finding, finding), reason, None, tuple(sorted(set(regions))))


def _text(said: Any, what: str, limit: int) -> str:
    """A text on one line, without characters that could turn or hide the words around it."""
    if not isinstance(said, str):
        raise ValueError(f"{what} is {_shown(said)}: must be a text")
    if len(said) > limit:
        raise ValueError(f"{what} has {len(said):,} characters, at most {limit:,} are read")
    return wording.plain(said, limit).strip()


def _no_others(said: dict[str, Any], allowed: set[str], where: str) -> None:
    others = sorted(set(said) - allowed)
    if others:
        raise ValueError(f"{where} has the unknown key {_shown(others[0])}")


def _shown(said: Any) -> str:
    """A value as it is quoted in a message: short, whatever it holds."""
    if isinstance(said, dict | list):
        return f"{'an object' if isinstance(said, dict) else 'a list'} of {len(said)}"
    return wording.plain(repr(said), 60)


def _or(words: Any) -> str:
    *most, last = words
    return f"{', '.join(most)} or {last}"
