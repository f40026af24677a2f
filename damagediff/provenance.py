"""Part of `types`: what people say of a picture, as far as no file tells it: source, scale and place."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Precision = Literal["day", "minute", "second"]

SOURCE_FIELDS = {
    "url": "URL",
    "publisher": "publisher",
    "credit": "credit",
    "licence": "licence",
    "captured_by": "captured by",
    "captured_at": "captured at (UTC)",
    "archive": "archive link",
    "original_sha256": "SHA-256 of the original",
}
"""What a source record holds, and what each is called; Berkeley Protocol, paragraphs 153 to 155 and 167."""


@dataclass(frozen=True)
class SourceRecord:
    """Where a picture was found, by whom and when: as stated, nothing of it is looked up."""

    url: str | None = None
    """Where it was found."""
    publisher: str | None = None
    credit: str | None = None
    """Who is to be credited for the image."""
    licence: str | None = None
    captured_by: str | None = None
    """Who saved the file: the first custodian."""
    captured_at: datetime | None = None
    """When it was saved. UTC, aware."""
    captured_precision: Precision = "day"
    archive: str | None = None
    """Where an independent copy of the page is kept."""
    original_sha256: str | None = None
    """64 hex digits, in small letters: of the file as it was saved, before any conversion."""

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of what is not stated, in the order of `SOURCE_FIELDS`."""
        return tuple(name for name in SOURCE_FIELDS if getattr(self, name) is None)

    def differs(self, sha256: str) -> bool:
        """Whether an original is named, and a file with this hash is not it."""
        return self.original_sha256 is not None and self.original_sha256 != sha256


@dataclass(frozen=True)
class ScaleBar:
    """Two points on the before image as shown, and how far they are apart on the ground."""

    ends_xy: tuple[tuple[float, float], tuple[float, float]]
    """(x, y) of both ends in pixels: x counts columns from the left, y rows from the top."""
    length_m: float
    uncertainty_px: float = 1.0
    """By how much each end may be misread."""

    @property
    def length_px(self) -> float:
        """How far the two ends lie apart in the picture."""
        (x1, y1), (x2, y2) = self.ends_xy
        return float(((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5)

    @property
    def gsd_m(self) -> float:
        """Ground size of a pixel of the before image."""
        return self.length_m / self.length_px

    @property
    def relative_uncertainty(self) -> float:
        """Share by which a length may be wrong: both ends misread, in opposite directions."""
        return 2 * self.uncertainty_px / self.length_px


@dataclass(frozen=True)
class MapPoint:
    """One place of a picture that an analyst found on a map, and how well the fit agrees with it."""

    xy: tuple[float, float]
    """Column and row in pixels as shown, the centre of the first pixel at (0, 0)."""
    lonlat: tuple[float, float]
    """Degrees, WGS 84."""
    residual_m: float
    """Distance on the ground between the stated place and where the fit puts the pixel."""
    left_out_m: float | None
    """The same with the fit made without this point; None with three points, which any affine meets."""


@dataclass(frozen=True)
class HandGeoreference:
    """A georeference that an analyst made: points found on a map, and the affine through them."""

    points: tuple[MapPoint, ...]
    rms_m: float
    """Root mean square of the residuals; 0 with three points, whatever their error."""
    left_out_rms_m: float | None
    """The same with each point left out in turn; None with three points."""
    relative_uncertainty: float | None
    """Largest share by which a length changes when one point is left out; None with three points."""
    turn_deg: float
    """By how much the picture's up lies clockwise of north."""
    stretch: float
    """Longest over shortest ground size of a pixel over all directions; 1: none."""
    sha256: str
    """Of the file of points."""
