"""Hatching of what was not analysed, and the other way round of what the user left out."""

from __future__ import annotations

import numpy as np

from . import figure_sheet as sheets
from . import wording
from .outcome import REASONS
from .types import NOT_ANALYSED, BoolArray, ByteArray, ChangeMap, Comparison


def marked(comparison: Comparison, size: tuple[int, int] | None = None, pitch: int = 0) -> ByteArray:
    """The after picture with both kinds hatched.

    Parameters
    ----------
    size : (int, int) or None
        Width and height in px to draw it at; None: its own.
    pitch : int
        Px between the lines; 0: by the width of the picture.
    """
    change, rgb = comparison.change, comparison.pictures.after
    assert change is not None
    if size is not None:
        rgb = sheets.fitted(rgb, *size)
    pitch = pitch or max(6, round(14 * rgb.shape[1] / 760))
    by_hand = left_out(change)
    hidden = on_picture((change.changed == NOT_ANALYSED) & ~by_hand, comparison, rgb.shape)
    rgb = sheets.hatched(rgb, hidden, pitch)
    return sheets.hatched(rgb, on_picture(by_hand, comparison, rgb.shape), pitch, falling=True)


def left_out(change: ChangeMap) -> BoolArray:
    """Cells that the user left out."""
    codes = [REASONS.index(reason) + 1 for reason in wording.BY_HAND]
    return np.zeros(change.changed.shape, bool) if change.why is None else np.isin(change.why, codes)


def on_picture(cells: BoolArray, comparison: Comparison, shape: tuple[int, ...] | None = None) -> BoolArray:
    """(rows, cols) of the after picture, or of one drawn at `shape`: where these cells lie."""
    change, shape = comparison.change, shape or comparison.pictures.after.shape
    assert change is not None
    rows, cols = comparison.pair.grid.shape
    at_row = np.minimum(np.arange(shape[0]) * rows // shape[0] // change.cell_px, cells.shape[0] - 1)
    at_col = np.minimum(np.arange(shape[1]) * cols // shape[1] // change.cell_px, cells.shape[1] - 1)
    return np.asarray(cells[at_row[:, None], at_col])


def entries(change: ChangeMap) -> list[tuple[bool, str]]:
    """Whether the lines fall, and what they mean, of each kind that is on the picture."""
    by_hand = left_out(change)
    hidden = (change.changed == NOT_ANALYSED) & ~by_hand
    kinds = ((False, "not analysed", hidden), (True, "left out by hand", by_hand))
    return [(falling, words) for falling, words, where in kinds if where.any()]
