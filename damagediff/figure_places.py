"""Where the parts of a page go: panels as large as it allows, enlarged regions where they cost least.

Pure layout in px from the top left of the space given; knows nothing of figures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

INSET_WORTH = 0.7
"""What an area of enlarged regions counts against the same area of panels."""
LARGEST_INSET = 400
"""Side in px at unit 1 from which more of it is worth nothing."""
SMALLEST_INSET = 130
"""Side in px at unit 1: its tag holds a number and a word."""
TAG = 40
"""Height in px at unit 1 above an enlarged region, for its number."""
NARROWEST_WORDS = 330
"""Width in px at unit 1 that a date and a credit get, however narrow the picture."""
STRIPS = (0.12, 0.16, 0.2, 0.25, 0.3, 0.36, 0.42, 0.5)
"""Shares of the space that are tried for enlarged regions."""

Heights = Callable[[int], tuple[int, int]]
"""From the width of words to the height that head and foot of a panel need."""


class Place(NamedTuple):
    """A rectangle: left, top, width, height."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class PanelPlace:
    """One picture with the words above and below it."""

    picture: Place
    words_left: int
    words_width: int
    head: int
    foot: int


@dataclass(frozen=True)
class Pairs:
    """Enlarged regions: the left top corner of each pair, and the side of one picture."""

    corners: tuple[tuple[int, int], ...]
    side: int


@dataclass(frozen=True)
class Arrangement:
    """Panels and pairs of one page."""

    panels: tuple[PanelPlace, ...]
    pairs: Pairs


@dataclass(frozen=True)
class Wanted:
    """What has to go onto the page."""

    aspects: tuple[float, ...]
    """Width over height of each picture."""
    heights: Heights
    pairs: int
    """The most enlarged regions, each before and after."""
    unit: float
    gap: int

    @property
    def tag(self) -> int:
        """Height above an enlarged picture."""
        return round(TAG * self.unit)


NO_PAIRS = Pairs((), 0)


def arrange(width: int, height: int, wanted: Wanted) -> Arrangement:
    """The best of some hundred arrangements, centred in the space.

    Panels of one shape get one size. Pairs that find no room are left out.
    """
    found = [
        Arrangement(panels, pairs)
        for (w, h), pairs in _with_pairs(width, height, wanted)
        for across in range(1, len(wanted.aspects) + 1)
        if (panels := _panels(w, h, across, wanted)) is not None
    ]
    found += _in_the_last_cell(width, height, wanted)
    return max(found, key=lambda one: _worth(one, wanted))


def _worth(one: Arrangement, wanted: Wanted) -> float:
    shown = sum(panel.picture.width * panel.picture.height for panel in one.panels)
    side = min(one.pairs.side, LARGEST_INSET * wanted.unit)
    return shown + INSET_WORTH * 2 * len(one.pairs.corners) * side**2


def _with_pairs(width: int, height: int, wanted: Wanted) -> Iterator[tuple[tuple[int, int], Pairs]]:
    """What is left for the panels, and where the pairs are: nowhere, below, or at the right."""
    yield (width, height), NO_PAIRS
    for share, count in product(STRIPS, range(1, wanted.pairs + 1)):
        below, beside = round(share * height), round(share * width)
        for across in {count, -(-count // 2)}:
            if pairs := _block((0, height - below, width, below), count, across, wanted):
                top = min(y for _, y in pairs.corners)
                yield (width, top - wanted.gap), pairs
        for across in {1, min(2, count)}:
            if pairs := _block((width - beside, 0, beside, height), count, across, wanted):
                right = max(x for x, _ in pairs.corners) + 2 * pairs.side + wanted.gap // 3
                up = (min(y for _, y in pairs.corners)) // 2
                corners = tuple((x + width - right, y - up) for x, y in pairs.corners)  # flush, halfway down
                yield (corners[0][0] - wanted.gap, height), Pairs(corners, pairs.side)


def _block(space: tuple[int, int, int, int], count: int, across: int, wanted: Wanted) -> Pairs | None:
    """So many pairs in rows in a space, at its lower edge; None where they would be too small."""
    left, top, width, height = space
    gap, between, down = wanted.gap, wanted.gap // 3, -(-count // across)
    side = min(
        ((width + gap) // across - gap - between) // 2,
        (height + gap) // down - gap - wanted.tag,
        round(1.25 * LARGEST_INSET * wanted.unit),
    )
    if side < SMALLEST_INSET * wanted.unit:
        return None
    step_x, step_y = 2 * side + between + gap, side + wanted.tag + gap
    x, y = left + (width - across * step_x + gap) // 2, top + height - down * step_y + gap
    return Pairs(tuple((x + k % across * step_x, y + k // across * step_y) for k in range(count)), side)


def _in_the_last_cell(width: int, height: int, wanted: Wanted) -> Iterator[Arrangement]:
    """Three panels in two rows, the pairs in the free fourth cell."""
    if len(wanted.aspects) != 3 or not wanted.pairs:
        return
    panels = _panels(width, height, 2, wanted)
    if panels is None:
        return
    shift = panels[0].words_left - panels[2].words_left
    first, second, last = panels
    last = PanelPlace(
        last.picture._replace(left=last.picture.left + shift),
        first.words_left,
        last.words_width,
        last.head,
        last.foot,
    )
    left = last.words_left + last.words_width + wanted.gap
    top = last.picture.top - last.head
    space = left, top, second.words_left + second.words_width - left, last.head + last.picture.height
    for count in range(1, wanted.pairs + 1):
        for across in (1, 2):
            if pairs := _block(space, count, across, wanted):
                yield Arrangement((first, second, last), pairs)


def _panels(width: int, height: int, across: int, wanted: Wanted) -> tuple[PanelPlace, ...] | None:
    """Panels with so many in a row, or None where they do not fit."""
    gap = wanted.gap
    rows = -(-len(wanted.aspects) // across)
    slot = (width - (across - 1) * gap) // across
    room = (height - (rows - 1) * gap) // rows
    sized = [_sized(slot, room, aspect, wanted) for aspect in wanted.aspects]
    fitting = [panel for panel in sized if panel is not None]
    if len(fitting) < len(sized):
        return None
    lines = [fitting[k : k + across] for k in range(0, len(fitting), across)]
    tall = [max(p.head + p.picture.height + p.foot for p in line) for line in lines]
    top = (height - sum(tall) - (rows - 1) * gap) // 2
    placed: list[PanelPlace] = []
    for line, below in zip(lines, tall, strict=True):
        left = (width - sum(p.words_width for p in line) - (len(line) - 1) * gap) // 2
        for panel in line:
            inside = left + (panel.words_width - panel.picture.width) // 2
            picture = panel.picture._replace(left=inside, top=top + panel.head)
            placed.append(PanelPlace(picture, left, panel.words_width, panel.head, panel.foot))
            left += panel.words_width + gap
        top += below + gap
    return tuple(placed)


def _sized(slot: int, room: int, aspect: float, wanted: Wanted) -> PanelPlace | None:
    """The largest picture of this shape whose words fit with it into a slot."""
    least = min(slot, round(NARROWEST_WORDS * wanted.unit))
    words = slot
    for _ in range(4):  # narrower words are higher, and leave less for the picture
        head, foot = wanted.heights(words)
        free = room - head - foot
        if free < 1 or slot < 1:
            return None
        picture_width = max(1, min(slot, round(free * aspect)))
        if max(picture_width, least) == words:
            break
        words = max(picture_width, least)
    head, foot = wanted.heights(words)
    picture_height = min(max(1, round(picture_width / aspect)), room - head - foot)
    if picture_height < 1:
        return None
    picture_width = max(1, min(picture_width, round(picture_height * aspect)))
    return PanelPlace(Place(0, 0, picture_width, picture_height), 0, words, head, foot)
