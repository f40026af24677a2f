"""Resampling: exact where it can be, known where it cannot, the same for every tiling."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from damagediff import resample
from damagediff.types import Window

MATRIX = np.array([[1.01, 0.07, -3.3], [-0.06, 0.98, 5.7]])


def file_from_grid(rc):
    return rc @ MATRIX[:, :2].T + MATRIX[:, 2]


def sample(image, window, mapping=file_from_grid, reduction=1, exact=False):
    """One band of `image` sampled on a window of the grid."""
    at = resample.positions(mapping(resample.nodes(window)), window)
    needed = resample.source_window(mapping(resample.nodes(window)), image.shape, reduction)
    spans = list(zip(needed[:2], needed[2:], image.shape, strict=True))
    rows, cols = (resample.mirrored(first, n, size) for first, n, size in spans)
    inside = [
        (np.arange(first, first + n) >= 0) & (np.arange(first, first + n) < size) for first, n, size in spans
    ]
    data = image[np.ix_(rows, cols)][None].astype(np.float32)
    return resample.pull(data, np.outer(*inside), needed, at, reduction, exact)


@pytest.fixture(scope="module")
def image():
    rng = np.random.default_rng(5)
    rows, cols = np.mgrid[:300, :260]
    return (100 + 60 * np.sin(rows / 11) * np.cos(cols / 7) + rng.normal(0, 2, rows.shape)).astype(np.float32)


def test_positions_follow_the_map_to_a_512th():
    window = Window(32, 48, 70, 45)
    at = resample.positions(file_from_grid(resample.nodes(window)), window)
    rows, cols = np.meshgrid(np.arange(32, 102), np.arange(48, 93), indexing="ij")
    assert np.abs(at - file_from_grid(np.stack([rows, cols], -1))).max() <= 0.5 / 512 + 1e-9


@given(st.integers(0, 200), st.integers(0, 160), st.integers(1, 60), st.integers(1, 60))
@hypothesis_settings(max_examples=60, deadline=None)
def test_any_window_has_the_pixels_of_the_whole(image, row, col, rows, cols):
    window = Window(row, col, min(rows, 260 - row), min(cols, 220 - col))
    whole, whole_valid = sample(image, Window(0, 0, 260, 220))
    part, part_valid = sample(image, window)
    assert np.array_equal(part, whole[(slice(None), *window.slices)])
    assert np.array_equal(part_valid, whole_valid[window.slices])


@pytest.mark.parametrize("reduction", [2, 3])
def test_tiles_of_a_finer_image_have_the_pixels_of_the_whole(image, reduction):
    def mapping(rc):
        return file_from_grid(rc) * reduction

    whole, valid = sample(image, Window(0, 0, 70, 60), mapping, reduction)
    part, part_valid = sample(image, Window(16, 32, 40, 28), mapping, reduction)
    assert np.array_equal(part, whole[:, 16:56, 32:60])
    assert np.array_equal(part_valid, valid[16:56, 32:60])


def test_coordinates_come_out_where_they_went_in():
    """An image whose values are its own column or row shows a flip, a swap or half a pixel as a number."""
    rows, cols = np.mgrid[:300, :260].astype(np.float32)
    window = Window(16, 16, 100, 90)
    here = np.stack(np.meshgrid(np.arange(16, 116), np.arange(16, 106), indexing="ij"), -1)
    truth = file_from_grid(here)
    for axis, values in enumerate((rows, cols)):
        pulled, valid = sample(values, window)
        assert valid.all()
        assert np.abs(pulled[0] - truth[..., axis]).max() < 0.06  # OpenCV's cubic kernel bends a ramp by .05


def test_block_means_have_their_centre_where_it_belongs():
    rows, _ = np.mgrid[:300, :260].astype(np.float32)
    pulled, valid = sample(rows, Window(0, 0, 100, 80), lambda rc: rc * 2 + 10.5, reduction=2)
    assert np.abs(pulled[0, :, 0] - (np.arange(100) * 2 + 10.5)).max() < 0.01 and valid.all()


def test_whole_pixels_are_passed_on_untouched(image):
    pulled, valid = sample(image, Window(0, 0, 300, 260), lambda rc: rc, exact=True)
    assert np.array_equal(pulled[0], image) and valid.all()


def test_what_touches_an_invalid_pixel_is_invalid(image):
    window = Window(0, 0, 64, 64)
    at = resample.positions(resample.nodes(window) + [0.5, 0.5], window)
    valid = np.ones((80, 80), bool)
    valid[30, 30] = False
    _, inside = resample.pull(image[None, :80, :80], valid, Window(0, 0, 80, 80), at, 1, False)
    assert not inside[28:32, 28:32].any()
    assert inside[20:26, 20:26].all() and inside[35:60, 35:60].all()


@pytest.mark.parametrize("window", [Window(0, 0, 80, 96), Window(-21, 37, 83, 117), Window(5, 16, 17, 200)])
def test_the_quick_way_gives_the_same_positions_and_nearly_the_same_pixels(image, window):
    node_rc = file_from_grid(resample.nodes(window))
    at = resample.positions(node_rc, window)
    assert np.abs(resample.quick_positions(node_rc, window)[..., ::-1] - at).max() < 2 / resample.STEPS
    valid = np.ones(image.shape, bool)
    valid[40:50, 60:80] = False
    origin = Window(0, 0, *image.shape)
    pulled, inside = resample.pull(image[None], valid, origin, at, 1, exact=False)
    quick, quick_inside = resample.pull_quickly(image, valid, node_rc, window)
    both = inside & quick_inside
    assert both.mean() > 0.3 and (inside != quick_inside).mean() < 0.01
    assert np.abs(quick - pulled[0])[both].mean() < 0.01 * np.ptp(image)


def test_nothing_is_read_when_all_lies_outside():
    window = Window(0, 0, 16, 16)
    at = resample.positions(resample.nodes(window) + 5000, window)
    assert resample.source_window(at, (300, 260), 1) is None
    assert resample.source_window(np.full((2, 2, 2), np.inf), (300, 260), 1) is None


@given(st.integers(-40, 40), st.integers(1, 60), st.integers(1, 12))
def test_mirroring_is_numpys_reflection(first, count, length):
    expected = np.pad(np.arange(length), (200, 200), mode="reflect" if length > 1 else "edge")
    found = resample.mirrored(first, count, length)
    assert np.array_equal(found, expected[200 + first : 200 + first + count])
