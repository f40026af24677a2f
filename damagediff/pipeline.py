"""The one place that knows the order of the stages.

Passes over the scene: one reduced read of each file (coarse alignment, radiometry), windows for tie points,
and one pass by tiles that resamples both images, writes them and measures change on cells. What follows
works on the cells, a sixteenth of the pixels.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import threadpoolctl

from . import (
    alarm_trials,
    analysed,
    areas,
    baselines,
    buildings,
    cells,
    copies,
    decoding,
    diff,
    file_facts,
    finding,
    footprint_fit,
    footprints,
    graphics,
    looking,
    measuring,
    memory,
    notes,
    one_pass,
    pictures,
    radar,
    raster,
    rasters_out,
    regions,
    registration,
    scale,
    selftest,
    sheet,
    sight,
    squares,
    summary,
    tiles,
    trust,
    versions,
)
from . import settings as options
from .cells import Maps
from .diff import Radiometry
from .feed import Lies, open_feed
from .provenance import FileFacts
from .scene import Progress, Scene, silent
from .settings import Settings
from .types import (
    Alignment,
    Building,
    Case,
    ChangeMap,
    Comparison,
    Crop,
    FloatArray,
    FootprintCount,
    FootprintFit,
    Pair,
    Pictures,
    Region,
)


def compare(
    case: Case,
    settings: Settings,
    folder: Path,
    progress: Progress = silent,
    elsewhere: Executor | None = None,
) -> Comparison:
    """Compare two images and write the rasters of the run into `folder`.

    Parameters
    ----------
    case : Case
        The two images, and what the user knows of them.
    settings : Settings
        The same settings and files give the same result, whatever the number of workers.
    folder : Path
        Existing folder; gets ``before.tif``, ``after_aligned.tif``, ``change_score.tif``,
        ``change_mask.tif`` and ``geometry.tif``. Stays empty when the alignment is refused.
    progress : callable
        Told the stage and the share done.
    elsewhere : Executor, optional
        Other processes that do the work on windows, see `cluster`; threads of this one without it.

    Returns
    -------
    Comparison
        With ``alignment.accepted`` false and ``change`` None when the alignment is refused.

    Raises
    ------
    InputError
        An image or the footprints cannot be used.
    SettingsError
        Squares of the grid summary cannot be made as asked.
    OutputError
        A raster cannot be written.
    """
    with open_scene(case, settings, progress, elsewhere) as scene:
        outlines, counted = _outlines(scene)
        squares.side_px(scene.pair.grid, settings.summary)  # what cannot be asked for is told now
        diff.min_region(scene.pair.grid, settings)  # whether it can be met is told now, not after an hour
        scene = replace(scene, older=baselines.let_in(case, scene.pair, settings))
        alignment, model = registration.register(scene)
        scene = replace(scene, after=scene.after.aligned(model))
        scene = replace(scene, same=copies.look(scene, alignment.accepted))
        if not alignment.accepted:
            return _refused(scene, copies.refused(scene, alignment))
        if settings.sensor == "optical":
            alignment = replace(alignment, lean=registration.lean(scene))
        return replace(_compare_aligned(scene, alignment, outlines, folder), footprint_count=counted)


def at_rest() -> None:
    """Give back what further comparisons of the same files would find ready: decoders, freed memory."""
    decoding.end_idle()
    gc.collect()  # a page of the PDF and its pictures hold each other
    memory.give_back()


def align(case: Case, settings: Settings, out: Path, progress: Progress = silent) -> tuple[Pair, Alignment]:
    """Only co-register: write the after image on the working grid to `out`, a GeoTIFF.

    Returns
    -------
    (the pair, the alignment); nothing is written when it is refused.

    Raises
    ------
    InputError
        An image cannot be used.
    OutputError
        `out` cannot be written.
    """
    with open_scene(case, settings, progress) as scene:
        alignment, model = registration.register(scene)
        if alignment.accepted:
            rasters_out.write_after(replace(scene, after=scene.after.aligned(model)), out)
        return scene.pair, alignment


@contextmanager
def open_scene(
    case: Case, settings: Settings, progress: Progress = silent, elsewhere: Executor | None = None
) -> Iterator[Scene]:
    """Both images open for reading on one grid, with a pool of threads, until the block ends."""
    # The pool has the threads: nested ones only fight over cores, and their number shows in the last bits.
    cv2.setNumThreads(1)
    pair = open_pair(case, settings)
    settings = memory.fitted(settings, pair.grid.shape, len(pair.roles))
    where = areas.read(case.exclude, case.aoi, pair.before, pair.grid, settings.read)
    if case.stable is not None:
        where = replace(where, stable=areas.read_place(case.stable, pair.before, pair.grid, settings.read))
    longest = 2 * settings.align.coarse_px
    with (
        threadpoolctl.threadpool_limits(1),
        raster.Reader(pair.before, pair.roles) as before,
        raster.Reader(pair.after, pair.roles) as after,
        tiles.pool(settings.workers) as home,
        raster.hurried(),  # innermost: the pool waits for threads that may wait for a host
    ):
        progress("reading", 0.0)
        georeferenced = pair.before.georeferenced
        optical = settings.sensor == "optical"
        placed: tuple[Lies, Lies] = (
            "placed" if georeferenced else "own frame",
            "own frame" if pair.moving_is_file else "near",
        )
        first = home.submit(open_feed, pair.before, before, pair.grid, placed[0], longest, optical)
        second = home.submit(open_feed, pair.after, after, pair.grid, placed[1], longest, optical)
        feeds = [first.result()]
        progress("reading", 0.5)
        feeds.append(second.result())
        if optical and pair.moving_is_file and settings.masks.graphics:
            feeds = graphics.left_out(feeds, home)
        workers = elsewhere or home
        yield Scene(case, settings, pair, feeds[0], feeds[1], workers, progress, where, threads=home)


def open_pair(case: Case, settings: Settings) -> Pair:
    """Let both files through the door and find the grid on which they meet."""
    scale.check(case)
    before = raster.inspect(case.before, settings.read)
    after = raster.inspect(case.after, settings.read)
    both = before.georeferenced and after.georeferenced
    on = scale.working_grid(case, before, after)
    roles = raster.common_roles(before, after)
    if settings.sensor == "sar":
        for image in (before, after):
            measuring.check_one_band(image)
        roles = ("grey",)
    return Pair(before, after, on, roles, moving_is_file=not both)


def _refused(scene: Scene, alignment: Alignment) -> Comparison:
    """Both pictures as they are, each on its own, and no word about change.

    Georeferenced images lie on the working grid as their georeferences say, others in their own frames.
    """
    pair, longest = scene.pair, scene.settings.report.picture_px
    after_shape = pair.after.shape if pair.moving_is_file else pair.grid.shape
    first, second = (max(1, -(-max(shape) // longest)) for shape in (pair.grid.shape, after_shape))
    before = scene.before.as_found().overview(first, pair.grid.shape)
    after = replace(scene.after, model=None).as_found().overview(second, after_shape)
    drawn = pictures.apart(before, after, (first, second), scene.shown)
    return _comparison(scene, alignment, None, (), (), drawn)


def _compare_aligned(
    scene: Scene, alignment: Alignment, outlines: tuple[footprints.Footprint, ...], folder: Path
) -> Comparison:
    radiometry, reference = measuring.learn(scene)
    scene = measuring.with_filling(scene, radiometry)
    memory.give_back()
    measures, drawn = one_pass.measure_and_write(scene, (radiometry, reference), alignment.lean, folder)
    memory.give_back()
    measured, supported = measures.valid, analysed.supported(measures, alignment)
    measures = replace(measures, valid=measured & supported)
    scene.progress("finding change", 0.0)
    ceiling = measuring.ceiling(scene, radiometry, reference)
    told: tuple[str, ...] = ()
    if scene.settings.diff.measure == "stack":
        measures, ceiling, told = baselines.with_stack(scene, radiometry, measures, ceiling)
        measured = measured & (measures.valid | ~supported)
    scale = ceiling if scene.settings.sensor == "sar" else diff.calibrate(measures, ceiling)
    change, found = copies.unless_one(scene, *finding.find(scene, measures, scale, radiometry))
    change = finding.with_sensitivity(scene, measures, scale, radiometry, (change, found))
    change = analysed.with_reasons(scene, change, measured, supported)
    found = regions.beside_graphics(change, found)
    if scene.settings.sensor == "optical":
        change = replace(change, sight=sight.shares(measures))
    of = alarm_trials.Measured(scene, (radiometry, reference), alignment.lean, measures, scale, change, found)
    rasters_out.write_change(scene, change, folder)
    rasters_out.write_geometry(scene, folder)
    memory.give_back()
    scene.progress("finding change", 0.5)
    crops = _crops(scene, found, radiometry, drawn)
    textured = radar.without_optics(measures) if scene.settings.sensor == "sar" else measures
    table, fitted = _buildings(scene, outlines, change, textured, radiometry)
    comparison = _comparison(scene, alignment, change, found, table, replace(drawn, crops=crops))
    stages = selftest.Stages(radiometry, reference, alignment.lean, scale)
    at_rest()  # what looked at the files for the card
    detection = selftest.run(scene, stages, measures, change, table)
    memory.give_back()
    comparison = replace(comparison, trust=trust.with_detection(comparison.trust, detection, scene.pair.grid))
    comparison = baselines.with_ordinary(comparison, of, told)
    counted = squares.count(change, table, scene.pair.grid, scene.settings.summary)
    comparison = replace(comparison, footprint_fit=fitted, grid_summary=counted)
    return replace(comparison, eight_bit=radiometry.told())


def _buildings(
    scene: Scene,
    outlines: tuple[footprints.Footprint, ...],
    change: ChangeMap,
    measures: Maps,
    radiometry: Radiometry,
) -> tuple[tuple[Building, ...], FootprintFit | None]:
    """Footprints laid on the before image, and the change inside each."""
    if not outlines:
        return (), None
    fitted = _fit_footprints(scene, outlines, radiometry) if scene.settings.buildings.fit else None
    parts = [outline.parts_rc for outline in outlines]
    placed = [(part, (0.0, 0.0)) for part in parts] if fitted is None else footprint_fit.moved(parts, fitted)
    given = [(o.id, part, o.properties) for o, (part, _) in zip(outlines, placed, strict=True)]
    texture = cells.computed(measures, ["texture"], 0, lambda m: m.texture)
    found = buildings.measure(given, change, texture, scene.pair.grid, scene.settings)
    table = tuple(replace(b, shift_rc=shift) for b, (_, shift) in zip(found, placed, strict=True))
    return table, fitted


def _fit_footprints(
    scene: Scene, outlines: tuple[footprints.Footprint, ...], radiometry: Radiometry
) -> FootprintFit:
    """Where the footprints belong on the before image."""
    on = scene.pair.grid

    asked = footprint_fit.places([o.parts_rc for o in outlines], on, scene.settings.buildings)
    answers = list(tiles.map_ordered(partial(_agreement, scene, radiometry), asked, scene.executor, ahead=16))
    used = [(place, surface) for place, surface in zip(asked, answers, strict=True) if surface is not None]
    return footprint_fit.fit([place for place, _ in used], [surface for _, surface in used], on)


def _agreement(scene: Scene, radiometry: Radiometry, place: footprint_fit.Place) -> FloatArray | None:
    data, valid = scene.before.read_mirrored(place.window, scene.pair.grid.shape)
    grey = diff.luminance(radiometry.before_8bit(data), scene.pair.roles)
    return footprint_fit.agreement(grey, valid, place)


def _outlines(scene: Scene) -> tuple[tuple[footprints.Footprint, ...], FootprintCount | None]:
    path = scene.case.footprints
    return ((), None) if path is None else footprints.read_counted(path, scene.pair.grid)


def _crops(
    scene: Scene, found: tuple[Region, ...], radiometry: Radiometry, drawn: Pictures
) -> tuple[Crop, ...]:
    """Full-resolution cut-outs around the first regions, with the stretch of the pictures."""

    def one(region: Region) -> Crop:
        window = pictures.around(region.bbox_rc, scene.pair.grid.shape)
        before = radiometry.before_8bit(scene.before.read(window)[0])
        after = radiometry.after_8bit(scene.after.read(window)[0])
        both = (pictures.draw(data, scene.shown, drawn.stretch) for data in (before, after))
        return Crop(region.id, window, *both)

    # By the pool's threads, which have decoders: this one would need two more.
    first = found[: scene.settings.regions.crops]
    return tuple(tiles.map_ordered(one, first, scene.home, ahead=4))


def _file_facts(scene: Scene) -> tuple[FileFacts, FileFacts]:
    """What both files tell of themselves."""
    private = scene.settings.report.show_private
    before, after = (file_facts.examine(image, private) for image in (scene.pair.before, scene.pair.after))
    return before, after


def _comparison(
    scene: Scene,
    alignment: Alignment,
    change: ChangeMap | None,
    found: tuple[Region, ...],
    table: tuple[Building, ...],
    drawn: Pictures,
) -> Comparison:
    seen = None if change is None else summary.amounts(change, scene.pair.grid)
    asked = None if seen is None else min(1.0, seen.share_of_asked / analysed.pictured_share(scene.pair))
    limit = scene.settings.diff.min_comparability
    facts = looking.facts(scene, change is not None)
    judged = trust.judge(scene.pair, alignment, change, asked, limit, facts)
    return Comparison(
        case=scene.case,
        pair=scene.pair,
        alignment=alignment,
        change=change,
        regions=found,
        buildings=table,
        trust=judged,
        pictures=replace(drawn, sheet=sheet.of_pair(scene.pair, scene.case.split)),
        settings=options.to_dict(scene.settings),
        versions=versions.versions(),
        baselines=scene.older,
        file_facts=_file_facts(scene),
        notes=(
            *notes.of_event(judged),
            *notes.of_pair(scene.pair, change, scene.case.split),
            *notes.of_copies(scene),
            *notes.of_hand_points(alignment.tie_points),
            *notes.of_areas(scene),
            *notes.of_sources(scene),
            *graphics.note(scene),
        ),
    )
