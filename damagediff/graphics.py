"""Graphics drawn over a pair: looked for in the files' own pixels, and left out of all reads."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor

import numpy as np

from . import copies, masks, overlays, tiles, wording
from .feed import Feed
from .scene import Scene
from .types import BoolArray, Window

MOST_PX = 40_000_000
"""Pixels beyond which no single picture is searched: no screen and no press picture is that large."""


def left_out(feeds: list[Feed], executor: Executor) -> list[Feed]:
    """The same feeds without what is drawn over either picture, and over both at the same pixels."""
    alike = feeds[0].reduced.valid.shape == feeds[1].reduced.valid.shape
    if alike and not copies.at_once(*feeds):  # in copies of one picture everything would look drawn
        both = masks.overlaid(feeds[0].grey(), feeds[1].grey())
        feeds = [feed.without(both) for feed in feeds]
    return [feed.without_marks(marks(feed, executor)) if _searched(feed) else feed for feed in feeds]


def _searched(feed: Feed) -> bool:
    image = feed.image
    return image.dtype == "uint8" and image.shape[0] * image.shape[1] <= MOST_PX


def marks(feed: Feed, executor: Executor) -> BoolArray:
    """(rows, cols) of the file as shown: where something is drawn over it."""
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

    whole = overlays.Seen(np.empty(shape, np.float32), np.empty(shape, np.uint8), np.empty(shape, np.uint8))
    for core, seen in zip(cores, tiles.map_ordered(one, cores, executor, ahead=16), strict=True):
        place = np.s_[core.row : core.row + core.rows, core.col : core.col + core.cols]
        whole.odds[place], whole.sharp[place], whole.strong[place] = seen.odds, seen.sharp, seen.strong
    return overlays.drawn(whole)


def note(scene: Scene) -> Iterator[str]:
    """What share of each picture is drawn over, and so not compared."""
    shares = []
    for feed in (scene.before, scene.after):
        drawn = feed.reduced.drawn if feed.marks is None else feed.marks
        if drawn is not None and drawn.any():
            shares.append(f"{wording.share(float(drawn.mean()))} of {wording.plain(feed.image.name)}")
    if shares:
        yield f"Taken for graphics drawn over the picture, and not compared: {', '.join(shares)}."
