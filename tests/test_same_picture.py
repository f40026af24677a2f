"""Copies of one picture are told from two acquisitions, and a part held twice from a picture without one."""

import dataclasses
from datetime import UTC, datetime

import cv2
import numpy as np
import pytest
import scenes
from hypothesis import given
from hypothesis import strategies as st

from damagediff import (
    card,
    copies,
    notes,
    pipeline,
    repeated,
    same_picture,
    same_windows,
    summary,
    synthetic,
    trust,
    types,
)
from damagediff.outcome import Repeated, SamePicture
from damagediff.settings import Settings

SHAPE = (240, 300)


def place(seed=1, shape=SHAPE):
    """Grey ground of all sizes, with the noise of one exposure."""
    rng = np.random.default_rng(seed)
    return exposed(synthetic.textured(rng, shape) * 0.6 + 50, rng)


def exposed(grey, rng):
    return np.clip(np.rint(grey + rng.normal(0, 2, grey.shape)), 1, 254).astype(np.float32)


def jpeg(grey, quality):
    """As a JPEG of this quality would give it back: the quantised cosines of 8 x 8 px blocks."""
    step = 50 / quality if quality < 50 else 2 - quality / 50
    table = np.maximum(1, np.maximum(10, 6 * np.add.outer(np.arange(8), np.arange(8))) * step)
    made = grey.copy()
    for row in range(0, grey.shape[0] - 7, 8):
        for col in range(0, grey.shape[1] - 7, 8):
            block = cv2.dct(grey[row : row + 8, col : col + 8] - 128)
            made[row : row + 8, col : col + 8] = cv2.idct(np.rint(block / table) * table) + 128
    return np.clip(np.rint(made), 0, 255).astype(np.float32)


def patched(grey):
    made = grey.copy()
    made[40:130, 90:210] = place(77)[:90, :120]
    return made


EDITS = {
    "nothing": lambda grey: grey,
    "quality 90": lambda grey: jpeg(grey, 90),
    "quality 30": lambda grey: jpeg(grey, 30),
    "darker": lambda grey: np.rint(grey * 0.8 + 10),
    "gamma": lambda grey: np.rint(255 * (grey / 255) ** 1.2),
    "shaded": lambda grey: grey + np.linspace(-15, 15, grey.shape[1], dtype=np.float32),
    "patched": patched,
    "patched, darker, quality 50": lambda grey: jpeg(patched(grey) * 0.85, 50),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_copy_is_one_picture(edit):
    grey = place()
    found = same_windows.compare(grey, EDITS[edit](grey).astype(np.float32))
    assert found.whole, found.share


@pytest.mark.parametrize("levels", [3.0, 6.0])
def test_two_exposures_of_one_unchanged_place_are_two_pictures(levels):
    rng = np.random.default_rng(5)
    ground = synthetic.textured(rng, SHAPE) * 0.6 + 50
    second = exposed(ground * 0.95 + 4 + scenes.ripples(SHAPE, rng, levels), rng)
    found = same_windows.compare(exposed(ground, rng), second)
    assert found.windows >= 60 and found.share < same_windows.PART


def test_two_places_are_two_pictures():
    found = same_windows.compare(place(1), place(2))
    assert found.windows == 49 and found.count == 0  # the first look is enough


@given(st.integers(-40, 40), st.integers(-40, 40))
def test_a_crop_is_found_where_it_was_cut(row, col):
    whole = place(3, (300, 360))
    first, second = whole[40:240, 40:300], whole[40 + row : 240 + row, 40 + col : 300 + col]
    valid = (np.ones(first.shape, bool),) * 2
    assert repeated.offset(first, second, valid) == (-row, -col)


def test_what_is_the_same_in_menus_and_margins_is_no_picture():
    screen = np.full(SHAPE, 230, np.float32)
    for row in range(12, SHAPE[0] - 20, 40):
        screen[row : row + 6, 20:-20:7] = 20
    assert same_windows.compare(screen, screen.copy()).share is None


def test_an_invalid_or_tiny_picture_is_not_asked():
    grey = place()
    nothing = np.zeros(SHAPE, bool)
    assert same_windows.compare(grey, grey, valid=(nothing, nothing)).share is None
    assert same_windows.plan((40, 400)) == ()


def test_half_a_picture_repeated_is_found():
    grey = place(4)
    grey[:, 150:] = grey[:, :150]
    found = repeated.find(grey, np.ones(SHAPE, bool), "after", 2)
    assert found is not None and found.share > 0.3 and found.mirrored is None
    assert tuple(abs(x) for x in found.shift_rc) == (0, 300)  # px of the file, twice as fine


@pytest.mark.parametrize(("axis", "how"), [(1, "left to right"), (0, "top to bottom")])
def test_a_mirrored_half_is_found(axis, how):
    grey = place(4)
    half = np.s_[:, 150:] if axis else np.s_[120:]
    grey[half] = np.flip(grey, axis)[half]
    found = repeated.find(grey, np.ones(SHAPE, bool), "before", 1)
    assert found is not None and found.mirrored == how


def test_houses_in_rows_repeat_nothing():
    rows = scenes.picture((360, 480)).mean(-1).astype(np.float32)
    assert repeated.find(rows, np.ones(rows.shape, bool), "before", 1) is None
    assert repeated.find(place(), np.ones(SHAPE, bool), "before", 1) is None


@pytest.fixture
def written(make_raster):
    """``written(name, grey)`` writes a plain grey picture and returns its source."""

    def write(name, grey):
        bands = np.clip(np.rint(grey), 0, 255).astype(np.uint8)[None]
        return types.Source(make_raster(name, bands))

    return write


def asked(before, after, workers=1):
    """What a run would answer, and the pair's comparison when it is refused or not."""
    with pipeline.open_scene(types.Case(before, after), Settings(workers=workers)) as scene:
        alignment, model = pipeline.registration.register(scene)
        scene = dataclasses.replace(scene, after=scene.after.aligned(model))
        same = copies.look(scene, alignment.accepted)
        return alignment, same, list(notes.of_copies(dataclasses.replace(scene, same=same)))


def test_a_resized_copy_is_named_whatever_the_workers(written):
    grey = place(6, (300, 380))
    smaller = cv2.resize(patched(grey), (365, 288), interpolation=cv2.INTER_AREA)
    before, after = written("before.png", grey), written("after.png", jpeg(smaller, 60))
    alignment, same, said = asked(before, after)
    assert alignment.accepted and same.whole and not same.partly
    assert said[0].startswith("The two files appear to be copies of one picture, edited or compressed again")
    assert asked(before, after, workers=3)[1] == same


def test_a_copy_under_a_patch_is_not_taken_for_a_drawing(written):
    grey = place(6, (300, 380))
    alignment, same, _ = asked(written("before.png", grey), written("after.png", jpeg(patched(grey), 75)))
    assert alignment.accepted and same.whole


def test_a_mirrored_copy_is_refused_and_named(written):
    grey = place(6, (300, 380))
    alignment, same, said = asked(written("before.png", grey), written("after.png", grey[:, ::-1]))
    assert not alignment.accepted and same.whole and same.mirrored == "left to right"
    assert "mirrored left to right" in said[0]


def test_a_part_shared_is_told_and_is_no_copy(written):
    rng = np.random.default_rng(8)
    ground = synthetic.textured(rng, (300, 380)) * 0.6 + 50
    first = exposed(ground, rng)
    second = exposed(ground + scenes.ripples(ground.shape, rng, 6), rng)
    second[:, :120] = first[:, :120]
    _, same, said = asked(written("before.png", first), written("after.png", second))
    assert same.partly and not same.whole and 0.1 <= same.share < 0.5
    assert said[0].startswith("A part of both images appears to be one and the same picture")


def test_of_copies_nothing_is_said_about_change(written, tmp_path):
    grey = place(6, (300, 380))
    case = types.Case(written("before.png", grey), written("after.png", patched(grey)))
    found = pipeline.compare(case, Settings(workers=1), tmp_path)
    assert found.verdict == "not comparable" and found.regions == () and found.change is not None
    assert "copies of one picture" in summary.finding(found) and "one moment" in summary.limits(found)[0]
    assert (found.change.changed == types.NOT_ANALYSED).all()


def judged(same):
    comparison = scenes.comparison()
    found = trust.judge(
        comparison.pair, comparison.alignment, comparison.change, 0.9, 0.08, card.Facts(same=same)
    )
    return found.verdict, {check.name: check for check in found.checks}


def test_copies_decide_the_verdict_and_parts_are_reservations():
    verdict, checks = judged(SamePicture(0.9, 40, whole=True, partly=False))
    assert verdict == "not comparable" and checks["two pictures"].passed is False
    verdict, checks = judged(SamePicture(0.2, 40, whole=False, partly=True))
    assert verdict == "comparable with reservations" and checks["shared part"].passed is False
    twice = (Repeated("after", 0.3, (0.0, 200.0), None),)
    verdict, checks = judged(SamePicture(0.0, 40, whole=False, partly=False, repeated=twice))
    assert verdict == "comparable with reservations" and checks["repeated part"].measured == 0.3
    assert judged(SamePicture(0.0, 40, whole=False, partly=False))[0] == "comparable"
    assert judged(SamePicture(None, 2, whole=False, partly=False))[1]["two pictures"].passed is None


def test_the_question_of_swapped_dates_is_asked_in_words():
    comparison = scenes.comparison()
    late, early = datetime(2021, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)
    images = [
        dataclasses.replace(image, acquisition=types.Acquisition(when, "day", "command line"))
        for image, when in ((comparison.pair.before, late), (comparison.pair.after, early))
    ]
    pair = dataclasses.replace(comparison.pair, before=images[0], after=images[1])
    found = trust.judge(pair, comparison.alignment, comparison.change, 0.9, 0.08)
    dates = next(check for check in found.checks if check.name == "dates")
    assert "were they swapped?" in dates.question and dates.passed is False


def test_the_checks_are_always_three():
    for same in (None, SamePicture(1.0, 9, True, False, "top to bottom"), SamePicture(0.3, 9, False, True)):
        assert [c.name for c in same_picture.checks(same)] == ["two pictures", "shared part", "repeated part"]


def orchard(seed, offset_rc=(0, 0), side=400):
    """Trees of one kind every 24 px, each with a colour of its own, and the noise of one exposure."""
    rng = np.random.default_rng(seed)
    row, col = (np.arange(side, dtype=np.float32) - at for at in offset_rc)
    tone = rng.normal(112, 12, (side // 24 + 4,) * 2)
    across = (row % 24 - 12) ** 2, (col % 24 - 12) ** 2
    which = np.ix_(*((x // 24).astype(int) + 2 for x in (row, col)))
    trees = tone[which] * np.exp(-np.add.outer(*across) / (2 * 4.0**2))
    return exposed(190 - trees, rng)


@pytest.mark.parametrize("seen", [lambda g: g, lambda g: g * 0.85 + 12, lambda g: g[:, ::-1]])
def test_two_drawings_of_one_lattice_are_no_copies(seen):
    first, second = orchard(1), np.ascontiguousarray(seen(orchard(2)))
    for axis in (None, 0, 1):
        there = repeated.flipped(second, axis)
        valid = (np.ones(first.shape, bool),) * 2
        found = same_windows.compare(first, there, repeated.offset(first, there, valid), valid)
        assert (found.share or 0) < same_windows.PART
    assert repeated.find(first, np.ones(first.shape, bool), "before", 1) is None


@pytest.mark.parametrize("quality", [95, 60])
def test_a_copy_of_a_lattice_is_still_a_copy(quality):
    grey = orchard(1)
    assert same_windows.compare(grey, jpeg(grey * 0.9 + 8, quality)).whole


def test_two_lattices_are_not_accused(written):
    alignment, same, said = asked(
        written("before.png", orchard(1)), written("after.png", np.flipud(orchard(2, (9, 5))) * 0.85 + 12)
    )
    assert not alignment.accepted and not same.whole and not same.partly and not said
