"""Counts what this very run calls change where only ordinary change can be: self-tests on the pair at hand.

All go through the stages of the run itself, with its threshold. *Backwards in time*: both images change
places. An event does not put rubble back together, so structure that was lost backwards is building works,
season, light, view angle and misregistration, which are about as frequent in both directions: what proteomics
calls a decoy search (Elias and Gygi 2007, doi:10.1038/nmeth1019). *Stable places*: those the user names.
*Displaced*: the after image moved at random within the error of its alignment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from . import cells, false_alarms, finding, measuring, summary, tiles
from .align_points import Model
from .cells import CELL, IntArray, Maps, Measures
from .diff import Survey
from .finding import Scale
from .ordinary import Null, Ordinary
from .radiometry import Radiometry
from .reference_measures import Reference
from .scene import Scene
from .types import (
    NOT_ANALYSED,
    OTHER_CHANGE,
    STRUCTURAL_CHANGE,
    Alignment,
    BoolArray,
    ChangeMap,
    FloatArray,
    Lean,
    Region,
    Tier,
    Window,
)

BLOCK_PX = 512
"""Side of the blocks that are displaced, each by its own draw."""
DISPLACED_SHARE = 0.1
DISPLACED_LEAST = 2
"""Blocks measured again: a tenth of the scene, at least two of them: they cost as much as the first time."""
MIN_COUNTED_PX = 10_000
"""Fewer pixels than this let expect nothing: an area of 100 x 100 px."""
CODE: dict[Tier, int] = {"structural": STRUCTURAL_CHANGE, "other": OTHER_CHANGE}


@dataclass(frozen=True)
class Measured:
    """One pair of images as it was measured: everything that its change map came from."""

    scene: Scene
    """Aligned."""
    learnt: tuple[Radiometry, Reference | None]
    lean: Lean | None
    measures: Survey
    scale: Scale
    change: ChangeMap
    found: tuple[Region, ...]

    @property
    def tier(self) -> Tier:
        """The tier that claims most: of radar there is only one."""
        return "other" if self.scene.settings.sensor == "sar" else "structural"

    @property
    def analysed_px(self) -> int:
        """Working-grid pixels in which a region could have been found."""
        return summary.amounts(self.change, self.scene.pair.grid).analysed_px

    def at_its_threshold(self) -> Scene:
        """The scene with the threshold that was used, whatever rule it came from."""
        settings = self.scene.settings
        fixed = replace(settings, diff=replace(settings.diff, threshold=self.change.threshold))
        return replace(self.scene, settings=fixed)

    def masses(self, found: tuple[Region, ...]) -> list[float]:
        """Area times mean score of the regions of the tier that counts."""
        return [false_alarms.mass(region) for region in found if region.tier == self.tier]


def run(of: Measured, alignment: Alignment, stable: BoolArray | None, earlier: Null | None) -> Ordinary:
    """Count ordinary change in every way that this pair allows.

    Parameters
    ----------
    of : Measured
        The run that is asked about.
    alignment : Alignment
        Gives the error within which the after image is displaced.
    stable : (rows, cols) bool or None
        Pixels of the grid where nothing but ordinary change can have happened, as the user says.
    earlier : Null or None
        What `baselines` counted.
    """
    analysed_px = of.analysed_px
    listed = len(of.masses(of.found))
    if analysed_px < MIN_COUNTED_PX:
        why = "too little was analysed" if analysed_px else "nothing was analysed"
        return Ordinary(of.tier, listed, analysed_px, (), why)
    ways = [earlier, None if stable is None else _stable(of, stable)]
    if of.tier == "structural":
        ways.append(_reversed(of))
        ways.append(_displaced(of, alignment))
    nulls = tuple(way for way in ways if way is not None)
    counted = Ordinary(of.tier, listed, analysed_px, nulls, "")
    if counted.headline is None:
        why = "radar shows only that something differs; --baseline or --stable would tell more"
        return replace(counted, why_not=why)
    return counted


def exchanged(measures: Maps) -> Maps:
    """The measures of the same pair with before and after exchanged."""
    return cells.Seen(measures, _exchanged, {"edges_before": "edges_after", "edges_after": "edges_before"})


def _exchanged(measures: Measures) -> Measures:
    return replace(
        measures,
        edges_before=measures.edges_after,
        edges_after=measures.edges_before,
        lines=np.concatenate([measures.lines[2:], measures.lines[:2]]),
        colours=measures.colours[::-1],
        darkest=measures.darkest[::-1],
        full=None if measures.full is None else measures.full[::-1],
        green=measures.green[::-1],
        light=measures.light[::-1],
    )


def turned(scene: Scene, radiometry: Radiometry) -> tuple[Scene, Radiometry]:
    """The same pair with before and after exchanged, and its radiometry; both stay on the same grid."""
    filling = scene.filling
    if filling is not None:
        filling = replace(filling, before=filling.after, after=filling.before)
    back = replace(scene, before=scene.after, after=scene.before, filling=filling)
    return back, replace(radiometry, before=radiometry.after, after=radiometry.before)


def _reversed(of: Measured) -> Null:
    scene, radiometry = turned(of.at_its_threshold(), of.learnt[0])
    _, found = finding.find(scene, exchanged(of.measures), of.scale, radiometry)
    return false_alarms.null("reversed", of.masses(found), [of.analysed_px], of.analysed_px)


def _stable(of: Measured, stable: BoolArray) -> Null | None:
    """Regions of which most lies in places known to be stable."""
    rows, cols = (
        np.minimum(np.arange(n) * CELL + CELL // 2, size - 1)
        for n, size in zip(of.measures.shape, stable.shape, strict=True)
    )
    inside = stable[np.ix_(rows, cols)] & (of.change.changed != NOT_ANALYSED)
    counted_px = min(int(inside.sum()) * CELL**2, of.analysed_px)
    if counted_px < MIN_COUNTED_PX:
        return None
    labels, count = cells.components(of.change.changed == CODE[of.tier])
    mostly = cells.component_means(labels, count, cells.in_bands(inside)) >= 0.5
    sums = _masses(labels, count, of.change)
    return false_alarms.null("stable", sums[1:][mostly[1:]].tolist(), [counted_px], of.analysed_px)


def _displaced(of: Measured, alignment: Alignment) -> Null | None:
    """Regions that appear when the after image is moved within the error of its alignment."""
    error_px = alignment.rmse_px
    if error_px is None or of.scene.settings.diff.measure == "stack":
        return None
    blocks = _blocks(of.scene.pair.grid.shape, of.scene.settings.seed)
    work = partial(_moved, of.scene, of.learnt, of.lean, error_px)
    parts = tiles.map_ordered(work, blocks, of.scene.executor, ahead=4)
    measures, looked = _with_parts(of.measures, zip([w for w, _ in blocks], parts, strict=True))
    looked &= of.change.changed != NOT_ANALYSED
    change, _ = finding.find(of.at_its_threshold(), measures, of.scale, of.learnt[0])
    counted_px = int(looked.sum()) * CELL**2
    if counted_px < MIN_COUNTED_PX:
        return None
    labels, count = cells.components(change.changed == CODE[of.tier])
    listed = of.change.changed == CODE[of.tier]
    known = cells.component_means(labels, count, cells.in_bands(listed)) > 0
    there = cells.component_means(labels, count, cells.in_bands(looked)) >= 0.5
    sums = _masses(labels, count, change)
    new = sums[1:][(there & ~known)[1:]].tolist()
    return false_alarms.null("displaced", new, [counted_px], of.analysed_px, f"by {error_px:.2g} px RMS")


def _masses(labels: IntArray, count: int, change: ChangeMap) -> FloatArray:
    """(count + 1,) area in pixels times mean score of each component."""
    score = ((band, np.nan_to_num(part)) for band, part in cells.in_bands(change.score))
    return cells.component_sums(labels, count, score) * CELL**2


def _blocks(shape: tuple[int, int], seed: int) -> list[tuple[Window, FloatArray]]:
    """Blocks to displace, drawn from the scene, and for each two normal numbers."""
    every = tiles.plan(shape, BLOCK_PX)
    rng = np.random.default_rng([seed, 11])
    count = min(len(every), max(DISPLACED_LEAST, round(DISPLACED_SHARE * len(every))))
    chosen = sorted(rng.choice(len(every), count, replace=False).tolist())
    return [(every[k], rng.standard_normal(2)) for k in chosen]


def _moved(
    scene: Scene,
    learnt: measuring.Learnt,
    lean: Lean | None,
    error_px: float,
    block: tuple[Window, FloatArray],
) -> Measures:
    """The measures of a block with the after image displaced."""
    window, draw = block
    model = scene.after.model
    assert model is not None
    step = np.eye(3)
    step[:2, 2] = draw * error_px / np.sqrt(2)
    displaced = Model(model.kind, model.matrix @ step, model.local)
    scene = replace(scene, after=scene.after.aligned(displaced))
    return measuring.part(scene, window, learnt, lean)


def _with_parts(measures: Survey, parts: Iterable[tuple[Window, Measures]]) -> tuple[Survey, BoolArray]:
    """The scene's measures with those of some blocks in their place, and where that is."""
    looked, valid = np.zeros(measures.shape, bool), measures.valid.copy()

    def noted() -> Iterator[tuple[Window, Measures]]:
        for window, part in parts:
            row, col = window.row // CELL, window.col // CELL
            place = np.s_[row : row + part.shape[0], col : col + part.shape[1]]
            looked[place], valid[place] = True, part.valid
            yield window, part

    moved = measures.with_parts(noted())
    valid &= measures.valid
    return replace(moved, valid=valid), looked & valid
