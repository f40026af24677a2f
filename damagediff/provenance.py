"""Part of `types`: where a picture comes from: what people say of it, and what its file tells."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
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

OF_THE_FILE = ("url", "publisher", "captured_by", "archive", "original_sha256")
"""What is the same of two panels of one file, beside when it was saved."""


@dataclass(frozen=True)
class Integrity:
    """Whether a file is whole, as far as its container tells."""

    state: Literal["complete", "damaged", "unusual"] = "complete"
    findings: tuple[str, ...] = ()
    """What is damaged or unusual, each a few words."""
    tolerant: bool = False
    """The decoder complains only of bytes that it skips: its complaints are told and stop nothing."""

    @property
    def words(self) -> str:
        """``complete``, or the state with what was found."""
        return f"{self.state} ({'; '.join(self.findings)})" if self.findings else self.state


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

    def of_one_file(self, other: SourceRecord) -> SourceRecord:
        """The record of a panel, filled from that of the other panel where it tells of their one file.

        Credit and licence are those of an image: two panels may have two.
        """
        told = {name: getattr(self, name) or getattr(other, name) for name in OF_THE_FILE}
        found = dataclasses.replace(self, **told)
        if self.captured_at is None and other.captured_at is not None:
            return dataclasses.replace(
                found, captured_at=other.captured_at, captured_precision=other.captured_precision
            )
        return found

    def is_original(self, sha256: str | None) -> bool | None:
        """Whether a file with this hash is the original that is named; None when one is not known."""
        return None if self.original_sha256 is None or sha256 is None else self.original_sha256 == sha256

    def doubts(self, sha256: str | None, acquired: datetime | None) -> Iterator[str]:
        """Sentences on what the file with this hash, taken then, contradicts."""
        if sha256 is not None and self.is_original(sha256) is False:
            yield (
                f"The file given is not the original: its SHA-256 begins with {sha256[:12]}, that of the "
                f"original as stated with {(self.original_sha256 or '')[:12]}."
            )
        if self.captured_at and acquired and self.captured_at.date() < acquired.date():
            yield (
                f"It is said to have been saved on {self.captured_at:%Y-%m-%d}, before it was taken "
                f"({acquired:%Y-%m-%d}): check the dates."
            )


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
    """By how much the picture's up lies clockwise of grid north."""
    stretch: float
    """Longest over shortest ground size of a pixel over all directions; 1: none."""
    sha256: str
    """Of the file of points."""


@dataclass(frozen=True)
class EarlierJpeg:
    """Signs in the pixels that they were once JPEG, beyond what the file itself is."""

    offset_xy: tuple[int, int]
    """Where the earlier grid of 8 x 8 px begins, in pixels as delivered; (0, 0): at the corner."""
    quality: int | None
    """The quality of the IJG scale whose steps fit; None when the grid shows and no steps do."""
    evidence: float
    limit: float
    """The evidence needed to say so."""


@dataclass(frozen=True)
class Resampled:
    """Signs in the pixels that they were made from those of another grid."""

    period_px: float
    """After how many pixels the pattern repeats, 2 to 10; how much larger it is where pixels are repeated."""
    repeated: bool
    """Whether pixels are repeated: then it was enlarged, by this much."""

    @property
    def enlarged(self) -> tuple[float, ...]:
        """Enlargements that leave such a pattern; a reduction may too, unless pixels are repeated."""
        if self.repeated or self.period_px <= 2:
            return (self.period_px,)
        return 1 / (1 - 1 / self.period_px), self.period_px

    @property
    def effective_share(self) -> tuple[float, float]:
        """(least, most) effective over nominal resolution along a side, 0..1, if it was enlarged."""
        return 1 / max(self.enlarged), 1 / min(self.enlarged)

    def effective_px(self, nominal_px: int) -> tuple[int, int]:
        """(least, most) pixels along a side of `nominal_px` that it had before, if it was enlarged."""
        least, most = self.effective_share
        return round(nominal_px * least), round(nominal_px * most)


@dataclass(frozen=True)
class FileFacts:
    """What a file tells of itself, and what its pixels tell of its history. Anyone can write such words."""

    fields: tuple[tuple[str, str], ...]
    """Name and value, one line each, without what is private unless that was asked for."""
    withheld: tuple[str, ...] = ()
    """Names of fields that were left out as private, or not known to be harmless."""
    unread: tuple[str, ...] = ()
    """Blocks that were not read and why, each a sentence."""
    credentials: bool | None = None
    """Whether it carries a C2PA manifest, which is not validated; None: not looked for in such a file."""
    jpeg_quality: int | None = None
    """Of the file's own tables, on the IJG scale; None: no JPEG."""
    jpeg_standard: bool | None = None
    """Whether these are exactly the tables of that quality."""
    earlier_jpeg: EarlierJpeg | None = None
    """None: no signs found, which does not show that there was none."""
    resampled: Resampled | None = None
    """None: no signs found."""
    nominal_px: tuple[int, int] | None = None
    """Rows and columns of the whole picture as shown, which `Resampled.effective_px` is held against."""
    pixels_asked: bool = True
    """Whether pixels were looked at: of 8 bits, not of a palette, mostly valid, at least 128 px a side."""
