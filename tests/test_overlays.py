"""Graphics drawn over pictures, and ground that must be left alone."""

import cv2
import numpy as np
import pytest
import scenes
from PIL import Image

from damagediff import (
    filling,
    graphics,
    overlay_signs,
    overlay_trees,
    overlays,
    pipeline,
    registration,
    synthetic,
)
from damagediff.settings import MaskSettings, Settings, TrustSettings
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


def test_a_doubtful_place_counts_only_in_company():
    seen = overlays.unseen((200, 400))
    seen.rgb[:] = 128
    for col, odds in ((40, 3.0), (90, 2.2), (300, 2.2)):  # sure, doubtful near it, doubtful far away
        seen.odds[80:90, col : col + 9] = odds
    seen.sharp[:], seen.strong[:] = 1, 2
    seen.strong[:, 200:] = 200  # mostly soft edges: an ordinary picture
    found = overlays.drawn(seen)
    assert found[85, 44] and found[85, 94] and not found[85, 304]


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
    assert overlays.crisp(seen)
    assert not overlays.crisp(overlays.look(ground(0), (slice(None), slice(None))))


def test_a_roof_that_the_sensor_could_not_hold_is_ground():
    fine = ground(5).astype(np.float32)
    fine[60:140, 80:200] = 600  # far beyond white, so even and without a step inside
    soft = cv2.GaussianBlur(fine, (0, 0), 1.0)
    assert places(np.clip(soft, 0, 255).astype(np.uint8)).mean() < 0.005


def test_what_is_the_same_in_both_is_found_with_what_it_encloses():
    both = []
    for seed in (1, 7):
        picture = ground(seed)
        picture[40:140, 60:240] = (30, 40, 60)
        cv2.rectangle(picture, (60, 40), (239, 139), (255, 255, 255), 2)
        cv2.putText(picture, "Layers", (80, 100), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (255, 255, 255), 2)
        both.append(overlays.look(picture, (slice(None), slice(None))))
    either = overlays.drawn(both[0]) | overlays.drawn(both[1])
    found = overlays.drawn_over_both(both[0], both[1], either)
    panel = np.zeros(found.shape, bool)
    panel[40:140, 60:240] = True
    assert found[panel].mean() > 0.95
    assert found[~cv2.dilate(panel.astype(np.uint8), np.ones((25, 25))).astype(bool)].mean() < 0.01


def test_what_a_circle_encloses_in_one_picture_is_not_hidden():
    picture = ground(1)
    cv2.circle(picture, (160, 120), 60, (255, 0, 0), 3)
    found = places(picture)
    assert found[120, 100] and found[60, 160]
    assert found[90:150, 130:190].mean() < 0.02


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


def lettered(picture, off_rc, opacity):
    """The same word on a lattice of 4 x 4, moved by some pixels."""
    layer = np.zeros(picture.shape[:2], np.uint8)
    for row in range(4):
        for col in range(4):
            at = (col * 100 + 20 + off_rc[1], row * 100 + 60 + off_rc[0])
            cv2.putText(layer, "news", at, cv2.FONT_HERSHEY_SIMPLEX, 0.6, 255, 1, cv2.LINE_AA)
    share = (layer / 255 * opacity)[..., None]
    return np.clip(picture * (1 - share) + 255 * share, 0, 255).astype(np.uint8)


def written(folder, before, after):
    """A pair of files."""
    for name, pixels in (("before", before), ("after", after)):
        Image.fromarray(pixels).save(folder / f"{name}.png")
    return Case(Source(folder / "before.png"), Source(folder / "after.png"))


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize(("off_rc", "opacity"), [((0, 0), 1.0), ((7, -11), 0.7)])
def test_repeated_letters_over_two_places_do_not_align_them(tmp_path, off_rc, opacity):
    faint = [110 + (ground(seed, (400, 400)).astype(np.float32) - 110) * 0.25 for seed in (100, 101)]
    before, after = lettered(faint[0], (0, 0), opacity), lettered(faint[1], off_rc, opacity)
    case, score = written(tmp_path, before, after), {}
    for looked_for in (True, False):
        with pipeline.open_scene(case, Settings(masks=MaskSettings(graphics=looked_for))) as scene:
            alignment, _ = registration.register(scene)
        score[looked_for] = alignment.evidence.score
    assert score[True] < 3 < 7 < score[False]


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_beside_markers_change_is_measured_and_markers_are_none(tmp_path):
    before = ground(1, (480, 480))
    after, layer = before.copy(), np.zeros((480, 480), np.uint8)
    after[200:280, 200:280] = ground(9, (80, 80))
    own = scenes.ripples((480, 480), np.random.default_rng(2), 6)[..., None]  # or it is a copy, edited
    after = np.clip(after + own, 0, 255).astype(np.uint8)
    for row in range(55, 480, 90):
        for col in range(55, 480, 90):
            cv2.rectangle(layer, (col, row), (col + 9, row + 9), 1, -1)
    after[layer > 0] = (255, 0, 0)
    case = written(tmp_path, before, after)
    settings = Settings(trust=TrustSettings(selftest=False))
    found = pipeline.compare(case, settings, tmp_path)
    drawn = layer[: 480 // 4 * 4, :].reshape(120, 4, 120, 4).any((1, 3))
    changed = np.isin(found.change.changed, (1, 2))
    analysed = found.change.valid
    flags = {flag for region in found.regions for flag in region.flags}
    assert "beside graphics" in flags
    assert "at image edge" not in flags
    assert analysed.mean() > 0.7
    assert analysed[drawn].mean() < 0.05
    truth = np.zeros_like(changed)
    truth[50:70, 50:70] = True
    assert changed[truth & analysed].mean() > 0.7
    far = ~cv2.dilate(truth.astype(np.uint8), np.ones((9, 9))).astype(bool)
    assert changed[far].mean() < 0.01


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_without_the_search_the_notes_say_so(tmp_path):
    picture, _ = drawn_over(ground(1))
    case = written(tmp_path, ground(1), picture)
    with pipeline.open_scene(case, Settings(masks=MaskSettings(graphics=False))) as scene:
        assert scene.after.marks is None
        assert "not looked for" in " ".join(graphics.note(scene))


def test_the_filling_has_the_same_bits_in_every_window():
    rng = np.random.default_rng(0)
    means = rng.uniform(0, 255, (3, 50, 60)).astype(np.float32)
    both = filling.Filling(means, means[::-1].copy(), 3)
    zeros = np.zeros((3, 150, 180), np.uint8)
    whole = both.put((zeros, zeros), np.ones((150, 180), bool), (np.arange(150), np.arange(180)))
    part = both.put(
        (zeros[:, :40, :50], zeros[:, :40, :50]),
        np.ones((40, 50), bool),
        (np.arange(37, 77), np.arange(90, 140)),
    )
    for of_all, own in zip(whole, part, strict=True):
        assert np.array_equal(of_all[:, 37:77, 90:140], own)
