"""Places that somebody marked by hand in both images."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import spatial

from .errors import InputError
from .types import FloatArray, Image

COLUMNS = ("before_row", "before_col", "after_row", "after_col")
MIN_POINTS = 3
MAX_POINTS = 10_000
MAX_BYTES = 10_000_000
APART_PX = 3.0
"""Places nearer to one another than this, in either image, are one place: a hand errs by more."""


@dataclass(frozen=True)
class HandPoints:
    """N places in pixels of both files as shown, the centre of the first pixel at (0, 0)."""

    before_rc: FloatArray
    after_rc: FloatArray


def read(path: Path, before: Image, after: Image) -> HandPoints:
    """Read a CSV with the columns before_row, before_col, after_row, after_col.

    Raises
    ------
    InputError
        The file is missing or not such a table, holds fewer than three places, one outside its image, or two
        within `APART_PX` of one another in either image.
    """
    try:
        if path.exists() and not (path.is_file() and path.stat().st_size <= MAX_BYTES):
            raise InputError(
                f"{path.name}: not a CSV file of at most {MAX_BYTES:,} bytes. Give a table of places"
            )
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        values = np.array([[float(row[name]) for name in COLUMNS] for row in rows]).reshape(-1, 4)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path.name}: not a readable CSV file: {error}. Save it as CSV in UTF-8") from None
    except (KeyError, TypeError, ValueError):
        columns = ", ".join(COLUMNS)
        raise InputError(
            f"{path.name}: needs the columns {columns}, with commas between, and a number in each"
        ) from None
    if not MIN_POINTS <= len(values) <= MAX_POINTS:
        raise InputError(
            f"{path.name}: holds {len(values)} places, {MIN_POINTS} to {MAX_POINTS:,} needed. Mark more, or "
            "fewer"
        )
    for image, rc in ((before, values[:, :2]), (after, values[:, 2:])):
        outside = ~((rc >= -0.5) & (rc <= np.array(image.shape) - 0.5)).all(1)
        if outside.any():
            line = int(np.flatnonzero(outside)[0]) + 2
            raise InputError(
                f"{path.name}: line {line} lies outside {image.as_counted}, which has "
                f"{image.shape[0]} rows and {image.shape[1]} columns. Check whether rows and columns are "
                "exchanged"
            )
    for image, rc in ((before, values[:, :2]), (after, values[:, 2:])):
        apart, nearest = spatial.KDTree(rc).query(rc, k=2)
        first = int(apart[:, 1].argmin())
        if apart[first, 1] < APART_PX:
            lines = sorted(int(k) + 2 for k in {first, *nearest[first]})[:2]
            raise InputError(
                f"{path.name}: lines {lines[0]} and {lines[1]} mark places {apart[first, 1]:.1f} px apart in "
                f"{image.name}, at least {APART_PX:g} px needed: mark places that lie far from each other"
            )
    return HandPoints(values[:, :2], values[:, 2:])
