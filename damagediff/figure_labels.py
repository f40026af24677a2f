"""Where the numbers of the boxes go: beside their box, on no other box, label or leader line.

Pure layout on rectangles in picture pixels, y downwards; knows nothing of figures.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

LARGE_SHARE = 0.1
"""A box over more of the frame than this cannot be kept free of labels: its label may lie inside."""
DIRECTIONS = 16
RINGS = 7
"""The last one about 26 gaps away: a longer leader no longer leads the eye."""

Point = tuple[float, float]
Line = tuple[Point, Point]


class Box(NamedTuple):
    """A rectangle: x to the right, y downwards."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def area(self) -> float:
        """Width times height."""
        return (self.right - self.left) * (self.bottom - self.top)

    def overlaps(self, other: Box) -> bool:
        """Whether the two share more than an edge."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )

    def inside(self, frame: Box) -> bool:
        """Whether all of this box lies within `frame`."""
        return (
            frame.left <= self.left
            and self.right <= frame.right
            and frame.top <= self.top
            and self.bottom <= frame.bottom
        )

    def grown(self, margin: float) -> Box:
        """`margin` more on every side."""
        return Box(self.left - margin, self.top - margin, self.right + margin, self.bottom + margin)

    def nearest(self, point: Point) -> Point:
        """The point of this box nearest to `point`."""
        return min(max(point[0], self.left), self.right), min(max(point[1], self.top), self.bottom)

    @property
    def centre(self) -> Point:
        """Of the rectangle."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def crossed_by(self, line: Line) -> bool:
        """Whether `line` passes through the inside (Liang and Barsky's clipping)."""
        (x0, y0), (x1, y1) = line
        enter, leave = 0.0, 1.0
        for step, low, high in (
            (x1 - x0, self.left - x0, self.right - x0),
            (y1 - y0, self.top - y0, self.bottom - y0),
        ):
            if step == 0:
                if low >= 0 or high <= 0:
                    return False
                continue
            first, last = sorted((low / step, high / step))
            enter, leave = max(enter, first), min(leave, last)
        return enter < leave


@dataclass(frozen=True)
class Label:
    """A placed label, and the line that leads from it to its box (None when it touches the box)."""

    box: Box
    leader: Line | None


def place(
    boxes: Sequence[Box], sizes: Sequence[tuple[float, float]], frame: Box, gap: float
) -> list[Label | None]:
    """One label for each box, nearest place first, earlier boxes first.

    Parameters
    ----------
    boxes : sequence of Box
        What is numbered. None of the small ones is ever covered by a label.
    sizes : sequence of (width, height)
        Of each label.
    frame : Box
        Labels stay inside.
    gap : float
        Between a label and everything else.

    Returns
    -------
    list of Label or None
        None where no free place is left: such a box should not be drawn, but counted.
    """
    keep_free = [box for box in boxes if box.area <= LARGE_SHARE * frame.area]
    placed: list[Label] = []
    result: list[Label | None] = []
    for box, size in zip(boxes, sizes, strict=True):
        label: Label | None = None
        for found in _candidates(box, size, gap):
            if found.box.inside(frame) and _free(found, box, keep_free, placed, gap):
                # Boxes over one another leave few ways: a leader crosses one where there is no other.
                clear = not _crosses(found, box, keep_free)
                label = found if clear or label is None else label
                if clear:
                    break
        result.append(label)
        if label is not None:
            placed.append(label)
    return result


def _free(label: Label, own: Box, keep_free: Sequence[Box], placed: Sequence[Label], gap: float) -> bool:
    around = label.box.grown(gap / 2)
    if any(label.box.overlaps(box) for box in keep_free):
        return False
    if any(
        around.overlaps(other.box) or (other.leader and around.crossed_by(other.leader)) for other in placed
    ):
        return False
    if label.leader is None:
        return True
    leader = label.leader
    others = [box for box in keep_free if box != own and not box.overlaps(own)]
    crossing = any(box.crossed_by(leader) for box in [*others, *(other.box for other in placed)])
    return not crossing and not any(other.leader and _cross(leader, other.leader) for other in placed)


def _crosses(label: Label, own: Box, boxes: Sequence[Box]) -> bool:
    leader = label.leader
    return leader is not None and any(box.crossed_by(leader) for box in boxes if box != own)


def _candidates(box: Box, size: tuple[float, float], gap: float) -> Iterator[Label]:
    """Labels at the corners and sides of the box, then on growing rings around it with a leader."""
    width, height = size
    for left, top in (
        (box.left, box.top - height), (box.right - width, box.top - height),
        (box.left, box.bottom), (box.right - width, box.bottom),
        (box.left - width, box.top), (box.right, box.top),
        (box.left - width, box.bottom - height), (box.right, box.bottom - height),
        (box.left, box.top), (box.right - width, box.top), (box.left, box.bottom - height),
    ):  # fmt: skip
        yield Label(Box(left, top, left + width, top + height), None)
    for ring in range(1, RINGS + 1):
        distance = ring * 2 * gap + ring * ring * gap / 4
        for k in range(DIRECTIONS):
            yield _far(box, size, distance, 2 * math.pi * k / DIRECTIONS)


def _far(box: Box, size: tuple[float, float], distance: float, angle: float) -> Label:
    width, height = size
    x = box.centre[0] + math.cos(angle) * ((box.right - box.left + width) / 2 + distance)
    y = box.centre[1] + math.sin(angle) * ((box.bottom - box.top + height) / 2 + distance)
    label = Box(x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    end = box.nearest(label.centre)
    return Label(label, (label.nearest(end), end))


def _cross(a: Line, b: Line) -> bool:
    def side(line: Line, point: Point) -> float:
        (x0, y0), (x1, y1) = line
        return (x1 - x0) * (point[1] - y0) - (y1 - y0) * (point[0] - x0)

    return side(a, b[0]) * side(a, b[1]) < 0 and side(b, a[0]) * side(b, a[1]) < 0
