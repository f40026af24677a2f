"""Co-registration against known truth: which way, how exactly, and when it must refuse."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy import stats

from damagediff import (
    align,
    align_candidates,
    align_fields,
    align_fit,
    align_judge,
    align_points,
    align_result,
    notes,
    resample,
    synthetic,
)
from damagediff.align_fields import Plane
from damagediff.align_points import Measured, Model
from damagediff.settings import AlignSettings
from damagediff.types import Evidence, Window

SETTINGS = AlignSettings()
GLOBAL = AlignSettings(local=False)


def plane(grey):
    return Plane(np.nan_to_num(grey).astype(np.float32), np.isfinite(grey))


@pytest.fixture(scope="module")
def texture():
    return synthetic.textured(np.random.default_rng(7), (320, 360)).astype(np.float32)


def rigid(shape, degrees, scale, shift):
    """moving_from_reference: turn and scale about the centre, then shift (row, col)."""
    angle = np.deg2rad(degrees)
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    centre = (np.array(shape) - 1) / 2
    matrix = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1.0]])
    matrix[:2, 2] = centre + shift - matrix[:2, :2] @ centre
    return matrix


def end_point_error(found, truth, shape):
    """Mean distance in px between two maps over the frame."""
    grid = np.stack(np.meshgrid(*(np.linspace(0, n - 1, 9) for n in shape), indexing="ij"), -1)
    return np.hypot(*np.moveaxis(align_fit.apply(found, grid) - align_fit.apply(truth, grid), -1, 0)).mean()


def find(ref, mov, settings=SETTINGS):
    return align.find(plane(ref), plane(mov), settings, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("degrees", "scale", "shift"),
    [
        (0, 1.0, (0, 0)),
        (0, 1.0, (11.3, -7.6)),
        (3, 1.02, (-5.2, 20.4)),
        (-38, 0.8, (4, 9)),
        (90, 1.25, (-8, 3)),
        (163, 1.0, (0, -12)),
    ],
)
def test_known_map_is_found_with_its_direction(texture, degrees, scale, shift):
    truth = rigid(texture.shape, degrees, scale, np.array(shift, float))
    moving = synthetic.warp(texture, truth)
    coarse = find(texture, moving)
    assert align_judge.refusal(coarse.evidence, SETTINGS) is None
    assert end_point_error(coarse.moving_from_reference, truth, texture.shape) < 0.35
    pulled = align_fields.warp(plane(moving), coarse.moving_from_reference, texture.shape)
    inside = cv2.erode(pulled.valid.astype(np.uint8), np.ones((9, 9))) > 0
    left = (pulled.grey - texture)[inside].var() / texture[inside].var()
    assert left < 0.1  # a sign error would leave about 2


def test_gain_and_gamma_do_not_matter(texture):
    truth = rigid(texture.shape, 2, 1, np.array([6.5, -3.0]))
    moving = 20 + 0.6 * 255 * (synthetic.warp(texture, truth).clip(0, 255) / 255) ** 1.6
    coarse = find(texture, moving)
    assert end_point_error(coarse.moving_from_reference, truth, texture.shape) < 0.6


def refused(ref, mov):
    coarse = find(ref, mov)
    why = align_judge.refusal(coarse.evidence, SETTINGS)
    return None if why is None else why.reason


@pytest.mark.parametrize("seed", range(2))
def test_another_place_is_refused(texture, seed):
    other = synthetic.textured(np.random.default_rng(100 + seed), texture.shape).astype(np.float32)
    assert "windows agree" in refused(texture, other)


@pytest.mark.parametrize(
    "blank", [np.zeros((320, 360)), np.full((320, 360), 128.0)], ids=["all black", "flat"]
)
def test_an_empty_picture_is_refused(texture, blank):
    assert refused(texture, blank.astype(np.float32)) is not None


def test_noise_is_refused(texture):
    noise = np.random.default_rng(3).uniform(0, 255, texture.shape).astype(np.float32)
    assert refused(texture, noise) is not None


def test_a_mirror_image_is_refused_or_found_never_wrong(texture):
    mirrored = np.ascontiguousarray(texture[:, ::-1])
    assert refused(texture, mirrored) is not None


def lattice_of_houses(seed, shape=(320, 360), pitch=36, house=20):
    rng = np.random.default_rng(seed)
    grey = synthetic.textured(rng, shape) * 0.3 + 60
    for row in range(8, shape[0] - house - 10, pitch):
        for col in range(8, shape[1] - house - 10, pitch + 4):
            top, left = row + rng.integers(0, 4), col + rng.integers(0, 4)
            grey[top : top + house, left : left + house + 4] = rng.uniform(140, 230)
    return grey.astype(np.float32)


@pytest.mark.parametrize(("shape", "pitch", "house"), [((320, 360), 36, 20), ((640, 640), 100, 50)])
def test_a_repeating_pattern_of_another_place_is_refused(shape, pitch, house):
    places = (lattice_of_houses(seed, shape, pitch, house) for seed in (1, 2))
    assert "repeats" in refused(*places)


def test_a_repeating_pattern_of_the_same_place_is_refused_or_right():
    ref = lattice_of_houses(1)
    truth = rigid(ref.shape, 0, 1, np.array([5.0, -7.0]))
    moving = synthetic.warp(ref, truth)
    coarse = find(ref, moving)
    if align_judge.refusal(coarse.evidence, SETTINGS) is None:
        assert end_point_error(coarse.moving_from_reference, truth, ref.shape) < 0.5


def test_max_shift_is_kept(texture):
    truth = rigid(texture.shape, 0, 1, np.array([30.0, 0]))
    coarse = find(texture, synthetic.warp(texture, truth))
    centre = (np.array(texture.shape) - 1) / 2
    limited = AlignSettings(max_shift_px=10)
    model = Model(coarse.model, coarse.moving_from_reference)
    why = align_judge.too_far(model, centre, None, limited)
    assert "--max-shift 10" in why.reason and "raise --max-shift" in why.advice
    assert align_judge.too_far(model, centre, None, AlignSettings(max_shift_px=31)) is None
    assert align_judge.too_far(model, centre, None, SETTINGS) is None


def test_same_random_state_same_answer(texture):
    moving = synthetic.warp(texture, rigid(texture.shape, 5, 1, np.array([3.0, 4.0])))
    first, second = find(texture, moving), find(texture, moving)
    assert np.array_equal(first.moving_from_reference, second.moving_from_reference)
    assert first.evidence == second.evidence


def test_inputs_are_not_modified(texture):
    before = texture.copy()
    find(texture, texture)
    assert np.array_equal(before, texture)


@pytest.mark.parametrize("model", ["translation", "similarity", "affine", "homography"])
def test_exact_points_give_the_exact_map(model):
    rng = np.random.default_rng(1)
    p = rng.uniform(0, 500, (60, 2))
    truth = {
        "translation": np.array([[1, 0, 3.5], [0, 1, -2], [0, 0, 1]]),
        "similarity": rigid((500, 500), 12, 1.1, np.array([4, 5.0])),
        "affine": np.array([[1.02, 0.03, 4], [-0.01, 0.97, -6], [0, 0, 1]]),
        "homography": np.array([[1.01, 0.02, 4], [-0.01, 0.98, -6], [2e-5, -3e-5, 1]]),
    }[model]
    found = align_fit.least_squares(model, p, align_fit.apply(truth, p), np.ones(60))
    assert end_point_error(found, truth, (500, 500)) < 1e-6


def test_robust_fit_ignores_a_third_of_wrong_points():
    rng = np.random.default_rng(2)
    p = rng.uniform(0, 500, (90, 2))
    truth = rigid((500, 500), 1, 1.005, np.array([2.0, -3.0]))
    q = align_fit.apply(truth, p) + rng.normal(0, 0.1, p.shape)
    q[:30] += rng.uniform(15, 40, (30, 2))
    found = align_fit.robust("similarity", p, q, np.ones(90), np.eye(3), radius=12)
    assert end_point_error(found, truth, (500, 500)) < 0.1


@given(st.floats(-170, 170), st.floats(0.5, 2), st.floats(-50, 50), st.floats(-50, 50))
@hypothesis_settings(max_examples=40, deadline=None)
def test_rotation_and_scale_are_read_back(degrees, scale, down, across):
    matrix = rigid((300, 400), degrees, scale, np.array([down, across]))
    assert align_fit.scale_of(matrix) == pytest.approx(scale)
    assert abs(align_fit.rotation_deg(matrix)) == pytest.approx(abs(degrees), abs=1e-6)
    there = align_fit.apply(matrix, np.array([[10.0, 20.0]]))
    back = align_fit.apply(np.linalg.inv(matrix), there)
    assert back == pytest.approx(np.array([[10.0, 20.0]]))


def measured_field(field, shape, seed, spread=0.15, wrong=0.2):
    """Windows on a lattice whose content is displaced by `field`, some of them wrong."""
    rng = np.random.default_rng(seed)
    rows, cols = np.meshgrid(np.arange(30, shape[0], 40.0), np.arange(30, shape[1], 40.0), indexing="ij")
    found = []
    for centre in np.stack([rows.ravel(), cols.ravel()], 1):
        move = field(centre) + rng.normal(0, spread, 2)
        if rng.uniform() < wrong:
            move = move + rng.uniform(-8, 8, 2)
        check = centre[0] % 160 > 120 and centre[1] % 160 > 120
        found.append(Measured(centre, centre + move, 0.5, 0.4, bool(check), None))
    return found


def collected(found, looked_with):
    return align_points.collect(found, looked_with)


def test_the_simplest_sufficient_model_is_taken():
    shape, still = (800, 800), Model("translation", np.eye(3))
    shift = measured_field(lambda c: np.array([1.5, -0.7]), shape, 0)
    fitted = align.fit(collected(shift, still), still, shape, SETTINGS, "translation")
    assert fitted.model.kind == "translation" and "local" in fitted.reason
    assert fitted.model.matrix[:2, 2] == pytest.approx([1.5, -0.7], abs=0.1)
    turned = measured_field(lambda c: np.array([0.004, -0.004]) * (c - 400)[::-1], shape, 1)
    fitted = align.fit(collected(turned, still), still, shape, GLOBAL, "translation")
    assert fitted.model.kind == "similarity"


def test_pictures_without_georeference_are_not_said_to_be_only_shifted():
    shape, still = (800, 800), Model("translation", np.eye(3))
    shift = measured_field(lambda c: np.array([1.5, -0.7]), shape, 0)
    fitted = align.fit(collected(shift, still), still, shape, GLOBAL, "similarity")
    assert fitted.model.kind == "similarity"


def test_the_standard_error_is_as_large_as_the_error_is():
    shape, still = (800, 800), Model("translation", np.eye(3))
    places = np.stack(np.meshgrid(np.linspace(0, 799, 9), np.linspace(0, 799, 9)), -1).reshape(-1, 2)
    errors, said = [], []
    for seed in range(12):
        found = measured_field(lambda c: np.array([1.5, -0.7]), shape, seed, spread=0.8, wrong=0.2)
        fitted = align.fit(collected(found, still), still, shape, GLOBAL, "similarity")
        off = fitted.model.moving_from_grid(places) - places - [1.5, -0.7]
        errors.append(np.median(np.hypot(*off.T)))
        said.append(fitted.standard_error_px)
    assert 0.5 < np.sqrt(np.mean(np.square(errors)) / np.mean(np.square(said))) < 2


def test_a_smooth_residual_earns_a_local_field():
    shape = (800, 800)

    def field(c):
        return np.array([1.5 * np.sin(c[1] / 130), 1.5 * np.cos(c[0] / 150)])

    found = measured_field(field, shape, 2, wrong=0.1)
    still = Model("translation", np.eye(3))
    fitted = align.fit(collected(found, still), still, shape, SETTINGS, "translation")
    model = fitted.model
    assert model.kind == "local" and "points left out by -" in fitted.reason
    inside = np.stack(np.meshgrid(np.arange(60, 740, 40.0), np.arange(60, 740, 40.0)), -1).reshape(-1, 2)
    truth = inside + np.array([field(c) for c in inside])
    assert np.hypot(*(model.moving_from_grid(inside) - truth).T).mean() < 0.25


def test_check_points_take_no_part_and_gross_points_are_rejected():
    shape = (800, 800)
    found = measured_field(lambda c: np.array([1.5, -0.7]), shape, 4, wrong=0.3)
    still = Model("translation", np.eye(3))
    held = collected(found, still)
    model = align.fit(held, still, shape, GLOBAL, "translation").model
    points = align_points.as_tie_points(held, model)
    roles = np.array(points.role)
    assert {"fit", "check", "rejected"} == set(roles)
    assert points.residual_px[roles == "rejected"].min() > align_points.GROSS_PX
    rmse, ce90 = align_result.check_residual(points)
    assert 0.1 < rmse < 0.6 and ce90 < 2.0


def test_a_window_is_looked_up_in_the_direction_of_the_convention(texture):
    moving = synthetic.warp(texture, np.array([[1, 0, 3.25], [0, 1, -2.5], [0, 0, 1.0]]))
    sites = align_points.plan_sites(Window(0, 0, *texture.shape), SETTINGS, 24)
    batch = max(align_points.batches(sites, 8), key=len)
    area = align_points.area_of(batch, 8)
    rows, cols = (resample.mirrored(area[k], area[k + 2], texture.shape[k]) for k in (0, 1))
    cut = [plane(picture[np.ix_(rows, cols)]) for picture in (texture, moving)]
    found = align_points.look_up(batch, *cut, search=8)
    moves = np.array([m.near_rc - m.centre_rc for m in found if m.unused is None])
    assert len(moves) > 0.5 * len(batch)
    assert np.median(moves, axis=0) == pytest.approx([3.25, -2.5], abs=0.1)


def test_windows_without_pixels_or_texture_are_not_used_and_say_why(texture):
    batch = (align_points.Site(Window(100, 100, 48, 48), check=False),)
    cut = plane(texture[align_points.area_of(batch, 8).slices])
    empty = Plane(cut.grey, np.zeros(cut.shape, bool))
    flat = plane(np.full(cut.shape, 90.0))
    burnt = plane(np.minimum(cut.grey * 4, 255))
    reasons = [align_points.look_up(batch, cut, other, search=8)[0] for other in (empty, flat, burnt)]
    assert align_points.count_unused(reasons) == {"not valid": 1, "saturated": 1, "too little texture": 1}


def test_exchanging_the_pictures_turns_the_sign_and_nothing_else(texture):
    moving = synthetic.warp(texture, np.array([[1, 0, 2.25], [0, 1, -1.5], [0, 0, 1.0]]))
    batch = tuple(
        align_points.Site(Window(row, col, 48, 48), check=False) for row in (60, 150) for col in (70, 200)
    )
    area = align_points.area_of(batch, 8)
    first, second = (plane(picture[area.slices]) for picture in (texture, moving))
    there = align_points.look_up(batch, first, second, search=8)
    back = align_points.look_up(batch, second, first, search=8)
    for a, b in zip(there, back, strict=True):
        assert a.unused is None and a.quality == pytest.approx(b.quality, abs=1e-5)
        assert a.centre_rc == pytest.approx(b.near_rc, abs=1e-3)
        assert a.near_rc == pytest.approx(b.centre_rc, abs=1e-3)


@pytest.mark.parametrize(("side", "search"), [(128, 8), (64, 32), (48, 24)])
def test_windows_are_correlated_as_the_definition_says(texture, side, search):
    """The transforms give what sums over shifted windows give, inside the picture and beyond its edge."""
    rng = np.random.default_rng(2)
    moving = np.roll(texture, (3, -2), (0, 1)) + rng.standard_normal(texture.shape).astype(np.float32) * 4
    ref, mov = (align_fields.structure_field(plane(picture)) for picture in (texture, moving))
    windows = [Window(row, col, side, side) for row in (2, 150) for col in (0, 160)]
    found = align_fields.match_windows(ref, mov, windows, search).surfaces
    room = [np.pad(field, search) for field in mov]
    own = [float((np.abs(ref[0][w.slices]) ** 2).sum()) for w in windows]
    for k, lag in ((0, (0, 0)), (1, (search + 3, search - 2)), (2, (1, 2)), (3, (2 * search, search))):
        w = windows[k]
        there = np.s_[w.row + lag[0] : w.row + lag[0] + side, w.col + lag[1] : w.col + lag[1] + side]
        products = [(np.conj(r[w.slices]) * m[there]).sum().real for r, m in zip(ref, room, strict=True)]
        floor = 0.3 * np.median(own)
        norm = np.sqrt(max(own[k], floor) * max(float((np.abs(room[0][there]) ** 2).sum()), floor))
        assert found[k][lag] == pytest.approx(np.mean(products) / norm, abs=1e-5)


def test_both_structure_fields_have_one_length_and_the_axial_one_twice_the_angle(texture):
    signed, axial = align_fields.structure_field(plane(texture))
    assert np.abs(np.abs(signed) - np.abs(axial)).max() < 1e-5
    assert np.abs(signed**2 - axial * np.abs(signed)).max() < 1e-5


def test_what_is_found_does_not_depend_on_where_in_memory_the_picture_lies(texture):
    windows = [Window(row, col, 64, 64) for row in range(16, 200, 60) for col in range(16, 240, 60)]
    found = set()
    for shift in range(5):
        memory = np.zeros(texture.size + 16, np.float32)
        picture = memory[shift : shift + texture.size].reshape(texture.shape)
        picture[:] = texture
        fields = align_fields.structure_field(plane(picture))
        found.add(align_fields.match_windows(fields, fields, windows, 12).surfaces.tobytes())
    assert len(found) == 1


@pytest.mark.parametrize("moved_px", [0.1, 0.2, 0.3, 0.4])
def test_fractions_of_a_pixel_have_next_to_no_bias(texture, moved_px):
    """With the vertex of a parabola alone it is .02 to .04 px."""
    spectrum = np.fft.fft2(texture[:300, :320].astype(float))
    turn = np.exp(-2j * np.pi * np.fft.fftfreq(300)[:, None] * moved_px)
    moving = np.fft.ifft2(spectrum * turn).real
    fields = [align_fields.structure_field(plane(picture)) for picture in (texture[:300, :320], moving)]
    windows = [Window(row, col, 64, 64) for row in range(30, 200, 40) for col in range(30, 220, 40)]
    found = align_fields.match_windows(*fields, windows, 8)
    assert abs(np.median(found.displacement_rc[:, 0]) - moved_px) < 0.015


@pytest.mark.parametrize(
    ("least", "trials", "single"), [(1, 10, 0.1), (12, 100, 0.012), (90, 144, 0.045), (576, 576, 0.0978)]
)
def test_the_binomial_tail_is_scipys_and_goes_on_where_a_float_ends(least, trials, single):
    expected = stats.binom.logsf(least - 1, trials, single) / np.log(10)
    found = align.log10_binomial_tail(least, trials, single)
    if least == trials:
        expected = trials * np.log10(single)
        assert expected < -500
    assert found == pytest.approx(expected, rel=1e-9)


def test_costly_ways_to_candidates_are_left_out_only_when_a_cheap_one_is_certain(texture, monkeypatch):
    asked = []

    def nothing(ref, mov):
        asked.append("key points")
        return []

    monkeypatch.setattr(align_candidates, "keypoints", nothing)
    assert find(texture, np.roll(texture, (2, 3), (0, 1))).origin == "identity" and not asked
    other = synthetic.textured(np.random.default_rng(99), (320, 360)).astype(np.float32)
    find(texture, other)
    assert asked


def test_no_part_of_a_check_window_was_seen_by_the_fit():
    sites = align_points.plan_sites(Window(0, 0, 900, 700), SETTINGS, 24)
    seen = {True: np.zeros((900, 700), int), False: np.zeros((900, 700), int)}
    for site in sites:
        seen[site.check][site.window.slices] += 1
    assert not (seen[True].astype(bool) & seen[False].astype(bool)).any()
    assert seen[True].max() == 1 and 0 < sum(site.check for site in sites) < len(sites) / 4


def test_the_lattice_lies_where_the_pictures_overlap():
    crop = rigid((200, 300), 0, 1, np.array([-50.0, -70.0]))
    assert align_fit.overlap(crop, (400, 500), (200, 300)) == Window(50, 70, 200, 300)
    assert align_fit.overlap(np.eye(3), (400, 500), (600, 700)) == Window(0, 0, 400, 500)
    far = rigid((200, 300), 0, 1, np.array([-5000.0, 0.0]))
    assert align_fit.overlap(far, (400, 500), (200, 300)) == Window(0, 0, 400, 500)


@pytest.mark.parametrize("shape", [(70, 80), (300, 2000), (9000, 9000)])
def test_every_site_is_read_in_exactly_one_batch(shape):
    sites = align_points.plan_sites(Window(0, 0, *shape), SETTINGS, 24)
    read = [site for batch in align_points.batches(sites, 8) for site in batch]
    assert sorted(site.window for site in read) == sorted(site.window for site in sites)
    assert all(site.window.row >= 0 and site.window.row + site.window.rows <= shape[0] for site in sites)


def test_a_field_that_points_left_out_do_not_confirm_is_not_taken():
    """Neighbours of one block agree on a wrong displacement, as on a leaning roof; the next on another."""
    shape, still = (800, 800), Model("translation", np.eye(3))
    rng = np.random.default_rng(11)
    blocks = rng.normal(0, 1.2, (13, 13, 2))

    def lean(c):
        row, col = (c * 12 / 800).astype(int)
        return blocks[row, col]

    found = measured_field(lean, shape, 2, wrong=0.0)
    fitted = align.fit(collected(found, still), still, shape, SETTINGS, "translation")
    places = np.stack(np.meshgrid(np.arange(100, 700, 40.0), np.arange(100, 700, 40.0)), -1).reshape(-1, 2)
    moved = fitted.model.moving_from_grid(places) - places
    assert np.hypot(*moved.T).mean() < 0.6  # the blocks' own are 1.5 px long


def test_a_field_does_not_run_on_beyond_its_points():
    shape = (800, 800)
    found = [
        m
        for m in measured_field(lambda c: np.array([(c[1] / 400) ** 3, 0.0]), shape, 3, wrong=0.0)
        if m.centre_rc[1] < 420
    ]
    still = Model("translation", np.eye(3))
    fitted = align.fit(collected(found, still), still, shape, SETTINGS, "translation")
    corner = np.array([[400.0, 799.0]])
    assert abs((fitted.model.moving_from_grid(corner) - corner)[0, 0]) < 2.5


def evidence(score):
    return Evidence(-4.0, 5.0, 0.8, 40, 12, score, limit=5.5)


def test_too_little_agreement_at_full_resolution_is_refused():
    shape, still = (800, 800), Model("translation", np.eye(3))
    rng = np.random.default_rng(5)
    random = collected(measured_field(lambda c: rng.uniform(-8, 8, 2), shape, 6, wrong=0.0), still)
    judged = align.with_full(evidence(50.0), random, still, search=8)
    assert judged.log10_chance_full > -3
    assert "by chance" in align_judge.disagreement(judged, random, still, {}, SETTINGS).reason
    right = collected(measured_field(lambda c: np.zeros(2), shape, 7, wrong=0.3), still)
    judged = align.with_full(evidence(1.0), right, still, search=8)
    assert judged.log10_chance_full < -20
    assert align_judge.disagreement(judged, right, still, {}, SETTINGS) is None


def test_the_evidence_of_both_looks_is_one_sum():
    shape, still = (260, 260), Model("translation", np.eye(3))
    few = collected(measured_field(lambda c: np.zeros(2), shape, 7, wrong=0.5), still)
    judged = align.with_full(evidence(0.0), few, still, search=8)
    assert judged.score == pytest.approx(-judged.log10_chance_full / 4)
    assert judged.log10_chance_full < -3
    why = align_judge.disagreement(judged, few, still, {"not valid": 7}, SETTINGS)
    assert f"evidence {judged.score:.1f} of the 5.5" in why.reason
    assert align_judge.disagreement(replace(judged, score=5.6), few, still, {}, SETTINGS) is None


def test_support_is_the_hull_of_agreeing_points_and_a_margin():
    shape, still = (3000, 3000), Model("translation", np.eye(3))
    found = [m for m in measured_field(lambda c: np.zeros(2), shape, 8, wrong=0.0) if m.centre_rc[1] < 1000]
    points = align_points.as_tie_points(collected(found, still), still)
    ring = align_points.supported(points)
    assert max(col for _, col in ring) < 1500 and min(col for _, col in ring) < 0
    share = align_points.supported_share(ring, shape)
    assert 0.35 < share < 0.5
    assert align_points.supported(align_result.NO_TIE_POINTS) == ()
    assert align_points.supported_share((), shape) == 0


def test_a_model_that_is_forced_on_the_pair_is_kept_to():
    shape = (800, 800)
    turned = measured_field(lambda c: np.array([0.004, -0.004]) * (c - 400)[::-1], shape, 1)
    start = Model("similarity", np.eye(3))
    only = AlignSettings(model="translation", local=False)
    model = align.fit(collected(turned, start), start, shape, only, "similarity").model
    assert model.kind == "translation"
    assert np.allclose(model.matrix[:2, :2], np.eye(2))


def test_places_marked_by_hand_join_the_fit_and_are_judged():
    right = np.array([[100.0, 100], [100, 700], [700, 100], [700, 700]])
    hand = align_points.marked(right, right + [2.0, 3.0])
    both = align_points.together(hand, align_points.marked(right[:1], right[:1] + 50))
    model = Model("translation", np.array([[1, 0, 2.0], [0, 1, 3.0], [0, 0, 1]]))
    points = align_points.as_tie_points(both, model)
    assert points.role == ("fit",) * 4 + ("rejected",) and not points.held_out.any()
    (said,) = notes.of_hand_points(points)
    assert said.startswith("Of 5 places marked by hand, 4 agree with the alignment within 3 px, 1 do not")
    assert said.endswith(f"the worst by {points.residual_px[4]:.1f} px.") and points.residual_px[4] > 60


def test_what_somebody_marked_supports_no_area():
    shape, still = (3000, 3000), Model("translation", np.eye(3))
    found = [m for m in measured_field(lambda c: np.zeros(2), shape, 8, wrong=0.0) if m.centre_rc[1] < 1000]
    measured = collected(found, still)
    far = np.array([[100.0, 2900], [1500, 2900], [2900, 2900]])
    points = align_points.as_tie_points(align_points.together(measured, align_points.marked(far, far)), still)
    assert points.count("rejected") == 0 and points.by_hand.sum() == 3
    assert align_points.supported(points) == align_points.supported(
        align_points.as_tie_points(measured, still)
    )


def test_places_marked_by_hand_cannot_outvote_what_was_measured():
    shape, still = (800, 800), Model("translation", np.eye(3))
    found = collected(measured_field(lambda c: np.zeros(2), shape, 4, wrong=0.1), still)
    places = np.random.default_rng(3).uniform(0, 800, (5000, 2))
    both = align_points.together(found, align_points.marked(places, places + 4.0))
    assert both.weight[len(found.check) :].sum() <= found.weight.sum() * 1.001
    model = align.fit(both, still, shape, GLOBAL, "similarity").model
    middle = np.array([[400.0, 400.0]])
    assert np.abs(model.moving_from_grid(middle) - middle).max() < 4.0


def test_perspective_between_plain_pictures_is_followed_to_the_corners():
    shape = (800, 800)
    truth = np.array([[1, 0, 3.0], [0, 1, 5.0], [1e-4, 5e-5, 1]])
    start = Model("similarity", np.eye(3))
    rows, cols = np.meshgrid(np.arange(30, 800, 35.0), np.arange(30, 800, 35.0), indexing="ij")
    places = np.stack([rows.ravel(), cols.ravel()], 1)
    points = align_points.marked(places, align_fit.apply(truth, places))
    near = Model("affine", align_fit.least_squares("affine", places, points.moving_rc, np.ones(len(places))))
    fitted = align.fit(points, near, shape, SETTINGS, "similarity")
    corner = np.array([[0.0, 0.0], [799.0, 799.0]])
    assert np.abs(fitted.model.moving_from_grid(corner) - align_fit.apply(truth, corner)).max() < 0.1
    assert start.kind != fitted.model.kind == "homography"


def test_a_picture_that_is_nearly_its_own_mirror_image_is_seen_to_be_mirrored(texture):
    first, second = plane(texture), plane(np.ascontiguousarray(texture[:, ::-1]))
    ask = align.mirrored(first, second, evidence(12.0), SETTINGS, np.random.default_rng(0))
    assert "mirrored left to right" in ask.reason
    upside = plane(np.ascontiguousarray(texture[::-1]))
    assert (
        "top to bottom"
        in align.mirrored(first, upside, evidence(12.0), SETTINGS, np.random.default_rng(0)).reason
    )
    assert align.mirrored(first, first, evidence(12.0), SETTINGS, np.random.default_rng(0)) is None


def perspective(shape):
    """A map that a homography follows and an affine misses by a dozen px in the corners."""
    matrix = np.array([[1.0, 0, 2], [0, 1, 3], [1.2e-4, -0.8e-4, 1]])
    middle = (np.array(shape) - 1) / 2
    matrix[:2, 2] += (middle - align_fit.apply(matrix, middle)) * (matrix[2, :2] @ middle + 1)
    return matrix


def test_no_richer_map_is_found_on_the_reduced_images_than_is_allowed():
    ground = synthetic.textured(np.random.default_rng(5), (520, 560)).astype(np.float32)
    moving = synthetic.warp(ground, perspective(ground.shape))
    assert find(ground, moving).model == "homography"
    for asked, allowed in (
        ("affine", {"translation", "similarity", "affine"}),
        ("similarity", {"translation", "similarity"}),
        ("translation", {"translation", "similarity"}),  # to find what is turned; `fit` takes the turn out
    ):
        coarse = find(ground, moving, AlignSettings(model=asked))
        matrix = coarse.moving_from_reference
        assert coarse.model in allowed and not matrix[2, :2].any()
        if asked != "affine":
            assert matrix[0, 0] == pytest.approx(matrix[1, 1]) and matrix[0, 1] == pytest.approx(
                -matrix[1, 0]
            )


def test_what_may_be_tried_depends_on_the_georeference_and_on_the_user():
    assert align.richest_allowed(SETTINGS, georeferenced=True) == "affine"
    assert align.richest_allowed(SETTINGS, georeferenced=False) == "homography"
    for georeferenced in (True, False):
        asked = AlignSettings(model="homography")
        assert align.richest_allowed(asked, georeferenced) == "homography"
        assert align.richest_allowed(AlignSettings(model="similarity"), georeferenced) == "similarity"


@pytest.mark.parametrize("simplest", ["translation", "similarity"])
def test_few_points_are_no_way_round_the_model_asked_for(simplest):
    """And none between georeferenced images either, whatever the reduced images say."""
    points = collected([], Model("translation", np.eye(3)))
    turned = Model("similarity", rigid((800, 800), 3, 1.0, np.array([4.0, -5.0])))
    only = AlignSettings(model="translation")
    model = align.fit(points, turned, (800, 800), only, simplest).model
    assert model.kind == "translation"
    assert model.matrix == pytest.approx(np.array([[1, 0, 4.0], [0, 1, -5.0], [0, 0, 1]]))
    assert align.fit(points, turned, (800, 800), SETTINGS, simplest).model is turned
    bent = Model("homography", perspective((800, 800)))
    model = align.fit(points, bent, (800, 800), SETTINGS, simplest).model
    assert model.kind == ("affine" if simplest == "translation" else "homography")
    assert model.matrix[2, :2].any() == (simplest == "similarity")


def test_a_larger_picture_of_the_same_frame_has_not_moved():
    """Frames without georeference are compared centre on centre, in the before image's pixels."""
    double = Model("similarity", np.array([[2.0, 0, 0.5], [0, 2.0, 0.5], [0, 0, 1]]))
    before, after = np.array([511.5, 511.5]), np.array([1023.5, 1023.5])
    limited = AlignSettings(max_shift_px=5)
    assert align_judge.too_far(double, before, after, limited) is None
    moved = Model("similarity", double.matrix + np.array([[0, 0, 16.0], [0, 0, 0], [0, 0, 0]]))
    assert "by 8.0 px of the before image" in align_judge.too_far(moved, before, after, limited).reason


def test_the_reason_names_the_model_taken_and_the_next_richer_one():
    shape, still = (800, 800), Model("translation", np.eye(3))
    turned = measured_field(lambda c: np.array([0.004, -0.004]) * (c - 400)[::-1], shape, 1)
    said = align.fit(collected(turned, still), still, shape, GLOBAL, "translation").reason.split("; ")
    assert said[0].startswith("a similarity changes the residual of points left out by -")
    assert said[0].endswith("against a translation") and said[1].startswith("an affine changes")
    only = AlignSettings(model="translation", local=False)
    said = align.fit(collected(turned, still), still, shape, only, "translation").reason
    assert said == "a translation is the simplest that is tried; no richer global model is allowed"


def test_a_refusal_names_the_local_field_and_the_model_asked_for():
    model = Model("local", np.eye(3))
    points = collected(measured_field(lambda c: np.full(2, 9.0), (300, 300), 7), model)
    judged = align.with_full(evidence(0.0), points, model, search=8)
    why = align_judge.disagreement(judged, points, model, {}, AlignSettings(model="translation"))
    assert "of the local field (--model translation allows no richer global model)" in why.reason
