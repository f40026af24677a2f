"""The page: one file, nothing from outside, hostile words stay words, and the vocabulary is kept."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import scenes
import wording_lint

from damagediff import (
    detection,
    detection_fit,
    figures,
    notes,
    outcome,
    outputs,
    regions,
    report,
    report_change,
    summary,
    types,
)
from damagediff import trust as trust_room
from damagediff.ordinary import Null, NullName, Ordinary
from damagediff.provenance import FileFacts

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'-alert(1)-'",
    "</style><svg onload=alert(1)>",
    "</title><iframe src=javascript:alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:alert(1)",
)
ORDINARY = Ordinary(
    "structural",
    9,
    1_200_000,
    tuple(
        Null(name, 3, 1_200_000, 3, (1, 6), (), "older.tif" if name == "baselines" else "")
        for name in get_args(NullName)
    ),
    "",
)
VOID = {"meta", "img", "input", "br", "hr", "link", "rect", "use"}


class Page(HTMLParser):
    """Elements with their attributes, and the text that a reader sees."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.seen: list[str] = []
        self.raw: dict[str, str] = {}
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] in ("script", "style"):
            self.raw[self._open[-1]] = data
        else:
            self.seen.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.seen).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def page(comparison: types.Comparison) -> Page:
    return Page(report.html(comparison))


def test_one_file_without_anything_from_outside() -> None:
    found = page(scenes.comparison())
    for tag, attributes in found.elements:
        assert not [name for name in attributes if name.startswith("on") or name == "style"], tag
        for name in ("src", "href", "action", "data", "poster", "srcset"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:image/", "#")), (tag, value)
    assert not found.all("link") and not found.all("iframe")
    assert "http" not in report.html(scenes.comparison()).replace('http-equiv="Content-Security-Policy"', "")


def test_the_policy_allows_only_our_style_and_script() -> None:
    found = page(scenes.comparison())
    policy = next(m["content"] for m in found.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None and policy.startswith("default-src 'none'; img-src data:;")
    for kind, tag in (("style-src", "style"), ("script-src", "script")):
        digest = base64.b64encode(hashlib.sha256(found.raw[tag].encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    assert len(found.all("script")) == len(found.all("style")) == 1


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_words_stay_words(hostile: str) -> None:
    good = scenes.comparison(buildings=scenes.buildings((320, 480)), notes=("note",))
    good = dataclasses.replace(good, case=dataclasses.replace(good.case, footprints=Path("f.geojson")))
    bad = scenes.hostile(good, hostile)
    before = {tag for tag, _ in page(good).elements}
    found = page(bad)
    assert {tag for tag, _ in found.elements} <= before
    assert len(found.all("script")) == 1 and len(found.all("style")) == 1
    assert not [a for _, attributes in found.elements for a in attributes if a.startswith("on")]
    assert hostile in "".join(found.seen)


def test_the_first_screen_says_what_was_found_and_how_surely() -> None:
    comparison = scenes.comparison()
    words = page(comparison).words
    for text in (
        "A town, seen twice",
        "between 2020-10-04 07:52 UTC and 2020-10-13 07:49 UTC (9 days)",
        "9 regions of visible change",
        "3 regions of other change",
        "of the area analysed",
        "not measured in this version",
        "What this cannot tell",
        f"evidence id {outputs.evidence_id(comparison)}",
    ):
        assert text in words, text
    assert words.index("What this cannot tell") < words.index("Can the pair be trusted?")


def test_the_slider_is_a_native_one_with_a_name() -> None:
    inputs = page(scenes.comparison()).all("input")
    (slider,) = (attributes for attributes in inputs if attributes.get("class") == "swipe-range")
    assert (
        slider["type"] == "range" and slider["aria-label"] and (slider["min"], slider["max"]) == ("0", "100")
    )


def test_every_picture_has_words_and_every_table_heads() -> None:
    found = page(scenes.comparison())
    assert len(found.all("img")) == 2 + 2 * 6 + 1
    assert all(image["alt"] for image in found.all("img"))
    assert all(head.get("scope") for head in found.all("th"))
    assert found.all("html")[0]["lang"] == "en"
    ids = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    named = {a["aria-labelledby"] for _, a in found.elements if "aria-labelledby" in a}
    assert named <= set(ids)


def test_each_region_can_be_shown() -> None:
    comparison = scenes.comparison()
    found = page(comparison)
    ids = {str(region.id) for region in comparison.regions}
    assert {button["data-region"] for button in found.all("button") if "data-region" in button} == ids
    assert {group["data-box"] for group in found.all("g") if "data-box" in group} == ids
    assert regions.FLAGS["at image edge"] in found.words


def test_places_are_in_degrees_or_pixels() -> None:
    assert re.search(r"40\.\d{5}° N, 47\.\d{5}° E", page(scenes.comparison()).words)
    assert re.search(r"row \d+, column \d+", page(scenes.comparison(georeferenced=False)).words)


def test_a_refused_pair_is_not_comparable_and_says_why() -> None:
    comparison = scenes.comparison(accepted=False)
    found = page(comparison)
    assert "not comparable" in found.words and comparison.alignment.reason in found.words
    assert "Refused." in found.words and "6 of 180" in found.words
    assert len(found.all("input")) == 0 and not found.all("rect")
    assert "Change in numbers" not in found.words and "Regions one by one" not in found.words
    assert [image["alt"] for image in found.all("img")][0].startswith("The place before")


def test_nothing_found_is_not_nothing_changed() -> None:
    words = page(scenes.comparison(count=0)).words
    assert "No region of change of at least 100 m²" in words and "is not shown to be unchanged" in words


def half_agreeing(comparison: types.Comparison) -> types.Comparison:
    """The same with ten of its twenty held-out points rejected."""
    points = comparison.alignment.tie_points
    held = points.held_out.cumsum()
    roles = tuple(
        "rejected" if out and n % 2 else r
        for r, out, n in zip(points.role, points.held_out, held, strict=True)
    )
    points = dataclasses.replace(points, role=roles)
    alignment = dataclasses.replace(comparison.alignment, tie_points=points, ce90_held_out_px=22.0)
    return dataclasses.replace(comparison, alignment=alignment)


def test_errors_say_of_how_many_points_they_are() -> None:
    comparison = half_agreeing(scenes.comparison())
    words = page(comparison).words
    assert (
        "10 of 20 held-out points lie within 3 px of the model; of those RMSE 0.42 px (0.21 m), "
        "CE90 0.66 px (0.33 m); of all held-out points CE90 22 px (11 m)." in words
    )
    assert "not the error on the ground" in words and "94.0 % of the grid; outside it nothing" in words
    told = outputs.results(comparison)["alignment"]
    assert (told["held_out"], told["held_out_agreeing"], told["ce90_held_out_px"]) == (20, 10, 22.0)
    assert len(told["supported_rc"]) == 5
    assert "10 of 20 check points that agree" in " ".join(figures.footer(comparison))


def test_the_smallest_region_is_the_one_that_can_be_reported() -> None:
    told = outputs.results(scenes.comparison())["change"]
    assert told["min_region_px"] == 400 and told["min_region_m2"] == 100
    assert outputs.results(scenes.comparison(georeferenced=False))["change"]["min_region_m2"] is None


def below_the_limit() -> types.Comparison:
    """Aligned, but too little alike: a mask of 255 and no regions."""
    good = scenes.comparison(count=0)
    assert good.change is not None
    change = dataclasses.replace(
        good.change, comparability=0.03, changed=np.full_like(good.change.changed, types.NOT_ANALYSED)
    )
    checks = (good.trust.checks[0], dataclasses.replace(good.trust.checks[1], measured=0.03, passed=False))
    return dataclasses.replace(good, change=change, trust=types.Trust("not comparable", checks))


def test_too_little_resemblance_says_nothing_of_change() -> None:
    comparison = below_the_limit()
    words = page(comparison).words
    assert "nothing is said about change: they resemble each other hardly more" in words
    assert "comparability 0.030, at least 0.08 is asked" in words and "No region of" not in words


def test_a_refused_pair_shows_each_picture_in_its_own_frame() -> None:
    refused = scenes.comparison(accepted=False, georeferenced=False)
    small = dataclasses.replace(
        refused.pictures, after=refused.pictures.after[:100, :300], after_reduction=4.0
    )
    found = page(dataclasses.replace(refused, pictures=small))
    sizes = [(image["width"], image["height"]) for image in found.all("img")[:2]]
    assert sizes == [("480", "320"), ("300", "100")] and not found.all("input")
    assert "before at full resolution, after reduced 4.00 times" in found.words
    assert "in its own frame" in found.words
    assert "as their georeferences place them" in page(scenes.comparison(accepted=False)).words


def test_the_finding_comes_before_the_notes() -> None:
    words = page(scenes.comparison(notes=("an oddity of the file",))).words
    assert words.index("regions of visible change") < words.index("an oddity of the file")


def test_a_part_that_was_not_analysed_is_told_with_the_finding() -> None:
    found = scenes.comparison()
    few, much = found.change.changed.copy(), found.change.changed.copy()
    few[1:8], much[:16] = 0, types.NOT_ANALYSED
    for cells, told in ((few, False), (much, True)):
        change = dataclasses.replace(found.change, changed=cells)
        first = page(dataclasses.replace(found, change=change)).words.split("What this cannot tell")[0]
        assert ("20 % of the scene was not analysed." in first, "was not analysed." in first) == (
            told,
            told,
        )


def test_what_one_file_tells_is_said_once() -> None:
    found = scenes.comparison(file_facts=(FileFacts((("Software", "GIMP"),)),) * 2)
    told = "What the after file tells of itself"
    assert told in page(found).words
    after = dataclasses.replace(found.pair.after, sha256=found.pair.before.sha256)
    one = dataclasses.replace(found, pair=dataclasses.replace(found.pair, after=after))
    assert told not in page(one).words and "is of the same file" in page(one).words


def test_a_credit_is_never_cut() -> None:
    credit = "© Provider, " * 24 + "CC BY 4.0"
    assert len(credit) > 290 and summary.credit(credit) == credit


def test_of_unknown_dates_no_change_is_presumed() -> None:
    words = page(scenes.comparison(accepted=False, dated=False)).words
    assert "when anything changed cannot be told" in words


def test_notes_of_both_files_are_one() -> None:
    pair = scenes.comparison().pair
    tag = "TIFFTAG_DATETIME"
    when = dataclasses.replace(pair.before.acquisition, source=tag)
    said = (f"{tag} names no zone.", f"{tag} may be of processing.")
    before = dataclasses.replace(pair.before, acquisition=when, notes=(*said, "Turned."))
    after = dataclasses.replace(pair.after, acquisition=when, notes=said)
    assert notes.of_pair(dataclasses.replace(pair, before=before, after=after)) == (
        f"both files: {said[0]} {said[1]}",
        "before.tif: Turned.",
    )


def test_characters_that_the_figures_lack_are_named() -> None:
    comparison = scenes.comparison()
    case = dataclasses.replace(comparison.case, title="甘哲")
    lacking = dataclasses.replace(comparison, case=case)
    assert "characters of the title cannot be drawn" in page(lacking).words
    assert "some characters of the title cannot be drawn here: see report.html" in figures.footer(lacking)
    assert "cannot be drawn" not in page(comparison).words


def test_doubt_is_written_once_it_is_measured() -> None:
    good = scenes.comparison()
    trust = dataclasses.replace(
        good.trust,
        detection_limit_px=12.0,
        detection_limit_m=6.0,
        false_alarms_per_megapixel=2.4,
        false_alarms_per_megapixel_interval=(1.1, 4.9),
        ordinary=ORDINARY,
    )
    told = tuple(dataclasses.replace(region, ordinary_chance=0.12) for region in good.regions)
    words = page(dataclasses.replace(good, trust=trust, regions=told)).words
    assert "12 px (6.0 m) across or more, nine in ten would be found" in words
    assert "About 3 (1 to 6) of the 9 regions" in words
    assert "2.4 (1.1 to 4.9)" in words and "not measured" not in words
    assert "In an area of this size ordinary change alone gives about 3 (1 to 6) regions" in words
    assert "the one that this report goes by" in words and "older.tif" in words
    assert "Ordinary change is unlikely here: about 10 %" in words
    assert not wording_lint.of_page(report.html(dataclasses.replace(good, trust=trust, regions=told)))


@pytest.mark.parametrize("accepted", [True, False])
@pytest.mark.parametrize("dated", [True, False])
@pytest.mark.parametrize("count", [0, 12])
def test_the_tool_keeps_its_vocabulary(accepted: bool, dated: bool, count: int) -> None:
    assert not wording_lint.of_page(
        report.html(scenes.comparison(accepted=accepted, dated=dated, count=count))
    )


def test_synthetic_pictures_say_so() -> None:
    assert "SYNTHETIC" in page(scenes.comparison(notes=("A synthetic scene.",))).words
    assert "SYNTHETIC" not in page(scenes.comparison()).words


def test_buildings_are_counted_and_listed() -> None:
    comparison = scenes.comparison(buildings=scenes.buildings((320, 480)))
    case = dataclasses.replace(comparison.case, footprints=Path("f.geojson"))
    words = page(dataclasses.replace(comparison, case=case)).words
    assert (
        "Of 3 footprints: 1 visible change, 0 possible change, 1 no visible change above the limit, "
        "1 not analysed. No grade is given" in words
    )
    assert "taken where their file puts them" in words and "(scale: none chosen )" in words
    assert "it was seen" in words
    assert "Buildings" not in page(comparison).words


def test_changed_settings_stand_out() -> None:
    comparison = scenes.comparison()
    changed = comparison.settings | {"align": comparison.settings["align"] | {"window_px": 96}}
    found = page(dataclasses.replace(comparison, settings=changed))
    assert [row["class"] for row in found.all("tr") if "changed" in (row.get("class") or "")] == ["changed"]
    assert "align.window_px 96 128" in found.words


def test_the_page_repeats_byte_for_byte(tmp_path: Path) -> None:
    report.write(scenes.comparison(), tmp_path)
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == report.html(scenes.comparison())


def test_cloud_is_told_to_every_reader() -> None:
    found = scenes.comparison()
    change = dataclasses.replace(
        found.change, sight=outcome.Sight(cloud_before=0.004, cloud_after=0.13, saturated_after=0.0)
    )
    assert not notes.of_pair(found.pair, found.change)
    (told,) = notes.of_pair(found.pair, change)
    assert told.startswith(f"{found.pair.after.name}: 13 % of it looks like cloud")
    rows = dict(report_change.change_part(dataclasses.replace(found, change=change)))
    assert rows["Looks like cloud or haze, at least"].startswith("0.4 % of the before image, 13 % of the")
    assert "0 % of the after image" in rows["As bright as the file allows"]


def test_two_identical_files_say_so_first() -> None:
    found = scenes.comparison()
    same = dataclasses.replace(found.pair, after=found.pair.before)
    words = page(dataclasses.replace(found, pair=same)).words
    assert "one picture twice" in words and "regions of visible change" not in words


def test_features_that_are_no_footprints_are_told() -> None:
    count = types.FootprintCount(used=3, not_polygons=2, off_images=1)
    found = scenes.comparison(buildings=scenes.buildings((320, 480)), footprint_count=count)
    found = dataclasses.replace(found, case=dataclasses.replace(found.case, footprints=Path("b.geojson")))
    told = "Not counted: 2 features without a polygon and 1 feature off the images."
    assert told in page(found).words
    assert json.loads(outputs.results_json(found))["footprints"]["not_polygons"] == 2
    twice = dataclasses.replace(found, footprint_count=types.FootprintCount(3, 0, 0, 2, 1))
    assert "2 footprints share an id with another one. 1 footprint without an id:" in page(twice).words
    assert json.loads(outputs.results_json(twice))["footprints"]["ids_repeated"] == 2
    all_used = dataclasses.replace(found, footprint_count=types.FootprintCount(3, 0, 0))
    assert "Not counted" not in page(all_used).words


def detection_of(found: int, places: str = "anywhere") -> detection.Detection:
    """Eight sizes of rubble and of repaint, `found` of each ten found, with an example."""
    tallies = tuple(detection.Tally(size, 10, found, found // 2, 0) for size in (8, 16, 24, 32, 64))
    fit = detection_fit.fit([t.size_px for t in tallies], [10] * 5, [t.found for t in tallies])
    picture = np.zeros((3, 96, 96), np.uint8)
    example = detection.PlantedExample("rubble", 24, True, picture, picture + 200)
    curves = tuple(
        detection.DetectionCurve(kind, kind == "repaint", tallies, fit, fit, fit)
        for kind in ("rubble", "repaint")
    )
    return detection.Detection(curves, "", places, (example,))


def with_detection(found: detection.Detection) -> types.Comparison:
    good = scenes.comparison()
    trust = trust_room.with_detection(good.trust, found, good.pair.grid)
    return dataclasses.replace(good, trust=trust, buildings=scenes.buildings(good.pair.grid.shape))


def test_the_detection_limit_is_told_with_counts_and_a_figure() -> None:
    comparison = with_detection(detection_of(10, "<b>anywhere</b>"))
    told = page(comparison)
    assert "10 buildings turned to rubble of 64 px (32 m) across that were drawn, 10 were found" in told.words
    assert "SYNTHETIC: none of it is real" in told.words and "<b>anywhere</b>" in told.words
    assert "which are harmless" in told.words and "planted change" in told.words
    assert not wording_lint.of_page(report.html(comparison))
    assert comparison.verdict == "comparable"


def test_a_pair_on_which_nothing_is_found_says_so_everywhere() -> None:
    case = dataclasses.replace(scenes.comparison().case, footprints=Path("footprints.geojson"))
    comparison = dataclasses.replace(with_detection(detection_of(1)), case=case)
    words = page(comparison).words
    assert "Change of any size can be missed here" in words
    assert "a building of any size turned to rubble can be missed" in words
    assert "cannot be said: even of the largest, 64 px, 1 of 10 were found" in words
    assert comparison.verdict == "comparable with reservations"
    told = outputs.results(comparison)["trust"]
    assert (
        told["detection_limit_px"] is None and told["detection"]["curves"][0]["tallies"][0]["planted"] == 10
    )
    assert "examples" not in told["detection"]


def test_a_skipped_self_test_is_told_as_skipped() -> None:
    words = page(
        with_detection(detection.Detection(reason="skipped at the user's wish (--no-selftest)"))
    ).words
    assert "was not measured: skipped at the user's wish (--no-selftest)" in words
    assert "Not measured: skipped" in words
