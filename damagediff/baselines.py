"""Further images of the place from before the event: what changed between them is ordinary change.

Each is laid on the before image and compared with it by the stages and the threshold of the run. Regions
found there, the earlier image taken as before, are what the same rules say of a time without the event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from . import (
    alarm_trials,
    analysed,
    diff,
    false_alarms,
    feed,
    finding,
    measuring,
    raster,
    registration,
    stack_measure,
    summary,
    tiles,
    wording,
)
from .alarm_trials import Measured
from .cells import CELL, Measures
from .diff import Survey
from .errors import InputError, SettingsError
from .ordinary import Null, Ordinary
from .radiometry import Radiometry
from .scene import Scene, silent
from .settings import Settings
from .types import (
    Alignment,
    BoolArray,
    ByteArray,
    Case,
    ChangeMap,
    Comparison,
    FloatArray,
    Image,
    Pair,
    Window,
)

Range = tuple[float, float] | None
"""Values that became 0 and 255; None: they are used as they are."""


@dataclass(frozen=True)
class Earlier:
    """One baseline opened and laid on the before image."""

    scene: Scene
    """Its before image is that of the run, its after image the baseline."""
    alignment: Alignment


def let_in(case: Case, pair: Pair, settings: Settings) -> tuple[Image, ...]:
    """Let the baselines through the door, and refuse those that cannot stand for the time before the event.

    Raises
    ------
    InputError
        One cannot be read, was taken after the before image, is a copy of another image of the run, or lacks
        bands that are compared.
    SettingsError
        The measure needs baselines and none is given.
    """
    if settings.diff.measure == "stack" and not case.baselines:
        raise SettingsError(
            "diff.measure = stack: it tests each place against earlier images of it. Give one or more "
            "(--baseline FILE)"
        )
    found: list[Image] = []
    for source in case.baselines:
        image = raster.inspect(source, settings.read)
        _check(image, pair, found)
        if settings.sensor == "sar":
            measuring.check_one_band(image)
        found.append(image)
    return tuple(found)


def _check(image: Image, pair: Pair, others: Sequence[Image]) -> None:
    same = [other.name for other in (pair.before, pair.after, *others) if other.sha256 == image.sha256]
    if same:
        raise InputError(
            f"{image.name}: is the same file as {same[0]}, byte for byte. A baseline is one more "
            "image of the place, from an earlier date"
        )
    time = wording.apart(image.acquisition, pair.before.acquisition)
    if time is not None and time.total_seconds() < 0:
        raise InputError(
            f"{image.name}: taken on {wording.date_iso(image.acquisition)}, after the before image "
            f"({wording.date_iso(pair.before.acquisition)}), so the event may have happened by then. A "
            "baseline must be older"
        )
    lacking = [role for role in pair.roles if role not in raster.common_roles(pair.before, image)]
    if lacking and pair.roles != ("grey",):
        raise InputError(
            f"{image.name}: has no {', '.join(lacking)}, which the two images are compared by. Give a "
            "baseline with the same bands"
        )


@contextmanager
def laid(scene: Scene, image: Image) -> Iterator[Earlier]:
    """A baseline open for reading on the grid of the run, aligned to its before image, or refused."""
    moving_is_file = not (scene.pair.before.georeferenced and image.georeferenced)
    pair = replace(scene.pair, after=image, moving_is_file=moving_is_file)
    longest, optical = 2 * scene.settings.align.coarse_px, scene.settings.sensor == "optical"
    with raster.Reader(image, scene.pair.roles) as reader:
        lies: feed.Lies = "own frame" if moving_is_file else "near"
        moving = feed.open_feed(image, reader, pair.grid, lies, longest, optical)
        case = replace(scene.case, tie_points=None)
        earlier = replace(scene, case=case, pair=pair, after=moving, progress=silent, filling=None)
        alignment, model = registration.register(earlier)
        earlier = replace(earlier, after=moving.aligned(model))
        if alignment.accepted and optical:
            alignment = replace(alignment, lean=registration.lean(earlier))
        yield Earlier(earlier, alignment)


def with_ordinary(comparison: Comparison, of: Measured, told: tuple[str, ...] = ()) -> Comparison:
    """A run with its rates of ordinary change, each region with its chance, and `told` among its notes."""
    scene, said = of.scene, list(told)
    if not scene.settings.trust.selftest:
        ordinary = Ordinary(of.tier, len(of.masses(of.found)), of.analysed_px, (), wording.SWITCHED_OFF)
        idle = scene.settings.diff.measure != "stack" and bool(scene.older)
        if idle or scene.areas.stable is not None:
            said.append("Baselines and stable places were not used: the self-tests were switched off.")
    else:
        earlier = None
        if scene.older and of.analysed_px and scene.settings.diff.measure != "stack":
            earlier, notes = count(scene, of.change)
            said += notes
        ordinary = alarm_trials.run(of, comparison.alignment, scene.areas.stable, earlier)
        if scene.areas.stable is not None and all(null.name != "stable" for null in ordinary.nulls):
            said.append(
                "The stable places were not used: too little of them was analysed (at least "
                f"{alarm_trials.MIN_COUNTED_PX:,} px are needed)."
            )
    return replace(
        comparison,
        regions=false_alarms.with_chances(comparison.regions, ordinary),
        trust=false_alarms.with_rates(comparison.trust, ordinary, scene.pair.grid),
        notes=(*comparison.notes, *said),
    )


def count(scene: Scene, change: ChangeMap) -> tuple[Null | None, tuple[str, ...]]:
    """Regions found between the baselines and the before image, at the threshold of the run.

    Parameters
    ----------
    scene : Scene
        The run, aligned.
    change : ChangeMap
        Its change map.

    Returns
    -------
    (what was counted over all baselines that could be used, or None; a sentence for each that could not)
    """
    masses: list[float] = []
    used, areas_px, said = [], [], []
    for k, image in enumerate(scene.older):
        scene.progress("counting ordinary change", k / len(scene.older))
        with laid(scene, image) as earlier:
            why, measured = _measured(earlier, change.threshold)
        if measured is None:
            said.append(_not_used(image, why))
            continue
        if image.acquisition.acquired is None:
            said.append(
                f"The date of baseline {wording.plain(image.name)} is not known: that it is older than the "
                "before image is what the user says."
            )
        masses += measured.masses(measured.found)
        areas_px.append(measured.analysed_px)
        used.append(wording.plain(image.name))
    own_px = summary.amounts(change, scene.pair.grid).analysed_px
    if sum(areas_px) < alarm_trials.MIN_COUNTED_PX:
        return None, tuple(said)
    return false_alarms.null("baselines", masses, areas_px, own_px, ", ".join(used)), tuple(said)


def _not_used(image: Image, why: str) -> str:
    return f"Baseline {wording.plain(image.name)} was not used: {why}."


def _refused(earlier: Earlier) -> str:
    reason = wording.plain(earlier.alignment.reason, 500).rstrip(".")
    return f"it could not be laid on the before image ({reason})"


def _measured(earlier: Earlier, threshold: float) -> tuple[str, Measured | None]:
    """One baseline against the before image in the order of time; or why not, in words."""
    alignment = earlier.alignment
    if not alignment.accepted:
        return _refused(earlier), None
    settings = earlier.scene.settings
    fixed = replace(settings, diff=replace(settings.diff, threshold=threshold))
    scene = replace(earlier.scene, settings=fixed)
    learnt = measuring.learn(scene)
    windows = tiles.plan(scene.pair.grid.shape, settings.tile_px)
    parts = measuring.parts(scene, windows, learnt, alignment.lean)
    measures = diff.assemble(scene.pair.grid.shape, zip(windows, parts, strict=True))
    measures = replace(measures, valid=measures.valid & analysed.supported(measures, alignment))
    ceiling = measuring.ceiling(scene, *learnt)
    scale = ceiling if settings.sensor == "sar" else diff.calibrate(measures, ceiling)
    turned, radiometry = alarm_trials.turned(scene, learnt[0])
    change, found = finding.find(turned, alarm_trials.exchanged(measures), scale, radiometry)
    measured = Measured(turned, learnt, alignment.lean, measures, scale, change, found)
    if not measured.analysed_px:
        return "it resembles the before image too little, or nothing of it could be analysed", None
    return "", measured


Read = Callable[[Window], tuple[ByteArray, BoolArray]]


def with_stack(
    scene: Scene, radiometry: Radiometry, measures: Survey, ceiling: Sequence[Measures]
) -> tuple[Survey, list[Measures], tuple[str, ...]]:
    """The scene's measures, and those of unrelated content, with the departure from the stack as reference.

    Parameters
    ----------
    scene : Scene
        The run, aligned.
    radiometry : Radiometry
        Of the run: its before image's scale is that of the stack.
    measures, ceiling : Survey, list of Measures
        Of the scene, and of its `diff.ceiling_windows`.

    Returns
    -------
    (those of the scene, those of the windows, a sentence for each baseline that could not be used)

    Raises
    ------
    InputError
        No baseline could be laid on the before image.
    """
    before, _ = _on_cells(scene, partial(_read, scene, scene.before, radiometry.before_8bit))
    after, _ = _on_cells(scene, partial(_read, scene, scene.after, radiometry.after_8bit))
    stack, valid, said = [before], measures.valid, []
    for image in scene.older:
        with laid(scene, image) as earlier:
            if not earlier.alignment.accepted:
                said.append(_not_used(image, _refused(earlier)))
                continue
            maps, usable = _on_cells(scene, _theirs(earlier.scene, radiometry))
            stack.append(maps)
            valid = valid & usable & analysed.supported(measures, earlier.alignment)
    if len(stack) < 2:
        raise InputError(
            "no baseline could be laid on the before image, so nothing is known of the place's own "
            "variation. Choose another measure (--measure structure), or other baselines"
        )
    usual = stack_measure.usual_variance(stack, valid)
    own = replace(measures, valid=valid, reference=stack_measure.departure(after, stack, usual))
    apart = diff.ceiling_windows(scene.pair.grid.shape, scene.settings.seed)
    other = []
    for unrelated, (first, second) in zip(ceiling, apart, strict=True):
        here, there = (_cells_of(window, unrelated.shape) for window in (first, second))
        t = stack_measure.departure(after[:, *there], [maps[:, *here] for maps in stack], usual)
        other.append(replace(unrelated, valid=unrelated.valid & valid[here] & valid[there], reference=t))
    return own, other, tuple(said)


def _cells_of(window: Window, shape: tuple[int, int]) -> tuple[slice, slice]:
    """The scene's cells nearest to those of a window's core."""
    first = [(x + diff.HALO) // CELL for x in window[:2]]
    return slice(first[0], first[0] + shape[0]), slice(first[1], first[1] + shape[1])


def _read(
    scene: Scene, one: feed.Feed, to_8bit: Callable[[FloatArray], ByteArray], window: Window
) -> tuple[ByteArray, BoolArray]:
    data, valid = one.read_mirrored(window, scene.pair.grid.shape)
    return to_8bit(data), valid


def _theirs(earlier: Scene, radiometry: Radiometry) -> Read:
    """Reads a baseline as 8-bit values on the scale of the run."""
    learnt, _ = measuring.learn(earlier)
    return partial(_read, earlier, earlier.after, partial(_on_scale, learnt, radiometry.scale))


def _on_scale(learnt: Radiometry, scale: Range, data: FloatArray) -> ByteArray:
    return _rescaled(learnt.after_8bit(data), learnt.scale, scale)


def _rescaled(grey: ByteArray, have: Range, want: Range) -> ByteArray:
    """8-bit values of one range of the before image's values as those of another."""
    if have == want:
        return grey
    (low, high), (to_low, to_high) = have or (0.0, 255.0), want or (0.0, 255.0)
    values = (low + grey.astype(np.float32) * ((high - low) / 255) - to_low) * (255 / (to_high - to_low))
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _on_cells(scene: Scene, read: Read) -> tuple[FloatArray, BoolArray]:
    """One image over the whole scene: means over windows (bands, rows, cols), and where they are valid."""
    shape = [-(-n // CELL) for n in scene.pair.grid.shape]
    means = np.zeros((len(scene.pair.roles), *shape), np.float32)
    usable = np.zeros(shape, bool)
    cores = tiles.plan(scene.pair.grid.shape, scene.settings.tile_px)
    for core, (values, seen) in zip(
        cores, tiles.map_ordered(partial(_means, read), cores, scene.executor, ahead=4), strict=True
    ):
        row, col = core.row // CELL, core.col // CELL
        place = np.s_[..., row : row + seen.shape[0], col : col + seen.shape[1]]
        means[place], usable[place] = values, seen
    return means, usable


def _means(read: Read, core: Window) -> tuple[FloatArray, BoolArray]:
    return stack_measure.on_cells(*read(core.padded(diff.HALO)))
