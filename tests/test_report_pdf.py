"""The pages: what the page of HTML says and no less, same bytes, and hostile words stay words."""

from __future__ import annotations

import dataclasses
import html
import io
import re
import unicodedata
from collections import Counter
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pypdf
import pytest
import scenes
import test_figure_pages
import test_report
import test_squares
from hypothesis import given, settings, strategies
from PIL import Image
from reportlab import rl_config
from reportlab.lib import utils
from reportlab.pdfgen import canvas
from reportlab.platypus import Flowable

from damagediff import (
    cli_values,
    cut,
    figure_glyphs,
    figures,
    outputs,
    report,
    report_elements,
    report_pdf,
    report_pdf_blocks,
    report_pdf_tables,
    report_pdf_text,
    types,
)

HOSTILE = (
    *test_report.HOSTILE,
    "<b>bold</b> & <i>more</i> &amp; &#65; <br/>",
    '<img src="file:///etc/passwd" width="9999"/>',
    '<a href="https://example.org/x">here</a><onDraw name="f"/>',
    '<para alignment="right"><font size="400">big</font></para>',
    "(unbalanced \\) ) /JS (app.alert(1)) endobj stream",
    "W" * 290,
    "]]>--><!-- %s {0} \\u0041 $HOME",
)
"""Texts that would act if any of them were read as markup."""
STEERING = "tw\u202eo\u2066 na\x00me\x1b[31ms\u200b\ufeff"
SCRIPTS = "Gəncə Şəki · Գանձակ · გორი · Гянджа · Γκάντζα · Ňž"


def squashed(text: str) -> str:
    """Without spaces: where a line breaks is the page's business."""
    return re.sub(r"\s+", "", text)


def read(data: bytes) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(data), strict=True)


def made(comparison: types.Comparison, figure: bytes | None = None) -> bytes:
    return report_pdf.pdf(report.html(comparison), outputs.evidence_id(comparison), figure)


def words(data: bytes) -> str:
    """All text without what stands in the margins of each page, squashed."""
    return "".join(
        re.split("SYNTHETIC·|Atown,seentwice·|damagediff·evidenceid", body(page))[0]
        for page in read(data).pages
    )


def body(page: pypdf.PageObject) -> str:
    return squashed(page.extract_text())


class Spoken(HTMLParser):
    """What a page says, by row of a table or by paragraph, in order, without what only moves on a screen."""

    SILENT = frozenset({"script", "style", "title", "svg", "fieldset"})
    LINES = frozenset({"p", "li", "tr", "dt", "dd", "h1", "h2", "h3", "figcaption", "summary"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[tuple[str, bool]] = []
        self.lines: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        screen = (
            "hidden" in given
            or given.get("aria-hidden") == "true"
            or {"skip", "buttons", "status", "how", "copy", "to-review"}
            & set((given.get("class") or "").split())
        )
        if tag not in test_report.VOID:
            self.open.append((tag, tag in self.SILENT or screen))
        if tag in self.LINES:
            self.lines.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag not in test_report.VOID:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.lines and not any(silent for _, silent in self.open):
            self.lines[-1] += squashed(data)


def with_buildings() -> types.Comparison:
    found = scenes.comparison(buildings=scenes.buildings((320, 480)), notes=("an oddity", "another"))
    return dataclasses.replace(found, case=dataclasses.replace(found.case, footprints=Path("b.geojson")))


def from_one_picture() -> types.Comparison:
    found = scenes.comparison()
    split = cut.Split(
        "side by side", "command line", "before-first", "assumed", None, ("The order is a guess.",)
    )
    case = dataclasses.replace(found.case, split=split)
    both = np.concatenate([found.pictures.before, found.pictures.after], axis=1)
    return dataclasses.replace(found, case=case, pictures=dataclasses.replace(found.pictures, sheet=both))


SCENES: dict[str, Any] = {
    "accepted": scenes.comparison,
    "refused": lambda: scenes.comparison(accepted=False),
    "nothing found": lambda: scenes.comparison(count=0),
    "no scale, no dates": lambda: scenes.comparison(georeferenced=False, dated=False),
    "buildings": with_buildings,
    "self-test": lambda: test_report.with_detection(test_report.detection_of(10)),
    "below the limit": test_report.below_the_limit,
    "squares": lambda: test_squares.summed(cell_px=64),
    "one picture that holds both": from_one_picture,
    "many regions": lambda: scenes.comparison(count=90),
}


@cache
def scene(name: str) -> types.Comparison:
    found = SCENES[name]()
    assert isinstance(found, types.Comparison)
    return found


@cache
def page_of(name: str) -> str:
    return report.html(scene(name))


@cache
def pdf_of(name: str) -> bytes:
    return report_pdf.pdf(page_of(name), outputs.evidence_id(scene(name)))


@pytest.mark.parametrize("name", SCENES)
def test_every_line_and_row_of_the_page_stands_in_the_pdf_as_often(name: str) -> None:
    spoken = Counter(line for line in Spoken(page_of(name)).lines if line)
    found = words(pdf_of(name))
    assert len(spoken) > 60
    assert not [line for line, times in spoken.items() if found.count(line) < times]


def test_every_page_has_its_number_and_the_evidence_id() -> None:
    comparison = scene("many regions")
    pages = read(pdf_of("many regions")).pages
    assert len(pages) > 4
    for number, page in enumerate(pages, 1):
        foot = f"damagediff · evidence id {outputs.evidence_id(comparison)}page {number} of{len(pages)}"
        assert body(page).endswith(squashed(foot))
        assert [round(float(side)) for side in page.mediabox[2:]] == [595, 842]
        assert number == 1 or squashed("A town, seen twice · comparable") in body(page)


def test_the_same_comparison_gives_the_same_bytes() -> None:
    first = pdf_of("accepted")
    made(scenes.comparison(accepted=False))
    assert made(scenes.comparison()) == first


def test_nothing_of_reportlab_is_left_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rl_config, "useA85", 1)
    data = report_pdf.pdf(page_of("refused"), "0123")
    assert rl_config.useA85 == 1 and b"ASCII85Decode" not in data
    with pytest.raises(OSError):
        report_pdf.pdf("<html><body><h1>x</h1><img src='data:image/jpeg;base64,AAAA'></body></html>", "id")
    assert rl_config.useA85 == 1


def test_the_file_says_what_it_is_and_not_who_made_it_where() -> None:
    comparison = scene("accepted")
    found = read(pdf_of("accepted"))
    assert found.metadata is not None
    assert dict(found.metadata) == {
        "/Title": "A town, seen twice · comparable",
        "/Subject": f"evidence id {outputs.evidence_id(comparison)}",
        "/Creator": "damagediff",
        "/Producer": "ReportLab",
    }
    root: Any = found.trailer["/Root"]
    assert root["/Lang"] == "en" and root["/ViewerPreferences"]["/DisplayDocTitle"]
    fonts = {str(f["/BaseFont"]) for page in found.pages for f in fonts_of(page)}
    assert fonts == {"/AAAAAA+DejaVuSans", "/AAAAAA+DejaVuSans-Bold"}
    assert all("/FontFile2" in f["/FontDescriptor"] for page in found.pages for f in fonts_of(page))


def fonts_of(page: Any) -> list[Any]:
    return [font.get_object() for font in page["/Resources"]["/Font"].values()]


def test_the_outline_names_every_section() -> None:
    found = read(pdf_of("accepted"))
    outline = [item for item in found.outline if not isinstance(item, list)]
    titles = [item.title for item in outline]
    headings = re.findall(r"<h[12][^>]*>([^<]+)</h", page_of("accepted"))
    assert titles == headings and "What this cannot tell" in titles and "Verify this report" in titles
    for item in outline:
        page = found.get_destination_page_number(item)
        assert page is not None and squashed(item.title) in body(found.pages[page])
    assert found.get_destination_page_number(outline[1]) == 0


@pytest.fixture
def nothing_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: Any, *more: Any) -> Any:
        assert isinstance(name, io.BytesIO), f"opened: {name}"
        return name

    report_pdf_text.fonts()  # the bundled one: read once, before anything hostile
    for opener in ("open_for_read", "rlUrlRead", "open_for_read_by_name"):
        monkeypatch.setattr(utils, opener, refuse)


@pytest.mark.usefixtures("nothing_opens")
@pytest.mark.parametrize("hostile", HOSTILE[-6:-2])
def test_hostile_words_of_a_run_stay_words(hostile: str) -> None:
    good = scene("buildings")
    bad = scenes.hostile(good, hostile)
    page, data = report.html(bad), made(bad)
    found = read(data)
    harmless(found)
    assert "".join(body(page) for page in found.pages).count(squashed(hostile)) >= 10
    assert count_of_images(found) == count_of_images(read(pdf_of("buildings")))
    within(page)


def harmless(found: pypdf.PdfReader) -> None:
    """Nothing in the file acts or leads elsewhere."""
    for sheet in found.pages:
        assert "/Annots" not in sheet and "/AA" not in sheet
    root: Any = found.trailer["/Root"]
    assert not {"/OpenAction", "/AA", "/Names", "/AcroForm"} & set(root)


@pytest.mark.usefixtures("nothing_opens")
@pytest.mark.parametrize("hostile", [*HOSTILE, STEERING])
def test_hostile_words_stay_words_wherever_they_stand(hostile: str) -> None:
    said = html.escape(hostile)
    tags = ("h1", "h2", "p", "p class='synthetic'", "p class='note'", "blockquote")
    parts = [f"<{tag}>{said}</{tag.split()[0]}>" for tag in tags]
    parts += [f"<ul><li>{said}</li></ul><dl><dt>{said}</dt><dd>{said}<br>{said}</dd></dl>"]
    parts += [f"<table><tr><th>{said}</th><td>{said}</td><td>a <b>{said}</b></td></tr></table>"]
    page = f"<html><body>{''.join(parts)}</body></html>"
    found = read(report_pdf.pdf(page, "0123"))
    harmless(found)
    shown = "".join(body(page) for page in found.pages)
    assert shown.count(squashed(report_pdf_text.drawable(hostile))) >= len(tags) + 7
    within(page)


def count_of_images(found: pypdf.PdfReader) -> int:
    return sum(len(page.images) for page in found.pages)


def within(page: str) -> None:
    """No block is wider than the text, and none that cannot be broken is higher than a page."""
    for flowable in report_pdf_blocks.blocks(report_elements.read(page), report_pdf.ROOM):
        assert isinstance(flowable, Flowable)
        flowable._frame = None
        flowable.canv = canvas.Canvas(io.BytesIO())
        width, _ = flowable.wrap(report_pdf.ROOM, 700)
        assert width <= report_pdf.ROOM + 0.01, flowable
        rows = getattr(flowable, "_rowHeights", None) or [0]
        assert max(rows) < 700


@pytest.mark.parametrize("name", SCENES)
def test_nothing_runs_over_the_edge(name: str) -> None:
    within(page_of(name))


def test_characters_that_only_steer_are_not_drawn() -> None:
    assert report_pdf_text.drawable(STEERING) == "two name[31ms"
    assert report_pdf_text.markup([STEERING, "<b>"]) == "two name[31ms&lt;b&gt;"


def titled(title: str) -> types.Comparison:
    comparison = scenes.comparison()
    return dataclasses.replace(comparison, case=dataclasses.replace(comparison.case, title=title))


def test_words_of_many_scripts_can_be_selected_as_they_were_typed() -> None:
    found = read(made(titled(SCRIPTS)))
    assert squashed(SCRIPTS) in body(found.pages[0])
    assert found.metadata is not None and SCRIPTS in str(found.metadata.title)
    assert "lacks" not in body(found.pages[0])


def test_characters_without_a_glyph_are_boxes_and_named() -> None:
    text = body(read(made(titled("甘哲 Ganja"))).pages[0])
    assert text.startswith("□□Ganja")
    assert squashed("a box stands for each: U+54F2, U+7518. report.html shows them; --font") in text
    many = "".join(chr(0x4E00 + k) for k in range(20))
    (note,) = report_pdf_text.notes(many)
    assert note.count("U+") == report_pdf_text.MAX_NAMED and "and 8 more" in note


@pytest.mark.parametrize("text", ["שלום עולם", "گنجه: مستشفى الشفاء", "שָׁלוֹם שָׁשָׁ", "می\u200cخواهم", "لا"])
def test_words_from_the_right_are_joined_and_copy_as_they_were_written(text: str) -> None:
    first = read(made(titled(text))).pages[0].extract_text()
    assert unicodedata.normalize("NFC", text) in unicodedata.normalize("NFC", first)
    letters = figure_glyphs.line(text)
    assert [letter.left for letter in letters] == sorted(letter.left for letter in letters)
    read_back = "".join(letter.characters for letter in reversed(letters))
    assert read_back == unicodedata.normalize("NFC", text)


def test_letters_of_an_arabic_word_are_joined() -> None:
    apart = {letter.steps for letter in figure_glyphs.line("ه ج ن گ")}
    joined = [letter.steps for letter in figure_glyphs.line("گنجه")]
    assert len(joined) == 4 and not apart & set(joined)
    assert [len(letter.steps) > 0 for letter in figure_glyphs.line("لا")] == [True, False]  # one glyph
    left = [letter.characters for letter in figure_glyphs.line(figure_glyphs.FROM_LEFT + "© گ 12")]
    assert left[0] == "©" and left[-2:] == ["1", "2"] or left[:3] == ["©", " ", "1"]


def test_a_paragraph_of_a_script_from_the_right_begins_at_the_right() -> None:
    said = "קול " * 60
    page = f"<html><body><h1>x</h1><p dir='auto'>{said}</p><p>{said}</p></body></html>"
    own, other = list(report_pdf_blocks.blocks(report_elements.read(page), 400.0))[2:]
    assert own.from_right and not other.from_right
    assert own.wrap(400.0, 700) == other.wrap(400.0, 700) and len(own.lines) > 2
    first, rest = own.split(400.0, own.style.leading * 2.5)
    assert first.from_right and rest.from_right
    assert first.atoms + rest.atoms == own.atoms and len(first.atoms) == len(
        [a for n in own.lines[:2] for a in n]
    )
    assert own.split(400.0, 1.0) == []


def test_the_users_font_draws_what_the_bundled_one_lacks(tmp_path: Path) -> None:
    font = test_figure_pages.made_font(tmp_path / "own.ttf")
    with figures.fonts(font):
        data = made(titled("甘甘 Ganja"))
        first = body(read(data).pages[0])
        many = report_pdf.pdf(f"<html><body><h1>x</h1><p>{'甘' * 300}W</p></body></html>", "0")
    assert first.startswith("甘甘Ganja") and "lack" not in first
    assert body(read(many).pages[0]).count("甘") == 300
    assert b"FontFile3" not in data
    assert "□□Ganja" in body(read(made(titled("甘甘 Ganja"))).pages[0])


def test_the_first_page_holds_finding_limits_and_both_pictures_in_this_order() -> None:
    page = read(pdf_of("accepted")).pages[0]
    said = [
        body(page).find(squashed(text))
        for text in ("A town, seen", "regions of visible", "What this cannot", "After (aligned)")
    ]
    assert said == sorted(said) and said[0] >= 0
    sizes = [(image.image.size if image.image else None) for image in page.images]
    assert sizes[:2] == [(480, 320), (480, 320)]


def test_a_link_for_the_screen_leaves_no_word_above_the_table() -> None:
    words = "".join(body(page) for page in read(pdf_of("accepted")).pages)
    assert "Regions#What" in words and "RegionsReview" not in words


def test_the_figure_stands_behind_the_pair(tmp_path: Path) -> None:
    comparison = scenes.comparison()
    figures.write(comparison, tmp_path)
    report.write(comparison, tmp_path)
    found = read((tmp_path / "report.pdf").read_bytes())
    drawn = Image.open(tmp_path / "figure.png").convert("RGB")
    shown = [image.image for page in found.pages[:2] for image in page.images if image.image is not None]
    (figure,) = [image for image in shown if image.size == drawn.size]
    apart = np.abs(np.asarray(figure, float) - np.asarray(drawn, float))
    assert apart.mean() < 2
    assert squashed(report_pdf.FIGURE_WORDS) in body(found.pages[1])


def test_a_refused_pair_has_a_pdf_that_says_so(tmp_path: Path) -> None:
    report.write(scenes.comparison(accepted=False), tmp_path)
    found = read((tmp_path / "report.pdf").read_bytes())
    assert "notcomparable" in body(found.pages[0]) and found.metadata is not None
    assert str(found.metadata.title).endswith("not comparable")


def test_the_pdf_can_be_switched_off(tmp_path: Path) -> None:
    comparison = scenes.comparison()
    off = comparison.settings | {"report": comparison.settings["report"] | {"pdf": False}}
    report.write(dataclasses.replace(comparison, settings=off), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"report.html"}


def test_the_command_line_can_switch_it_off() -> None:
    given = {"settings_file": None, "overrides": (), "no_pdf": True}
    assert not cli_values.settings(given).report.pdf
    assert cli_values.settings(given | {"no_pdf": False}).report.pdf


def test_a_row_that_is_higher_than_a_page_is_set_as_paragraphs() -> None:
    cell = "<td>" + "many words " * 3000 + "the end</td>"
    page = (
        "<html><body><h1>x</h1><table><thead><tr><th>Name</th><th>Why</th></tr></thead><tbody>"
        f"<tr><td>first</td><td>short</td></tr><tr><td>second</td>{cell}</tr><tr><td>third</td><td>short</td></tr>"
        "<tr><td>alone</td></tr></tbody></table><dl>"
        "<dd>no name</dd><dt>n</dt><dd>a</dd><dd>b</dd></dl></body></html>"
    )
    found = read(report_pdf.pdf(page, "0123"))
    text = "".join(body(page) for page in found.pages)
    assert len(found.pages) > 3
    for part in ("firstshort", "Name:second", "theend", "thirdshort", "alone", "noname", "na", "b"):
        assert part in text


@given(strategies.lists(strategies.floats(1, 5000), min_size=1, max_size=9))
@settings(max_examples=60)
def test_columns_fill_no_more_than_the_room(asked: list[float]) -> None:
    shared = report_pdf_tables._shared(asked, 500.0)
    assert sum(shared) <= 500.01 and min(shared) > 0
    enough = all(got >= min(want, 500 / len(asked)) - 0.01 for got, want in zip(shared, asked, strict=True))
    assert enough or sum(asked) > 500


@given(strategies.text(max_size=60))
@settings(max_examples=40)
def test_any_text_can_be_set(text: str) -> None:
    page = f"<html><body><h1>first</h1><p>{html.escape(text)}</p><p>last</p></body></html>"
    (sheet,) = read(report_pdf.pdf(page, "0123")).pages
    assert body(sheet).startswith("first") and "last" in body(sheet)
