"""Tiles cover everything once, and work comes back in order without piling up."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from damagediff import tiles
from damagediff.types import Window


@settings(deadline=None, derandomize=True)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 100))
def test_a_plan_covers_each_pixel_once(rows: int, cols: int, tile_px: int) -> None:
    seen = np.zeros((rows, cols), int)
    plan = tiles.plan((rows, cols), tile_px)
    for window in plan:
        assert 1 <= window.rows <= tile_px and 1 <= window.cols <= tile_px
        seen[window.slices] += 1
    assert (seen == 1).all()
    assert list(plan) == sorted(plan, key=lambda w: (w.row, w.col))


def test_a_small_image_is_one_tile() -> None:
    assert tiles.plan((40, 30), 64) == (Window(0, 0, 40, 30),)
    assert tiles.plan((0, 30), 64) == ()


def test_a_padded_window_grows_on_every_side() -> None:
    assert Window(64, 0, 10, 20).padded(3) == Window(61, -3, 16, 26)


def test_map_ordered_keeps_the_order_whatever_finishes_first() -> None:
    later = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            later.wait(10)
        elif item == 1:
            later.set()
        return item * item

    with ThreadPoolExecutor(2) as executor:
        assert list(tiles.map_ordered(work, range(20), executor, ahead=3)) == [n * n for n in range(20)]


class CountingExecutor(ThreadPoolExecutor):
    """Knows how many jobs it was given."""

    submitted = 0

    def submit(self, *args, **kwargs) -> Future:  # type: ignore[no-untyped-def,type-arg]
        self.submitted += 1
        return super().submit(*args, **kwargs)


@pytest.mark.parametrize("ahead", [1, 2, 5])
def test_map_ordered_bounds_what_waits(ahead: int) -> None:
    with CountingExecutor(1) as executor:
        taken = 0
        for taken, _ in enumerate(tiles.map_ordered(abs, range(12), executor, ahead), start=1):
            assert executor.submitted <= taken + ahead
        assert taken == executor.submitted == 12


def test_map_ordered_loses_nothing_when_nothing_may_wait() -> None:
    with ThreadPoolExecutor(1) as executor:
        assert list(tiles.map_ordered(abs, range(4), executor, ahead=0)) == [0, 1, 2, 3]


def test_map_ordered_begins_nothing_more_after_a_failure() -> None:
    begun = []
    failed = threading.Event()

    def work(item: int) -> int:
        begun.append(item)
        if item == 1:
            raise ValueError("tile 1")
        if item == 2:
            failed.wait(10)
        return item

    with ThreadPoolExecutor(1) as executor:
        results = tiles.map_ordered(work, range(50), executor, ahead=8)
        assert next(results) == 0
        with pytest.raises(ValueError, match="tile 1"):
            next(results)
        failed.set()
    assert len(begun) < 10


def test_no_workers_asked_for_means_one_for_each_core() -> None:
    with tiles.pool(0) as executor:
        assert executor._max_workers == tiles.available_cores() >= 1
    with tiles.pool(3) as executor:
        assert executor._max_workers == 3
