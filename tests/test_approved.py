"""Figures and PDF pages look as they did when somebody last looked at them (tests/approved.py)."""

from __future__ import annotations

import numpy as np
import pytest
import scenes
from PIL import Image

approved = pytest.importorskip("approved", reason="pypdfium2 draws the pages of a PDF: pip install pypdfium2")

from damagediff import figure_labels, figures  # noqa: E402
from damagediff import figure_sheet as sheets  # noqa: E402


def test_every_picture_looks_as_approved() -> None:
    found = approved.compared()
    assert {one.name for one in found} == {path.stem for path in approved.FOLDER.iterdir()}
    differ = [f"{one.name} {one.apart:.0f}" for one in found if one.apart > approved.LIMIT]
    if differ:
        where = approved.write_page(found)
        pytest.fail(f"{', '.join(differ)}: look at {where}; make pictures approves what is drawn now")


def test_the_page_shows_differences_worst_first() -> None:
    grey = Image.new("RGB", (400, 320), "#808080")
    other = grey.copy()
    other.paste("#ffffff", (8, 8, 24, 24))
    found = [approved.Found("alike", grey, grey), approved.Found("<new>", grey, None)]
    found = sorted([approved.Found("patch", other, grey), *found], key=lambda one: -one.apart)
    assert [one.name for one in found] == ["<new>", "patch", "alike"]
    assert found[0].apart == 255 and 60 < found[1].apart <= 127 and found[2].apart == 0
    page = approved.page(found)
    assert page.index("&lt;new&gt;") < page.index("patch") < page.index("alike: 0.0, passes")


def test_a_missing_number_is_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    comparison = scenes.comparison()
    with sheets.defaults():
        whole = approved.reduced(approved.pixels(figures.draw_comparison(comparison)))
        placed = figure_labels.place
        monkeypatch.setattr(
            figure_labels, "place", lambda *given, **more: [*placed(*given, **more)[:-1], None]
        )
        less = approved.reduced(approved.pixels(figures.draw_comparison(comparison)))
    one, other = (np.asarray(picture)[: whole.height - 40] for picture in (whole, less))
    assert approved.difference(one, other[: len(one)]) > 1.5 * approved.LIMIT
