"""The curve of shares found against size: what it must recover, and when it must say nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from damagediff import detection_fit

SIZES = (4, 8, 12, 16, 24, 32, 48, 64)


def share(size: float, at_90: float, slope: float) -> float:
    return float(1 / (1 + np.exp(-(np.log(9) + slope * np.log2(size / at_90)))))


@pytest.mark.parametrize("at_90", [14.0, 24.0, 40.0])
@pytest.mark.parametrize("slope", [2.5, 5.0])
def test_the_size_is_recovered_from_many(at_90: float, slope: float) -> None:
    found = [round(400 * share(s, at_90, slope)) for s in SIZES]
    fitted = detection_fit.fit(SIZES, [400] * len(SIZES), found)
    assert fitted.size_90_px == pytest.approx(at_90, rel=0.08)
    assert fitted.interval_px is not None and fitted.interval_px[1] is not None
    assert fitted.interval_px[0] < at_90 * 1.04 and fitted.interval_px[1] > at_90 / 1.04


def test_the_interval_holds_the_truth_about_nine_times_in_ten() -> None:
    rng = np.random.default_rng(4)
    held, tries = 0, 150
    for _ in range(tries):
        found = [int(rng.binomial(5, share(s, 26.0, 4.0))) for s in SIZES]
        span = detection_fit.fit(SIZES, [5] * len(SIZES), found).interval_px
        held += span is None or span[0] <= 26.0 <= (span[1] or np.inf)
    assert 0.82 <= held / tries <= 0.98


def test_a_clean_step_gives_a_finite_curve_between_the_two_sizes() -> None:
    fitted = detection_fit.fit(SIZES, [6] * 8, [0, 0, 0, 0, 6, 6, 6, 6])
    assert fitted.size_90_px is not None and 16 < fitted.size_90_px < 32
    assert np.isfinite(np.array(fitted.curve)).all()


def test_what_is_never_found_has_no_size_and_says_why() -> None:
    fitted = detection_fit.fit(SIZES, [5] * 8, [0] * 8)
    assert fitted.size_90_px is None and fitted.interval_px is None
    assert "even of the largest, 64 px, 0 of 5 were found" in fitted.reason


def test_too_few_have_no_size_and_no_curve() -> None:
    fitted = detection_fit.fit((16, 32), (5, 6), (5, 6))
    assert fitted.size_90_px is None and not fitted.curve
    assert "only 11 could be planted, at least 12" in fitted.reason


def test_more_of_the_same_narrow_the_interval() -> None:
    spans = []
    for times in (1, 10):
        span = detection_fit.fit(
            SIZES, [4 * times] * 8, [0, 0, 0, times, 3 * times, 4 * times] + [4 * times] * 2
        )
        assert span.interval_px is not None and span.interval_px[1] is not None
        spans.append(span.interval_px[1] / span.interval_px[0])
    assert spans[1] < 0.7 * spans[0]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(2, 8), st.integers(0, 8)), min_size=8, max_size=8))
def test_the_curve_rises_and_lies_in_its_band(counts: list[tuple[int, int]]) -> None:
    planted = [n for n, _ in counts]
    found = [min(n, k) for n, k in counts]
    fitted = detection_fit.fit(SIZES, planted, found)
    size, middle, low, high = np.array(fitted.curve).T
    assert (np.diff(middle) >= 0).all() and (np.diff(size) > 0).all()
    assert (low <= middle + 1e-12).all() and (middle <= high + 1e-12).all()
    if fitted.size_90_px is not None:
        assert fitted.interval_px is not None and fitted.size_90_px <= 64.5
        assert fitted.interval_px[0] <= fitted.size_90_px <= (fitted.interval_px[1] or np.inf)
