"""What is drawn from a comparison: figures and report, at the end of a run and of each review."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from . import figures, report, review_files, saved
from .settings import FigurePreset
from .types import Comparison


@dataclass(frozen=True)
class More:
    """What to draw beside what the settings of the run ask for, and with which font: a run keeps none."""

    pages: tuple[FigurePreset, ...] = ()
    animate: Literal["gif", "webp"] | None = None
    font: Path | None = None
    embed: bool = False


def pages(comparison: Comparison, more: More) -> tuple[FigurePreset, ...]:
    """Pages that the run's settings ask for, and those asked for now."""
    asked = comparison.settings.get("report", {}).get("figures", ())
    return tuple(dict.fromkeys((*asked, *more.pages)))


def embedded(comparison: Comparison, more: More) -> bool:
    """Whether a fragment for a news page was asked for, by the run's settings or now."""
    return more.embed or bool(comparison.settings.get("report", {}).get("embed"))


def draw(comparison: Comparison, folder: Path, more: More = More()) -> None:  # noqa: B008
    """Write figures and report into `folder`.

    Raises
    ------
    OSError
        The disk refuses.
    """
    animate = more.animate or comparison.settings.get("report", {}).get("animate")
    with figures.fonts(more.font):
        figures.write(comparison, folder, pages(comparison, more), animate)
        report.write(comparison, folder, embedded(comparison, more))


def of_run(folder: Path) -> Comparison:
    """The comparison of a finished run, as it was saved, with the reviews that it got since.

    Raises
    ------
    EvidenceError
        The run holds no comparison that can be read, or a review of another one.
    InputError
        A review in it cannot be read.
    """
    comparison = saved.read(folder)
    return replace(comparison, reviews=review_files.read_all(folder, comparison))
