"""Pages: nothing over anything on any of them, colours that all can tell apart, fonts that are hostile."""

from __future__ import annotations

import dataclasses
import io
import re
import struct
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import scenes
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from PIL import Image

from damagediff import (
    figure_animation,
    figure_boxes,
    figure_fonts,
    figure_labels,
    figure_map,
    figure_page,
    figure_places,
    figure_presets,
    figure_press,
    figure_words,
    figures,
    judged,
    types,
)
from damagediff import figure_sheet as sheets
from damagediff.errors import InputError, SettingsError
from damagediff.figure_presets import PRESETS

NAMES = list(PRESETS)

SEEN_BY = {
    "all cones": np.eye(3),
    "no red cones": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "no green cones": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "no blue cones": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
"""Linear RGB as seen (Machado, Oliveira and Fernandes 2009, severity 1, DOI 10.1109/TVCG.2009.113)."""


def words(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(Text))


def crowded(count: int, seed: int, shape: tuple[int, int], side: int) -> types.Comparison:
    """`count` regions in a square of `side` px: as crowded as they come."""
    rng = np.random.default_rng(seed)
    side = min(side, *shape)
    found = []
    for number in range(1, count + 1):
        rows, cols = (int(n) for n in rng.integers(6, max(8, side // 3), 2))
        top, left = (int(rng.integers(0, max(1, side - n))) for n in (rows, cols))
        tier: types.Tier = "other" if number % 3 == 0 else "structural"
        found.append(scenes.region(number, tier, (top, left, top + rows, left + cols), 0.5))
    base = scenes.comparison(shape, count=0)
    pictures = scenes.pictures(base.pictures.before, base.pictures.after, tuple(found))
    return dataclasses.replace(base, regions=tuple(found), pictures=pictures)


def drawn_boxes(figure: Figure) -> list[tuple[float, float, float, float]]:
    """Corners (x0, y0, x1, y1) in px of everything written."""
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    texts = [text for text in figure.findobj(Text) if text.get_text().strip()]
    return [tuple(text.get_window_extent(renderer).extents) for text in texts]


def overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    slack = 1.0  # antialiasing
    return a[0] + slack < b[2] and b[0] + slack < a[2] and a[1] + slack < b[3] and b[1] + slack < a[3]


def check_page(comparison: types.Comparison, name: str, annotated: bool = True) -> None:
    preset = PRESETS[name]  # type: ignore[index]
    with sheets.defaults():
        figure = figure_press.draw(comparison, preset, annotated)
        texts = drawn_boxes(figure)
        on = figure_page.page(comparison, preset, annotated)
    for box in texts:
        assert box[0] >= 0 and box[1] >= 0 and box[2] <= preset.width and box[3] <= preset.height
    assert not [(a, b) for a, b in combinations(texts, 2) if overlap(a, b)]
    panels = [axes for axes in figure.axes if axes.bbox.width > 200]
    on_pictures = [axes.bbox.extents for axes in panels]
    inside = {text for axes in figure.axes for text in axes.texts} | {
        artist for axes in figure.axes for artist in axes.artists if isinstance(artist, Text)
    }
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    for text in figure.findobj(Text):
        if text.get_text().strip() and text not in inside and text.axes is None:
            extent = tuple(text.get_window_extent(renderer).extents)
            assert not any(overlap(extent, tuple(box)) for box in on_pictures), text.get_text()
    boxed = [
        place.picture for place, panel in zip(on.arrangement.panels, on.panels, strict=True) if panel.boxes
    ]
    for picture in boxed:
        check_labels(on, picture)


@pytest.mark.parametrize("annotated", [True, False])
@pytest.mark.parametrize("shape", [(320, 480), (480, 320), (300, 400), (200, 900), (900, 150)])
def test_nothing_lies_over_anything_in_the_comparison(shape: tuple[int, int], annotated: bool) -> None:
    comparison = crowded(24, 1, shape, 150)
    long = dataclasses.replace(comparison.pair.after, credit="© Provider of imagery, " * 4)
    for pair in (comparison.pair, dataclasses.replace(comparison.pair, after=long)):
        with sheets.defaults():
            figure = figures.draw_comparison(dataclasses.replace(comparison, pair=pair), annotated)
            texts = drawn_boxes(figure)
        width, height = (round(n * sheets.DPI) for n in figure.get_size_inches())
        assert all(b[0] >= 0 and b[1] >= 0 and b[2] <= width and b[3] <= height for b in texts)
        assert not [(a, b) for a, b in combinations(texts, 2) if overlap(a, b)]
        pictures = [tuple(axes.bbox.extents) for axes in figure.axes if axes.bbox.width > 200]
        free = [text for text in figure.findobj(Text) if text.get_text().strip() and text.axes is None]
        renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
        for text in free:
            extent = tuple(text.get_window_extent(renderer).extents)
            assert not any(overlap(extent, box) for box in pictures), text.get_text()


def check_labels(on: figure_page.Page, picture: figure_places.Place) -> None:
    """No label on a label, on the object of a box, or under a leader line."""
    size = picture.width, picture.height
    frame = figure_labels.Box(0, 0, *size)
    placed = figure_boxes.layout(on.shown, on.comparison.pair.grid, size, on.unit)
    labels = [label for _, label in placed if label is not None]
    assert not any(a.box.overlaps(b.box) for a, b in combinations(labels, 2))
    objects = [box for box, _ in placed if box.area <= figure_labels.LARGE_SHARE * frame.area]
    assert not any(label.box.overlaps(box) for label in labels for box in objects)
    leaders = [label.leader for label in labels if label.leader]
    for one, other in combinations(leaders, 2):
        assert not figure_labels._cross(one, other)
    for box, label in placed:
        apart = [other for other in objects if not other.overlaps(box)]
        assert label is None or label.leader is None or not any(o.crossed_by(label.leader) for o in apart)
    for label in labels:
        assert label.box.inside(frame)
        assert not any(label.box.crossed_by(line) for line in leaders if line != label.leader)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("annotated", [True, False])
def test_nothing_lies_over_anything(name: str, annotated: bool) -> None:
    check_page(scenes.comparison(), name, annotated)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_lies_over_anything_with_crowded_regions(name: str) -> None:
    check_page(crowded(24, 1, (320, 480), 200), name)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(NAMES),
    st.integers(0, 30),
    st.integers(0, 99),
    st.sampled_from([(320, 480), (600, 200), (150, 640), (90, 90)]),
    st.integers(60, 400),
)
def test_no_label_overlaps_on_any_page(
    name: str, count: int, seed: int, shape: tuple[int, int], side: int
) -> None:
    check_page(crowded(count, seed, shape, side), name)


@pytest.mark.parametrize("name", NAMES)
def test_a_refused_pair_has_a_page_that_says_so(name: str) -> None:
    refused = scenes.comparison(accepted=False, georeferenced=False)
    tall = dataclasses.replace(refused.pictures, after=refused.pictures.after[:, :100])
    refused = dataclasses.replace(refused, pictures=tall)
    check_page(refused, name)
    figure = figure_press.draw(refused, PRESETS[name])  # type: ignore[index]
    assert "NOT COMPARABLE" in words(figure) and "AFTER, not aligned" in words(figure)
    assert "\nN\n" not in words(figure) and "numbered" not in words(figure)


@pytest.mark.parametrize("name", NAMES)
def test_long_words_keep_their_place(name: str) -> None:
    comparison = scenes.comparison()
    image = dataclasses.replace(comparison.pair.after, credit="© " + "Provider of imagery, " * 5)
    pair = dataclasses.replace(comparison.pair, before=image, after=image)
    case = dataclasses.replace(comparison.case, title="Գանձակ გორი گنجه " * 30)
    check_page(dataclasses.replace(comparison, pair=pair, case=case), name)


@pytest.mark.parametrize("name", NAMES)
def test_each_page_says_what_must_be_said(name: str) -> None:
    comparison = scenes.comparison()
    preset = PRESETS[name]  # type: ignore[index]
    figure = figure_press.draw(comparison, preset)
    shown = " ".join(words(figure).split())
    for text in (
        "4 Oct 2020, 07:52 UTC",
        "13 Oct 2020, 07:49 UTC",
        "Example Imagery",
        "credit not stated",
        "image processed: co-registered",
        "contrast stretched p2–p98, both alike",
        "damagediff 0.1.0",
        "visible change: built structure looks different or is missing",
        "° N",
        "° E",
    ):
        assert text in shown, text
    assert round(figure.get_figwidth() * sheets.DPI) == preset.width
    assert round(figure.get_figheight() * sheets.DPI) == preset.height
    bare = scenes.comparison(georeferenced=False)
    assert "no scale: not georeferenced" in " ".join(words(figure_press.draw(bare, preset)).split())


def test_all_panels_show_the_same_part_at_the_same_size() -> None:
    for name in NAMES:
        on = figure_page.page(scenes.comparison(), PRESETS[name], True)  # type: ignore[index]
        sizes = {place.picture[2:] for place in on.arrangement.panels}
        assert len(sizes) == 1 and len({panel.rgb.shape for panel in on.panels}) == 1


def test_the_clean_twin_shows_nothing_that_was_found() -> None:
    figure = figure_press.draw(scenes.comparison(), PRESETS["a4"], annotated=False)
    shown = words(figure)
    assert not any(axes.patches for axes in figure.axes) and len(figure.axes) == 2
    assert "regions" not in shown and "outlines" not in shown and "4 Oct 2020" in shown


def test_enlarged_pixels_are_repeated_and_framed_in_the_colour_of_their_box() -> None:
    comparison = scenes.comparison()
    figure = figure_press.draw(comparison, PRESETS["a3-map"])
    on = figure_page.page(comparison, PRESETS["a3-map"], True)
    assert len(on.arrangement.pairs.corners) >= 3
    region, crop = on.enlarged[0]
    frames = [p for p in figure.findobj(Rectangle) if p.get_facecolor()[:3] == _rgb(region.tier)]
    assert frames
    insets = [axes.images[0].get_array() for axes in figure.axes[3:]]
    used = {tuple(px) for px in crop.before.reshape(-1, 3)}
    assert any({tuple(px) for px in np.asarray(shown).reshape(-1, 3)} == used for shown in insets)


def _rgb(tier: figure_boxes.Mark) -> tuple[float, ...]:
    code = figure_boxes.COLORS[tier]
    return tuple(int(code[k : k + 2], 16) / 255 for k in (1, 3, 5))


def luminance(color: str, seen: np.ndarray) -> float:
    value = np.array([int(color[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return float(np.clip(seen @ linear, 0, 1) @ [0.2126, 0.7152, 0.0722])


def contrast(one: float, other: np.ndarray | float) -> np.ndarray:
    high, low = np.maximum(one, other), np.minimum(one, other)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("who", SEEN_BY)
@pytest.mark.parametrize("tier", figure_boxes.COLORS)
def test_an_outline_stands_out_on_any_ground_for_everybody(who: str, tier: types.Tier) -> None:
    seen, ground = SEEN_BY[who], np.linspace(0, 1, 1001)
    layers = [luminance(str(s["color"]), seen) for s in figure_boxes.strokes(tier, 1)]
    assert np.max([contrast(layer, ground) for layer in layers], axis=0).min() >= 4.5
    assert all(contrast(a, b) >= 3 for a, b in zip(layers, layers[1:], strict=False))


@pytest.mark.parametrize("who", SEEN_BY)
def test_the_tiers_are_told_apart_by_everybody_and_in_grey(who: str) -> None:
    seen = {how: luminance(color, SEEN_BY[who]) for how, color in figure_boxes.COLORS.items()}
    for one, other in combinations(seen, 2):
        same_halo = figure_boxes.HALO[one] == figure_boxes.HALO[other]
        assert contrast(seen[one], seen[other]) >= (1.2 if same_halo else 1.8)
        assert figure_boxes.DASHES[one] != figure_boxes.DASHES[other]
    assert figure_boxes.HALO["structural"] != figure_boxes.HALO["other"]


def test_a_drawn_outline_has_the_contrast_on_a_middling_picture() -> None:
    for grey in (0, 60, 118, 190, 255):
        sheet = sheets.Sheet(200, 200)
        axes = sheet.picture((0, 0, 200, 200), np.full((200, 200, 3), grey, np.uint8))
        region = scenes.region(1, "other", (60, 60, 140, 140), None)
        figure_boxes.draw(axes, [region], types.Grid((200, 200)), (200, 200))
        with Image.open(io.BytesIO(sheets.png(sheet.figure))) as shown:
            line = np.asarray(shown.convert("RGB"))[100, 40:70] / 255
        linear = np.where(line <= 0.04045, line / 12.92, ((line + 0.055) / 1.055) ** 2.4)
        seen = linear @ [0.2126, 0.7152, 0.0722]
        assert contrast(seen[0], seen).max() >= 3


@pytest.mark.parametrize("name", ["news-16x9", "news-1x1", "news-9x16"])
@pytest.mark.parametrize("credits_", [(None, None), ("A", None), (None, "A"), ("A", " \u202e\n ")])
def test_a_page_to_be_published_needs_both_credits(
    name: str, credits_: tuple[str | None, str | None]
) -> None:
    with pytest.raises(SettingsError, match=rf"--figure {name}.*-credit") as caught:
        figure_presets.check([name], *credits_)  # type: ignore[list-item]
    assert caught.value.exit_code == 2
    figure_presets.check([name], "© A", "© B")  # type: ignore[list-item]
    figure_presets.check(["a4", "a3-map"], *credits_)


def test_pages_are_written_once_and_repeat_byte_for_byte(tmp_path: Path) -> None:
    comparison = scenes.comparison((120, 160), count=4)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        figures.write(comparison, tmp_path / name, ("news-1x1", "news-1x1"), "gif")
    names = {path.name for path in (tmp_path / "one").iterdir()}
    pages = {f"figure_news-1x1{clean}.{kind}" for clean in ("", "_clean") for kind in ("png", "svg")}
    main = {f"figure{clean}.{kind}" for clean in ("", "_clean") for kind in ("png", "svg")}
    assert names == main | {"figure_animation.gif"} | pages
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_region_that_was_rejected_is_drawn_apart_and_stays() -> None:
    comparison = scenes.comparison()
    kept, rejected = (region.id for region in comparison.regions[:2])
    said = tuple(
        judged.Judgement("region", str(number), decision)
        for number, decision in ((kept, "accepted"), (rejected, "rejected"))
    )
    reviewed = dataclasses.replace(
        comparison, reviews=(judged.Review("review-001.json", "A.B.", None, said),)
    )
    assert figure_words.rejected(reviewed) == {rejected} and not figure_words.rejected(comparison)
    for make in (figures.draw_comparison, lambda c: figure_press.draw(c, PRESETS["a4"])):
        before, after = make(comparison), make(reviewed)
        grey = [p for p in after.findobj(Rectangle) if p.get_edgecolor()[:3] == _rgb("rejected")]
        assert grey and all(p.get_linestyle() != "-" for p in grey)
        assert not [p for p in before.findobj(Rectangle) if p.get_edgecolor()[:3] == _rgb("rejected")]
        shown = words(after).split("\n")
        assert str(rejected) in shown and figure_boxes.REJECTED in shown
        assert figure_boxes.REJECTED not in words(before)
        assert [text for text in shown if text.startswith("after, rejected")]
    other = dataclasses.replace(said[1], decision="accepted")
    twice = (*reviewed.reviews, judged.Review("review-002.json", "C.D.", None, (other,)))
    assert not figure_words.rejected(dataclasses.replace(comparison, reviews=twice))  # disputed


def test_an_svg_holds_no_date_and_no_markup_of_the_user() -> None:
    comparison = scenes.comparison((120, 160), count=2)
    hostile = "--><script>alert(1)</script>]]>&amp;\x00 <!-- "
    image = dataclasses.replace(comparison.pair.before, credit=hostile)
    case = dataclasses.replace(comparison.case, title=hostile)
    pair = dataclasses.replace(comparison.pair, before=image)
    bad = dataclasses.replace(comparison, case=case, pair=pair)
    for figure in (figure_press.draw(bad, PRESETS["a4"]), figures.draw_comparison(bad)):
        with sheets.defaults():
            check_svg(sheets.svg(figure))


def check_svg(data: bytes) -> None:
    root = ElementTree.fromstring(data)  # noqa: S314
    assert not [e for e in root.iter() if "script" in str(e.tag)]
    assert b"dc:date" not in data and b"Matplotlib" not in data
    hrefs = re.findall(rb'href="([^"]{0,12})', data)
    assert hrefs and all(link.startswith((b"#", b"data:image")) for link in hrefs)


def test_coordinates_lie_where_they_say() -> None:
    grid = scenes.comparison((900, 1200)).pair.grid
    for side, size in (("below", 1200), ("left", 900)):
        found = figure_map.ticks(grid, side, size, 1.0)  # type: ignore[arg-type]
        assert len(found) >= 2
        for px, text in found:
            value = float(text.split("°")[0])
            row, col = (899.5, px - 0.5) if side == "below" else (px - 0.5, -0.5)
            lonlat = figure_map.grids.lonlat_from_grid(grid, np.array([[row, col]]))[0]
            assert lonlat[0 if side == "below" else 1] == pytest.approx(value, abs=1e-7)


def test_the_locator_uses_a_stated_place_and_says_so() -> None:
    bare = scenes.comparison(georeferenced=False)
    assert figure_map.place_of(bare) is None
    stated = dataclasses.replace(bare, case=dataclasses.replace(bare.case, place=(-40.5, -3.25)))
    place = figure_map.place_of(stated)
    assert place is not None
    assert figure_map.place_words(place) == ["40.500° S", "3.250° W", "as stated"]


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_a_moving_picture_shows_before_and_after(tmp_path: Path, kind: figure_animation.Kind) -> None:
    comparison = scenes.comparison((160, 240), count=4)
    assert figure_animation.write(comparison, tmp_path, kind)
    path = tmp_path / f"figure_animation.{kind}"
    assert path.stat().st_size <= figure_animation.MAX_BYTES
    with Image.open(path) as shown:
        assert shown.n_frames == 2 and shown.info["loop"] == 0  # type: ignore[attr-defined]
        assert shown.info.get("duration", 1200) == 1200
        frames = []
        for k in range(2):
            shown.seek(k)
            frames.append(np.asarray(shown.convert("RGB")).astype(int))
    assert np.abs(frames[0] - frames[1]).max() > 60


def test_a_moving_picture_keeps_to_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noisy = scenes.comparison((300, 300), count=0)
    sizes = []
    for limit in (5_000_000, 100_000):
        monkeypatch.setattr(figure_animation, "MAX_BYTES", limit)
        figure_animation.write(noisy, tmp_path, "webp")
        sizes.append((tmp_path / "figure_animation.webp").stat().st_size)
    assert sizes[1] <= 100_000 < sizes[0]


@pytest.mark.parametrize("after", [False, True])
def test_a_frame_has_its_date_and_credit_burnt_in(after: bool) -> None:
    comparison = scenes.comparison()
    heads, feet = figure_animation._words(comparison, after, 900, 1.0)
    said = " ".join((*heads, *feet))
    assert ("AFTER · 13 Oct 2020, 07:49 UTC" if after else "BEFORE · 4 Oct 2020, 07:52 UTC") in said
    assert ("credit not stated" if after else "Example Imagery") in said


def test_a_refused_pair_does_not_move(tmp_path: Path) -> None:
    assert not figure_animation.write(scenes.comparison(accepted=False), tmp_path, "gif")
    assert not list(tmp_path.iterdir())


def made_font(path: Path, em: int = 1000, size: int = 900, letter: str = "甘") -> Path:
    """A font with one letter, a square of `size` units."""
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for point in ((0, size), (size, size), (size, 0)):
        pen.lineTo(point)
    pen.closePath()
    square = pen.glyph()
    builder = FontBuilder(em, isTTF=True)
    builder.setupGlyphOrder([".notdef", "letter"])
    builder.setupCharacterMap({ord(letter): "letter"})
    builder.setupGlyf({".notdef": TTGlyphPen(None).glyph(), "letter": square})
    builder.setupHorizontalMetrics({".notdef": (500, 0), "letter": (min(size, 30_000), 0)})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "DejaVu Sans", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)
    return path


def test_a_font_of_the_user_draws_what_the_bundled_one_lacks(tmp_path: Path) -> None:
    path = made_font(tmp_path / "own.ttf")
    assert sheets.lacks("Gəncə 甘")
    with sheets.defaults(), figure_fonts.fonts(path):
        assert sheets.drawable("Gəncə 甘") == "Gəncə 甘" and sheets.lacks("哲")
        sheet = sheets.Sheet(100, 100)
        sheet.text((10, 10), "甘", 20)
        with Image.open(io.BytesIO(sheets.png(sheet.figure))) as shown:
            dark = np.asarray(shown.convert("L")) < 128
        assert sheets.text_width("A", 20) > 10
    assert dark.sum() > 1500  # the letter is a full square
    assert sheets.lacks("甘") and not [
        f for f in figure_fonts.fontManager.ttflist if f.name.startswith("damagediff")
    ]


def test_a_letter_of_absurd_size_is_not_drawn(tmp_path: Path) -> None:
    path = made_font(tmp_path / "huge.ttf", em=16, size=30_000)
    with figure_fonts.fonts(path):
        assert sheets.drawable("甘") == sheets.MISSING


@pytest.mark.parametrize(
    "defect", ["missing", "folder", "text", "empty", "collection", "cut", "huge", "noise"]
)
def test_a_font_that_is_none_is_told_in_one_line(tmp_path: Path, defect: str) -> None:
    path = made_font(tmp_path / "font.ttf")
    whole = path.read_bytes()
    if defect == "missing":
        path.unlink()
    elif defect == "folder":
        path = tmp_path
    elif defect == "huge":
        with path.open("r+b") as file:
            file.truncate(figure_fonts.MAX_BYTES + 1)
    else:
        rng = np.random.default_rng(3)
        path.write_bytes(
            {
                "text": b"#!/bin/sh\necho font\n",
                "empty": b"",
                "collection": b"ttcf" + whole[4:],
                "cut": whole[:40],
                "noise": whole[:4] + struct.pack(">H", 40_000) + rng.bytes(4000),
            }[defect]
        )
    with pytest.raises(InputError, match="--font") as caught:
        figures.check((), (None, None), path)
    assert "\n" not in str(caught.value) and caught.value.exit_code == 3


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=12))
@example([(1110, 1)])  # the table of characters points at a glyph that is not there
def test_a_damaged_font_never_raises_anything_else(tmp_path: Path, changes: list[tuple[int, int]]) -> None:
    data = bytearray(made_font(tmp_path / "font.ttf").read_bytes())
    for place, value in changes:
        data[place % len(data)] = value
    number = len(list(tmp_path.iterdir()))
    path = tmp_path / f"{number}.ttf"
    path.write_bytes(data)
    try:
        with sheets.defaults(), figure_fonts.fonts(path):
            sheet = sheets.Sheet(60, 60)
            sheet.text((0, 0), "甘 A", 12)
            assert sheets.png(sheet.figure)
    except InputError:
        pass


@pytest.mark.parametrize("text", ["سلام", "گنجه"])
def test_arabic_letters_join(text: str) -> None:
    alone = sum(sheets.text_width(letter, 20) for letter in text)
    assert sheets.text_width(text, 20) < 0.95 * alone


def test_hebrew_runs_from_right_to_left() -> None:
    def ink(text: str) -> np.ndarray:
        sheet = sheets.Sheet(160, 60)
        sheet.text((5, 5), text, 14)
        with Image.open(io.BytesIO(sheets.png(sheet.figure))) as shown:
            return np.asarray(shown.convert("L")) < 128

    last, first = "ם", "ו"  # a wide and a narrow letter: the second of the word stands at the left
    word = ink(first + last)
    left = ink(last)
    width = int(np.flatnonzero(left.any(0)).max()) - 3
    assert (word[:, :width] == left[:, :width]).mean() > 0.97


@pytest.mark.parametrize("text", ["Gəncə", "Գանձակ", "Гянджа", "გორი", "مدينة غنجة", "גנזך"])
def test_scripts_of_the_region_need_no_other_font(text: str) -> None:
    assert not sheets.lacks(text) and not sheets.lacks(text, bold=True)
