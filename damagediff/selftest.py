"""How small a change this very run could have found: known damage planted into a copy of the after image.

Objects of known kind and size are put into the after image's own pixels, where the run calls the scene
unchanged, and go through the very same stages: resampled through the accepted alignment, normalised with
the radiometry that was learnt, measured, scored with the pair's calibration, thresholded, cleaned into
regions, tested for lean. Nothing planted leaves this room but the counts and the figure of the test.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from . import detection_fit, diff, finding, measuring, planting, selftest_places, tiles
from .cells import CELL
from .detection import Detection, DetectionCurve, PlantedExample, Tally
from .diff import Survey
from .feed import Feed, Patch
from .planting import Kind, Likeness
from .radiometry import Radiometry
from .reference_measures import Reference
from .scene import Scene
from .selftest_places import Ground, Plant
from .types import (
    NOT_ANALYSED,
    OTHER_CHANGE,
    STRUCTURAL_CHANGE,
    BoolArray,
    Building,
    ChangeMap,
    FloatArray,
    Lean,
    Window,
)

FULLNESS = 0.88
"""Side of the square of the same area over the size that `planting.plant` takes, on average over kinds."""
CONTEXT_PX = 48
"""File pixels around an object from which it takes its colours."""
LIKENESS_PX, LIKENESS_PLACES = 96, 6
"""Windows of the after image in which its sharpness and noise are measured: the median of so many."""
MAX_PASSES = 10
"""How often the scene is planted anew in a round, until all objects had room."""
SPREAD_PX = 3.0
"""Pixels of the grid that resampling spreads what is planted by."""
EXAMPLE_PX = (24, 96)
"""Least size of an object that is shown, and side of its picture."""
MARK_PX = 14
"""Height of the stripes that mark the pixels of an example: it must not pass for a picture of the place."""
SKIPPED = "skipped at the user's wish (--no-selftest)"
RADAR = "it is not made for radar: what is planted has no speckle"
STACK = "it is not made for a score against earlier images (--measure stack)"
NOT_COMPARABLE = "the pair is not comparable, so change of no size can be shown or excluded"
NO_ROOM = "no place called unchanged is large enough to plant anything"


@dataclass(frozen=True)
class Stages:
    """What the run learnt of the pair and applies to every pixel."""

    radiometry: Radiometry
    reference: Reference | None
    lean: Lean | None
    scale: finding.Scale


@dataclass(frozen=True)
class Outcome:
    """What the run made of one planted object."""

    plant: Plant
    found: bool
    structural: bool
    outlined: bool


def run(
    scene: Scene, stages: Stages, measures: Survey, change: ChangeMap, buildings: Sequence[Building]
) -> Detection:
    """Plant, look, count and fit.

    Parameters
    ----------
    scene : Scene
        Its after image read through the accepted alignment.
    stages : Stages
        What was learnt from the pair as it is.
    measures, change : Survey, ChangeMap
        Of the pair as it is, on cells.
    buildings : sequence of Building
        Footprints as laid on the before image; rubble and roof loss go there first.

    Returns
    -------
    Detection
        The same for the same seed, whatever the tiles and the workers; without curves, and with the reason,
        where nothing could be planted.
    """
    if not scene.settings.trust.selftest:
        return Detection(reason=SKIPPED)
    if scene.settings.diff.measure == "stack":
        return Detection(reason=STACK)
    if scene.settings.sensor == "sar":
        return Detection(reason=RADAR)
    analysed = int((change.changed != NOT_ANALYSED).sum()) * CELL**2
    if not analysed:
        return Detection(reason=NOT_COMPARABLE)
    on = selftest_places.ground(change, measures, buildings)
    test = _Test(scene, stages, measures, change, on)
    if not len(test.of(min(selftest_places.SIZES_PX), False)):
        return Detection(reason=NO_ROOM)
    count = selftest_places.wanted(analysed, diff.halo(stages.lean), diff.halo(None))
    first = {
        kind: selftest_places.allotted(round(n * selftest_places.FIRST_ROUND), selftest_places.SIZES_PX)
        for kind, n in count.items()
    }
    outcomes = test.plant(first, 0)
    outcomes += test.plant(_second(outcomes, count), 1)
    return Detection(tuple(_curves(outcomes)), places=on.places, examples=test.examples(outcomes))


def _second(outcomes: Sequence[Outcome], count: dict[Kind, int]) -> dict[Kind, list[int]]:
    """Sizes of the second round, near where the first one puts nine tenths."""
    sizes = {}
    for kind, n in count.items():
        own = [o for o in outcomes if o.plant.kind == kind]
        largest = max((o.plant.size_px for o in own), default=0)
        tallies = _tallies(own)
        rough = detection_fit.fit(*_columns(tallies, "found"), least=1) if own else None
        near = selftest_places.informative(rough.curve if rough else (), largest)
        sizes[kind] = selftest_places.allotted(max(0, n - len(own)), near) if own else []
    return sizes


def _curves(outcomes: Sequence[Outcome]) -> list[DetectionCurve]:
    found = []
    for kind in selftest_places.SHARES:
        tallies = _tallies([o for o in outcomes if o.plant.kind == kind])
        recalls = (
            detection_fit.fit(*_columns(tallies, what)) for what in ("found", "structural", "outlined")
        )
        found.append(DetectionCurve(kind, kind in selftest_places.HARMLESS, tallies, *recalls))
    return found


def _tallies(outcomes: Sequence[Outcome]) -> tuple[Tally, ...]:
    sizes = Counter(o.plant.size_px for o in outcomes)
    counts = {
        what: Counter(o.plant.size_px for o in outcomes if getattr(o, what))
        for what in ("found", "structural", "outlined")
    }
    return tuple(
        Tally(size, sizes[size], *(counts[what][size] for what in ("found", "structural", "outlined")))
        for size in sorted(sizes)
    )


def _columns(tallies: Sequence[Tally], what: str) -> tuple[list[int], list[int], list[int]]:
    return [t.size_px for t in tallies], [t.planted for t in tallies], [getattr(t, what) for t in tallies]


@dataclass(frozen=True)
class _Made:
    """An object ready to be looked for."""

    patch: Patch
    cells: tuple[np.ndarray, np.ndarray]
    """(rows, cols) that it covers."""
    reached: Window
    """The part of the grid, in whole cells, whose measures it can alter."""


class _Test:
    """One run's self-test: everything that stays while objects come and go."""

    def __init__(self, scene: Scene, stages: Stages, measures: Survey, change: ChangeMap, on: Ground) -> None:
        fixed = replace(scene.settings.diff, threshold=change.threshold)
        self.scene = replace(scene, settings=replace(scene.settings, diff=fixed))
        self.stages, self.measures, self.change = stages, measures, change
        self.of = selftest_places.candidates(on)
        self.like = self._likeness()

    def _rng(self, *key: int) -> np.random.Generator:
        return np.random.default_rng([self.scene.settings.seed, *key])

    def _likeness(self) -> Likeness:
        """Sharpness and noise of the after image: medians over some places called unchanged."""
        places = self.of(min(selftest_places.SIZES_PX), False)
        drawn = map(places.cell, self._rng(2).integers(0, len(places), LIKENESS_PLACES).tolist())
        found = []
        for cell in drawn:
            at = np.array(divmod(cell, self.measures.shape[1])) * CELL + (CELL - 1) / 2
            data, valid = _read_around(self.scene.after, at, LIKENESS_PX / 2)
            if np.count_nonzero(valid) > LIKENESS_PX:
                found.append(planting.likeness(np.where(valid, data, np.nan)))
        if not found:
            return Likeness(0.7, np.zeros(len(self.scene.pair.roles)))
        noise = np.median([like.noise for like in found], axis=0)
        return Likeness(float(np.median([like.blur_px for like in found])), noise)

    def plant(self, sizes: dict[Kind, list[int]], turn: int) -> list[Outcome]:
        """Plant objects of some kinds and sizes, as many at once as have room, and see what is found."""
        all_of_them = [(kind, size) for kind, own in sizes.items() for size in own]
        waiting = [Plant(10_000 * turn + k, kind, size) for k, (kind, size) in enumerate(all_of_them)]
        outcomes: list[Outcome] = []
        rng = self._rng(3, turn)
        for _ in range(MAX_PASSES):
            placed, waiting = selftest_places.scatter(waiting, self.of, self.measures.shape, rng)
            if not placed:
                break
            outcomes += self._look(placed)
            done = turn / 2 + len(outcomes) / (2 * max(len(all_of_them), 1))
            self.scene.progress("testing itself", min(done, 1.0))
        return outcomes

    def _look(self, placed: Sequence[Plant]) -> list[Outcome]:
        """One pass: the scene with all these objects in it, through the same stages."""
        made = list(tiles.map_ordered(self._made, placed, self.scene.home, ahead=16))
        patches = tuple(one.patch for one in made)
        planted = replace(self.scene, after=replace(self.scene.after, planted=patches))
        reached = [one.reached for one in made]
        learnt = self.stages.radiometry, self.stages.reference
        parts = measuring.parts(planted, reached, learnt, self.stages.lean)
        measures = self.measures.with_parts(zip(reached, parts, strict=True))
        where = np.zeros(measures.shape, bool)
        for one in made:
            where[one.cells] = True
        change = finding.find_at(planted, measures, self.stages.scale, self.stages.radiometry, where)
        return [_outcome(plant, change, one.cells) for plant, one in zip(placed, made, strict=True)]

    def _made(self, plant: Plant) -> _Made:
        """The object in the file's own pixels."""
        after, at = self.scene.after, np.array(plant.at_rc)
        place, file_from_grid = _locally(after, at)
        size = max(2.0, plant.size_px / FULLNESS * math.sqrt(abs(np.linalg.det(file_from_grid))))
        window = _around(place, 0.8 * size + CONTEXT_PX)
        data, valid = after.reader.read(window)
        row, col = (float(x) for x in place - [window.row, window.col])
        rng = self._rng(4, plant.number)
        known = np.where(valid, data, np.nan)
        new, inside = planting.plant(plant.kind, known, (row, col), size, rng, self.like)
        new = _as_stored(np.where(valid, new, data).astype(np.float32), after.image.dtype)
        altered = (new != data).any(0)
        rows, cols = (np.flatnonzero(altered.any(axis)) for axis in (1, 0))
        box = Window(0, 0, 1, 1)
        if len(rows):
            box = Window(int(rows[0]), int(cols[0]), int(np.ptp(rows)) + 1, int(np.ptp(cols)) + 1)
        put = box._replace(row=box.row + window.row, col=box.col + window.col)
        far = np.array(
            [max(row - box.row, box.row + box.rows - row), max(col - box.col, box.col + box.cols - col)]
        )
        reach = np.abs(np.linalg.inv(file_from_grid)) @ far + SPREAD_PX + diff.halo(self.stages.lean)
        cells = self._covered(plant, inside, window)
        return _Made(Patch(put, new[:, *box.slices]), cells, _in_cells(at, reach, self.scene.pair.grid.shape))

    def _covered(self, plant: Plant, inside: BoolArray, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """(rows, cols) of the cells whose centres the object covers; at least the one at its centre."""
        reach = plant.size_px + CELL
        first = [max(0, int((x - reach) // CELL)) for x in plant.at_rc]
        last = [
            min(n, int((x + reach) // CELL) + 1)
            for x, n in zip(plant.at_rc, self.measures.shape, strict=True)
        ]
        rows, cols = np.mgrid[first[0] : last[0], first[1] : last[1]]
        centres = np.stack([rows, cols], -1) * float(CELL) + (CELL - 1) / 2
        at = np.rint(self.scene.after.file_from_grid(centres)).astype(int) - [window.row, window.col]
        within = ((at >= 0) & (at < inside.shape)).all(-1)
        at = np.clip(at, 0, np.array(inside.shape) - 1)
        covered = within & inside[at[..., 0], at[..., 1]]
        if not covered.any():
            middle = [int(x // CELL) for x in plant.at_rc]
            return np.array([middle[0]]), np.array([middle[1]])
        return rows[covered], cols[covered]

    def examples(self, outcomes: Sequence[Outcome]) -> tuple[PlantedExample, ...]:
        """One object of each kind, as the run saw it."""
        least, side = EXAMPLE_PX
        shown = []
        for kind in selftest_places.SHARES:
            own = [o for o in outcomes if o.plant.kind == kind and o.plant.size_px >= least]
            if own:
                shown.append(self._example(min(own, key=lambda o: (o.plant.size_px, o.plant.number)), side))
        return tuple(shown)

    def _example(self, outcome: Outcome, side: int) -> PlantedExample:
        plant, radiometry = outcome.plant, self.stages.radiometry
        patch = self._made(plant).patch
        after = replace(self.scene.after, planted=(patch,))
        row, col = (round(x - side / 2) for x in plant.at_rc)
        window = Window(row, col, side, side)
        shape = self.scene.pair.grid.shape
        before = radiometry.before_8bit(self.scene.before.read_mirrored(window, shape)[0])
        shown = radiometry.after_8bit(after.read_mirrored(window, shape)[0]).copy()
        across = np.add(*np.indices((MARK_PX, side)))
        shown[:, :MARK_PX] = np.where(across // 4 % 2, 255, 0)
        return PlantedExample(plant.kind, plant.size_px, outcome.found, before, shown)


def _outcome(plant: Plant, change: ChangeMap, inside: tuple[np.ndarray, np.ndarray]) -> Outcome:
    codes = change.changed[inside]
    score = change.score[inside]
    seen = score[np.isfinite(score)]
    return Outcome(
        plant,
        found=bool(np.isin(codes, (STRUCTURAL_CHANGE, OTHER_CHANGE)).any()),
        structural=bool((codes == STRUCTURAL_CHANGE).any()),
        outlined=bool(seen.size and np.median(seen) > change.threshold),
    )


def _around(place: FloatArray, reach: float) -> Window:
    first, last = np.floor(place - reach).astype(int), np.ceil(place + reach).astype(int) + 1
    return Window(int(first[0]), int(first[1]), int(last[0] - first[0]), int(last[1] - first[1]))


def _read_around(feed: Feed, at_rc: FloatArray, reach: float) -> tuple[FloatArray, BoolArray]:
    return feed.reader.read(_around(feed.file_from_grid(at_rc), reach))


def _locally(feed: Feed, at_rc: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Where a place of the grid lies in the file, and the 2 x 2 map of steps from the grid to the file."""
    at = feed.file_from_grid(np.stack([at_rc, at_rc + [1, 0], at_rc + [0, 1]]))
    return at[0], np.stack([at[1] - at[0], at[2] - at[0]], -1)


def _in_cells(at_rc: FloatArray, reach: FloatArray, shape: tuple[int, int]) -> Window:
    """The part of a grid within `reach`, (rows, cols), of a place, in whole cells."""
    first = np.maximum(0, np.floor((at_rc - reach) / CELL).astype(int) * CELL)
    last = np.minimum(shape, np.ceil((at_rc + reach) / CELL).astype(int) * CELL)
    return Window(int(first[0]), int(first[1]), int(last[0] - first[0]), int(last[1] - first[1]))


def _as_stored(data: FloatArray, dtype: str) -> FloatArray:
    """Values that a file of this type can hold."""
    kind = np.dtype(dtype)
    if kind.kind not in "iu":
        return data
    limits = np.iinfo(kind)
    return np.clip(np.rint(data), limits.min, limits.max).astype(np.float32)
