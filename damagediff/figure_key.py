"""The key of a page: what lines and hatchings mean, scale bar, north arrow, and where on Earth it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from . import figure_boxes, figure_map, figure_words, summary, wording
from . import figure_hatch as hatch
from . import figure_sheet as sheets
from .figure_boxes import Mark
from .figure_sheet import Sheet
from .types import Comparison, Region

SWATCH = 42
NARROWEST = 560
"""Px at unit 1 that a legend beside the map's marks should have; else it stands above them."""


class Key:
    """Measured when made, drawn later: `height` is known before anything is drawn.

    Parameters
    ----------
    shown : sequence of Region or None
        What has a box; None: nothing is said about change, so there is no legend.
    width : int
        Px on the page.
    unit : float
        Size of text.
    scale_of : str
        Which picture the scale bar belongs to, where they differ in size.
    """

    def __init__(
        self,
        comparison: Comparison,
        shown: Sequence[Region] | None,
        width: int,
        unit: float,
        scale_of: str = "",
    ) -> None:
        self.comparison, self.unit, self.width, self.scale_of = comparison, unit, width, scale_of
        self.place = figure_map.place_of(comparison)
        together = comparison.change is not None or summary.placed(comparison)
        self.has_north = comparison.pair.grid.crs is not None and together
        self.map_width = self._map_width()
        high = figure_map.GLOBE_PX if self.place else 72 if self.has_north else 64
        self.map_height = round(high * unit)
        beside = width - self.map_width - round(60 * unit)
        self.is_beside = beside >= NARROWEST * unit
        self.rows = self._flow(self._entries(shown), beside if self.is_beside else width)
        legend = len(self.rows) * self._step
        above = 0 if self.is_beside or not self.rows else legend + round(12 * unit)
        self.height = max(legend, self.map_height) if self.is_beside else above + self.map_height

    @property
    def _step(self) -> int:
        return sheets.line_height(9 * self.unit)

    @property
    def _bar_room(self) -> float:
        _, words = figure_map.scale_width(self.comparison, 1000, self.unit, self.scale_of)
        longest = sheets.text_width(words, figure_map.WORD_SIZE * self.unit)
        return max(figure_map.BAR_PX * self.unit, longest * 1.2) + 40 * self.unit

    def _map_width(self) -> int:
        unit = self.unit
        width = self._bar_room + self.has_north * figure_map.NORTH_PX * unit
        if self.place is not None:
            words = figure_map.place_words(self.place)
            size = figure_map.TICK_SIZE * unit
            width += (figure_map.GLOBE_PX + 12) * unit + max(sheets.text_width(word, size) for word in words)
        return round(width)

    def _entries(self, shown: Sequence[Region] | None) -> list[tuple[Mark | bool, str]]:
        """What is drawn, a line or a hatching that falls or rises, and its meaning."""
        change = self.comparison.change
        if shown is None or change is None:
            return []
        rejected = figure_words.rejected(self.comparison)
        used = {figure_boxes.mark(region, rejected) for region in shown}
        meaning: list[tuple[Mark, str]] = list(wording.legend(change.measure).items())
        meaning.append(("rejected", figure_boxes.REJECTED))
        return [*((how, words) for how, words in meaning if how in used), *hatch.entries(change)]

    def _flow(
        self, entries: list[tuple[Mark | bool, str]], width: int
    ) -> list[list[tuple[Mark | bool | None, str, float]]]:
        """Rows of (what is drawn, words, x); entries stand side by side where they fit."""
        rows: list[list[tuple[Mark | bool | None, str, float]]] = []
        x, indent = 0.0, (SWATCH + 14) * self.unit
        for what, words in entries:
            lines = sheets.wrap(words, 8 * self.unit, width - indent)
            needs = indent + max(sheets.text_width(line, 8 * self.unit) for line in lines)
            if not rows or len(lines) > 1 or x + needs > width:
                rows.append([])
                x = 0.0
            rows[-1].append((what, lines[0], x))
            rows += [[(None, line, x)] for line in lines[1:]]
            x += needs + 40 * self.unit if len(lines) == 1 else width
        return rows

    def draw(self, sheet: Sheet, left: int, top: int, picture_width: int) -> None:
        """Draw it; the scale is that of a picture of this width."""
        for k, row in enumerate(self.rows):
            for what, words, x in row:
                self._draw_entry(sheet, (left + x, top + k * self._step), what, words)
        if self.is_beside:
            left += self.width - self.map_width
        else:
            top += self.height - self.map_height
        self._draw_map(sheet, left, top, picture_width)

    def _draw_entry(
        self, sheet: Sheet, at: tuple[float, float], what: Mark | bool | None, words: str
    ) -> None:
        x, y = at
        swatch, high = round(SWATCH * self.unit), round(26 * self.unit)
        if isinstance(what, bool):
            grey = np.full((high, swatch, 3), 128, np.uint8)
            pitch = max(6, round(14 * self.unit))
            drawn = sheets.hatched(grey, np.ones(grey.shape[:2], bool), pitch, falling=what)
            sheet.picture((round(x), round(y), swatch, high), drawn)
        elif what is not None:
            figure_boxes.draw_swatch(sheet, (round(x), round(y), swatch, high), what, self.unit)
        sheet.text((x + (SWATCH + 14) * self.unit, y), words, 8 * self.unit)

    def _draw_map(self, sheet: Sheet, left: float, top: int, picture_width: int) -> None:
        unit = self.unit
        bar = figure_map.scale_width(self.comparison, picture_width, unit, self.scale_of)
        figure_map.draw_scale(sheet, (left, top), bar, unit)
        left += self._bar_room
        if self.has_north:
            figure_map.draw_north(sheet, left + 12 * unit, top, unit)
            left += figure_map.NORTH_PX * unit
        if self.place is not None:
            figure_map.draw_locator(sheet, (left, top), self.place, unit)
