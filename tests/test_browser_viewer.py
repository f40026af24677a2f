"""How the pictures of a page are looked at: by mouse, touch and keys, linked, in layers, region by region."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import browsers
import pytest
import scenes
from browsers import Opened, left

from damagediff import report_embed

MODES = ("swipe", "blink", "overlay", "side", "loupe")
COMPARED = browsers.COMPARED


def choose(page: Any, mode: str) -> None:
    button = f"input[value={mode}]"
    page.locator(f".modes label:has({button})").click()  # waits until it stands still, unlike a forced click
    page.wait_for_selector(f".modes {button}:checked", state="attached")


def box(page: Any, what: str = ".stage") -> tuple[float, float, float, float]:
    page.locator(what).first.scroll_into_view_if_needed()
    found = page.locator(what).first.bounding_box()
    return found["x"], found["y"], found["width"], found["height"]


def swiped(page: Any) -> float:
    return float(page.locator(".swipe-range").input_value())


def shown_alike(page: Any) -> str:
    """How both pictures are moved and enlarged; they must be alike."""
    both = page.eval_on_selector_all(".layer img", "all => all.map(img => getComputedStyle(img).transform)")
    assert len(both) == 2 and both[0] == both[1]
    return str(both[0])


def fingers(page: Any, *steps: list[tuple[float, float]]) -> None:
    """Put fingers down, move them through `steps`, and lift them."""
    session = page.context.new_cdp_session(page)
    for kind, points in (
        ("touchStart", steps[0]),
        *(("touchMove", step) for step in steps[1:]),
        ("touchEnd", []),
    ):
        touches = [{"x": x, "y": y, "id": k} for k, (x, y) in enumerate(points)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})


@pytest.mark.parametrize("width", [320, 768, 2560])
def test_every_way_to_compare_fits_every_width(width: int, opened: Callable[..., Opened]) -> None:
    page, wrong = opened(width, reduced_motion="reduce")
    for mode in MODES:
        choose(page, mode)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, mode
    assert wrong["console"] == [] and wrong["dialogs"] == [] and left(wrong) == []


def test_the_slider_moves_by_mouse_and_keys(opened: Callable[..., Opened]) -> None:
    page, wrong = opened()
    x, y, width, height = box(page)
    page.mouse.move(x + width / 2, y + height / 2)
    page.mouse.down()
    page.mouse.move(x + width * 0.8, y + height / 2, steps=3)
    page.mouse.up()
    assert abs(swiped(page) - 80) < 2
    clip = page.eval_on_selector(".layer.after", "layer => getComputedStyle(layer).clipPath")
    assert f"{swiped(page):g}%" in clip
    page.locator(".swipe-range").focus()
    page.keyboard.press("Home")
    assert swiped(page) == 0
    page.keyboard.press("ArrowRight")
    assert swiped(page) == 0.5 and wrong["console"] == []


def test_the_slider_moves_by_touch(opened: Callable[..., Opened]) -> None:
    page, _ = opened(360, has_touch=True)
    x, y, width, height = box(page)
    middle = y + height / 2
    fingers(page, *([(x + width * share, middle)] for share in (0.5, 0.4, 0.3, 0.2)))
    assert abs(swiped(page) - 20) < 3


def test_both_pictures_move_and_enlarge_together(opened: Callable[..., Opened]) -> None:
    page, _ = opened()
    choose(page, "side")
    whole = shown_alike(page)
    x, y, width, height = box(page, ".layer.after")
    page.mouse.move(x + width / 2, y + height / 2)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -400)
    page.keyboard.up("Control")
    enlarged = shown_alike(page)
    page.mouse.down()
    page.mouse.move(x + width / 4, y + height / 4, steps=3)
    page.mouse.up()
    moved = shown_alike(page)
    page.locator(".stage").focus()
    page.keyboard.press("ArrowLeft")
    keyed = shown_alike(page)
    assert len({whole, enlarged, moved, keyed}) == 4
    page.keyboard.press("0")
    assert shown_alike(page) == whole


def test_two_fingers_enlarge(opened: Callable[..., Opened]) -> None:
    page, _ = opened(360, has_touch=True)
    x, y, width, height = box(page)
    at = y + height / 2
    fingers(page, *([(x + width * (0.5 - s), at), (x + width * (0.5 + s), at)] for s in (0.1, 0.2, 0.3)))
    zoom = page.eval_on_selector(".stage", "stage => Number(stage.style.getPropertyValue('--zoom'))")
    assert 2 < zoom < 4


def test_layers_are_switched_in_both_pictures(opened: Callable[..., Opened]) -> None:
    page, _ = opened()
    for name, on in (("regions", True), ("blank", True), ("buildings", False), ("ties", False)):
        marks = page.locator(f".of-{name}")
        assert marks.count() == 2
        switch = page.locator(f"[data-layer={name}]")
        assert switch.is_checked() is on
        for state in (not on, on):
            switch.set_checked(state)
            seen = marks.evaluate_all("all => all.map(mark => getComputedStyle(mark).display !== 'none')")
            assert seen == [state, state], name


def test_from_the_list_to_the_place_and_back(opened: Callable[..., Opened]) -> None:
    page, wrong = opened()
    page.get_by_role("button", name="Show region 5 in the picture").first.focus()
    page.keyboard.press("Enter")
    assert "Showing region 5" in page.locator(".viewer .status").inner_text()
    x, y, width, height = box(page)
    left_, top, wide, high = box(page, '[data-box="5"] rect.halo')
    assert x <= left_ + wide / 2 <= x + width and y <= top + high / 2 <= y + height and wide > 30
    assert page.locator('[data-row="5"]').get_attribute("aria-current") == "true"
    page.get_by_role("button", name="region 5 in the list").click()
    focused = "document.activeElement.getAttribute('aria-label')"
    assert page.evaluate(focused) == "Show region 5 in the picture"
    page.get_by_role("button", name="Next region").click()
    assert page.locator("[aria-current]").get_attribute("data-row") == "6"
    assert page.locator(".box.chosen").get_attribute("data-box") == "6" and wrong["console"] == []


def test_from_a_building_in_the_list_to_its_place_and_back(opened: Callable[..., Opened]) -> None:
    page, wrong = opened(reduced_motion="reduce")
    button = page.locator(".to-building").nth(2)
    name = button.get_attribute("aria-label")
    button.focus()
    page.keyboard.press("Enter")
    assert "Showing building" in page.locator(".viewer .status").inner_text()
    assert page.locator("[data-layer=buildings]").is_checked()
    x, y, width, height = box(page)
    left_, top, wide, high = box(page, ".pointed")
    assert x <= left_ + wide / 2 <= x + width and y <= top + high / 2 <= y + height and wide > 10
    page.get_by_role("button", name="building in the list").click()
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == name
    page.get_by_role("button", name="Next region").click()
    assert page.get_by_role("button", name="region 1 in the list").is_enabled() and wrong["console"] == []


def test_a_box_finds_its_line(opened: Callable[..., Opened]) -> None:
    page, _ = opened()
    smallest = min(COMPARED.regions, key=lambda region: region.area_px)
    x, y, wide, high = box(page, f'[data-box="{smallest.id}"] rect.halo')
    page.mouse.click(x + wide / 2, y + high / 2)
    assert page.locator("[aria-current]").get_attribute("data-row") == str(smallest.id)
    assert swiped(page) == 50


def test_blinking_is_slow_and_stops(opened: Callable[..., Opened]) -> None:
    page, _ = opened()
    page.clock.install()
    page.evaluate(
        "window.turns = 0; new MutationObserver(all => turns += all.length)"
        ".observe(document.querySelector('.stage'), { attributeFilter: ['class'] })"
    )
    choose(page, "blink")
    page.locator(".pace").fill("0.4")
    page.evaluate("window.turns = 0")
    page.clock.run_for(10_000)
    assert 20 <= page.evaluate("turns") <= 30
    assert page.locator(".viewer .status").inner_text() == "Blinking"
    page.get_by_role("button", name="Stop to blink").click()
    page.evaluate("window.turns = 0")
    page.clock.run_for(5_000)
    assert page.evaluate("turns") == 0
    choose(page, "swipe")
    assert page.locator(".viewer .status").inner_text() == ""


def test_blinking_waits_where_less_motion_is_asked_for(opened: Callable[..., Opened]) -> None:
    page, _ = opened(reduced_motion="reduce")
    choose(page, "blink")
    assert page.get_by_role("button", name="Start to blink").is_visible()
    seen = "layer => getComputedStyle(layer).visibility"
    assert page.eval_on_selector(".layer.after", seen) == "hidden"
    page.get_by_role("button", name="other picture").click()
    assert page.eval_on_selector(".layer.after", seen) == "visible"
    assert page.eval_on_selector(".layer.before", seen) == "hidden"


def test_overlay_and_loupe(opened: Callable[..., Opened]) -> None:
    page, wrong = opened()
    choose(page, "overlay")
    page.locator(".opacity").fill("25")
    assert page.eval_on_selector(".layer.after img", "img => getComputedStyle(img).opacity") == "0.25"
    choose(page, "loupe")
    page.locator(".stage").focus()
    looks = "all => all.map(canvas => canvas.toDataURL())"
    first = page.eval_on_selector_all(".lens canvas", looks)
    page.keyboard.press("ArrowRight")
    second = page.eval_on_selector_all(".lens canvas", looks)
    assert len({*first, *second}) >= 3 and page.locator(".lens").is_visible() and wrong["console"] == []


def test_coordinates_are_copied(opened: Callable[..., Opened]) -> None:
    page, _ = opened()
    page.evaluate(
        "const writeText = async said => { window.said = said; };"
        "Object.defineProperty(navigator, 'clipboard', { value: { writeText } })"
    )
    page.get_by_role("button", name="Copy latitude and longitude of region 1").click()
    lat, lon = (float(part) for part in page.evaluate("window.said").split(", "))
    assert 40.6 < lat < 40.8 and 47 < lon < 47.3
    page.evaluate("void (navigator.clipboard.writeText = async () => { throw new DOMException('denied'); })")
    page.get_by_role("button", name="Copy UTM 38N of region 1").click()
    page.get_by_role("button", name="Copy UTM 38N of region 1").get_by_text("selected").wait_for()
    assert page.evaluate("getSelection().toString()").startswith("UTM 38N: 68")


def test_without_scripts_both_pictures_stand_side_by_side(opened: Callable[..., Opened]) -> None:
    page, _ = opened(scripts=False)
    first, second = (page.locator(f".layer.{role} img").bounding_box() for role in ("before", "after"))
    assert first["y"] == second["y"] and second["x"] >= first["x"] + first["width"]
    assert (
        page.locator(".layer.after .box").count() == 0 and page.locator(".after .of-regions use").is_visible()
    )
    assert not page.locator(".modes").is_visible() and not page.locator(".copy").first.is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("accepted", [True, False])
def test_nothing_bars_readers(scheme: str, accepted: bool, browser: Any, tmp_path: Path) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    shown = COMPARED if accepted else scenes.comparison(accepted=False)
    with browsers.pages(browser, browsers.write(shown, tmp_path)) as open_:
        for width in (360, 1280):
            page, _ = open_(width, color_scheme=scheme)
            found = axe.Axe().run(page).response["violations"]
            serious = [fault for fault in found if fault["impact"] in ("serious", "critical")]
            assert not serious, [(f["id"], [n["html"][:200] for n in f["nodes"]]) for f in serious]


def test_the_fragment_of_a_news_page(browser: Any, tmp_path: Path) -> None:
    case = dataclasses.replace(COMPARED.case, title="W" * 120)  # no place to break the line
    assert report_embed.write(dataclasses.replace(COMPARED, case=case), tmp_path)
    fragment, markup = ((tmp_path / f"embed{name}.html").read_text("ascii") for name in ("", "_juxtapose"))
    head = "<!DOCTYPE html><html lang='en'><head><title>News</title></head><body>"
    (tmp_path / "news.html").write_text(f"{head}{fragment}{fragment}{markup}</body></html>", encoding="ascii")
    with browsers.pages(browser, tmp_path / "news.html") as open_:
        page, wrong = open_(360)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        sliders = page.get_by_role("slider")
        assert sliders.count() == 2
        sliders.nth(1).focus()
        page.keyboard.press("End")
        at = "all => all.map(each => each.style.getPropertyValue('--dd-at'))"
        assert page.eval_on_selector_all(".dd-embed", at) == ["50%", "100%"]
        # As JuxtaposeJS shows credits.
        page.evaluate(
            "document.querySelectorAll('.juxtapose img').forEach(img => document.body.append("
            "Object.assign(document.createElement('p'), { className: 'jx', innerHTML: img.dataset.credit })))"
        )
        assert page.locator(".jx").nth(1).inner_text() == browsers.HOSTILE
        assert page.locator(".juxtapose img").evaluate_all("all => all.every(img => img.naturalWidth)")
        assert wrong["dialogs"] == [] and wrong["console"] == [] and left(wrong) == []
        assert browsers.HOSTILE in page.locator(".dd-embed figcaption").first.inner_text()
