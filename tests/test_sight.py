"""Doubts about what a picture shows, on invented ground with cloud, water, furrows put on it."""

from __future__ import annotations

from dataclasses import replace

import grounds
import numpy as np
import pytest
from grounds import HALO, SIZE, measured

from damagediff import outcome, sight
from damagediff.cells import Measures

PATCH = np.s_[160:352, 160:352]
CORE = np.s_[46:82, 46:82]
"""The patch in cells, less what blurs over its edge."""


@pytest.fixture(scope="module")
def town() -> np.ndarray:
    return grounds.town()


def changed(town: np.ndarray, what) -> np.ndarray:
    """The town with the patch (in pixels of the scene) given by a function of it."""
    picture = town.astype(np.float32).copy()
    at = (slice(None), *(slice(s.start + HALO, s.stop + HALO) for s in PATCH))
    picture[at] = what(picture[at])
    return np.clip(picture, 0, 255).astype(np.uint8)


def under_cloud(ground: np.ndarray) -> np.ndarray:
    return 0.25 * ground + 0.75 * 220


def cloud(measures: Measures) -> tuple[np.ndarray, np.ndarray]:
    return sight.cloud(measures, sight.usual(measures))


def water(measures: Measures) -> np.ndarray:
    return sight.water(measures, cloud(measures), sight.usual(measures))


def furrows(measures: Measures) -> np.ndarray:
    return sight.furrows(measures, sight.usual(measures))


def test_a_clear_pair_has_no_cloud(town: np.ndarray) -> None:
    darker = (town * 0.8).astype(np.uint8)
    for pair in ((town, town), (town, darker), (darker, town)):
        assert not np.any(cloud(measured(*pair)))


def test_cloud_is_found_in_the_picture_that_has_it(town: np.ndarray) -> None:
    hazy = changed(town, under_cloud)
    before, after = cloud(measured(town, hazy))
    assert not before.any() and after[CORE].mean() > 0.9
    outside = after.copy()
    outside[38:90, 38:90] = False
    assert not outside.any()
    before, after = cloud(measured(hazy, town))
    assert before[CORE].mean() > 0.9 and not after.any()


def test_bright_rubble_and_a_white_roof_are_no_cloud(town: np.ndarray) -> None:
    rng = np.random.default_rng(5)
    rubble = changed(town, lambda x: 170 + rng.normal(0, 35, x.shape[1:])[None] * np.ones((3, 1, 1)))
    assert not np.any(cloud(measured(town, rubble)))
    roof = town.copy()
    roof[:, 200:236, 200:236] = 240
    assert not np.any(cloud(measured(town, roof)))


def test_pale_sand_is_no_cloud(town: np.ndarray) -> None:
    sand = changed(town, lambda x: np.full_like(x, 1) * np.array([220, 190, 150])[:, None, None])
    assert not np.any(cloud(measured(town, sand)))


def test_without_colour_cloud_is_not_told(town: np.ndarray) -> None:
    found = measured(town[:1], changed(town, under_cloud)[:1], roles=("grey",))
    assert not np.any(cloud(found))
    assert sight.shares(found) == outcome.Sight(None, None, None, None)


def test_water_over_streets_is_smooth_and_not_green(town: np.ndarray) -> None:
    brown, lawn = np.array([120, 105, 85]), np.array([80, 120, 70])
    flooded = changed(town, lambda x: np.ones_like(x) * brown[:, None, None])
    mown = changed(town, lambda x: np.ones_like(x) * lawn[:, None, None])
    assert water(measured(town, town)).mean() < 0.02  # a bare yard here and there
    assert water(measured(town, flooded))[CORE].all()
    assert not water(measured(town, mown))[CORE].any()


def test_furrows_are_lines_of_one_direction_without_buildings(town: np.ndarray) -> None:
    rows, cols = np.indices((SIZE + 2 * HALO,) * 2)
    wave = 100 + 25 * np.sin((rows * 0.8 + cols * 0.6) * 2 * np.pi / 9)
    field = (np.ones((3, 1, 1)) * wave).astype(np.uint8)
    fallow = np.full_like(field, 100)
    assert furrows(measured(fallow, field)).mean() > 0.95
    assert not furrows(measured(town, town)).any()
    assert not furrows(measured(town, field))[CORE].any()  # built before: no open land


@pytest.mark.parametrize("dtype", ["uint16", "int16", "float32"])
def test_saturation_of_other_than_8_bits_is_not_told(dtype: str) -> None:
    picture = np.full((3, 16, 16), 65535.0, np.float32)
    assert sight.full_pixels((picture, picture), (dtype, dtype), (4, 4)) is None


@pytest.mark.parametrize("first", [True, False])
def test_saturation_is_told_of_the_one_picture_of_8_bits(town: np.ndarray, first: bool) -> None:
    measures = measured(town, town)
    picture = np.full((3, *(4 * n for n in measures.shape)), 255.0, np.float32)
    dtypes = ("uint8", "uint16") if first else ("uint16", "uint8")
    told = replace(measures, full=sight.full_pixels((picture, picture), dtypes, measures.shape))
    assert [bool(x.any()) for x in sight.saturated(told)] == [first, not first]
    found = sight.shares(told)
    shares = found.saturated_before, found.saturated_after
    assert shares == ((1.0, None) if first else (None, 1.0))


def test_full_pixels_are_counted_in_whole_cells_and_in_all_bands() -> None:
    picture = np.full((3, 10, 16), 255.0, np.float32)
    picture[1, :, 8:] = 200
    counted = sight.full_pixels((picture, picture * 0), ("uint8", "uint8"), (3, 4))
    assert counted is not None
    assert counted[0].tolist() == [[16, 16, 0, 0], [16, 16, 0, 0], [8, 8, 0, 0]]
    assert not counted[1].any()


def test_the_same_in_tiles(town: np.ndarray) -> None:
    hazy = changed(town, under_cloud)
    whole, tiled = measured(town, hazy), measured(town, hazy, 192)
    for ask in (cloud, water, furrows):
        assert np.array_equal(ask(whole), ask(tiled))
