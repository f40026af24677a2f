"""Part of `types`: what a run could have found on its pair, from damage planted into a copy of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Tally:
    """Objects of one kind and size that were planted, and how many were found."""

    size_px: int
    """Side of a square of the same area, in pixels of the working grid."""
    planted: int
    found: int
    """Touched by a region of either tier."""
    structural: int
    """Touched by a region of structural change."""
    outlined: int
    """Median score inside the object above the threshold, as a building's is asked."""


@dataclass(frozen=True)
class Recall:
    """Share found against size: a logistic curve fitted to tallies, with its doubt."""

    size_90_px: float | None
    """Size found with 90 % probability; None: cannot be said, for the `reason`."""
    interval_px: tuple[float, float | None] | None
    """90 % interval of that size; an upper end of None lies beyond what was planted. None: no fit."""
    reason: str
    """Why there is no such size, in words; empty when there is one."""
    curve: tuple[tuple[float, float, float, float], ...]
    """(size in px, share found, lower and upper end of its 90 % band) along the sizes planted."""


@dataclass(frozen=True)
class DetectionCurve:
    """What became of one kind of planted object."""

    kind: str
    """``rubble``, ``roof loss``, ``crater``, ``burn``; or harmless: ``repaint``, ``shadow``."""
    harmless: bool
    tallies: tuple[Tally, ...]
    """By growing size; sizes for which no room was left are missing."""
    found: Recall
    structural: Recall
    outlined: Recall

    @property
    def planted(self) -> int:
        """How many objects in all."""
        return sum(tally.planted for tally in self.tallies)


@dataclass(frozen=True)
class PlantedExample:
    """A planted object as the self-test saw it: synthetic, for the self-test's own figure only."""

    kind: str
    size_px: int
    found: bool
    before: npt.NDArray[np.uint8]
    """(bands, rows, cols)."""
    after: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Detection:
    """The self-test of a run."""

    curves: tuple[DetectionCurve, ...] = ()
    """One a kind; empty when nothing was planted."""
    reason: str = ""
    """Why nothing was planted, in words."""
    places: str = ""
    """Where rubble and roof loss were planted, in words."""
    examples: tuple[PlantedExample, ...] = ()

    def curve(self, kind: str) -> DetectionCurve | None:
        """The curve of one kind; None when it was not planted."""
        return next((curve for curve in self.curves if curve.kind == kind), None)
