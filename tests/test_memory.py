"""Threads and tiles are chosen so that a run stays below what the user allows, or it is refused at once."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from damagediff import memory
from damagediff.errors import SettingsError
from damagediff.settings import Settings

SIDES = st.integers(64, 40_000)


@given(SIDES, SIDES, st.integers(1, 4), st.integers(64, 100_000))
def test_what_is_chosen_fits_and_nothing_faster_would(rows: int, cols: int, bands: int, limit: int) -> None:
    asked = Settings(workers=4, max_memory_mib=limit)
    try:
        chosen = memory.fitted(asked, (rows, cols), bands)
    except SettingsError:
        assert memory.needed_mib((rows, cols), bands, 1, memory.LEAST_TILE_PX) > limit
        return
    assert replace(chosen, workers=4, tile_px=asked.tile_px) == asked
    assert memory.needed_mib((rows, cols), bands, chosen.workers, chosen.tile_px) <= limit
    if chosen.workers < 4:
        more = memory.needed_mib((rows, cols), bands, chosen.workers + 1, memory.LEAST_TILE_PX)
        assert more > limit


def test_without_a_limit_nothing_changes() -> None:
    assert memory.fitted(Settings(), (50_000, 50_000), 3) == Settings()


def test_a_limit_that_cannot_be_kept_says_what_is_needed() -> None:
    with pytest.raises(SettingsError, match=r"8,000 x 9,000 px take about [\d,]+ MiB"):
        memory.fitted(Settings(max_memory_mib=64), (8000, 9000), 3)
