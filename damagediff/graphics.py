"""Graphics drawn over a pair: looked for in the files' own pixels, and left out of all reads."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor

import numpy as np

from . import copies, masks, overlays, tiles, wording
from .feed import Feed
from .scene import Scene
from .types import Window

MOST_SHARE = 0.3
"""Of a picture: more is not drawn over it; it is drawn itself, or unlike what was learnt from."""
MOST_PX = 40_000_000
"""Pixels beyond which no single picture is searched: no screen and no press picture is that large."""


def left_out(feeds: list[Feed], executor: Executor) -> list[Feed]:
    """The same feeds without what is drawn over either picture, and over both at the same pixels."""
    seen = [_look(feed, executor) if _searched(feed) else None for feed in feeds]
    found = [None if one is None else overlays.drawn(one) for one in seen]
    alike = feeds[0].image.shape == feeds[1].image.shape
    if alike and not copies.at_once(*feeds):  # in copies of one picture everything would look drawn
        lines = masks.overlaid(feeds[0].grey(), feeds[1].grey())
        feeds = [feed.without(lines) for feed in feeds]
        if seen[0] is not None and seen[1] is not None:
            either = overlays.drawn(seen[0]) | overlays.drawn(seen[1])
            both = overlays.drawn_over_both(seen[0], seen[1], either)
            found = [None if own is None else own | both for own in found]
    pairs = zip(feeds, found, strict=True)
    return [
        feed if own is None or own.mean() > MOST_SHARE else feed.without_marks(own) for feed, own in pairs
    ]


def _searched(feed: Feed) -> bool:
    image = feed.image
    return image.dtype == "uint8" and image.shape[0] * image.shape[1] <= MOST_PX


def _look(feed: Feed, executor: Executor) -> overlays.Seen:
    """What is seen of the whole file as shown, part by part."""
    shape, part, halo = feed.image.shape, overlays.PART_PX, overlays.HALO_PX
    shown = (0, 1, 2) if len(feed.reader.roles) >= 3 else (0, 0, 0)
    cores = tiles.plan(shape, part)

    def one(core: Window) -> overlays.Seen:
        top, left = max(core.row - halo, 0), max(core.col - halo, 0)
        bottom, right = (
            min(first + count + halo, most)
            for first, count, most in zip(core[:2], core[2:], shape, strict=True)
        )
        data, _ = feed.reader.read(Window(top, left, bottom - top, right - left))
        rgb = np.ascontiguousarray(data[list(shown)].transpose(1, 2, 0)).astype(np.uint8)
        inner = tuple(
            slice(first - before, first - before + count)
            for first, before, count in zip(core[:2], (top, left), core[2:], strict=True)
        )
        return overlays.look(rgb, (inner[0], inner[1]))

    whole = overlays.unseen(shape)
    for core, part_seen in zip(cores, tiles.map_ordered(one, cores, executor, ahead=16), strict=True):
        for name in ("rgb", "odds", "sharp", "strong"):
            getattr(whole, name)[core.slices] = getattr(part_seen, name)
    return whole


def note(scene: Scene) -> Iterator[str]:
    """What share of each picture is drawn over, and so not compared."""
    plain = scene.settings.sensor == "optical" and scene.pair.moving_is_file
    if plain and not scene.settings.masks.graphics:
        yield "Graphics drawn over the pictures were not looked for: they may be reported as change."
        return
    shares = []
    for side, feed in (("before", scene.before), ("after", scene.after)):
        drawn = feed.reduced.drawn if feed.marks is None else feed.marks
        if drawn is not None and drawn.any():
            which = wording.which(side, feed.image.name, feed.image.crop is not None)
            shares.append(f"{wording.share(float(drawn.mean()))} of {which}")
    if shares:
        yield (
            f"Taken for graphics drawn over the picture, and not compared: {', '.join(shares)}. "
            "What lies under them is not seen."
        )
