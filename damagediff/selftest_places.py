"""What a self-test plants, and where: sizes and numbers, places called unchanged, room between them."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from . import bands, cells, tiers
from .cells import CELL, IntArray, Maps, Measures
from .planting import Kind
from .types import NO_CHANGE, BoolArray, Building, ChangeMap, FloatArray

SIZES_PX = {2: 1, 4: 1, 8: 2, 12: 3, 16: 4, 24: 4, 32: 4, 48: 3, 64: 2}
"""Sizes of the first round and their weights: most where the curve is likely to rise."""
MORE_SIZES_PX = (8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64)
"""Sizes that the second round chooses from."""
SHARES: dict[Kind, float] = {
    "rubble": 0.32, "roof loss": 0.2, "crater": 0.15, "burn": 0.13, "repaint": 0.1, "shadow": 0.1,
}  # fmt: skip
HARMLESS: tuple[Kind, ...] = ("repaint", "shadow")
ON_BUILDINGS: tuple[Kind, ...] = ("rubble", "roof loss", "repaint")
COUNT = (80, 190, 520)
"""Objects planted: the least, how many more a megapixel, the most."""
TYPICAL_PX = 30
"""Pixels that an object of middling size alters, with what resampling spreads it by."""
WIDER = 2.4
"""How many times the area of a plain window those of a leaning pair may have before fewer are planted."""
FIRST_ROUND = 0.5
CLEAR_PX = 8.0
"""Least distance from an object to what was called changed or was not analysed."""
GAP_PX = 56.0
"""Between two objects: the blur before the threshold and the measures' reach do not join them."""
MAX_SHARE = 0.05
"""Of the area analysed, planted at once: what is judged by the scene's own spread must stay as it is."""
TRIES = 40
TEXTURE_SIGMA_CELLS = 1.0
MIN_BUILT_CELLS = 24
"""Fewer places with buildings than this are too few to draw from."""


@dataclass(frozen=True)
class Plant:
    """One object to plant."""

    number: int
    """Counts all objects of a run; seeds its pattern."""
    kind: Kind
    size_px: int
    """Side of a square of the same area, px of the working grid."""
    at_rc: tuple[float, float] = (math.nan, math.nan)
    """Its centre on the working grid."""


@dataclass(frozen=True)
class Ground:
    """Where objects may be planted, on cells."""

    clear_px: FloatArray
    """Distance to the nearest cell that is changed, not analysed or outside."""
    built: BoolArray
    places: str
    """What counts as built, in words."""


def ground(change: ChangeMap, measures: Maps, buildings: Sequence[Building]) -> Ground:
    """Cells called unchanged, and which of them hold buildings: by the footprints, else by right angles."""
    free = np.pad(change.changed == NO_CHANGE, 1).view(np.uint8)
    clear: FloatArray = np.asarray(cv2.distanceTransform(free, cv2.DIST_L2, 5)[1:-1, 1:-1], np.float32)
    clear *= np.float32(CELL)
    enough = clear >= CLEAR_PX
    for built, words in (
        (_inside(buildings, measures.shape), "on footprints called unchanged"),
        (_like_buildings(measures), "at places that look built: edges at right angles, texture, not green"),
    ):
        if np.count_nonzero(built & enough) >= MIN_BUILT_CELLS:
            return Ground(clear, built, words)
    return Ground(clear, enough, "anywhere: too few buildings could be told apart")


def _inside(buildings: Sequence[Building], shape: tuple[int, int]) -> BoolArray:
    """Cells whose centres lie in a footprint, about."""
    drawn = np.zeros(shape, np.uint8)
    for building in buildings:
        for outer, *_ in building.parts_rc:
            corners = np.array(outer)[:, ::-1] / CELL - (CELL - 1) / (2 * CELL)
            if np.abs(corners).max() < 2**20:
                cv2.fillPoly(drawn, [np.round(corners * 16).astype(np.int32)], 1, shift=4)
    return drawn > 0


def _like_buildings(measures: Maps) -> BoolArray:
    """Cells with edges at right angles, more texture than half of the scene, and no vegetation before."""
    if not measures.valid.any():
        return measures.valid

    def texture(m: Measures) -> FloatArray:
        return cells.smooth(m.texture, m.valid, TEXTURE_SIGMA_CELLS)

    halo = cells.reach(TEXTURE_SIGMA_CELLS)
    usual = np.float32(cells.median(cells.gathered(measures, ["texture"], halo, texture)))
    cast = cells.casts(measures)

    def rich(m: Measures) -> BoolArray:
        return (texture(m) > usual) & ~cells.vegetation(m, cast)[0]

    return cells.computed(measures, ["texture", "green"], halo, rich) & tiers.built(measures)


def wanted(analysed_px: int, halo_px: int, plain_halo_px: int) -> dict[Kind, int]:
    """How many objects of each kind a scene is planted with, both rounds together.

    Where buildings lean, each object is measured with a wider halo (`halo_px` in place of `plain_halo_px`),
    and fewer are planted, so that the test costs no more than the comparison.
    """
    least, more, most = COUNT
    wider = (TYPICAL_PX + 4 * halo_px) / (TYPICAL_PX + 4 * plain_halo_px)
    total = min(most, least + more * analysed_px / 1e6) * min(1.0, WIDER / wider**2)
    return {kind: round(share * total) for kind, share in SHARES.items()}


def allotted(count: int, weights: dict[int, int]) -> list[int]:
    """Sizes of `count` objects, as near to the weights as whole numbers go; the same ones every time."""
    sizes = sorted(weights, key=lambda size: -weights[size])
    shares = np.array([weights[size] for size in sizes], float)
    ends = np.round(np.cumsum(shares) / shares.sum() * count).astype(int)
    return [size for size, n in zip(sizes, np.diff(ends, prepend=0).tolist(), strict=True) for _ in range(n)]


def informative(curve: Iterable[tuple[float, float, float, float]], largest_px: int) -> dict[int, int]:
    """Sizes around which nine tenths are reached, by a first fit; the largest ones when none are."""
    rows = np.array(list(curve)) if curve else np.zeros((0, 4))
    sizes = [size for size in MORE_SIZES_PX if size <= largest_px] or [min(MORE_SIZES_PX)]
    if not len(rows):
        return dict.fromkeys(sizes, 1)
    shares = np.interp(np.log(sizes), np.log(rows[:, 0]), rows[:, 1])
    near = sorted(sizes, key=lambda size: abs(shares[sizes.index(size)] - 0.8))[:5]
    return {size: 2 if k < 2 else 1 for k, size in enumerate(near)}


class Places:
    """Cells, counted from the top row by row; not listed, as they are most of a scene."""

    def __init__(self, chosen: Callable[[slice], BoolArray], shape: tuple[int, int]) -> None:
        self._chosen, self._cols = chosen, shape[1]
        counts: list[IntArray] = [np.count_nonzero(chosen(band.core), axis=1) for band in bands.of(shape)]
        self._before = np.cumsum([0, *np.concatenate(counts)])
        """How many there are above each row, and in all."""

    def __len__(self) -> int:
        return int(self._before[-1])

    def cell(self, number: int) -> int:
        """The flat index of the place with that number, from 0."""
        row = int(np.searchsorted(self._before, number, side="right")) - 1
        col = np.flatnonzero(self._chosen(slice(row, row + 1))[0])[number - self._before[row]]
        return row * self._cols + int(col)


Candidates = Callable[[int, bool], Places]


def candidates(on: Ground) -> Candidates:
    """A function that gives the cells on which an object of a size fits, on buildings or anywhere."""

    @functools.cache
    def of(size_px: int, on_buildings: bool) -> Places:
        def chosen(rows: slice) -> BoolArray:
            room = on.clear_px[rows] >= size_px / 2 + CLEAR_PX
            return room & on.built[rows] if on_buildings else room

        return Places(chosen, on.built.shape)

    return of


def scatter(
    plants: Sequence[Plant], of: Candidates, shape: tuple[int, int], rng: np.random.Generator
) -> tuple[list[Plant], list[Plant]]:
    """Places for as many objects as have room at once, large ones first; and those left for another time.

    Parameters
    ----------
    plants : sequence of Plant
        Without places.
    of : callable
        From `candidates`.
    shape : (rows, cols)
        Of the map of cells.
    rng : numpy.random.Generator
        Draws the places.
    """
    placed: list[Plant] = []
    left: list[Plant] = []
    taken = np.zeros((0, 3))
    most_px = MAX_SHARE * len(of(0, False)) * CELL**2
    for plant in sorted(plants, key=lambda p: (-p.size_px, p.number)):
        at = None
        if not placed or (taken[:, 2] ** 2).sum() + plant.size_px**2 <= most_px:
            at = _free(of(plant.size_px, plant.kind in ON_BUILDINGS), plant.size_px, taken, (shape[1], rng))
        if at is None:
            left.append(plant)
            continue
        placed.append(Plant(plant.number, plant.kind, plant.size_px, at))
        taken = np.vstack([taken, [*at, plant.size_px]])
    return placed, left


def _free(
    places: Places, size_px: int, taken: FloatArray, draw: tuple[int, np.random.Generator]
) -> tuple[float, float] | None:
    """A place among the cells away from what is taken; None when some tries found none."""
    cols, rng = draw
    if not len(places):
        return None
    for number in rng.integers(0, len(places), TRIES).tolist():
        corner = np.array(divmod(places.cell(number), cols)) * CELL
        at = corner + (CELL - 1) / 2 + rng.uniform(-CELL / 2, CELL / 2, 2)
        apart = np.hypot(*(taken[:, :2] - at).T)
        if (apart >= (taken[:, 2] + size_px) / 2 + GAP_PX).all():
            return float(at[0]), float(at[1])
    return None
