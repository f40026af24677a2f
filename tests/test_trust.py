"""The checks of a pair and the verdict they give."""

import dataclasses
from datetime import UTC, datetime

import numpy as np
import pytest
import scenes

from damagediff import pictures, trust, types, wording


@pytest.fixture(scope="module")
def comparison():
    return scenes.comparison()


def judged(comparison, **changes):
    """The checks by name, with parts of the alignment or pair replaced."""
    alignment = dataclasses.replace(comparison.alignment, **changes.get("alignment", {}))
    pair = dataclasses.replace(comparison.pair, **changes.get("pair", {}))
    change = changes.get("change", comparison.change)
    found = trust.judge(pair, alignment, change, changes.get("share", 0.9), 0.08)
    return found, {check.name: check for check in found.checks}


def test_a_good_pair_is_comparable(comparison):
    assert judged(comparison)[0].verdict == "comparable"


def test_a_refused_alignment_decides(comparison):
    found, checks = judged(comparison, alignment={"accepted": False})
    assert found.verdict == "not comparable" and checks["alignment"].passed is False


def test_too_little_resemblance_decides(comparison):
    low = dataclasses.replace(comparison.change, comparability=0.05)
    assert judged(comparison, change=low)[0].verdict == "not comparable"
    poor = dataclasses.replace(comparison.change, comparability=0.12)
    assert judged(comparison, change=poor)[0].verdict == "comparable with reservations"


def test_few_or_disagreeing_held_out_points_are_a_reservation(comparison):
    points = comparison.alignment.tie_points
    disagreeing = tuple("rejected" if held else role for role, held in zip(points.role, points.held_out, strict=True))
    bad = dataclasses.replace(points, role=disagreeing)
    found, checks = judged(comparison, alignment={"tie_points": bad})
    assert checks["held-out agreement"].measured == 0 and found.verdict == "comparable with reservations"


def dated(image, text, precision):
    when = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return dataclasses.replace(image, acquisition=types.Acquisition(when, precision, "command line"))


@pytest.mark.parametrize(
    ("before", "after", "passed"),
    [
        (("2020-10-04", "day"), ("2020-10-13", "day"), True),
        (("2020-10-13", "day"), ("2020-10-04", "day"), False),
        (("2020-10-04T07:52", "minute"), ("2020-10-04", "day"), None),
        (("2020-10-04T07:52", "minute"), ("2020-10-04T07:50", "minute"), False),
    ],
)
def test_dates_are_compared_no_finer_than_they_are_known(comparison, before, after, passed):
    first, second = dated(comparison.pair.before, *before), dated(comparison.pair.after, *after)
    checks = judged(comparison, pair={"before": first, "after": second})[1]
    assert checks["dates"].passed is passed
    swapped = "dated later" in wording.bracket(first.acquisition, second.acquisition)
    assert swapped is (passed is False)


def test_resolution_is_read_from_the_alignment_where_there_is_no_georeference(comparison):
    matrix = np.diag([0.25, 0.25, 1.0])
    plain = {"moving_is_file": True}
    found, checks = judged(comparison, pair=plain, alignment={"moving_from_reference": matrix})
    assert checks["resolution"].measured == pytest.approx(4) and checks["resolution"].passed is False
    assert found.verdict == "comparable with reservations"


def test_pictures_of_a_refused_pair_keep_their_proportions():
    before = np.full((1, 60, 80), 100, np.uint8), np.ones((60, 80), bool)
    after = np.tile(np.arange(40, dtype=np.uint8), (1, 20, 1)), np.ones((20, 40), bool)
    after[1][:, :5] = False
    drawn = pictures.apart(before, after, 1, (0, 0, 0))
    assert drawn.before.shape == drawn.after.shape == (60, 80, 3)
    assert (drawn.after[:10] == pictures.NEUTRAL).all() and (drawn.after[50:] == pictures.NEUTRAL).all()
    assert (drawn.after[10:50, :10] == pictures.NEUTRAL).all() and drawn.after[30, 79, 0] > 200
