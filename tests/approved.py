"""Pictures that somebody looked at and approved: figures and PDF pages of synthetic scenes, reduced.

python tests/approved.py             compare; writes reports/pictures.html, differences worst first
python tests/approved.py --approve   the same, then take what is drawn now as approved

A picture is 400 px wide. It differs by the largest difference between the means of a square of 8 px: letters
of another FreeType blur within one, a label or a line of text that is missing or moved changes one.
"""

from __future__ import annotations

import base64
import dataclasses
import html
import io
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import pypdfium2
import scenes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from damagediff import figure_press, figures, judged, outputs, report, report_pdf
from damagediff import figure_sheet as sheets
from damagediff.figure_presets import PRESETS
from damagediff.types import ByteArray, Comparison, FloatArray

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "tests" / "approved"
PAGE = ROOT / "reports" / "pictures.html"
WIDTH, SQUARE = 400, 8
QUALITY = 85
"""Of JPEG with all of its colour."""
LIMIT = 6.0
"""A picture differs from itself, as kept, by 3 at most; by 13 when the number of one region is missing."""
ALL_BLOCKS = """<html><body><header><h1>מבט על גנג'ה · گنجه 2020</h1>
<p><span class="chip comparable">comparable</span> evidence id 0123</p></header>
<p class="finding">One sentence of finding, larger than the text.</p><section><h2>Section</h2>
<p>A paragraph with <b>bold</b> and <small>small</small> words. Գանձակ, გორი, Гянджа, Ňž.</p>
<blockquote><p dir="auto">قال الشاهد إن مبنى من ثلاثة طوابق قرب الميدان (رقم 4)
لم يعد موجودا في 13 أكتوبر 2020.</p></blockquote>
<ul><li>first</li><li>second, שלום</li></ul>
<ol><li>one</li></ol><dl><dt>Name</dt><dd>value</dd></dl>
<table><caption>Table</caption><thead><tr><th>What</th><th class="n">Number</th></tr></thead>
<tbody><tr><td>مستشفى</td><td class="n">12</td></tr>
<tr><td>plain</td><td class="n">3,400</td></tr></tbody></table>
</section></body></html>"""
"""A page with every kind of block that has words, and scripts from both sides."""


def reviewed(comparison: Comparison) -> Comparison:
    """With two regions rejected."""
    said = tuple(judged.Judgement("region", str(r.id), "rejected") for r in comparison.regions[1:6:3])
    return dataclasses.replace(comparison, reviews=(judged.Review("review-001.json", "A.B.", None, said),))


def drawn() -> Iterator[tuple[str, Image.Image]]:
    """Every picture by name, as it is drawn now; the evidence id, which any result changes, is always one."""
    with mock.patch.object(outputs, "evidence_id", return_value="0123456789ab"):
        yield from _drawn()


def _drawn() -> Iterator[tuple[str, Image.Image]]:
    comparison, refused = scenes.comparison(), scenes.comparison(accepted=False, georeferenced=False)
    with sheets.defaults():
        for name, figure in (
            ("figure", figures.draw_comparison(comparison)),
            ("figure_clean", figures.draw_comparison(comparison, annotated=False)),
            ("figure_rejected", figures.draw_comparison(reviewed(comparison))),
            ("figure_refused", figures.draw_comparison(refused)),
        ):
            yield name, pixels(figure)
        for preset, size in PRESETS.items():
            yield f"figure_{preset}", pixels(figure_press.draw(comparison, size))
    for name, page in (
        ("report_first_page", report.html(comparison)),
        ("report_refused_page", report.html(refused)),
        ("report_blocks_page", ALL_BLOCKS),
    ):
        data = report_pdf.pdf(page, outputs.evidence_id(comparison))
        with pypdfium2.PdfDocument(data) as document:
            yield name, document[0].render(scale=2).to_pil().convert("RGB")


def pixels(figure: Figure) -> Image.Image:
    """The figure as PNG would hold it."""
    canvas = figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    canvas.draw()  # type: ignore[no-untyped-call]
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])  # type: ignore[no-untyped-call]


def reduced(picture: Image.Image) -> Image.Image:
    """As it is kept: `WIDTH` px wide."""
    return picture.resize((WIDTH, round(picture.height * WIDTH / picture.width)), Image.Resampling.BOX)


def difference(one: ByteArray, other: ByteArray) -> float:
    """The largest difference between the means of a square, 0..255; 255 for pictures of two shapes.

    Either may lie one px off: text that another FreeType sets a little wider is the same text.
    """
    if one.shape != other.shape:
        return 255.0
    return max(_one_way(one, other), _one_way(other, one))


def _one_way(one: ByteArray, other: ByteArray) -> float:
    there = _means(other)
    shifts = itertools.product((-1, 0, 1), repeat=2)
    apart = [np.abs(_means(np.roll(one, shift, (0, 1))) - there).mean(axis=2) for shift in shifts]
    return float(np.min(apart, axis=0).max())


def _means(picture: ByteArray) -> FloatArray:
    rows, cols = (n // SQUARE * SQUARE for n in picture.shape[:2])
    squares = picture[:rows, :cols].astype(float).reshape(rows // SQUARE, SQUARE, cols // SQUARE, SQUARE, 3)
    return np.asarray(squares.mean(axis=(1, 3)))


@dataclasses.dataclass(frozen=True)
class Found:
    """One picture beside the approved one."""

    name: str
    now: Image.Image
    approved: Image.Image | None
    """None: nobody approved it yet."""

    @property
    def apart(self) -> float:
        """How far they differ, 0..255."""
        return 255.0 if self.approved is None else difference(np.asarray(self.now), np.asarray(self.approved))


def compared() -> list[Found]:
    """Every picture, worst first."""
    found = []
    for name, picture in drawn():
        path = FOLDER / f"{name}.jpg"
        approved = Image.open(path).convert("RGB") if path.exists() else None
        found.append(Found(name, reduced(picture), approved))
    return sorted(found, key=lambda one: -one.apart)


def approve(found: list[Found]) -> None:
    """Keep what is drawn now; a picture that passes stays as it is, one that is no longer drawn goes."""
    FOLDER.mkdir(exist_ok=True)
    for path in FOLDER.iterdir():
        if path.stem not in {one.name for one in found}:
            path.unlink()
    for one in found:
        if one.apart > LIMIT:
            one.now.save(FOLDER / f"{one.name}.jpg", quality=QUALITY, subsampling=0, optimize=True)


def page(found: list[Found]) -> str:
    """A page of HTML that shows approved, now and what differs, worst first."""
    rows = []
    for one in found:
        shown = [("now", one.now)]
        if one.approved is not None:
            shown.insert(0, ("approved", one.approved))
            if one.approved.size == one.now.size:
                apart = np.abs(np.asarray(one.now).astype(int) - np.asarray(one.approved))
                strong = 255 - np.clip(apart * 4, 0, 255).astype(np.uint8)
                shown.append(("difference, four times", Image.fromarray(strong)))
        cells = "".join(
            f"<figure>{_img(picture)}<figcaption>{words}</figcaption></figure>" for words, picture in shown
        )
        word = "differs" if one.apart > LIMIT else "passes"
        rows.append(f"<h2>{html.escape(one.name)}: {one.apart:.1f}, {word}</h2><div>{cells}</div>")
    style = "body{font-family:sans-serif}div{display:flex;flex-wrap:wrap;gap:1em}figure{margin:0}"
    title = f"Pictures against the approved ones, worst first; at most {LIMIT:g} passes"
    head = f"<meta charset='utf-8'><title>Pictures</title><style>{style}</style>"
    return f"<!doctype html><html lang='en'>{head}<h1>{title}</h1>{''.join(rows)}</html>"


def _img(picture: Image.Image) -> str:
    held = io.BytesIO()
    picture.save(held, "PNG")
    return f"<img alt='' src='data:image/png;base64,{base64.b64encode(held.getvalue()).decode()}'>"


def write_page(found: list[Found]) -> Path:
    """Write the page of differences; where it is."""
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(found), encoding="utf-8")
    return PAGE


def main() -> int:
    """Compare, and approve when told to."""
    found = compared()
    for one in found:
        print(f"{one.apart:6.1f}  {one.name}")
    print(f"differences: {write_page(found).relative_to(ROOT)}")
    if "--approve" in sys.argv[1:]:
        approve(found)
        return 0
    return int(any(one.apart > LIMIT for one in found))


if __name__ == "__main__":
    raise SystemExit(main())
