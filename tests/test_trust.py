"""The checks of a pair and the verdict they give."""

import dataclasses
from datetime import UTC, datetime

import numpy as np
import pytest
import scenes
from affine import Affine

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
    disagreeing = tuple(
        "rejected" if held else role for role, held in zip(points.role, points.held_out, strict=True)
    )
    bad = dataclasses.replace(points, role=disagreeing)
    found, checks = judged(comparison, alignment={"tie_points": bad})
    assert checks["held-out agreement"].measured == 0 and found.verdict == "comparable with reservations"


@pytest.mark.parametrize(("agreeing", "passed"), [(7, False), (8, True)])
def test_few_check_points_are_a_reservation_though_all_agree(comparison, agreeing, passed):
    count = len(comparison.alignment.tie_points)
    held = np.arange(count) < agreeing
    few = dataclasses.replace(
        comparison.alignment.tie_points,
        role=tuple("check" if one else "fit" for one in held),
        held_out=held,
    )
    found, checks = judged(comparison, alignment={"tie_points": few})
    assert checks["number of check points"].measured == agreeing
    assert checks["number of check points"].passed is passed and checks["held-out agreement"].passed
    assert found.verdict == ("comparable" if passed else "comparable with reservations")


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
        (("2020-10-04T07:52:30", "second"), ("2020-10-04T07:52", "minute"), None),
        (("2020-10-04T07:52:30", "second"), ("2020-10-04T07:52:31", "second"), True),
        (("2020-10-05T07:52", "minute"), ("2020-10-04", "day"), False),
    ],
)
def test_dates_are_compared_no_finer_than_they_are_known(comparison, before, after, passed):
    first, second = dated(comparison.pair.before, *before), dated(comparison.pair.after, *after)
    checks = judged(comparison, pair={"before": first, "after": second})[1]
    assert checks["dates"].passed is passed
    swapped = "dated later" in wording.bracket(first.acquisition, second.acquisition)
    assert swapped is (passed is False)
    unknown = "order not known" in wording.bracket(first.acquisition, second.acquisition)
    assert unknown is (passed is None)


def test_resolution_is_read_from_the_alignment_where_there_is_no_georeference(comparison):
    matrix = np.diag([0.25, 0.25, 1.0])
    plain = {"moving_is_file": True}
    found, checks = judged(comparison, pair=plain, alignment={"moving_from_reference": matrix})
    assert checks["resolution"].measured == pytest.approx(4) and checks["resolution"].passed is False
    assert found.verdict == "comparable with reservations"


def test_resolution_is_read_from_georeferences_in_different_systems(comparison):
    metre = 1 / 111_320  # degrees of latitude; a pixel of 2 m, against 0.5 m before
    wide = 2 * metre / np.cos(np.radians(40.7))
    coarse = dataclasses.replace(
        comparison.pair.after, crs="EPSG:4326", transform=Affine(wide, 0, 47.1, 0, -2 * metre, 40.7)
    )
    checks = judged(comparison, pair={"after": coarse})[1]
    assert checks["resolution"].measured == pytest.approx(4, rel=0.02)


def test_resolution_is_not_known_without_georeference_and_alignment(comparison):
    checks = judged(comparison, pair={"moving_is_file": True}, alignment={"accepted": False})[1]
    assert checks["resolution"].passed is None and checks["number of check points"].passed is None


def test_a_refusal_for_another_reason_than_the_evidence_says_so(comparison):
    check = judged(comparison, alignment={"accepted": False})[1]["alignment"]
    assert check.passed is False and "another reason" in check.measured


def test_pictures_of_a_refused_pair_keep_their_own_frames_and_contrast():
    before = np.full((1, 60, 80), 100, np.uint8), np.ones((60, 80), bool)
    after = np.tile(np.arange(40, dtype=np.uint8), (1, 20, 1)), np.ones((20, 40), bool)
    after[1][:, :5] = False
    drawn = pictures.apart(before, after, (1, 3), (0, 0, 0))
    assert drawn.before.shape == (60, 80, 3) and drawn.after.shape == (20, 40, 3)
    assert (drawn.reduction, drawn.after_reduction) == (1, 3)
    assert (drawn.after[:, :5] == pictures.NEUTRAL).all()
    assert (drawn.after[:, 5] < 10).all() and (drawn.after[:, 39] > 245).all()


def test_an_alignment_that_moves_with_its_tie_points_is_a_reservation(comparison):
    steady, _ = judged(comparison, alignment={"standard_error_px": 0.4})
    found, checks = judged(comparison, alignment={"standard_error_px": 1.3})
    assert steady.verdict == "comparable"
    assert found.verdict == "comparable with reservations" and checks["steadiness"].passed is False
