"""What goes onto one page of a given size, and how high each part is: nothing is drawn over anything.

Header, panels with enlarged regions, key, footer. Where words would leave too little room for the pictures
they get smaller; only a title is ever cut. `figure_press` draws it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial

from . import figure_boxes, figure_key, figure_map, figure_words, summary, wording
from . import figure_places as places
from . import figure_sheet as sheets
from .figure_presets import Preset
from .figure_sheet import INK, MUTED, PAPER
from .types import ByteArray, Comparison, Crop, Image, Region

SMALLER = (1.0, 0.9, 0.8, 0.7, 0.6)
"""Sizes of text that are tried, until `ROOM` is left."""
ROOM = 0.55
"""Share of the page's height that panels and enlarged regions should have."""
MARGIN, GAP = 40, 24
TITLE_LINES = 2
LARGEST_CUT = 0.5
"""Share of the scene that an enlarged region may show: more would not be larger than in the panel."""
EXTRA = "999,999 more regions not drawn here; report.html lists all, panels about 1:99,999 on A4 paper"
"""Room for what needs the size of the panels."""


@dataclass(frozen=True)
class Line:
    """Lines of the header in one style; on a coloured strip if `strip` is given."""

    lines: list[str]
    size: float
    bold: bool = False
    color: str = INK
    strip: str | None = None


@dataclass(frozen=True)
class Panel:
    """One picture with its words."""

    name: str
    image: Image
    rgb: ByteArray
    boxes: bool = False


@dataclass(frozen=True)
class Page:
    """What goes onto one page, at one size of text."""

    comparison: Comparison
    preset: Preset
    annotated: bool
    unit: float

    @property
    def width(self) -> int:
        """Between the margins."""
        return self.preset.width - 2 * self.px(MARGIN)

    @property
    def told(self) -> bool:
        """Whether findings are drawn."""
        return self.annotated and summary.told(self.comparison)

    def px(self, length: float) -> int:
        """A length at unit 1 on this page."""
        return round(length * self.unit)

    @property
    def tag(self) -> int:
        """Height of what stands above an enlarged region."""
        return self.px(places.TAG)

    def line(self, size: float) -> int:
        """Px from one line to the next, of a size at unit 1."""
        return sheets.line_height(size * self.unit)

    @cached_property
    def header(self) -> list[Line]:
        """Title, marks, time between the images, finding."""
        c, wrap = self.comparison, partial(self._wrap, self.width)
        title = wrap(summary.title(c), 15, True)
        if len(title) > TITLE_LINES:
            rest = " ".join(title[TITLE_LINES - 1 :])
            title = [*title[: TITLE_LINES - 1], sheets.fit(rest, 15 * self.unit, self.width, True)]
        found = [Line(title, 15, bold=True)]
        inner = partial(self._wrap, self.width - self.px(40))
        if summary.synthetic(c):
            found.append(Line(inner(figure_words.SYNTHETIC, 12, True), 12, True, PAPER, "#b00020"))
        if (verdict := summary.verdict_line(c)) is not None:
            color = INK if c.verdict == "not comparable" else "#8a5a00"
            found.append(Line(inner(verdict, 12, True), 12, True, PAPER, color))
        found.append(Line(wrap(summary.bracket(c), 10), 10, color=MUTED))
        if self.annotated:
            said = (summary.finding(c), summary.measure_line(c.change))
            found.append(Line(wrap(" ".join(text for text in said if text), 10), 10))
        return found

    def _wrap(self, width: float, text: str, size: float, bold: bool = False) -> list[str]:
        return sheets.wrap(text, size * self.unit, width, bold)

    @cached_property
    def panels(self) -> list[Panel]:
        """Before and after, and with findings after with its boxes."""
        c = self.comparison
        apart = "" if c.change is not None else ", not aligned"
        before = Panel(f"BEFORE{apart}", c.pair.before, c.pictures.before)
        after = Panel(f"AFTER{apart or ', aligned'}", c.pair.after, c.pictures.after)
        if not self.told:
            return [before, after]
        name = "AFTER, numbered regions" if c.regions else "AFTER, no region found"
        marked = Panel(name, c.pair.after, c.pictures.after, boxes=True)
        return [before, after, marked] if self.preset.panels == 3 else [before, marked]

    def head(self, panel: Panel, width: int) -> tuple[list[str], list[str]]:
        """Name and date of a panel."""
        marks = "SYNTHETIC · " if summary.synthetic(self.comparison) else ""
        inner = width - self.px(28)
        return (
            self._wrap(inner, marks + panel.name, 10, True),
            self._wrap(inner, wording.date(panel.image.acquisition), 9),
        )

    def credit(self, panel: Panel, width: int) -> list[str]:
        """Below a panel."""
        return self._wrap(width, summary.credit(panel.image.credit), 8)

    @property
    def ticks(self) -> int:
        """Room for coordinates below and left of the first panel."""
        return figure_map.room(self.comparison, self.unit)

    def heights(self, width: int) -> tuple[int, int]:
        """What head and foot of the panels need at this width."""
        if width not in self._measured:
            self._measured[width] = self._measure(width)
        return self._measured[width]

    @cached_property
    def _measured(self) -> dict[int, tuple[int, int]]:
        return {}

    def _measure(self, width: int) -> tuple[int, int]:
        heads = [self.head(panel, width) for panel in self.panels]
        head = max(len(name) * self.line(10) + len(date) * self.line(9) for name, date in heads)
        foot = max(len(self.credit(panel, width)) for panel in self.panels) * self.line(8)
        return head + self.px(14), foot + self.ticks + self.px(10)

    @cached_property
    def shown(self) -> tuple[Region, ...]:
        """Regions that may get a box."""
        return figure_words.boxes(self.comparison, self.preset.boxes) if self.told else ()

    @cached_property
    def rejected(self) -> frozenset[int]:
        """Ids of the regions that reviewers rejected."""
        return figure_words.rejected(self.comparison)

    @cached_property
    def enlarged(self) -> list[tuple[Region, Crop]]:
        """Regions with cut-outs, the first ones first; none that fills the scene, which the panel shows."""
        most = LARGEST_CUT * max(self.comparison.pair.grid.shape)
        cut_outs = self.comparison.pictures.crops
        crops = {c.region_id: c for c in cut_outs if max(c.window.rows, c.window.cols) <= most}
        return [(region, crops[region.id]) for region in self.shown if region.id in crops]

    @cached_property
    def drawn(self) -> frozenset[int]:
        """Ids of the regions that have a box: those for whose number there is room."""
        boxed = [p.picture for p, n in zip(self.arrangement.panels, self.panels, strict=True) if n.boxes]
        grid = self.comparison.pair.grid
        return frozenset(
            region.id
            for picture in boxed
            for region, (_, label) in zip(
                self.shown,
                figure_boxes.layout(self.shown, grid, (picture.width, picture.height), self.unit),
                strict=True,
            )
            if label is not None
        )

    @cached_property
    def footer_parts(self) -> tuple[str, ...]:
        """All but what needs the size of the panels."""
        grid = self.comparison.pair.grid
        source = wording.scale_source(grid) if grid.gsd_m is not None else ""
        return (*figure_words.footer(self.comparison, self.annotated), *((source,) if source else ()))

    @cached_property
    def key(self) -> figure_key.Key:
        """Legend, scale, north, locator."""
        c = self.comparison
        return figure_key.Key(c, self.shown if self.told else None, self.width, self.unit)

    @cached_property
    def above(self) -> int:
        """Height of margin and header."""
        return self.px(MARGIN) + sum(self.header_height(line) for line in self.header) + self.px(GAP / 2)

    def header_height(self, line: Line) -> int:
        """Height of one part of the header with the space under it."""
        return len(line.lines) * self.line(line.size) + self.px(28 if line.strip else 8)

    @cached_property
    def below(self) -> int:
        """Height of key, footer and margin."""
        lines = len(sheets.wrap_parts((*self.footer_parts, EXTRA), 8 * self.unit, self.width))
        return self.key.height + self.px(2 * GAP) + lines * self.line(8) + self.px(MARGIN)

    @property
    def middle(self) -> int:
        """Height that is left for the pictures."""
        return self.preset.height - self.above - self.below

    @cached_property
    def arrangement(self) -> places.Arrangement:
        """Where panels and enlarged regions are, from the left margin and the top of the middle."""
        aspects = tuple(panel.rgb.shape[1] / panel.rgb.shape[0] for panel in self.panels)
        most = int(self.comparison.settings.get("report", {}).get("insets", self.preset.pairs))
        pairs = min(len(self.enlarged), most, self.preset.pairs)
        wanted = places.Wanted(aspects, self.heights, pairs, self.unit, self.px(GAP))
        return places.arrange(self.width - self.ticks, self.middle, wanted)


def page(comparison: Comparison, preset: Preset, annotated: bool) -> Page:
    """The page with the largest text that leaves room for the pictures."""
    tried = (Page(comparison, preset, annotated, preset.unit * smaller) for smaller in SMALLER)
    for found in tried:
        if found.middle >= ROOM * preset.height:
            break
    return found
