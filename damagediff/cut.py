"""Part of `types`: rectangles of pixels, and how two images were cut from one picture."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple


class Window(NamedTuple):
    """A rectangle of pixels: first row and column, and how many of each; may reach outside the image."""

    row: int
    col: int
    rows: int
    cols: int

    def padded(self, margin: int) -> Window:
        """The same rectangle with `margin` px more on every side."""
        return Window(self.row - margin, self.col - margin, self.rows + 2 * margin, self.cols + 2 * margin)

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of this rectangle in an array of the whole."""
        return slice(self.row, self.row + self.rows), slice(self.col, self.col + self.cols)


Layout = Literal["side by side", "one above the other"]
Order = Literal["before-first", "after-first"]


Kind = Literal["picture", "words"]


@dataclass(frozen=True)
class Other:
    """A part of a composite that is no panel, in pixels of the whole picture as shown."""

    kind: Kind
    """``picture``: a locator map, a logo, another view; ``words``: words, a legend, a drawing."""
    x: int
    y: int
    w: int
    h: int

    @property
    def window(self) -> Window:
        """Where it lies."""
        return Window(self.y, self.x, self.h, self.w)


@dataclass(frozen=True)
class Split:
    """How a composite was cut into its two panels; the rectangles are `Source.crop` of either image."""

    layout: Layout
    found_by: Literal["layout and alignment", "command line"]
    """Who says where the panels are."""
    order: Order
    """Whether the left or upper panel, or with rectangles by hand the first one, is before or after."""
    order_from: Literal["assumed", "command line"]
    doubt_px: tuple[int, int] | None
    """How far off an edge of the before and the after panel may be; None: given by hand."""
    doubt: tuple[str, ...]
    """What a reader must know of it, each a sentence."""
    others: tuple[Other, ...] = ()
    """What else is on the picture and not compared."""

    def facts(self) -> dict[str, Any]:
        """By name, for JSON."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Wish:
    """What the user says of a composite."""

    panels: tuple[Window, Window] | None = None
    order: Order | None = None
    """None: not said, so the left or upper panel is taken for before."""


def xywh(window: Window) -> dict[str, int]:
    """A rectangle as people write it: x and y of its first pixel, width and height."""
    return {"x": window.col, "y": window.row, "w": window.cols, "h": window.rows}
