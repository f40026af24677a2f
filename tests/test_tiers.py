"""The pair's own unchanged structure, and the threshold that a stated share of it exceeds."""

from __future__ import annotations

from dataclasses import replace

import grounds
import numpy as np
import pytest

from damagediff import cells, diff, tiers, types
from damagediff.errors import SettingsError
from damagediff.settings import Settings, from_dict

RUIN = np.s_[200:330, 200:330]
"""In pixels of the scene."""
GRID = types.Grid((grounds.SIZE, grounds.SIZE))


@pytest.fixture(scope="module")
def pair() -> tuple[diff.Measures, diff.Calibration]:
    """A town seen twice, the second time with more noise to the right, of which a block is rubble."""
    rng = np.random.default_rng(8)
    before = grounds.town()
    noise = rng.normal(0, 1, before.shape) * np.linspace(0, 35, before.shape[2])
    after = before + noise
    rows, cols = (slice(s.start + grounds.HALO, s.stop + grounds.HALO) for s in RUIN)
    rough = np.kron(rng.normal(0, 40, (65, 65)), np.ones((2, 2)))
    after[:, rows, cols] = 120 + rough
    after = np.clip(after, 0, 255).astype(np.uint8)
    side = 136
    apart = [
        (np.s_[:, r : r + side, c : c + side], np.s_[:, r + 44 : r + 44 + side, c + 28 : c + 28 + side])
        for r in (0, 150, 300)
        for c in (0, 300)
    ]
    valid = np.ones((side, side), bool)
    ceiling = [diff.measure(before[a], after[b], valid, grounds.RGB) for a, b in apart]
    measures = grounds.measured(before, after)
    return measures, diff.calibrate(measures, ceiling)


def with_share(share: float) -> Settings:
    return from_dict({"diff": {"threshold": "far", "false_alarm_share": share}})


def test_the_ruin_is_no_part_of_the_null(pair) -> None:
    measures, scale = pair
    smooth = cells.smooth(diff.score(*pair), measures.valid, tiers.SMOOTH_CELLS)
    quiet = tiers.quiet(measures, smooth, 0.5, 12)
    assert quiet.mean() > 0.3 and not quiet[52:80, 52:80].any()


@pytest.mark.parametrize("share", [0.01, 0.05, 0.1, 0.3])
def test_the_stated_share_of_unchanged_structure_lies_above(pair, share: float) -> None:
    measures, scale = pair
    change = diff.change_map(measures, scale, GRID, with_share(share))
    low, high = diff.FALSE_ALARM_THRESHOLDS
    smooth = cells.smooth(diff.score(*pair), measures.valid, tiers.SMOOTH_CELLS)
    start = diff.automatic_threshold(smooth[measures.valid])
    least = -(-diff.min_region_px(GRID, Settings()) // diff.CELL**2)
    above = (smooth[tiers.quiet(measures, smooth, start, least)] > change.threshold).mean()
    assert low <= change.threshold <= high
    assert above <= share + 1e-3 and (change.threshold == low or above == pytest.approx(share, abs=2e-3))
    assert f"what {share:.3g} of the pair's own" in change.threshold_rule


def test_the_ruin_is_found_by_that_threshold(pair) -> None:
    change = diff.change_map(*pair, GRID, with_share(0.03))
    assert (change.changed[54:78, 54:78] == types.STRUCTURAL_CHANGE).mean() > 0.5
    assert not (change.changed[:, :40] == types.STRUCTURAL_CHANGE).any()  # where there is less noise


def test_too_little_structure_falls_back_and_says_so(pair) -> None:
    measures, scale = pair
    valid = np.zeros_like(measures.valid)
    valid[:8, :8] = True
    change = diff.change_map(replace(measures, valid=valid), scale, GRID, with_share(0.03))
    assert change.threshold_rule.startswith("automatic: too little unchanged structure")


@pytest.mark.parametrize("share", [0.0, 0.7])
def test_a_share_that_means_nothing_is_refused(share: float) -> None:
    with pytest.raises(SettingsError, match="false_alarm_share"):
        with_share(share)
