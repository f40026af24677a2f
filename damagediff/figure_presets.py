"""The pages that a figure can be made for: size, size of text, and how much goes onto each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from . import wording
from .errors import SettingsError
from .settings import FigurePreset


@dataclass(frozen=True)
class Preset:
    """One kind of page."""

    width: int
    """Px; screens at twice their own pixels, paper at 300 a inch."""
    height: int
    unit: float
    """Size of text and lines, 1 on a sheet 2,400 px wide: small print is 22 px high then."""
    panels: int
    """2: before, and after with boxes. 3: after also without them."""
    pairs: int
    """The most enlarged regions."""
    boxes: int
    publishing: bool
    """Made to be published: refused without a credit for each image."""
    paper: str = ""


PRESETS: dict[FigurePreset, Preset] = {
    "news-16x9": Preset(3840, 2160, 1.35, 2, 4, 24, True),
    "news-1x1": Preset(2160, 2160, 1.5, 2, 3, 24, True),
    "news-9x16": Preset(2160, 3840, 1.8, 2, 3, 24, True),
    "a4": Preset(2480, 3508, 1.32, 3, 4, 30, False, "A4"),
    "a3-map": Preset(4961, 3508, 1.4, 3, 6, 30, False, "A3"),
}
PAPER_DPI = 300


def check(presets: Sequence[FigurePreset], before_credit: str | None, after_credit: str | None) -> None:
    """Refuse a page made to be published when an image has no credit.

    Raises
    ------
    SettingsError
        Names the page and the image.
    """
    asked = [name for name in presets if PRESETS[name].publishing]
    sides = (("before", before_credit), ("after", after_credit))
    lacking = [side for side, credit in sides if not wording.plain(credit or "")]
    if asked and lacking:
        options = " and ".join(f"--{side}-credit" for side in lacking)
        raise SettingsError(
            f"--figure {asked[0]}: made to be published, so each image must be credited. Give {options}"
        )
