"""From counts of ordinary change to intervals, rates and chances: against simulation and closed forms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scenes
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from damagediff import false_alarms, summary_ordinary, wording
from damagediff.ordinary import Null, Ordinary
from damagediff.types import Grid

LEVELS = (0.05, 0.5, 0.95)
counts = st.integers(0, 200)
masses = st.lists(st.floats(1, 1e5), max_size=30)


def test_without_doubt_of_the_ratio_the_prediction_is_negative_binomial(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(false_alarms, "SPREAD", 0.0)
    for count in (0, 3, 40):
        for times in (0.2, 1.0, 7.5):
            exact = scipy.stats.nbinom.ppf(LEVELS, count + 0.5, 1 / (1 + times)).astype(int)
            assert false_alarms.predicted(count, times, LEVELS) == exact.tolist()


def test_the_interval_holds_nine_tenths_of_what_the_model_draws() -> None:
    rng = np.random.default_rng(5)
    rates = rng.uniform(0.5, 12, 1500)
    counted = rng.poisson(rates)
    truth = rng.poisson(rates * np.exp(rng.normal(0, false_alarms.SPREAD, len(rates))) * 2.0)
    ends = {n: false_alarms.predicted(n, 2.0, LEVELS) for n in set(counted.tolist())}
    held = np.mean([ends[n][0] <= t <= ends[n][2] for n, t in zip(counted.tolist(), truth, strict=True)])
    assert 0.88 <= held <= 0.96


@given(counts, st.floats(0.01, 50))
def test_predictions_are_in_order_and_grow(count: int, times: float) -> None:
    low, middle, high = false_alarms.predicted(count, times, LEVELS)
    assert 0 <= low <= middle <= high
    assert false_alarms.predicted(count + 1, times, LEVELS)[2] >= high
    assert false_alarms.predicted(count, 2 * times, LEVELS)[2] >= high


def test_nothing_is_predicted_for_no_area() -> None:
    assert false_alarms.predicted(9, 0.0, LEVELS) == [0, 0, 0]


def test_what_was_counted_in_stable_places_is_known_and_the_rest_predicted() -> None:
    everywhere = false_alarms.null("stable", [9.0, 4.0], [1000], 1000)
    assert (everywhere.expected, everywhere.interval) == (2, (2, 2))
    half = false_alarms.null("stable", [9.0, 4.0], [500], 1000)
    low, middle, high = false_alarms.predicted(2, 1.0, LEVELS)
    assert (half.expected, half.interval) == (2 + middle, (2 + low, 2 + high))


def test_baselines_of_one_place_do_not_add_up_to_evidence() -> None:
    once = false_alarms.null("baselines", [9.0, 4.0], [1000], 1000)
    twice = false_alarms.null("baselines", [9.0, 4.0, 9.0, 4.0], [1000, 1000], 1000)
    assert (twice.expected, twice.interval) == (once.expected, once.interval)
    assert (twice.regions, twice.counted_px) == (4, 2000)


# ---- the chance of each region ----------------------------------------------------------------------


@given(masses, masses, st.floats(0.05, 20))
def test_chances_are_chances_and_smaller_regions_have_no_smaller_one(
    found: list[float], ordinary: list[float], times: float
) -> None:
    told = np.array(false_alarms.chances(found, ordinary, times))
    assert told.shape == (len(found),)
    assert ((told > 0) & (told <= false_alarms.MAX_CHANCE)).all()
    assert (np.diff(told[np.argsort(-np.array(found), kind="stable")]) >= -1e-12).all()


def test_chances_add_up_to_what_is_expected() -> None:
    rng = np.random.default_rng(3)
    ordinary = rng.lognormal(6, 1, 20)
    found = [*rng.lognormal(6, 1, 20), *rng.lognormal(9, 1, 80)]
    told = false_alarms.chances(found, ordinary.tolist(), 1.0)
    assert 14 <= sum(told) <= 21  # no region is held for certainly ordinary, which takes some away
    assert sum(false_alarms.chances(rng.lognormal(6, 1, 200).tolist(), ordinary.tolist(), 1.0)) > 19
    assert np.mean(told[:20]) > 0.4 > 0.2 > np.mean(told[20:])


def test_regions_like_the_ordinary_ones_are_hardly_told_from_them() -> None:
    ordinary = np.random.default_rng(4).lognormal(6, 1, 40).tolist()
    assert min(false_alarms.chances(ordinary, ordinary, 1.0)) > 0.5
    assert max(false_alarms.chances([1e6, 2e6], ordinary, 1.0)) < 0.5


def test_only_the_tier_counted_gets_a_chance() -> None:
    null = false_alarms.null("reversed", [500.0], [10**6], 10**6)
    found = scenes.regions((320, 480), 12, None)
    told = false_alarms.with_chances(found, Ordinary("structural", 1, 10**6, (null,), ""))
    assert all((region.ordinary_chance is not None) == (region.tier == "structural") for region in told)
    assert [replace(region, ordinary_chance=None) for region in told] == list(found)
    assert false_alarms.with_chances(found, Ordinary()) == found


# ---- rates and words --------------------------------------------------------------------------------


def ordinary(regions: int, listed: int, px: int = 2_000_000) -> Ordinary:
    null = false_alarms.null("reversed", [100.0] * regions, [px], px)
    return Ordinary("structural", listed, px, (null,), "")


def test_rates_are_those_counted_in_both_units() -> None:
    trust = false_alarms.with_rates(scenes.trust(True), ordinary(4, 9), Grid((10, 10), gsd_m=0.5))
    low, high = trust.ordinary.nulls[0].interval
    assert trust.false_alarms_per_megapixel == 2.0
    assert trust.false_alarms_per_megapixel_interval == (low / 2, high / 2)
    assert trust.false_alarms_per_km2 == 8.0
    assert trust.false_alarms_per_km2_interval == (2 * low, 2 * high)
    plain = false_alarms.with_rates(scenes.trust(True), ordinary(4, 9), Grid((10, 10)))
    assert plain.false_alarms_per_km2 is None and plain.false_alarms_per_km2_interval is None


def test_the_headline_is_the_best_source_and_never_the_displacement() -> None:
    nulls = {
        name: Null(name, 1, 10, 1, (0, 3))
        for name in ("displaced", "reversed", "stable", "baselines")  # type: ignore[arg-type]
    }
    for names, best in (
        (("displaced", "reversed", "stable", "baselines"), "baselines"),
        (("displaced", "reversed", "stable"), "stable"),
        (("displaced", "reversed"), "reversed"),
    ):
        chosen = Ordinary("structural", 1, 10, tuple(nulls[name] for name in names), "").headline
        assert chosen is not None and chosen.name == best
    assert Ordinary("structural", 1, 10, (nulls["displaced"],), "").headline is None


@pytest.mark.parametrize(
    ("counted", "listed", "words"),
    [
        (3, 9, "About 3 (0 to 9) of the 9 regions of visible change may be ordinary change."),
        (20, 9, "Between 7 and all of the 9 regions of visible change may be ordinary change."),
        (60, 9, "All of the 9 regions of visible change may be ordinary change."),
        (0, 0, "Ordinary change alone gives about 0 (0 to 3) regions of visible change in an area"),
        (0, 1, "The one region of visible change may or may not be ordinary change, which alone gives"),
    ],
)
def test_the_number_in_words_never_exceeds_what_is_listed(counted: int, listed: int, words: str) -> None:
    assert summary_ordinary.brief(ordinary(counted, listed)).startswith(words)


def test_what_was_not_measured_is_said() -> None:
    off = Ordinary("structural", 3, 10, (), wording.SWITCHED_OFF)
    assert "--no-selftest" in summary_ordinary.sentence(off)
    assert summary_ordinary.chance(None) == "–" and summary_ordinary.chance_words(None) is None
    assert [summary_ordinary.chance(x) for x in (0.01, 0.12, 0.95)] == [
        "under 5 %",
        "about 10 %",
        "over 90 %",
    ]
