"""Part of `types`: how much ordinary change the rules of this run take for the change that is looked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

NullName = Literal["baselines", "stable", "reversed", "displaced"]
"""Where ordinary change was counted: between earlier dates, in places known to be stable, backwards in time,
and by moving the after image within the error of its alignment (a part of all ordinary change only)."""
HEADLINES: tuple[NullName, ...] = ("baselines", "stable", "reversed")
"""The first of these that was counted is the one that a run goes by."""


@dataclass(frozen=True)
class Null:
    """Ordinary regions counted in one way, and how many of them this pair should then hold."""

    name: NullName
    regions: int
    """Counted."""
    counted_px: int
    """Working-grid pixels in which they were counted; of several baselines, all together."""
    expected: int
    """Median of the ordinary regions to expect in the area that this run analysed."""
    interval: tuple[int, int]
    """Numbers between which they lie with 90 % probability."""
    masses: tuple[float, ...] = ()
    """Area times mean score of each region counted, px, largest first."""
    words: str = ""
    """What else a reader should know of it."""


@dataclass(frozen=True)
class Ordinary:
    """Ordinary change among the regions of the tier that claims most: structural, of radar the only one."""

    tier: Literal["structural", "other"] = "structural"
    listed: int = 0
    """Regions of that tier that the run lists."""
    analysed_px: int = 0
    nulls: tuple[Null, ...] = ()
    why_not: str = "nothing was compared"
    """Why there is no rate, in words; empty when there is one."""

    @property
    def headline(self) -> Null | None:
        """The one that the rates and the regions' chances go by."""
        counted = {null.name: null for null in self.nulls}
        return next((counted[name] for name in HEADLINES if name in counted), None)
