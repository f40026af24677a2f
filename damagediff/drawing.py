"""What is drawn from a comparison: figures and report, at the end of a run and of each review."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from . import figures, report, review_files, saved
from .types import Comparison


def draw(comparison: Comparison, folder: Path) -> None:
    """Write figures and report into `folder`.

    Raises
    ------
    OSError
        The disk refuses.
    """
    figures.write(comparison, folder)
    report.write(comparison, folder)


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
