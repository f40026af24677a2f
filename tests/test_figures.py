"""Figures: labels that never cover, the same bytes twice, and the words that must be there."""

from __future__ import annotations

import dataclasses
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import scenes
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.text import Text

from damagediff import (
    align_result,
    figure_hatch,
    figure_residuals,
    figure_words,
    figures,
    outcome,
    outputs,
    types,
)
from damagediff import figure_labels as labels
from damagediff import figure_sheet as sheets

FRAME = labels.Box(0, 0, 760, 600)


def words(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(Text))


def a_box(draw: st.DrawFn) -> labels.Box:
    left, top = draw(st.integers(0, 740)), draw(st.integers(0, 580))
    return labels.Box(
        left, top, min(left + draw(st.integers(4, 300)), 760), min(top + draw(st.integers(4, 300)), 600)
    )


@st.composite
def some_boxes(draw: st.DrawFn) -> list[labels.Box]:
    return [a_box(draw) for _ in range(draw(st.integers(0, 30)))]


def lines(placed: list[labels.Label]) -> list[labels.Line]:
    return [label.leader for label in placed if label.leader]


@settings(max_examples=60, deadline=None)
@given(some_boxes())
def test_labels_overlap_nothing(boxes: list[labels.Box]) -> None:
    result = labels.place(boxes, [(32.0, 32.0)] * len(boxes), FRAME, gap=6)
    assert len(result) == len(boxes)
    placed = [label for label in result if label is not None]
    assert all(label.box.inside(FRAME) for label in placed)
    assert not any(a.box.overlaps(b.box) for a, b in combinations(placed, 2))
    small = [box for box in boxes if box.area <= labels.LARGE_SHARE * FRAME.area]
    assert not any(label.box.overlaps(box) for label in placed for box in small)
    assert not any(
        label.box.crossed_by(line) for label in placed for line in lines(placed) if line != label.leader
    )


@given(some_boxes())
@settings(max_examples=30, deadline=None)
def test_a_leader_leads_from_its_label_to_its_box(boxes: list[labels.Box]) -> None:
    for box, label in zip(boxes, labels.place(boxes, [(32.0, 32.0)] * len(boxes), FRAME, gap=6), strict=True):
        if label is not None and label.leader is not None:
            start, end = label.leader
            assert label.box.nearest(start) == pytest.approx(start) and box.nearest(end) == pytest.approx(end)


def test_thirty_spread_boxes_all_get_labels() -> None:
    boxes = [labels.Box(x, y, x + 40, y + 30) for x in range(30, 700, 120) for y in range(40, 560, 110)]
    assert None not in labels.place(boxes, [(40.0, 32.0)] * len(boxes), FRAME, gap=6)


@pytest.mark.parametrize(
    ("line", "crossed"),
    [
        (((0, 5), (20, 5)), True),
        (((0, 14), (20, 0)), True),
        (((6, 6), (7, 7)), True),
        (((5, 0), (5, 20)), False),  # along an edge
        (((0, 20), (20, 0)), False),  # through a corner
        (((0, 0), (20, 0)), False),
        (((0, 0), (4, 4)), False),
        (((11, 0), (11, 20)), False),
    ],
)
def test_crossing_is_seen(line: labels.Line, crossed: bool) -> None:
    assert labels.Box(5, 4, 10, 10).crossed_by(line) is crossed


def test_figures_repeat_byte_for_byte(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        figures.write(scenes.comparison(), tmp_path / name)
    for name in ("figure.png", "figure_clean.png"):
        data = (tmp_path / "one" / name).read_bytes()
        assert data == (tmp_path / "two" / name).read_bytes() and data.startswith(b"\x89PNG")
        assert b"Software" not in data


def test_the_users_own_matplotlib_settings_change_nothing() -> None:
    import matplotlib

    comparison = scenes.comparison()
    plain = figure_residuals.png(comparison)
    with matplotlib.rc_context({"lines.linewidth": 9, "savefig.bbox": "tight", "text.color": "red"}):
        assert figure_residuals.png(comparison) == plain
        assert matplotlib.rcParams["lines.linewidth"] == 9


def test_each_panel_has_its_date_and_credit() -> None:
    comparison = scenes.comparison()
    shown = words(figures.draw_comparison(comparison))
    for text in (
        "A town, seen twice",
        "4 Oct 2020, 07:52 UTC",
        "13 Oct 2020, 07:49 UTC",
        "Example Imagery",
        "credit not stated",
        "not verified on the ground",
        "CE90 0.66 px (0.33 m)",
        "stretched p2–p98",
        "damagediff 0.1.0",
        f"id {outputs.evidence_id(comparison)}",
        "between 2020-10-04 07:52 UTC",
    ):
        assert text in shown
    assert "date not known" in words(figures.draw_comparison(scenes.comparison(dated=False)))


def test_north_and_scale_only_where_they_are_known() -> None:
    known = words(figures.draw_comparison(scenes.comparison()))
    assert "\nN" in known and "no scale" not in known
    unknown = words(figures.draw_comparison(scenes.comparison(georeferenced=False)))
    assert "\nN" not in unknown and "no scale: not georeferenced" in unknown
    stated = words(figures.draw_comparison(scenes.comparison(georeferenced=False, gsd_m=0.4)))
    assert "\nN" not in stated and "no scale" not in stated and "scale stated by the user" in stated


@pytest.mark.parametrize(("longest", "length"), [(130, 100), (99, 50), (0.5, 0.5), (1999, 1000), (20, 20)])
def test_scale_bars_are_round(longest: float, length: float) -> None:
    assert figures.round_length(longest) == pytest.approx(length)


def test_a_refused_pair_is_drawn_without_boxes() -> None:
    figure = figures.draw_comparison(scenes.comparison(accepted=False))
    shown = words(figure)
    assert "NOT COMPARABLE" in shown and "not aligned" in shown and "outlines" not in shown
    assert len(figure.axes) == 2 and not any(axes.patches for axes in figure.axes)


def judged(comparison: types.Comparison, verdict: types.Verdict) -> types.Comparison:
    failed = types.Check("resolution", "Are the two images about equally fine?", 4.0, 2.0, "", False)
    trust = types.Trust(verdict, (*comparison.trust.checks, failed))
    return dataclasses.replace(comparison, trust=trust)


@pytest.mark.parametrize("annotated", [True, False])
def test_the_verdict_and_what_failed_stand_on_the_figure(annotated: bool) -> None:
    good = scenes.comparison()
    reserved = words(figures.draw_comparison(judged(good, "comparable with reservations"), annotated))
    assert "COMPARABLE WITH RESERVATIONS: resolution" in reserved
    assert "RESERVATIONS" not in words(figures.draw_comparison(good, annotated))


def test_a_pair_too_little_alike_is_drawn_without_findings() -> None:
    figure = figures.draw_comparison(judged(scenes.comparison(count=0), "not comparable"))
    assert "NOT COMPARABLE: resolution" in words(figure) and "outlines" not in words(figure)
    assert len(figure.axes) == 2 and "no region found" not in words(figure)


def test_identical_files_are_named() -> None:
    pair = scenes.comparison().pair
    same = dataclasses.replace(pair, after=dataclasses.replace(pair.after, sha256=pair.before.sha256))
    assert "identical, byte for byte" in words(figures.draw_comparison(scenes.comparison(pair=same)))


def test_a_refused_pair_may_have_two_shapes() -> None:
    refused = scenes.comparison(accepted=False, georeferenced=False)
    tall = dataclasses.replace(refused.pictures, after=refused.pictures.after[:, :100])
    refused = dataclasses.replace(refused, pictures=tall)
    (_, _, width, height), (_, _, narrow, high) = figures.arrange(refused, 2)
    assert width / height == pytest.approx(1.5, rel=0.01) and narrow / high == pytest.approx(0.3125, rel=0.01)
    assert sheets.png(figures.draw_comparison(refused))
    placed = words(figures.draw_comparison(scenes.comparison(accepted=False)))
    assert "AFTER, not aligned, placed by its georeference" in placed


def test_the_clean_figure_has_no_marks() -> None:
    figure = figures.draw_comparison(scenes.comparison(), annotated=False)
    assert len(figure.axes) == 2 and not any(axes.patches for axes in figure.axes)
    assert "4 Oct 2020" in words(figure) and "outlines" not in words(figure)


def test_synthetic_pictures_say_so() -> None:
    notes = ("The sample scene is Synthetic.",)
    for annotated in (True, False):
        assert (
            words(figures.draw_comparison(scenes.comparison(notes=notes), annotated)).count("SYNTHETIC") >= 3
        )
    assert "SYNTHETIC" not in words(figures.draw_comparison(scenes.comparison()))


def test_what_is_not_drawn_is_counted() -> None:
    comparison = scenes.comparison(count=50)
    shown = figures.boxes(comparison)
    assert len(shown) == figure_words.MAX_BOXES and {region.tier for region in shown} == {
        "structural",
        "other",
    }
    assert "more regions not drawn" in words(figures.draw_comparison(comparison))


@pytest.mark.parametrize("shape", [(300, 900), (900, 300), (64, 64), (200, 2000)])
@pytest.mark.parametrize("count", [0, 9])
def test_any_shape_can_be_drawn(shape: tuple[int, int], count: int) -> None:
    count = count if min(shape) > 64 else 0
    assert sheets.png(figures.draw_comparison(scenes.comparison(shape, count=count))).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "title",
    [
        r"$\frac{1$ \foo $x$",
        "x" * 900,
        "a\x00b\x1b[31m\u202egnp.exe",
        "Գանձակ · გორი · גנזך · گنجه",
        "甘哲 \U0001f4a5",
        "half \udcff",
    ],
)
def test_any_title_can_be_drawn(title: str) -> None:
    comparison = scenes.comparison()
    case = dataclasses.replace(comparison.case, title=title)
    assert sheets.png(figures.draw_comparison(dataclasses.replace(comparison, case=case)))


def test_missing_glyphs_become_boxes_and_nothing_else_changes() -> None:
    assert sheets.drawable("Gəncə 甘") == f"Gəncə {sheets.MISSING}"


@given(st.text(max_size=80), st.integers(60, 600))
@settings(max_examples=40, deadline=None)
def test_text_keeps_to_its_width(text: str, width: int) -> None:
    assert all(sheets.text_width(line, 9) <= width for line in sheets.wrap(text, 9, width))


def test_pictures_are_averaged_or_repeated_never_invented() -> None:
    two = np.array([[[0, 0, 0], [200, 200, 200]]], np.uint8)
    assert set(np.unique(sheets.fitted(two, 40, 20))) == {0, 200}
    assert sheets.fitted(two, 1, 1).item(0) == 100


def test_not_analysed_is_hatched_where_it_is() -> None:
    comparison = scenes.comparison()  # its first 32 rows were not analysed
    plain, drawn = comparison.pictures.after, figure_hatch.marked(comparison)
    assert (drawn[:32] != plain[:32]).any() and (drawn[32:] == plain[32:]).all()


def test_what_the_user_left_out_is_hatched_the_other_way_and_named() -> None:
    comparison = scenes.comparison()
    assert comparison.change is not None
    why = (comparison.change.changed == types.NOT_ANALYSED).astype(np.uint8)
    why *= outcome.REASONS.index("no_picture") + 1
    why[:8, :60] = outcome.REASONS.index("excluded_by_hand") + 1
    told = dataclasses.replace(comparison, change=dataclasses.replace(comparison.change, why=why))
    left = figure_hatch.on_picture(figure_hatch.left_out(told.change), told)
    assert left[:32, :240].all() and not left[:, 240:].any() and not left[32:].any()
    one, other = figure_hatch.marked(comparison), figure_hatch.marked(told)
    assert (one[:32, 240:] == other[:32, 240:]).all() and (one[:32, :240] != other[:32, :240]).any()
    assert "left out by hand" in words(figures.draw_comparison(told))
    assert "left out by hand" not in words(figures.draw_comparison(comparison))


def test_residual_arrows_show_what_the_model_leaves() -> None:
    comparison = scenes.comparison()
    points = comparison.alignment.tie_points
    np.testing.assert_allclose(
        np.hypot(*figure_residuals.residual_rc(comparison.alignment).T), points.residual_px, atol=1e-9
    )


def test_residuals_of_nothing() -> None:
    alignment = scenes.alignment((320, 480), accepted=False)
    empty = align_result.NO_TIE_POINTS
    comparison = scenes.comparison(accepted=False)
    comparison = dataclasses.replace(comparison, alignment=dataclasses.replace(alignment, tie_points=empty))
    assert figure_residuals.png(comparison)
