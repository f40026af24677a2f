"""What is not picture."""

import numpy as np

from damagediff import masks, synthetic


def test_a_black_collar_is_found_and_the_picture_kept():
    grey = synthetic.textured(np.random.default_rng(0), (200, 300)).astype(np.float32)
    grey[:, 240:] = 0
    found = masks.constant_blocks(grey, np.ones(grey.shape, bool))
    assert found[:, 245:].all() and not found[:, :225].any()


def test_a_small_black_roof_is_picture():
    grey = synthetic.textured(np.random.default_rng(0), (300, 300)).astype(np.float32)
    grey[100:120, 100:120] = 0
    assert not masks.constant_blocks(grey, np.ones(grey.shape, bool)).any()


def test_grey_water_is_picture():
    grey = np.full((200, 200), 90, np.float32)
    assert not masks.constant_blocks(grey, np.ones(grey.shape, bool)).any()


def drawn_over(grey):
    """A menu bar with letters on the left, and a line across: the same whatever lies below."""
    letters = (np.random.default_rng(1).random((200, 5)) > 0.5).repeat(8, axis=1)
    out = grey.copy()
    out[:, :40] = np.where(letters, 230, 40)
    out[100:103] = 250
    return out


def ground(seed):
    return synthetic.textured(np.random.default_rng(seed), (200, 260)).astype(np.float32)


def test_what_is_drawn_over_both_pictures_is_found_and_little_else():
    first, second = ground(1), ground(2)
    found = masks.overlaid(drawn_over(first), drawn_over(second))
    assert found[4:-4, 4:36].mean() > 0.9 and found[101, 60:].mean() > 0.9
    assert found[:90, 60:].mean() < 0.02
    assert masks.overlaid(first, second).mean() < 0.01


def test_copies_of_one_picture_are_not_taken_for_drawings():
    first = ground(1)
    edited = first.copy()
    edited[50:90, 100:160] = ground(3)[50:90, 100:160]
    assert not masks.overlaid(first, first).any()
    assert not masks.overlaid(first, edited).any()
