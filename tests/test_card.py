"""The comparability card: sun, event, JPEG tables, softness, tones, shadows, and the table of the verdict."""

import dataclasses
import io
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest
import scenes
from PIL import Image as PillowImage

from damagediff import (
    bracket,
    card,
    jpeg_tables,
    raster,
    report_card,
    settings,
    shadows,
    sharpness,
    sun,
    synthetic,
    tags,
    tones,
    trust,
    types,
    wording,
)
from damagediff.detection import Detection
from damagediff.doubt import WEIGHT
from damagediff.looks import Look, Looks, Shadows


def when(text, precision="day"):
    return types.Acquisition(datetime.fromisoformat(text).replace(tzinfo=UTC), precision, "command line")


UNKNOWN = types.Acquisition(None, "day", "not known")

# ---- the sun


def test_the_sun_is_where_the_published_example_of_the_solar_position_algorithm_has_it():
    """Reda and Andreas (2004), table A5.1, before refraction."""
    found = sun.position(datetime(2003, 10, 17, 19, 30, 30, tzinfo=UTC), -105.1786, 39.742476)
    assert found.azimuth_deg == pytest.approx(194.340241, abs=0.001)
    assert found.elevation_deg == pytest.approx(39.872046, abs=0.003)  # its observer stands 1,830 m high


@pytest.mark.parametrize(("lat", "azimuth"), [(50.0, 180.0), (-50.0, 0.0)])
def test_at_noon_the_sun_stands_over_the_equator_s_side(lat, azimuth):
    noon = max(
        (sun.position(datetime(2024, 6, 21, 12, minute, tzinfo=UTC), 0.0, lat) for minute in range(0, 10)),
        key=lambda found: found.elevation_deg,
    )
    assert sun.apart_deg(noon.azimuth_deg, azimuth) < 1
    assert noon.elevation_deg == pytest.approx(90 - abs(lat - 23.44), abs=0.1)


def test_directions_are_apart_the_short_way_round():
    assert sun.apart_deg(350, 10) == 20 and sun.apart_deg(10, 350) == 20 and sun.apart_deg(0, 180) == 180


# ---- the event


@pytest.mark.parametrize(
    ("event", "passed", "measured", "words"),
    [
        (when("2020-10-11"), True, 2.0, "7 days after the before image and 2 days before the after image"),
        (when("2020-10-04"), None, 0.0, "as the before image"),
        (when("2020-10-13"), None, 0.0, "as the after image"),
        (when("2020-10-03"), False, -1.0, "1 day before the before image"),
        (when("2020-11-13"), False, -31.0, "31 days after the after image"),
        (None, None, None, "no event date"),
    ],
)
def test_the_bracket_holds_the_event_or_says_why_not(event, passed, measured, words):
    check = bracket.check(when("2020-10-04T07:52", "minute"), when("2020-10-13"), event)
    assert check.passed is passed and check.measured == measured and words in check.detail


def test_an_hour_counts_where_all_times_are_known_to_it():
    before, after = when("2020-10-11T07:00", "minute"), when("2020-10-11T09:30", "minute")
    check = bracket.check(before, after, when("2020-10-11T08:00", "minute"))
    assert check.passed and "1 h 00 min after" in check.detail and "1 h 30 min before" in check.detail
    assert bracket.check(before, after, when("2020-10-11T06:59", "minute")).passed is False
    assert bracket.check(before, after, when("2020-10-11")).passed is None


def test_a_day_by_a_clock_without_a_zone_may_be_the_next_one():
    after = dataclasses.replace(when("2020-10-13"), zone_stated=False)
    for day, passed in (
        ("2020-10-14", None),
        ("2020-10-12", None),
        ("2020-10-15", False),
        ("2020-10-11", True),
    ):
        assert bracket.check(when("2020-10-04"), after, when(day)).passed is passed
    assert "order not known" in wording.bracket(when("2020-10-14"), after)


def test_a_missing_date_leaves_the_event_open_unless_the_other_excludes_it():
    assert bracket.check(UNKNOWN, when("2020-10-13"), when("2020-10-11")).passed is None
    assert bracket.check(UNKNOWN, when("2020-10-13"), when("2020-10-14")).passed is False


def test_a_date_of_processing_excludes_no_event_that_an_older_image_would_hold():
    """A screenshot may be older than its date by years; but no image was taken after it was saved."""
    saved = dataclasses.replace(when("2024-05-01"), may_be_processing=True)
    early, late, event = when("2020-10-04"), when("2020-10-13"), when("2020-10-11")
    for before, after, side in ((saved, saved, "before"), (early, saved, "after")):
        check = bracket.check(before, after, event)
        assert check.passed is None and check.measured is None
        assert f"date of the {side} image may be that of processing" in check.detail
    seen = dataclasses.replace(early, may_be_processing=True)
    assert bracket.check(seen, late, event).passed is True
    assert bracket.check(early, dataclasses.replace(late, may_be_processing=True), saved).passed is False


def test_dates_the_other_way_round_hold_no_event():
    check = bracket.check(when("2020-10-13"), when("2020-10-04"), when("2020-10-11"))
    assert check.passed is False and "other way round" in check.detail


# ---- JPEG


@pytest.mark.parametrize("quality", [5, 25, 49, 50, 75, 90, 95, 100])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_the_quality_of_a_jpeg_is_read_from_its_tables(tmp_path, quality, mode):
    path = tmp_path / "a.jpg"
    PillowImage.fromarray(scenes.picture((64, 64))).convert(mode).save(path, quality=quality)
    assert jpeg_tables.quality(path) == quality


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8",
        b"\xff\xd8\xff\xdb\x00\x43",
        b"\xff\xd8\xff\xdb\xff\xff" + b"\0" * 70,
        b"\xff\xd8\xff\xdb\x00\x05\x2f\x01\x01\xff\xda\x00\x02",
        b"\xff\xd8" + b"\xff\xe0\x00\x02" * 5000,
    ],
    ids=["empty", "png", "cut", "cut_table", "long_segment", "unknown_width", "endless_segments"],
)
def test_a_head_without_a_table_tells_no_quality(tmp_path, data):
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    assert jpeg_tables.quality(path) is None


@pytest.mark.parametrize(
    ("said", "angle"),
    [
        ({"OFF_NADIR": "28.43"}, 28.43),
        ({"MEANOFFNADIRVIEWANGLE": "10"}, 10.0),
        ({"VIEW:OFF_NADIR": "-5.5"}, 5.5),
        ({"OFF_NADIR_ANGLE": "nan"}, None),
        ({"OFF_NADIR_ANGLE": "9" * 400}, None),
        ({"OFF_NADIR_ANGLE": "120"}, None),
        ({"COMMENT": "off nadir 12"}, None),
    ],
)
def test_the_angle_of_view_is_taken_from_tags_that_name_it(said, angle):
    assert tags.off_nadir_deg(said) == angle


# ---- softness


def town_piece(seed=3, side=160):
    view = synthetic.View(sun_azimuth_deg=150, sun_elevation_deg=45)
    surface = synthetic.surface(synthetic.town(np.random.default_rng(seed), (side, side), 0.5), 0.5)
    return synthetic.expose(
        synthetic.render(surface, view), np.eye(3), (side, side), view, np.random.default_rng(1)
    )


@pytest.fixture(scope="module")
def piece():
    return town_piece().mean(0).astype(np.float32)


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.0])
def test_a_known_blur_is_measured_and_signed(piece, sigma):
    soft = cv2.GaussianBlur(piece, (0, 0), sigma)
    assert sharpness.relative(piece, soft) == pytest.approx(sigma, abs=0.12)
    assert sharpness.relative(soft, piece) == pytest.approx(-sigma, abs=0.12)


def test_brightness_and_contrast_are_no_blur(piece):
    assert abs(sharpness.relative(piece, 0.5 * piece + 60)) < 0.1


def test_flat_pictures_tell_no_blur(piece):
    assert sharpness.relative(piece, np.full_like(piece, 90)) is None
    assert sharpness.together([]) is None


# ---- tones


def look_of(rgb):
    data = np.ascontiguousarray(rgb).astype(np.float32)
    found = tones.gather(data, np.ones(data.shape[1:], bool), data.mean(0))
    return tones.look([found], whole_numbers=True)


def compressed(rgb, quality):
    target = io.BytesIO()
    PillowImage.fromarray(rgb.transpose(1, 2, 0)).save(target, "JPEG", quality=quality)
    return np.array(PillowImage.open(target)).transpose(2, 0, 1)


def test_blocks_of_compression_grow_with_it():
    rgb = town_piece()
    plain, fair, poor = (look_of(x).blocking for x in (rgb, compressed(rgb, 70), compressed(rgb, 15)))
    assert plain < tones.MIN_BLOCKING < fair < poor


def test_haze_lifts_the_darkest_and_clipping_fills_the_ends():
    rgb = town_piece()
    clear, veiled = look_of(rgb), look_of((0.5 * rgb + 100).astype(np.uint8))
    assert veiled.haze > clear.haze + 0.2
    bright = look_of(np.clip(rgb.astype(float) * 3, 0, 255).astype(np.uint8))
    assert bright.clipped > 0.15 > clear.clipped


def test_nothing_usable_tells_nothing():
    assert (
        tones.gather(np.zeros((3, 64, 64), np.float32), np.zeros((64, 64), bool), np.zeros((64, 64))) is None
    )
    assert tones.look([], True) == Look()


# ---- shadows


SAMPLES = Path(__file__).parents[1] / "sample_images"


@pytest.fixture(scope="module")
def sample_windows():
    """Windows of the sample before image, whose sun is known."""
    source = types.Source(SAMPLES / "ganja_before.tif")
    image = raster.inspect(source, settings.ReadSettings())
    side = shadows.SIDE_PX
    with raster.Reader(image, ("red", "green", "blue")) as reader:
        return [
            reader.read(types.Window(row, col, side, side))[0]
            for row in range(0, 1400 - side, side)
            for col in range(0, 1440 - side, side)
        ]


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_shadows_are_found_where_they_fall(sample_windows, quarters):
    truth = json.loads((SAMPLES / "ganja_truth.json").read_text(encoding="utf-8"))
    azimuth = truth["sun_grid_azimuth_elevation_deg"][0][0]
    turned = [np.rot90(rgb, quarters, axes=(1, 2)) for rgb in sample_windows]
    seen = shadows.direction([shadows.votes(rgb, np.ones(rgb.shape[1:], bool)) for rgb in turned])
    assert sun.apart_deg(seen.towards_deg, azimuth + 180 - 90 * quarters) < 25


def test_what_has_no_sunny_side_gives_no_direction():
    rng = np.random.default_rng(2)
    noise = [rng.uniform(0, 255, (3, shadows.SIDE_PX, shadows.SIDE_PX)).astype(np.float32) for _ in range(16)]
    votes = [shadows.votes(rgb, np.ones(rgb.shape[1:], bool)) for rgb in noise]
    assert shadows.direction(votes) is None
    assert shadows.direction(votes[:3]) is None
    assert shadows.votes(noise[0], np.zeros(noise[0].shape[1:], bool)) is None


def stated(towards_deg, azimuth_deg=160.0, elevation_deg=40.0, north_deg=0.0):
    looks = Looks(before=Look(shadows=None if towards_deg is None else Shadows(towards_deg, 5.0, 8.0, 40)))
    facts = card.Facts(looks, (sun.Sun(azimuth_deg, elevation_deg), None), north_deg)
    return {c.name: c for c in card.checks(scenes.comparison().pair, None, facts)}["shadows before"]


@pytest.mark.parametrize(
    ("towards_deg", "passed", "words"),
    [
        (340, True, "agree"),
        (5, True, "agree"),
        (25, None, "cannot tell"),
        (70, False, "contradict"),
        (165, None, "cannot tell"),
        (None, None, "cannot tell"),
    ],
)
def test_the_stated_time_agrees_contradicts_or_cannot_be_told(towards_deg, passed, words):
    check = stated(towards_deg)
    assert check.passed is passed and check.detail.startswith(words)


def test_the_grid_s_north_is_turned_to_true_north():
    assert stated(340 - 50, north_deg=50.0).passed is True


def test_without_north_no_direction_is_held_against_the_sun():
    check = stated(340, north_deg=None)
    assert check.passed is None and "north" in check.detail


def test_a_picture_in_daylight_is_not_of_the_night_and_high_sun_tells_nothing():
    assert stated(340, elevation_deg=-20).passed is False
    assert stated(340, elevation_deg=5).passed is None and stated(340, elevation_deg=80).passed is None


# ---- card and verdict


def checks(**looks):
    return {c.name: c for c in card.checks(scenes.comparison().pair, None, card.Facts(Looks(**looks)))}


def test_the_card_asks_what_it_can_and_says_what_it_cannot():
    found = checks(blur_px=-1.4, before=Look(haze=0.1, clipped=0.2, blocking=0.5), after=Look(haze=0.3))
    assert found["sharpness"].passed is False and "before image is the softer" in found["sharpness"].detail
    assert found["clipped pixels"].passed is False and found["JPEG blocks"].passed is False
    assert found["haze"].passed is False and "once a JPEG" in found["JPEG blocks"].detail
    assert found["sun height"].passed is None and found["sun height"].detail


def test_the_season_counts_days_of_the_year():
    pair = scenes.comparison().pair
    for first, second, days in (("2019-12-20", "2021-01-04", 15.8), ("2020-04-01", "2020-10-01", 182.2)):
        both = [
            dataclasses.replace(image, acquisition=when(text))
            for image, text in ((pair.before, first), (pair.after, second))
        ]
        dated = dataclasses.replace(pair, before=both[0], after=both[1])
        season = {c.name: c for c in card.checks(dated, None, card.Facts())}["season"]
        assert season.measured == pytest.approx(days, abs=0.6) and season.passed is (days < 45)


def check(name, passed):
    return types.Check(name, "?", 1.0, 1.0, "", passed)


@pytest.mark.parametrize("name", sorted(WEIGHT))
def test_the_verdict_follows_the_table(name):
    others = tuple(check(other, True) for other in WEIGHT if other != name)
    expected = {
        "deciding": "not comparable",
        "reservation": "comparable with reservations",
        "information": "comparable",
    }
    assert trust.verdict((*others, check(name, False))) == expected[WEIGHT[name]]
    assert trust.verdict((*others, check(name, None))) == "comparable"


def test_the_report_tells_on_which_side_of_its_limit_a_check_passes():
    found = checks(blur_px=-1.4)["sharpness"]
    comparison = scenes.comparison()
    shown = report_card.card(
        dataclasses.replace(comparison, trust=types.Trust("comparable with reservations", (found,)))
    )
    assert shown["checks"][0]["limit"] == "at most 1" and "1.4 px" in shown["failed"][0]
    share = types.Check("comparability", "Alike?", 0.05, 0.08, "1 - median / ceiling", False)
    shown = report_card.card(dataclasses.replace(comparison, trust=types.Trust("not comparable", (share,))))
    assert "Measured 0.05 (1 - median / ceiling), asked at least 0.08." in shown["failed"][0]
    assert set(WEIGHT) >= report_card.AT_MOST | report_card.MORE_THAN


def test_every_check_has_its_weight_and_every_weight_its_check():
    comparison = scenes.comparison()
    found = trust.judge(comparison.pair, comparison.alignment, comparison.change, 0.9, 0.08)
    found = trust.with_detection(found, Detection(), comparison.pair.grid)
    assert {c.name for c in found.checks} == set(WEIGHT)


def test_the_docs_print_the_table_of_the_verdict():
    text = (Path(__file__).parents[1] / "docs" / "reading-a-report.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|]+?) \| (deciding|reservation|information) \|", text, re.MULTILINE)
    assert rows == list(WEIGHT.items())


def test_what_could_not_be_asked_is_said():
    comparison = scenes.comparison()
    found = trust.judge(comparison.pair, comparison.alignment, comparison.change, 0.9, 0.08)
    shown = report_card.card(dataclasses.replace(comparison, trust=found))
    unasked = [c.name for c in found.checks if c.passed is None]
    assert unasked and all(name in shown["unasked"] for name in unasked)
    rows = {row["name"]: row for row in shown["checks"]}
    assert rows["sun height"]["result"] == report_card.NOT_ASKED
    assert shown["event"] is None


def test_the_report_says_where_the_event_lies():
    comparison = scenes.comparison()
    pair = comparison.pair
    facts = card.Facts(event=pair.after.acquisition)
    found = trust.judge(pair, comparison.alignment, comparison.change, 0.9, 0.08, facts)
    told = report_card.card(dataclasses.replace(comparison, trust=found))["event"]
    assert told is not None and wording.date_iso(pair.after.acquisition) in told and "cannot be told" in told


def test_a_picture_in_daylight_was_not_taken_at_night():
    night, day = sun.Sun(280.0, -5.0), sun.Sun(150.0, 40.0)
    for suns in ((night, day), (day, night), (night, night)):
        found = {c.name: c for c in card.checks(scenes.comparison().pair, None, card.Facts(suns=suns))}
        assert found["sun height"].passed is False and "under the horizon" in found["sun height"].detail
        assert found["sun direction"].passed is None
