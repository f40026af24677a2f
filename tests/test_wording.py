"""The tool's own words name no party, weapon, intent, harm or moment; what others said is set apart."""

from __future__ import annotations

import ast
import dataclasses
from datetime import UTC, datetime
from pathlib import Path

import pytest
import scenes
import wording_lint
from hypothesis import given
from hypothesis import strategies as st

from damagediff import report, types, wording
from damagediff.judged import Judgement

PACKAGE = Path(__file__).parents[1] / "damagediff"
SPEAKING = sorted([*PACKAGE.glob("*.py"), *PACKAGE.glob("templates/*.j2"), *PACKAGE.glob("static/*.js")])
LOADED = "The army destroyed it on 2020-10-11 in a deliberate missile attack, which proves who is to blame."
SMALL = (96, 144)


def spoken(path: Path) -> list[str]:
    """Texts of one of our files, without scales of grades, which are other people's."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".j2":
        return wording_lint.Own(text).said
    if path.suffix == ".js":
        return [text]
    others = set(wording.GRADE_SCALES.values())
    return [said for said in wording_lint.sentences(ast.parse(text)) if said not in others]


@pytest.mark.parametrize("path", SPEAKING, ids=lambda path: path.name)
def test_no_sentence_that_we_wrote_says_more_than_was_seen(path: Path) -> None:
    assert not [fault for said in spoken(path) for fault in wording_lint.faults(said)]


def test_every_exception_is_still_needed() -> None:
    said = " ".join(" ".join(" ".join(spoken(path)).split()) for path in SPEAKING)
    assert not [phrase for phrase in wording_lint.ALLOWED if phrase not in said]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("12 buildings were destroyed", "harm"),
        ("Damage: 3 ha", "harm"),
        ("this proves that it happened", "certainty"),
        ("an airstrike", "weapon"),
        ("hit by shelling", "weapon"),
        ("the attack", "act"),
        ("hit on purpose", "intent"),
        ("by government forces", "party"),
        ("Changed on 2020-10-11", "moment"),
        ("it fell on 11 October", "moment"),
        ("it fell on Oct 11, 2020", "moment"),
    ],
)
def test_each_kind_is_found(text: str, kind: str) -> None:
    assert kind in {fault.kind for fault in wording_lint.faults(text)}
    assert wording_lint.of_page(f"<p>x</p><p title='{text}'>y</p>")
    assert not wording_lint.of_page(f"<p>x</p><div data-quoted='claim'><img alt='{text}'><b>{text}</b></div>")


@pytest.mark.parametrize(
    "text",
    [
        "31 regions of visible change between 2020-10-04 and 2020-10-13",
        "no visible change above the limit; it cannot be told",
        "damagediff 0.1.0, on cells of 4 px",
        "on average .97",
    ],
)
def test_the_vocabulary_is_free(text: str) -> None:
    assert not wording_lint.faults(text)


def loaded(comparison: types.Comparison) -> types.Comparison:
    """The same with loaded words wherever others may speak: title, claims, credits, names, reviews."""
    pair = comparison.pair
    named = [
        dataclasses.replace(
            image,
            name=LOADED,
            credit=LOADED,
            record=dataclasses.replace(image.record, publisher=LOADED, url=LOADED),
        )
        for image in (pair.before, pair.after)
    ]
    case = dataclasses.replace(
        comparison.case,
        title=LOADED,
        footprints=Path("f.geojson"),
        claims=(types.Claim(LOADED, LOADED), types.Claim(LOADED)),
        place=(40.676, 47.131),
        event=datetime(2020, 10, 11, tzinfo=UTC),
    )
    buildings = tuple(dataclasses.replace(each, id=f"{each.id} {LOADED}") for each in comparison.buildings)
    judged = [
        *(
            Judgement("region", str(each.id), "rejected", LOADED, "Destroyed")
            for each in comparison.regions[:3]
        ),
        *(Judgement("building", each.id, "accepted", LOADED) for each in buildings),
        Judgement("claim", "1", "supports", LOADED, None, (1,)),
    ]
    reviews = tuple(
        types.Review(f"review-00{n}.json", who, "unosat", tuple(judged)) for n, who in ((1, "A"), (2, LOADED))
    )
    return dataclasses.replace(
        comparison,
        case=case,
        pair=dataclasses.replace(pair, before=named[0], after=named[1]),
        buildings=buildings,
        reviews=reviews,
    )


@pytest.mark.parametrize("accepted", [True, False])
@pytest.mark.parametrize("georeferenced", [True, False])
@pytest.mark.parametrize("dated", [True, False])
def test_pages_keep_the_vocabulary_whatever_others_say(
    accepted: bool, georeferenced: bool, dated: bool
) -> None:
    found = scenes.comparison(
        SMALL, accepted=accepted, georeferenced=georeferenced, dated=dated, buildings=scenes.buildings(SMALL)
    )
    plain, full = report.html(found), report.html(loaded(found))
    assert not wording_lint.of_page(plain)
    assert not wording_lint.of_page(full)
    assert "destroyed it on 2020-10-11" in " ".join(wording_lint.Own(full).quoted)


@pytest.mark.parametrize("measure", ["log_ratio", "cva", "stack"])
@pytest.mark.parametrize("count", [0, 5])
def test_every_measure_keeps_the_vocabulary(measure: str, count: int) -> None:
    found = scenes.comparison(SMALL, count=count)
    assert found.change is not None
    tiers = tuple(dataclasses.replace(region, tier="other") for region in found.regions)
    found = dataclasses.replace(
        found, change=dataclasses.replace(found.change, measure=measure), regions=tiers
    )
    assert not wording_lint.of_page(report.html(found))


@given(st.text(alphabet=st.characters(exclude_characters="<>&\"'"), max_size=60))
def test_what_is_quoted_is_never_a_fault(text: str) -> None:
    html = f"<p>own words<q data-quoted='claim'>{text} destroyed<br><b>{text} missile</b></q> of ours</p>"
    assert not wording_lint.of_page(html)
    assert {f.word for f in wording_lint.of_page(html + "<p>missile</p>")} == {"missile"}
