"""Graphics drawn over pictures, and ground that must be left alone."""

import cv2
import numpy as np
import pytest
from PIL import Image

from damagediff import overlay_signs, overlay_trees, overlays, pipeline, synthetic
from damagediff.settings import Settings
from damagediff.types import Case, Source


def ground(seed, shape=(240, 320)):
    """Textured ground after a lens: smooth over a pixel or so, noisy, of several hues."""
    rng = np.random.default_rng(seed)
    grey = synthetic.textured(rng, shape).astype(np.float32)
    soft = cv2.GaussianBlur(grey, (0, 0), 1.0)
    noise = rng.normal(0, 2, (*shape, 3)).astype(np.float32)
    return np.clip(soft[..., None] * np.float32([1, 0.95, 0.85]) + noise, 0, 255).astype(np.uint8)


def drawn_over(picture, hue=(255, 0, 0)):
    """A caption, a box and some markers, and where they lie."""
    layer = np.zeros(picture.shape[:2], np.uint8)
    cv2.putText(layer, "Damaged 12", (20, 60), cv2.FONT_HERSHEY_SIMPLEX, 1.0, 1, 2)
    cv2.rectangle(layer, (200, 120), (290, 200), 1, 3)
    for at in ((40, 120), (90, 150), (60, 200)):
        cv2.rectangle(layer, at, (at[0] + 11, at[1] + 11), 1, -1)
    out = picture.copy()
    out[layer > 0] = hue
    return out, layer > 0


def places(picture):
    """What is found in one picture."""
    return overlays.drawn(overlays.look(picture, (slice(None), slice(None))))


@pytest.mark.parametrize("hue", [(255, 0, 0), (255, 255, 0), (0, 255, 255)])
def test_letters_boxes_and_markers_are_found_and_the_ground_is_left(hue):
    picture, layer = drawn_over(ground(1), hue)
    found = places(picture)
    far = cv2.dilate(layer.astype(np.uint8), np.ones((25, 25), np.uint8)) == 0
    assert found[layer].mean() > 0.95
    assert found[far].mean() < 0.02


@pytest.mark.parametrize("seed", range(4))
def test_of_clean_ground_little_is_taken(seed):
    assert places(ground(seed)).mean() < 0.02


def test_red_roofs_that_a_lens_showed_are_ground():
    fine = np.repeat(np.repeat(ground(2, (160, 200)), 3, 0), 3, 1).astype(np.float32)
    for row, col in ((60, 90), (200, 300), (330, 150)):
        fine[row : row + 60, col : col + 75] = (190, 60, 45) + np.random.default_rng(row).normal(
            0, 6, (60, 75, 1)
        )
    soft = cv2.GaussianBlur(fine, (0, 0), 2.4).reshape(160, 3, 200, 3, 3).mean((1, 3))
    noisy = soft + np.random.default_rng(3).normal(0, 2, soft.shape)
    assert places(np.clip(noisy, 0, 255).astype(np.uint8)).mean() < 0.02


def test_every_sign_has_its_name_and_is_finite():
    signs = overlay_signs.signs(ground(0))
    assert signs.shape == (len(overlay_signs.NAMES), 240, 320)
    assert np.isfinite(signs).all()


def test_the_trees_ask_about_signs_that_exist():
    first, second = overlay_trees.stages()
    around = len(overlay_trees.around(np.zeros((4, 4), np.float32)))
    assert len(first.borders) == len(overlay_signs.NAMES) > first.asked.max()
    assert len(second.borders) == len(overlay_signs.NAMES) + around > second.asked.max()


def test_a_picture_whose_own_edges_are_sharp_gets_the_strict_limits():
    blocks = np.random.default_rng(0).integers(0, 255, (30, 40, 1), np.uint8).repeat(8, 0).repeat(8, 1)
    seen = overlays.look(blocks.repeat(3, 2), (slice(None), slice(None)))
    assert overlays.crisp(seen, np.zeros((240, 320), bool))
    soft = overlays.look(ground(0), (slice(None), slice(None)))
    assert not overlays.crisp(soft, np.zeros((240, 320), bool))


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_pair_is_read_without_what_is_drawn_over_one_of_it(tmp_path):
    picture, layer = drawn_over(ground(1))
    for name, pixels in (("before", ground(1)), ("after", picture)):
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    case = Case(Source(tmp_path / "before.png"), Source(tmp_path / "after.png"))
    masks = []
    for workers in (1, 3):
        with pipeline.open_scene(case, Settings(workers=workers)) as scene:
            masks.append(scene.after.marks)
            assert scene.after.reduced.valid[layer].mean() < 0.05
            assert scene.before.marks is None or scene.before.marks.mean() < 0.02
    assert np.array_equal(*masks)
