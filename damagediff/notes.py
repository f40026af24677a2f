"""Sentences that every reader of a run must see."""

from __future__ import annotations

from collections.abc import Iterator

from . import align_points, same_picture, summary, wording
from . import grid as grids
from .scene import Scene
from .types import ChangeMap, Pair, Split, TiePoints, Trust

CLOUDED = 0.01
"""Share that looks like cloud from which readers are told: clear pairs reached .002 (docs/method.md)."""


def of_areas(scene: Scene) -> Iterator[str]:
    """What the user left out, of which every reader must know."""
    case, areas_ = scene.case, scene.areas
    if case.exclude is not None and areas_.excluded is not None:
        share = wording.share(float(areas_.excluded.mean()))
        yield f"Excluded by hand: {share} of the scene, by {wording.plain(case.exclude.name)}."
    if case.aoi is not None and areas_.asked is not None:
        share, name = wording.share(float(areas_.asked.mean())), wording.plain(case.aoi.name)
        if areas_.asked.all():
            yield f"The area of interest, {name}, covers all of the scene."
        else:
            yield (
                f"Only an area of interest was asked about: {share} of the scene, by {name}. "
                "Nothing is said about the rest."
            )


def of_hand_points(points: TiePoints) -> Iterator[str]:
    """Whether places marked by hand agree with the alignment; nothing when there are none."""
    if points.by_hand is None:
        return
    apart, within = points.residual_px[points.by_hand], f"{align_points.GROSS_PX:g} px"
    agree = sum(role != "rejected" for role, by in zip(points.role, points.by_hand, strict=True) if by)
    yield (
        f"Of {len(apart)} places marked by hand, {agree} agree with the alignment within {within}, "
        f"{len(apart) - agree} do not, the worst by {float(apart.max()):.1f} px."
    )


def of_event(trust: Trust) -> Iterator[str]:
    """That the stated event was not between the two images."""
    for check in trust.checks:
        if check.name == "event date" and check.passed is False:
            yield f"The event was not between the two images: {check.detail}."


def of_sources(scene: Scene) -> Iterator[str]:
    """What is not known of where the pictures come from, and what was stated of the place."""
    pair, place = scene.pair, scene.case.place
    lacking = {
        role: summary.missing_of_source(image.record)
        for role, image in (("before", pair.before), ("after", pair.after))
    }
    if lacking["before"] and lacking["before"] == lacking["after"]:
        yield f"Source record incomplete. Not stated of both images: {lacking['before']}."
    else:
        for role, words in lacking.items():
            if words:
                yield f"Source record incomplete. Not stated of the {role} image: {words}."
    if scene.case.taken_for_utc:
        of = wording.plain(" and of ".join(scene.case.taken_for_utc))
        yield f"Stated without a zone, and taken for UTC: the time of {of}."
    if place is not None:
        yield _of_place(place, pair)


def _of_place(place: tuple[float, float], pair: Pair) -> str:
    latitude, longitude = place
    said = f"The place {latitude:g}, {longitude:g} (latitude, longitude) is as stated by the user"
    if pair.grid.crs is None:
        return f"{said}: the sun is computed by it, nothing is measured."
    apart_m = grids.distance_m(pair.grid, longitude, latitude)
    if apart_m == 0:
        return f"{said}: it lies within the scene."
    return f"{said}, but it lies {apart_m / 1000:,.1f} km outside the scene: check one and the other."


def of_copies(scene: Scene) -> Iterator[str]:
    """What two files have in common that two pictures cannot, and what one picture holds twice."""
    same = scene.same
    if same is None:
        return
    if same.share is not None and not scene.pair.identical:
        seen = (
            f"{wording.share(same.share)} of {same.windows} windows are the same down to a grey level or so"
        )
        if same.whole:
            words = same_picture.copies(same)
            yield (
                f"{words[0].upper()}{words[1:]}: {seen}. So nothing is said about "
                "change: where they differ, a file was changed, or both were drawn or computed alike; "
                "neither says anything of the place."
            )
        elif same.partly:
            yield (
                f"A part of both images appears to be one and the same picture: {seen}. There the two dates "
                "cannot be compared. Mosaics and map viewers may show one base picture for two dates; a part "
                "may also have been copied from one file into the other."
            )
    for part in same.repeated:
        how = "" if part.mirrored is None else f", mirrored {part.mirrored}"
        yield (
            f"The {part.when} image appears to show a part of itself twice{how}: {wording.share(part.share)} "
            "of it is found again elsewhere in it. It may be two panels of one picture, or a part copied "
            "inside it."
        )


def of_pair(pair: Pair, change: ChangeMap | None = None, split: Split | None = None) -> tuple[str, ...]:
    """What every reader must see: what both files have in common is said once, all of a date in one note."""
    said: dict[tuple[str, str], list[str]] = {}
    for image in (pair.before, pair.after):
        for note in image.notes:
            others = pair.after.notes if image is pair.before else pair.before.notes
            both = image.name if image.crop is not None else "both files"
            whose = both if note in others else image.name
            topic = "date" if image.acquisition.source in note else note
            said.setdefault((whose, topic), []).append(note)
    notes = [f"{whose}: {' '.join(dict.fromkeys(parts))}" for (whose, _), parts in said.items()]
    notes += [] if change is None else list(_of_sight(pair, change))
    chosen = summary.measure_line(change)
    notes = _of_split(pair, split) + notes
    notes = notes if chosen is None else [chosen, *notes]
    if pair.identical:
        notes.insert(0, "both files are identical, byte for byte: there is nothing to compare")
    return tuple(notes)


def _of_sight(pair: Pair, change: ChangeMap) -> Iterator[str]:
    """Cloud that hides part of the ground, of which every reader must know."""
    sides = (
        ("before", pair.before, change.sight.cloud_before),
        ("after", pair.after, change.sight.cloud_after),
    )
    for side, image, share in sides:
        if share is not None and share >= CLOUDED:
            named = image.name if image.crop is None else wording.which(side, image.name, True)
            yield (
                f"{named}: {wording.share(share)} of it looks like cloud or haze, and more may be. "
                "What is under it cannot be told from change; nothing was left out for it."
            )


def _of_split(pair: Pair, split: Split | None) -> list[str]:
    """That both images were cut from one picture, and who says which of them is before."""
    if split is None:
        return []
    return [
        f"Both images were cut from one picture, {wording.plain(pair.before.name)}: {' '.join(split.doubt)}"
    ]
