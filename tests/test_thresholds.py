"""Rules for the threshold against their definitions and scikit-image, and hysteresis against its meaning."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as some
from skimage import filters

from damagediff import thresholds

COUNTS = some.arrays(np.int64, thresholds.BINS, elements=st.integers(0, 10_000), fill=st.just(0)).filter(
    lambda counts: np.count_nonzero(counts) > 1
)


def two_groups(seed: int = 4) -> np.ndarray:
    """(N,) scores: most near .1, a tenth near .8."""
    rng = np.random.default_rng(seed)
    scores = np.concatenate([rng.normal(0.12, 0.04, 9_000), rng.normal(0.8, 0.06, 1_000)])
    return np.clip(scores, 0, 1).astype(np.float32)


def as_image(counts: np.ndarray) -> np.ndarray:
    """Whole numbers with this histogram."""
    return np.repeat(np.arange(thresholds.BINS), counts)[None]


@pytest.mark.parametrize("rule", thresholds.RULES)
def test_every_rule_lies_between_two_groups(rule: str) -> None:
    found = thresholds.from_histogram(rule, two_groups())
    assert found is not None and 0.15 < found < 0.75


@pytest.mark.parametrize("rule", thresholds.RULES)
@given(counts=COUNTS)
@settings(max_examples=60, deadline=None)
def test_every_rule_leaves_something_below_and_has_its_words(rule: str, counts: np.ndarray) -> None:
    last = thresholds.RULES[rule](counts)
    assert np.flatnonzero(counts)[0] <= last < thresholds.BINS
    assert rule in thresholds.WORDS


@pytest.mark.parametrize("rule", ["otsu", "li", "kapur"])
@given(counts=COUNTS)
@settings(max_examples=60, deadline=None)
def test_rules_that_split_leave_something_on_both_sides(rule: str, counts: np.ndarray) -> None:
    last = thresholds.RULES[rule](counts)
    assert counts[: last + 1].sum() > 0 and counts[last + 1 :].sum() > 0


@pytest.mark.parametrize("rule", thresholds.RULES)
def test_order_and_parts_do_not_matter(rule: str) -> None:
    scores = two_groups()
    shuffled = np.random.default_rng(1).permutation(scores)
    whole = thresholds.histogram(scores)
    np.testing.assert_array_equal(whole, sum(thresholds.histogram(p) for p in np.split(shuffled, 8)))
    assert thresholds.from_histogram(rule, scores) == thresholds.from_histogram(rule, shuffled)


@pytest.mark.parametrize("seed", range(4))
def test_otsu_and_triangle_are_those_of_scikit_image(seed: int) -> None:
    counts = thresholds.histogram(two_groups(seed))
    image = as_image(counts)
    assert thresholds.otsu(counts) == filters.threshold_otsu(image)
    first, last = np.flatnonzero(counts)[[0, -1]]
    theirs = filters.threshold_triangle(image, nbins=int(last - first + 1))
    assert abs(thresholds.triangle(counts) - theirs) <= 1.5


@pytest.mark.parametrize("seed", range(4))
def test_li_has_no_more_cross_entropy_than_that_of_scikit_image(seed: int) -> None:
    scores = two_groups(seed)
    counts = thresholds.histogram(scores)
    steps = (np.floor(scores * thresholds.BINS).clip(0, thresholds.BINS - 1) + 0.5) / thresholds.BINS

    def cross_entropy(split: float) -> float:
        parts = steps[steps < split], steps[steps >= split]
        return -sum(part.sum() * np.log(part.mean()) for part in parts if len(part))

    ours = (thresholds.li(counts) + 1) / thresholds.BINS
    assert cross_entropy(ours) <= cross_entropy(filters.threshold_li(scores)) + 1e-6
    assert cross_entropy(ours) <= min(cross_entropy(k / 256) for k in range(1, 256)) + 1e-6


@given(counts=COUNTS)
@settings(max_examples=40, deadline=None)
def test_kapur_has_the_greatest_entropy_of_all_splits(counts: np.ndarray) -> None:
    def entropy(part: np.ndarray) -> float:
        share = part[part > 0] / part.sum()
        return float(-(share * np.log(share)).sum())

    every = [
        entropy(counts[:k]) + entropy(counts[k:])
        for k in range(1, thresholds.BINS)
        if counts[:k].any() and counts[k:].any()
    ]
    last = thresholds.kapur(counts)
    assert entropy(counts[: last + 1]) + entropy(counts[last + 1 :]) == pytest.approx(max(every), abs=1e-9)


def test_rosin_finds_the_corner_and_triangle_takes_the_longer_tail() -> None:
    counts = np.zeros(thresholds.BINS, np.int64)
    counts[20:40] = np.linspace(10_000, 100, 20)
    counts[40:200] = 100
    assert 38 <= thresholds.rosin(counts) <= 41
    assert abs(thresholds.triangle(counts) - thresholds.rosin(counts)) <= 1
    mirrored = counts[::-1].copy()
    assert thresholds.triangle(mirrored) == thresholds.BINS - 1 - thresholds.triangle(counts)
    assert thresholds.rosin(mirrored) >= np.argmax(mirrored)


@pytest.mark.parametrize("rule", thresholds.RULES)
@pytest.mark.parametrize("scores", [np.full(100, 0.3, np.float32), np.zeros(0, np.float32)])
def test_alike_scores_have_no_threshold(rule: str, scores: np.ndarray) -> None:
    assert thresholds.from_histogram(rule, scores) is None


def test_hysteresis_grows_regions_that_hold_a_core_and_no_others() -> None:
    score = np.zeros((9, 20), np.float32)
    score[2:7, 2:9], score[4, 5] = 0.4, 0.9
    score[2:7, 12:18] = 0.4
    valid = np.ones(score.shape, bool)
    valid[2:7, 2] = False
    plain = thresholds.above(score, valid, 0.5, 0.5)
    assert plain.sum() == 1 and plain[4, 5]
    grown = thresholds.above(score, valid, 0.5, 0.3)
    assert grown[2:7, 3:9].all() and grown.sum() == 30
    theirs = filters.apply_hysteresis_threshold(np.where(valid, score, 0), 0.3, 0.5)
    np.testing.assert_array_equal(grown, theirs)


@given(some.arrays(np.float32, (12, 14), elements=st.floats(0, 1, width=32)), st.floats(0.1, 1))
@settings(max_examples=50, deadline=None)
def test_a_lower_low_threshold_only_adds(score: np.ndarray, share: float) -> None:
    valid = np.ones(score.shape, bool)
    plain = thresholds.above(score, valid, 0.6, 0.6)
    grown = thresholds.above(score, valid, 0.6, 0.6 * share)
    assert (grown | ~plain).all() and not (grown & (score <= 0.6 * share)).any()
