"""Damage planted into a copy of the after image: the same stages, no trace elsewhere, the same every time."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import rasterio
import scenes
from rasterio.errors import NotGeoreferencedWarning
from test_cli import as_bytes, houses

from damagediff import (
    detection,
    diff,
    feed,
    measuring,
    missed,
    pipeline,
    planting,
    saved,
    selftest,
    selftest_places,
    settings,
    synthetic,
    types,
)
from damagediff.types import Case, Comparison, Source, Window

PLAIN = replace(settings.Settings(), masks=settings.MaskSettings(graphics=False))
"""No search for graphics: what is planted into a file would be searched too."""
SHAPE = (360, 400)
SHIFT = np.array([[1.0, 0, 2.5], [0, 1, -1.25], [0, 0, 1]])

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


@pytest.fixture(scope="module")
def arrays() -> tuple[np.ndarray, np.ndarray]:
    """(before, after) of unchanged houses, displaced and noisy."""
    rng = np.random.default_rng(5)
    before = houses(3)
    after = np.nan_to_num(synthetic.warp(before, SHIFT) * 0.9 + 18)
    after += scenes.ripples(SHAPE, rng)
    noisy = [x + rng.normal(0, 2, x.shape) for x in (before, after)]
    return as_bytes(noisy[0]), as_bytes(noisy[1])


@dataclass(frozen=True)
class Runs:
    """The same pair compared in several ways, and what the self-test of the first one did inside."""

    folder: Path
    paths: list[Path]
    found: dict[str, Comparison]
    stages: selftest.Stages
    model: Any
    windows: list[tuple[tuple[feed.Patch, ...], Window, diff.Measures]]


CHANGES: dict[str, dict[str, Any]] = {
    "plain": {"workers": 1, "tile_px": 1024},
    "tiled": {"workers": 3, "tile_px": 128},
    "without": {"trust": settings.TrustSettings(selftest=False)},
    "poor": {"diff": settings.DiffSettings(min_comparability=1.0)},
}


@pytest.fixture(scope="module")
def runs(arrays: tuple[np.ndarray, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    folder = tmp_path_factory.mktemp("runs")
    paths = [write(folder / f"{name}.png", x) for name, x in zip(("before", "after"), arrays, strict=True)]
    learnt: list[tuple[selftest.Stages, Any]] = []
    windows: list[tuple[tuple[feed.Patch, ...], Window, diff.Measures]] = []
    run, parts = selftest.run, measuring.parts

    def spied_run(scene: Any, stages: Any, *others: Any) -> Any:
        learnt.append((stages, scene.after.model))
        return run(scene, stages, *others)

    def spied_parts(scene: Any, cores: Any, *others: Any) -> Iterator[diff.Measures]:
        for core, part in zip(cores, parts(scene, cores, *others), strict=True):
            windows.append((scene.after.planted, core, part))
            yield part

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(selftest, "run", spied_run)
        patch.setattr(measuring, "parts", spied_parts)
        found = {name: compare(paths, folder / name, **changes) for name, changes in CHANGES.items()}
    yield Runs(folder, paths, found, *learnt[0], windows)


def write(path: Path, pixels: np.ndarray) -> Path:
    bands, rows, cols = pixels.shape
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(
            path, "w", driver="PNG", count=bands, height=rows, width=cols, dtype="uint8"
        ) as out:
            out.write(pixels)
    return path


def compare(paths: list[Path], folder: Path, **changes: Any) -> Comparison:
    folder.mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        return pipeline.compare(Case(*map(Source, paths)), replace(PLAIN, **changes), folder)


def counts(found: Comparison) -> list[Any]:
    return [(c.kind, c.tallies, c.found, c.structural, c.outlined) for c in found.trust.detection.curves]


def test_the_same_whatever_the_workers_and_the_tiles(runs: Runs) -> None:
    first, second = runs.found["plain"], runs.found["tiled"]
    assert len(counts(first)) == 6 and counts(first) == counts(second)
    for a, b in zip(first.trust.detection.examples, second.trust.detection.examples, strict=True):
        assert np.array_equal(a.after, b.after)


def test_large_damage_is_found_and_tiny_is_not(runs: Runs) -> None:
    found = runs.found["plain"].trust
    rubble = found.detection.curve("rubble")
    assert rubble is not None and found.detection_limit_px == rubble.found.size_90_px
    large = [t for t in rubble.tallies if t.size_px >= 40]
    assert sum(t.found for t in large) >= 0.9 * sum(t.planted for t in large) > 0
    assert sum(t.found for t in rubble.tallies if t.size_px <= 4) == 0
    assert all(t.structural <= t.found <= t.planted for t in rubble.tallies)
    assert found.detection_limit_px is not None and 8 < found.detection_limit_px < 64


def test_nothing_planted_is_left_in_the_run(runs: Runs) -> None:
    tested, without = runs.found["plain"], runs.found["without"]
    assert without.trust.detection.reason == selftest.SKIPPED and not without.trust.detection.curves
    assert tested.regions == without.regions
    assert np.array_equal(tested.pictures.after, without.pictures.after)
    names = sorted(path.name for path in (runs.folder / "plain").iterdir())
    assert len(names) == 5
    for name in names:
        first, second = ((runs.folder / run / name).read_bytes() for run in ("plain", "without"))
        assert first == second, name


def test_planted_in_windows_is_planted_in_the_whole_file(
    runs: Runs, arrays: tuple[np.ndarray, np.ndarray]
) -> None:
    """The same pixels, written into the file and compared as a whole scene, give the same measures there."""
    patches = runs.windows[0][0]
    after = arrays[1].astype(np.float32)
    for patch in patches:
        patch.put(after, Window(0, 0, *SHAPE))
    changed = write(runs.folder / "planted.png", np.rint(after).astype(np.uint8))
    whole = measures_of(Case(Source(runs.paths[0]), Source(changed)), runs)
    parts = [(core, part) for own, core, part in runs.windows if own is patches]
    assert len(parts) == len(patches) > 3
    for core, part in parts:
        rows, cols = core.row // diff.CELL, core.col // diff.CELL
        there = (..., slice(rows, rows + part.shape[0]), slice(cols, cols + part.shape[1]))
        for name in ("structure", "pattern", "orientation", "colour", "edges_after"):
            assert np.array_equal(getattr(part, name), getattr(whole, name)[there]), name


def measures_of(case: Case, runs: Runs) -> diff.Measures:
    """The measures of a whole pair, with the alignment and the radiometry of the first run."""
    with pipeline.open_scene(case, PLAIN) as scene:
        after_feed, shape = scene.after.aligned(runs.model), scene.pair.grid.shape
        window = Window(0, 0, *shape).padded(diff.halo(runs.stages.lean))
        before, before_valid = scene.before.read_mirrored(window, shape)
        after, after_valid = after_feed.read_mirrored(window, shape)
        both = runs.stages.radiometry.before_8bit(before), runs.stages.radiometry.after_8bit(after)
        return diff.measure(*both, before_valid & after_valid, scene.pair.roles, runs.stages.lean)


def test_a_saved_run_keeps_its_self_test_and_marks_its_examples(runs: Runs, tmp_path: Path) -> None:
    found = runs.found["plain"]
    saved.write(found, tmp_path)
    again = saved.read(tmp_path).trust.detection
    assert again.curves == found.trust.detection.curves and again.examples
    for example in again.examples:
        band = example.after[:, : selftest.MARK_PX]
        assert set(np.unique(band)) == {0, 255} and (band == 0).mean() == pytest.approx(0.5, abs=0.05)


def test_pairs_that_cannot_be_compared_say_why(runs: Runs) -> None:
    poor = runs.found["poor"].trust
    assert poor.detection.reason == selftest.NOT_COMPARABLE and poor.detection_limit_px is None
    assert "not measured" in missed.lead(poor.detection).lower()


def change(changed: np.ndarray) -> types.ChangeMap:
    score = np.zeros(changed.shape, np.float32)
    return types.ChangeMap(score, changed, changed != 255, 4, 0.5, "", 0.3, {})


def test_places_keep_clear_of_change_and_of_one_another() -> None:
    changed = np.zeros((120, 140), np.uint8)
    changed[30:40, 50:70], changed[:, 110:], changed[90:95, 20:60] = 1, 255, 2
    bad_rc = np.argwhere(changed > 0) * 4 + 1.5
    clear = np.ones((120, 140), bool)
    free = np.pad(changed == 0, 1).astype(np.uint8)
    px = cv2.distanceTransform(free, cv2.DIST_L2, 5)[1:-1, 1:-1] * np.float32(4)
    of = selftest_places.candidates(selftest_places.Ground(px, clear, ""))
    waiting = [selftest_places.Plant(k, "crater", size) for k, size in enumerate((8, 16, 24, 40) * 6)]
    placed, left = selftest_places.scatter(waiting, of, changed.shape, np.random.default_rng(1))
    assert placed and len(placed) + len(left) == len(waiting)
    assert sum(p.size_px**2 for p in placed) <= 0.05 * (changed == 0).sum() * 16 + 40**2
    for one in placed:
        assert np.hypot(*(bad_rc - one.at_rc).T).min() > one.size_px / 2
        for other in placed:
            apart = np.hypot(*np.subtract(one.at_rc, other.at_rc))
            assert one is other or apart >= (one.size_px + other.size_px) / 2 + selftest_places.GAP_PX


def test_footprints_come_before_what_looks_built() -> None:
    cells = (60, 60)
    changed = np.zeros(cells, np.uint8)
    ring = tuple(
        (float(r), float(c)) for r, c in ((100, 100), (100, 140), (140, 140), (140, 100), (100, 100))
    )
    building = types.Building("a", 0.1, 1.0, None, "no visible change above the limit", ((ring,),), {})
    zeros = np.zeros(cells, np.float32)
    measures = diff.Measures(
        structure=zeros, pattern=zeros, orientation=zeros, texture=zeros, colour=zeros,
        edges_before=np.zeros((3, *cells), np.int16), edges_after=np.zeros((3, *cells), np.int16),
        lines=np.zeros((2, 2, *cells), np.int16), colours=np.zeros((2, 3, *cells), np.int16),
        darkest=np.zeros((2, *cells), np.uint8), green=np.zeros((2, *cells), np.float32),
        light=np.zeros((2, *cells), np.float32),
        leaning=np.zeros(cells, np.uint8), valid=np.ones(cells, bool),
    )  # fmt: skip
    on = selftest_places.ground(change(changed), measures, [building])
    assert "footprints" in on.places
    rows, cols = np.nonzero(on.built)
    assert rows.min() >= 24 and rows.max() <= 35 and cols.min() >= 24 and cols.max() <= 35 and len(rows) >= 81
    assert "anywhere" in selftest_places.ground(change(changed), measures, []).places


def test_sizes_are_allotted_by_weight_and_all_of_them() -> None:
    for count in (0, 1, 7, 30, 101):
        sizes = selftest_places.allotted(count, selftest_places.SIZES_PX)
        assert len(sizes) == count and set(sizes) <= set(selftest_places.SIZES_PX)
    many = selftest_places.allotted(240, selftest_places.SIZES_PX)
    assert many.count(24) == 40 and many.count(2) == 10


def test_a_patch_covers_only_what_it_lies_on() -> None:
    patch = feed.Patch(Window(5, 8, 3, 4), np.full((2, 3, 4), 9, np.float32))
    data = np.zeros((2, 6, 6), np.float32)
    patch.put(data, Window(2, 4, 6, 6))
    assert (data[:, 3:6, 4:6] == 9).all() and data.sum() == 9 * 2 * 3 * 2
    patch.put(data, Window(100, 100, 6, 6))
    assert data.sum() == 9 * 2 * 3 * 2


def test_likeness_finds_blur_and_noise_again() -> None:
    rng = np.random.default_rng(0)
    ground = houses(4, (160, 160))
    for sigma in (0.5, 1.5):
        soft = np.stack([cv2.GaussianBlur(b, (0, 0), sigma) for b in ground])
        like = planting.likeness(soft + rng.normal(0, 3, soft.shape))
        assert like.noise == pytest.approx(3, rel=0.35)
    sharp, blurred = (
        planting.likeness(np.stack([cv2.GaussianBlur(b, (0, 0), s) for b in ground])) for s in (0.5, 2)
    )
    assert blurred.blur_px > sharp.blur_px + 0.3


def tally(size: int, planted: int, found: int, structural: int = 0) -> detection.Tally:
    return detection.Tally(size, planted, found, structural, 0)


GRID = types.Grid((100, 100), gsd_m=0.5)
NONE = detection.Recall(None, None, "only 6 could be planted, at least 12 are asked", ())
GOOD = detection.Recall(30.2, (24.0, 41.0), "", ((8, 0.1, 0, 0.3), (16, 0.4, 0.2, 0.6), (64, 1, 0.9, 1)))


def curve(tallies: tuple[detection.Tally, ...], found: detection.Recall) -> detection.DetectionCurve:
    return detection.DetectionCurve("rubble", False, tallies, found, NONE, NONE)


def test_the_words_carry_the_counts() -> None:
    shown = detection.Detection((curve((tally(24, 40, 36, 12), tally(64, 1, 1)), GOOD),))
    words = " ".join(missed.sentences(shown.curves[0], GRID))
    assert "Of 40 buildings turned to rubble of 24 px (12 m) across that were drawn, 36 were found" in words
    assert "12 of them as visible change" in words and "the one building" in words.lower()
    assert "Below 16 px (8.0 m) fewer than half are found" in words
    trust = types.Trust("comparable", (), detection_limit_px=30.2, detection=shown)
    said = missed.headline(trust, GRID)
    assert (
        "31 px (16 m)" in said and "only as other change" in said and "smaller change can be missed" in said
    )
    assert "any size" in missed.beside(trust, GRID)
    assert missed.limit(GOOD, GRID).startswith("from 31 px (16 m)")


def test_a_pair_too_poor_says_exactly_that() -> None:
    never = replace(GOOD, size_90_px=None, reason="even of the largest, 1 of 6 were found")
    poor = detection.Detection((curve((tally(32, 15, 0), tally(64, 6, 1)), never),))
    said = missed.headline(types.Trust("comparable", (), detection=poor), GRID)
    assert "Change of any size can be missed here" in said and "6 buildings" in said and "1 was found" in said
    skipped = types.Trust("comparable", (), detection=detection.Detection(reason=selftest.SKIPPED))
    assert "was not measured: skipped" in missed.headline(skipped, GRID)


def test_too_few_objects_say_nothing_of_size() -> None:
    few = detection.Detection((curve((tally(32, 5, 4), tally(64, 1, 1)), NONE),))
    said = missed.headline(types.Trust("comparable", (), detection=few), GRID)
    assert "too few buildings turned to rubble could be drawn (6) to say from what size on" in said
    assert "nine in ten" not in said and "was found" not in said


def test_fewer_objects_where_each_costs_more() -> None:
    plain = selftest_places.wanted(1_000_000, 20, 20)
    assert sum(plain.values()) == pytest.approx(270, abs=3)
    assert selftest_places.wanted(1_000_000, 25, 20) == plain
    leaning = selftest_places.wanted(1_000_000, 60, 20)
    assert 0.3 * sum(plain.values()) < sum(leaning.values()) < 0.7 * sum(plain.values())
