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
