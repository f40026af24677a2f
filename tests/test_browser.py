"""The page in a real browser, opened from disk: judged, exported, imported, and nothing leaves or executes.

How its pictures are looked at is in test_browser_viewer.py.

Needs Chromium and the package playwright, which drives it; without them these tests are skipped.
DAMAGEDIFF_CHROMIUM names another browser of that kind.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import browsers
import pytest
from browsers import Opened, left

from damagediff import outputs, review_files

HOSTILE = browsers.HOSTILE
COMPARED = browsers.COMPARED


def row(page: Any, kind: str, name: str) -> Any:
    return page.locator(f'.judge[data-kind="{kind}"][data-id={json.dumps(name)}]')


def export(page: Any, path: Path) -> dict[str, Any]:
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Export review.json").click()
    assert waiting.value.suggested_filename == "review.json"
    waiting.value.save_as(path)
    return json.loads(path.read_text(encoding="utf-8"))


def judge(page: Any) -> None:
    """One of each kind, with the keyboard where that takes one key."""
    page.get_by_label("Your initials").fill("A.B.")
    page.get_by_label("Scale of grades").select_option("copernicus")
    button = page.get_by_role("button", name="Reject: region 2", exact=True)
    button.focus()
    page.keyboard.press("Enter")
    assert button.get_attribute("aria-pressed") == "true"
    page.get_by_label("Reason: region 2", exact=True).fill(HOSTILE)
    page.get_by_role("button", name="Accept: region 1", exact=True).click()
    page.get_by_label("Grade: region 1", exact=True).select_option("Damaged")
    row(page, "building", "=2+3").get_by_role("button").nth(2).click()
    row(page, "claim", "1").get_by_role("combobox").select_option("supports")
    page.get_by_label("Region numbers: claim 1").fill("1, 3")


def test_the_page_opens_from_disk_and_nothing_happens(opened: Callable[..., Opened]) -> None:
    for width in (320, 1280, 2560):
        page, wrong = opened(width)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert wrong["console"] == [] and wrong["dialogs"] == [] and left(wrong) == []


def test_a_review_is_exported_as_the_command_reads_it(opened: Callable[..., Opened], tmp_path: Path) -> None:
    page, wrong = opened()
    judge(page)
    assert "2 of" not in page.locator(".judged-count").inner_text()
    assert page.locator(".judged-count").inner_text().startswith("3 of 16 listed are judged")
    told = export(page, tmp_path / "review.json")
    assert told == {
        "format": 1,
        "evidence_id": outputs.evidence_id(COMPARED),
        "reviewer": "A.B.",
        "scale": "copernicus",
        "items": told["items"],
    }
    read = review_files.parse((tmp_path / "review.json").read_bytes(), COMPARED, "review-001.json")
    found = {(each.kind, each.id): each for each in read.judgements}
    assert found["region", "2"].decision == "rejected" and found["region", "2"].reason == HOSTILE
    assert found["region", "1"].grade == "Damaged" and found["building", "=2+3"].decision == "unsure"
    assert found["claim", "1"].decision == "supports" and found["claim", "1"].regions == (1, 3)
    assert wrong["console"] == [] and wrong["dialogs"] == [] and left(wrong) == []


def test_an_exported_review_is_imported_again(opened: Callable[..., Opened], tmp_path: Path) -> None:
    page, _ = opened()
    judge(page)
    first = export(page, tmp_path / "review.json")
    page, wrong = opened()
    page.get_by_label("Import a review.json").set_input_files(tmp_path / "review.json")
    page.get_by_text("4 judgements imported").wait_for()
    assert page.get_by_label("Your initials").input_value() == "A.B."
    assert page.get_by_label("Reason: region 2", exact=True).input_value() == HOSTILE
    again = export(page, tmp_path / "again.json")
    order = [json.dumps(item, sort_keys=True) for item in first["items"]]
    assert sorted(order) == sorted(json.dumps(item, sort_keys=True) for item in again["items"])
    assert wrong["console"] == [] and wrong["dialogs"] == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not imported"),
        ("null", "no review of format 1"),
        ('{"format": 1, "items": [], "evidence_id": "000000000000"}', "of another run"),
        ("ITEM 7", "item 1 cannot be read"),
        ('ITEM {"kind": "region", "id": 1, "decision": "constructor"}', "item 1 cannot be read"),
        ('ITEM {"kind": "region", "id": {}, "decision": "unsure"}', "item 1 cannot be read"),
    ],
)
def test_what_is_no_review_is_not_imported(
    text: str, words: str, opened: Callable[..., Opened], tmp_path: Path
) -> None:
    page, wrong = opened()
    page.get_by_role("button", name="Accept: region 1", exact=True).click()
    if text.startswith("ITEM "):
        head = {"format": 1, "evidence_id": outputs.evidence_id(COMPARED)}
        text = json.dumps(head | {"items": [json.loads(text[5:])]})
    (tmp_path / "bad.json").write_text(text)
    page.get_by_label("Import a review.json").set_input_files(tmp_path / "bad.json")
    page.locator("#review .told", has_text=words).wait_for()
    assert (
        page.get_by_role("button", name="Accept: region 1", exact=True).get_attribute("aria-pressed")
        == "true"
    )
    assert wrong["console"] == []


def test_nothing_is_exported_without_initials_or_judgements(opened: Callable[..., Opened]) -> None:
    page, _ = opened()
    told, button = page.locator("#review .told"), page.get_by_role("button", name="Export review.json")
    button.click()
    assert "initials" in told.inner_text()
    assert page.get_by_label("Your initials").evaluate("box => box === document.activeElement")
    page.get_by_label("Your initials").fill("A.B.")
    button.click()
    assert "Nothing is judged" in told.inner_text()


def test_what_was_entered_is_there_after_a_reload_and_can_be_forgotten(opened: Callable[..., Opened]) -> None:
    page, wrong = opened()
    judge(page)
    page.reload()
    pressed = page.get_by_role("button", name="Reject: region 2", exact=True)
    assert pressed.get_attribute("aria-pressed") == "true" and wrong["dialogs"] == []
    page.get_by_role("button", name="Forget what I entered").click()
    assert pressed.get_attribute("aria-pressed") == "false" and len(wrong["dialogs"]) == 1


def test_a_browser_that_keeps_nothing_still_reviews(opened: Callable[..., Opened], tmp_path: Path) -> None:
    page, wrong = opened()
    blocked = (
        "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('denied'); } });"
    )
    page.add_init_script(blocked)
    page.reload()
    judge(page)
    assert len(export(page, tmp_path / "review.json")["items"]) == 4
    assert wrong["console"] == []


def test_without_scripts_the_page_is_read_as_it_is(opened: Callable[..., Opened]) -> None:
    page, _ = opened(scripts=False)
    assert not page.get_by_role("button", name="Export review.json").is_visible()
    assert page.locator(".judge button").count() == 0
    assert page.locator("#claims blockquote").count() == 2


def test_the_policy_stops_what_is_not_in_the_page(opened: Callable[..., Opened]) -> None:
    page, wrong = opened()
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), { textContent: 'alert(4)' }))"
    )
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<b onclick=\"alert(5)\">x</b>')")
    page.evaluate("fetch('https://example.org').catch(() => 0)")
    assert wrong["dialogs"] == [] and any("Content Security Policy" in said for said in wrong["console"])
