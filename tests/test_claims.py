"""Claims are quoted and set apart; beside them stands only what was measured, and reviewers' findings."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import scenes
import wording_lint

from damagediff import bracket, case_files, claim_facts, grid, report, saved, types
from damagediff.judged import Judgement, Review

SMALL = (96, 144)
HOSTILE = '</blockquote><script>alert(1)</script><img src=x onerror="alert(1)">{{ 7 * 7 }}'
BEFORE, AFTER = datetime(2020, 10, 4, 7, 52, tzinfo=UTC), datetime(2020, 10, 13, 7, 49, tzinfo=UTC)


def claimed(found: types.Comparison, *texts: str, **changes: object) -> types.Comparison:
    claims = tuple(types.Claim(text, "a post") for text in texts)
    case = dataclasses.replace(found.case, claims=claims, **changes)
    return dataclasses.replace(found, case=case)


def facts(found: types.Comparison) -> dict[str, str]:
    return dict(claim_facts.facts(found))


def test_no_section_without_claims() -> None:
    assert 'id="claims"' not in report.html(scenes.comparison(SMALL))


def test_claims_are_quoted_as_they_are() -> None:
    html = report.html(claimed(scenes.comparison(SMALL), HOSTILE, "Heç nə olmayıb. لم يحدث شيء"))
    assert html.count("<script>") == 1 and "<img src=x" not in html and "49}" not in html
    assert "Heç nə olmayıb. لم يحدث شيء" in " ".join(wording_lint.Own(html).quoted)
    assert (
        html.count("<blockquote") == 2 == html.count("Supports, contradicts, or cannot tell: not said yet.")
    )


def test_a_claim_on_a_refused_pair_is_told_that_nothing_is_said() -> None:
    found = claimed(scenes.comparison(SMALL, accepted=False), "A roof is gone.")
    told = facts(found)
    assert "nothing is said about change" in told["Change"]
    assert "inside the pictures, but nothing is said about change" in at(found, 40, 40)
    assert not [name for name in told if name.startswith("Regions")]
    assert 'data-kind="claim"' in report.html(found)


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (None, "No event date was stated"),
        (datetime(2020, 10, 11, tzinfo=UTC), "lies between the images: stated 2020-10-11"),
        (datetime(2020, 10, 20, tzinfo=UTC), "does NOT lie between the images"),
        (datetime(2020, 10, 4, tzinfo=UTC), "can neither be placed between"),
    ],
)
def test_the_bracket_is_held_against_the_event(event: datetime | None, words: str) -> None:
    found = claimed(scenes.comparison(SMALL), "It was then.", event=event)
    pair = found.pair
    when = None if event is None else types.Acquisition(event, "day", "stated")
    check = bracket.check(pair.before.acquisition, pair.after.acquisition, when)
    trust = dataclasses.replace(found.trust, checks=(*found.trust.checks, check))
    told = facts(dataclasses.replace(found, trust=trust))["Dates"]
    assert words in told and "(9 days)" in told
    assert AFTER - BEFORE < timedelta(days=9)


def at(found: types.Comparison, row: float, col: float) -> str:
    lon, lat = grid.lonlat_from_grid(found.pair.grid, np.array([[row, col]]))[0]
    return facts(claimed(found, "There.", place=(float(lat), float(lon))))["Stated place"]


def test_the_stated_place_is_looked_up() -> None:
    found = scenes.comparison()
    box = (100, 200, 140, 260)
    only = dataclasses.replace(found, regions=(scenes.region(1, "structural", box, 0.5),))
    assert "lies in the box of region 1." in at(only, 120, 230)
    assert "the box of the nearest, region 1, is 20 px (10 m) away" in at(only, 120, 279.5)
    assert "was not analysed" in at(only, 4, 4)
    assert "outside the part that both pictures show" in at(only, -10, 20)
    assert "no region was found anywhere" in at(dataclasses.replace(found, regions=()), 120, 230)
    plain = claimed(scenes.comparison(georeferenced=False), "There.", place=(40.6, 47.1))
    assert "not georeferenced" in facts(plain)["Stated place"]


def test_regions_and_buildings_are_counted() -> None:
    found = claimed(scenes.comparison(SMALL, buildings=scenes.buildings(SMALL)), "Many.")
    told = facts(found)
    assert told["Regions of visible change"] == "9: 1, 2, 3, 5, 6, 7, 9, 10, 11"
    assert told["Regions of other change"] == "3: 4, 8, 12"
    assert told["Buildings"].startswith("1 visible change; 0 possible change; 1 no visible change")
    assert claim_facts.named(()) == "none"
    many = found.regions * 4
    assert claim_facts.named(many).startswith("48: 1, ") and claim_facts.named(many).endswith(" and more")


def test_findings_stand_with_their_reviewer() -> None:
    judged = Judgement("claim", "1", "contradicts", "<i>the roof is there</i>", None, (2, 3))
    found = dataclasses.replace(
        claimed(scenes.comparison(SMALL), "Gone.", "Two."), reviews=(Review("", "A.B.", None, (judged,)),)
    )
    html = report.html(found)
    assert "<b>A.B.</b>: contradicts; regions 2, 3; “&lt;i&gt;the roof is there&lt;/i&gt;”" in html
    assert html.count("not said yet") == 1


def test_claims_are_part_of_the_case_and_come_back(tmp_path: Path) -> None:
    found = claimed(scenes.comparison(SMALL), "Gone.", HOSTILE)
    files = dict(case_files.named(found.case))
    assert case_files.from_values(case_files.to_values(found.case), files) == found.case
    saved.write(found, tmp_path)
    assert saved.read(tmp_path).case.claims == found.case.claims
