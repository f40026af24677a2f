"""Part of `pipeline`: whether the two files of a scene are one picture, read by windows."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Literal

import numpy as np

from . import align_fit, repeated, same_picture, same_windows, tiles
from .align_points import Model
from .feed import Feed
from .outcome import Repeated, SamePicture
from .same_windows import Judged, Looked
from .scene import Scene
from .types import NOT_ANALYSED, Alignment, ChangeMap, Region, Window

REFIT_CORRELATION = 0.6
"""Windows that resemble each other this much lay a copy anew, when edited patches bent its alignment."""
LEAST_REFIT = 6


def at_once(before: Feed, after: Feed) -> bool:
    """Whether two plain pictures of one size are copies, pixel on pixel; on the reduced pictures."""
    return same_windows.compare(before.grey(), after.grey()).whole


def look(scene: Scene, accepted: bool) -> SamePicture:
    """Ask of the pair, aligned as well as it can be, whether it is one picture, and each whether it repeats.

    What was taken for a drawing over both is looked at too: what is the same in both files looks drawn.
    """
    again = _repeated(scene)
    if scene.pair.identical:
        return SamePicture(1.0, 0, whole=True, partly=False, repeated=again)
    plain = replace(scene, before=scene.before.bare(), after=scene.after.bare())
    found, mirrored = _through_alignment(plain), None
    if not accepted and not found.whole:
        found, mirrored = _otherwise(plain, found)
    partly = not found.whole and (found.share or 0) >= same_windows.PART
    return SamePicture(
        found.share,
        found.windows,
        found.whole,
        partly and found.count >= same_windows.LEAST_SAME,
        mirrored,
        again,
    )


def refused(scene: Scene, alignment: Alignment) -> Alignment:
    """A refused alignment; of copies with that as the reason, not that too little agrees."""
    if scene.same is None or not scene.same.whole:
        return alignment
    words = (
        "both files are identical, byte for byte" if scene.pair.identical else same_picture.copies(scene.same)
    )
    return replace(alignment, reason=words, advice="Give two pictures that were taken at different times")


def unless_one(
    scene: Scene, change: ChangeMap, found: tuple[Region, ...]
) -> tuple[ChangeMap, tuple[Region, ...]]:
    """The change map and regions as they are; of copies of one picture nothing is said."""
    if scene.same is None or not scene.same.whole:
        return change, found
    return replace(change, changed=np.full_like(change.changed, NOT_ANALYSED)), ()


def _through_alignment(scene: Scene) -> Judged:
    """At full resolution where the alignment says; laid anew once where that may be why they differ."""
    shape = scene.pair.grid.shape
    windows, looked = _read(scene, same_windows.plan(shape))
    if not same_windows.suspicious(looked):
        return same_windows.judge(looked, same_windows.places(windows, shape))
    windows, looked = _read(scene, same_windows.plan(shape, same_windows.MANY))
    found = same_windows.judge(looked, same_windows.places(windows, shape))
    model = None if found.whole else _laid_anew(scene.after.model, windows, looked)
    if model is None:
        return found
    windows, looked = _read(
        replace(scene, after=scene.after.aligned(model)), same_windows.plan(shape, same_windows.MANY)
    )
    other = same_windows.judge(looked, same_windows.places(windows, shape))
    return other if other.count > found.count else found


def _read(scene: Scene, windows: tuple[Window, ...]) -> tuple[list[Window], list[Looked]]:
    """Those windows that both pictures show, and what was seen in them."""
    answers = list(tiles.map_ordered(partial(_looked, scene), windows, scene.executor, ahead=8))
    seen = [(w, a) for w, a in zip(windows, answers, strict=True) if a is not None]
    return [w for w, _ in seen], [a for _, a in seen]


def _looked(scene: Scene, window: Window) -> Looked | None:
    area = window.padded(same_windows.MARGIN_PX + same_windows.SEARCH_PX)
    before, before_valid = scene.before.read(area)
    after, after_valid = scene.after.read(area)
    usable = before_valid & after_valid & scene.areas.usable(area)
    first, second = scene.before.plane(before, usable), scene.after.plane(after, usable)
    return same_windows.look(np.asarray(first.grey), np.asarray(second.grey), usable)


def _laid_anew(model: Model | None, windows: list[Window], looked: list[Looked]) -> Model | None:
    """The map through the windows that resemble each other; None with too few of them."""
    keep = [k for k, one in enumerate(looked) if one.correlation >= REFIT_CORRELATION]
    if model is None or len(keep) < LEAST_REFIT:
        return None
    middle = np.array([windows[k][:2] for k in keep], float) + (same_windows.SIDE_PX - 1) / 2
    moving = model.moving_from_grid(middle + np.array([looked[k].shift_rc for k in keep]))
    weight = np.array([looked[k].correlation ** 8 for k in keep])
    for _ in range(8):
        matrix = align_fit.least_squares("similarity", middle, moving, weight)
        fitted = Model("similarity", matrix)
        apart = np.hypot(*(fitted.moving_from_grid(middle) - moving).T)
        weight = np.array([looked[k].correlation ** 8 for k in keep]) / (1 + (apart / 0.25) ** 2) ** 2
    return fitted


def _otherwise(scene: Scene, found: Judged) -> tuple[Judged, str | None]:
    """A refused pair as its files lie, and mirrored, moved by a whole number of reduced pixels."""
    before, after = scene.before, scene.after
    if before.reduced.factor != after.reduced.factor:
        return found, None
    best, how = found, None
    for name, axis in ((None, None), *repeated.MIRRORS):
        there, usable = repeated.flipped(after.grey(), axis), repeated.flipped(after.reduced.valid, axis)
        valid = before.reduced.valid, usable
        offset = repeated.offset(before.grey(), there, valid)
        now = same_windows.compare(before.grey(), there, offset, valid)
        if (now.share or 0) > (best.share or 0):
            best, how = now, name
    return best, how


def _repeated(scene: Scene) -> tuple[Repeated, ...]:
    """Of each picture the largest part that it holds twice; where somebody left places out, without them."""

    def one(feed: Feed) -> Repeated | None:
        when: Literal["before", "after"] = "before" if feed is scene.before else "after"
        return repeated.find(feed.grey(), feed.reduced.valid, when, feed.reduced.factor)

    found = list(tiles.map_ordered(one, (scene.before, scene.after), scene.home, ahead=2))
    return tuple(part for part in found if part is not None)
