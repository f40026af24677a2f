"""Bands of rows: how maps of a whole scene are looked at in bounded memory, whatever the size of the scene.

A small scene is one band. What looks at neighbours is given rows beyond the band, its halo, and cuts them
off again; at the scene's own edge there are none, so that edges are treated as on the whole map.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

BAND_CELLS = 1 << 19
"""About how many cells a band has: a map of them in float32 is 2 MiB, which stays in the processor's caches
and is too small to leave holes in the memory of the process."""
LEAST_ROWS = 64
"""Rows a band has at least, or its halo would cost more than it."""


class Band(NamedTuple):
    """Rows ``first`` to ``last`` of a map, and as many above and below as are to be read with them."""

    first: int
    last: int
    above: int
    below: int

    @property
    def core(self) -> slice:
        """Its rows of the whole map."""
        return slice(self.first, self.last)

    @property
    def outer(self) -> tuple[int, int]:
        """First and last row to read, halo included."""
        return self.first - self.above, self.last + self.below

    @property
    def inner(self) -> slice:
        """Its rows of what was read."""
        return slice(self.above, self.above + self.last - self.first)


def of(shape: tuple[int, ...], halo: int = 0) -> Iterator[Band]:
    """Bands that cover a map of (..., rows, cols) exactly once, from the top; one at least."""
    rows, cols = shape[-2:]
    height = max(LEAST_ROWS, BAND_CELLS // max(cols, 1))
    for first in range(0, max(rows, 1), height):
        last = min(rows, first + height)
        yield Band(first, last, min(halo, first), min(halo, rows - last))
