"""Maps of a whole scene: the same bits in a file or in memory, in bands of however many rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import grounds
import numpy as np
import pytest
import scipy.ndimage
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from damagediff import alarm_trials, bands, cells, diff, regions, selftest_places, settings, sight, types
from damagediff.cells import Maps
from damagediff.errors import OutputError
from damagediff.types import Window

GRID = types.Grid((grounds.SIZE, grounds.SIZE))
MASKS = arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 9)))


def narrow(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    """Bands of so few rows."""
    monkeypatch.setattr(bands, "BAND_CELLS", 1)
    monkeypatch.setattr(bands, "LEAST_ROWS", rows)


@pytest.fixture(scope="module")
def scene() -> tuple[np.ndarray, np.ndarray]:
    """A town, and the same with rubble, a cloud and a repainted yard."""
    before, rng = grounds.town(), np.random.default_rng(3)
    after = before.astype(np.float32) + rng.normal(0, 4, before.shape)
    for row, col, side in ((150, 120, 90), (40, 330, 60), (300, 60, 70)):
        after[:, row : row + side, col : col + side] = rng.normal(130, 45, (3, side, side))
    after[:, 330:460, 300:440] = 0.25 * after[:, 330:460, 300:440] + 165
    after[0, 240:300, 220:280] += 60
    return before, np.clip(after, 0, 255).astype(np.uint8)


def story(measures: Maps, unrelated: diff.Measures) -> tuple[Any, ...]:
    """Everything that is made of the maps of a scene."""
    scale = diff.calibrate(measures, [unrelated])
    for_regions = settings.Settings(diff=settings.DiffSettings(hysteresis=0.8))
    change = diff.change_map(measures, scale, GRID, for_regions)
    found = regions.find(change, measures, GRID)
    on = selftest_places.ground(change, measures, [])
    assert "look built" in on.places
    kept = (change.score, change.changed, on.built, on.clear_px)
    return scale, change.threshold, found, sight.shares(measures), [x.tobytes() for x in kept]


def test_bands_of_any_height_and_tiles_in_a_file_give_the_same_bits(
    scene: tuple[np.ndarray, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = grounds.measured(*scene)
    unrelated = grounds.measured(scene[0], np.roll(scene[0], (57, 41), (1, 2)))
    known, back = story(whole, unrelated), story(alarm_trials.exchanged(whole), unrelated)
    found = known[2]
    assert {region.tier for region in found} == {"structural", "other"} and known != back
    assert {"vegetation", "cloud or haze?"} <= {flag for region in found for flag in region.flags}
    parts = [(w, _cut(whole, w)) for w in reversed(list(_windows(4 * 50)))]
    kept = diff.assemble(GRID.shape, parts, tmp_path)
    assert not list(tmp_path.iterdir())  # it has no name, and so is gone with the process
    for rows in (29, 64):
        narrow(monkeypatch, rows)
        for measures in (whole, kept):
            assert story(measures, unrelated) == known
            assert story(alarm_trials.exchanged(measures), unrelated) == back


def _windows(side: int) -> list[Window]:
    size = grounds.SIZE
    firsts = range(0, size, side)
    return [Window(r, c, min(side, size - r), min(side, size - c)) for r in firsts for c in firsts]


def _cut(measures: diff.Measures, window: Window) -> diff.Measures:
    row, col, rows, cols = (n // diff.CELL for n in window)
    part = measures.rows(row, row + rows, measures.known)
    return replace(part, **{name: getattr(part, name)[..., col : col + cols] for name in part.known})


def test_parts_measured_anew_lie_on_top_and_leave_the_scene_as_it_was(
    scene: tuple[np.ndarray, np.ndarray],
) -> None:
    whole = grounds.measured(*scene)
    kept = diff.assemble(GRID.shape, [(w, _cut(whole, w)) for w in _windows(200)])
    window = Window(180, 100, 60, 240)  # over a seam
    anew = replace(_cut(whole, window), colour=np.full((15, 60), 7, np.float32), texture=np.zeros((15, 60)))
    changed = kept.with_parts([(window, anew)]).whole()
    at = np.s_[45:60, 25:85]
    assert (changed.colour[at] == 7).all() and (changed.texture[at] == 0).all()
    back = changed.colour.copy()
    back[at] = whole.colour[at]
    assert np.array_equal(back, whole.colour) and np.array_equal(changed.edges_after, whole.edges_after)
    assert np.array_equal(kept.whole().colour, whole.colour)


def test_where_no_file_can_be_made_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no file can be made"):
        diff.assemble((64, 64), [], tmp_path / "missing")


@given(st.integers(0, 300), st.integers(1, 40), st.integers(0, 9), st.integers(1, 50))
def test_bands_cover_every_row_once_with_the_halo_that_there_is(
    rows: int, cols: int, halo: int, height: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        narrow(patch, height)
        found = list(bands.of((rows, cols), halo))
    assert [r for band in found for r in range(band.first, band.last)] == list(range(rows))
    for band in found:
        read = range(*band.outer)
        assert list(read[band.inner]) == list(range(band.first, band.last))
        assert read.start == max(0, band.first - halo) and read.stop == min(rows, band.last + halo)


@given(MASKS, st.integers(1, 4))
@example(np.array([[1, 0], [0, 1], [1, 0], [0, 0], [1, 1]], bool), 1)  # corners that touch across seams
@example(np.array([[0, 0, 1], [1, 0, 1], [1, 1, 1]], bool), 1)  # two that turn out to be one further down
def test_components_are_numbered_by_their_first_cells_across_bands(mask: np.ndarray, height: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        narrow(patch, height)
        labels, count = cells.components(mask)
        sizes = cells.sizes(labels, count)
    known, known_count = scipy.ndimage.label(mask, np.ones((3, 3)))
    assert count == known_count and np.array_equal(labels > 0, mask)
    firsts = [int(np.flatnonzero(labels == k)[0]) for k in range(1, count + 1)]
    assert firsts == sorted(firsts)
    for k, first in enumerate(firsts, 1):
        assert np.array_equal(labels == k, known == known.ravel()[first])
        assert sizes[k] == (labels == k).sum()


@given(MASKS, st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_sums_over_components_are_the_same_bits_in_any_bands(
    mask: np.ndarray, height: int, seed: int
) -> None:
    values = np.random.default_rng(seed).lognormal(0, 9, mask.shape).astype(np.float32)
    labels, count = cells.components(mask)
    known = np.bincount(labels.ravel(), values.ravel().astype(np.float64), count + 1)
    with pytest.MonkeyPatch.context() as patch:
        narrow(patch, height)
        sums = cells.component_sums(labels, count, cells.in_bands(values))
        peaks = cells.component_peaks(labels, count, values)
    assert np.array_equal(sums[1:], known[1:])
    assert peaks[1:].tolist() == [values[labels == k].max() for k in range(1, count + 1)]


@given(MASKS, st.integers(1, 4))
def test_places_are_those_of_a_list_of_them(mask: np.ndarray, height: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        narrow(patch, height)
        places = selftest_places.Places(lambda rows: mask[rows], mask.shape)
    assert [places.cell(k) for k in range(len(places))] == np.flatnonzero(mask).tolist()
